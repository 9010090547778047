//! What the groups of a location's regular expression may hold of the decoded URI that they match.

/// A group that captures.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    name: String,
    /// Whether it may hold a line break: `[^/]*` does, `.*` does not.
    pub line_break: bool,
    /// Whether it may hold a dot, and so a name of any host.
    pub dot: bool,
}

/// How many groups are looked at: a directive may use nine by their numbers.
const MOST_GROUPS: usize = 32;

/// The groups of a regular expression, in the order of their numbers.
pub fn groups(pattern: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // The open groups: which of `groups` each is, and what it may hold.
    let mut open: Vec<(Option<usize>, Holds)> = Vec::new();
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        let atom = match character {
            '(' => {
                let captures = !rest.starts_with('?') || name(rest).is_some();
                let number = (captures && groups.len() < MOST_GROUPS).then(|| {
                    groups.push(Group {
                        name: name(rest).unwrap_or_default().to_owned(),
                        line_break: false,
                        dot: false,
                    });
                    groups.len() - 1
                });
                // `?` and what follows it are no atoms.
                rest = rest.strip_prefix("?:").unwrap_or(rest);
                if let Some(name) = name(rest) {
                    rest = &rest[rest.find(name).unwrap_or_default() + name.len()..];
                }
                open.push((number, Holds::default()));
                continue;
            }
            ')' => {
                let Some((number, holds)) = open.pop() else { continue };
                if let Some(group) = number.map(|number| &mut groups[number]) {
                    (group.line_break, group.dot) = (holds.line_break, holds.dot);
                }
                holds
            }
            '.' => Holds { line_break: false, dot: true },
            '\\' => {
                let escaped = rest.chars().next().unwrap_or_default();
                rest = &rest[escaped.len_utf8().min(rest.len())..];
                Holds::of_escape(escaped)
            }
            '[' => {
                let (holds, after) = class(rest);
                rest = after;
                holds
            }
            _ => continue,
        };
        if let Some((_, outer)) = open.last_mut() {
            outer.line_break |= atom.line_break;
            outer.dot |= atom.dot;
        }
    }
    groups
}

impl Group {
    /// The group that a variable is made of: by its number, or by its name.
    pub fn find<'g>(groups: &'g [Self], variable: &str) -> Option<&'g Self> {
        match variable.parse::<usize>() {
            Ok(number) => groups.get(number.checked_sub(1)?),
            Err(_) => groups.iter().find(|group| group.name == variable),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Holds {
    line_break: bool,
    dot: bool,
}

impl Holds {
    fn of_escape(escaped: char) -> Self {
        match escaped {
            'W' | 'D' | 'H' => Self { line_break: true, dot: true },
            's' | 'n' | 'r' | 'R' | 'v' => Self { line_break: true, dot: false },
            '.' | 'S' | 'N' => Self { line_break: false, dot: true },
            _ => Self::default(),
        }
    }
}

/// What follows `(` where the group has a name: `?<name>`, `?P<name>` or `?'name'`.
fn name(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix('?')?;
    let rest = rest.strip_prefix('P').unwrap_or(rest);
    let rest = rest.strip_prefix(['<', '\''])?;
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_')?;
    // `(?<=` and `(?<!` look behind.
    (end > 0).then(|| &rest[..end])
}

/// What a class may hold, and what follows it.
fn class(rest: &str) -> (Holds, &str) {
    let (negated, mut rest) = rest.strip_prefix('^').map_or((false, rest), |rest| (true, rest));
    let mut listed = Holds::default();
    let mut is_first = true;
    let mut from: Option<char> = None;
    loop {
        let Some(character) = rest.chars().next() else { return (Holds::default(), rest) };
        rest = &rest[character.len_utf8()..];
        match character {
            ']' if !is_first => break,
            '\\' => {
                let escaped = rest.chars().next().unwrap_or_default();
                rest = &rest[escaped.len_utf8().min(rest.len())..];
                let holds = Holds::of_escape(escaped);
                listed.dot |= holds.dot;
                listed.line_break |= holds.line_break;
                from = None;
            }
            '-' if from.is_some() && !rest.starts_with(']') => {
                let to = rest.chars().next().unwrap_or_default();
                listed.dot |= from.is_some_and(|from| from <= '.' && '.' <= to);
            }
            _ => {
                listed.dot |= character == '.';
                listed.line_break |= matches!(character, '\n' | '\r');
                from = Some(character);
            }
        }
        is_first = false;
    }
    let holds = if negated { Holds { line_break: !listed.line_break, dot: !listed.dot } } else { listed };
    (holds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pattern: &str) -> Vec<(bool, bool)> {
        groups(pattern).iter().map(|group| (group.line_break, group.dot)).collect()
    }

    #[test]
    fn groups_hold_what_their_atoms_match() {
        assert_eq!(held("^/a/(.*)$"), [(false, true)]);
        assert_eq!(held("^/a/([^/]*)/([a-z]+)/([^/\\s.]+)$"), [(true, true), (false, false), (false, false)]);
        assert_eq!(held(r"/((?<action>[^.]*)\.json)?$"), [(true, true), (true, false)]);
        assert_eq!(
            held(r"^/(?:a|b)(\W*)(?=x)(\d+)([\w-]+)([,-/])"),
            [(true, true), (false, false), (false, false), (false, true)]
        );
        assert_eq!(held("([]x])([^]x]"), [(false, false), (false, false)]);
        assert_eq!(held("([\\"), [(false, false)]);
    }

    #[test]
    fn a_group_is_found_by_number_and_name() {
        let groups = groups(r"^/(?<first>a)(?P<second>[^/])(?'third'.)(?<!x)$");
        assert_eq!(groups.len(), 3);
        assert_eq!(Group::find(&groups, "2"), Group::find(&groups, "second"));
        assert!(Group::find(&groups, "third").is_some_and(|group| group.dot));
        assert!(Group::find(&groups, "0").is_none() && Group::find(&groups, "4").is_none());
    }
}
