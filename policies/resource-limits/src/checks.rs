//! The rules for amounts that are there.

use gatehouse_policy::Rule;

use crate::resources::{Share, Side, is_overcommitted};
use crate::settings::ResourceLimits;
use crate::{FORBIDDEN, IMPLAUSIBLE, MAXIMUM, MINIMUM, ORDER, RATIO};

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
    (&IMPLAUSIBLE, Side::Requests, implausible),
    (&IMPLAUSIBLE, Side::Limits, implausible),
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

/// What nothing can run with. Where bounds are set, they say what is too little and too much. A request that is as its limit
/// need not be told of, be it written or not.
fn implausible(settings: &ResourceLimits, share: Share<'_>, side: Side) -> Option<String> {
    let amount = share.written(side).filter(|amount| !amount.is_zero())?;
    if side == Side::Requests && share.request == share.limit {
        return None;
    }
    if minimum(settings, share, side).is_some() || maximum(settings, share, side).is_some() {
        return None;
    }
    let bounds = plausible(share.name, side);
    let too_little =
        bounds.min.filter(|least| settings.minimum.of(side).get(share.name).is_none() && amount.millis() < *least);
    let too_much =
        bounds.max.filter(|most| settings.maximum.of(side).get(share.name).is_none() && amount.millis() > *most);
    let what = if share.name != "cpu" && !amount.is_whole() {
        if amount.to_string().ends_with('m') { "a fraction, as \"m\" is a thousandth" } else { "a fraction" }
    } else if too_little.is_some() {
        "too little for anything to run with"
    } else if too_much.is_some() {
        "more than nodes have"
    } else {
        return None;
    };
    Some(format!("{}, {what}, expected {}", told(share, side)?, bounds.example))
}

/// What containers run with, in thousandths, and what an amount looks like.
struct Plausible {
    min: Option<u128>,
    max: Option<u128>,
    example: &'static str,
}

/// What there can be of a resource.
///
/// Of memory, the limit below which CRI-O started no container at first, and Docker none: runc itself does not fit into less
/// (<https://github.com/cri-o/cri-o/pull/1722>, <https://github.com/moby/moby/issues/41167>). Both ask for more by now, but
/// crun takes less. A request keeps nothing from running, but no process has less than a page, nor a file less than a block.
///
/// The most is that of the largest machines there are: 32 TiB
/// (<https://aws.amazon.com/ec2/instance-types/high-memory/>,
/// <https://learn.microsoft.com/azure/virtual-machines/sizes/memory-optimized/msv3-mdsv3-very-high-memory-series>). Of cpu it
/// is 448: a few of these machines, made for a single database, have more, but who writes 500 mostly means 500m.
fn plausible(name: &str, side: Side) -> Plausible {
    const PAGE: u128 = 4 << 10;
    const LEAST_LIMIT: u128 = 4 << 20;
    const MOST_MEMORY: u128 = 32 << 40;
    const MOST_CPU: u128 = 448;
    let thousandths = |amount: u128| Some(amount * 1000);
    match (name, side) {
        ("cpu", _) => Plausible { min: None, max: thousandths(MOST_CPU), example: "cores, such as 500m or 2" },
        ("memory", Side::Limits) => Plausible {
            min: thousandths(LEAST_LIMIT),
            max: thousandths(MOST_MEMORY),
            example: "whole bytes, such as 512Mi",
        },
        ("memory", Side::Requests) => {
            Plausible { min: thousandths(PAGE), max: thousandths(MOST_MEMORY), example: "whole bytes, such as 512Mi" }
        }
        ("ephemeral-storage", _) => {
            Plausible { min: thousandths(PAGE), max: None, example: "whole bytes, such as 2Gi" }
        }
        _ => Plausible { min: None, max: None, example: "a whole number" },
    }
}
