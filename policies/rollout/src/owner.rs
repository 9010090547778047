//! Whether a controller made a `ReplicaSet` or `ReplicationController`, and scales it as its owner says.

use gatehouse_policy::{Node, Operation, ReadError, Request, split_api_version};
use serde::Deserialize;

/// The longest name of a `ReplicaSet` (`DNS1123SubdomainMaxLength` in
/// <https://github.com/kubernetes/apimachinery/blob/master/pkg/util/validation/validation.go>).
const LONGEST_NAME: usize = 253;

/// Whether the object is its owner's affair. An owner reference alone does not make it one: anybody can write it. The object
/// must have the name and labels that the owner's controller gives. Who takes the reference off, and nothing else, as
/// `kubectl delete --cascade=orphan` has it done, need not answer for what the controller made.
pub fn is_made(request: &Request<'_>) -> Result<bool, ReadError> {
    if is_made_by_owner(request, request.object)? {
        return Ok(true);
    }
    match request.old_object {
        Some(old) if request.operation == Operation::Update && old.get("spec") == request.object.get("spec") => {
            is_made_by_owner(request, old)
        }
        _ => Ok(false),
    }
}

fn is_made_by_owner(request: &Request<'_>, object: &Node<'_>) -> Result<bool, ReadError> {
    let Object { metadata } = object.view()?;
    let Some(owner) = metadata.owner_references.iter().find(|owner| owner.controller) else { return Ok(false) };
    let text = |at: &[&str]| object.descend(at).and_then(Node::as_str);
    let (group, _) = split_api_version(owner.api_version);
    // The object, its selector and its pods have the same hash of the template.
    let hash = |key| {
        let hash = text(&["metadata", "labels", key]).filter(|hash| !hash.is_empty());
        let is_same = |at: &[&str]| text(at) == hash;
        hash.filter(|_| {
            is_same(&["spec", "selector", "matchLabels", key])
                && is_same(&["spec", "template", "metadata", "labels", key])
        })
    };
    Ok(match (request.kind, group, owner.kind) {
        // `getNewReplicaSet` and `generateReplicaSetName` in
        // https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/sync.go; before Kubernetes 1.9 the
        // group was extensions.
        ("ReplicaSet", "apps" | "extensions", "Deployment") => {
            hash("pod-template-hash").is_some_and(|hash| is_name(request.name, owner.name, hash))
        }
        // `createDesiredReplicaSet` in https://github.com/argoproj/argo-rollouts/blob/master/rollout/sync.go
        ("ReplicaSet", "argoproj.io", "Rollout") => {
            hash("rollouts-pod-template-hash").is_some_and(|hash| is_name(request.name, owner.name, hash))
        }
        // `newReplicaSetFromTemplate` in https://github.com/argoproj/argo-rollouts/blob/master/experiments/replicaset.go: the
        // name ends in that of the template.
        ("ReplicaSet", "argoproj.io", "Experiment") => {
            hash("rollouts-pod-template-hash").is_some() && suffix(request.name, owner.name).is_some()
        }
        // `MakeDeployment` and `LatestDeploymentNameForConfig` in
        // https://github.com/openshift/library-go/blob/master/pkg/apps/appsutil/util.go: the name ends in the number of the
        // version.
        ("ReplicationController", "apps.openshift.io", "DeploymentConfig") => {
            suffix(request.name, owner.name).is_some_and(|version| version.bytes().all(|digit| digit.is_ascii_digit()))
                && text(&["spec", "selector", "deployment"]) == Some(request.name)
                && text(&["spec", "template", "metadata", "labels", "deployment"]) == Some(request.name)
        }
        _ => false,
    })
}

/// Whether a name is the owner's, cut where it would be too long, and the hash.
fn is_name(name: &str, owner: &str, hash: &str) -> bool {
    let Some(start) = name.strip_suffix(hash).and_then(|start| start.strip_suffix('-')) else { return false };
    start == owner || (name.len() == LONGEST_NAME && owner.starts_with(start))
}

/// What follows the owner's name and a dash.
fn suffix<'n>(name: &'n str, owner: &str) -> Option<&'n str> {
    name.strip_prefix(owner)?.strip_prefix('-').filter(|suffix| !suffix.is_empty())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object<'r> {
    #[serde(borrow)]
    metadata: Metadata<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata<'r> {
    #[serde(borrow)]
    owner_references: Vec<Owner<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Owner<'r> {
    api_version: &'r str,
    kind: &'r str,
    name: &'r str,
    controller: bool,
}
