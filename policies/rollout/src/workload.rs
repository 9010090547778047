//! What is read of a workload, as the API server defaults it
//! (<https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/v1/defaults.go>).

use std::fmt::{self, Display};

use gatehouse_policy::{Path, ReadError, Request};
use serde::Deserialize;

use crate::amount::{Amount, Rounding};

/// A workload that keeps pods running.
pub struct Workload<'r> {
    /// How many pods; `None` for a `DaemonSet`, which runs one a node.
    pub replicas: Option<Replicas>,
    /// Whether its pods are kept apart: by what the scheduler is told, or as those of a `DaemonSet` are.
    pub is_spread: bool,
    /// How its pods are replaced; `None` for those that leave it to their owner.
    pub update: Option<Update<'r>>,
}

/// A number of replicas in effect.
pub struct Replicas {
    pub count: i32,
    is_default: bool,
}

/// How a workload's pods are replaced by those of another template.
pub struct Update<'r> {
    /// The field of the workload's spec that says so.
    pub field: &'static str,
    /// The type of strategy.
    pub strategy: &'r str,
    /// How many pods may be missing meanwhile.
    pub max_unavailable: Limit,
    /// How many pods there may be beside; `None` for a `StatefulSet`, whose pods have names.
    pub max_surge: Option<Limit>,
}

/// An amount in effect.
pub struct Limit {
    pub amount: Amount,
    is_default: bool,
    pub rounding: Rounding,
}

impl<'r> Workload<'r> {
    /// The workload of the request; `None` where the object is none, or is made and scaled by another one: a Deployment
    /// takes its former `ReplicaSets` down to 0.
    pub fn read(request: &Request<'r>) -> Result<Option<Self>, ReadError> {
        let update = match (request.group, request.kind) {
            ("apps", "Deployment") => Some(Update::of_deployment(&read_strategy(request, "strategy")?)),
            ("apps", "StatefulSet") => Some(Update::of_stateful_set(&read_strategy(request, "updateStrategy")?)),
            ("apps", "DaemonSet") => {
                let update = Update::of_daemon_set(&read_strategy(request, "updateStrategy")?);
                return Ok(Some(Self { replicas: None, is_spread: true, update: Some(update) }));
            }
            ("apps", "ReplicaSet") | ("", "ReplicationController") => None,
            _ => return Ok(None),
        };
        let Object { metadata, spec }: Object = request.object.view()?;
        if update.is_none() && metadata.owner_references.iter().any(|owner| owner.controller) {
            return Ok(None);
        }
        let replicas = Replicas { count: spec.replicas.unwrap_or(1), is_default: spec.replicas.is_none() };
        Ok(Some(Self { replicas: Some(replicas), is_spread: spec.template.spec.is_spread(), update }))
    }
}

impl Replicas {
    /// What a request for the subresource `scale` asks for. A Scale that says nothing says 0, not the workload's default
    /// (`ScaleSpec` in <https://github.com/kubernetes/api/blob/master/autoscaling/v1/types.go>).
    pub fn of_scale(request: &Request<'_>) -> Result<Self, ReadError> {
        let Scale { spec } = request.object.view()?;
        Ok(Self { count: spec.replicas, is_default: false })
    }
}

impl Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, if self.is_default { " by default" } else { "" })
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, if self.is_default { " by default" } else { "" })
    }
}

impl<'r> Update<'r> {
    /// `ResolveFenceposts` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/util/deployment_util.go>.
    fn of_deployment(strategy: &Strategy<'r>) -> Self {
        let default = Amount::Percent(25);
        Self {
            field: "strategy",
            strategy: strategy.strategy(),
            max_unavailable: limit(strategy.rolling_update.max_unavailable, default, Rounding::Down),
            max_surge: Some(limit(strategy.rolling_update.max_surge, default, Rounding::Up)),
        }
    }

    /// `getStatefulSetMaxUnavailable` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/statefulset/stateful_set_utils.go>; where the
    /// feature `MaxUnavailableStatefulSet` is off, the field does nothing.
    fn of_stateful_set(strategy: &Strategy<'r>) -> Self {
        Self {
            field: "updateStrategy",
            strategy: strategy.strategy(),
            max_unavailable: limit(strategy.rolling_update.max_unavailable, Amount::Count(1), Rounding::Down),
            max_surge: None,
        }
    }

    /// `UnavailableCount` and `SurgeCount` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/daemon/util/daemonset_util.go>.
    fn of_daemon_set(strategy: &Strategy<'r>) -> Self {
        Self {
            field: "updateStrategy",
            strategy: strategy.strategy(),
            max_unavailable: limit(strategy.rolling_update.max_unavailable, Amount::Count(1), Rounding::Up),
            max_surge: Some(limit(strategy.rolling_update.max_surge, Amount::Count(0), Rounding::Up)),
        }
    }
}

fn limit(given: Option<Amount>, default: Amount, rounding: Rounding) -> Limit {
    Limit { amount: given.unwrap_or(default), is_default: given.is_none(), rounding }
}

/// Each kind has its strategy under a name of its own, and the API server passes over the other one.
fn read_strategy<'r>(request: &Request<'r>, field: &'static str) -> Result<Strategy<'r>, ReadError> {
    let _: Outline = request.object.view()?;
    match request.object.descend(&["spec", field]) {
        Some(strategy) => strategy.view().map_err(|error| error.below(&Path::of(&["spec", field]))),
        None => Ok(Strategy::default()),
    }
}

/// That the spec is an object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Outline {
    #[serde(rename = "spec")]
    _spec: Anything,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy<'r> {
    r#type: &'r str,
    rolling_update: RollingUpdate,
}

impl<'r> Strategy<'r> {
    fn strategy(&self) -> &'r str {
        if self.r#type.is_empty() { "RollingUpdate" } else { self.r#type }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RollingUpdate {
    max_unavailable: Option<Amount>,
    max_surge: Option<Amount>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    owner_references: Vec<Owner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<i32>,
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    topology_spread_constraints: Vec<Anything>,
    affinity: Affinity,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Affinity {
    pod_anti_affinity: PodAntiAffinity,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodAntiAffinity {
    required_during_scheduling_ignored_during_execution: Vec<Anything>,
    preferred_during_scheduling_ignored_during_execution: Vec<Anything>,
}

/// An object; that it is there is all that counts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Anything {}

impl PodSpec {
    fn is_spread(&self) -> bool {
        let PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: required,
            preferred_during_scheduling_ignored_during_execution: preferred,
        } = &self.affinity.pod_anti_affinity;
        !(self.topology_spread_constraints.is_empty() && required.is_empty() && preferred.is_empty())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Scale {
    spec: ScaleSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScaleSpec {
    replicas: i32,
}
