//! Workloads: where each kind keeps its pod, and which containers are of what sort.

use std::fmt::{self, Display};
use std::ops::Deref;

use serde::Deserialize;

use crate::node::{ByName, Data, Node};
use crate::path::Path;
use crate::request::Request;
use crate::settings::Exempt;
use crate::view::ReadError;

/// The pod of a workload, read through the policy's own views: `S` of the pod's spec, `C` of each container. The views
/// hold only the fields that the policy needs; those of `S` are reached by dereferencing.
#[derive(Debug)]
pub struct Pod<'r, S, C> {
    spec: S,
    head: PodHead<'r>,
    node: &'r Node<'r>,
    kind: &'r str,
    subresource: &'r str,
    path: Path,
    containers: Vec<Container<'r, C>>,
}

impl<S, C> Deref for Pod<'_, S, C> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.spec
    }
}

/// What the kit itself reads of a pod's spec.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodHead<'r> {
    restart_policy: &'r str,
    #[serde(borrow)]
    os: PodOs<'r>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodOs<'r> {
    name: &'r str,
}

/// What the kit itself reads of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerHead<'r> {
    name: &'r str,
    image: &'r str,
    restart_policy: &'r str,
}

/// A container, with the fields of the policy's view reached by dereferencing. Shown in messages by its name.
#[derive(Debug)]
pub struct Container<'r, C> {
    view: C,
    node: &'r Node<'r>,
    /// Its name.
    pub name: &'r str,
    /// Its image as written, empty where there is none.
    pub image: &'r str,
    /// What sort of container it is.
    pub role: Role,
    restart_policy: &'r str,
    path: Path,
}

impl<C> Deref for Container<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.view
    }
}

impl<C> Display for Container<'_, C> {
    /// `container app`, `init container migrate`; one without a name is told by its path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = match self.role {
            Role::Regular => "container",
            Role::Init => "init container",
            Role::Sidecar => "sidecar container",
            Role::Ephemeral => "ephemeral container",
        };
        if self.name.is_empty() { write!(f, "{sort} {}", self.path) } else { write!(f, "{sort} {}", self.name) }
    }
}

/// The sorts of containers
/// (<https://kubernetes.io/docs/concepts/workloads/pods/#how-pods-manage-multiple-containers>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Does the pod's work.
    Regular,
    /// Runs to its end before the regular ones start.
    Init,
    /// An init container with `restartPolicy: Always`: started before the regular ones, it runs beside them.
    Sidecar,
    /// Added to a running pod by `kubectl debug`.
    Ephemeral,
}

impl Role {
    /// Whether it runs as long as the pod does, and so may have probes and a lifecycle.
    #[must_use]
    pub fn is_long_running(self) -> bool {
        matches!(self, Self::Regular | Self::Sidecar)
    }
}

impl<C> Container<'_, C> {
    /// Where it is in the object.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path.clone()
    }

    /// The path of a field of it, present or not.
    #[must_use]
    pub fn at(&self, fields: &[&'static str]) -> Path {
        self.path().join(Path::of(fields))
    }
}

impl<'r, C> Container<'r, C> {
    /// The container as it stands, for what a view cannot name, or need not name of most.
    #[must_use]
    pub fn node(&self) -> &'r Node<'r> {
        self.node
    }
}

/// How a kind that is not Kubernetes' own keeps pods.
struct Foreign {
    group: &'static str,
    kind: &'static str,
    /// The kind of Kubernetes that it is like: its pods are started and replaced in the same way.
    like: &'static str,
    /// Where its pods' specs are; `*` is every item of an array, or every member of an object.
    specs: &'static [&'static str],
}

/// A row of [`FOREIGN`].
macro_rules! foreign {
    ($group:literal $kind:literal, like $like:literal: $($spec:literal),+) => {
        Foreign { group: $group, kind: $kind, like: $like, specs: &[$($spec),+] }
    };
}

