//! What a pod has as a whole, for all its containers to share: `spec.resources`.

use gatehouse_policy::Role;

use crate::Pod;
use crate::resources::{Amount, Amounts, Resources, Side, is_huge_pages, is_resizable};

/// A pod's own resources as the API server defaults them, in this order; none where the pod sets none.
///
/// 1. A limit of huge pages, which has no request, is the containers' together (`defaultHugePagePodLimits`).
/// 2. Once there is a limit, requests of cpu and memory are the containers' together (`defaultPodRequests`).
///
/// What is still absent is the limit, as for containers.
///
/// See `pkg/apis/core/v1/defaults.go` of kubernetes/kubernetes, and
/// <https://github.com/kubernetes/enhancements/blob/master/keps/sig-node/2837-pod-level-resource-spec/README.md>.
pub fn resources(pod: &Pod) -> Resources {
    let mut own = pod.resources.clone();
    if own.is_empty() {
        return own;
    }
    let lacks = |name: &str| is_huge_pages(name) && !pod.resources.requests.contains_key(name);
    for (name, sum) in together(pod, Side::Limits, &lacks) {
        own.limits.entry(name).or_insert(sum);
    }
    if own.limits.is_empty() {
        return own;
    }
    for (name, sum) in together(pod, Side::Requests, &is_resizable) {
        own.requests.entry(name).or_insert(sum);
    }
    own
}

/// What the containers of a pod ask for at most at any one time, of some resources: those that stay, or an init container with
/// the sidecars before it (`AggregateContainerRequests` in `k8s.io/component-helpers/resource`).
fn together(pod: &Pod, side: Side, counts: &dyn Fn(&str) -> bool) -> Amounts {
    let (mut staying, mut starting, mut sidecars) = (Amounts::new(), Amounts::new(), Amounts::new());
    for container in pod.containers() {
        let Resources { requests, limits } = container.given();
        let mut amounts = Amounts::new();
        let mut take = |given: &Amounts| {
            for (name, amount) in given.iter().filter(|(name, _)| counts(name)) {
                amounts.insert(name.clone(), amount.clone());
            }
        };
        take(limits);
        // What is not requested is requested by its limit.
        if side == Side::Requests {
            take(requests);
        }
        match container.role {
            Role::Regular => merge(&mut staying, &amounts, Amount::plus),
            Role::Sidecar => {
                merge(&mut staying, &amounts, Amount::plus);
                merge(&mut sidecars, &amounts, Amount::plus);
            }
            Role::Init => {
                // What the sidecars alone ask for is among what stays.
                for (name, amount) in &mut amounts {
                    if let Some(sidecars) = sidecars.get(name) {
                        *amount = amount.plus(sidecars);
                    }
                }
                merge(&mut starting, &amounts, Amount::greater);
            }
            Role::Ephemeral => {}
        }
    }
    merge(&mut staying, &starting, Amount::greater);
    staying
}

fn merge(into: &mut Amounts, amounts: &Amounts, combine: fn(&Amount, &Amount) -> Amount) {
    for (name, amount) in amounts {
        let merged = into.get(name).map_or_else(|| amount.clone(), |old| combine(old, amount));
        into.insert(name.clone(), merged);
    }
}
