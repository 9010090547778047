//! Reads views, structs that name the fields a policy needs, from a [`Node`] as the API server would.
//!
//! Kubernetes decodes JSON with Go's rules, kept here: `null` is the same as absent, and a value of another type than
//! the field's is an error (<https://pkg.go.dev/sigs.k8s.io/json>). Settings are read by the same code, strictly: there
//! a field nobody knows is an error too.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::Serialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use crate::node::{Data, Member, Node};
use crate::path::{Path, Segment};

/// Why an object, a request or settings could not be read, and the field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadError {
    /// The field, below the node that was read.
    pub path: Path,
    /// What is wrong with it and what was expected.
    pub reason: String,
}

impl ReadError {
    /// An error of the node itself.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { path: Path::root(), reason: reason.into() }
    }

    /// The same error, seen from further out.
    #[must_use]
    pub fn below(mut self, outer: &Path) -> Self {
        self.path = outer.clone().join(self.path);
        self
    }

    /// Whether what stands there may be a secret: a password of digits without quotes is a number, and who writes `env` as a
    /// map writes secrets into it. So it is with headers, annotations and a `ConfigMap`'s data.
    #[must_use]
    pub fn may_hold_secret(&self) -> bool {
        let names = ["env", "args", "command", "data", "binaryData", "httpHeaders", "annotations"];
        self.path.segments().iter().any(|step| matches!(step, Segment::Key(key) if names.contains(&&**key)))
    }

    /// Whether a string belongs there, and something else stands there.
    #[must_use]
    pub fn expects_string(&self) -> bool {
        self.reason.starts_with("expected a string")
    }

    /// Whether an integer belongs there.
    #[must_use]
    pub fn expects_integer(&self) -> bool {
        self.reason.starts_with("expected an integer")
    }

    /// Whether a boolean belongs there.
    #[must_use]
    pub fn expects_boolean(&self) -> bool {
        self.reason.starts_with("expected true or false")
    }

    /// The same error without what was found, where that may be a secret.
    pub(crate) fn discreet(mut self) -> Self {
        // The search for a text that `str` has is longer than all of this in a module.
        const FOUND: &[u8] = b", found ";
        if self.may_hold_secret()
            && let Some(end) = self.reason.as_bytes().windows(FOUND.len()).position(|part| part == FOUND)
        {
            self.reason.truncate(end);
        }
        self
    }

    fn within(mut self, segment: Segment) -> Self {
        self.path.prepend(segment);
        self
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.segments().is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.path, self.reason)
        }
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: Display>(reason: T) -> Self {
        Self::new(reason.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", words(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("{variant:?} is not known here; {}", suggestion(variant, expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("it is required").within(Segment::Key(Cow::Borrowed(field)))
    }
}

/// What to write instead of a word that is not among the known ones: the nearest, or else all of them.
#[must_use]
pub fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("expected one of {}", known.join(", ")),
    }
}

/// The known word nearest to a mistyped one by edit distance, if it is near: at most a third of its letters differ.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in bytes, letters' case aside. Words of over 100 bytes are nobody's slip: infinitely far.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 100 || b.len() > 100 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substitute = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A deserializer over a node.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'n, 'a> {
    node: &'n Node<'a>,
    /// Fields that are known beside those of the struct that is read, where unknown ones are refused.
    strict: Option<&'static [&'static str]>,
}

impl<'n, 'a> Reader<'n, 'a> {
    /// Passes over unknown fields, as for objects, whose views name only what they need.
    pub(crate) fn lenient(node: &'n Node<'a>) -> Self {
        Self { node, strict: None }
    }

