//! Amounts of resources, and what Kubernetes makes of them.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use gatehouse_policy::quantity::Quantity;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer};

/// The resources that containers have beside huge pages and what devices offer
/// (<https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#resource-types>).
pub const STANDARD: &[&str] = &["cpu", "memory", "ephemeral-storage"];

const HUGE_PAGES: &str = "hugepages-";

/// Whether a container can have such a resource (`validateContainerResourceName` in `pkg/apis/core/validation` of
/// kubernetes/kubernetes): a standard one, huge pages, or one with a domain, such as `nvidia.com/gpu`.
pub fn is_resource(name: &str) -> bool {
    STANDARD.contains(&name) || is_huge_pages(name) || name.contains('/')
}

pub fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

/// Whether a limit may be above its request: not of huge pages, nor of extended resources, those with a domain other than
/// `kubernetes.io` (`IsOvercommitAllowed` in `pkg/apis/core/v1/helper`).
pub fn is_overcommitted(name: &str) -> bool {
    !is_huge_pages(name) && (!name.contains('/') || name.contains("kubernetes.io/"))
}

/// The resources that running containers can be given more or less of
/// (<https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/#limitations>).
pub fn is_resizable(name: &str) -> bool {
    matches!(name, "cpu" | "memory")
}

/// The resources that a pod can have as a whole
/// (<https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#pod-level-resource-specification>).
pub fn is_pod_level(name: &str) -> bool {
    is_resizable(name) || is_huge_pages(name)
}

/// Amounts by resource.
pub type Amounts = BTreeMap<String, Amount>;

/// Requests and limits: of a container, of a pod, or in settings.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default)]
pub struct Resources {
    /// For requests: amounts by resource.
    pub requests: Amounts,
    /// For limits: amounts by resource.
    pub limits: Amounts,
}

impl Resources {
    pub fn of(&self, side: Side) -> &Amounts {
        if side == Side::Requests { &self.requests } else { &self.limits }
    }

    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

/// Which of the two amounts of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the scheduler reserves.
    Requests,
    /// What the kernel grants at most.
    Limits,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Requests, Self::Limits];

    /// Its field.
    pub fn field(self) -> &'static str {
        if self == Self::Requests { "requests" } else { "limits" }
    }
}

impl Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Requests { "request" } else { "limit" })
    }
}

const NANOS_PER_MILLI: u128 = 1_000_000;

/// A quantity as the API server keeps it in a pod: not negative (`ValidateNonnegativeQuantity` in
/// `pkg/apis/core/validation`), in whole thousandths, rounded up (`SetDefaults_ResourceList` in `pkg/apis/core/v1`), and 0
/// where it is null (`UnmarshalJSON` of `quantity.go`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub struct Amount(Quantity);

impl Amount {
    fn from_millis(millis: u128) -> Option<Self> {
        let text = if millis.is_multiple_of(1000) { (millis / 1000).to_string() } else { format!("{millis}m") };
        text.parse().ok().map(Self)
    }

    /// In thousandths.
    pub fn millis(&self) -> u128 {
        self.0.nanos().unsigned_abs().div_ceil(NANOS_PER_MILLI)
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub fn is_whole(&self) -> bool {
        self.millis().is_multiple_of(1000)
    }

    pub fn is_below_one(&self) -> bool {
        self.millis() < 1000
    }

    /// Whether it is above `ratio` times `base`.
    pub fn exceeds(&self, base: &Self, ratio: &Self) -> bool {
        self.0.exceeds(&base.0, &ratio.0)
    }

    pub fn greater(&self, other: &Self) -> Self {
        self.max(other).clone()
    }

    /// Both together. A sum beyond all quantities, 10²⁹, stays where it is.
    pub fn plus(&self, other: &Self) -> Self {
        Self::from_millis(self.millis().saturating_add(other.millis())).unwrap_or_else(|| self.clone())
    }
}

impl Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<Quantity> for Amount {
    type Error = String;

    fn try_from(quantity: Quantity) -> Result<Self, String> {
        if quantity.nanos() < 0 {
            return Err(format!("expected 0 or more, found {quantity}"));
        }
        let whole = quantity.nanos().unsigned_abs().is_multiple_of(NANOS_PER_MILLI);
        let amount = Self(quantity);
        if whole { Ok(amount) } else { Self::from_millis(amount.millis()).ok_or_else(|| "out of range".to_owned()) }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<Quantity>::deserialize(deserializer)? {
            Some(quantity) => Self::try_from(quantity).map_err(de::Error::custom),
            None => Self::from_millis(0).ok_or_else(|| de::Error::custom("out of range")),
        }
    }
}

/// What a container or pod has of one resource.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// The resource.
    pub name: &'a str,
    /// The request as written.
    pub request: Option<&'a Amount>,
    /// The limit as written.
    pub limit: Option<&'a Amount>,
}

impl<'a> Share<'a> {
    pub fn of(name: &'a str, resources: &'a Resources) -> Self {
        Self { name, request: resources.requests.get(name), limit: resources.limits.get(name) }
    }

    pub fn written(self, side: Side) -> Option<&'a Amount> {
        if side == Side::Requests { self.request } else { self.limit }
    }

    /// An amount as it takes effect: a request that is absent is the limit
    /// (<https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits>).
    pub fn get(self, side: Side) -> Option<&'a Amount> {
        if side == Side::Requests { self.request.or(self.limit) } else { self.limit }
    }

    /// Whether there is an amount that does something. A limit of 0 limits nothing, and a request of 0 reserves nothing: to
    /// the kubelet (`generateLinuxContainerResources` in `pkg/kubelet/kuberuntime`, `containerEphemeralStorageLimitEviction`
    /// in `pkg/kubelet/eviction`) and the quality of service (`pkg/apis/core/v1/helper/qos`) they are as good as absent. Of
    /// huge pages and devices, 0 is none.
    pub fn has(self, side: Side) -> bool {
        self.get(side).is_some_and(|amount| !amount.is_zero() || !STANDARD.contains(&self.name))
    }
}
