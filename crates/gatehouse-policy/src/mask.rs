//! The fields that a view names, found out by reading it of nothing.

use std::cell::RefCell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::view::ReadError;

/// The fields that a view names, down to what is no view itself: `spec.ports.port`, whatever on the way is a list. Enums have
/// no place in such a view.
pub(crate) fn fields<T: DeserializeOwned>() -> Vec<String> {
    let mask = Mask::default();
    let read = T::deserialize(Noting(&mask));
    debug_assert!(read.is_ok(), "{:?}", read.err());
    mask.fields.into_inner()
}

#[derive(Default)]
struct Mask {
    way: RefCell<Vec<&'static str>>,
    fields: RefCell<Vec<String>>,
}

impl Mask {
    fn enter(&self, field: &'static str) {
        self.way.borrow_mut().push(field);
    }

    /// Notes the field, unless fields of its own were.
    fn leave(&self) {
        let mut way = self.way.borrow_mut();
        let mut fields = self.fields.borrow_mut();
        let path = way.join(".");
        let has_own =
            fields.last().and_then(|last| last.strip_prefix(&*path)).is_some_and(|rest| rest.starts_with('.'));
        if !has_own {
            fields.push(path);
        }
        way.pop();
    }
}

/// A deserializer that has every field of a struct, one item of a list, and nothing else. Apart from the reader of nodes: what
/// every field of every view has a copy of is small.
#[derive(Clone, Copy)]
struct Noting<'m>(&'m Mask);

macro_rules! zeros {
    ($($method:ident $visit:ident $zero:expr;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            visitor.$visit($zero)
        }
    )+};
}

impl<'de> Deserializer<'de> for Noting<'_> {
    type Error = ReadError;

    zeros! {
        // Amounts and ports are numbers or texts.
        deserialize_any visit_u64 0;
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i64 0;
        deserialize_i16 visit_i64 0;
        deserialize_i32 visit_i64 0;
        deserialize_i64 visit_i64 0;
        deserialize_u8 visit_u64 0;
        deserialize_u16 visit_u64 0;
        deserialize_u32 visit_u64 0;
        deserialize_u64 visit_u64 0;
        deserialize_f32 visit_f64 0.0;
        deserialize_f64 visit_f64 0.0;
        deserialize_char visit_borrowed_str "";
        deserialize_str visit_borrowed_str "";
        deserialize_string visit_borrowed_str "";
        deserialize_bytes visit_borrowed_str "";
        deserialize_byte_buf visit_borrowed_str "";
        deserialize_identifier visit_borrowed_str "";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(Once(Some(self)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_map(Fields { left: [].iter(), noting: self })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_map(Fields { left: fields.iter(), noting: self })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ReadError> {
        Err(ReadError::new("an enum has no fields to ask for"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }
}

/// A list of one item: the fields of a list are those of its items.
struct Once<'m>(Option<Noting<'m>>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.0.take().map(|item| seed.deserialize(item)).transpose()
    }
}

/// The fields of a struct, one after the other.
struct Fields<'m> {
    left: std::slice::Iter<'static, &'static str>,
    noting: Noting<'m>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some(field) = self.left.next() else { return Ok(None) };
        self.noting.0.enter(field);
        seed.deserialize(BorrowedStrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let value = seed.deserialize(self.noting);
        self.noting.0.leave();
        value
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::Members;

    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct View {
        metadata: Metadata,
        spec: Option<Spec>,
        is_on: bool,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metadata {
        labels: Members<String, String>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Spec {
        ports: Vec<Port>,
        max_replicas: Option<i32>,
        names: Vec<String>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Port {
        port: u16,
        name: String,
    }

    #[test]
    fn a_mask_is_what_a_view_names() {
        let expected =
            ["metadata.labels", "spec.ports.port", "spec.ports.name", "spec.maxReplicas", "spec.names", "isOn"];
        assert_eq!(super::fields::<View>(), expected);
    }
}
