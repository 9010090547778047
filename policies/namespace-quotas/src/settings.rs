//! What a team sets, and which settings contradict each other.

use gatehouse_policy::{Members, Path, ReadError, Settings, suggestion};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Amount, STANDARD, is_resource};
use crate::quota::{SOURCES, is_key};

/// The settings of namespace-quotas.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceQuotas {
    /// What a `ResourceQuota` must limit, each with the most that it may give, if any: `{requests.cpu: {max: "20"}, pods: {}}`.
    pub hard: Bounds,
    /// The resources of which a `LimitRange` must give containers a default limit, each with the greatest that this may be, if
    /// any: `{memory: {max: 4Gi}}`. Where it is empty, one of any resource is enough.
    pub default: Bounds,
    /// The same for the default requests.
    pub default_request: Bounds,
    /// How many nodes `DaemonSets` run on. Without it, `DaemonSets` do not count.
    pub nodes: Option<u32>,
    /// Whether the pods count too that a rolling update adds to the old ones (`maxSurge`). Default: false.
    pub surge: bool,
}

/// Bounds by resource.
pub type Bounds = Members<String, Bound>;

/// The bound of an amount.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bound {
    /// The most; any where absent.
    pub max: Option<Amount>,
}

impl Bound {
    /// What is wrong with an amount, in thousandths, or with its absence.
    pub fn fault(&self, what: &str, found: Option<u128>) -> Option<String> {
        match (found, &self.max) {
            (None, None) => Some(format!("no {what}, expected one")),
            (None, Some(max)) => Some(format!("no {what}, expected at most {max}")),
            (Some(found), Some(max)) if found > max.millis() => {
                Some(format!("{what} is {}, expected at most {max}", max.like_this(found)))
            }
            _ => None,
        }
    }
}

fn unknown(field: &'static str, name: &str, known: &[&str]) -> ReadError {
    let reason = format!("there is no such resource; {}", suggestion(name, known));
    ReadError { path: Path::of(&[field]).key(name.to_owned()), reason }
}

impl Settings for NamespaceQuotas {
    fn validate(&self) -> Result<(), ReadError> {
        for (field, bounds) in [("default", &self.default), ("defaultRequest", &self.default_request)] {
            if let Some((name, _)) = bounds.iter().find(|(name, _)| !is_resource(name)) {
                return Err(unknown(field, name, STANDARD));
            }
        }
        if let Some((key, _)) = self.hard.iter().find(|(key, _)| !is_key(key)) {
            let known: Vec<&str> = SOURCES.iter().map(|(key, _)| *key).collect();
            return Err(unknown("hard", key, &known));
        }
        for (name, Bound { max: request }) in self.default_request.iter() {
            let limit = self.default.get(name).and_then(|bound| bound.max.as_ref());
            if let (Some(request), Some(limit)) = (request, limit)
                && request > limit
            {
                let path = Path::of(&["defaultRequest"]).key(name.clone()).key("max");
                return Err(ReadError {
                    path,
                    reason: format!("{request} is above that of default, which is {limit}"),
                });
            }
        }
        Ok(())
    }
}
