//! What a document holds: objects for an API server, something of another tool, or what was meant for an object and is none.

use std::borrow::Cow;
use std::path::Path as FilePath;

use gatehouse_engine::{Part, api_version_of, is_list, is_own_group, unserved};
use gatehouse_policy::node::{Data, Member, Span};
use gatehouse_policy::{Node, Path, Segment, nearest, split_api_version};

/// The objects of a document: itself, or the items of a list, however deep. A list is what has `items`, and an item that has
/// neither `apiVersion` nor `kind` has those of the list, as kubectl reads them (`detector` and `decodeToList` in
/// <https://github.com/kubernetes/apimachinery/blob/master/pkg/apis/meta/v1/unstructured/helpers.go>).
pub(crate) fn objects<'n, 'a>(document: &'n Node<'a>) -> Vec<Cow<'n, Node<'a>>> {
    fn items<'i, 'a>(node: &'i Node<'a>) -> Option<&'i [Node<'a>]> {
        match &node.get("items")?.data {
            Data::Array(items) if node.get("apiVersion").is_some() && node.get("kind").is_some() => Some(items),
            _ => None,
        }
    }

    fn collect<'n, 'a>(node: Cow<'n, Node<'a>>, found: &mut Vec<Cow<'n, Node<'a>>>) {
        let items: Option<Vec<Cow<'n, Node<'a>>>> = match &node {
            Cow::Borrowed(list) => items(list).map(|items| items.iter().map(Cow::Borrowed).collect()),
            Cow::Owned(list) => items(list).map(|items| items.iter().cloned().map(Cow::Owned).collect()),
        };
        let Some(items) = items else {
            found.push(node);
            return;
        };
        for item in items {
            collect(within(&node, item), found);
        }
    }

    let mut found = Vec::new();
    collect(Cow::Borrowed(document), &mut found);
    found
}

/// An item with what it has of its list.
fn within<'n, 'a>(list: &Node<'a>, item: Cow<'n, Node<'a>>) -> Cow<'n, Node<'a>> {
    let kind = list.get("kind").and_then(Node::as_str).unwrap_or_default();
    let named = |key| item.get(key).is_some();
    if !matches!(item.data, Data::Object(_)) || named("apiVersion") || named("kind") {
        return item;
    }
    let mut item = item.into_owned();
    let kind =
        Node { data: Data::String(kind.strip_suffix("List").unwrap_or(kind).to_owned().into()), span: item.span };
    let api_version = list.get("apiVersion").cloned();
    if let (Data::Object(members), Some(api_version)) = (&mut item.data, api_version) {
        members.retain(|member| !matches!(&*member.key, "apiVersion" | "kind"));
        let member = |key: &'static str, value| Member { key: key.into(), key_span: Span::default(), value };
        members.extend([member("apiVersion", api_version), member("kind", kind)]);
    }
    Cow::Owned(item)
}

/// What stands where an object may be expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// An object, as far as its kind goes.
    Object,
    /// Nothing: what stands between two `---`, or behind the last, and a list without items.
    Nothing,
    /// Something that is for no API server, and why.
    Other(String),
    /// What was meant for an object, and no API server takes.
    Refused(Refusal),
}

/// Why an object is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The field at fault.
    pub path: Path,
    /// Where it is, where that is not the field's value.
    pub span: Option<Span>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What a node of a file is. An API server takes nothing without `apiVersion` and `kind`, and nothing of a kind that it does
