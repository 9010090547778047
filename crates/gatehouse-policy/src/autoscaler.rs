//! Which workloads have their number of replicas from an autoscaler.

use std::collections::BinaryHeap;
use std::fmt::{self, Display};

use serde::Deserialize;

use crate::around::{Around, ContextError, Gather, Kind};

/// Kubernetes' own autoscalers.
pub const HORIZONTAL_POD_AUTOSCALERS: Kind<Scaler> = Kind::new("autoscaling/v2", "HorizontalPodAutoscaler");
/// Those of KEDA (<https://keda.sh/docs/latest/reference/scaledobject-spec/>).
pub const SCALED_OBJECTS: Kind<Scaler> = Kind::new("keda.sh/v1alpha1", "ScaledObject");

/// What is read of an autoscaler.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Scaler {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    scale_target_ref: Target,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    kind: String,
    name: String,
}

/// The autoscalers of a namespace, by what they scale.
#[derive(Debug)]
pub struct Autoscalers(Vec<Autoscaler>);

/// An autoscaler. Shown as `HorizontalPodAutoscaler web`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Autoscaler {
    target: (String, String),
    /// KEDA makes a HorizontalPodAutoscaler for each of its own, which is the one to change: it comes first.
    is_made: bool,
    kind: &'static str,
    name: String,
}

impl Display for Autoscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Gather for Autoscalers {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let mut found = BinaryHeap::new();
        for (kind, is_made) in [(SCALED_OBJECTS, false), (HORIZONTAL_POD_AUTOSCALERS, true)] {
            for Scaler { metadata, spec } in around.in_namespace(&kind, namespace)? {
                let Target { kind: target, name } = spec.scale_target_ref;
                // What KEDA takes it for; the API server refuses an autoscaler of Kubernetes without one.
                let target = if target.is_empty() { "Deployment".to_owned() } else { target };
                found.push(Autoscaler {
                    target: (target, name),
                    is_made,
                    kind: kind.asked().kind,
                    name: metadata.name,
                });
            }
        }
        Ok(Self(found.into_sorted_vec()))
    }
}

impl Autoscalers {
    /// The one that scales the workload of that kind and name. Two kinds of one name in different groups are not told apart.
    #[must_use]
    pub fn of(&self, kind: &str, name: &str) -> Option<&Autoscaler> {
        let target = |of: &Autoscaler| (&*of.target.0, &*of.target.1).cmp(&(kind, name));
        let at = self.0.partition_point(|of| target(of).is_lt());
        self.0.get(at).filter(|of| target(of).is_eq())
    }
}
