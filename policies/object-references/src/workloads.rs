//! The pods that selectors select: those of the workloads around an object.

use std::sync::Arc;

use gatehouse_policy::{Around, ContextError, Gather, Kind, Listed, Node};

use crate::ask::Thing;
use crate::labels::{Labelled, Labels, pairs, protocol};

/// A workload's template of pods, as far as it is read.
macro_rules! template {
    ($($way:literal)?) => {
        &[
            concat!($($way,)? "metadata.labels"),
            concat!($($way,)? "spec.containers.ports"),
            concat!($($way,)? "spec.initContainers.ports"),
            concat!($($way,)? "spec.initContainers.restartPolicy"),
        ]
    };
}

pub const DEPLOYMENTS: Kind<Listed> = Kind::listed("apps/v1", "Deployment", template!("spec.template."));
pub const STATEFUL_SETS: Kind<Listed> = Kind::listed(
    "apps/v1",
    "StatefulSet",
    &[
        "spec.template.metadata.labels",
        "spec.template.spec.containers.ports",
        "spec.template.spec.initContainers.ports",
        "spec.template.spec.initContainers.restartPolicy",
        "spec.volumeClaimTemplates.metadata.name",
    ],
);
pub const DAEMON_SETS: Kind<Listed> = Kind::listed("apps/v1", "DaemonSet", template!("spec.template."));

pub const PODS: Kind<Listed> = Kind::listed("v1", "Pod", template!());
pub const REPLICA_SETS: Kind<Listed> = Kind::listed("apps/v1", "ReplicaSet", template!("spec.template."));
pub const REPLICATION_CONTROLLERS: Kind<Listed> =
    Kind::listed("v1", "ReplicationController", template!("spec.template."));
pub const JOBS: Kind<Listed> = Kind::listed("batch/v1", "Job", template!("spec.template."));
pub const CRON_JOBS: Kind<Listed> = Kind::listed("batch/v1", "CronJob", template!("spec.jobTemplate.spec.template."));
pub const ROLLOUTS: Kind<Listed> = Kind::listed("argoproj.io/v1alpha1", "Rollout", template!("spec.template."));
pub const DEPLOYMENT_CONFIGS: Kind<Listed> =
    Kind::listed("apps.openshift.io/v1", "DeploymentConfig", template!("spec.template."));
pub const CLONE_SETS: Kind<Listed> = Kind::listed("apps.kruise.io/v1alpha1", "CloneSet", template!("spec.template."));
pub const KRUISE_STATEFUL_SETS: Kind<Listed> =
    Kind::listed("apps.kruise.io/v1beta1", "StatefulSet", template!("spec.template."));
pub const PROMETHEUSES: Kind<Listed> =
    Kind::listed("monitoring.coreos.com/v1", "Prometheus", &["spec.podMetadata.labels"]);
pub const ALERTMANAGERS: Kind<Listed> =
    Kind::listed("monitoring.coreos.com/v1", "Alertmanager", &["spec.podMetadata.labels"]);

pub const THANOS_RULERS: Kind<Listed> =
    Kind::listed("monitoring.coreos.com/v1", "ThanosRuler", &["spec.podMetadata.labels"]);
pub const LEADER_WORKER_SETS: Kind<Listed> =
    Kind::listed("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", &["spec.leaderWorkerTemplate"]);

