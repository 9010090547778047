//! Files that are no Kubernetes objects, such as a Dockerfile: the checker has policies judge them, a cluster never sees any.

use std::fmt;

use crate::node::Span;

/// A file that is no Kubernetes object. Which files a policy judges stands in its `metadata.yml`, under `files`.
#[derive(Clone, Copy)]
pub struct File<'f> {
    /// Its name in reports.
    pub name: &'f str,
    /// What it holds.
    pub text: &'f str,
    /// Reads a file that this one names, by its path from this one's folder; `None` where there is none to be read.
    pub read: &'f dyn Fn(&str) -> Option<String>,
}

impl fmt::Debug for File<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a file cannot be judged. Never a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Where.
    pub span: Span,
    /// What is wrong, and what was expected.
    pub message: String,
}
