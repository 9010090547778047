//! The objects among which others are judged: what policies ask for, kept as an index of the fields they name.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use gatehouse_policy::image::Reference;
use gatehouse_policy::node::{Data, Member};
use gatehouse_policy::{Asked, ContextError, Each, Host, Node, Query, split_api_version};

use crate::selection::Selection;

/// Which objects are asked for, and which of their fields.
#[derive(Clone, Debug, Default)]
pub struct Asks(BTreeMap<(String, String), Mask>);

/// Fields, and those within them; without any it is all there is.
#[derive(Clone, Debug, Default)]
struct Mask(BTreeMap<String, Mask>);

impl Asks {
    /// Adds what a policy asks for.
    pub fn add(&mut self, asked: &Asked) {
        let mut fields = asked.fields();
        if !asked.label_selector.is_empty() {
            fields.push("metadata.labels".to_owned());
        }
        fields.extend(Selection::fields(asked.field_selector));
        self.insert(asked.api_version, asked.kind, &fields);
    }

    /// Adds a kind of which all is asked for.
    pub fn add_whole(&mut self, api_version: &str, kind: &str) {
        self.insert(api_version, kind, &[]);
    }

    fn insert(&mut self, api_version: &str, kind: &str, fields: &[String]) {
        let (group, _) = split_api_version(api_version);
        let key = (group.to_owned(), kind.to_owned());
        // Which namespaces there are tells how much of one is known.
        if !self.0.contains_key(&(String::new(), NAMESPACE.to_owned())) && kind != NAMESPACE {
            self.insert("v1", NAMESPACE, &["metadata.name".to_owned()]);
        }
        if fields.is_empty() {
            self.0.insert(key, Mask::default());
            return;
        }
        let is_new = !self.0.contains_key(&key);
        let mask = self.0.entry(key).or_default();
        // One that keeps all stays as it is.
        if is_new || !mask.0.is_empty() {
            let head = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];
            for field in head.into_iter().chain(fields.iter().map(String::as_str)) {
                mask.insert(field);
            }
        }
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What of an object is asked for, if anything is. `namespace` is the one that it is in: the empty one is the cluster.
    #[must_use]
    pub fn keep(&self, group: &str, kind: &str, namespace: &str, object: &Node<'_>) -> Option<Piece> {
        if self.0.is_empty() {
            return None;
        }
        let key = (group.to_owned(), kind.to_owned());
        let mask = self.0.get(&key)?;
        let mut kept = mask.prune(object);
        if let Data::Object(members) = &mut kept.data
            && let Some(metadata) = members.iter_mut().find(|member| member.key == "metadata")
            && let Data::Object(members) = &mut metadata.value.data
        {
            members.retain(|member| member.key != "namespace");
            if !namespace.is_empty() {
                let value = Data::String(Cow::Borrowed(namespace)).into();
                members.push(Member { key: "namespace".into(), key_span: metadata.key_span, value });
            }
        }
        let name = object.descend(&["metadata", "name"]).and_then(Node::as_str).unwrap_or_default();
        Some(Piece { kind: key, namespace: namespace.into(), name: name.into(), json: kept.to_json().into() })
    }
}

impl Mask {
    fn insert(&mut self, field: &str) {
        let mut mask = self;
        for step in field.split('.') {
            mask = mask.0.entry(step.to_owned()).or_default();
        }
    }

    /// The fields of the mask; lists are passed through (`prune_in_place` in
    /// <https://github.com/kubewarden/kubewarden-controller/blob/main/crates/policy-evaluator/src/callback_handler/kubernetes/field_mask.rs>).
    fn prune<'n>(&self, node: &'n Node<'_>) -> Node<'n> {
        let data = match &node.data {
            Data::Null => Data::Null,
            Data::Bool(value) => Data::Bool(*value),
            Data::Number(number) => Data::Number(number.clone()),
            Data::String(text) => Data::String(Cow::Borrowed(text)),
            Data::Array(items) => Data::Array(items.iter().map(|item| self.prune(item)).collect()),
            Data::Object(members) => Data::Object(
                members
                    .iter()
                    .filter_map(|member| {
                        let everything = Self::default();
                        let mask = if self.0.is_empty() { &everything } else { self.0.get(&*member.key)? };
                        let key = Cow::Borrowed(&*member.key);
                        Some(Member { key, key_span: member.key_span, value: mask.prune(&member.value) })
                    })
                    .collect(),
            ),
        };
        data.into()
    }
}

