//! The words of expressions, as Prometheus' own lexer makes them
//! (<https://github.com/prometheus/prometheus/blob/main/promql/parser/lex.go>).

use std::borrow::Cow;

use super::{Fault, Wrong};
use crate::duration::Duration;
use crate::escape::escaped;

/// A word of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'e> {
    End,
    /// A name or a keyword.
    Word(&'e str),
    /// A number or a duration, which is one of seconds.
    Number(Number),
    /// A string, with its quotes.
    Text(&'e str),
    Symbol(&'static str),
}

/// What counts of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    pub is_zero: bool,
    /// Whether it is so many seconds that Prometheus has no duration for them.
    pub is_endless: bool,
    /// Neither `Inf` nor `NaN`.
    pub is_finite: bool,
}

impl Number {
    /// A number whose first digit that counts is one of some power of ten; without a power there is none.
    fn of_power(power: Option<i64>) -> Self {
        Self { is_zero: power.is_none(), is_endless: power.is_some_and(|power| power > 9), is_finite: true }
    }
}

/// Reads the words of an expression, one at a time.
#[derive(Debug)]
pub struct Lexer<'e> {
    text: &'e str,
    /// Where the next word is looked for.
    pub at: usize,
    /// Within `{}` there are matchers, and all words are names.
    in_braces: bool,
    /// Within `[]` there are durations.
    in_brackets: bool,
}

/// The words that stand for durations.
pub const DURATION_WORDS: [&str; 4] = ["step", "range", "min_of", "max_of"];

/// Longer ones come before those that they start with.
const SYMBOLS: &[&str] = &[
    "==", "!=", "<=", ">=", "</", ">/", "=", "<", ">", "+", "-", "*", "/", "%", "^", "@", ",", "(", ")", "{", "[", "]",
];
const IN_BRACES: &[&str] = &["=~", "!~", "!=", "=", ",", "}"];
const IN_BRACKETS: &[&str] = &["+", "-", "*", "/", "%", "^", ",", "(", ")", ":", "]"];

impl<'e> Lexer<'e> {
    pub fn new(text: &'e str) -> Self {
        Self { text, at: 0, in_braces: false, in_brackets: false }
    }

    fn rest(&self) -> &'e str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Whether the next word is a `(`, for those that are keywords only before one.
    pub fn is_before_parenthesis(&self) -> bool {
        self.rest().bytes().find(|byte| !is_space(*byte)) == Some(b'(')
    }

