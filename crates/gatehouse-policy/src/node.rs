//! The tree that every object, request and settings document is read into, natively and in a module alike.
//!
//! One tree serves all policies: each reads its own small view from it (see [`Node::view`]), borrowing every string. In
//! the checker a node also knows where in its file it stands, so that a finding's path becomes a line and a column.

use std::borrow::Cow;
#[cfg(not(target_arch = "wasm32"))]
use std::collections::HashMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Number, Value};

use crate::path::{Path, Segment};
use crate::sorted::Sorted;
use crate::view::{self, ReadError};

/// How deep objects may nest. Kubernetes' own objects stay below forty levels; what lies deeper is an attack on the
/// stack, and is answered with an error.
pub const MAX_DEPTH: usize = 200;

/// Where a node stands in its file: from its first character up to, and without, its end. Lines and columns count from
/// 1, columns in characters; all zero where there is no file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), derive(serde::Serialize, serde::Deserialize))]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column just after the last character.
    pub end_column: u32,
}

/// A JSON value that borrows its text from the document, with its place there.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// What it holds.
    pub data: Data<'a>,
    /// Where it stands.
    pub span: Span,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug)]
pub enum Data<'a> {
    /// `null`, which Kubernetes reads as absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Node<'a>>),
    /// An object, its members in the order of the document.
    Object(Vec<Member<'a>>),
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub key: Cow<'a, str>,
    /// Where its name stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node<'a>,
}

impl<'a> From<Data<'a>> for Node<'a> {
    fn from(data: Data<'a>) -> Self {
        Self { data, span: Span::default() }
    }
}

impl From<bool> for Node<'_> {
    fn from(value: bool) -> Self {
        Data::Bool(value).into()
    }
}

macro_rules! from_integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for Node<'_> {
            fn from(value: $integer) -> Self {
                Data::Number(value.into()).into()
            }
        }
    )+};
}

from_integers!(i32, i64, u32, u64);

impl From<String> for Node<'_> {
    fn from(text: String) -> Self {
        Data::String(text.into()).into()
    }
}

impl From<&str> for Node<'_> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// `None` is null.
impl<'a, T: Into<Node<'a>>> From<Option<T>> for Node<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Data::Null.into(), Into::into)
    }
}

impl<'a, T: Into<Node<'a>>> From<Vec<T>> for Node<'a> {
    fn from(items: Vec<T>) -> Self {
        Data::Array(items.into_iter().map(Into::into).collect()).into()
    }
}

/// An object of these members.
impl<'a, K: Into<Cow<'a, str>>> FromIterator<(K, Node<'a>)> for Node<'a> {
    fn from_iter<I: IntoIterator<Item = (K, Node<'a>)>>(members: I) -> Self {
        Data::Object(members.into_iter().map(|(key, value)| Member::new(key.into(), value)).collect()).into()
    }
}

/// Nodes are equal where they hold the same, wherever that stands and in whatever order members come.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (Data::Null, Data::Null) => true,
            (Data::Bool(one), Data::Bool(other)) => one == other,
            (Data::Number(one), Data::Number(other)) => one == other,
            (Data::String(one), Data::String(other)) => one == other,
            (Data::Array(one), Data::Array(other)) => one == other,
            (Data::Object(one), Data::Object(other)) => {
                let pairs = || one.iter().zip(other);
                one.len() == other.len()
                    && if pairs().all(|(one, other)| one.key == other.key) {
                        pairs().all(|(one, other)| one.value == other.value)
                    } else {
                        ByName::of_members(one).iter().eq(ByName::of_members(other).iter())
                    }
            }
            _ => false,
        }
    }
}

/// Nodes by their names, to be found without a look at each.
pub(crate) struct ByName<'n, 'a> {
    names: Sorted<'n>,
    nodes: Vec<&'n Node<'a>>,
}

