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
    for (name, sum) in together(pod, Side::Limits) {
        if is_huge_pages(&name) && !own.requests.contains_key(&name) {
            own.limits.entry(name).or_insert(sum);
        }
    }
    if own.limits.is_empty() {
        return own;
    }
    for (name, sum) in together(pod, Side::Requests) {
        if is_resizable(&name) {
            own.requests.entry(name).or_insert(sum);
        }
    }
    own
}

/// What the containers of a pod ask for at most at any one time: those that stay, or an init container with the sidecars
/// before it (`AggregateContainerRequests` in `k8s.io/component-helpers/resource`).
fn together(pod: &Pod, side: Side) -> Amounts {
    let (mut staying, mut starting, mut sidecars) = (Amounts::new(), Amounts::new(), Amounts::new());
    for container in pod.containers() {
        let mut amounts = container.given().of(side).clone();
        if side == Side::Requests {
            for (name, limit) in &container.given().limits {
                amounts.entry(name.clone()).or_insert_with(|| limit.clone());
            }
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
