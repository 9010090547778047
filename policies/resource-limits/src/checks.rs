//! The rules for amounts that are there.

use gatehouse_policy::Rule;

use crate::resources::{Share, Side, is_overcommitted};
use crate::settings::ResourceLimits;
use crate::{FORBIDDEN, MAXIMUM, MINIMUM, ORDER, RATIO};

/// What is wrong with the amount of a resource on one side, if anything is, and what was expected.
pub type Check = fn(&ResourceLimits, Share<'_>, Side) -> Option<String>;

/// Every check, with the rule and the side that it reports on.
pub const CHECKS: &[(&Rule, Side, Check)] = &[
    (&FORBIDDEN, Side::Requests, forbidden),
    (&FORBIDDEN, Side::Limits, forbidden),
    (&MINIMUM, Side::Requests, minimum),
    (&MINIMUM, Side::Limits, minimum),
    (&MAXIMUM, Side::Requests, maximum),
    (&MAXIMUM, Side::Limits, maximum),
    (&RATIO, Side::Limits, ratio),
    (&ORDER, Side::Requests, order),
];

impl ResourceLimits {
    /// What the checks find.
    pub fn faults(&self, share: Share<'_>) -> impl Iterator<Item = (&'static Rule, Side, String)> {
        CHECKS.iter().filter_map(move |(rule, side, check)| Some((*rule, *side, check(self, share, *side)?)))
    }

    /// Whether the checks find what they did not find before.
    pub fn brings_faults(&self, before: Share<'_>, after: Share<'_>) -> bool {
        CHECKS
            .iter()
            .any(|(_, side, check)| check(self, after, *side).is_some() && check(self, before, *side).is_none())
    }
}

/// An amount for a message, with its origin where it is not written.
fn told(share: Share<'_>, side: Side) -> Option<String> {
    let amount = share.get(side)?;
    let origin = if share.written(side).is_none() { " (its limit's)" } else { "" };
    Some(format!("{} {side} is {amount}{origin}", share.name))
}

fn forbidden(settings: &ResourceLimits, share: Share<'_>, side: Side) -> Option<String> {
    settings.forbids(side, share.name).then_some(())?;
    Some(format!("{}, expected none", told(share, side)?))
}

fn minimum(settings: &ResourceLimits, share: Share<'_>, side: Side) -> Option<String> {
    let least = settings.minimum.of(side).get(share.name)?;
    (share.get(side)? < least).then_some(())?;
    Some(format!("{}, expected at least {least}", told(share, side)?))
}

fn maximum(settings: &ResourceLimits, share: Share<'_>, side: Side) -> Option<String> {
    let most = settings.maximum.of(side).get(share.name)?;
    (share.get(side)? > most).then_some(())?;
    Some(format!("{}, expected at most {most}", told(share, side)?))
}

/// Any limit is beyond every multiple of a request of 0. What cannot be overcommitted is a matter of order.
fn ratio(settings: &ResourceLimits, share: Share<'_>, side: Side) -> Option<String> {
    let ratio = settings.max_ratio.of(share.name).filter(|_| is_overcommitted(share.name))?;
    let request = share.request?;
    share.limit?.exceeds(request, ratio).then_some(())?;
    Some(format!("{}, expected at most {ratio} times the request of {request}", told(share, side)?))
}

fn order(_: &ResourceLimits, share: Share<'_>, side: Side) -> Option<String> {
    let request = share.request?;
    let expected = match share.limit {
        Some(limit) if is_overcommitted(share.name) => {
            (request > limit).then(|| format!("at most its limit of {limit}"))
        }
        Some(limit) => (request != limit).then(|| format!("its limit of {limit}: it cannot be overcommitted")),
        None if is_overcommitted(share.name) => None,
        None => Some("a limit of the same: it cannot be overcommitted".to_owned()),
    }?;
    Some(format!("{}, expected {expected}", told(share, side)?))
}
