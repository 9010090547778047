//! Regular expressions in settings.

use regex_lite::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

/// A regular expression that the whole of a value must match, in the syntax of <https://docs.rs/regex-lite>: Perl's without
/// look-around and back-references, so that no value takes long to match. Classes such as `\d` and `\w` are ASCII's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Pattern {
    text: String,
    whole: Regex,
}

/// What a compiled pattern may take, in bytes: some two thousand steps. Matching takes time in proportion to it.
const SIZE_LIMIT: usize = 1 << 16;

impl Pattern {
    /// Whether it matches the whole of a value.
    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let compile = |pattern: &str| {
            let regex = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build();
            regex.map_err(|error| format!("expected a regular expression: {error}"))
        };
        // On its own first: `a)|(b` would become another pattern between the parentheses.
        compile(&text)?;
        let whole = compile(&format!(r"\A(?:{text})\z"))?;
        Ok(Self { text, whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_whole_value() {
        for (pattern, value, expected) in [
            ("a|ab", "ab", true),
            ("a|ab", "abc", false),
            ("a|b", "xb", false),
            ("^a$", "a", true),
            ("a$", "a\n", false),
            ("(?m)^a$", "a\nb", false),
            ("(?i)prod", "PROD", true),
            ("", "", true),
            ("", "a", false),
            (".*", "a\nb", false),
        ] {
            assert_eq!(Pattern::try_from(pattern.to_owned()).unwrap().matches(value), expected, "{pattern} {value:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_pattern_or_too_large() {
        for pattern in ["[", "a)|(b", "(?=a)", "a{1000}{1000}", r"\p{L}"] {
            assert!(Pattern::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
    }
}
