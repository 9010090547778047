//! How much may change within a time.

use std::fmt::{self, Display};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::autoscaler::Direction;

/// The most that may change within a period.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// The percentage of the pods that are there when the period begins.
    pub percent: u32,
    /// The period, in seconds.
    pub period_seconds: u32,
}

impl Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} % in {} s", self.percent, self.period_seconds)
    }
}

/// A scaling policy of an autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub amount: Amount,
    /// The period, in seconds.
    pub period: i64,
}

/// What a scaling policy lets come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Pods(i64),
    Percent(i64),
}

impl Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.amount {
            Amount::Pods(1) => f.write_str("1 pod")?,
            Amount::Pods(pods) => write!(f, "{pods} pods")?,
            Amount::Percent(percent) => write!(f, "{percent} %")?,
        }
        write!(f, " in {} s", self.period)
    }
}

impl Policy {
    /// Whether the policy lets more change within some stretch of the bound's period than the bound has.
    pub fn exceeds(&self, bound: &Rate, direction: Direction, min_replicas: i64) -> bool {
        let (period, bound_period) = (self.period.max(1), i64::from(bound.period_seconds));
        // A policy's own period slides: as often as it begins anew within the bound's, its amount comes again.
        let times = bound_period.saturating_add(period - 1) / period;
        match self.amount {
            Amount::Percent(percent) => percent.saturating_mul(times) > bound.percent.into(),
            Amount::Pods(pods) => {
                let pods = pods.saturating_mul(times);
                // The fewest pods that so many can be added to, or taken of: there they weigh most.
                let fewest = match direction {
                    Direction::Up => min_replicas.max(1),
                    Direction::Down => min_replicas.max(0).saturating_add(pods),
                };
                // The controller rounds what a percentage is of to the next whole pod, up and down alike.
                let allowed = fewest.saturating_mul(bound.percent.into()).saturating_add(99) / 100;
                pods > allowed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds() {
        let bound = Rate { percent: 10, period_seconds: 60 };
        for (amount, period, direction, min, expected) in [
            (Amount::Percent(10), 60, Direction::Down, 3, false),
            (Amount::Percent(11), 60, Direction::Down, 3, true),
            (Amount::Percent(5), 15, Direction::Down, 3, true),
            (Amount::Percent(2), 15, Direction::Down, 3, false),
            (Amount::Percent(20), 120, Direction::Down, 3, true),
            (Amount::Percent(10), 1800, Direction::Down, 3, false),
            (Amount::Percent(10), 45, Direction::Down, 3, true),
            (Amount::Pods(1), 60, Direction::Down, 3, false),
            (Amount::Pods(2), 60, Direction::Down, 3, true),
            (Amount::Pods(2), 60, Direction::Down, 9, false),
            (Amount::Pods(1), 30, Direction::Down, 3, true),
            (Amount::Pods(1), 60, Direction::Up, 0, false),
            (Amount::Pods(2), 60, Direction::Up, 10, true),
            (Amount::Pods(2), 60, Direction::Up, 11, false),
            (Amount::Percent(i64::MAX), 0, Direction::Up, i64::MAX, true),
            (Amount::Pods(i64::MAX), i64::MAX, Direction::Down, i64::MAX, true),
        ] {
            let policy = Policy { amount, period };
            assert_eq!(policy.exceeds(&bound, direction, min), expected, "{policy} from {min}");
        }
    }
}
