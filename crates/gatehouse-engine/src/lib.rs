//! Runs policies: linked in, or as WebAssembly modules in a waPC host.

mod evaluator;
mod native;
mod resources;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use evaluator::{EvaluationError, Evaluator};
pub use native::{POLICIES, policy};
pub use resources::{Removed, is_namespaced, removed, resource};
