//! Regular expressions in settings. A crate for them is a fifth of a module, mostly for what no label's value needs.

use std::iter;
use std::str::Chars;

use schemars::JsonSchema;
use serde::Deserialize;

/// A regular expression that the whole of a value must match. It may have `.`, classes such as `[a-z0-9]`, `\d`, `\w` and
/// `\s` (of ASCII), groups, `|`, `?`, `*`, `+`, `{2,3}`, `^`, `$`, `\b`, and `(?i)` for letters of either case; neither
/// look-around nor back-references, so that no value takes long to match.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Pattern {
    text: String,
    steps: Vec<Step>,
}

/// How many steps a pattern may have. Matching a character takes time in proportion to them.
const MOST_STEPS: usize = 2_000;

/// How long a value may be: as long as all annotations together (`TotalAnnotationSizeLimitB` in
/// <https://github.com/kubernetes/apimachinery/blob/master/pkg/api/validation/objectmeta.go>).
const LONGEST: usize = 1 << 18;

/// How deep groups may nest, as reading them takes the stack.
const MOST_GROUPS: usize = 50;

/// One step of a pattern. Where it goes on is told by how far that is, so that steps can be repeated as they are.
#[derive(Clone, Debug)]
enum Step {
    /// Takes a character that is of the set, or else one that is not.
    Take { is_of: bool, set: Set },
    /// Takes nothing, and goes on only at an edge.
    Edge(Edge),
    /// Goes on at both.
    Fork(isize, isize),
}

/// Characters, by the first and the last of each range.
type Set = Vec<(char, char)>;

/// A place between two characters of a value.
#[derive(Clone, Copy, Debug)]
enum Edge {
    Start,
    End,
    /// Whether it is one between a word and what is none.
    Word(bool),
}

impl Edge {
    fn is_between(self, before: Option<char>, after: Option<char>) -> bool {
        let is_word = |side: Option<char>| side.is_some_and(|side| side == '_' || side.is_ascii_alphanumeric());
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::Word(is_edge) => (is_word(before) != is_word(after)) == is_edge,
        }
    }
}

impl Pattern {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole of a value. All ways through the steps are gone at once, by Thompson's construction
    /// (<https://swtch.com/~rsc/regexp/regexp1.html>).
    pub fn matches(&self, value: &str) -> bool {
        if value.len() > LONGEST {
            return false;
        }
        let mut rest = value.chars();
        let mut ways =
            Ways { steps: &self.steps, seen: vec![0; self.steps.len()], takes: Vec::new(), open: Vec::new() };
        let mut takes = Vec::new();
        let mut after = rest.next();
        let mut is_end = ways.go_on(0, 1, None, after);
        // The places of a value are counted from 1.
        for place in 2.. {
            let Some(character) = after else { break };
            after = rest.next();
            is_end = false;
            std::mem::swap(&mut takes, &mut ways.takes);
            for step in takes.drain(..) {
                if let Some(Step::Take { is_of, set }) = self.steps.get(step)
                    && set.iter().any(|(first, last)| (*first..=*last).contains(&character)) == *is_of
                {
                    is_end |= ways.go_on(step + 1, place, Some(character), after);
                }
            }
        }
        is_end
    }
}

/// The ways that are open at a place of a value.
struct Ways<'p> {
    steps: &'p [Step],
    /// By step, the last place that it was come to.
    seen: Vec<u32>,
    /// The steps that take the next character, each once.
    takes: Vec<usize>,
    /// Those to be looked at.
    open: Vec<usize>,
}

impl Ways<'_> {
    /// Goes on from a step to those that take the next character. Says whether there is a way to the end of the pattern.
    fn go_on(&mut self, step: usize, place: u32, before: Option<char>, after: Option<char>) -> bool {
        let mut is_end = false;
        self.open.push(step);
        while let Some(step) = self.open.pop() {
            let (Some(known), Some(seen)) = (self.steps.get(step), self.seen.get_mut(step)) else {
                is_end = true;
                continue;
            };
            if std::mem::replace(seen, place) == place {
                continue;
            }
            match known {
                Step::Take { .. } => self.takes.push(step),
                Step::Edge(edge) if edge.is_between(before, after) => self.open.push(step + 1),
                Step::Edge(_) => {}
                Step::Fork(one, other) => self.open.extend([*one, *other].map(|far| step.wrapping_add_signed(far))),
            }
        }
        is_end
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut reader = Reader { rest: text.chars(), any_case: false, any_line: false, groups: 0 };
        match reader.alternatives() {
            Ok(steps) if reader.rest.as_str().is_empty() => Ok(Self { text, steps }),
            Ok(_) => Err("expected a regular expression, found one with a \")\" too many".to_owned()),
            Err(found) => Err(format!("expected a regular expression, found one with {found}")),
        }
    }
}

