//! A `HorizontalPodAutoscaler` of any version, with the API's defaults
//! (`pkg/apis/autoscaling/v1/conversion.go` and `pkg/apis/autoscaling/v2/defaults.go` of kubernetes/kubernetes).

use gatehouse_policy::node::Data;
use gatehouse_policy::{Metadata, Node, Path, ReadError, Request};
use serde::Deserialize;

use crate::rate::{Amount, Policy, Range};

/// The annotations that hold what version v1 has no fields for. The API server reads them from whoever writes them, and
/// passes over what it cannot read (`pkg/apis/autoscaling/v1/conversion.go` of kubernetes/kubernetes). It stores fields, and
/// asks policies with annotations that it made of these fields anew (`DropRoundTripHorizontalPodAutoscalerAnnotations` in
/// `pkg/apis/autoscaling/helpers.go`): the object in a request has what will be stored, whatever the old one had.
const METRICS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// The cpu utilisation that an autoscaler without metrics aims at.
const DEFAULT_CPU: i64 = 80;
/// The window of `scaleDown` where none is given: the controller's `--horizontal-pod-autoscaler-downscale-stabilization`.
const DEFAULT_DOWN_WINDOW: i64 = 300;
/// The policies of `scaleDown` where none are given.
const DEFAULT_DOWN: [Policy; 1] = [Policy { amount: Amount::Percent(100), period: 15 }];
/// The policies of `scaleUp` where none are given.
const DEFAULT_UP: [Policy; 2] =
    [Policy { amount: Amount::Pods(4), period: 15 }, Policy { amount: Amount::Percent(100), period: 15 }];

/// How it adds pods where it has no behaviour at all.
const WITHOUT_BEHAVIOR: [Policy; 1] = [Policy { amount: Amount::Double, period: 15 }];

/// An autoscaler.
pub struct Autoscaler<'r> {
    pub min_replicas: i64,
    /// `None` where it is absent, which the API server refuses.
    pub max_replicas: Option<i64>,
    /// The targets of its metrics of resources.
    pub targets: Vec<Target<'r>>,
    behavior: Option<Behavior<'r>>,
    /// Version v1 has its behaviour in an annotation.
    is_v1: bool,
}

/// What a metric of a resource aims at.
pub struct Target<'r> {
    pub resource: &'r str,
    /// The one container that it looks at; empty for the whole pod.
    container: &'r str,
    /// In percent of what is requested; `None` where the target is an amount.
    pub utilization: Option<i64>,
    pub path: Path,
}

impl Target<'_> {
    /// ` of container app`, where it is of one.
    pub fn whose(&self) -> String {
        if self.container.is_empty() { String::new() } else { format!(" of container {}", self.container) }
    }
}

/// More pods, or fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

impl Direction {
    /// Its field in a behaviour.
    pub fn field(self) -> &'static str {
        match self {
            Self::Up => "scaleUp",
            Self::Down => "scaleDown",
        }
    }
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    Max,
    Min,
    Disabled,
}

/// How an autoscaler changes the number of pods in one direction.
pub struct Scaling {
    pub window: i64,
    pub select: Select,
    pub policies: Vec<Policy>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct View<'r> {
    api_version: &'r str,
    #[serde(borrow)]
    metadata: Metadata<'r>,
    #[serde(borrow)]
    spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec<'r> {
    min_replicas: Option<i32>,
    max_replicas: Option<i32>,
    #[serde(borrow)]
    metrics: Vec<Metric<'r>>,
    #[serde(borrow)]
    behavior: Option<Behavior<'r>>,
    #[serde(rename = "targetCPUUtilizationPercentage")]
    target_cpu: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric<'r> {
    r#type: &'r str,
    #[serde(borrow)]
    resource: ResourceMetric<'r>,
    #[serde(borrow)]
    container_resource: ResourceMetric<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceMetric<'r> {
    name: &'r str,
    container: &'r str,
    target: MetricTarget,
    /// Where version v1's annotation has it.
    target_average_utilization: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MetricTarget {
    average_utilization: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Behavior<'r> {
    #[serde(borrow)]
    scale_up: ScalingRules<'r>,
    #[serde(borrow)]
    scale_down: ScalingRules<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScalingRules<'r> {
    stabilization_window_seconds: Option<i32>,
    select_policy: &'r str,
    #[serde(borrow)]
    policies: Vec<ScalingPolicy<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScalingPolicy<'r> {
    r#type: &'r str,
    value: i32,
    period_seconds: i32,
}

/// The names of fields in the annotations.
const FIELDS: &[&str] = &[
    "scaleUp",
    "scaleDown",
    "stabilizationWindowSeconds",
    "selectPolicy",
    "policies",
    "type",
    "value",
    "periodSeconds",
    "resource",
    "containerResource",
    "name",
    "container",
    "targetAverageUtilization",
];

/// Gives fields the names that they have whatever the case, and keeps the last of those with the same: so Go reads the
/// annotations (<https://pkg.go.dev/encoding/json#Unmarshal>), other than objects. The API server itself writes the names of
/// Go's fields there, `ScaleUp`.
fn fold(node: &mut Node<'_>) {
    match &mut node.data {
        Data::Array(items) => items.iter_mut().for_each(fold),
        Data::Object(members) => {
            let mut seen: Vec<&str> = Vec::new();
            members.reverse();
            members.retain_mut(|member| {
                let Some(field) = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(&member.key)) else {
                    return true;
                };
                let is_last = !seen.contains(field);
                seen.push(field);
                member.key = (*field).into();
                is_last
            });
            for member in members {
                fold(&mut member.value);
            }
        }
        _ => {}
    }
}

