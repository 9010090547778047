//! The kinds of workloads, as far as quotas go.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Kind, Listed, Node, split_api_version};

use crate::pod::fields;

pub const DEPLOYMENTS: Kind<Listed> = Kind::listed(
    "apps/v1",
    "Deployment",
    fields!("spec.template.spec", "spec.replicas", "spec.strategy.rollingUpdate.maxSurge", "spec.strategy.type"),
);
pub const REPLICA_SETS: Kind<Listed> =
    Kind::listed("apps/v1", "ReplicaSet", fields!("spec.template.spec", "spec.replicas"))
        .with_labels(NOT_OF_DEPLOYMENTS);
pub const REPLICATION_CONTROLLERS: Kind<Listed> =
    Kind::listed("v1", "ReplicationController", fields!("spec.template.spec", "spec.replicas"));
pub const STATEFUL_SETS: Kind<Listed> = Kind::listed(
    "apps/v1",
    "StatefulSet",
    fields!("spec.template.spec", "spec.ordinals.start", "spec.replicas", "spec.volumeClaimTemplates"),
);
pub const DAEMON_SETS: Kind<Listed> = Kind::listed(
    "apps/v1",
    "DaemonSet",
    fields!("spec.template.spec", "spec.updateStrategy.rollingUpdate.maxSurge", "spec.updateStrategy.type"),
);
pub const JOBS: Kind<Listed> = Kind::listed(
    "batch/v1",
    "Job",
    fields!(
        "spec.template.spec",
        "spec.completions",
        "spec.parallelism",
        "spec.suspend",
        "status.conditions.status",
        "status.conditions.type"
    ),
);
pub const CRON_JOBS: Kind<Listed> = Kind::listed(
    "batch/v1",
    "CronJob",
    fields!(
        "spec.jobTemplate.spec.template.spec",
        "spec.jobTemplate.spec.completions",
        "spec.jobTemplate.spec.parallelism",
        "spec.jobTemplate.spec.suspend",
        "spec.suspend"
    ),
);
pub const PODS: Kind<Listed> =
    Kind::listed("v1", "Pod", fields!("spec", "status.phase")).with_labels(NOT_OF_DEPLOYMENTS);

/// Neither the `ReplicaSet`s of Deployments, ten old ones each, nor their pods, which are most of a namespace's: what they need
/// is counted with their Deployments. The label is that of `DefaultDeploymentUniqueLabelKey` in
/// <https://github.com/kubernetes/api/blob/master/apps/v1/types.go>.
const NOT_OF_DEPLOYMENTS: &str = "!pod-template-hash";

/// A number of pods, `default` where there is none; the API server lets none be negative.
#[inline(never)]
pub fn count(number: Option<i64>, default: u128) -> u128 {
    number.map_or(default, |number| u128::try_from(number).unwrap_or_default())
}

/// The number at the end of a chain of members.
pub fn number(object: &Node<'_>, way: &[&str]) -> Option<i64> {
    object.descend(way).and_then(Node::as_i64)
}

/// Whether it is true at the end of a chain of members.
#[inline(never)]
pub fn is_true(object: &Node<'_>, way: &[&str]) -> bool {
    matches!(object.descend(way).map(|node| &node.data), Some(Data::Bool(true)))
}

/// Whether an object was made by a workload that is counted itself. What other controllers make is counted, as they are not.
pub fn is_made(object: &Node<'_>) -> bool {
    object.items(&["metadata", "ownerReferences"]).iter().filter(|owner| is_true(owner, &["controller"])).any(|owner| {
        matches!(
            (split_api_version(owner.text(&["apiVersion"])).0, owner.text(&["kind"])),
            ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
                | ("batch", "Job" | "CronJob")
                | ("", "ReplicationController")
        )
    })
}

/// How many pods a Job runs at a time, by its spec (`manageJob` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/job/job_controller.go>).
pub fn pods_of_job(spec: &Node<'_>) -> u128 {
    if is_true(spec, &["suspend"]) {
        return 0;
    }
    let parallelism = count(number(spec, &["parallelism"]), 1);
    parallelism.min(count(number(spec, &["completions"]), u128::MAX))
}

/// Whether a Job has ended.
pub fn has_ended(job: &Node<'_>) -> bool {
    job.items(&["status", "conditions"]).iter().any(|condition| {
        matches!(condition.text(&["type"]), "Complete" | "Failed") && condition.text(&["status"]) == "True"
    })
}
