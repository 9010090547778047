//! The types of the fields that are read.
//!
//! They are few of many structs, and views of all of these would be more of the module than all else. So the types are looked
//! at first, and then the fields are read as if they were right.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Node, Path, ReadError};

/// What stands at the end of a way.
#[derive(Clone, Copy)]
pub enum Type {
    Text,
    Flag,
    Number,
    /// A number or a name.
    Port,
    /// Whatever it is, something else looks at it.
    Any,
}

/// A way from an object to a field, `*` for each item of a list, `{}` for each member of an object with any names; and the
/// type of the field.
pub type Field = (&'static [&'static str], Type);

/// Whether all fields that are there have their types.
pub fn check(node: &Node<'_>, fields: &[Field]) -> Result<(), ReadError> {
    fields.iter().try_for_each(|(way, of)| check_field(node, way, *of))
}

fn check_field(node: &Node<'_>, way: &[&'static str], of: Type) -> Result<(), ReadError> {
    let end = way.iter().position(|key| matches!(*key, "*" | "{}")).unwrap_or(way.len());
    let (direct, rest) = way.split_at(end);
    let Some(node) = node.within(direct)? else { return Ok(()) };
    let located = |error: ReadError| error.below(&Path::of(direct));
    let Some((each, rest)) = rest.split_first() else { return of.check(node).map_err(located) };
    let further = |item, step: Path| check_field(item, rest, of).map_err(|error| located(error.below(&step)));
    match &node.data {
        Data::Array(items) if *each == "*" => {
            items.iter().enumerate().try_for_each(|(index, item)| further(item, Path::root().index(index)))
        }
        Data::Object(members) if *each == "{}" => members
            .iter()
            .try_for_each(|member| further(&member.value, Path::root().key(member.key.clone().into_owned()))),
        _ => Err(located(ReadError::new(if *each == "*" { "expected an array" } else { "expected an object" }))),
    }
}

impl Type {
    fn check(self, node: &Node<'_>) -> Result<(), ReadError> {
        match self {
            Self::Text => node.view::<&str>().map(drop),
            Self::Flag => node.view::<bool>().map(drop),
            Self::Any => Ok(()),
            Self::Port if node.as_str().is_some() => Ok(()),
            Self::Number | Self::Port => node.view::<i32>().map(drop),
        }
    }
}
