//! What a pod takes of a quota.

use gatehouse_policy::Node;

use crate::amount::{HUGE_PAGES, ONE, STANDARD, is_extended, plus};
use crate::kinds::number;
use crate::namespace::Namespace;
use crate::overhead::Overheads;
use crate::parts::{Millis, Parts, Stay, get};
use crate::scope::PodTraits;

/// The fields that are read of a pod's spec, and of who owns the object that has it.
macro_rules! fields {
    ($spec:literal $(, $more:literal)*) => {
        &[
            "metadata.ownerReferences",
            concat!($spec, ".activeDeadlineSeconds"),
            concat!($spec, ".affinity.podAffinity"),
            concat!($spec, ".affinity.podAntiAffinity"),
            concat!($spec, ".containers.resources"),
            concat!($spec, ".initContainers.resources"),
            concat!($spec, ".initContainers.restartPolicy"),
            concat!($spec, ".overhead"),
            concat!($spec, ".priorityClassName"),
            concat!($spec, ".resources"),
            concat!($spec, ".runtimeClassName"),
            concat!($spec, ".volumes.ephemeral"),
            $($more),*
        ]
    };
}
pub(crate) use fields;

/// A pod's spec, and what of its namespace and cluster goes into the pod.
pub struct PodSpec<'n> {
    pub spec: &'n Node<'n>,
    /// What containers get that say nothing.
    pub namespace: &'n Namespace,
    /// What each runtime class takes beside the containers.
    pub overheads: &'n Overheads,
}

/// What one pod takes.
pub struct Charge<'n> {
    pub requests: Millis<'n>,
    pub limits: Millis<'n>,
    /// What scopes select by.
    pub traits: PodTraits,
}

/// One of the two amounts of a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Requests,
    Limits,
}

/// The resources that a pod can have as a whole (`IsSupportedPodLevelResource` in
/// <https://github.com/kubernetes/component-helpers/blob/master/resource/helpers.go>).
fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with(HUGE_PAGES)
}

/// Whether there is neither cpu nor memory.
fn is_idle(amounts: &Millis<'_>) -> bool {
    ["cpu", "memory"].iter().all(|name| get(amounts, name).is_none_or(|amount| amount == 0))
}

