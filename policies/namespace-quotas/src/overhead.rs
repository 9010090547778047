//! What runtime classes take beside the containers of a pod.

use gatehouse_policy::{Around, ContextError, Kind, Listed};

use crate::parts::{Kept, Millis, Parts, keep};

pub const RUNTIME_CLASSES: Kind<Listed> = Kind::listed("node.k8s.io/v1", "RuntimeClass", &["overhead.podFixed"]);

/// What the runtime classes of a cluster take beside the containers.
pub struct Overheads(Vec<(String, Kept)>);

impl Overheads {
    pub fn read(around: &Around<'_>) -> Result<Self, ContextError> {
        let mut found = Vec::new();
        around.each(&RUNTIME_CLASSES, None, &mut |object| {
            let class = object.text(&["metadata", "name"]).to_owned();
            let mut overhead = Vec::new();
            keep(&Parts::of(object, &["overhead", "podFixed"]).sum(), &mut overhead);
            found.push((class, overhead));
        })?;
        Ok(Self(found))
    }

    /// What a class takes.
    pub fn of<'o>(&'o self, class: &str) -> Millis<'o> {
        let mut parts = Parts::default();
        for (_, overhead) in self.0.iter().filter(|(of, _)| of == class) {
            parts.add_kept(overhead, 0, 0);
        }
        parts.sum()
    }
}
