//! The kit that every Gatehouse policy is written with: it runs in the checker and, compiled to WebAssembly, in a
//! cluster.
//!
//! A policy is a crate that declares its [`rules!`], a [`Settings`] struct, a review function and one [`policy!`] line.
//! The review function reads a view of the object, mostly a [`Pod`], and tells a [`Report`] what it finds. Parsing, the
//! kinds of workloads, the message protocol and the common settings are the kit's.

// The macros name the kit by its crate's name, in its own documentation tests too.
extern crate self as gatehouse_policy;

pub mod glob;
pub mod image;
pub mod module;
pub mod node;
pub mod policy;
pub mod quantity;
pub mod tag;

#[cfg(feature = "around")]
mod around;
#[cfg(feature = "around")]
mod autoscaler;
mod bounds;
#[cfg(all(feature = "around", target_arch = "wasm32"))]
mod cluster;
#[cfg(not(target_arch = "wasm32"))]
mod file;
mod finding;
mod ids;
#[cfg(feature = "around")]
mod mask;
mod members;
mod metadata;
mod path;
mod port;
#[cfg(feature = "record")]
pub mod record;
mod request;
mod settings;
mod sorted;
mod view;
mod workload;

#[cfg(feature = "around")]
pub use around::{
    Around, Asked, ContextError, ELSEWHERE, Each, Gather, Gathered, Host, Kind, Listed, Nothing, PARTIAL, Query,
};
#[cfg(feature = "around")]
pub use autoscaler::{Autoscaler, Autoscalers, HORIZONTAL_POD_AUTOSCALERS, SCALED_OBJECTS};
pub use bounds::Bounds;
#[cfg(not(target_arch = "wasm32"))]
pub use file::{File, FileError};
#[cfg(not(target_arch = "wasm32"))]
pub use finding::TextEdit;
pub use finding::{
    Added, Edit, Finding, Fix, Level, MOST_LISTED, Message, Operation as PatchOperation, Place, Report, Rule, Verdict,
};
pub use ids::Ids;
pub use members::Members;
pub use metadata::Metadata;
pub use node::Node;
pub use path::{NotAPath, Path, Segment};
pub use policy::{Configured, Context, Policy};
#[cfg(feature = "around")]
pub use policy::{Pending, ReviewError};
pub use port::Port;
pub use request::{Operation, Request, split_api_version};
pub use settings::{Common, Exempt, Levels, NoSettings, Override, Settings};
pub use sorted::Sorted;
pub use view::{ReadError, nearest, suggestion};
pub use workload::{Container, Pod, Role, foreign_kinds, pod_spec_path, pod_specs, pod_templates, require_containers};
