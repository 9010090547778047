//! How many pods autoscalers let workloads have.

use gatehouse_policy::{Around, ContextError, Kind, Listed};

use crate::kinds::{count, number};
use crate::parts::{Millis, Parts, get};

/// Those of version v1 have these fields too.
pub const AUTOSCALERS: Kind<Listed> = Kind::listed(
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    &["spec.maxReplicas", "spec.minReplicas", "spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"],
);
pub const SCALED_OBJECTS: Kind<Listed> = Kind::listed(
    "keda.sh/v1alpha1",
    "ScaledObject",
    &["spec.maxReplicaCount", "spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"],
);

/// The autoscalers of a namespace.
pub struct Scales(Vec<Scale>);

struct Scale {
    target: String,
    most: u128,
    /// Whether it scales from 0 too.
    wakes: bool,
}

fn target(kind: &str, name: &str) -> String {
    [kind, "/", name].concat()
}

impl Scales {
    pub fn read(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let mut found = Vec::new();
        for (kind, field, default) in [
            (&AUTOSCALERS, "maxReplicas", 0),
            // `defaultHPAMaxReplicas` in https://github.com/kedacore/keda/blob/main/apis/keda/v1alpha1/scaledobject_types.go
            (&SCALED_OBJECTS, "maxReplicaCount", 100),
        ] {
            around.each(kind, Some(namespace), &mut |object| {
                let of = |field| object.text(&["spec", "scaleTargetRef", field]);
                // What KEDA takes it for; the API server refuses an autoscaler of Kubernetes without one.
                let kind = if of("kind").is_empty() { "Deployment" } else { of("kind") };
                found.push(Scale {
                    target: target(kind, of("name")),
                    most: count(number(object, &["spec", field]), default),
                    wakes: default > 0 || number(object, &["spec", "minReplicas"]) == Some(0),
                });
            })?;
        }
        Ok(Self(found))
    }

    /// How many pods each workload has at most.
    pub fn by_target(&self) -> ByTarget<'_> {
        let (mut all, mut waking) = (Parts::default(), Parts::default());
        for Scale { target, most, wakes } in &self.0 {
            // Of several the one that lets it have the most.
            let rank = u128::MAX - most;
            all.add(target, 0, rank, *most);
            if *wakes {
                waking.add(target, 0, rank, *most);
            }
        }
        ByTarget { all: all.sum(), waking: waking.sum() }
    }
}

/// How many pods scaled workloads have at most, and those that are scaled from 0 too.
pub struct ByTarget<'s> {
    all: Millis<'s>,
    waking: Millis<'s>,
}

impl ByTarget<'_> {
    /// How many pods a workload has at most: as many as its autoscaler says, or else its replicas. A
    /// `HorizontalPodAutoscaler` leaves one alone that is scaled to 0 (`reconcileAutoscaler` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/podautoscaler/horizontal.go>).
    pub fn pods(&self, kind: &str, name: &str, replicas: u128) -> u128 {
        let scales = if replicas > 0 { &self.all } else { &self.waking };
        get(scales, &target(kind, name)).unwrap_or(replicas)
    }
}
