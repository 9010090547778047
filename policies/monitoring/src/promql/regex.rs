//! Whether a regular expression is one that Prometheus can read, and whether it matches the empty text. It is read as Go
//! does, without being made: <https://github.com/google/re2/wiki/Syntax>,
//! <https://github.com/golang/go/blob/master/src/regexp/syntax/parse.go>.

use std::str::Chars;

/// Why a regular expression is none.
type Wrong = &'static str;

/// What was read of a group so far.
#[derive(Clone, Copy)]
struct Group {
    /// Whether one of the alternatives before this one matches the empty text.
    is_empty_before: bool,
    /// Whether what is before the last item in this alternative does.
    is_empty: bool,
    /// The last item, which a `*` would repeat.
    item: Option<Item>,
    /// How often anything in it is repeated at most.
    repeats: u32,
}

#[derive(Clone, Copy)]
struct Item {
    is_empty: bool,
    repeats: u32,
}

impl Group {
    fn new() -> Self {
        Self { is_empty_before: false, is_empty: true, item: None, repeats: 1 }
    }

    /// Ends the last item.
    fn settle(&mut self) {
        if let Some(item) = self.item.take() {
            self.is_empty &= item.is_empty;
            self.repeats = self.repeats.max(item.repeats);
        }
    }

    fn push(&mut self, item: Item) {
        self.settle();
        self.item = Some(item);
    }

    /// Begins another alternative.
    fn alternate(&mut self) {
        self.settle();
        self.is_empty_before |= self.is_empty;
        self.is_empty = true;
    }
}

/// Whether a regular expression matches the empty text.
pub fn matches_empty(pattern: &str) -> Result<bool, Wrong> {
    let mut rest = pattern.chars();
    let mut outer: Vec<Group> = Vec::new();
    let mut group = Group::new();
    let mut is_repeated = false;
    loop {
        let was_repeated = std::mem::take(&mut is_repeated);
        let before = rest.clone();
        let Some(character) = rest.next() else { break };
        let item = match character {
            '(' => {
                if !rest.as_str().starts_with('?') || opens_group(&mut rest)? {
                    outer.push(group);
                    group = Group::new();
                }
                continue;
            }
            ')' => {
                group.alternate();
                let Item { is_empty, repeats } = Item { is_empty: group.is_empty_before, repeats: group.repeats };
                group = outer.pop().ok_or("a \")\" too many")?;
                Item { is_empty, repeats }
            }
            '|' => {
                group.alternate();
                continue;
            }
            '*' | '+' | '?' | '{' => {
                let counts = if character == '{' { counts(&mut rest)? } else { None };
                if character == '{' && counts.is_none() {
                    // It is itself.
                    rest = before;
                    rest.next();
                    group.push(Item { is_empty: false, repeats: 1 });
                    continue;
                }
                let item = group.item.as_mut().ok_or("a repetition of nothing")?;
                if was_repeated {
                    return Err("a repetition of a repetition");
                }
                if rest.as_str().starts_with('?') {
                    rest.next();
                }
                is_repeated = true;
                match (character, counts) {
                    (_, Some((least, most))) => {
                        item.is_empty |= least == 0;
                        let times = most.unwrap_or(least);
                        // Whatever is in what is there no times counts for nothing.
                        item.repeats = if most == Some(0) { 1 } else { item.repeats.saturating_mul(times.max(1)) };
                        if item.repeats > MOST_REPEATS {
                            return Err(TOO_OFTEN);
                        }
                    }
                    ('*' | '?', _) => item.is_empty = true,
                    _ => {}
                }
                continue;
            }
            '[' => {
                class(&mut rest)?;
                Item { is_empty: false, repeats: 1 }
            }
            '\\' => match rest.clone().next() {
                Some('Q') => {
                    rest.next();
                    quoted(&mut rest, &mut group);
                    continue;
                }
                Some(edge @ ('A' | 'b' | 'B' | 'z')) => {
                    rest.next();
                    Item { is_empty: edge != 'b', repeats: 1 }
                }
                _ => {
                    escape(&mut rest)?;
                    Item { is_empty: false, repeats: 1 }
                }
            },
            '^' | '$' => Item { is_empty: true, repeats: 1 },
            _ => Item { is_empty: false, repeats: 1 },
        };
        group.push(item);
    }
    if !outer.is_empty() {
        return Err("a \"(\" that is not closed");
    }
    group.alternate();
    Ok(group.is_empty_before)
}

/// How often anything may be repeated, by all the repetitions around it together.
const MOST_REPEATS: u32 = 1000;
const TOO_OFTEN: Wrong = "more than 1000 repetitions";

/// What comes after a `(`, from its `?`: whether a group begins there, or only flags are set.
fn opens_group(rest: &mut Chars<'_>) -> Result<bool, Wrong> {
    const UNKNOWN: Wrong = "a group that is not known, expected one such as \"(?:\" or \"(?i)\"";
    rest.next();
    let text = rest.as_str();
    let is_named = text.starts_with('<') || text.starts_with("P<");
    if is_named {
        let length = text.bytes().position(|byte| byte == b'>').ok_or("a name of a group that does not end")?;
        let (head, tail) = text.split_at_checked(length).unwrap_or_default();
        let name = head.trim_start_matches('P').trim_start_matches('<');
        *rest = tail.chars();
        rest.next();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        return if is_name {
            Ok(true)
        } else {
            Err("a name of a group with other characters than letters, digits and _")
        };
    }
    let (mut is_off, mut flags) = (false, 0);
    loop {
        match rest.next() {
            Some('i' | 'm' | 's' | 'U') => flags += 1,
            Some('-') if !is_off => (is_off, flags) = (true, 0),
            Some(end @ (':' | ')')) if !is_off || flags > 0 => return Ok(end == ':'),
            _ => return Err(UNKNOWN),
        }
    }
}