/// Kinds of others in wide use whose pods are whole, each where its own definition says. Kinds whose pod is only laid over
/// one that a controller makes up (`podTemplate` of Elasticsearch, `template` of Argo's Workflow) are not among them: what
/// such a piece leaves out is not absent from the pod.
const FOREIGN: &[Foreign] = &[
    // https://github.com/argoproj/argo-rollouts/blob/master/pkg/apis/rollouts/v1alpha1/types.go
    foreign!("argoproj.io" "Rollout", like "Deployment": "spec.template.spec"),
    // https://github.com/openshift/api/blob/master/apps/v1/types.go
    foreign!("apps.openshift.io" "DeploymentConfig", like "Deployment": "spec.template.spec"),
    // https://github.com/knative/specs/blob/main/specs/serving/knative-api-specification-1.0.md; its queue-proxy lets requests
    // end before the container is told to stop, so the pods are not like a Deployment's.
    foreign!("serving.knative.dev" "Service", like "Pod": "spec.template.spec"),
    foreign!("serving.knative.dev" "Configuration", like "Pod": "spec.template.spec"),
    foreign!("serving.knative.dev" "Revision", like "Pod": "spec"),
    // https://github.com/openkruise/kruise/tree/master/apis/apps
    foreign!("apps.kruise.io" "CloneSet", like "Deployment": "spec.template.spec"),
    foreign!("apps.kruise.io" "StatefulSet", like "StatefulSet": "spec.template.spec"),
    foreign!("apps.kruise.io" "DaemonSet", like "DaemonSet": "spec.template.spec"),
    foreign!("apps.kruise.io" "BroadcastJob", like "Job": "spec.template.spec"),
    foreign!("apps.kruise.io" "AdvancedCronJob", like "CronJob":
        "spec.template.jobTemplate.spec.template.spec",
        "spec.template.broadcastJobTemplate.spec.template.spec"),
    foreign!("apps.kruise.io" "UnitedDeployment", like "Deployment":
        "spec.template.deploymentTemplate.spec.template.spec",
        "spec.template.cloneSetTemplate.spec.template.spec",
        "spec.template.statefulSetTemplate.spec.template.spec",
        "spec.template.advancedStatefulSetTemplate.spec.template.spec"),
    // https://github.com/kubernetes-sigs/jobset/blob/main/api/jobset/v1alpha2/jobset_types.go
    foreign!("jobset.x-k8s.io" "JobSet", like "Job":
        "spec.replicatedJobs.*.template.spec.template.spec"),
    // https://github.com/kubernetes-sigs/lws/blob/main/api/leaderworkerset/v1/leaderworkerset_types.go
    foreign!("leaderworkerset.x-k8s.io" "LeaderWorkerSet", like "StatefulSet":
        "spec.leaderWorkerTemplate.leaderTemplate.spec",
        "spec.leaderWorkerTemplate.workerTemplate.spec"),
    // https://github.com/kubernetes-sigs/agent-sandbox/blob/main/api/v1alpha1/sandbox_types.go
    foreign!("agents.x-k8s.io" "Sandbox", like "Pod": "spec.podTemplate.spec"),
    foreign!("extensions.agents.x-k8s.io" "SandboxTemplate", like "Pod": "spec.podTemplate.spec"),
    // https://github.com/volcano-sh/apis/blob/master/pkg/apis/batch/v1alpha1/job.go
    foreign!("batch.volcano.sh" "Job", like "Job": "spec.tasks.*.template.spec"),
    foreign!("batch.volcano.sh" "CronJob", like "CronJob":
        "spec.jobTemplate.spec.tasks.*.template.spec"),
    // https://github.com/kedacore/keda/blob/main/apis/keda/v1alpha1/scaledjob_types.go
    foreign!("keda.sh" "ScaledJob", like "Job": "spec.jobTargetRef.template.spec"),
    // https://github.com/kubeflow/trainer/tree/release-1.9/pkg/apis/kubeflow.org/v1
    foreign!("kubeflow.org" "TFJob", like "Job": "spec.tfReplicaSpecs.*.template.spec"),
    foreign!("kubeflow.org" "PyTorchJob", like "Job": "spec.pytorchReplicaSpecs.*.template.spec"),
    foreign!("kubeflow.org" "MPIJob", like "Job": "spec.mpiReplicaSpecs.*.template.spec"),
    foreign!("kubeflow.org" "XGBoostJob", like "Job": "spec.xgbReplicaSpecs.*.template.spec"),
    foreign!("kubeflow.org" "PaddleJob", like "Job": "spec.paddleReplicaSpecs.*.template.spec"),
    foreign!("kubeflow.org" "JAXJob", like "Job": "spec.jaxReplicaSpecs.*.template.spec"),
    // https://github.com/kubeflow/notebooks/blob/notebooks-v1/components/notebook-controller/api/v1/notebook_types.go
    foreign!("kubeflow.org" "Notebook", like "StatefulSet": "spec.template.spec"),
    // https://github.com/ray-project/kuberay/tree/master/ray-operator/apis/ray/v1
    foreign!("ray.io" "RayCluster", like "Pod":
        "spec.headGroupSpec.template.spec",
        "spec.workerGroupSpecs.*.template.spec"),
    foreign!("ray.io" "RayService", like "Pod":
        "spec.rayClusterConfig.headGroupSpec.template.spec",
        "spec.rayClusterConfig.workerGroupSpecs.*.template.spec"),
    foreign!("ray.io" "RayJob", like "Job":
        "spec.rayClusterSpec.headGroupSpec.template.spec",
        "spec.rayClusterSpec.workerGroupSpecs.*.template.spec"),
    // https://github.com/googleforgames/agones/tree/main/pkg/apis/agones/v1
    foreign!("agones.dev" "GameServer", like "Pod": "spec.template.spec"),
    foreign!("agones.dev" "GameServerSet", like "Pod": "spec.template.spec.template.spec"),
    foreign!("agones.dev" "Fleet", like "Pod": "spec.template.spec.template.spec"),
    // https://github.com/actions/actions-runner-controller/blob/master/apis/actions.github.com/v1alpha1/autoscalingrunnerset_types.go
    foreign!("actions.github.com" "AutoscalingRunnerSet", like "Pod": "spec.template.spec"),
    // https://github.com/operator-framework/api/blob/master/pkg/operators/v1alpha1/clusterserviceversion_types.go
    foreign!("operators.coreos.com" "ClusterServiceVersion", like "Deployment":
        "spec.install.spec.deployments.*.spec.template.spec"),
];