impl Autoscaler<'_> {
    /// Reads an autoscaler, and hands it on.
    ///
    /// # Errors
    /// Where a field is not what the API server can read.
    pub fn read(request: &Request<'_>, judge: impl FnOnce(&Autoscaler<'_>)) -> Result<(), ReadError> {
        let view: View<'_> = request.object.view()?;
        let is_v1 = view.api_version == "autoscaling/v1";
        let annotation = |name: &'static str| match view.metadata.annotation(name).filter(|_| is_v1) {
            Some(text) => {
                let mut node = Node::from_json(text.as_bytes()).unwrap_or(Data::Null.into());
                fold(&mut node);
                node
            }
            None => Data::Null.into(),
        };
        let (metrics, behavior) = (annotation(METRICS_ANNOTATION), annotation(BEHAVIOR_ANNOTATION));
        let mut targets = Vec::new();
        if is_v1 {
            let metrics: Vec<Metric<'_>> = metrics.view().unwrap_or_default();
            let own = view.spec.target_cpu.map(i64::from).or(metrics.is_empty().then_some(DEFAULT_CPU));
            let path = Path::of(&["spec", "targetCPUUtilizationPercentage"]);
            targets.extend(own.map(|cpu| Target { resource: "cpu", container: "", utilization: Some(cpu), path }));
            let path = Path::of_annotation(METRICS_ANNOTATION);
            targets.extend(metrics.iter().filter_map(|metric| metric.target(|_| path.clone())));
        } else {
            let metrics = view.spec.metrics.iter().enumerate();
            let at = |index, field: &[&'static str]| Path::of(&["spec", "metrics"]).index(index).join(Path::of(field));
            targets.extend(metrics.filter_map(|(index, metric)| metric.target(|field| at(index, field))));
            if view.spec.metrics.is_empty() {
                let path = at(0, &["resource", "target", "averageUtilization"]);
                targets.push(Target { resource: "cpu", container: "", utilization: Some(DEFAULT_CPU), path });
            }
        }
        judge(&Autoscaler {
            min_replicas: view.spec.min_replicas.unwrap_or(1).into(),
            max_replicas: view.spec.max_replicas.map(i64::from),
            targets,
            behavior: if is_v1 {
                // One that says nothing is none.
                let is_any = ["scaleUp", "scaleDown"].into_iter().any(|field| behavior.get(field).is_some());
                behavior.view().ok().filter(|_| is_any)
            } else {
                view.spec.behavior
            },
            is_v1,
        });
        Ok(())
    }

    /// The pods that it may choose between.
    pub fn range(&self) -> Range {
        Range { min: self.min_replicas, max: self.max_replicas.unwrap_or(i32::MAX.into()) }
    }

    /// How it changes the number of pods.
    pub fn scaling(&self, direction: Direction) -> Scaling {
        let rules = self.behavior.as_ref().map(|behavior| match direction {
            Direction::Up => &behavior.scale_up,
            Direction::Down => &behavior.scale_down,
        });
        let (window, defaults): (i64, &[Policy]) = match direction {
            Direction::Up if self.behavior.is_none() => (0, &WITHOUT_BEHAVIOR),
            Direction::Up => (0, &DEFAULT_UP),
            Direction::Down => (DEFAULT_DOWN_WINDOW, &DEFAULT_DOWN),
        };
        let policies = rules.map(|rules| rules.policies.iter().map(ScalingPolicy::policy).collect::<Vec<_>>());
        Scaling {
            window: rules.and_then(|rules| rules.stabilization_window_seconds).map_or(window, i64::from),
            select: match rules.map(|rules| rules.select_policy) {
                Some("Min") => Select::Min,
                Some("Disabled") => Select::Disabled,
                _ => Select::Max,
            },
            policies: policies.filter(|policies| !policies.is_empty()).unwrap_or_else(|| defaults.to_vec()),
        }
    }

    /// Where a field of its behaviour is.
    pub fn behavior(&self, fields: &[&'static str]) -> Path {
        if self.is_v1 {
            Path::of_annotation(BEHAVIOR_ANNOTATION)
        } else {
            Path::of(&["spec", "behavior"]).join(Path::of(fields))
        }
    }

    /// Where a scaling policy is.
    pub fn behavior_policy(&self, direction: &'static str, index: usize) -> Path {
        let policies = self.behavior(&[direction, "policies"]);
        if self.is_v1 { policies } else { policies.index(index) }
    }
}

impl<'r> Metric<'r> {
    /// The target of a metric of a resource, at the path that `at` gives its utilisation's field.
    fn target(&self, at: impl Fn(&[&'static str]) -> Path) -> Option<Target<'r>> {
        let (metric, field) = match self.r#type {
            "Resource" => (&self.resource, "resource"),
            "ContainerResource" => (&self.container_resource, "containerResource"),
            _ => return None,
        };
        let utilization = metric.target.average_utilization.or(metric.target_average_utilization);
        let container = if field == "resource" { "" } else { metric.container };
        let path = at(&[field, "target", "averageUtilization"]);
        Some(Target { resource: metric.name, container, utilization: utilization.map(i64::from), path })
    }
}

impl ScalingPolicy<'_> {
    fn policy(&self) -> Policy {
        let amount =
            if self.r#type == "Percent" { Amount::Percent(self.value.into()) } else { Amount::Pods(self.value.into()) };
        Policy { amount, period: self.period_seconds.into() }
    }
}
