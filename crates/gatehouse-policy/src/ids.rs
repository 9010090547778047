//! Sets of user and group ids.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Ids that are allowed: single ones, and ranges written `"2000-2999"`, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids(Vec<RangeInclusive<i64>>);

impl Ids {
    /// Whether an id is among them.
    #[must_use]
    pub fn contains(&self, id: i64) -> bool {
        self.0.iter().any(|range| range.contains(&id))
    }

    /// The id, if there is just one.
    #[must_use]
    pub fn only(&self) -> Option<i64> {
        match self.0.as_slice() {
            [range] if range.start() == range.end() => Some(*range.start()),
            _ => None,
        }
    }
}

impl Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.only().is_none() {
            f.write_str("one of ")?;
        }
        for (index, range) in self.0.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            if range.start() == range.end() {
                write!(f, "{separator}{}", range.start())?;
            } else {
                write!(f, "{separator}{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges: Vec<IdRange> = Vec::deserialize(deserializer)?;
        if ranges.is_empty() {
            return Err(de::Error::custom("expected at least one id; leave the field out to judge nothing but 0"));
        }
        Ok(Self(ranges.into_iter().map(|range| range.0).collect()))
    }
}

struct IdRange(RangeInclusive<i64>);

/// The largest id the API server accepts
/// (`MaxInt32` in `k8s.io/apimachinery/pkg/util/validation.IsValidUserID`).
const MAX_ID: i64 = i32::MAX as i64;

impl<'de> Deserialize<'de> for IdRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RangeVisitor;

        fn range<E: de::Error>(low: i64, high: i64) -> Result<IdRange, E> {
            if 0 <= low && low <= high && high <= MAX_ID {
                Ok(IdRange(low..=high))
            } else {
                Err(E::custom(format_args!("expected ids from 0 to {MAX_ID}, the lower one first")))
            }
        }

        impl Visitor<'_> for RangeVisitor {
            type Value = IdRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id such as 1001, or a range such as \"2000-2999\"")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<IdRange, E> {
                let id = i64::try_from(id).unwrap_or(i64::MAX);
                range(id, id)
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<IdRange, E> {
                range(id, id)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<IdRange, E> {
                let (low, high) = text.split_once('-').unwrap_or((text, text));
                match (low.parse(), high.parse()) {
                    (Ok(low), Ok(high)) => range(low, high),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(RangeVisitor)
    }
}

impl JsonSchema for Ids {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ids".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "minItems": 1,
            "items": {
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": MAX_ID},
                    {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}
                ]
            }
        })
    }
}
