//! How many pods a rolling update adds to the old ones.

use gatehouse_policy::Node;

use crate::amount::{product, quotient};

/// `maxSurge`: a number of pods, or a percentage of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surge {
    Pods(u32),
    Percent(u32),
}

impl Surge {
    pub const NONE: Self = Self::Pods(0);

    /// That of a Deployment's `strategy` or a `DaemonSet`'s `updateStrategy`. What the API server refuses is none.
    pub fn read(spec: &Node<'_>, strategy: &str, default: Self) -> Self {
        if !matches!(spec.text(&[strategy, "type"]), "" | "RollingUpdate") {
            return Self::NONE;
        }
        let Some(surge) = spec.descend(&[strategy, "rollingUpdate", "maxSurge"]) else { return default };
        let percent = || surge.as_str()?.strip_suffix('%')?.parse().ok().map(Self::Percent);
        match surge.as_i64() {
            Some(pods) => Self::Pods(u32::try_from(pods).unwrap_or_default()),
            None => percent().unwrap_or(Self::NONE),
        }
    }

    /// How many it is beside so many pods. A part of a pod is one more (`ResolveFenceposts` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/util/deployment_util.go>), and there are
    /// never more new pods than pods are wanted (`NewRSNewReplicas`, there).
    pub fn of(self, pods: u128) -> u128 {
        let surge = match self {
            Self::Pods(number) => number.into(),
            Self::Percent(percent) => quotient(product(pods, percent.into()), 100),
        };
        surge.min(pods)
    }
}
