//! Workloads: where each kind keeps its pod, and which containers are of what sort.

use std::fmt::{self, Display};
use std::ops::Deref;

use serde::Deserialize;

use crate::node::{Data, Node};
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

/// Where a kind of workload keeps its pod's spec; `None` for other kinds.
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

impl<'r, S: Deserialize<'r>, C: Deserialize<'r>> Pod<'r, S, C> {
    /// The pod of the request's workload; `None` where the object is no workload or has no pod.
    ///
    /// Of a request for the subresource `ephemeralcontainers` or `resize` it holds only the containers that the request
    /// can change: who attaches a debugger need not answer for the rest of the pod, nor for the debuggers before, which
    /// can be neither changed nor removed (`ValidatePodEphemeralContainersUpdate` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>); and an init container
    /// that is no sidecar is left out of a resize unless this one changes it, as may be done since Kubernetes 1.36
    /// (<https://github.com/kubernetes/kubernetes/pull/137352>): it may have ended long ago.
    ///
    /// # Errors
    /// Where a field that a view names has another type than the API gives it.
    pub fn read(request: &Request<'r>, exempt: &Exempt) -> Result<Option<Self>, ReadError> {
        let Some(keys) = pod_spec_path(request.group, request.kind) else { return Ok(None) };
        let Some(node) = request.object.within(keys)? else { return Ok(None) };
        let path = Path::of(keys);
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
        match request.subresource {
            "ephemeralcontainers" => {
                let before = request.old_object.and_then(|old| old.descend(keys)?.get("ephemeralContainers"));
                containers.retain(|container| named(before, container.name).is_none());
            }
            "resize" => containers
                .retain(|Container { role, name, .. }| *role != Role::Init || changes_resources(request, keys, name)),
            _ => {}
        }
        Ok(Some(Self { spec, head, kind: request.kind, subresource: request.subresource, path, containers }))
    }
}

/// Whether a request changes the resources of an init container.
fn changes_resources(request: &Request<'_>, keys: &[&str], name: &str) -> bool {
    let of = |object: &Node<'_>| {
        let list = object.descend(keys)?.get("initContainers");
        Some(named(list, name)?.get("resources").map(Node::to_json))
    };
    request.old_object.is_some_and(|before| of(before) != of(request.object))
}

/// The container of that name in a list.
fn named<'n, 'r>(list: Option<&'n Node<'r>>, name: &str) -> Option<&'n Node<'r>> {
    let Data::Array(items) = &list?.data else { return None };
    items.iter().find(|item| item.get("name").and_then(Node::as_str) == Some(name))
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
        containers.push(Container { view, name, image, role, restart_policy, path });
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

    /// The workload's kind.
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
