//! What the values of an annotation may be.

use std::borrow::Cow;
use std::fmt::{self, Display};

use gatehouse_policy::ReadError;
use gatehouse_policy::glob::{self, Glob};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The values that an annotation may have, where it is there: a bound, patterns, or both.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default)]
pub struct Allowed {
    /// The least value: a number such as 5, or a size as nginx writes it, such as `8k`, `50m` or `1g`.
    pub min: Option<Amount>,
    /// The greatest value, written like `min`. A 0 that stands for "no limit" is above every `max`.
    pub max: Option<Amount>,
    /// The texts that are allowed, as globs: `*` is any run of characters, `?` any one. None: any text.
    pub patterns: Vec<Glob>,
}

impl Allowed {
    /// Finds what allows nothing, or anything.
    pub fn validate(&self) -> Result<(), ReadError> {
        let reason = match (&self.min, &self.max) {
            (None, None) if self.patterns.is_empty() => "expected min, max or patterns",
            (Some(min), Some(max)) if min.value > max.value => "min is above max",
            _ => return Ok(()),
        };
        Err(ReadError::new(reason))
    }

    /// What is wrong with a value, if anything is. `unlimited` says that 0 is no limit rather than the least one.
    pub fn fault(&self, value: &str, unlimited: bool) -> Option<&'static str> {
        if !self.patterns.is_empty() && !glob::any(&self.patterns, value) {
            return Some("");
        }
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        let Some(amount) = amount(value) else { return Some(", which is no number and no size") };
        if unlimited && amount == 0 {
            return self.max.as_ref().map(|_| ", which is no limit at all");
        }
        let low = self.min.as_ref().is_some_and(|min| amount < min.value);
        let high = self.max.as_ref().is_some_and(|max| amount > max.value);
        (low || high).then_some("")
    }
}

/// What is expected, for a message.
impl Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}")?,
            (Some(min), None) => write!(f, "at least {min}")?,
            (None, Some(max)) => write!(f, "at most {max}")?,
            (None, None) => {}
        }
        for (index, pattern) in self.patterns.iter().enumerate() {
            let separator = match index {
                0 if self.min.is_some() || self.max.is_some() => " and ",
                0 => "",
                _ => " or ",
            };
            write!(f, "{separator}{:?}", pattern.as_str())?;
        }
        Ok(())
    }
}

/// A number or a size, shown as it was written.
#[derive(Clone, Debug)]
pub struct Amount {
    pub value: u64,
    text: String,
}

impl Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads a plain number, or a size with one of nginx's suffixes `k`, `m` and `g`, which count in 1024
/// (<https://nginx.org/en/docs/syntax.html>). The controller passes on nothing else (`nginxOffsetRegex` in
/// `internal/ingress/controller/template/template.go`), but for white space around it. What is too great to count is as
/// great as can be.
fn amount(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number =
        digits.bytes().fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.saturating_mul(unit))
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;

        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 300, or a size such as \"50m\"")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Amount, E> {
                Ok(Amount { value, text: value.to_string() })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                match amount(text) {
                    Some(value) => Ok(Amount { value, text: text.to_owned() }),
                    None => Err(E::custom(format_args!(
                        "expected a number such as 300, or a size such as \"50m\", found {text:?}"
                    ))),
                }
            }
        }

        deserializer.deserialize_any(AmountVisitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+[kKmMgG]?$"}]
        })
    }
}
