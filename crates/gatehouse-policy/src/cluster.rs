//! The host of a module: the policy server, which knows the cluster and the registries
//! (<https://docs.kubewarden.io/reference/spec/host-capabilities/intro-host-capabilities>).

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::around::{ContextError, ELSEWHERE, Each, Host, Query};
use crate::node::{Data, Node};

/// The cluster that the policy server knows.
#[derive(Default)]
pub struct Cluster {
    /// Whether a list was not complete: the checker says so where it was given a few files of many.
    is_partial: AtomicBool,
    /// Whether a namespace that was asked for is not known itself.
    is_elsewhere: AtomicBool,
}

/// What the host is asked for (`ListResourcesByNamespaceRequest` and `ListAllResourcesRequest` of kubewarden-policy-sdk, whose
/// own types bring the code of maps and of Kubernetes' types).
#[derive(Serialize)]
struct ListRequest<'q> {
    api_version: &'q str,
    kind: &'q str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'q str>,
    label_selector: Option<&'q str>,
    field_selector: Option<&'q str>,
    field_masks: Vec<String>,
}

impl Host for Cluster {
    fn list(&self, query: &Query<'_>, each: &mut Each<'_>) -> Result<(), ContextError> {
        let Query { asked, namespace } = *query;
        let selector = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        let mut field_masks = asked.fields();
        field_masks.extend(["metadata.name", "metadata.namespace"].map(str::to_owned));
        let request = ListRequest {
            api_version: asked.api_version,
            kind: asked.kind,
            namespace,
            label_selector: selector(asked.label_selector),
            field_selector: selector(asked.field_selector),
            field_masks,
        };
        let operation = if namespace.is_some() { "list_resources_by_namespace" } else { "list_resources_all" };
        let what = || format!("{} {}", asked.api_version, asked.kind);
        let request = serde_json::to_vec(&request).map_err(|error| failed(&what(), &error.to_string()))?;
        let answer = match wapc_guest::host_call("kubewarden", "kubernetes", operation, &request) {
            Ok(answer) => answer,
            Err(error) => {
                let reason = error.to_string();
                return if is_not_served(&reason) { Ok(()) } else { Err(failed(&what(), &reason)) };
            }
        };
        let list = Node::nested(&answer, 2).map_err(|error| failed(&what(), &error.reason))?;
        match list.descend(&["metadata", "continue"]).and_then(Node::as_str) {
            None | Some("") => {}
            Some(ELSEWHERE) => self.is_elsewhere.store(true, Ordering::Relaxed),
            Some(_) => self.is_partial.store(true, Ordering::Relaxed),
        }
        match list.get("items").map(|items| &items.data) {
            Some(Data::Array(items)) => items.iter().try_for_each(each),
            _ => Err(failed(&what(), "the answer is no list")),
        }
    }

    #[cfg(feature = "images")]
    fn image(&self, image: &str, each: &mut Each<'_>) -> Result<(), ContextError> {
        let failed = |reason: &str| failed(&format!("image {image}"), reason);
        let request = serde_json::to_vec(image).map_err(|error| failed(&error.to_string()))?;
        let answer = wapc_guest::host_call("kubewarden", "oci", "v1/oci_manifest_config", &request)
            .map_err(|error| failed(&error.to_string()))?;
        let answer = Node::from_json(&answer).map_err(|error| failed(&error.reason))?;
        // The answer is the image's manifest, its digest and its configuration, which has the `config` of its containers.
        match answer.descend(&["config", "config"]) {
            Some(config) => each(config),
            // The checker's, of an image that nobody there knows.
            None if answer.is_null() => Ok(()),
            None if answer.get("config").is_some() => each(&Node::empty()),
            None => Err(failed("the answer has no config")),
        }
    }

    fn is_whole(&self) -> bool {
        !self.is_partial.load(Ordering::Relaxed)
    }

    fn knows(&self, _: &str) -> bool {
        self.is_whole() && !self.is_elsewhere.load(Ordering::Relaxed)
    }
}

/// Whether the cluster has no such kind, and so no object of it: what the policy server says then (`build_kube_resource` in
/// <https://github.com/kubewarden/kubewarden-controller/blob/main/crates/policy-evaluator/src/callback_handler/kubernetes/client.rs>),
/// the first of a version, the other of a group or version.
fn is_not_served(reason: &str) -> bool {
    let has = |text: &str| reason.as_bytes().windows(text.len()).any(|part| part == text.as_bytes());
    has("Cannot find resource ") || has("error finding resource ") && (has("404") || has("NotFound"))
}

fn failed(what: &str, reason: &str) -> ContextError {
    ContextError { what: what.to_owned(), reason: reason.to_owned() }
}