/// not have; only what has neither is no object, and what is plainly written for another tool.
pub(crate) fn held(node: &Node<'_>, file: Option<&FilePath>) -> Held {
    match &node.data {
        Data::Null => return Held::Nothing,
        Data::Array(items) => return array(items),
        Data::Object(_) => {}
        _ => return Held::Other("it is a single value".to_owned()),
    }
    match (given(node, "apiVersion"), given(node, "kind")) {
        (None, None) => match (misspelt(node, "apiVersion"), misspelt(node, "kind")) {
            (Some(member), Some(_)) => Held::Refused(lacking(node, "apiVersion", Some(member))),
            _ => Held::Other("it has neither apiVersion nor kind".to_owned()),
        },
        (Some(version), None) => match other_by_version(node, version, file) {
            Some(reason) => Held::Other(reason.to_owned()),
            None => Held::Refused(lacking(node, "kind", near(node, "kind"))),
        },
        (None, Some(kind)) => match other_by_kind(node, kind, file) {
            Some(reason) => Held::Other(reason.to_owned()),
            None => Held::Refused(lacking(node, "apiVersion", near(node, "apiVersion"))),
        },
        (Some(version), Some(kind)) => match (version.as_str(), kind.as_str()) {
            (Some(version), Some(kind)) => named(node, version, kind),
            // What they must be, whoever reads the object says.
            _ => Held::Object,
        },
    }
}

/// A field that is there and not empty.
fn given<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<&'n Node<'a>> {
    node.get(key).filter(|value| value.as_str() != Some(""))
}

fn members<'n, 'a>(node: &'n Node<'a>) -> &'n [Member<'a>] {
    match &node.data {
        Data::Object(members) => members,
        _ => &[],
    }
}

/// A member whose name has other capitals than it should.
fn misspelt<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<&'n Member<'a>> {
    members(node).iter().find(|member| member.key != key && member.key.eq_ignore_ascii_case(key))
}

/// A member with nearly this name.
fn near<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<&'n Member<'a>> {
    let is_near = |member: &&Member<'_>| member.key != key && nearest(&member.key, std::iter::once(key)).is_some();
    misspelt(node, key).or_else(|| members(node).iter().find(is_near))
}

fn has_body(node: &Node<'_>) -> bool {
    node.get("metadata").is_some() || node.get("spec").is_some()
}

/// Why an object without this field is refused, with what may have been meant for it.
fn lacking(node: &Node<'_>, field: &'static str, near: Option<&Member<'_>>) -> Refusal {
    let other = if field == "kind" { "apiVersion" } else { "kind" };
    let message = format!("this object has no {field}: Kubernetes refuses it");
    if let Some(near) = near {
        return Refusal {
            path: Path::root().key(near.key.clone().into_owned()),
            span: Some(near.key_span),
            message,
            help: Some(format!("write {field} in place of {}", near.key)),
        };
    }
    let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
    let help = if field == "apiVersion" {
        api_version_of(kind).map(|version| format!("write apiVersion: {version}"))
    } else {
        None
    };
    Refusal { path: Path::of(&[other]), span: None, message, help }
}

/// What an object with both names is.
fn named(node: &Node<'_>, api_version: &str, kind: &str) -> Held {
    if let Some(reason) = other_by_name(node, api_version, kind) {
        return Held::Other(reason.to_owned());
    }
    if is_list(api_version, kind) && node.get("items").is_none() {
        return Held::Nothing;
    }
    let Some(fault) = unserved(api_version, kind) else { return Held::Object };
    // A group that is nobody's, with nothing that every object has.
    if fault.help.is_none() && !is_kubernetes(api_version) && node.get("metadata").is_none() {
        return Held::Other(format!("{api_version:?} is no API of Kubernetes"));
    }
    let field = match fault.part {
        Part::ApiVersion => "apiVersion",
        Part::Kind => "kind",
    };
    Held::Refused(Refusal { path: Path::of(&[field]), span: None, message: fault.message, help: fault.help })
}

/// Whether an `apiVersion` may be one of an API server: of the core group there is only `v1`, and a group that is not
/// Kubernetes' own has a dot in its name.
fn is_kubernetes(api_version: &str) -> bool {
    match api_version.split_once('/') {
        None => api_version.strip_prefix('v').is_some_and(|rest| rest.starts_with(|of: char| of.is_ascii_digit())),
        Some((group, _)) => group.contains('.') || is_own_group(group),
    }
}

