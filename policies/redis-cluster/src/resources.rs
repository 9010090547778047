//! What Redis has of cpu, memory and ephemeral storage.

use gatehouse_policy::quantity::Quantity;
use gatehouse_policy::{Path, Report};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{Amounts, Resources, Role, Spec};
use crate::{RESOURCES, RedisCluster};

/// A resource of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Processors.
    Cpu,
    /// Memory.
    Memory,
    /// Storage on the node.
    EphemeralStorage,
}

impl Resource {
    const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::EphemeralStorage];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
        }
    }

    fn of<'a>(self, amounts: &'a Amounts<'_>) -> Option<&'a Quantity> {
        amounts.get(self.name())?.as_ref()
    }
}

pub fn judge(spec: &Spec<'_>, settings: &RedisCluster, report: &mut Report<'_>) {
    let [leaders, followers] = [spec.leaders(), spec.followers()].map(|role| role.is_running().then_some(role));
    match (leaders, followers) {
        (Some(leaders), Some(followers)) if leaders.resources.at == followers.resources.at => {
            judge_role(&Role { name: "leaders and followers", ..leaders }, settings, report);
        }
        (leaders, followers) => {
            for role in [leaders, followers].into_iter().flatten() {
                judge_role(&role, settings, report);
            }
        }
    }
}

fn judge_role(role: &Role<'_, '_>, settings: &RedisCluster, report: &mut Report<'_>) {
    let Resources { requests, limits } = role.resources.value;
    let who = role.name;
    let at = |side: &'static str, resource: Resource| Path::of(role.resources.at).key(side).key(resource.name());
    for resource in &settings.requests {
        // A request that is absent beside a limit is the limit.
        let request = resource.of(requests).or_else(|| resource.of(limits));
        if let Some(fault) = lacks(request, "reserves") {
            let message = format!("{who}: {} request {fault}", resource.name());
            report.add(&RESOURCES, at("requests", *resource), message);
        }
    }
    for resource in &settings.limits {
        if let Some(fault) = lacks(resource.of(limits), "limits") {
            let message = format!("{who}: {} limit {fault}", resource.name());
            report.add(&RESOURCES, at("limits", *resource), message);
        }
    }
    for resource in Resource::ALL {
        if let (Some(request), Some(limit)) = (resource.of(requests), resource.of(limits))
            && request > limit
        {
            let message =
                format!("{who}: {} request is {request}, expected at most its limit of {limit}", resource.name());
            report.add(&RESOURCES, at("requests", resource), message);
        }
    }
}

/// Why there is not as much as nothing of a resource: to the kubelet and the scheduler, 0 is as good as absent.
fn lacks(amount: Option<&Quantity>, does: &str) -> Option<String> {
    match amount {
        None => Some("is not set, expected one".to_owned()),
        Some(zero) if zero.is_zero() => Some(format!("is {zero}, which {does} nothing, expected more")),
        Some(_) => None,
    }
}