/// Where the kinds of Kubernetes itself keep their pod's spec; `None` for other kinds.
#[must_use]
pub fn pod_spec_path(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    match (group, kind) {
        ("", "Pod") => Some(&["spec"]),
        ("", "ReplicationController")
        | ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job") => Some(&["spec", "template", "spec"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

/// The kinds that are not Kubernetes' own and whose pods are read, each with its group.
pub fn foreign_kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    FOREIGN.iter().map(|foreign| (foreign.group, foreign.kind))
}

fn foreign(group: &str, kind: &str) -> Option<&'static Foreign> {
    FOREIGN.iter().find(|foreign| foreign.group == group && foreign.kind == kind)
}

/// The specs of a workload's pods, each with its place: one for the kinds of Kubernetes itself, any number for
/// the others that are known here, none where the object is no workload.
///
/// # Errors
/// Where what leads to a spec is of another type than the API gives it.
pub fn pod_specs<'r>(request: &Request<'r>) -> Result<Vec<(Path, &'r Node<'r>)>, ReadError> {
    at_places(request, |keys| keys)
}

/// What holds the specs of [`pod_specs`] and the metadata beside each: the templates of a workload's pods, or the object
/// itself where that is the pod.
///
/// # Errors
/// As for [`pod_specs`].
pub fn pod_templates<'r>(request: &Request<'r>) -> Result<Vec<(Path, &'r Node<'r>)>, ReadError> {
    at_places(request, |keys| keys.split_last().map_or(keys, |(_, template)| template))
}