/// Where the templates of pods are.
type Ways = &'static [&'static [&'static str]];

const TEMPLATE: Ways = &[&["spec", "template"]];

/// Most pods are of these.
const MOST: &[(Kind<Listed>, Ways)] = &[(DEPLOYMENTS, TEMPLATE), (STATEFUL_SETS, TEMPLATE), (DAEMON_SETS, TEMPLATE)];

/// The others, which are looked at where something is not found among those: of a namespace's pods there are many, but what a
/// program makes, or puts into them, nothing else shows.
const OTHERS: &[(Kind<Listed>, Ways)] = &[
    (PODS, &[&[]]),
    (REPLICA_SETS, TEMPLATE),
    (REPLICATION_CONTROLLERS, TEMPLATE),
    (JOBS, TEMPLATE),
    (CRON_JOBS, &[&["spec", "jobTemplate", "spec", "template"]]),
    (ROLLOUTS, TEMPLATE),
    (DEPLOYMENT_CONFIGS, TEMPLATE),
    (CLONE_SETS, TEMPLATE),
    (KRUISE_STATEFUL_SETS, TEMPLATE),
    (
        LEADER_WORKER_SETS,
        &[&["spec", "leaderWorkerTemplate", "leaderTemplate"], &["spec", "leaderWorkerTemplate", "workerTemplate"]],
    ),
];

/// The pods of the workloads in a namespace; in the whole cluster where it is empty.
struct Most(Arc<Labels>);
struct Others(Arc<Labels>);

impl Gather for Most {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        Ok(Self(Arc::new(Labels::of(read(around, MOST, namespace)?))))
    }
}

impl Gather for Others {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let mut found = read(around, OTHERS, namespace)?;
        for (kind, label) in
            [(PROMETHEUSES, "prometheus"), (ALERTMANAGERS, "alertmanager"), (THANOS_RULERS, "thanos-ruler")]
        {
            around.each(&kind, within(namespace), &mut |object| {
                found.push(of_prometheus_operator(object, label));
            })?;
        }
        Ok(Self(Arc::new(Labels::of(found))))
    }
}

/// A namespace as a host is asked for it.
pub fn within(namespace: &str) -> Option<&str> {
    Some(namespace).filter(|namespace| !namespace.is_empty())
}

pub fn most(around: &Around<'_>, namespace: &str) -> Result<Arc<Labels>, ContextError> {
    Ok(around.gathered::<Most>(namespace)?.0.clone())
}

pub fn others(around: &Around<'_>, namespace: &str) -> Result<Arc<Labels>, ContextError> {
    Ok(around.gathered::<Others>(namespace)?.0.clone())
}

fn read(around: &Around<'_>, kinds: &[(Kind<Listed>, Ways)], namespace: &str) -> Result<Vec<Labelled>, ContextError> {
    let mut found = Vec::new();
    for (kind, ways) in kinds {
        around.each(kind, within(namespace), &mut |object| {
            found.extend(ways.iter().filter_map(|way| object.descend(way)).map(template));
        })?;
    }
    Ok(found)
}

fn template(template: &Node<'_>) -> Labelled {
    let mut ports = Vec::new();
    for list in ["initContainers", "containers"] {
        for container in template.items(&["spec", list]) {
            // An init container that is no sidecar has ended.
            if list == "containers" || container.text(&["restartPolicy"]) == "Always" {
                ports.extend(container.items(&["ports"]).iter().map(|port| read_port(port, "containerPort")));
            }
        }
    }
    Labelled { labels: pairs(template.members(&["metadata", "labels"])).collect(), ports, ..Labelled::default() }
}

/// A port of a container or of a Service.
pub fn read_port(port: &Node<'_>, number: &str) -> Thing {
    Thing {
        name: String::new(),
        port: port.text(&["name"]).to_owned(),
        number: port.get(number).and_then(Node::as_i64).unwrap_or_default(),
        protocol: protocol(port),
    }
}

/// The pods that the operator of Prometheus makes (`makeStatefulSetSpec` in
/// <https://github.com/prometheus-operator/prometheus-operator/tree/main/pkg>); what ports they have is not in the object.
fn of_prometheus_operator(object: &Node<'_>, kind: &str) -> Labelled {
    let name = object.text(&["metadata", "name"]);
    let given = [
        (kind, name),
        ("app", kind),
        ("app.kubernetes.io/instance", name),
        ("app.kubernetes.io/managed-by", "prometheus-operator"),
        ("app.kubernetes.io/name", kind),
    ];
    let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels = pairs(object.members(&["spec", "podMetadata", "labels"])).chain(given).collect();
    Labelled { labels, is_open: true, ..Labelled::default() }
}
