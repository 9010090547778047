//! Whom a load balancer lets in.

use std::borrow::Cow;
use std::collections::BinaryHeap;

use gatehouse_policy::{Node, Path, Report, glob};

use crate::range::{self, Family};
use crate::sources::{Is, Sources};
use crate::{SOURCE_RANGES, Service, ServiceExposure, at};

/// Judges a load balancer; of one whose status is written only what its annotations did not say before, as whoever writes a
/// status need not answer for that.
pub fn judge(service: &Service<'_>, before: Option<&Service<'_>>, settings: &ServiceExposure, report: &mut Report<'_>) {
    let known: BinaryHeap<_> = before.map(|before| faults(before, settings)).unwrap_or_default().into();
    let known = known.into_sorted_vec();
    for fault in faults(service, settings) {
        if known.binary_search(&fault).is_err() {
            report.add(&SOURCE_RANGES, fault.path.clone(), || fault.message());
        }
    }
}

/// What is wrong with whom a load balancer lets in.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Fault<'r> {
    path: Path,
    what: What<'r>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What<'r> {
    /// Nothing says whom.
    Open,
    /// This source is wrong, and why.
    Source(Cow<'r, str>, &'static str),
    /// The ranges of a family are the world together.
    Together(&'static str),
    /// There are ranges of one family, the first, and none of the other.
    Family(&'static str, &'static str),
}

impl Fault<'_> {
    fn message(&self) -> String {
        let what = match &self.what {
            What::Open => "it is open to the world".to_owned(),
            What::Source(text, what) => format!("{} {what}", shown(text.trim())),
            What::Together(family) => format!("its ranges together are open to the world of {family}"),
            What::Family(family, other) => {
                return format!(
                    "load balancer: its ranges are all of {family}, which leaves {other} open to the world, expected \
                     ranges of {other} too"
                );
            }
        };
        format!("load balancer: {what}, expected the ranges of its clients")
    }
}

fn faults<'r>(service: &Service<'r>, settings: &ServiceExposure) -> Vec<Fault<'r>> {
    let mut faults = Vec::new();
    if is_internal(service, settings) {
        return faults;
    }
    let Sources { all, are_limited, by_family } = Sources::of(service);
    if !are_limited {
        faults.push(Fault { path: at("loadBalancerSourceRanges"), what: What::Open });
        return faults;
    }
    let whole = by_family.clone().or_else(|| all.last().map(|last| last.path.clone()));
    let (mut ranges, mut is_open) = (Vec::new(), false);
    for source in all {
        let what = match source.is {
            Is::Range(range) => {
                ranges.push(range);
                if !range.is_world(settings.min_prefix) {
                    continue;
                }
                "is open to the world"
            }
            Is::World => "is open to the world",
            Is::Limited => continue,
            Is::NoRange => "is no range of addresses",
            Is::NoList => "has not one of allowList and denyList",
        };
        is_open |= matches!(source.is, Is::Range(_) | Is::World);
        faults.push(Fault { path: source.path, what: What::Source(source.text, what) });
    }
    for family in [Family::V4, Family::V6] {
        if let Some(path) = whole.clone()
            && !is_open
            && range::are_world(&ranges, family, settings.min_prefix)
        {
            faults.push(Fault { path, what: What::Together(family.name()) });
        }
    }
    let Some(path) = by_family else { return faults };
    let has = |family| ranges.iter().any(|range| range.family == family);
    for (family, other) in [(Family::V4, Family::V6), (Family::V6, Family::V4)] {
        if is_of(service, other) && has(family) && !has(other) {
            faults.push(Fault { path: path.clone(), what: What::Family(family.name(), other.name()) });
        }
    }
    faults
}

/// A text for a message: that of an annotation may be of any length.
fn shown(text: &str) -> String {
    if text.chars().nth(80).is_some() { "a long text".to_owned() } else { format!("{text:?}") }
}

/// Whether the Service has addresses of this family. One that prefers two has them if only the cluster does; once it has
/// been given its addresses, `ipFamilies` says so (`initIPFamilyFields` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/service/storage/alloc.go>).
fn is_of(service: &Service<'_>, family: Family) -> bool {
    service.spec.ip_families.contains(&family.name())
        || match service.spec.ip_family_policy {
            "RequireDualStack" => true,
            "PreferDualStack" => service.spec.cluster_ips.is_empty(),
            _ => false,
        }
}

/// Whether its addresses are none of the internet's.
fn is_internal(service: &Service<'_>, settings: &ServiceExposure) -> bool {
    let class = service.spec.load_balancer_class;
    CLASSES.contains(&class)
        || (!class.is_empty() && glob::any(&settings.internal_classes, class))
        || settings
            .internal_annotations
            .iter()
            .any(|(name, values)| service.metadata.annotation(name).is_some_and(|value| glob::any(values, value)))
        || CLOUDS.iter().any(|(names, values)| {
            // Of several names the first that is there decides.
            first(service, names).is_some_and(|value| values.contains(&value))
        })
        || is_internal_on_google(service)
        || is_internal_on_aws(service)
        || is_internal_on_oracle(service)
        || is_internal_on_huawei(service)
        || service.metadata.annotation(TENCENT_SUBNET).is_some_and(|subnet| !subnet.is_empty())
}