/// The least and the most, after a `{`; `None` where it starts no repetition.
fn counts(rest: &mut Chars<'_>) -> Result<Option<(u32, Option<u32>)>, Wrong> {
    let Some(least) = number(rest) else { return Ok(None) };
    let most = match rest.next() {
        Some('}') => Some(least),
        Some(',') if rest.as_str().starts_with('}') => {
            rest.next();
            None
        }
        Some(',') => match (number(rest), rest.next()) {
            (Some(most), Some('}')) => Some(most),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if least > MOST_REPEATS || most.is_some_and(|most| most > MOST_REPEATS) {
        Err(TOO_OFTEN)
    } else if most.is_some_and(|most| most < least) {
        Err("a repetition with a least above its most")
    } else {
        Ok(Some((least, most)))
    }
}

/// A number without zeros before it.
fn number(rest: &mut Chars<'_>) -> Option<u32> {
    let digits = rest.as_str().bytes().take_while(u8::is_ascii_digit).count();
    let (number, tail) = rest.as_str().split_at_checked(digits).unwrap_or_default();
    *rest = tail.chars();
    (digits == 1 || (digits > 1 && !number.starts_with('0'))).then(|| number.parse().unwrap_or(u32::MAX))
}

/// What is taken as it stands, up to `\E`.
fn quoted(rest: &mut Chars<'_>, group: &mut Group) {
    while let Some(character) = rest.next() {
        if character == '\\' && rest.as_str().starts_with('E') {
            rest.next();
            return;
        }
        group.push(Item { is_empty: false, repeats: 1 });
    }
}

/// What comes after a `[`.
fn class(rest: &mut Chars<'_>) -> Result<(), Wrong> {
    if rest.as_str().starts_with('^') {
        rest.next();
    }
    let mut is_first = true;
    while is_first || !rest.as_str().starts_with(']') {
        is_first = false;
        if let Some(named) = rest.as_str().strip_prefix("[:")
            && let Some(end) = named.as_bytes().windows(2).take(20).position(|pair| pair == b":]")
        {
            let name = named.get(..end).unwrap_or_default();
            if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return Err("a class that is not known, expected one such as [:alpha:]");
            }
            *rest = named.get(end + 2..).unwrap_or_default().chars();
            continue;
        }
        let Some(first) = class_item(rest)? else { continue };
        let mut after = rest.clone();
        if after.next() == Some('-') && after.next().is_some_and(|end| end != ']') {
            rest.next();
            let last = class_item(rest)?.ok_or("a range that ends in a class")?;
            if last < first {
                return Err("a range of characters that ends before it starts");
            }
        }
    }
    rest.next();
    Ok(())
}

const CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// The next character of a class; `None` for an escape that stands for many.
fn class_item(rest: &mut Chars<'_>) -> Result<Option<char>, Wrong> {
    match rest.next().ok_or("a \"[\" that is not closed")? {
        '\\' => escape(rest),
        character => Ok(Some(character)),
    }
}

/// What comes after a `\`: the character that it stands for, or `None` for many.
fn escape(rest: &mut Chars<'_>) -> Result<Option<char>, Wrong> {
    const UNKNOWN: Wrong = "an escape that is not known";
    let first = rest.next().ok_or("a \"\\\" at the end")?;
    let is_octal = |character: &char| character.is_digit(8);
    let value = match first {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => return Ok(None),
        'p' | 'P' => {
            // Which names there are is left to Prometheus.
            if rest.next().ok_or(UNKNOWN)? == '{' {
                while rest.next().ok_or(UNKNOWN)? != '}' {}
            }
            return Ok(None);
        }
        'a' => 7,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        'x' if rest.as_str().starts_with('{') => {
            rest.next();
            let mut value: Option<u32> = None;
            loop {
                let character = rest.next().ok_or(UNKNOWN)?;
                if character == '}' {
                    break value.ok_or(UNKNOWN)?;
                }
                let digit = character.to_digit(16).ok_or(UNKNOWN)?;
                let grown = value.unwrap_or_default() * 16 + digit;
                value = Some(grown).filter(|value| *value <= 0x10_ffff);
                value.ok_or(UNKNOWN)?;
            }
        }
        'x' => {
            let mut digit = || rest.next().and_then(|digit| digit.to_digit(16)).ok_or(UNKNOWN);
            digit()? * 16 + digit()?
        }
        '0'..='7' => {
            let mut value = first.to_digit(8).ok_or(UNKNOWN)?;
            let digits = rest.clone().take(2).take_while(is_octal).count();
            if first != '0' && digits == 0 {
                return Err("a back-reference, which Prometheus does not know");
            }
            for digit in rest.by_ref().take(digits) {
                value = value * 8 + digit.to_digit(8).ok_or(UNKNOWN)?;
            }
            value
        }
        other if other == '_' || (other.is_ascii() && !other.is_ascii_alphanumeric()) => u32::from(other),
        _ => return Err(UNKNOWN),
    };
    Ok(Some(char::from_u32(value).unwrap_or_default()))
}
