//! A number of pods or a percentage of them, as `maxUnavailable` and `maxSurge` are, in objects and in the settings.

use std::borrow::Cow;
use std::fmt::{self, Display};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The API's `IntOrString`, as far as the API server accepts it for a rolling update: a number of at least 0 or digits
/// with a percent sign (`ValidatePositiveIntOrPercent` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/validation/validation.go>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Count(u32),
    Percent(u32),
}

/// What becomes of a part of a pod.
#[derive(Clone, Copy, Debug)]
pub enum Rounding {
    Down,
    Up,
}

impl Amount {
    /// How many pods it is of so many
    /// (`GetScaledValueFromIntOrPercent` in
    /// <https://github.com/kubernetes/apimachinery/blob/master/pkg/util/intstr/intstr.go>).
    pub fn of(self, total: u32, rounding: Rounding) -> u64 {
        match (self, rounding) {
            (Self::Count(count), _) => count.into(),
            (Self::Percent(percent), Rounding::Down) => u64::from(percent) * u64::from(total) / 100,
            (Self::Percent(percent), Rounding::Up) => (u64::from(percent) * u64::from(total)).div_ceil(100),
        }
    }

    /// Whether it is none of however many.
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Count(0) | Self::Percent(0))
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix('%')?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let add = |number: u32, digit: u8| number.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
        Some(Self::Percent(digits.bytes().fold(0, add)))
    }
}

impl Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;

        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of pods or a percentage such as \"25%\"")
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Amount, E> {
                // An int32 in the API.
                match i32::try_from(count).map(u32::try_from) {
                    Ok(Ok(count)) => Ok(Amount::Count(count)),
                    _ => {
                        Err(E::custom(format_args!("expected a number of pods from 0 to {}, found {count}", i32::MAX)))
                    }
                }
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Amount, E> {
                self.visit_i64(i64::try_from(count).unwrap_or(i64::MAX))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Amount::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(AmountVisitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "PodsOrPercentage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": i32::MAX}, {"type": "string", "pattern": "^[0-9]+%$"}]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_percentages_as_the_api_server_does() {
        for (text, percent) in [
            ("0%", Some(0)),
            ("25%", Some(25)),
            ("007%", Some(7)),
            ("150%", Some(150)),
            ("99999999999%", Some(u32::MAX)),
        ] {
            assert_eq!(Amount::parse(text), percent.map(Amount::Percent), "{text}");
        }
        for text in ["", "%", "25", "25 %", " 25%", "+25%", "-25%", "2.5%", "25%%", "1e2%", "٣%", "max"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rounds_parts_of_a_pod() {
        for (amount, total, down, up) in [
            (Amount::Percent(25), 0, 0, 0),
            (Amount::Percent(25), 1, 0, 1),
            (Amount::Percent(25), 4, 1, 1),
            (Amount::Percent(25), 7, 1, 2),
            (Amount::Percent(0), 7, 0, 0),
            (Amount::Percent(100), 7, 7, 7),
            (Amount::Percent(250), 3, 7, 8),
            (Amount::Count(5), 3, 5, 5),
            (Amount::Percent(u32::MAX), u32::MAX, 184_467_440_651_196_170, 184_467_440_651_196_171),
        ] {
            let rounded = (amount.of(total, Rounding::Down), amount.of(total, Rounding::Up));
            assert_eq!(rounded, (down, up), "{amount} of {total}");
        }
    }
}
