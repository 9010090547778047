//! What a scalar is: the rules of YAML 1.1 as go-yaml v2 knows them (its `resolve.go`), and what becomes of it in the JSON
//! that sigs.k8s.io/yaml makes of it. `tests/go.tsv` holds what that library itself says.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use gatehouse_policy::node::{Data, Span};
use serde_json::Number;

/// A scalar as it stands in the text, quotes and escapes undone.
#[derive(Clone, Debug)]
pub(crate) struct Scalar<'a> {
    pub text: Cow<'a, str>,
    pub tag: Tag,
    pub span: Span,
}

/// What decides on a scalar's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// The text itself: plain, without a tag.
    None,
    /// Nothing: it is a string, by its quotes, by `!!str` or by a tag that Kubernetes does not know.
    String,
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Binary,
    Merge,
    /// `!` alone: a string, and yet a merge key.
    Bang,
}

impl Tag {
    /// The tag of a scalar that has one.
    pub fn new(tag: &granit_parser::Tag) -> Self {
        if tag.parts() == ("", "!") {
            return Self::Bang;
        }
        match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
            Some("null") => Self::Null,
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            _ => Self::String,
        }
    }
}

/// A scalar's value before JSON takes its type away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Signed(i64),
    /// Above what a signed one can hold.
    Unsigned(u64),
    Float(f64),
    String,
}

impl<'a> Scalar<'a> {
    /// Whether it merges where it is a key.
    pub fn is_merge(&self) -> bool {
        matches!(self.tag, Tag::None | Tag::Merge | Tag::Bang) && self.text == "<<"
    }

    /// What it is in JSON, or why it cannot be there.
    pub fn into_data(self) -> Result<Data<'a>, String> {
        Ok(match self.value()? {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Bool(value),
            Value::Signed(value) => Data::Number(value.into()),
            Value::Unsigned(value) => Data::Number(value.into()),
            Value::Float(value) => Data::Number(
                number(value).ok_or_else(|| format!("JSON has no number {}; a string needs quotes", self.text))?,
            ),
            Value::String => Data::String(self.into_text()?),
        })
    }

    /// What it is as a key, or why it cannot be one.
    pub fn into_key(self) -> Result<Cow<'a, str>, String> {
        Ok(match self.value()? {
            Value::Null => return Err("a key must not be null".to_owned()),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Signed(value) => value.to_string().into(),
            Value::Unsigned(value) => return Err(format!("the number {value} is too large for a key")),
            Value::Float(value) => float_key(value).into(),
            Value::String => self.into_text()?,
        })
    }

    /// A tag makes strings, and floats of integers; else it is an error where it says what the scalar is not.
    fn value(&self) -> Result<Value, String> {
        let value = plain(&self.text);
        let name = match (self.tag, value) {
            (Tag::None, _)
            | (Tag::Null, Value::Null)
            | (Tag::Bool, Value::Bool(_))
            | (Tag::Int, Value::Signed(_) | Value::Unsigned(_))
            | (Tag::Float, Value::Float(_)) => return Ok(value),
            #[expect(clippy::cast_precision_loss, reason = "as there")]
            (Tag::Float, Value::Signed(value)) => return Ok(Value::Float(value as f64)),
            (Tag::String | Tag::Binary | Tag::Merge | Tag::Bang, _) => return Ok(Value::String),
            (Tag::Timestamp, Value::String) if is_timestamp(&self.text) => return Ok(Value::String),
            (Tag::Null, _) => "null",
            (Tag::Bool, _) => "a boolean",
            (Tag::Int, _) => "an integer",
            (Tag::Float, _) => "a number",
            (Tag::Timestamp, _) => "a timestamp",
        };
        Err(format!("its tag says that it is {name}, and {:?} is not", self.text))
    }

    fn into_text(self) -> Result<Cow<'a, str>, String> {
        if self.tag == Tag::Binary { binary(&self.text).map(Cow::Owned) } else { Ok(self.text) }
    }
}

/// The value of a plain scalar without a tag. The first character tells strings from all else.
fn plain(text: &str) -> Value {
    match text.as_bytes().first() {
        None => Value::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => word(text),
        Some(b'.') => match word(text) {
            Value::String => decimal(text, true).map_or(Value::String, Value::Float),
            value => value,
        },
        Some(b'0'..=b'9' | b'+' | b'-') => number_like(text),
        Some(_) => Value::String,
    }
}

