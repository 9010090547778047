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
pub struct Autoscalers {
    all: Vec<Autoscaler>,
    /// What each scales, in order.
    targets: Vec<(String, usize)>,
}

/// An autoscaler. Shown as `HorizontalPodAutoscaler web`.
#[derive(Debug)]
pub struct Autoscaler {
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
        let (mut all, mut targets) = (Vec::new(), Vec::new());
        // KEDA makes one of Kubernetes' own for each of its own, which is the one to change: it comes first.
        for kind in [SCALED_OBJECTS, HORIZONTAL_POD_AUTOSCALERS] {
            around.each(&kind, Some(namespace), &mut |object| {
                let scaled = |key| object.text(&["spec", "scaleTargetRef", key]);
                // What KEDA takes it for; the API server refuses an autoscaler of Kubernetes without one.
                let of = if scaled("kind").is_empty() { "Deployment" } else { scaled("kind") };
                targets.push((target(of, scaled("name")), all.len()));
                all.push(Autoscaler { kind: kind.asked().kind, name: object.text(&["metadata", "name"]).to_owned() });
            })?;
        }
        Ok(Self { all, targets: BinaryHeap::from(targets).into_sorted_vec() })
    }
}

fn target(kind: &str, name: &str) -> String {
    [kind, "/", name].concat()
}

impl Autoscalers {
    /// The one that scales the workload of that kind and name. Two kinds of one name in different groups are not told apart.
    #[must_use]
    pub fn of(&self, kind: &str, name: &str) -> Option<&Autoscaler> {
        let wanted = target(kind, name);
        let at = self.targets.partition_point(|(of, _)| *of < wanted);
        let (_, number) = self.targets.get(at).filter(|(of, _)| *of == wanted)?;
        self.all.get(*number)
    }
}
