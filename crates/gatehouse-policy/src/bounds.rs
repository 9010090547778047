//! Bounds of numbers, in the settings of policies.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::path::Path;
use crate::view::ReadError;

/// The least and the most that a number may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bounds {
    /// The least; 0 where absent.
    pub min: u32,
    /// The most; any where absent.
    pub max: Option<u32>,
}

impl Bounds {
    /// Refuses a least above the most.
    ///
    /// # Errors
    /// The contradiction, at `min`.
    pub fn validate(&self) -> Result<(), ReadError> {
        match self.max.filter(|max| *max < self.min) {
            Some(max) => {
                let reason = format!("{} is above max, which is {max}", self.min);
                Err(ReadError { path: Path::of(&["min"]), reason })
            }
            None => Ok(()),
        }
    }

    /// What was expected of a number outside the bounds, `at most 30`; `None` for one within.
    #[must_use]
    pub fn expected(&self, number: i64) -> Option<String> {
        match self.max {
            _ if number < self.min.into() => Some(format!("at least {}", self.min)),
            Some(max) if number > max.into() => Some(format!("at most {max}")),
            _ => None,
        }
    }
}