/// Words that are no strings.
fn word(text: &str) -> Value {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        "~" | "null" | "Null" | "NULL" => Value::Null,
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ => Value::String,
    }
}

/// What starts as a number does.
fn number_like(text: &str) -> Value {
    let value = word(text);
    if value != Value::String {
        return value;
    }
    let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    integer(&digits).or_else(|| decimal(&digits, false).map(Value::Float)).unwrap_or(Value::String)
}

/// An integer as Go writes them: decimal, or with `0x`, `0o`, `0b` or just `0` before hexadecimal, octal, binary and octal
/// digits.
fn integer(text: &str) -> Option<Value> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &unsigned[2..]),
        [b'0', b'b', sign @ (b'+' | b'-'), ..] if unsigned.len() == text.len() => {
            // go-yaml takes a sign after `0b` too.
            return magnitude(&unsigned[3..], 2).and_then(|value| signed(value, *sign == b'-'));
        }
        [b'0', b'b' | b'B', _, ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    let value = magnitude(digits, radix)?;
    signed(value, negative).or_else(|| (unsigned.len() == text.len()).then_some(Value::Unsigned(value)))
}

/// Digits without a sign.
fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    if digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        u64::from_str_radix(digits, radix).ok()
    } else {
        None
    }
}

fn signed(value: u64, negative: bool) -> Option<Value> {
    let value = if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
    value.map(Value::Signed)
}

/// A decimal fraction, or an integer too large for one. Where Go's own reader decides, underscores may stand between
/// digits. What no float can hold is none.
fn decimal(text: &str, underscores: bool) -> Option<f64> {
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' | b'_')) {
        return None;
    }
    let digits: Cow<'_, str> = if text.contains('_') {
        let between = |at: usize| {
            let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
            at > 0 && digit(text.as_bytes().get(at - 1)) && digit(text.as_bytes().get(at + 1))
        };
        if !underscores || !text.match_indices('_').all(|(at, _)| between(at)) {
            return None;
        }
        text.replace('_', "").into()
    } else {
        text.into()
    };
    digits.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// A float as JSON shows it: Go writes those without a fraction as integers, up to 10^21.
pub(crate) fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 1e21 {
        let digits = value.to_string();
        if let Ok(value) = digits.parse::<i64>() {
            return Some(value.into());
        }
        if let Ok(value) = digits.parse::<u64>() {
            return Some(value.into());
        }
    }
    Number::from_f64(value)
}

/// A float as a key: Go's shortest form of a single-precision float, with an exponent for those below 10^-4 and from 10^6 on.
fn float_key(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "as sigs.k8s.io/yaml does")]
    let single = value as f32;
    if single.is_nan() {
        return ".nan".to_owned();
    }
    if single.is_infinite() {
        return if single > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{single:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => single.to_string(),
    }
}

/// Whether it is a date, or a date and a time, in one of the forms that go-yaml knows.
fn is_timestamp(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(date_end);
    let parts: Vec<&str> = date.split('-').collect();
    let number = |part: &str, low: u32, high: u32| {
        matches!(part.len(), 1 | 2) && part.parse::<u32>().is_ok_and(|value| (low..=high).contains(&value))
    };
    let is_date = matches!(parts[..], [year, month, day]
        if year.len() == 4 && magnitude(year, 10).is_some() && number(month, 1, 12) && number(day, 1, 31));
    let clock = time.get(1..).unwrap_or_default().trim_end_matches('Z');
    let is_time = clock.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.' | b'+' | b'-'))
        && clock.bytes().filter(|byte| *byte == b':').count() >= 2;
    is_date && (time.is_empty() || is_time)
}

/// The text behind base64; where it is no UTF-8, Go's JSON holds a replacement character for each byte.
fn binary(text: &str) -> Result<String, String> {
    let engine = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
    let bytes = engine
        .decode(text.replace(['\r', '\n'], ""))
        .map_err(|error| format!("its tag says that it is base64, and it is not: {error}"))?;
    let chunks = bytes.utf8_chunks();
    Ok(chunks.flat_map(|part| [part.valid().to_owned(), "\u{fffd}".repeat(part.invalid().len())]).collect())
}