/// What is wrong with a pattern.
type Fault = &'static str;

/// Reads a pattern.
struct Reader<'t> {
    rest: Chars<'t>,
    /// Whether letters stand for themselves in either case.
    any_case: bool,
    /// Whether `.` stands for a line feed too.
    any_line: bool,
    /// How many groups are open.
    groups: usize,
}

/// How far it is over some steps and `more` of them.
fn over(steps: &[Step], more: isize) -> isize {
    steps.len().cast_signed() + more
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    /// Reads the next character if it is this one.
    fn skip(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.rest.next();
        }
        is_next
    }

    fn alternatives(&mut self) -> Result<Vec<Step>, Fault> {
        let mut all = vec![self.sequence()?];
        while self.skip('|') {
            all.push(self.sequence()?);
        }
        // Each but the last has a fork before it and a way to the end after it.
        let length = all.iter().map(|one| one.len() + 2).sum::<usize>() - 2;
        let mut steps = Vec::with_capacity(length);
        for one in all {
            let is_last = steps.len() + one.len() == length;
            if !is_last {
                steps.push(Step::Fork(1, over(&one, 2)));
            }
            steps.extend(one);
            if !is_last {
                let to_end = (length - steps.len()).cast_signed();
                steps.push(Step::Fork(to_end, to_end));
            }
        }
        limited(steps)
    }

    fn sequence(&mut self) -> Result<Vec<Step>, Fault> {
        let mut steps = Vec::new();
        while self.peek().is_some_and(|next| !matches!(next, '|' | ')')) {
            let one = self.one()?;
            steps.extend(self.repeated(one)?);
            steps = limited(steps)?;
        }
        Ok(steps)
    }

    /// What stands for one character, or for an edge; or a group.
    fn one(&mut self) -> Result<Vec<Step>, Fault> {
        let step = match self.rest.next() {
            Some('(') => return self.group(),
            Some('[') => self.class()?,
            Some('.') if self.any_line => Step::Take { is_of: false, set: Vec::new() },
            Some('.') => Step::Take { is_of: false, set: vec![('\n', '\n')] },
            Some('^') => Step::Edge(Edge::Start),
            Some('$') => Step::Edge(Edge::End),
            Some('?' | '*' | '+' | '{') => return Err("a repetition of nothing"),
            Some('\\') => {
                let edge = match self.peek() {
                    Some('A') => Some(Edge::Start),
                    Some('z') => Some(Edge::End),
                    Some('b') => Some(Edge::Word(true)),
                    Some('B') => Some(Edge::Word(false)),
                    _ => None,
                };
                match edge {
                    Some(edge) => {
                        self.rest.next();
                        Step::Edge(edge)
                    }
                    None => Step::Take { is_of: true, set: self.escape().map(|set| self.folded(set))? },
                }
            }
            Some(plain) => Step::Take { is_of: true, set: self.folded(vec![(plain, plain)]) },
            None => return Ok(Vec::new()),
        };
        Ok(vec![step])
    }

    /// What comes after a `(`: a group, or what holds for the rest of the one that it stands in.
    fn group(&mut self) -> Result<Vec<Step>, Fault> {
        let outer = (self.any_case, self.any_line);
        if self.skip('?') {
            loop {
                match self.rest.next() {
                    Some('i') => self.any_case = true,
                    Some('s') => self.any_line = true,
                    Some(')') => return Ok(Vec::new()),
                    Some(':') => break,
                    _ => return Err("a group that is not known here, expected one such as \"(?:\" or \"(?i)\""),
                }
            }
        }
        self.groups += 1;
        if self.groups > MOST_GROUPS {
            return Err("groups that nest too deep");
        }
        let steps = self.alternatives()?;
        self.groups -= 1;
        (self.any_case, self.any_line) = outer;
        if self.skip(')') { Ok(steps) } else { Err("a \"(\" that is not closed") }
    }

    /// The steps as often as is said after them.
    fn repeated(&mut self, mut steps: Vec<Step>) -> Result<Vec<Step>, Fault> {
        while let Some(sign @ ('?' | '*' | '+' | '{')) = self.peek() {
            self.rest.next();
            let (least, most) = match sign {
                '?' => (0, Some(1)),
                '*' => (0, None),
                '+' => (1, None),
                _ => self.counts()?,
            };
            // How much of a value a repetition takes makes no difference to the whole.
            self.skip('?');
            if (steps.len() + 2) * (most.unwrap_or(least) + 1) > MOST_STEPS {
                return Err(TOO_MANY);
            }
            let mut all: Vec<Step> = iter::repeat_n(&steps, least).flatten().cloned().collect();
            if let Some(most) = most {
                for _ in least..most {
                    all.push(Step::Fork(1, over(&steps, 1)));
                    all.extend_from_slice(&steps);
                }
            } else {
                all.push(Step::Fork(1, over(&steps, 2)));
                all.extend_from_slice(&steps);
                all.push(Step::Fork(-over(&steps, 1), 1));
            }
            steps = all;
        }
        Ok(steps)
    }

    /// The least and the most, after a `{`.
    fn counts(&mut self) -> Result<(usize, Option<usize>), Fault> {
        const EXPECTED: &str = "a \"{\" that starts no repetition, expected one such as {2}, {2,} or {2,3}";
        let Some((inner, rest)) = self.rest.as_str().split_once('}') else { return Err(EXPECTED) };
        self.rest = rest.chars();
        let number = |text: &str| text.parse::<u16>().map(usize::from).map_err(|_| EXPECTED);
        let (least, most) = match inner.split_once(',') {
            None => (number(inner)?, Some(number(inner)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        if most.is_some_and(|most| most < least) { Err(EXPECTED) } else { Ok((least, most)) }
    }

    /// What comes after a `[`.
    fn class(&mut self) -> Result<Step, Fault> {
        let is_of = !self.skip('^');
        let mut set = Set::new();
        while self.skip('-') {
            set.push(('-', '-'));
        }
        // One at the start is itself: no class is empty.
        while set.is_empty() || !self.skip(']') {
            let first = self.class_item()?;
            let mut after = self.rest.clone();
            if after.next() != Some('-') || matches!(after.next(), Some(']' | '-')) {
                set.extend(first);
                continue;
            }
            self.rest.next();
            match (&*first, &*self.class_item()?) {
                ([(first, same)], [(last, _)]) if first == same && first <= last => set.push((*first, *last)),
                _ => return Err("a range that is none in a class"),
            }
        }
        Ok(Step::Take { is_of, set: self.folded(set) })
    }

    /// A character of a class, or one of the classes that have names.
    fn class_item(&mut self) -> Result<Set, Fault> {
        match self.rest.next() {
            None => Err("a \"[\" that is not closed"),
            Some('\\') => self.escape(),
            Some('[') => self.named_class(),
            // Elsewhere they join classes.
            Some(sign @ ('&' | '-' | '~')) if self.peek() == Some(sign) => Err("a sign twice in a class: &&, -- or ~~"),
            Some(plain) => Ok(vec![(plain, plain)]),
        }
    }

    /// What comes after a `[` within a class, such as `:alnum:]`.
    fn named_class(&mut self) -> Result<Set, Fault> {
        const EXPECTED: &str = "a \"[\" in a class, expected \"\\[\" or one such as [:alnum:]";
        let Some((name, rest)) = self.rest.as_str().split_once(":]") else { return Err(EXPECTED) };
        self.rest = rest.chars();
        let set: &[_] = match name {
            ":alpha" => &[('A', 'Z'), ('a', 'z')],
            ":alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            ":digit" => &[('0', '9')],
            ":lower" => &[('a', 'z')],
            ":upper" => &[('A', 'Z')],
            ":punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            ":space" => &[('\t', '\r'), (' ', ' ')],
            ":word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            ":xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err(EXPECTED),
        };
        Ok(set.to_vec())
    }

    /// What comes after a `\` and is no edge.
    fn escape(&mut self) -> Result<Set, Fault> {
        let set: &[_] = match self.rest.next() {
            Some('d') => &[('0', '9')],
            Some('D') => &[('\0', '/'), (':', char::MAX)],
            Some('w') => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            Some('W') => &[('\0', '/'), (':', '@'), ('[', '^'), ('`', '`'), ('{', char::MAX)],
            Some('s') => &[('\t', '\r'), (' ', ' ')],
            Some('S') => &[('\0', '\u{8}'), ('\u{e}', '\u{1f}'), ('!', char::MAX)],
            Some('n') => &[('\n', '\n')],
            Some('r') => &[('\r', '\r')],
            Some('t') => &[('\t', '\t')],
            Some(sign) if sign.is_ascii_punctuation() => return Ok(vec![(sign, sign)]),
            _ => {
                return Err(
                    "a \"\\\" before what is not known here, expected a sign or one of A b B d D n r s S t w W z",
                );
            }
        };
        Ok(set.to_vec())
    }

    /// A set with its letters in either case, where that is asked for.
    fn folded(&self, mut set: Set) -> Set {
        for index in 0..if self.any_case { set.len() } else { 0 } {
            let (first, last) = set[index];
            let letters =
                (b'A'..=b'Z').chain(b'a'..=b'z').filter(|letter| (first..=last).contains(&char::from(*letter)));
            // Letters of both cases differ by this bit.
            set.extend(letters.map(|letter| char::from(letter ^ 0x20)).map(|letter| (letter, letter)));
        }
        set
    }
}

const TOO_MANY: Fault = "too many steps, expected a shorter one";

fn limited(steps: Vec<Step>) -> Result<Vec<Step>, Fault> {
    if steps.len() > MOST_STEPS { Err(TOO_MANY) } else { Ok(steps) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn matches_the_whole_value() {
        for (text, value, expected) in [
            ("a|ab", "ab", true),
            ("a|ab", "abc", false),
            ("a|b", "xb", false),
            ("a|b|", "", true),
            ("^a$", "a", true),
            ("a$", "a\n", false),
            ("(?i)prod", "PROD", true),
            ("(?i:p)rod", "PROD", false),
            ("(?i:p)rod", "Prod", true),
            ("(?i)[^a]", "A", false),
            ("", "", true),
            ("", "a", false),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            (".", "é", true),
            (r"v\d+(\.\d+){2}", "v1.20.3", true),
            (r"v\d+(\.\d+){2}", "v1.20", false),
            ("(a*)*b", "aaab", true),
            ("(a|b|){3}", "ab", true),
            ("[]a-]+", "a-]", true),
            (r"[^\W_]+", "aZ9", true),
            (r"[^\W_]+", "a_", false),
            ("[[:alnum:]_]+", "a_1", true),
            (r".*\bprod\b.*", "eu-prod-1", true),
            (r".*\bprod\b.*", "eu-product", false),
        ] {
            assert_eq!(pattern(text).matches(value), expected, "{text} {value:?}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_know_and_what_is_too_large() {
        for text in [
            "[",
            "[a",
            "[b-a]",
            "[a&&b]",
            "[[a]]",
            "(",
            ")",
            "a)|(b",
            "(?=a)",
            "(?<n>a)",
            "*",
            "a{2",
            "a{3,2}",
            "a{,2}",
            r"\",
            r"\p{L}",
            r"\1",
            "a{1000}{1000}",
            "(a{100}){1000}",
            "(){60000}",
        ] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(Pattern::try_from("(".repeat(100_000)).is_err());
        assert!(Pattern::try_from("a".repeat(MOST_STEPS + 1)).is_err());
    }

    /// A matcher that tries every way anew takes longer than the universe has for this.
    #[test]
    fn no_value_takes_long() {
        assert!(!pattern("(a*)*b").matches(&"a".repeat(10_000)));
        assert!(!pattern("(a?){300}a{300}b").matches(&"a".repeat(600)));
    }

    /// Patterns of what is known here.
    fn patterns() -> impl Strategy<Value = String> {
        let piece = r"[ab.1_]|\\[dDwWsSbBn.]|\[\^?-?[ab]-?[1b]?\\w?\]|\^|\$";
        piece.prop_recursive(5, 24, 4, |inner| {
            prop_oneof![
                (inner.clone(), r"\?|\*|\+|\{[0-2](,|,[2-3])?\}|\?\?")
                    .prop_map(|(one, times)| format!("(?:{one}){times}")),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one}{other}")),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}|{other}|)")),
                inner.clone().prop_map(|one| format!("(?i:{one})")),
                inner.prop_map(|one| format!("((?s){one})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn agrees_with_a_crate(text in patterns(), values in proptest::collection::vec("[abAB1_. \n-é]{0,6}", 8)) {
            let crates = Regex::new(&format!(r"\A(?:{text})\z"));
            let own = Pattern::try_from(text.clone());
            prop_assert_eq!(own.is_ok(), crates.is_ok(), "{} {:?}", text, own);
            if let (Ok(own), Ok(crates)) = (own, crates) {
                for value in values {
                    prop_assert_eq!(own.matches(&value), crates.is_match(&value), "{} {:?}", text, value);
                }
            }
        }

        #[test]
        fn means_what_it_means_to_a_crate(text in r"[ab\[\](){}?*+|^$.\\d,2\-&:i]{0,12}", value in "[ab2d\\-]{0,4}") {
            let crates = Regex::new(&format!(r"\A(?:{text})\z"));
            if let (Ok(own), Ok(crates)) = (Pattern::try_from(text.clone()), crates) {
                prop_assert_eq!(own.matches(&value), crates.is_match(&value), "{} {:?}", text, value);
            }
        }
    }
}
