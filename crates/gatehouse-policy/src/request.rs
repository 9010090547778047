//! The request that a policy judges.

use serde::Deserialize;

use crate::node::{Data, Member, Node};
use crate::path::Path;
use crate::view::ReadError;

/// An admission request, as far as policies look at it
/// (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request>).
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The API group of the object's kind; empty for the core group.
    pub group: &'r str,
    /// The object's kind.
    pub kind: &'r str,
    /// What the request is for, as the API names it: `deployments`, also where the object is the `Scale` of one. Empty
    /// where the request was made of a file, which says no more than the kind.
    pub resource: &'r str,
    /// The subresource that is requested, such as `ephemeralcontainers`; empty for the object itself.
    pub subresource: &'r str,
    /// What is done.
    pub operation: Operation,
    /// The object's namespace; empty for an object of the cluster.
    pub namespace: &'r str,
    /// The object's name, or else its `generateName`.
    pub name: &'r str,
    /// The object as it is to become.
    pub object: &'r Node<'r>,
    /// The object as it is, for UPDATE and DELETE.
    pub old_object: Option<&'r Node<'r>>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Makes an object.
    Create,
    /// Changes one.
    Update,
    /// Deletes one.
    Delete,
    /// Connects to one, as `kubectl exec` does.
    Connect,
}

impl<'r> Request<'r> {
    /// Whether nothing in the object's spec may be mended: what a Pod runs with cannot be changed once it is there, nor can a
    /// Job's template (`ValidatePodUpdate` and `ValidateJobUpdate` below
    /// <https://github.com/kubernetes/kubernetes/tree/master/pkg/apis>), so that a request that is fine would be refused for
    /// its fix. And what a controller made is compared with what it wanted: a Deployment whose `ReplicaSet`s are changed makes
    /// new ones without end (`EqualIgnoreHash` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/util/deployment_util.go>).
    pub(crate) fn is_settled(&self) -> bool {
        let is_changed = self.operation == Operation::Update && self.subresource.is_empty();
        match (self.group, self.kind) {
            ("", "Pod") | ("batch", "Job") => is_changed,
            ("apps", "ReplicaSet") | ("", "ReplicationController") => self.has_controller(),
            _ => false,
        }
    }

    /// Whether a controller made the object.
    fn has_controller(&self) -> bool {
        let owners = self.object.descend(&["metadata", "ownerReferences"]);
        let Some(Data::Array(owners)) = owners.map(|owners| &owners.data) else { return false };
        owners.iter().any(|owner| matches!(owner.get("controller").map(|of| &of.data), Some(Data::Bool(true))))
    }

    /// The request that would make this object, as a file holds it. Its namespace is `default_namespace` where it says
    /// none.
    ///
    /// # Errors
    /// Where `apiVersion`, `kind`, or the names are no strings.
    pub fn create(object: &'r Node<'r>, default_namespace: &'r str) -> Result<Self, ReadError> {
        let head: Head<'r> = object.view()?;
        let (group, _) = split_api_version(head.api_version);
        let namespace = if head.metadata.namespace.is_empty() { default_namespace } else { head.metadata.namespace };
        Ok(Self {
            group,
            kind: head.kind,
            resource: "",
            subresource: "",
            operation: Operation::Create,
            namespace,
            name: head.metadata.name(),
            object,
            old_object: None,
        })
    }

