//! Which workloads have their number of replicas from an autoscaler.

use std::collections::BinaryHeap;
use std::fmt::{self, Display};

use crate::around::{Around, ContextError, Gather, Kind, Listed};

/// What is read of an autoscaler.
const FIELDS: &[&str] = &["spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"];
/// Kubernetes' own autoscalers.
pub const HORIZONTAL_POD_AUTOSCALERS: Kind<Listed> = Kind::listed("autoscaling/v2", "HorizontalPodAutoscaler", FIELDS);
/// Those of KEDA (<https://keda.sh/docs/latest/reference/scaledobject-spec/>).
pub const SCALED_OBJECTS: Kind<Listed> = Kind::listed("keda.sh/v1alpha1", "ScaledObject", FIELDS);

/// The autoscalers of a namespace, by what they scale.
#[derive(Debug)]
pub struct Autoscalers(Vec<Autoscaler>);

/// An autoscaler. Shown as `HorizontalPodAutoscaler web`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Autoscaler {
    target: (String, String),
    /// KEDA makes a `HorizontalPodAutoscaler` for each of its own, which is the one to change: it comes first.
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
            around.each(&kind, Some(namespace), &mut |object| {
                let target = |key| object.text(&["spec", "scaleTargetRef", key]);
                // What KEDA takes it for; the API server refuses an autoscaler of Kubernetes without one.
                let of = if target("kind").is_empty() { "Deployment" } else { target("kind") };
                found.push(Autoscaler {
                    target: (of.to_owned(), target("name").to_owned()),
                    is_made,
                    kind: kind.asked().kind,
                    name: object.text(&["metadata", "name"]).to_owned(),
                });
            })?;
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
