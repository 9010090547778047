//! Patterns with wildcards, for names and images in the settings of a policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pattern that a whole text must match: `*` stands for any run of characters, an empty one included, and `?` for
/// exactly one character. Every other character stands for itself, and case matters.
///
/// No character is special to the wildcards: `*` runs across `/` and `.` as well, so that `ghcr.io/acme/*` takes in
/// `ghcr.io/acme/team/api`. There is no way to escape a wildcard, as neither occurs in the names of Kubernetes objects or
/// in images. The empty pattern matches the empty text alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Glob(String);

impl Glob {
    /// The pattern with this text. Every text is a pattern.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The text of the pattern, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern matches the whole of `text`.
    ///
    /// A character is a Unicode scalar value, not a byte. The time is at most in proportion to the length of the pattern
    /// times that of the text, however many `*` there are.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut text) = (self.0.as_str(), text);
        // Where to go on when what follows the last `*` does not match: the pattern after that `*`, and the text that it
        // has not run over yet. Earlier ones need no second try, as the last one can take up whatever they would.
        let mut retry: Option<(&str, &str)> = None;
        loop {
            if let Some(rest) = pattern.strip_prefix('*') {
                pattern = rest;
                retry = Some((rest, text));
                continue;
            }
            match (split_first(pattern), split_first(text)) {
                (None, None) => return true,
                (Some((wanted, pattern_rest)), Some((found, text_rest))) if wanted == '?' || wanted == found => {
                    pattern = pattern_rest;
                    text = text_rest;
                }
                _ => {
                    let Some((after, from)) = retry else {
                        return false;
                    };
                    let Some((_, from)) = split_first(from) else {
                        return false;
                    };
                    retry = Some((after, from));
                    pattern = after;
                    text = from;
                }
            }
        }
    }
}

/// Whether at least one of the patterns matches the whole of `text`. No patterns match nothing.
#[must_use]
pub fn any(globs: &[Glob], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

/// The first character of a text and what follows it. `None` when it is empty.
fn split_first(text: &str) -> Option<(char, &str)> {
    let mut characters = text.chars();
    characters.next().map(|first| (first, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest, test_runner::Config};
    use serde_json::json;

    use super::*;

    #[test]
    fn matching() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("**", ""),
            ("*", "a/b.c:d"),
            ("redis", "redis"),
            ("ghcr.io/acme/*", "ghcr.io/acme/api"),
            ("ghcr.io/acme/*", "ghcr.io/acme/team/api"),
            ("ghcr.io/acme/*", "ghcr.io/acme/"),
            ("*.example", "a.b.example"),
            ("*/api:*", "ghcr.io/acme/api:1"),
            ("a?c", "abc"),
            ("a?c", "aéc"),
            ("??", "日本"),
            ("*?", "é"),
            ("?*", "é"),
            ("a*a*a", "aaa"),
            ("*ab*ab", "abxabab"),
            ("*aab", "aaab"),
            ("[a-z].{2}\\", "[a-z].{2}\\"),
            ("a\\*", "a\\b"),
            ("*é*", "caféine"),
        ] {
            assert!(Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn not_matching() {
        for (pattern, text) in [
            ("", "a"),
            ("?", ""),
            ("*?", ""),
            ("redis", "redis:7"),
            ("redis", "myredis"),
            ("redis", "Redis"),
            ("ghcr.io/acme/*", "ghcr.io/acme"),
            ("ghcr.io/acme/*", "ghcr.io/acme-evil/api"),
            ("ghcr.io/acme/*", "evil.io/ghcr.io/acme/api"),
            ("ghcr.io", "ghcrxio"),
            ("a?c", "ac"),
            ("a?c", "abbc"),
            ("?", "é\u{301}"),
            ("???", "é"),
            ("*??", "é"),
            ("a*a*a", "aa"),
            ("*aab", "aaaba"),
            ("[a-z]", "b"),
        ] {
            assert!(!Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn any_of_several() {
        let globs = ["a*", "*b"].map(Glob::new);
        assert!(any(&globs, "ax"));
        assert!(any(&globs, "xb"));
        assert!(!any(&globs, "xx"));
        assert!(!any(&[], ""));
    }

    /// A matcher that tries every star anew takes longer than the universe has for this.
    #[test]
    fn many_stars_take_no_time() {
        let text = "a".repeat(3_000);
        assert!(!Glob::new("a*".repeat(1_000) + "b").matches(&text));
        assert!(!Glob::new("*a".repeat(1_000) + "b*").matches(&text));
        assert!(Glob::new("*a".repeat(1_000)).matches(&text));
        assert!(Glob::new("*".repeat(100_000)).matches(&text));
    }

    #[test]
    fn json() {
        let glob: Glob = serde_json::from_value(json!("a*")).unwrap();
        assert_eq!(glob, Glob::new("a*"));
        assert_eq!(glob.as_str(), "a*");
        assert_eq!(serde_json::to_value(&glob).unwrap(), json!("a*"));
        assert!(serde_json::from_value::<Glob>(json!(1)).is_err());
        let schema = schemars::schema_for!(Glob).to_value();
        assert_eq!(schema.get("type"), Some(&json!("string")));
    }

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            (['?', pattern @ ..], [_, text @ ..]) => naive(pattern, text),
            ([wanted, pattern @ ..], [found, text @ ..]) => wanted == found && naive(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(Config::with_cases(4_096))]

        #[test]
        fn agrees_with_naive(pattern in "[ab*?é/]{0,8}", text in "[abé/]{0,10}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = naive(&characters(&pattern), &characters(&text));
            prop_assert_eq!(Glob::new(pattern).matches(&text), expected);
        }

        #[test]
        fn a_text_matches_itself(text in "[^*?]{0,40}", before in "\\PC{0,9}", after in "\\PC{0,9}") {
            prop_assert!(Glob::new(&*text).matches(&text));
            let inside = Glob::new(["*", &text, "*"].concat());
            prop_assert!(inside.matches(&[before, text, after].concat()));
        }
    }
}
