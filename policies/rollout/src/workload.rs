//! What is read of a workload, as the API server defaults it
//! (<https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/v1/defaults.go>).

use std::fmt::{self, Display};

use gatehouse_policy::{Members, Path, ReadError, Request};
use serde::Deserialize;

use crate::amount::{Amount, Rounding};
use crate::held::Holdings;
use crate::owner;
use crate::spread::{Labels, Placement};

/// A workload that keeps pods running.
pub struct Workload<'r> {
    /// How many pods; `None` for a `DaemonSet`, which runs one a node.
    pub replicas: Option<Replicas>,
    /// What they are; `None` for a `DaemonSet`, and where it stands in another object.
    pub pod: Option<Pod<'r>>,
    /// How its pods are replaced; `None` for those that leave it to their owner, and for kinds of others.
    pub update: Option<Update<'r>>,
}

/// The pod that a workload runs.
pub struct Pod<'r> {
    pub labels: Labels<'r>,
    pub placement: Placement<'r>,
    pub holdings: Holdings<'r>,
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
                return Ok(Some(Self { replicas: None, pod: None, update: Some(update) }));
            }
            ("apps", "ReplicaSet") | ("", "ReplicationController") if owner::is_made(request)? => return Ok(None),
            // Those of others are replaced in ways of their own.
            ("apps", "ReplicaSet")
            | ("", "ReplicationController")
            | ("argoproj.io", "Rollout")
            | ("apps.kruise.io", "CloneSet" | "StatefulSet") => None,
            _ => return Ok(None),
        };
        let Object { spec } = request.object.view()?;
        let replicas = Replicas { count: spec.replicas.unwrap_or(1), is_default: spec.replicas.is_none() };
        // A Rollout may name a Deployment (`workloadRef`) whose template it takes.
        let template = if request.kind == "Rollout" { spec.template } else { Some(spec.template.unwrap_or_default()) };
        let pod = match template {
            Some(template) => Some(Pod {
                labels: Labels::of(request.kind, &template.metadata.labels),
                placement: read_at(request, &["spec", "template", "spec"])?,
                holdings: read_at(request, &["spec", "template", "spec"])?,
            }),
            None => None,
        };
        Ok(Some(Self { replicas: Some(replicas), pod, update }))
    }
}

/// The kind of the workload that a request for its subresource `scale` is for.
pub fn scaled_kind(resource: &str) -> Option<&'static str> {
    match resource {
        "deployments" => Some("Deployment"),
        "statefulsets" => Some("StatefulSet"),
        "rollouts" => Some("Rollout"),
        "clonesets" => Some("CloneSet"),
        _ => None,
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
    /// Whether the one pod of a Deployment is kept until another one is ready: none may be missing, and one may be beside.
    pub fn starts_new_first(&self) -> bool {
        let Limit { amount, rounding, .. } = self.max_unavailable;
        let surges = |surge: &Limit| surge.amount.of(1, surge.rounding) > 0;
        amount.of(1, rounding) == 0 && self.max_surge.as_ref().is_some_and(surges)
    }

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
    read_at(request, &["spec", field])
}

/// What stands at a place of the object. That what leads there is as it should be, another view has seen.
fn read_at<'r, T: Default + Deserialize<'r>>(request: &Request<'r>, keys: &[&'static str]) -> Result<T, ReadError> {
    match request.object.descend(keys) {
        Some(node) => node.view().map_err(|error| error.below(&Path::of(keys))),
        None => Ok(T::default()),
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
struct Object<'r> {
    #[serde(borrow)]
    spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec<'r> {
    replicas: Option<i32>,
    #[serde(borrow)]
    template: Option<PodTemplateSpec<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodTemplateSpec<'r> {
    #[serde(borrow)]
    metadata: Metadata<'r>,
    #[serde(rename = "spec")]
    _spec: Anything,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata<'r> {
    #[serde(borrow)]
    labels: Members<&'r str, &'r str>,
}

/// An object; that it is there is all that counts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Anything {}

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
