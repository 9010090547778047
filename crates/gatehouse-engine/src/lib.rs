//! Runs policies: linked in, or as WebAssembly modules in a waPC host.

mod evaluator;
mod native;
mod resources;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use evaluator::{EvaluationError, Evaluator};
pub use native::{POLICIES, policy};
pub use resources::{
    Part, Removed, Unserved, api_version_of, is_list, is_namespaced, is_own_group, plural, removed, resource, unserved,
};
