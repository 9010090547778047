//! The workloads around an object.

use gatehouse_policy::{Kind, Listed};

pub const STATEFUL_SETS: Kind<Listed> =
    Kind::listed("apps/v1", "StatefulSet", &["spec.volumeClaimTemplates.metadata.name"]);