    /// The next word, and where it stands.
    pub fn next(&mut self) -> Result<(usize, Token<'e>), Fault<'e>> {
        self.skip_blanks();
        let start = self.at;
        let fault = |wrong| Err(Fault { at: start, wrong });
        let rest = self.rest();
        let mut bytes = rest.bytes();
        let (Some(first), second) = (bytes.next(), bytes.next()) else { return Ok((start, Token::End)) };
        let token = match first {
            b'0'..=b'9' if !self.in_braces => self.number()?,
            b'.' if !self.in_braces && second.is_some_and(|byte| byte.is_ascii_digit()) => self.number()?,
            b'"' | b'\'' | b'`' if !self.in_brackets => self.text(first)?,
            _ if is_letter(first) || (first == b':' && !self.in_braces && !self.in_brackets) => self.word(),
            _ => {
                let symbols = match (self.in_braces, self.in_brackets) {
                    (true, _) => IN_BRACES,
                    (_, true) => IN_BRACKETS,
                    _ => SYMBOLS,
                };
                let is_next = |symbol: &&&str| symbol.bytes().next() == Some(first) && rest.starts_with(**symbol);
                let symbol = symbols.iter().find(is_next);
                let Some(symbol) = symbol else {
                    return fault(Wrong::Character(rest.chars().next().unwrap_or_default()));
                };
                self.at += symbol.len();
                match *symbol {
                    "{" => self.in_braces = true,
                    "}" => self.in_braces = false,
                    "[" => self.in_brackets = true,
                    "]" => self.in_brackets = false,
                    _ => {}
                }
                Token::Symbol(symbol)
            }
        };
        Ok((start, token))
    }

    /// Passes over spaces and comments.
    fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        let mut in_comment = false;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\n' | b'\r' => in_comment = false,
                b'#' => in_comment = true,
                b' ' | b'\t' => {}
                _ if in_comment => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    fn word(&mut self) -> Token<'e> {
        let rest = self.rest();
        let (in_braces, in_brackets) = (self.in_braces, self.in_brackets);
        let is_of = |byte: u8| {
            is_letter(byte) || (byte.is_ascii_digit() && !in_brackets) || (byte == b':' && !in_braces && !in_brackets)
        };
        let length = rest.bytes().take_while(|byte| is_of(*byte)).count();
        self.at += length;
        let word = rest.get(..length).unwrap_or_default();
        let is_number =
            !in_braces && !in_brackets && (word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan"));
        if is_number {
            let is_endless = word.eq_ignore_ascii_case("inf");
            Token::Number(Number { is_zero: false, is_endless, is_finite: false })
        } else {
            Token::Word(word)
        }
    }

    /// A number (`scanNumber`) or else a duration (`acceptRemainingDuration`).
    fn number(&mut self) -> Result<Token<'e>, Fault<'e>> {
        let start = self.at;
        let rest = self.rest();
        let run = |from: usize| {
            let is_of = |byte: &u8| is_letter(*byte) || byte.is_ascii_digit() || *byte == b'.';
            from + rest.bytes().skip(from).take_while(is_of).count()
        };
        let mut end = run(0);
        let is_hexadecimal = rest.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"));
        // The sign of an exponent is part of the number.
        let has_exponent = !is_hexadecimal && rest.get(..end).is_some_and(|number| number.ends_with(['e', 'E']));
        if has_exponent && matches!(rest.as_bytes().get(end), Some(b'+' | b'-')) {
            end = run(end + 1);
        }
        self.at += end;
        let whole = rest.get(..end).unwrap_or_default();
        let number = if is_hexadecimal { hexadecimal(whole.get(2..).unwrap_or_default()) } else { decimal(whole) };
        let duration = || Duration::parse(whole).map(|of| Number::of_power((!of.is_zero()).then_some(0)));
        match number.or_else(duration) {
            Some(number) => Ok(Token::Number(number)),
            None => Err(Fault { at: start, wrong: Wrong::Number(whole) }),
        }
    }

    /// A string between quotes.
    fn text(&mut self, quote: u8) -> Result<Token<'e>, Fault<'e>> {
        let start = self.at;
        let mut rest = self.rest().get(1..).unwrap_or_default().chars();
        loop {
            let before = rest.as_str();
            let wrong = match rest.next() {
                Some(character) if character == char::from(quote) => {
                    self.at = self.text.len() - rest.as_str().len();
                    return Ok(Token::Text(self.text.get(start..self.at).unwrap_or_default()));
                }
                Some('\\') if quote != b'`' => match escaped(&mut rest, quote) {
                    Some(_) => continue,
                    None => Wrong::Escape,
                },
                Some('\n') if quote != b'`' => Wrong::OpenText,
                Some(_) => continue,
                None => Wrong::OpenText,
            };
            let at = if wrong == Wrong::Escape { self.text.len() - before.len() } else { start };
            return Err(Fault { at, wrong });
        }
    }
}

/// Whether a word is one of several, in whatever case.
pub fn is_any(word: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_letter(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

/// Whether a text is digits, with `_` between them alone.
fn is_digits(text: &str, is_digit: impl Fn(u8) -> bool) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| *byte != b'_');
    let bytes = text.as_bytes();
    is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|byte| *byte == b'_' || is_digit(*byte))
        && bytes.windows(2).all(|pair| pair != b"__")
}

/// What comes after `0x`: an integer of 64 bits.
fn hexadecimal(text: &str) -> Option<Number> {
    let text = text.strip_prefix('_').unwrap_or(text);
    let digits = || text.bytes().filter(|byte| *byte != b'_').skip_while(|byte| *byte == b'0');
    let length = digits().count();
    let fits = length < 16 || (length == 16 && digits().next().is_some_and(|first| first < b'8'));
    (!text.is_empty() && fits && is_digits(text, |byte| byte.is_ascii_hexdigit()))
        .then(|| Number::of_power(length.checked_sub(1).and_then(|power| i64::try_from(power).ok())))
}

/// A number with the base ten, or eight: which of them makes no difference here.
fn decimal(text: &str) -> Option<Number> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok().filter(|power: &i64| power.abs() < 1 << 30)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_decimal = |text| is_digits(text, |byte| byte.is_ascii_digit());
    if !is_decimal(whole) || !is_decimal(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let digits = |text: &'_ str| text.bytes().filter(|byte| *byte != b'_').count();
    let zeros = |text: &'_ str| text.bytes().filter(|byte| *byte != b'_').take_while(|byte| *byte == b'0').count();
    // The power of ten of the first digit that counts.
    let first = if zeros(whole) < digits(whole) {
        i64::try_from(digits(whole) - zeros(whole)).ok()? - 1
    } else if zeros(fraction) < digits(fraction) {
        -1 - i64::try_from(zeros(fraction)).ok()?
    } else {
        return Some(Number::of_power(None));
    };
    let power = first + exponent;
    // The greatest float is 1.8e308.
    let starts_with_one = || mantissa.trim_start_matches(['0', '.', '_']).starts_with('1');
    (power < 308 || (power == 308 && starts_with_one())).then(|| Number::of_power(Some(power)))
}

/// What a string of an expression holds.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let quote = text.bytes().next().unwrap_or_default();
    if quote == b'`' || !inner.bytes().any(|byte| byte == b'\\') {
        return inner.into();
    }
    let mut rest = inner.chars();
    let mut all = String::new();
    while let Some(character) = rest.next() {
        all.push(if character == '\\' { escaped(&mut rest, quote).unwrap_or_default() } else { character });
    }
    all.into()
}
