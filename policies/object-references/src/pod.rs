//! What a pod names: Secrets, `ConfigMaps`, claims and its service account.

use gatehouse_policy::{
    Context, Exempt, Node, Path, ReadError, Report, Request, Sorted, pod_specs, require_containers,
};

use crate::ask::Place;
use crate::names::{self, OF_PODS, Sort, Wanted};
use crate::shape::{self, Type};
use crate::{ObjectReferences, scale};

/// A field that names something, and of which sort.
type Field = (&'static [&'static str], &'static Sort);

/// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container>
const OF_VARIABLE: &[Field] = &[
    (&["valueFrom", "secretKeyRef", "name"], &names::SECRET),
    (&["valueFrom", "configMapKeyRef", "name"], &names::CONFIG_MAP),
];
const OF_ENV_FROM: &[Field] =
    &[(&["secretRef", "name"], &names::SECRET), (&["configMapRef", "name"], &names::CONFIG_MAP)];
/// <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/>
const OF_VOLUME: &[Field] = &[
    (&["secret", "secretName"], &names::SECRET),
    (&["configMap", "name"], &names::CONFIG_MAP),
    (&["persistentVolumeClaim", "claimName"], &names::CLAIM),
    (&["csi", "nodePublishSecretRef", "name"], &names::SECRET),
    (&["azureFile", "secretName"], &names::SECRET),
    (&["cephfs", "secretRef", "name"], &names::SECRET),
    (&["flexVolume", "secretRef", "name"], &names::SECRET),
    (&["iscsi", "secretRef", "name"], &names::SECRET),
    (&["rbd", "secretRef", "name"], &names::SECRET),
];
/// Of a projected volume.
const OF_SOURCE: &[Field] = &[(&["secret", "name"], &names::SECRET), (&["configMap", "name"], &names::CONFIG_MAP)];
const OF_PULL_SECRET: &[Field] = &[(&["name"], &names::SECRET)];

/// What is read of a container, and of a pod.
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
    // Volumes with the names of a StatefulSet's claims are those (`updateStorage` in
    // https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/statefulset/stateful_set_utils.go).
    let templates = request.object.items(&["spec", "volumeClaimTemplates"]).iter();
    let replaced: Sorted<'_> = templates.map(|of| (of.text(&["metadata", "name"]), 0)).collect();
    let mut wanted: Vec<Wanted<'_>> = OF_PODS.iter().map(|of| Wanted::of(of)).collect();
    for (path, pod) in &pods {
        add_containers(request, context.exempt, path, pod, &mut wanted)?;
        // A request for a subresource can change containers alone.
        if !request.subresource.is_empty() {
            continue;
        }
        shape::check(pod, POD_SHAPE).map_err(|error| error.below(path))?;
        let at = Place::of(path);
        for (index, volume) in pod.items(&["volumes"]).iter().enumerate() {
            if replaced.first(volume.text(&["name"])).is_none() {
                add_fields(at.item(&["volumes"], index), volume, OF_VOLUME, &mut wanted);
            }
        }
        for (index, volume) in pod.items(&["volumes"]).iter().enumerate() {
            let at = at.item(&["volumes"], index);
            add_items(at, volume, &["projected", "sources"], OF_SOURCE, &mut wanted);
        }
        add_items(at, pod, &["imagePullSecrets"], OF_PULL_SECRET, &mut wanted);
        // The former name of the field counts only without the other.
        let fields: [&'static [&'static str]; 2] = [&["serviceAccountName"], &["serviceAccount"]];
        if let Some(field) = fields.into_iter().find(|field| !pod.text(field).is_empty()) {
            add(&mut wanted, &names::SERVICE_ACCOUNT, pod.text(field), at.field(field));
        }
    }
    for of_kind in wanted {
        of_kind.ask(context.settings, request.namespace, report);
    }
    if pods.is_empty() || request.kind == "Pod" || !request.subresource.is_empty() {
        return Ok(());
    }
    scale::judge_replicas(request, report)
}

/// Adds what the containers of a pod name, those that the request can change and no exemption covers.
fn add_containers<'p>(
    request: &Request<'_>,
    exempt: &Exempt,
    path: &'p Path,
    pod: &'p Node<'_>,
    wanted: &mut [Wanted<'p>],
) -> Result<(), ReadError> {
    // Debuggers that are there already can be neither changed nor removed.
    let before = request.old_object.filter(|_| !request.subresource.is_empty());
    let before = before.map_or(&[][..], |old| old.items(&["spec", "ephemeralContainers"]));
    let before: Sorted<'_> = before.iter().map(|container| (container.text(&["name"]), 0)).collect();
    let lists: [&'static [&'static str]; 3] = [&["initContainers"], &["containers"], &["ephemeralContainers"]];
    for list in lists {
        if !request.subresource.is_empty() && list != ["ephemeralContainers"] {
            continue;
        }
        for (index, container) in pod.items(list).iter().enumerate() {
            let at = Place::of(path).item(list, index);
            shape::check(container, CONTAINER_SHAPE).map_err(|error| error.below(&at.path()))?;
            let name = container.text(&["name"]);
            if before.first(name).is_none() && !exempt.container(name, container.text(&["image"])) {
                add_items(at, container, &["env"], OF_VARIABLE, wanted);
                add_items(at, container, &["envFrom"], OF_ENV_FROM, wanted);
            }
        }
    }
    Ok(())
}

/// Adds what the items of a list name.
fn add_items<'p>(
    at: Place<'p>,
    node: &'p Node<'_>,
    list: &'static [&'static str],
    fields: &[Field],
    wanted: &mut [Wanted<'p>],
) {
    for (index, item) in node.items(list).iter().enumerate() {
        add_fields(at.item(list, index), item, fields, wanted);
    }
}

/// Adds what the fields of a node name. What `optional: true` stands beside need not be there.
fn add_fields<'p>(at: Place<'p>, node: &'p Node<'_>, fields: &[Field], wanted: &mut [Wanted<'p>]) {
    for (field, of) in fields {
        let way = field.split_last().map_or(*field, |(_, way)| way);
        let optional = node.descend(way).and_then(|named| named.get("optional"));
        if optional.is_none_or(|optional| *optional != true.into()) {
            add(wanted, of, node.text(field), at.field(field));
        }
    }
}

fn add<'p>(wanted: &mut [Wanted<'p>], of: &Sort, name: &'p str, place: Place<'p>) {
    if let Some(wanted) = wanted.iter_mut().find(|wanted| wanted.of.kind() == of.kind()) {
        wanted.add(name, place);
    }
}
