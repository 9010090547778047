//! Which workloads an autoscaler scales, as the settings name them.

use gatehouse_policy::glob::Glob;
use gatehouse_policy::suggestion;
use schemars::JsonSchema;
use serde::Deserialize;

/// The kinds that an autoscaler can scale, of those that are judged.
const KINDS: &[&str] = &["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout", "CloneSet"];

/// Workloads by name, `web`, or by kind and name, `Deployment/web`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub struct Pattern {
    /// `None` for any kind.
    kind: Option<Glob>,
    name: Glob,
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (Some(kind), name),
            None => (None, &*text),
        };
        if name.is_empty() || name.contains('/') || kind == Some("") {
            return Err(format!(
                "expected a name such as \"web\", or a kind and a name as in \"Deployment/web\", found {text:?}"
            ));
        }
        let kind = kind.map(Glob::new);
        match &kind {
            Some(kind) if !KINDS.iter().any(|known| kind.matches(known)) => {
                let kind = kind.as_str();
                Err(format!("no kind that an autoscaler scales is {kind:?}; {}", suggestion(kind, KINDS)))
            }
            _ => Ok(Self { kind, name: Glob::new(name) }),
        }
    }
}

impl Pattern {
    /// Whether a workload is among those that are named.
    pub fn matches(&self, kind: &str, name: &str) -> bool {
        self.kind.as_ref().is_none_or(|pattern| pattern.matches(kind)) && self.name.matches(name)
    }
}
