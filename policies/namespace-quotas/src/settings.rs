//! What a team sets, and which settings contradict each other.

use gatehouse_policy::{Members, Path, ReadError, Settings, suggestion};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Amount, HUGE_PAGES, STANDARD, is_resource};

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

/// The resources that quotas limit, beside those with a slash in their names and huge pages (`standardQuotaResources` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/helper/helpers.go>).
const QUOTA_RESOURCES: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "services.nodeports",
    "services.loadbalancers",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
];

fn is_quota_resource(name: &str) -> bool {
    let bare = name.strip_prefix("requests.").unwrap_or(name);
    QUOTA_RESOURCES.contains(&name) || bare.starts_with(HUGE_PAGES) || name.contains('/')
}

impl Settings for NamespaceQuotas {
    fn validate(&self) -> Result<(), ReadError> {
        let unknown = |field, bounds: &Bounds, is_known: fn(&str) -> bool, what: &str, known| {
            let (name, _) = bounds.iter().find(|(name, _)| !is_known(name))?;
            let reason = format!("{what}; {}", suggestion(name, known));
            Some(ReadError { path: Path::of(&[field]).key(name.clone()), reason })
        };
        let no_resource = "no resource has this name";
        let error = unknown("hard", &self.hard, is_quota_resource, "no quota limits this", QUOTA_RESOURCES)
            .or_else(|| unknown("default", &self.default, is_resource, no_resource, STANDARD))
            .or_else(|| unknown("defaultRequest", &self.default_request, is_resource, no_resource, STANDARD));
        if let Some(error) = error {
            return Err(error);
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
