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
    /// As many again, or so many that there are 4.
    Double,
}

impl Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.amount {
            Amount::Pods(1) => f.write_str("1 pod")?,
            Amount::Pods(pods) => write!(f, "{pods} pods")?,
            Amount::Percent(percent) => write!(f, "{percent} %")?,
            Amount::Double => f.write_str("twice the pods, or 4 in all,")?,
        }
        write!(f, " in {} s", self.period)
    }
}

/// The pods that an autoscaler may choose between.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub min: i64,
    pub max: i64,
}

/// From so many numbers of pods each policy is tried, beginning with the fewest: there a pod weighs most.
const TRIED: usize = 100;

impl Policy {
    /// Whether the policy lets more change within some stretch of the bound's period than the bound has, wherever it begins.
    pub fn exceeds(&self, bound: &Rate, direction: Direction, range: Range) -> bool {
        let (period, bound_period) = (self.period.max(1), i64::from(bound.period_seconds));
        // A policy's own period slides: as often as it begins anew within the bound's, its amount comes again.
        let times = bound_period.saturating_add(period - 1) / period;
        let (min, max) = (range.min.max(0), range.max);
        // Of none, none come: an autoscaler of no pods is switched off.
        let starts = (min.max(1)..=max).take(TRIED).chain([max]);
        starts.into_iter().any(|start| {
            let room = if direction == Direction::Up { max.saturating_sub(start) } else { start.saturating_sub(min) };
            let allowed = part(start, bound.percent.into());
            self.most(start, times, direction, room) > allowed
        })
    }

    /// The most pods that come or go in so many periods, one after the other, where so many can.
    fn most(&self, start: i64, times: i64, direction: Direction, room: i64) -> i64 {
        let repeated = |step: &dyn Fn(i64) -> i64| {
            let mut changed: i64 = 0;
            for _ in 0..times {
                let there = if direction == Direction::Up { start.saturating_add(changed) } else { start - changed };
                let next = changed.saturating_add(step(there)).min(room);
                if next <= changed {
                    break;
                }
                changed = next;
            }
            changed
        };
        match self.amount {
            Amount::Pods(pods) => pods.saturating_mul(times).min(room),
            Amount::Percent(percent) => repeated(&|there| part(there, percent)),
            Amount::Double => repeated(&|there| there.max(4 - there)),
        }
    }
}

/// A percentage of so many pods. The controller rounds it to the next whole pod, up and down alike
/// (`calculateScaleUpLimitWithScalingRules` and `calculateScaleDownLimitWithBehaviors` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/podautoscaler/horizontal.go>).
fn part(pods: i64, percent: i64) -> i64 {
    pods.saturating_mul(percent).saturating_add(99) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds() {
        let rate = |percent, period_seconds| Rate { percent, period_seconds };
        let slow = || rate(10, 60);
        for (bound, amount, period, direction, (min, max), expected) in [
            (slow(), Amount::Percent(10), 60, Direction::Down, (3, 20), false),
            (slow(), Amount::Percent(11), 60, Direction::Down, (3, 20), true),
            (slow(), Amount::Percent(5), 15, Direction::Down, (3, 20), true),
            // Each time it is at least one pod.
            (slow(), Amount::Percent(2), 15, Direction::Down, (3, 20), true),
            (slow(), Amount::Percent(2), 15, Direction::Down, (3, 4), false),
            (slow(), Amount::Percent(20), 120, Direction::Down, (3, 20), true),
            (slow(), Amount::Percent(10), 1800, Direction::Down, (3, 20), false),
            (slow(), Amount::Percent(10), 45, Direction::Down, (3, 20), true),
            (slow(), Amount::Percent(0), 1, Direction::Down, (3, 20), false),
            (slow(), Amount::Pods(1), 60, Direction::Down, (3, 20), false),
            (slow(), Amount::Pods(2), 60, Direction::Down, (3, 20), true),
            (slow(), Amount::Pods(2), 60, Direction::Down, (9, 20), false),
            (slow(), Amount::Pods(2), 60, Direction::Down, (3, 4), false),
            (slow(), Amount::Pods(1), 30, Direction::Down, (3, 20), true),
            (slow(), Amount::Pods(1), 60, Direction::Up, (0, 20), false),
            (slow(), Amount::Pods(2), 60, Direction::Up, (10, 20), true),
            (slow(), Amount::Pods(2), 60, Direction::Up, (11, 20), false),
            // Nothing changes where nothing can.
            (slow(), Amount::Percent(100), 15, Direction::Down, (3, 3), false),
            (slow(), Amount::Pods(9), 15, Direction::Up, (4, 3), false),
            // Nobody can take away more than all.
            (rate(100, 60), Amount::Percent(100), 15, Direction::Down, (4, 40), false),
            (rate(70, 60), Amount::Percent(20), 15, Direction::Down, (40, 100), false),
            // What is added is added to.
            (rate(100, 60), Amount::Percent(25), 15, Direction::Up, (4, 40), true),
            (rate(100, 15), Amount::Pods(4), 15, Direction::Up, (3, 6), false),
            (rate(100, 15), Amount::Pods(4), 15, Direction::Up, (3, 7), true),
            (rate(100, 15), Amount::Double, 15, Direction::Up, (2, 20), false),
            (rate(100, 15), Amount::Double, 15, Direction::Up, (1, 20), true),
            (rate(300, 15), Amount::Double, 15, Direction::Up, (1, 20), false),
            (rate(100, 30), Amount::Double, 15, Direction::Up, (3, 20), true),
            (slow(), Amount::Percent(i64::MAX), 0, Direction::Up, (i64::MAX - 1, i64::MAX), false),
            (slow(), Amount::Pods(i64::MAX), i64::MAX, Direction::Down, (0, i64::MAX), true),
            (rate(u32::MAX, u32::MAX), Amount::Percent(1), 1, Direction::Up, (1, i64::MAX), true),
        ] {
            let policy = Policy { amount, period };
            assert_eq!(policy.exceeds(&bound, direction, Range { min, max }), expected, "{policy} from {min} to {max}");
        }
    }
}
