//! Where a Service that is an alias leads.

use gatehouse_policy::{Report, glob};

use crate::range::Range;
use crate::{EXTERNAL_NAME, ServiceExposure, at};

pub fn judge(name: &str, namespace: &str, settings: &ServiceExposure, report: &mut Report<'_>) {
    let plain = plain(name);
    if glob::any(&settings.external_names, name) || glob::any(&settings.external_names, &plain) {
        return;
    }
    let domain = settings.cluster_domain.trim_matches('.').to_ascii_lowercase();
    let Some((what, expected)) = fault(&plain, namespace, &domain) else { return };
    report.add(&EXTERNAL_NAME, at("externalName"), format!("service: {name:?} is {what}, expected {expected}"));
}

/// A name as DNS takes it: without case, and without the dot at the end that makes it absolute.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// What is wrong with where a name leads, and what was expected instead.
fn fault(name: &str, namespace: &str, domain: &str) -> Option<(String, &'static str)> {
    const OUTSIDE: &str = "a name outside of the cluster";
    if is_metadata(name) {
        return Some(("the cloud's metadata service".to_owned(), OUTSIDE));
    }
    if LOCAL.iter().any(|local| is_within(name, local)) {
        return Some(("whichever host follows it itself".to_owned(), OUTSIDE));
    }
    if is_address(name) {
        return Some(("an address and no name".to_owned(), "a name, or a Service with an EndpointSlice"));
    }
    match place(name, domain)? {
        Place::Api => Some(("the cluster's API server".to_owned(), OUTSIDE)),
        Place::Namespace(other) if other == namespace => None,
        Place::Namespace(other) => Some((format!("in the namespace {other:?}"), "one of its own namespace")),
        Place::Cluster => Some(("in the cluster".to_owned(), OUTSIDE)),
    }
}

/// The names under which clouds offer their metadata, to which the credentials of nodes belong
/// (<https://cloud.google.com/compute/docs/metadata/querying-metadata>,
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>,
/// <https://www.tencentcloud.com/document/product/213/4934>, <https://cloud.ibm.com/apidocs/vpc-metadata>).
const METADATA_NAMES: &[&str] = &[
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
    "api.metadata.cloud.ibm.com",
];

/// The addresses of the same: all that is link-local, of which nearly every cloud uses 169.254.169.254, and those that are
/// not: EC2's and Google's over IPv6, Alibaba's, Azure's and Oracle's.
const METADATA_ADDRESSES: &[&str] = &[
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
];

/// What the host that asks is called on itself.
const LOCAL: &[&str] = &["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"];

fn is_metadata(name: &str) -> bool {
    let address = Range::address(name);
    METADATA_NAMES.contains(&name)
        || address.is_some_and(|address| {
            METADATA_ADDRESSES.iter().filter_map(|range| Range::cidr(range)).any(|range| range.contains(&address))
        })
}

/// Whether it is an address, in any of the ways in which resolvers read one: `127.0.0.1`, `127.1`, `0x7f000001`. No domain
/// of the world ends in a number (<https://www.rfc-editor.org/rfc/rfc3696#section-2>).
fn is_address(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let is_hexadecimal =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_decimal || is_hexadecimal || name.contains(':')
}

/// Whose the name is, where it is one of the cluster's.
enum Place<'n> {
    /// The API server's.
    Api,
    /// That of something in a namespace.
    Namespace(&'n str),
    /// Another one below the cluster's domain.
    Cluster,
}

/// The domain of Services that clusters share (<https://github.com/kubernetes/enhancements/tree/master/keps/sig-multicluster/1645-multi-cluster-services-api>).
const SHARED_DOMAIN: &str = "clusterset.local";

/// Takes a name of the cluster apart (<https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>). Without
/// the domain it is found by resolvers that search, as ingress controllers do.
fn place<'n>(name: &'n str, domain: &str) -> Option<Place<'n>> {
    // No longer a name of the world, nor one that leads anywhere else.
    if name == "kubernetes.default" {
        return Some(Place::Api);
    }
    let inner = below(name, domain).or_else(|| below(name, SHARED_DOMAIN));
    // Without the domain, `pod` would be no mark of the cluster.
    let owner = inner.unwrap_or(name).strip_suffix(".svc").or_else(|| inner?.strip_suffix(".pod"));
    match owner {
        // Its endpoints have names below its own.
        Some(owner) if owner == "kubernetes.default" || owner.ends_with(".kubernetes.default") => Some(Place::Api),
        Some(owner) => Some(Place::Namespace(owner.rsplit('.').next().unwrap_or_default())),
        None => inner.map(|_| Place::Cluster),
    }
}

/// What comes before a domain in a name; nothing, where the name is the domain itself.
fn below<'n>(name: &'n str, domain: &str) -> Option<&'n str> {
    let before = name.strip_suffix(domain)?;
    if before.is_empty() { Some(before) } else { before.strip_suffix('.') }
}

fn is_within(name: &str, domain: &str) -> bool {
    below(name, domain).is_some()
}
