//! What a module is asked: the admission request that the API server would send, and the policy's settings.

use std::borrow::Cow;

use gatehouse_policy::{Node, Operation, Request, split_api_version};
use serde::Serialize;

use crate::resources::resource;

/// The payload of `validate`: what the policy server would make of the request
/// (<https://docs.kubewarden.io/reference/spec/validating-policies>). The same request and settings, which are JSON, make
/// the same bytes. Who asks is `gatehouse`, a user with no group but that of all who are authenticated.
///
/// # Errors
/// None for what is JSON.
pub fn payload(request: &Request<'_>, settings: &str) -> serde_json::Result<Vec<u8>> {
    let mut payload = br#"{"request":"#.to_vec();
    serde_json::to_writer(&mut payload, &Admission::of(request))?;
    payload.extend_from_slice(br#","settings":"#);
    payload.extend_from_slice(settings.as_bytes());
    payload.push(b'}');
    Ok(payload)
}

/// The `request` of an `AdmissionReview`. What is absent is left out: not every SDK reads a null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Admission<'r> {
    uid: &'static str,
    kind: GroupVersionKind<'r>,
    resource: GroupVersionResource<'r>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub_resource: &'r str,
    request_kind: GroupVersionKind<'r>,
    request_resource: GroupVersionResource<'r>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_sub_resource: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'r str,
    operation: &'static str,
    user_info: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'r Node<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_object: Option<&'r Node<'r>>,
    dry_run: bool,
    options: Options,
}

#[derive(Clone, Serialize)]
struct GroupVersionKind<'r> {
    group: &'r str,
    version: &'r str,
    kind: &'r str,
}

#[derive(Clone, Serialize)]
struct GroupVersionResource<'r> {
    group: &'r str,
    version: &'r str,
    resource: Cow<'r, str>,
}

#[derive(Serialize)]
struct User {
    username: &'static str,
    groups: [&'static str; 1],
}

#[derive(Serialize)]
struct Options {
    #[serde(rename = "apiVersion", skip_serializing_if = "str::is_empty")]
    api_version: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
}

impl<'r> Admission<'r> {
    fn of(request: &Request<'r>) -> Self {
        let object = Some(request.object).filter(|object| !object.is_null());
        let api_version = object.or(request.old_object).and_then(|object| object.get("apiVersion")?.as_str());
        let (_, version) = split_api_version(api_version.unwrap_or_default());
        let kind = GroupVersionKind { group: request.group, version, kind: request.kind };
        let resource = match request.resource {
            "" => resource(request.group, request.kind),
            named => named.into(),
        };
        let resource = GroupVersionResource { group: request.group, version, resource };
        let (operation, options) = match request.operation {
            Operation::Create => ("CREATE", "CreateOptions"),
            Operation::Update => ("UPDATE", "UpdateOptions"),
            Operation::Delete => ("DELETE", "DeleteOptions"),
            Operation::Connect => ("CONNECT", ""),
        };
        Self {
            uid: "00000000-0000-0000-0000-000000000000",
            kind: kind.clone(),
            resource: resource.clone(),
            sub_resource: request.subresource,
            request_kind: kind,
            request_resource: resource,
            request_sub_resource: request.subresource,
            name: if is_generated(request) { "" } else { request.name },
            namespace: request.namespace,
            operation,
            user_info: User { username: "gatehouse", groups: ["system:authenticated"] },
            object,
            old_object: request.old_object,
            dry_run: false,
            options: Options { api_version: if options.is_empty() { "" } else { "meta.k8s.io/v1" }, kind: options },
        }
    }
}

/// Whether the object has no name yet, only the beginning of one (`generateName`).
fn is_generated(request: &Request<'_>) -> bool {
    let metadata = |key| request.object.descend(&["metadata", key]).and_then(Node::as_str).unwrap_or_default();
    metadata("name").is_empty() && metadata("generateName") == request.name
}