impl<'n, 'a> ByName<'n, 'a> {
    /// Named nodes, in any order, each with a name of its own.
    pub(crate) fn of(named: impl Iterator<Item = (&'n str, &'n Node<'a>)>) -> Self {
        let mut nodes = Vec::new();
        let numbered = named.map(|(name, node)| {
            nodes.push(node);
            (name, nodes.len() - 1)
        });
        Self { names: numbered.collect(), nodes }
    }

    fn of_members(members: &'n [Member<'a>]) -> Self {
        Self::of(members.iter().map(|member| (&*member.key, &member.value)))
    }

    /// The node of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        self.nodes.get(self.names.first(name)?).copied()
    }

    /// Each node with its name, in the order of the names.
    fn iter(&self) -> impl Iterator<Item = (&'n str, &'n Node<'a>)> {
        self.names.iter().filter_map(|(name, number)| Some((*name, *self.nodes.get(*number)?)))
    }
}

impl<'a> Member<'a> {
    pub(crate) fn new(key: Cow<'a, str>, value: Node<'a>) -> Self {
        Self { key, key_span: Span::default(), value }
    }
}

impl<'a> Node<'a> {
    /// An object without members.
    #[must_use]
    pub fn empty() -> Self {
        Data::Object(Vec::new()).into()
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// Where the text is not JSON, or nests deeper than [`MAX_DEPTH`].
    pub fn from_json(text: &'a [u8]) -> Result<Self, ReadError> {
        Self::nested(text, 0)
    }

    /// Reads JSON that holds an object `around` levels down: that may nest as deep as one that stands alone.
    pub(crate) fn nested(text: &'a [u8], around: usize) -> Result<Self, ReadError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        reader.disable_recursion_limit();
        let node = Seed { depth: 0, most: MAX_DEPTH + around }
            .deserialize(&mut reader)
            .and_then(|node| reader.end().map(|()| node));
        node.map_err(|error| ReadError::new(format!("not JSON: {error}")))
    }

    /// The value of a member; `None` where the node is no object, has no such member, or the member is `null`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        let Data::Object(members) = &self.data else { return None };
        members.iter().find(|member| member.key == key).map(|member| &member.value).filter(|value| !value.is_null())
    }

    /// The node at the end of a chain of members.
    #[must_use]
    pub fn descend(&self, keys: &[&str]) -> Option<&Node<'a>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text at the end of a chain of members; empty where there is none.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[must_use]
    pub fn text(&self, keys: &[&str]) -> &str {
        self.descend(keys).and_then(Node::as_str).unwrap_or_default()
    }

    /// The items at the end of a chain of members; none where there is no array.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[must_use]
    pub fn items(&self, keys: &[&str]) -> &[Node<'a>] {
        match self.descend(keys).map(|node| &node.data) {
            Some(Data::Array(items)) => items,
            _ => &[],
        }
    }

    /// The members at the end of a chain of members; none where there is no object.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[must_use]
    pub fn members(&self, keys: &[&str]) -> &[Member<'a>] {
        match self.descend(keys).map(|node| &node.data) {
            Some(Data::Object(members)) => members,
            _ => &[],
        }
    }

