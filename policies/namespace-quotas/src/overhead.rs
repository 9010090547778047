//! What runtime classes take beside the containers of a pod.

use gatehouse_policy::{Around, ContextError, Kind, Listed};

use crate::parts::{Millis, Parts};

pub const RUNTIME_CLASSES: Kind<Listed> = Kind::listed("node.k8s.io/v1", "RuntimeClass", &["overhead.podFixed"]);

/// What the runtime classes of a cluster take beside the containers: a class, a resource and an amount each.
pub struct Overheads(Vec<(String, String, u128)>);

impl Overheads {
    pub fn read(around: &Around<'_>) -> Result<Self, ContextError> {
        let mut found = Vec::new();
        around.each(&RUNTIME_CLASSES, None, &mut |object| {
            for (name, amount) in Parts::of(object, &["overhead", "podFixed"]).sum() {
                found.push((object.text(&["metadata", "name"]).to_owned(), name.to_owned(), amount));
            }
        })?;
        Ok(Self(found))
    }

    /// What a class takes.
    pub fn of<'o>(&'o self, class: &str) -> Millis<'o> {
        let mut parts = Parts::default();
        for (of, name, amount) in &self.0 {
            if of == class {
                parts.add(name, 0, 0, *amount);
            }
        }
        parts.sum()
    }
}