/// What stands where `part` of the way to a pod's spec leads.
fn at_places<'r>(
    request: &Request<'r>,
    part: for<'k> fn(&'k [&'static str]) -> &'k [&'static str],
) -> Result<Vec<(Path, &'r Node<'r>)>, ReadError> {
    let mut found = Vec::new();
    if let Some(keys) = pod_spec_path(request.group, request.kind) {
        collect(request.object, Path::root(), part(keys), &mut found)?;
    } else if let Some(foreign) = foreign(request.group, request.kind) {
        for spec in foreign.specs {
            let keys: Vec<&str> = spec.split('.').collect();
            collect(request.object, Path::root(), part(&keys), &mut found)?;
        }
    }
    Ok(found)
}

fn collect<'r>(
    node: &'r Node<'r>,
    path: Path,
    keys: &[&'static str],
    specs: &mut Vec<(Path, &'r Node<'r>)>,
) -> Result<(), ReadError> {
    let end = keys.iter().position(|key| *key == "*").unwrap_or(keys.len());
    let (direct, rest) = keys.split_at(end);
    let Some(node) = node.within(direct).map_err(|error| error.below(&path))? else { return Ok(()) };
    let path = path.join(Path::of(direct));
    let Some((_, rest)) = rest.split_first() else {
        specs.push((path, node));
        return Ok(());
    };
    match &node.data {
        Data::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, path.clone().index(index), rest, specs)?;
            }
        }
        Data::Object(members) => {
            for member in members {
                collect(&member.value, path.clone().key(member.key.clone().into_owned()), rest, specs)?;
            }
        }
        _ => {}
    }
    Ok(())
}

impl<'r, S: Deserialize<'r>, C: Deserialize<'r>> Pod<'r, S, C> {
    /// The pods of the request's workload: one for the kinds of Kubernetes itself; none where the object is no workload.
    ///
    /// Of a request for the subresource `ephemeralcontainers` or `resize` it holds only the containers that the request
    /// can change: who attaches a debugger need not answer for the rest of the pod, nor for the debuggers before, which
    /// can be neither changed nor removed (`ValidatePodEphemeralContainersUpdate` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>); and an init container
    /// that is no sidecar is left out of a resize unless this one changes it, as may be done since Kubernetes 1.36
    /// (<https://github.com/kubernetes/kubernetes/pull/137352>): it may have ended long ago.
    ///
    /// # Errors
    /// Where a field that a view names has another type than the API gives it, and where a pod has no container: nobody
    /// could have meant that, and nothing would be judged.
    pub fn read(request: &Request<'r>, exempt: &Exempt) -> Result<Vec<Self>, ReadError> {
        let specs = pod_specs(request)?;
        let lacking = lacking(request, &specs);
        let read = |(path, node)| Self::at_place(request, path, node, exempt);
        let pods = specs.into_iter().map(read).collect::<Result<_, _>>()?;
        lacking.map_or(Ok(pods), Err)
    }

    fn at_place(request: &Request<'r>, path: Path, node: &'r Node<'r>, exempt: &Exempt) -> Result<Self, ReadError> {
        let located = |error: ReadError| error.below(&path);
        let head: PodHead<'r> = node.view().map_err(located)?;
        let spec = node.view().map_err(located)?;
        let mut containers = Vec::new();
        for (list, role) in
            [("initContainers", Role::Init), ("containers", Role::Regular), ("ephemeralContainers", Role::Ephemeral)]
        {
            let changed = match request.subresource {
                "ephemeralcontainers" => role == Role::Ephemeral,
                "resize" => role != Role::Ephemeral,
                _ => true,
            };
            if changed && let Some(items) = node.get(list) {
                read_containers(items, role, exempt, &path.clone().key(list), &mut containers)?;
            }
        }
        let before = |list| request.old_object.and_then(|old| old.descend(&["spec"])?.get(list));
        match request.subresource {
            "ephemeralcontainers" => {
                let before = by_name(before("ephemeralContainers"));
                containers.retain(|container| before.get(container.name).is_none());
            }
            "resize" => {
                let (before, after) = (by_name(before("initContainers")), by_name(node.get("initContainers")));
                let resources =
                    |names: &ByName<'_, '_>, name| Some(names.get(name)?.get("resources").map(Node::to_json));
                let is_changed =
                    |name| request.old_object.is_some() && resources(&before, name) != resources(&after, name);
                containers.retain(|Container { role, name, .. }| *role != Role::Init || is_changed(name));
            }
            _ => {}
        }
        let kind = foreign(request.group, request.kind).map_or(request.kind, |foreign| foreign.like);
        Ok(Self { spec, head, node, kind, subresource: request.subresource, path, containers })
    }
}

/// Refuses a workload without a container: a misspelt `spec`, or containers a level too high, and no policy would have
/// anything to judge. The API server refuses it too (`validateContainers` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>).
///
/// # Errors
/// Where the object is a workload of Kubernetes' own and its pod has no container, or has none where a pod of another
/// kind's is.
pub fn require_containers(request: &Request<'_>) -> Result<(), ReadError> {
    lacking(request, &pod_specs(request)?).map_or(Ok(()), Err)
}

