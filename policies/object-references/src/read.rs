//! Reads fields of the object that is judged, with the API's types.
//!
//! Here they are few of many structs: as views of their own these would be more of the module than all else.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Node, Path, ReadError};

/// A text; empty where it is absent.
pub fn text<'n>(node: &'n Node<'_>, keys: &[&'static str]) -> Result<&'n str, ReadError> {
    match node.within(keys)? {
        Some(text) => text.view().map_err(|error| error.below(&Path::of(keys))),
        None => Ok(""),
    }
}

/// Whether a flag is set.
pub fn flag(node: &Node<'_>, keys: &[&'static str]) -> Result<bool, ReadError> {
    match node.within(keys)? {
        Some(flag) => flag.view().map_err(|error| error.below(&Path::of(keys))),
        None => Ok(false),
    }
}

/// A number, if it is there.
pub fn number(node: &Node<'_>, keys: &[&'static str]) -> Result<Option<i32>, ReadError> {
    match node.within(keys)? {
        Some(number) => number.view().map(Some).map_err(|error| error.below(&Path::of(keys))),
        None => Ok(None),
    }
}

/// The items of a list.
pub fn items<'n, 'r>(node: &'n Node<'r>, keys: &[&'static str]) -> Result<&'n [Node<'r>], ReadError> {
    match node.within(keys)?.map(|list| &list.data) {
        Some(Data::Array(items)) => Ok(items),
        Some(_) => Err(ReadError { path: Path::of(keys), reason: "expected an array".to_owned() }),
        None => Ok(&[]),
    }
}