/// The classes whose load balancers are internal: GKE's (`pkg/annotations` of
/// <https://github.com/kubernetes/ingress-gce>), and Tailscale's, which is reached within the tailnet
/// (<https://tailscale.com/kb/1439/kubernetes-operator-cluster-ingress>).
const CLASSES: &[&str] =
    &["networking.gke.io/l4-regional-internal", "networking.gke.io/l4-regional-internal-legacy", "tailscale"];

/// What Go's `strconv.ParseBool` takes for true.
const TRUE: &[&str] = &["true", "1", "t", "T", "TRUE", "True"];

/// What it takes for false.
const FALSE: &[&str] = &["false", "0", "f", "F", "FALSE", "False"];

/// The annotations that make a load balancer internal, with the values that do. All those without a source of their own are
/// from <https://kubernetes.io/docs/concepts/services-networking/service/#internal-load-balancer>.
const CLOUDS: &[(&[&str], &[&str])] = &[
    // https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer/
    (&["service.beta.kubernetes.io/azure-load-balancer-internal"], &["true"]),
    (&["service.beta.kubernetes.io/openstack-internal-load-balancer"], &["true"]),
    (&["service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type"], &["private"]),
    (
        &[
            "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type",
            "service.beta.kubernetes.io/alicloud-loadbalancer-address-type",
        ],
        &["intranet"],
    ),
    (&["service.beta.kubernetes.io/cce-load-balancer-internal-vpc"], &["true"]),
    // https://docs.digitalocean.com/products/kubernetes/how-to/configure-load-balancers/
    (&["service.beta.kubernetes.io/do-loadbalancer-network"], &["INTERNAL"]),
    // https://github.com/hetznercloud/hcloud-cloud-controller-manager/blob/main/internal/annotation/load_balancer.go
    (&["load-balancer.hetzner.cloud/disable-public-network"], TRUE),
    // https://github.com/scaleway/scaleway-cloud-controller-manager/blob/master/docs/loadbalancer-annotations.md
    (&["service.beta.kubernetes.io/scw-loadbalancer-private"], TRUE),
    // https://yandex.cloud/en/docs/managed-kubernetes/operations/create-load-balancer
    (&["yandex.cloud/load-balancer-type"], &["internal"]),
];

/// The value of the first of several annotations that is there.
fn first<'r>(service: &Service<'r>, names: &[&str]) -> Option<&'r str> {
    names.iter().find_map(|name| service.metadata.annotation(name))
}

/// A class of GKE's decides alone, whatever the annotations say (`WantsL4ILB` in `pkg/annotations/service.go` of
/// <https://github.com/kubernetes/ingress-gce>,
/// <https://cloud.google.com/kubernetes-engine/docs/how-to/internal-load-balancing>).
fn is_internal_on_google(service: &Service<'_>) -> bool {
    const NAMES: &[&str] = &["networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type"];
    !service.spec.load_balancer_class.starts_with("networking.gke.io/")
        && matches!(first(service, NAMES), Some("Internal" | "internal"))
}

/// Names the subnet of an internal load balancer.
const TENCENT_SUBNET: &str = "service.kubernetes.io/qcloud-loadbalancer-internal-subnetid";

/// The AWS Load Balancer Controller makes internal ones unless it is told otherwise; the cloud provider makes public ones,
/// and takes every value but `false` for a yes. The controller takes the Services of its class, and those whose type is
/// `external` or `nlb-ip`
/// (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/#access-control>,
/// `pkg/providers/v1/aws.go` of <https://github.com/kubernetes/cloud-provider-aws>). The scheme is believed without them
/// too: by default the controller gives its class to every new Service.
fn is_internal_on_aws(service: &Service<'_>) -> bool {
    if let Some(scheme) = service.metadata.annotation("service.beta.kubernetes.io/aws-load-balancer-scheme") {
        return scheme == "internal";
    }
    if let Some(internal) = service.metadata.annotation("service.beta.kubernetes.io/aws-load-balancer-internal") {
        return !internal.is_empty() && !FALSE.contains(&internal);
    }
    matches!(service.spec.load_balancer_class, "service.k8s.aws/nlb" | "eks.amazonaws.com/nlb")
        || matches!(
            service.metadata.annotation("service.beta.kubernetes.io/aws-load-balancer-type"),
            Some("external" | "nlb-ip")
        )
}

/// Each kind of load balancer has an annotation of its own, and passes over the other's
/// (<https://github.com/oracle/oci-cloud-controller-manager/blob/master/docs/load-balancer-annotations.md>).
fn is_internal_on_oracle(service: &Service<'_>) -> bool {
    let kind = service.metadata.annotation("oci.oraclecloud.com/load-balancer-type");
    let is_network = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("nlb"));
    let name = if is_network {
        "oci-network-load-balancer.oraclecloud.com/internal"
    } else {
        "service.beta.kubernetes.io/oci-load-balancer-internal"
    };
    service.metadata.annotation(name).is_some_and(|value| TRUE.contains(&value))
}

/// What is to be made is described in JSON
/// (<https://support.huaweicloud.com/intl/en-us/usermanual-cce/cce_10_0014.html>).
fn is_internal_on_huawei(service: &Service<'_>) -> bool {
    let made = service.metadata.annotation("kubernetes.io/elb.autocreate").unwrap_or_default();
    Node::from_json(made.as_bytes()).is_ok_and(|made| made.get("type").and_then(Node::as_str) == Some("inner"))
}
