//! What a pod names: Secrets, `ConfigMaps`, claims and its service account.

use gatehouse_policy::{Context, Node, Path, ReadError, Report, Request};
use serde::Deserialize;

use crate::ask::{At, Place};
use crate::names::{self, NAMED, Named, Wanted};
use crate::read::{flag, items, text};
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

type Pod<'r> = gatehouse_policy::Pod<'r, Nothing, Nothing>;
type Container<'r> = gatehouse_policy::Container<'r, Nothing>;

#[derive(Deserialize)]
struct Nothing {}

impl At for Pod<'_> {
    fn at(&self) -> Path {
        self.path()
    }
}

impl At for Container<'_> {
    fn at(&self) -> Path {
        self.path()
    }
}

impl Field {
    /// The name that an item has there; empty where there need be no such object.
    fn needed<'n>(&self, item: &'n Node<'_>) -> Result<&'n str, ReadError> {
        let way = self.name.split_last().map_or(self.name, |(_, way)| way);
        let Some(named) = item.within(way)? else { return Ok("") };
        let is_optional = flag(named, &["optional"]).map_err(|error| error.below(&Path::of(way)))?;
        if is_optional { Ok("") } else { text(item, self.name) }
    }
}

pub fn judge(
    request: &Request<'_>,
    context: &Context<'_, ObjectReferences>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let pods = Pod::read(request, context.exempt)?;
    let mut projected: Vec<(Path, &Node<'_>)> = Vec::new();
    for pod in &pods {
        for (index, volume) in
            items(pod.node(), &["volumes"]).map_err(|error| error.below(&pod.path()))?.iter().enumerate()
        {
            if let Some(volume) = volume.get("projected") {
                projected.push((pod.at(&["volumes"]).index(index).key("projected"), volume));
            }
        }
    }
    let mut wanted: Vec<Wanted<'_>> = NAMED.iter().map(|of| Wanted::of(of)).collect();
    for pod in &pods {
        for container in pod.containers() {
            collect(container, container.node(), OF_CONTAINER, &mut wanted)?;
        }
        // A request for a subresource can change containers alone.
        if pod.subresource().is_empty() {
            collect(pod, pod.node(), OF_POD, &mut wanted)?;
            let located = |error: ReadError| error.below(&pod.path());
            let account = |field| text(pod.node(), field).map_err(located);
            // The former name of the field counts only without the other.
            let name = account(&["serviceAccountName"])?;
            add(&mut wanted, &names::SERVICE_ACCOUNT, name, Place::of(pod, &["serviceAccountName"]));
            let former = account(&["serviceAccount"])?;
            if name.is_empty() {
                add(&mut wanted, &names::SERVICE_ACCOUNT, former, Place::of(pod, &["serviceAccount"]));
            }
        }
    }
    if request.subresource.is_empty() {
        for (path, volume) in &projected {
            collect(path, volume, OF_PROJECTED, &mut wanted)?;
        }
        if !pods.is_empty() && request.kind != "Pod" {
            scale::judge_replicas(request, report)?;
        }
    }
    for of_kind in wanted {
        of_kind.ask(context.settings, request.namespace, report);
    }
    Ok(())
}

/// Adds what the items of lists name.
fn collect<'p>(
    base: &'p dyn At,
    node: &'p Node<'_>,
    fields: &[Field],
    wanted: &mut [Wanted<'p>],
) -> Result<(), ReadError> {
    for field in fields {
        for (index, item) in items(node, &[field.list]).map_err(|error| error.below(&base.at()))?.iter().enumerate() {
            let place = Place::in_list(base, field.list, index, field.name);
            let name = field.needed(item).map_err(|error| error.below(&place.item()))?;
            add(wanted, field.of, name, place);
        }
    }
    Ok(())
}

fn add<'p>(wanted: &mut [Wanted<'p>], of: &Named, name: &'p str, place: Place<'p>) {
    if let Some(wanted) = wanted.iter_mut().find(|wanted| wanted.of.kind == of.kind) {
        wanted.add(name, place);
    }
}