    /// Refuses fields that neither the struct nor `shared` names.
    pub(crate) fn strict(node: &'n Node<'a>, shared: &'static [&'static str]) -> Self {
        Self { node, strict: Some(shared) }
    }

    fn inner(self, node: &'n Node<'a>) -> Self {
        Self { node, strict: self.strict.map(|_| &[][..]) }
    }

    fn mismatch(self, expected: &str) -> ReadError {
        ReadError::new(format!("expected {expected}, found {}", describe(self.node)))
    }

    fn signed(self, low: i64, high: i64) -> Result<i64, ReadError> {
        match &self.node.data {
            Data::Null => Ok(0),
            Data::Number(number) => match number.as_i64() {
                Some(value) if (low..=high).contains(&value) => Ok(value),
                _ if number.is_f64() => Err(self.mismatch("an integer")),
                _ => Err(self.mismatch(&format!("an integer from {low} to {high}"))),
            },
            _ => Err(self.mismatch("an integer")),
        }
    }

    fn unsigned(self, high: u64) -> Result<u64, ReadError> {
        match &self.node.data {
            Data::Null => Ok(0),
            Data::Number(number) => match number.as_u64() {
                Some(value) if value <= high => Ok(value),
                _ => Err(self.mismatch(&format!("an integer from 0 to {high}"))),
            },
            _ => Err(self.mismatch("an integer")),
        }
    }

    /// One of several words.
    fn word(self, known: &[&str]) -> Result<&'n str, ReadError> {
        match &self.node.data {
            Data::String(text) => Ok(text),
            // What kubectl, as every reader of YAML 1.1, makes of `off` without quotes.
            Data::Bool(false) if known.contains(&"off") => Ok("off"),
            _ => Err(self.mismatch("a string")),
        }
    }

    /// The members of an object; `null` has none.
    pub(crate) fn members(self) -> Result<&'n [Member<'a>], ReadError> {
        match &self.node.data {
            Data::Null => Ok(&[]),
            Data::Object(members) => Ok(members),
            _ => Err(self.mismatch("an object")),
        }
    }
}

/// A value that a visitor did not expect, as [`describe`] has it. Numbers are not spelt out: `Unexpected`'s own words would
/// bring the formatting of floats into every module, a tenth of its size.
fn words(found: Unexpected<'_>) -> String {
    let words = match found {
        Unexpected::Bool(true) => "the boolean true",
        Unexpected::Bool(false) => "the boolean false",
        Unexpected::Unit => "null",
        Unexpected::Str(text) => return describe(&Data::String(text.into()).into()),
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        _ => "a number",
    };
    words.to_owned()
}

/// A value as people see it in a message.
fn describe(node: &Node<'_>) -> String {
    match &node.data {
        Data::Null => "null".to_owned(),
        Data::Bool(value) => format!("the boolean {value}"),
        Data::Number(number) => format!("the number {number}"),
        Data::String(text) if text.chars().count() > 40 => "a string".to_owned(),
        Data::String(text) => format!("the string {text:?}"),
        Data::Array(_) => "an array".to_owned(),
        Data::Object(_) => "an object".to_owned(),
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty => $read:ident($($bound:expr),+);)+) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
            visitor.$visit(self.$read($($bound),+)?)
        }
    )+};
}

