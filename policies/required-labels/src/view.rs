//! How the maps of an object are read.

use std::collections::BinaryHeap;

use gatehouse_policy::{Members, Node, Path, ReadError};

/// Labels, annotations, or a selector, in the order of their keys.
#[derive(Clone, Default)]
pub struct Map<'r>(Vec<(&'r str, &'r str)>);

impl<'r> Map<'r> {
    /// Reads the one at the end of a chain of members; empty where there is none.
    pub fn read(object: &'r Node<'r>, path: &[&'static str]) -> Result<Self, ReadError> {
        let Some(node) = object.within(path)? else { return Ok(Self::default()) };
        let members: Members<&'r str, &'r str> = node.view().map_err(|error| error.below(&Path::of(path)))?;
        // A heap, since the code of `sort` is much of a module.
        let heap: BinaryHeap<_> = members.iter().copied().collect();
        Ok(Self(heap.into_sorted_vec()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, key: &str) -> Option<&'r str> {
        let first = self.0.partition_point(|(of, _)| *of < key);
        self.0.get(first).filter(|(of, _)| *of == key).map(|(_, value)| *value)
    }

    /// Gives a key a value.
    pub fn set(&mut self, key: &'r str, value: &'r str) {
        let first = self.0.partition_point(|(of, _)| *of < key);
        self.0.retain(|(of, _)| *of != key);
        self.0.insert(first, (key, value));
    }
}

/// A value in a message: that of an annotation may be as long as a book.
pub fn shown(value: &str) -> String {
    if value.chars().nth(80).is_some() { "a long text".to_owned() } else { format!("{value:?}") }
}
