//! Which workloads an autoscaler scales: those that the settings name, and those that one beside them does.

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Autoscalers, Path, Report, Request, Rule, suggestion};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Rollout;

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

/// The autoscaler of a workload, if there is one.
pub enum Autoscaler {
    /// There can be none.
    Absent,
    /// The settings say so.
    Named,
    /// There is one if one is in the namespace that scales the workload of this kind and name.
    Around { kind: String, name: String, namespace: String },
}

impl Autoscaler {
    /// That of the workload which a request is for.
    pub fn of(kind: &str, request: &Request<'_>, settings: &Rollout) -> Self {
        if settings.autoscaled.iter().any(|pattern| pattern.matches(kind, request.name)) {
            return Self::Named;
        }
        let [kind, name, namespace] = [kind, request.name, request.namespace].map(str::to_owned);
        Self::Around { kind, name, namespace }
    }

    /// Reports what is found without an autoscaler or what is with one, whichever holds. Where nobody says what there is in the
    /// namespace, there is none.
    pub fn add(&self, report: &mut Report<'_>, rule: &Rule, path: Path, found: [Option<String>; 2]) {
        let [without, with] = found;
        let certain = match self {
            Self::Named => with,
            Self::Around { kind, name, namespace } if with != without => {
                let [kind, name, namespace] = [kind, name, namespace].map(String::clone);
                report.add_if(rule, path, move |around| {
                    let autoscalers = around.gathered::<Autoscalers>(&namespace);
                    let is_scaled = autoscalers.is_ok_and(|autoscalers| autoscalers.of(&kind, &name).is_some());
                    Ok(if is_scaled { with } else { without })
                });
                return;
            }
            Self::Absent | Self::Around { .. } => without,
        };
        if let Some(message) = certain {
            report.add(rule, path, message);
        }
    }
}
