//! What objects say of themselves.

use std::borrow::Cow;

use serde::Deserialize;

use crate::members::Members;
use crate::path::Path;

/// A view of an object's `metadata`, for policies that look at annotations.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata<'r> {
    /// The name; empty where there is none.
    pub name: &'r str,
    /// The annotations.
    #[serde(borrow)]
    pub annotations: Members<&'r str, &'r str>,
}

impl<'r> Metadata<'r> {
    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&'r str> {
        self.annotations.get(name).copied()
    }
}

impl Path {
    /// Where an annotation of an object is.
    #[must_use]
    pub fn of_annotation(name: impl Into<Cow<'static, str>>) -> Self {
        Self::of(&["metadata", "annotations"]).key(name)
    }
}
