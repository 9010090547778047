//! Runs policies: linked in, or as WebAssembly modules in a waPC host.

mod evaluator;
mod native;
mod resources;
mod selection;
mod surroundings;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use evaluator::{EvaluationError, Evaluator, Known, Outcome};
pub use native::{POLICIES, policy};
pub use resources::{
    Part, Removed, Unserved, api_version_of, is_list, is_namespaced, is_own_group, plural, removed, resource, unserved,
};
pub use surroundings::{Asks, Piece, Surroundings};
