//! Images that are not meant: what stands in a manifest until somebody puts the real one in its place.

use std::collections::BinaryHeap;

use gatehouse_policy::node::Data;
use gatehouse_policy::{Metadata, Node, Path, ReadError, Request, Role, pod_templates};
use serde::Deserialize;

use crate::{Container, Pod};

/// What is replaced in the pods of an object.
pub struct Placeholders<'r> {
    /// What has the metadata of each pod, and where it is.
    templates: Vec<(Path, &'r Node<'r>)>,
    /// The fields of images that are set, in order.
    triggers: Vec<String>,
}

/// The labels and annotations that Istio's injector looks at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Marked<'r> {
    #[serde(borrow)]
    metadata: Marks<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Marks<'r> {
    #[serde(borrow)]
    labels: Labels<'r>,
    #[serde(borrow)]
    annotations: Labels<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Labels<'r> {
    #[serde(rename = "sidecar.istio.io/inject")]
    inject: &'r str,
    #[serde(rename = "istio.io/rev")]
    revision: &'r str,
    #[serde(rename = "inject.istio.io/templates")]
    templates: &'r str,
}

impl<'r> Placeholders<'r> {
    /// Those of a request's object.
    pub fn of(request: &Request<'r>) -> Result<Self, ReadError> {
        let mut templates = pod_templates(request)?;
        templates.retain(|(_, template)| template.get("spec").is_some());
        Ok(Self { templates, triggers: triggers(request) })
    }

    /// Whether Istio puts its own images in the place of those that are `auto`, in the pod with this number
    /// (<https://istio.io/latest/docs/setup/additional-setup/gateway/>). Whether the labels of the namespace ask for it cannot
    /// be seen: the pod must (`injectRequired` in <https://github.com/istio/istio/blob/master/pkg/kube/inject/inject.go>).
    pub fn are_injected(&self, number: usize, pod: &Pod<'_>) -> Result<bool, ReadError> {
        let on_host = matches!(pod.node().get("hostNetwork").map(|of| &of.data), Some(Data::Bool(true)));
        let Some((path, template)) = self.templates.get(number).filter(|_| !on_host && pod.containers().any(is_auto))
        else {
            return Ok(false);
        };
        let Marks { labels, annotations } = template.view::<Marked<'_>>().map_err(|error| error.below(path))?.metadata;
        let asked = if labels.inject.is_empty() { annotations.inject } else { labels.inject };
        Ok(asked == "true" || asked != "false" && !(labels.revision.is_empty() && annotations.templates.is_empty()))
    }

    /// Whether a trigger of `OpenShift` sets the image of a container: a blank one stands for it in pod templates
    /// (<https://github.com/openshift/origin/issues/14659>).
    pub fn is_set(&self, pod: &Pod<'_>, container: &Container<'_>) -> bool {
        if container.image.is_empty() || !container.image.trim().is_empty() {
            return false;
        }
        let list = if container.role == Role::Regular { "containers" } else { "initContainers" };
        let is_set = |field: String| self.triggers.binary_search(&field).is_ok();
        is_set(format!("{}.image", container.path())) || is_set(field(&pod.path(), list, container.name))
    }
}

/// Whether the image of a container is for Istio to put in: of those that its templates have (`reapplyOverwrittenContainers` in
/// <https://github.com/istio/istio/blob/master/pkg/kube/inject/webhook.go>).
pub fn is_auto(container: &Container<'_>) -> bool {
    container.image == "auto" && matches!(container.name, "istio-proxy" | "istio-init" | "istio-validation")
}

/// The field of a container's image, as triggers name it.
fn field(pod: &Path, list: &str, name: &str) -> String {
    format!("{pod}.{list}[?(@.name==\"{name}\")].image")
}

/// What `OpenShift` sets the images of: the `fieldPath` of triggers in an annotation
/// (<https://docs.redhat.com/en/documentation/openshift_container_platform/4.17/html/images/triggering-updates-on-imagestream-changes>),
/// and the containers of a `DeploymentConfig`'s own triggers.
fn triggers(request: &Request<'_>) -> Vec<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Head<'r> {
        #[serde(borrow)]
        metadata: Metadata<'r>,
    }
    let head = request.object.view::<Head<'_>>().unwrap_or_default();
    let text = head.metadata.annotation("image.openshift.io/triggers").unwrap_or_default();
    let mut fields = BinaryHeap::new();
    if let Ok(Node { data: Data::Array(triggers), .. }) = Node::from_json(text.as_bytes()) {
        let is_paused = |trigger: &Node<'_>| match trigger.get("paused").map(|paused| &paused.data) {
            Some(Data::Bool(paused)) => *paused,
            Some(Data::String(paused)) => paused == "true",
            _ => false,
        };
        let set = triggers.iter().filter(|trigger| !is_paused(trigger));
        fields.extend(set.filter_map(|trigger| trigger.get("fieldPath")?.as_str().map(str::to_owned)));
    }
    let own = request.object.descend(&["spec", "triggers"]).map(|triggers| &triggers.data);
    if let (true, Some(Data::Array(triggers))) = (request.is("apps.openshift.io", "DeploymentConfig"), own) {
        let pod = Path::of(&["spec", "template", "spec"]);
        for names in triggers.iter().filter_map(|trigger| trigger.descend(&["imageChangeParams", "containerNames"])) {
            let Data::Array(names) = &names.data else { continue };
            for name in names.iter().filter_map(Node::as_str) {
                fields.extend(["containers", "initContainers"].map(|list| field(&pod, list, name)));
            }
        }
    }
    fields.into_sorted_vec()
}