    /// As [`Self::descend`], where everything on the way that is there must be an object.
    ///
    /// # Errors
    /// Where it is not, with its path below this node.
    pub fn within(&self, keys: &[&'static str]) -> Result<Option<&Node<'a>>, ReadError> {
        let mut node = self;
        for (depth, key) in keys.iter().enumerate() {
            let members = view::Reader::lenient(node).members();
            members.map_err(|error| error.below(&Path::of(keys.get(..depth).unwrap_or_default())))?;
            #[cfg(feature = "record")]
            crate::record::note_field(depth.checked_sub(1).map_or("", |of| keys[of]), key, node.get(key).is_some());
            let Some(next) = node.get(key) else { return Ok(None) };
            node = next;
        }
        Ok(Some(node))
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Data::String(text) = &self.data { Some(text) } else { None }
    }

    /// The value of a number that is an integer.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Data::Number(number) = &self.data { number.as_i64() } else { None }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// The node a path leads to, or the last one on the way that exists, and whether the whole path exists. For many paths
    /// of one object there is [`Places`].
    #[must_use]
    pub fn nearest(&self, path: &Path) -> (Nearest<'_, 'a>, bool) {
        nearest(self, path, |members, key| members.iter().find(|member| member.key == key))
    }

    /// The member or item that a step leads to.
    pub(crate) fn child(&mut self, segment: &Segment) -> Option<&mut Node<'a>> {
        match (&mut self.data, segment) {
            (Data::Object(members), Segment::Key(key)) => {
                members.iter_mut().find(|member| member.key == *key).map(|member| &mut member.value)
            }
            (Data::Array(items), Segment::Index(index)) => items.get_mut(*index),
            _ => None,
        }
    }

    /// As [`Self::child`], but makes the member where it is absent, and an object of a `null`.
    pub(crate) fn enter(&mut self, segment: &Segment) -> Option<&mut Node<'a>> {
        if let Segment::Key(key) = segment {
            if self.is_null() {
                *self = Self::empty();
            }
            if let Data::Object(members) = &mut self.data
                && members.iter().all(|member| member.key != *key)
            {
                members.push(Member::new(key.clone(), Data::Null.into()));
            }
        }
        self.child(segment)
    }

    /// Reads a view of this node: a struct that names the fields a policy needs. Types are checked as the API server
    /// checks them; fields the view does not name are passed over.
    ///
    /// # Errors
    /// Where a field that the view names has another type, with its path below this node.
    pub fn view<'n, T: de::Deserialize<'n>>(&'n self) -> Result<T, ReadError> {
        T::deserialize(view::Reader::lenient(self))
    }

    /// Reads a node that borrows nothing.
    pub(crate) fn owned<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<Node<'static>, D::Error> {
        fn own(node: Node<'_>) -> Node<'static> {
            let data = match node.data {
                Data::Null => Data::Null,
                Data::Bool(value) => Data::Bool(value),
                Data::Number(number) => Data::Number(number),
                Data::String(text) => Data::String(text.into_owned().into()),
                Data::Array(items) => Data::Array(items.into_iter().map(own).collect()),
                Data::Object(members) => Data::Object(
                    members
                        .into_iter()
                        .map(|member| Member::new(member.key.into_owned().into(), own(member.value)))
                        .collect(),
                ),
            };
            data.into()
        }
        de::Deserialize::deserialize(deserializer).map(own)
    }

    /// Its text as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same value for libraries that want `serde_json`'s.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::String(text) => Value::String(text.clone().into_owned()),
            Data::Array(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Data::Object(members) => {
                Value::Object(members.iter().map(|m| (m.key.clone().into_owned(), m.value.to_value())).collect())
            }
        }
    }
}

fn nearest<'n, 'a>(
    root: &'n Node<'a>,
    path: &Path,
    mut member: impl FnMut(&'n [Member<'a>], &str) -> Option<&'n Member<'a>>,
) -> (Nearest<'n, 'a>, bool) {
    let mut found = Nearest { node: root, key_span: None };
    for segment in path.segments() {
        let next = match (&found.node.data, segment) {
            (Data::Object(members), Segment::Key(key)) => {
                member(members, key).map(|of| Nearest { node: &of.value, key_span: Some(of.key_span) })
            }
            (Data::Array(items), Segment::Index(index)) => {
                items.get(*index).map(|node| Nearest { node, key_span: None })
            }
            _ => None,
        };
        match next {
            Some(next) => found = next,
            None => return (found, false),
        }
    }
    (found, true)
}

/// Finds many places of one object: each member of a large one is not looked at again for every path.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
pub struct Places<'n, 'a> {
    root: &'n Node<'a>,
    /// The members of large objects by their names, each object by where its members are.
    large: HashMap<*const Member<'a>, HashMap<&'n str, &'n Member<'a>>>,
}

