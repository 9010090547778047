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

/// More than any percentage of a policy.
const ABOVE_ALL: i64 = 1 << 32;

/// Compares policies with a bound, any number of them: of those that come as often as each other within the bound's period,
/// only the least percentage that is above it is looked for.
pub struct Comparison<'b> {
    bound: &'b Rate,
    direction: Direction,
    range: Range,
    known: Vec<Known>,
}

/// What is known of the percentages that come so often.
struct Known {
    times: i64,
    /// The greatest that is within the bound.
    within: i64,
    /// The least that is above it.
    above: i64,
}

impl<'b> Comparison<'b> {
    /// With a bound, for changes in one direction between so many pods.
    pub fn new(bound: &'b Rate, direction: Direction, range: Range) -> Self {
        Self { bound, direction, range, known: Vec::new() }
    }

    /// Whether the policy lets more change within some stretch of the bound's period than the bound has, wherever it begins.
    pub fn exceeds(&mut self, policy: &Policy) -> bool {
        let (period, bound_period) = (policy.period.max(1), i64::from(self.bound.period_seconds));
        // A policy's own period slides: as often as it begins anew within the bound's, its amount comes again.
        let times = bound_period.saturating_add(period - 1) / period;
        let Amount::Percent(percent) = policy.amount else { return self.is_above(policy.amount, times) };
        let index = self.known.iter().position(|known| known.times == times).unwrap_or_else(|| {
            self.known.push(Known { times, within: 0, above: ABOVE_ALL });
            self.known.len() - 1
        });
        while self.known[index].within < percent && percent < self.known[index].above {
            let Known { within, above, .. } = self.known[index];
            let middle = within + (above - within) / 2;
            if self.is_above(Amount::Percent(middle), times) {
                self.known[index].above = middle;
            } else {
                self.known[index].within = middle;
            }
        }
        percent >= self.known[index].above
    }

    /// Whether an amount that comes so many times is above the bound, from some number of pods.
    fn is_above(&self, amount: Amount, times: i64) -> bool {
        let (min, max) = (self.range.min.max(0), self.range.max);
        // Of none, none come: an autoscaler of no pods is switched off.
        let mut starts = (min.max(1)..=max).take(TRIED).chain([max]);
        starts.any(|start| {
            let is_up = self.direction == Direction::Up;
            let room = if is_up { max.saturating_sub(start) } else { start.saturating_sub(min) };
            let allowed = part(start, self.bound.percent.into());
            changed(amount, start, times, self.direction, room, allowed) > allowed
        })
    }
}

/// How many pods come or go in so many periods, one after the other, where so many can: exactly up to `enough`.
fn changed(amount: Amount, start: i64, times: i64, direction: Direction, room: i64, enough: i64) -> i64 {
    let repeated = |step: &dyn Fn(i64) -> i64| {
        let mut changed: i64 = 0;
        for _ in 0..times {
            let there = if direction == Direction::Up { start.saturating_add(changed) } else { start - changed };
            let next = changed.saturating_add(step(there)).min(room);
            if next <= changed || changed > enough {
                break;
            }
            changed = next;
        }
        changed
    };
    match amount {
        Amount::Pods(pods) => pods.saturating_mul(times).min(room),
        Amount::Percent(percent) => repeated(&|there| part(there, percent)),
        Amount::Double => repeated(&|there| there.max(4 - there)),
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
            (slow(), Amount::Percent(i32::MAX.into()), 0, Direction::Up, (i64::MAX - 1, i64::MAX), false),
            (slow(), Amount::Pods(i64::MAX), i64::MAX, Direction::Down, (0, i64::MAX), true),
            (rate(u32::MAX, u32::MAX), Amount::Percent(1), 1, Direction::Up, (1, i64::MAX), true),
        ] {
            let policy = Policy { amount, period };
            let mut comparison = Comparison::new(&bound, direction, Range { min, max });
            assert_eq!(comparison.exceeds(&policy), expected, "{policy} from {min} to {max}");
        }
    }

    #[test]
    fn many_policies_are_judged_as_each_by_itself() {
        for (direction, min, max) in [(Direction::Down, 3, 20), (Direction::Up, 0, 2_000), (Direction::Down, 0, 1)] {
            let (bound, range) = (Rate { percent: 30, period_seconds: 60 }, Range { min, max });
            let mut together = Comparison::new(&bound, direction, range);
            for percent in (0..200).rev().chain([-1, i64::from(i32::MAX)]) {
                for period in [1, 7, 15, 60, 1800] {
                    let policy = Policy { amount: Amount::Percent(percent), period };
                    let times = (59 + period) / period;
                    let expected = together.is_above(policy.amount, times);
                    assert_eq!(together.exceeds(&policy), expected, "{policy} from {min} to {max}");
                }
            }
        }
    }
}