impl<'n> PodSpec<'n> {
    /// What quotas charge for the pod (`PodUsageFunc` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/quota/v1/evaluator/core/pods.go>), once the API server has
    /// filled in what the pod leaves out (`SetDefaults_Pod` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go>) and then the plugins for
    /// `LimitRange`s and runtime classes have.
    pub fn charge(&self) -> Charge<'n> {
        let (mut requests, mut limits) = (self.peak(Side::Requests, true), self.peak(Side::Limits, true));
        let is_best_effort = match self.whole() {
            None => is_idle(&requests) && is_idle(&limits),
            // `ComputePodQOS` in https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/helper/qos/qos.go
            Some((of_requests, of_limits)) => {
                let is_best_effort = is_idle(&of_requests) && is_idle(&of_limits);
                requests = instead(&of_requests, &requests);
                limits = instead(&of_limits, &limits);
                is_best_effort
            }
        };
        self.add_overhead(&mut requests, &mut limits);
        let traits = PodTraits {
            terminates: number(self.spec, &["activeDeadlineSeconds"]).is_some_and(|seconds| seconds >= 0),
            is_best_effort,
            looks_abroad: self.looks_abroad(),
            priority_class: self.spec.text(&["priorityClassName"]).to_owned(),
        };
        Charge { requests, limits, traits }
    }

    /// Adds what the runtime class takes, of limits where there is one (`PodRequests` and `PodLimits` in
    /// <https://github.com/kubernetes/component-helpers/blob/master/resource/helpers.go>).
    fn add_overhead(&self, requests: &mut Millis<'n>, limits: &mut Millis<'n>) {
        let mut overhead = self.overheads.of(self.spec.text(&["runtimeClassName"]));
        if overhead.is_empty() {
            overhead = Parts::of(self.spec, &["overhead"]).sum();
        }
        for (name, limit) in limits {
            if *limit > 0 {
                *limit = plus(*limit, get(&overhead, name).unwrap_or_default());
            }
        }
        let mut parts = Parts::default();
        parts.add_all(requests, 0, 0);
        parts.add_all(&overhead, 1, 0);
        *requests = parts.sum();
    }

    /// The requests and limits that the pod has as a whole, once the API server has completed them from those of its containers
    /// (`defaultPodRequests`); `None` where there are none. What `defaultHugePagePodLimits` adds is the containers' too.
    fn whole(&self) -> Option<(Millis<'n>, Millis<'n>)> {
        self.spec.get("resources")?;
        let mut requests = Parts::of(self.spec, &["resources", "requests"]);
        let limits = Parts::of(self.spec, &["resources", "limits"]).sum();
        if !limits.is_empty() {
            for (name, sum) in self.peak(Side::Requests, false) {
                if !name.starts_with(HUGE_PAGES) {
                    requests.add(name, 0, 1, sum);
                }
            }
            requests.add_all(&limits, 0, 2);
        }
        Some((requests.sum(), limits))
    }

    /// What the containers have together at most at any one time, each completed by what the namespace gives it or not: those
    /// that stay, or an init container beside the sidecars that were started before it (`aggregateContainerResourcesByFn`,
    /// beside `PodRequests`).
    fn peak(&self, side: Side, is_completed: bool) -> Millis<'n> {
        let (mut parts, mut stays) = (Parts::default(), Vec::new());
        for list in ["containers", "initContainers"] {
            for container in self.spec.items(&[list]) {
                let holder = stays.len();
                stays.push(match (list, container.text(&["restartPolicy"])) {
                    ("containers", _) => Stay::Always,
                    (_, "Always") => Stay::Beside,
                    _ => Stay::Briefly,
                });
                // A request that is absent is the limit.
                if side == Side::Requests {
                    parts.read(container, &["resources", "requests"], holder, 0);
                }
                parts.read(container, &["resources", "limits"], holder, 1);
                if is_completed {
                    let Namespace { limits, requests, .. } = self.namespace;
                    let defaults = if side == Side::Limits { limits } else { requests };
                    parts.add_kept(defaults, holder, 2);
                }
            }
        }
        parts.peak(&stays)
    }

    /// Whether the pod's affinity is to pods of other namespaces (`usesCrossNamespacePodAffinity`, beside `PodUsageFunc`).
    fn looks_abroad(&self) -> bool {
        for of in ["podAffinity", "podAntiAffinity"] {
            for when in
                ["requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"]
            {
                for term in self.spec.items(&["affinity", of, when]) {
                    let term = term.get("podAffinityTerm").unwrap_or(term);
                    if term.get("namespaceSelector").is_some() || !term.items(&["namespaces"]).is_empty() {
                        return true;
                    }
                }
            }
        }
        false
    }
}

/// What the containers have, save for what the pod has as a whole.
fn instead<'n>(whole: &Millis<'n>, containers: &Millis<'n>) -> Millis<'n> {
    let mut parts = Parts::default();
    for (name, amount) in whole {
        if is_pod_level(name) {
            parts.add(name, 0, 0, *amount);
        }
    }
    parts.add_all(containers, 0, 1);
    parts.sum()
}

impl Charge<'_> {
    /// Hands over the keys of a quota in their canonical form, each in two parts, with what the pod takes of it
    /// (`podComputeUsageHelper`, beside `PodUsageFunc`).
    pub fn each(&self, each: &mut dyn FnMut([&str; 2], u128)) {
        for key in ["pods", "count/pods"] {
            each(["", key], ONE);
        }
        for (name, amount) in &self.requests {
            if STANDARD.contains(name) || name.starts_with(HUGE_PAGES) || is_extended(name) {
                each(["requests.", name], *amount);
            }
        }
        for (name, amount) in &self.limits {
            if STANDARD.contains(name) {
                each(["limits.", name], *amount);
            }
        }
    }
}