    /// Reads the `request` of an `AdmissionReview`.
    ///
    /// # Errors
    /// Where it is no such thing: the field at fault is named.
    pub fn read(request: &'r Node<'r>) -> Result<Self, ReadError> {
        static ABSENT: Node<'static> = Node {
            data: crate::node::Data::Null,
            span: crate::node::Span { line: 0, column: 0, end_line: 0, end_column: 0 },
        };
        let view: RequestView<'r> = request.view()?;
        let operation = match view.operation {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            "DELETE" => Operation::Delete,
            "CONNECT" => Operation::Connect,
            other => {
                let reason = format!("expected CREATE, UPDATE, DELETE or CONNECT, found {other:?}");
                return Err(ReadError { path: Path::of(&["operation"]), reason });
            }
        };
        if view.kind.kind.is_empty() {
            return Err(ReadError { path: Path::of(&["kind"]), reason: "it is required".to_owned() });
        }
        let object = request.get("object");
        let judged = matches!(operation, Operation::Create | Operation::Update);
        if object.is_none() && judged {
            return Err(ReadError { path: Path::of(&["object"]), reason: "it is required".to_owned() });
        }
        let object = object.unwrap_or(&ABSENT);
        let metadata = if judged {
            object.view::<Head<'r>>().map_err(|error| error.below(&Path::of(&["object"])))?.metadata
        } else {
            Metadata::default()
        };
        Ok(Self {
            group: view.kind.group,
            kind: view.kind.kind,
            resource: view.resource.resource,
            subresource: view.sub_resource,
            operation,
            namespace: view.namespace,
            name: if view.name.is_empty() { metadata.name() } else { view.name },
            object,
            old_object: request.get("oldObject"),
        })
    }

    /// Whether the request is accepted whatever the object: a DELETE; a connection; an UPDATE that takes finalizers off an
    /// object that is being deleted already, and changes nothing else. Any other change of such an object is judged: a
    /// finalizer may hold it for as long as somebody likes, and all that while it works. A `deletionTimestamp` in the new
    /// object says nothing: anyone can write one into a file.
    #[must_use]
    pub(crate) fn is_beyond_judgement(&self) -> bool {
        match self.operation {
            Operation::Delete | Operation::Connect => true,
            Operation::Create => false,
            Operation::Update => self.old_object.is_some_and(|old| {
                old.descend(&["metadata", "deletionTimestamp"]).is_some() && changes_finalizers_alone(old, self.object)
            }),
        }
    }

    /// Whether the object is of this kind.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

/// Whether nothing but finalizers, and what the API server itself writes, differs between two states of an object
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-deletion>).
fn changes_finalizers_alone(before: &Node<'_>, after: &Node<'_>) -> bool {
    const METADATA: &[&str] = &[
        "finalizers",
        "managedFields",
        "resourceVersion",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let metadata = |of| Node::get(of, "metadata").unwrap_or(of);
    is_same_but(before, after, &["metadata", "status"]) && is_same_but(metadata(before), metadata(after), METADATA)
}

/// Whether two objects have the same members, save for some. A `null` is the same as none.
fn is_same_but(one: &Node<'_>, other: &Node<'_>, but: &[&str]) -> bool {
    let (Data::Object(one_members), Data::Object(other_members)) = (&one.data, &other.data) else { return false };
    let counts = |member: &&Member<'_>| !member.value.is_null() && !but.contains(&&*member.key);
    let has = |member: &Member<'_>| other.get(&member.key).is_some_and(|value| *value == member.value);
    let number = |members: &[Member<'_>]| members.iter().filter(counts).count();
    number(one_members) == number(other_members) && one_members.iter().filter(counts).all(has)
}

/// The group and the version of an `apiVersion`; the core group is empty.
#[must_use]
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestView<'r> {
    #[serde(borrow)]
    kind: Kind<'r>,
    #[serde(borrow)]
    resource: Resource<'r>,
    #[serde(alias = "sub_resource")]
    sub_resource: &'r str,
    name: &'r str,
    namespace: &'r str,
    operation: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind<'r> {
    group: &'r str,
    kind: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource<'r> {
    resource: &'r str,
}

/// What every object starts with.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Head<'r> {
    api_version: &'r str,
    kind: &'r str,
    #[serde(borrow)]
    metadata: Metadata<'r>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'r> {
    name: &'r str,
    generate_name: &'r str,
    namespace: &'r str,
}

impl<'r> Metadata<'r> {
    fn name(&self) -> &'r str {
        if self.name.is_empty() { self.generate_name } else { self.name }
    }
}