impl<'n> Deserializer<'n> for Reader<'n, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(value) => visitor.visit_bool(*value),
            Data::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (.., Some(value)) => visitor.visit_f64(value),
                _ => Err(self.mismatch("a number")),
            },
            Data::String(text) => visitor.visit_borrowed_str(text),
            Data::Array(items) => visitor.visit_seq(Items { items: items.iter().enumerate(), reader: self }),
            Data::Object(members) => visitor.visit_map(Members::new(members, self)),
        }
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.data {
            Data::Null => visitor.visit_bool(false),
            Data::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.mismatch("true or false")),
        }
    }

    integers! {
        deserialize_i8 visit_i64 i8 => signed(i8::MIN.into(), i8::MAX.into());
        deserialize_i16 visit_i64 i16 => signed(i16::MIN.into(), i16::MAX.into());
        deserialize_i32 visit_i64 i32 => signed(i32::MIN.into(), i32::MAX.into());
        deserialize_i64 visit_i64 i64 => signed(i64::MIN, i64::MAX);
        deserialize_u8 visit_u64 u8 => unsigned(u8::MAX.into());
        deserialize_u16 visit_u64 u16 => unsigned(u16::MAX.into());
        deserialize_u32 visit_u64 u32 => unsigned(u32::MAX.into());
        deserialize_u64 visit_u64 u64 => unsigned(u64::MAX);
    }

    fn deserialize_f32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.data {
            Data::Null => visitor.visit_f64(0.0),
            Data::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            _ => Err(self.mismatch("a number")),
        }
    }

    fn deserialize_char<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.data {
            Data::Null => visitor.visit_borrowed_str(""),
            Data::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.mismatch("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let items: &[Node<'_>] = match &self.node.data {
            Data::Null => &[],
            Data::Array(items) => items,
            _ => return Err(self.mismatch("an array")),
        };
        visitor.visit_seq(Items { items: items.iter().enumerate(), reader: self })
    }

    fn deserialize_tuple<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_map(Members::new(self.members()?, self))
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        view: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let members = self.members()?;
        #[cfg(feature = "record")]
        crate::record::note(view, fields, members);
        #[cfg(not(feature = "record"))]
        let _ = view;
        if let Some(shared) = self.strict {
            let unknown = |member: &&Member<'_>| !fields.contains(&&*member.key) && !shared.contains(&&*member.key);
            if let Some(member) = members.iter().find(unknown) {
                let known: Vec<&str> = fields.iter().chain(shared).copied().collect();
                let reason = format!("there is no such field; {}", suggestion(&member.key, &known));
                return Err(ReadError::new(reason).within(Segment::Key(member.key.clone().into_owned().into())));
            }
        }
        visitor.visit_map(Members { skip_null: true, ..Members::new(members, self) })
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_enum(Variant(self.word(variants)?))
    }

    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }
}

struct Items<'n, 'a> {
    items: std::iter::Enumerate<std::slice::Iter<'n, Node<'a>>>,
    reader: Reader<'n, 'a>,
}

impl<'n> SeqAccess<'n> for Items<'n, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(self.reader.inner(item)).map(Some).map_err(|error| error.within(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Members<'n, 'a> {
    rest: std::slice::Iter<'n, Member<'a>>,
    current: Option<&'n Member<'a>>,
    reader: Reader<'n, 'a>,
    /// In a struct a `null` is an absent field; in a map it is a member with the zero value.
    skip_null: bool,
}

impl<'n, 'a> Members<'n, 'a> {
    fn new(members: &'n [Member<'a>], reader: Reader<'n, 'a>) -> Self {
        Self { rest: members.iter(), current: None, reader, skip_null: false }
    }
}

impl<'n> MapAccess<'n> for Members<'n, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let skip_null = self.skip_null;
        self.current = self.rest.find(|member| !(skip_null && member.value.is_null()));
        match self.current {
            Some(member) => seed.deserialize(BorrowedStrDeserializer::new(&member.key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(member) = self.current else { return Err(ReadError::new("a value without a name")) };
        seed.deserialize(self.reader.inner(&member.value)).map_err(|error| within_member(error, member))
    }
}

/// The error, seen from outside a member. Apart, as every field of every view has a copy of what calls it.
#[cold]
#[inline(never)]
fn within_member(error: ReadError, member: &Member<'_>) -> ReadError {
    error.within(Segment::Key(member.key.clone().into_owned().into()))
}

/// The name of an enum's variant; those of settings carry no data.
struct Variant<'n>(&'n str);

impl<'n> EnumAccess<'n> for Variant<'n> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.0))?, self))
    }
}

impl<'n> VariantAccess<'n> for Variant<'n> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(ReadError::new("expected a plain word"))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::new("expected a plain word"))
    }

    fn struct_variant<V: Visitor<'n>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::new("expected a plain word"))
    }
}
