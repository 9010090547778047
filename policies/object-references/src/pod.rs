//! What a pod names: Secrets, `ConfigMaps`, claims and its service account.

use gatehouse_policy::{
    Context, Exempt, Node, Path, ReadError, Report, Request, Sorted, pod_specs, require_containers,
};

use crate::ask::Place;
use crate::names::{self, Named, OF_PODS, Wanted};
use crate::shape::{self, Type};
use crate::{ObjectReferences, scale};

/// A field of the items of a list that names something. What `optional: true` stands beside need not be there.
struct Field {
    list: &'static str,
    name: &'static [&'static str],
    of: &'static Named,
}

const fn field(list: &'static str, name: &'static [&'static str], of: &'static Named) -> Field {
    Field { list, name, of }
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container>
const OF_CONTAINER: &[Field] = &[
    field("env", &["valueFrom", "secretKeyRef", "name"], &names::SECRET),
    field("env", &["valueFrom", "configMapKeyRef", "name"], &names::CONFIG_MAP),
    field("envFrom", &["secretRef", "name"], &names::SECRET),
    field("envFrom", &["configMapRef", "name"], &names::CONFIG_MAP),
];

/// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec>
const OF_POD: &[Field] = &[
    field("volumes", &["secret", "secretName"], &names::SECRET),
    field("volumes", &["configMap", "name"], &names::CONFIG_MAP),
    field("volumes", &["persistentVolumeClaim", "claimName"], &names::CLAIM),
    field("volumes", &["csi", "nodePublishSecretRef", "name"], &names::SECRET),
    field("volumes", &["azureFile", "secretName"], &names::SECRET),
    field("volumes", &["cephfs", "secretRef", "name"], &names::SECRET),
    field("volumes", &["flexVolume", "secretRef", "name"], &names::SECRET),
    field("volumes", &["iscsi", "secretRef", "name"], &names::SECRET),
    field("volumes", &["rbd", "secretRef", "name"], &names::SECRET),
    field("imagePullSecrets", &["name"], &names::SECRET),
];

/// Of a projected volume.
const OF_PROJECTED: &[Field] = &[
    field("sources", &["secret", "name"], &names::SECRET),
    field("sources", &["configMap", "name"], &names::CONFIG_MAP),
];

/// The lists, and what else is read.
const CONTAINER_SHAPE: &[shape::Field] = &[
    (&["name"], Type::Text),
    (&["image"], Type::Text),
    (&["env", "*", "valueFrom", "secretKeyRef", "name"], Type::Text),
    (&["env", "*", "valueFrom", "secretKeyRef", "optional"], Type::Flag),
    (&["env", "*", "valueFrom", "configMapKeyRef", "name"], Type::Text),
    (&["env", "*", "valueFrom", "configMapKeyRef", "optional"], Type::Flag),
    (&["envFrom", "*", "secretRef", "name"], Type::Text),
    (&["envFrom", "*", "secretRef", "optional"], Type::Flag),
    (&["envFrom", "*", "configMapRef", "name"], Type::Text),
    (&["envFrom", "*", "configMapRef", "optional"], Type::Flag),
];
const POD_SHAPE: &[shape::Field] = &[
    (&["initContainers", "*"], Type::Any),
    (&["containers", "*"], Type::Any),
    (&["ephemeralContainers", "*"], Type::Any),
    (&["serviceAccountName"], Type::Text),
    (&["serviceAccount"], Type::Text),
    (&["imagePullSecrets", "*", "name"], Type::Text),
    (&["volumes", "*", "secret", "secretName"], Type::Text),
    (&["volumes", "*", "secret", "optional"], Type::Flag),
    (&["volumes", "*", "configMap", "name"], Type::Text),
    (&["volumes", "*", "configMap", "optional"], Type::Flag),
    (&["volumes", "*", "persistentVolumeClaim", "claimName"], Type::Text),
    (&["volumes", "*", "projected", "sources", "*", "secret", "name"], Type::Text),
    (&["volumes", "*", "projected", "sources", "*", "secret", "optional"], Type::Flag),
    (&["volumes", "*", "projected", "sources", "*", "configMap", "name"], Type::Text),
    (&["volumes", "*", "projected", "sources", "*", "configMap", "optional"], Type::Flag),
];

pub fn judge(
    request: &Request<'_>,
    context: &Context<'_, ObjectReferences>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    require_containers(request)?;
    let pods = pod_specs(request)?;
    let is_whole = request.subresource.is_empty();
    let mut containers = Vec::new();
    let mut projected = Vec::new();
    for (path, pod) in &pods {
        collect_containers(request, context.exempt, path, pod, &mut containers)?;
        shape::check(pod, POD_SHAPE).map_err(|error| error.below(path))?;
        for (index, volume) in pod.items(&["volumes"]).iter().enumerate() {
            if let Some(volume) = volume.get("projected") {
                projected.push((path.clone().key("volumes").index(index).key("projected"), volume));
            }
        }
    }
    // Volumes with the names of a StatefulSet's claims are those (`updateStorage` in
    // https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/statefulset/stateful_set_utils.go).
    let templates = request.object.items(&["spec", "volumeClaimTemplates"]).iter();
    let replaced: Sorted<'_> = templates.map(|of| (of.text(&["metadata", "name"]), 0)).collect();
    let mut wanted: Vec<Wanted<'_>> = OF_PODS.iter().map(|of| Wanted::of(of)).collect();
    for (path, container) in &containers {
        collect(path, container, OF_CONTAINER, &replaced, &mut wanted);
    }
    // A request for a subresource can change containers alone.
    if is_whole {
        for (path, pod) in &pods {
            collect(path, pod, OF_POD, &replaced, &mut wanted);
            // The former name of the field counts only without the other.
            let fields: [&'static [&'static str]; 2] = [&["serviceAccountName"], &["serviceAccount"]];
            if let Some(field) = fields.into_iter().find(|field| !pod.text(field).is_empty()) {
                add(&mut wanted, &names::SERVICE_ACCOUNT, pod.text(field), Place::of(path, field));
            }
        }
        for (path, volume) in &projected {
            collect(path, volume, OF_PROJECTED, &replaced, &mut wanted);
        }
    }
    for of_kind in wanted {
        of_kind.ask(context.settings, request.namespace, report);
    }
    if pods.is_empty() || request.kind == "Pod" || !is_whole {
        return Ok(());
    }
    scale::judge_replicas(request, report)
}

/// Adds the containers of a pod that the request can change and no exemption covers.
fn collect_containers<'r>(
    request: &Request<'r>,
    exempt: &Exempt,
    path: &Path,
    pod: &'r Node<'r>,
    containers: &mut Vec<(Path, &'r Node<'r>)>,
) -> Result<(), ReadError> {
    // Debuggers that are there already can be neither changed nor removed.
    let before = request.old_object.filter(|_| !request.subresource.is_empty());
    let before = before.map_or(&[][..], |old| old.items(&["spec", "ephemeralContainers"]));
    let before: Sorted<'_> = before.iter().map(|container| (container.text(&["name"]), 0)).collect();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        if !request.subresource.is_empty() && list != "ephemeralContainers" {
            continue;
        }
        for (index, container) in pod.items(&[list]).iter().enumerate() {
            let path = path.clone().key(list).index(index);
            shape::check(container, CONTAINER_SHAPE).map_err(|error| error.below(&path))?;
            let name = container.text(&["name"]);
            if before.first(name).is_none() && !exempt.container(name, container.text(&["image"])) {
                containers.push((path, container));
            }
        }
    }
    Ok(())
}

/// Adds what the items of lists name.
fn collect<'p>(base: &'p Path, node: &'p Node<'_>, fields: &[Field], replaced: &Sorted<'_>, wanted: &mut [Wanted<'p>]) {
    for field in fields {
        let way = field.name.split_last().map_or(field.name, |(_, way)| way);
        for (index, item) in node.items(&[field.list]).iter().enumerate() {
            if field.list == "volumes" && replaced.first(item.text(&["name"])).is_some() {
                continue;
            }
            let is_optional = item.descend(way).and_then(|of| of.get("optional")).is_some_and(|of| *of == true.into());
            if !is_optional {
                let place = Place::in_list(base, field.list, index, field.name);
                add(wanted, field.of, item.text(field.name), place);
            }
        }
    }
}

fn add<'p>(wanted: &mut [Wanted<'p>], of: &Named, name: &'p str, place: Place<'p>) {
    if let Some(wanted) = wanted.iter_mut().find(|wanted| wanted.of.kind() == of.kind()) {
        wanted.add(name, place);
    }
}
