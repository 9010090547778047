//! Runs policies: linked in, or as WebAssembly modules in a waPC host.

mod native;

pub use native::{POLICIES, policy};