/// A bare list of objects is no document for Kubernetes, though it looks like one.
fn array(items: &[Node<'_>]) -> Held {
    let is_object = |item: &&Node<'_>| {
        let text = |key| item.get(key).and_then(Node::as_str);
        matches!((text("apiVersion"), text("kind")), (Some(version), Some(_)) if is_kubernetes(version))
    };
    match items.iter().position(|item| is_object(&item)) {
        None => Held::Other("it is a list".to_owned()),
        Some(first) => Held::Refused(Refusal {
            path: Path::root().index(first),
            span: None,
            message: "Kubernetes reads no bare list of objects".to_owned(),
            help: Some("separate them by lines of ---, or make them the items of a List".to_owned()),
        }),
    }
}

/// Why what has an `apiVersion` and no `kind` is for another tool.
fn other_by_version(node: &Node<'_>, version: &Node<'_>, file: Option<&FilePath>) -> Option<&'static str> {
    // https://grafana.com/docs/grafana/latest/administration/provisioning/
    let Some(version) = version.as_str() else { return Some("its apiVersion is no text") };
    let is_text = |key| node.get(key).is_some_and(|value| matches!(value.data, Data::String(_) | Data::Number(_)));
    // https://helm.sh/docs/topics/charts/#the-chartyaml-file
    if has_name(file, &["Chart.yaml"]) || matches!(version, "v1" | "v2") && is_text("name") && is_text("version") {
        return Some("it describes a Helm chart");
    }
    // https://helm.sh/docs/topics/chart_repository/#the-index-file
    if node.get("entries").is_some_and(|entries| matches!(entries.data, Data::Object(_))) && !has_body(node) {
        return Some("it is the index of a repository of Helm charts");
    }
    // https://docs.kubewarden.io/reference/verification-config
    if (node.get("allOf").is_some() || node.get("anyOf").is_some()) && !has_body(node) {
        return Some("it says which signatures Kubewarden trusts");
    }
    let is_number = version.starts_with(|of: char| of.is_ascii_digit());
    (is_number || !is_kubernetes(version) && !has_body(node)).then_some("its apiVersion is none of Kubernetes")
}

/// Why what has a `kind` and no `apiVersion` is for another tool.
fn other_by_kind(node: &Node<'_>, kind: &Node<'_>, file: Option<&FilePath>) -> Option<&'static str> {
    let Some(kind) = kind.as_str() else { return Some("its kind is no text") };
    // https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
    if has_name(file, KUSTOMIZATION) && matches!(kind, "Kustomization" | "Component") {
        return Some("it is for Kustomize");
    }
    // Google's discovery documents have such kinds (`discovery#restDescription`), Drone's pipelines have small letters.
    let is_other = kind.contains('#') || kind.starts_with(|of: char| of.is_ascii_lowercase()) && !has_body(node);
    (is_other && api_version_of(kind).is_none()).then_some("its kind is none of Kubernetes")
}