#[cfg(not(target_arch = "wasm32"))]
impl<'n, 'a> Places<'n, 'a> {
    /// The places of an object.
    #[must_use]
    pub fn of(root: &'n Node<'a>) -> Self {
        Self { root, large: HashMap::new() }
    }

    /// As [`Node::nearest`].
    pub fn nearest(&mut self, path: &Path) -> (Nearest<'n, 'a>, bool) {
        /// With fewer members a look at each is faster than an index.
        const LARGE: usize = 64;
        nearest(self.root, path, |members, key| {
            if members.len() < LARGE {
                return members.iter().find(|member| member.key == key);
            }
            let index = || members.iter().rev().map(|member| (&*member.key, member)).collect();
            self.large.entry(members.as_ptr()).or_insert_with(index).get(key).copied()
        })
    }
}

/// What [`Node::nearest`] found.
#[derive(Clone, Copy, Debug)]
pub struct Nearest<'n, 'a> {
    /// The node.
    pub node: &'n Node<'a>,
    /// Where the name of the member it belongs to stands, if it is a member's value.
    pub key_span: Option<Span>,
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.data {
            Data::Null => serializer.serialize_unit(),
            Data::Bool(value) => serializer.serialize_bool(*value),
            Data::Number(number) => number.serialize(serializer),
            Data::String(text) => serializer.serialize_str(text),
            Data::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    array.serialize_element(item)?;
                }
                array.end()
            }
            Data::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for member in members {
                    object.serialize_entry(&*member.key, &member.value)?;
                }
                object.end()
            }
        }
    }
}

/// Builds a [`Node`] from a deserializer, counting the levels.
#[derive(Clone, Copy)]
struct Seed {
    depth: usize,
    most: usize,
}

impl Seed {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Node<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        if self.depth > self.most {
            return Err(de::Error::custom(format_args!("it nests deeper than {MAX_DEPTH} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Data::Null.into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Data::Bool(value).into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Data::Number(value.into()).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Data::Number(value.into()).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Number::from_f64(value).map_or(Data::Null, Data::Number).into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Data::String(Cow::Owned(text.to_owned())).into())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Data::String(Cow::Borrowed(text)).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.inner())? {
            items.push(item);
        }
        Ok(Data::Array(items).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = access.next_key()? {
            let value = access.next_value_seed(self.inner())?;
            members.push(Member { key, key_span: Span::default(), value });
        }
        Ok(Data::Object(members).into())
    }
}

/// A key, borrowed where the text has no escapes. (`Cow`'s own implementation always copies.)
struct Key<'de>(Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Key<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> de::Deserialize<'de> for Node<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Seed { depth: 0, most: MAX_DEPTH }.deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_nearest() {
        let members: Vec<String> = (0..200).map(|index| format!(r#""k{index}": {{"a": [{index}]}}"#)).collect();
        let text = format!("{{{}}}", members.join(","));
        let object = Node::from_json(text.as_bytes()).unwrap();
        let mut places = Places::of(&object);
        for path in ["k7.a[0]", "k199.a", "k200", "k3.b.c", "k0.a[1]", "k0[0]"] {
            let path: Path = path.parse().unwrap();
            let ((one, whole), (other, same)) = (places.nearest(&path), object.nearest(&path));
            assert!(std::ptr::eq(one.node, other.node) && whole == same, "{path}");
        }
    }

    #[test]
    fn an_object_in_a_payload_may_nest_as_deep_as_one_alone() {
        let arrays = |levels: usize| "[".repeat(levels + 1) + &"]".repeat(levels + 1);
        for (levels, is_read) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false), (100_000, false)] {
            let object = arrays(levels);
            let payload = format!(r#"{{"request": {{"object": {object}}}}}"#);
            assert_eq!(Node::from_json(object.as_bytes()).is_ok(), is_read, "{levels}");
            assert_eq!(Node::nested(payload.as_bytes(), 2).is_ok(), is_read, "{levels}");
        }
    }
}
