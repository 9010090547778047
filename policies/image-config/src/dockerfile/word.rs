//! What a word of an instruction comes to: quotes, escapes and variables
//! (<https://github.com/moby/buildkit/blob/master/frontend/dockerfile/shell/lex.go>).

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// The variables that an instruction sees, where nobody passes others to the build.
#[derive(Default)]
pub struct Variables {
    /// What ENV sets, which goes before all else; `None` where the value is not known.
    env: HashMap<String, Option<String>>,
    /// What ARG declares.
    args: HashMap<String, Option<String>>,
}

impl Variables {
    pub fn set_env(&mut self, name: &str, value: Option<String>) {
        self.env.insert(name.to_owned(), value);
    }

    pub fn set_arg(&mut self, name: &str, value: Option<String>) {
        self.args.insert(name.to_owned(), value);
    }

    /// A variable's value; `None` where there is none, or it is not known.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.env.get(name).or_else(|| self.args.get(name))?.as_deref()
    }
}

/// No value is longer: one that doubles with each ENV must not fill the memory.
const LONGEST: usize = 16 * 1024;

/// How deep references may lie within each other.
const DEEPEST: usize = 16;

/// What a word comes to. `None` where that depends on what is not in the file, or on what only few references do: taking
/// patterns off (`${A#v}`).
pub fn expand(word: &str, escape: char, variables: &Variables) -> Option<String> {
    let mut expansion = Expansion { rest: word.chars().peekable(), escape, variables };
    expansion.until(None, 0)
}

/// A word without its quotes and escapes; references stay as they stand.
pub fn unquote(word: &str, escape: char) -> String {
    let mut text = String::with_capacity(word.len());
    let mut quote = None;
    let mut rest = word.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            _ if quote == Some(character) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(character),
            _ if character == escape && quote != Some('\'') => {
                let stays = quote.is_some() && !rest.peek().is_some_and(|next| ['"', '$', escape].contains(next));
                text.extend(stays.then_some(character));
                text.extend(rest.next());
            }
            _ => text.push(character),
        }
    }
    text
}

struct Expansion<'e> {
    rest: Peekable<Chars<'e>>,
    escape: char,
    variables: &'e Variables,
}

impl Expansion<'_> {
    /// Reads up to what ends it.
    fn until(&mut self, end: Option<char>, depth: usize) -> Option<String> {
        let mut text = String::new();
        let mut quote = None;
        loop {
            let Some(character) = self.rest.next() else { return (end.is_none() && quote.is_none()).then_some(text) };
            match character {
                _ if quote.is_none() && Some(character) == end => return Some(text),
                _ if quote == Some(character) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(character),
                _ if character == self.escape && quote != Some('\'') => {
                    let is_escaped = |next: &char| ['"', '$', self.escape].contains(next);
                    let stays = quote.is_some() && !self.rest.peek().is_some_and(is_escaped);
                    text.extend(stays.then_some(character));
                    text.extend(self.rest.next());
                }
                '$' if quote != Some('\'') => text.push_str(&self.reference(depth)?),
                _ => text.push(character),
            }
            if text.len() > LONGEST {
                return None;
            }
        }
    }

    /// What a reference comes to, behind its dollar sign.
    fn reference(&mut self, depth: usize) -> Option<String> {
        let is_braced = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(next) = self.rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
            name.push(next);
        }
        if !is_braced {
            return if name.is_empty() { Some("$".to_owned()) } else { self.variables.get(&name).map(str::to_owned) };
        }
        let value = self.variables.get(&name);
        let mut next = self.rest.next()?;
        let null_is_unset = next == ':';
        if null_is_unset {
            next = self.rest.next()?;
        }
        if next == '}' && !null_is_unset {
            return value.map(str::to_owned);
        }
        if depth == DEEPEST {
            return None;
        }
        let word = self.until(Some('}'), depth + 1);
        let set = value.filter(|value| !(null_is_unset && value.is_empty()));
        match (next, set) {
            ('-' | '?', Some(value)) => Some(value.to_owned()),
            ('-', None) | ('+', Some(_)) => word,
            ('+', None) => Some(String::new()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Variables, expand, unquote};

    #[test]
    fn words() {
        let mut variables = Variables::default();
        variables.set_arg("A", Some("arg".to_owned()));
        variables.set_arg("B", Some("b".to_owned()));
        variables.set_arg("UNSET", None);
        variables.set_env("A", Some("a".to_owned()));
        variables.set_env("EMPTY", Some(String::new()));
        for (word, expected) in [
            ("plain", Some("plain")),
            ("$A-${B}", Some("a-b")),
            ("\"$A\"'$A'", Some("a$A")),
            ("\\$A\\x", Some("$Ax")),
            ("\"\\x\\\"\"", Some("\\x\"")),
            ("$UNSET", None),
            ("${UNSET}", None),
            ("$NONE", None),
            ("${UNSET:-x}", Some("x")),
            ("${UNSET-x}", Some("x")),
            ("${EMPTY:-x}", Some("x")),
            ("${EMPTY-x}", Some("")),
            ("${A:-x}", Some("a")),
            ("${A:+x}${UNSET:+y}", Some("x")),
            ("${A:?no}", Some("a")),
            ("${UNSET:?no}", None),
            ("${UNSET:-${NONE:-$B}}", Some("b")),
            ("${A#a}", None),
            ("${A/a/b}", None),
            ("${A", None),
            ("${", None),
            ("$", Some("$")),
            ("$(id)", Some("$(id)")),
            ("\"open", None),
            ("é$A", Some("éa")),
        ] {
            assert_eq!(expand(word, '\\', &variables).as_deref(), expected, "{word}");
        }
        assert_eq!(expand("`$A\\", '`', &variables).as_deref(), Some("$A\\"));
    }

    #[test]
    fn values_stay_short() {
        let mut variables = Variables::default();
        variables.set_env("A", Some("x".repeat(10_000)));
        assert_eq!(expand("$A$A", '\\', &variables), None);
        assert_eq!(expand(&"${A:-".repeat(100_000), '\\', &variables), None);
    }

    #[test]
    fn quotes() {
        for (word, expected) in [("a\\ b", "a b"), ("\"a b\"", "a b"), ("'a\\b'", "a\\b"), ("\"\\n\\$A\"", "\\n$A")] {
            assert_eq!(unquote(word, '\\'), expected, "{word}");
        }
    }
}