/// The names of Kustomize's file.
pub(crate) const KUSTOMIZATION: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Why what has an `apiVersion` and a `kind` is read by a tool and never sent to an API server.
fn other_by_name(node: &Node<'_>, api_version: &str, kind: &str) -> Option<&'static str> {
    let (group, _) = split_api_version(api_version);
    Some(match (group, kind) {
        // https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
        ("", "Config") if api_version == "v1" && !has_body(node) => "it is a configuration of kubectl",
        ("kustomize.config.k8s.io", _) => "it is for Kustomize",
        ("", _) if api_version == "builtin" => "it is for Kustomize",
        // https://skaffold.dev/docs/references/yaml/
        ("skaffold", _) => "it is for Skaffold",
        ("kind.x-k8s.io", _) => "it is for kind",
        ("kubeadm.k8s.io", _) => "it is for kubeadm",
        ("client.authentication.k8s.io", _) => "it is for kubectl",
        // https://kubernetes.io/docs/reference/config-api/
        ("audit.k8s.io" | "credentialprovider.kubelet.k8s.io", _) => "it configures Kubernetes itself",
        _ if group.ends_with(".config.k8s.io") || group.ends_with(".admission.k8s.io") => {
            "it configures Kubernetes itself"
        }
        _ => return None,
    })
}

fn has_name(file: Option<&FilePath>, names: &[&str]) -> bool {
    file.and_then(FilePath::file_name).is_some_and(|name| names.iter().any(|of| name == *of))
}

/// Why a workload is a piece of one: what the API requires of it, and what makes it do anything, is nowhere in it
/// (`ValidateDeploymentSpec` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/validation/validation.go>). Judged alone it would be
/// found to lack what it is laid over.
pub(crate) fn piece(group: &str, version: &str, kind: &str, object: &Node<'_>) -> Option<Refusal> {
    if (group, version) != ("apps", "v1") || !matches!(kind, "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
    {
        return None;
    }
    let spec = object.get("spec").filter(|spec| matches!(spec.data, Data::Object(_)))?;
    let has_image = |list: &str| match spec.descend(&["template", "spec", list]).map(|list| &list.data) {
        Some(Data::Array(containers)) => containers.iter().any(|container| container.get("image").is_some()),
        // What is no list of containers its reader finds.
        other => other.is_some(),
    };
    // Containers a level too high, or two, are no piece: they are in the wrong place.
    let is_misplaced = spec.get("containers").is_some() || spec.descend(&["template", "containers"]).is_some();
    if spec.get("selector").is_some() || is_misplaced || has_image("containers") || has_image("initContainers") {
        return None;
    }
    Some(Refusal {
        path: Path::of(&["spec"]),
        span: None,
        message: format!(
            "this is a piece of a {kind}, such as a patch of Kustomize: spec.selector and every image are missing"
        ),
        help: Some("render it and check the result: kubectl kustomize FOLDER | gatehouse check -".to_owned()),
    })
}

/// Where the containers are that a workload lacks where they belong: below a misspelt field, or a level too high.
pub(crate) fn elsewhere(object: &Node<'_>, path: &Path) -> Option<String> {
    let mut at = Path::root();
    let mut node = object;
    let mut containers = None;
    for step in path.segments() {
        let Segment::Key(key) = step else { return None };
        if node.get("containers").is_some() {
            containers = Some(at.clone().key("containers"));
        }
        let Some(next) = node.get(key) else {
            let slip = near(node, key).filter(|member| matches!(member.value.data, Data::Object(_) | Data::Array(_)));
            let slip =
                slip.map(|member| format!("write {key} in place of {}", at.key(member.key.clone().into_owned())));
            return slip.or_else(|| containers.map(|found| format!("move {found} to {path}")));
        };
        node = next;
        at = at.key(key.clone());
    }
    None
}

/// Whether a text is JSON, maybe with comments and more, of which no object has an `apiVersion` at its top. What is not even
/// that, such as JSON that ends too early, may be anything.
pub(crate) fn is_other_json(text: &str) -> bool {
    let bytes = text.as_bytes();
    // The brackets that are open, and how many of them are braces.
    let mut open = Vec::new();
    let mut braces = 0;
    let mut any = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &text[at..];
        let length = match byte {
            b'"' => {
                let Some(length) = string_length(rest) else { return false };
                let is_name = rest[length..].trim_start().starts_with(':');
                if braces <= 1 && is_name && &rest[..length] == "\"apiVersion\"" {
                    return false;
                }
                length
            }
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'#' => rest.find('\n').unwrap_or(rest.len()),
            b'{' | b'[' => {
                open.push(*byte);
                braces += usize::from(*byte == b'{');
                any = true;
                1
            }
            b'}' | b']' => {
                let matching = if *byte == b'}' { b'{' } else { b'[' };
                if open.pop() != Some(matching) {
                    return false;
                }
                braces -= usize::from(*byte == b'}');
                1
            }
            _ if rest.starts_with("apiVersion") && braces <= 1 => return false,
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += length;
    }
    any && open.is_empty()
}

/// How long the string is with which a text starts, its quotes included.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 2)
}