/// What is kept of an object.
#[derive(Clone, Debug)]
pub struct Piece {
    kind: (String, String),
    namespace: Box<str>,
    name: Box<str>,
    json: Box<str>,
}

impl Piece {
    /// An object that is made by something that is not told here, in a namespace or, with `None`, in whichever it is needed.
    #[must_use]
    pub fn made(kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let json = serde_json::json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}).to_string();
        let namespace = namespace.unwrap_or(ANYWHERE).into();
        Self { kind: (String::new(), kind.to_owned()), namespace, name: name.into(), json: json.into() }
    }
}

/// The kind of namespaces.
const NAMESPACE: &str = "Namespace";

/// No namespace has this name.
const ANYWHERE: &str = "*";

/// The objects among which others are judged.
#[derive(Debug, Default)]
pub struct Surroundings {
    kinds: HashMap<(String, String), Namespaces>,
    /// The configurations of images, as JSON, by reference.
    images: BTreeMap<String, String>,
    is_whole: bool,
    /// Whether every namespace is known, or those alone that are among the objects.
    is_cluster: bool,
}

/// The objects of a kind by namespace, each with its name.
type Namespaces = BTreeMap<Box<str>, Vec<(Box<str>, Box<str>)>>;

impl Surroundings {
    /// None yet. With `is_whole` what is not among them is not there.
    #[must_use]
    pub fn new(is_whole: bool) -> Self {
        Self { is_whole, ..Self::default() }
    }

    /// As in a cluster: what is not among them is not there, and every namespace is.
    #[must_use]
    pub fn of_cluster() -> Self {
        Self { is_whole: true, is_cluster: true, ..Self::default() }
    }

    /// Adds an object. Several of one name, such as those of two overlays, all count: each may be what another one refers to.
    pub fn add(&mut self, piece: Piece) {
        let Piece { kind, namespace, name, json } = piece;
        self.kinds.entry(kind).or_default().entry(namespace).or_default().push((name, json));
    }

    /// Adds an image: its configuration, as JSON.
    pub fn add_image(&mut self, image: &str, config: String) {
        self.images.insert(normal(image), config);
    }

    /// The JSON of what is asked for.
    pub(crate) fn select<'s>(
        &'s self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&'s str, &'s str)> {
        let namespaces = self.kinds.get(&(group.to_owned(), kind.to_owned()));
        let one = namespace.map(|namespace| [namespace, ANYWHERE]);
        let all = namespaces.into_iter().flatten().filter(move |_| one.is_none()).map(|(_, objects)| objects);
        let named = one.into_iter().flatten().filter_map(move |name| namespaces?.get(name));
        all.chain(named).flatten().map(|(name, json)| (&**name, &**json))
    }

    /// The configuration of an image, as JSON.
    pub(crate) fn config(&self, image: &str) -> Option<&str> {
        self.images.get(&normal(image)).map(String::as_str)
    }
}

/// The same text for all ways to write a reference.
fn normal(image: &str) -> String {
    let Ok(reference) = Reference::parse(image) else { return image.to_owned() };
    let name = format!("{}/{}", reference.domain(), reference.repository());
    match (reference.tag(), reference.digest()) {
        (_, Some(digest)) => format!("{name}@{digest}"),
        (tag, None) => format!("{name}:{}", tag.unwrap_or("latest")),
    }
}

impl Host for Surroundings {
    fn list(&self, query: &Query<'_>, each: &mut Each<'_>) -> Result<(), ContextError> {
        let Query { asked, namespace } = *query;
        let failed = |reason: String| ContextError { what: format!("{} {}", asked.api_version, asked.kind), reason };
        let selection = Selection::parse(asked.label_selector, asked.field_selector).map_err(failed)?;
        for (_, json) in self.select(asked.group(), asked.kind, namespace) {
            let object = Node::from_json(json.as_bytes()).map_err(|error| failed(error.reason))?;
            if selection.selects(&object) {
                each(&object)?;
            }
        }
        Ok(())
    }

    fn image(&self, image: &str, each: &mut Each<'_>) -> Result<(), ContextError> {
        let Some(config) = self.config(image) else { return Ok(()) };
        let failed = |reason: String| ContextError { what: format!("image {image}"), reason };
        let config = Node::from_json(config.as_bytes()).map_err(|error| failed(error.reason))?;
        match config.get("config") {
            Some(config) => each(config),
            None => each(&Node::empty()),
        }
    }

    fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn knows(&self, namespace: &str) -> bool {
        self.is_whole && (self.is_cluster || self.select("", NAMESPACE, None).any(|(name, _)| name == namespace))
    }
}