/// The error of [`require_containers`], if there is one.
fn lacking(request: &Request<'_>, specs: &[(Path, &Node<'_>)]) -> Option<ReadError> {
    if !request.subresource.is_empty() {
        return None;
    }
    let lacks = |node: &Node<'_>| match node.get("containers").map(|containers| &containers.data) {
        None => true,
        Some(Data::Array(containers)) => containers.is_empty(),
        Some(_) => false, // of the wrong type, which its reader says
    };
    let at = match specs.iter().find(|(_, node)| lacks(node)) {
        Some((path, _)) => path.clone(),
        None if specs.is_empty() => Path::of(pod_spec_path(request.group, request.kind)?),
        None => return None,
    };
    Some(ReadError { path: at.key("containers"), reason: "a pod needs at least one container, found none".to_owned() })
}

/// The containers of a list by their names.
fn by_name<'n, 'r>(list: Option<&'n Node<'r>>) -> ByName<'n, 'r> {
    let items = match list.map(|list| &list.data) {
        Some(Data::Array(items)) => &items[..],
        _ => &[],
    };
    ByName::of(items.iter().filter_map(|item| Some((item.get("name")?.as_str()?, item))))
}

fn read_containers<'r, C: Deserialize<'r>>(
    items: &'r Node<'r>,
    role: Role,
    exempt: &Exempt,
    path: &Path,
    containers: &mut Vec<Container<'r, C>>,
) -> Result<(), ReadError> {
    let Data::Array(items) = &items.data else {
        return Err(ReadError { path: path.clone(), reason: "expected an array".to_owned() });
    };
    for (index, item) in items.iter().enumerate() {
        let path = path.clone().index(index);
        let located = |error: ReadError| error.below(&path);
        let head: ContainerHead<'r> = item.view().map_err(located)?;
        if exempt.container(head.name, head.image) {
            continue;
        }
        let view = item.view().map_err(located)?;
        let role = if role == Role::Init && head.restart_policy == "Always" { Role::Sidecar } else { role };
        let ContainerHead { name, image, restart_policy } = head;
        containers.push(Container { view, node: item, name, image, role, restart_policy, path });
    }
    Ok(())
}

impl<'r, S, C> Pod<'r, S, C> {
    /// The containers that the request can change and no exemption covers: init and sidecar ones, regular ones,
    /// ephemeral ones.
    pub fn containers(&self) -> impl Iterator<Item = &Container<'r, C>> {
        self.containers.iter()
    }

    /// Those of [`Self::containers`] that run as long as the pod does.
    pub fn long_running(&self) -> impl Iterator<Item = &Container<'r, C>> {
        self.containers.iter().filter(|container| container.role.is_long_running())
    }

    /// Where the pod's spec is in the object.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path.clone()
    }

    /// The path of a field of the pod's spec, present or not.
    #[must_use]
    pub fn at(&self, fields: &[&'static str]) -> Path {
        self.path().join(Path::of(fields))
    }

    /// The pod's spec as it stands, for what a view cannot name.
    #[must_use]
    pub fn node(&self) -> &'r Node<'r> {
        self.node
    }

    /// The workload's kind; of one that is not Kubernetes' own, the kind that it is like.
    #[must_use]
    pub fn kind(&self) -> &'r str {
        self.kind
    }

    /// The subresource the request is for; empty for the workload itself.
    #[must_use]
    pub fn subresource(&self) -> &'r str {
        self.subresource
    }

    /// Whether a container is started again whenever it ends. The default of `restartPolicy` is Always; Jobs do not allow it
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>). A regular container may have
    /// one of its own
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules>).
    #[must_use]
    pub fn restarts(&self, container: &Container<'_, C>) -> bool {
        let own = Some(container.restart_policy).filter(|own| container.role == Role::Regular && !own.is_empty());
        !matches!(self.kind, "Job" | "CronJob") && matches!(own.unwrap_or(self.head.restart_policy), "" | "Always")
    }

    /// Whether it says that it runs on Windows nodes, where users and groups are no numbers.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        self.head.os.name == "windows"
    }
}
