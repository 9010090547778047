//! The checker: reads manifests, finds the policies that judge each object, and reports what they find.
//!
//! Data flows one way: [`inputs`] names the files, [`check`] reads each and judges its objects by a [`profile`],
//! [`report`] renders what was found. Files are independent of each other and judged in parallel.

pub mod check;
pub mod cli;
pub mod inputs;
pub mod kustomize;
pub mod profile;
pub mod report;

mod document;
mod documentation;
mod images;
mod late;
mod selector;
mod source;
