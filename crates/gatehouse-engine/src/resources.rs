//! What the API calls the kinds that files hold: a file says `kind: Ingress`, rules say `ingresses`.

mod others;
mod own;
mod unserved;

use std::borrow::Cow;

use others::Scope;
pub use unserved::{Part, Unserved, is_list, is_own_group, unserved};

/// The resource of a kind, as rules and requests name it: `networkpolicies` for `NetworkPolicy`. Of a kind that is not
/// Kubernetes' own, without an API server to ask, it is the plural that code generators give it.
#[must_use]
pub fn resource(group: &str, kind: &str) -> Cow<'static, str> {
    if let Some(known) = own::KINDS.iter().find(|known| known.kind == kind && known.group == group) {
        return known.resource.into();
    }
    match (group, kind) {
        ("metrics.k8s.io", "PodMetrics") => "pods".into(),
        ("metrics.k8s.io", "NodeMetrics") => "nodes".into(),
        ("security.openshift.io", "SecurityContextConstraints") => "securitycontextconstraints".into(),
        _ => plural(kind.to_ascii_lowercase()).into(),
    }
}

/// The plural of a kind, its letters as they are: `NetworkPolicies`. All kinds of Kubernetes itself follow these rules, and
/// nearly all others (<https://github.com/kubernetes/gengo/blob/master/namer/plural_namer.go>).
#[must_use]
pub fn plural(kind: String) -> String {
    let ends = |end: &str| {
        let start = kind.len().checked_sub(end.len());
        start.and_then(|start| kind.get(start..)).is_some_and(|its| its.eq_ignore_ascii_case(end))
    };
    if ends("endpoints") || ends("redis") {
        return kind;
    }
    match kind.as_bytes() {
        [stem @ .., vowel, b'y' | b'Y'] if !b"aeiouAEIOU".contains(vowel) => format!("{}ies", &kind[..=stem.len()]),
        [.., b's' | b'x' | b'z' | b'S' | b'X' | b'Z'] | [.., b'c' | b's', b'h'] => kind + "es",
        [] => kind,
        _ => kind + "s",
    }
}

/// Whether objects of a kind live in a namespace; `None` for a kind that is not known here.
#[must_use]
pub fn is_namespaced(group: &str, kind: &str) -> Option<bool> {
    if let Some(known) = own::KINDS.iter().find(|known| known.kind == kind && known.group == group) {
        return known.namespaced;
    }
    let (_, scope, _) = others::KINDS.iter().find(|(of, _, kinds)| *of == group && kinds.contains(&kind))?;
    Some(*scope == Scope::Namespaced)
}

/// The best `apiVersion` of a kind of Kubernetes' own, whatever its letters' case.
#[must_use]
pub fn api_version_of(kind: &str) -> Option<&'static str> {
    own::KINDS.iter().find(|known| known.kind.eq_ignore_ascii_case(kind)).map(|known| known.api_version)
}

/// What became of a version of the API that no API server serves any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The first release of Kubernetes without it.
    pub release: &'static str,
    /// The `apiVersion` to write instead.
    pub successor: &'static str,
}

/// What became of a kind's version, if it was removed
/// (<https://kubernetes.io/docs/reference/using-api/deprecation-guide/>). Only of the kinds that Gatehouse's policies judge.
#[must_use]
pub fn removed(api_version: &str, kind: &str) -> Option<Removed> {
    let (release, successor) = match (api_version, kind) {
        ("extensions/v1beta1", "DaemonSet" | "Deployment" | "ReplicaSet")
        | ("apps/v1beta1", "Deployment" | "StatefulSet")
        | ("apps/v1beta2", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet") => ("1.16", "apps/v1"),
        ("extensions/v1beta1", "NetworkPolicy") => ("1.16", "networking.k8s.io/v1"),
        ("batch/v2alpha1", "CronJob") => ("1.21", "batch/v1"),
        ("extensions/v1beta1" | "networking.k8s.io/v1beta1", "Ingress") => ("1.22", "networking.k8s.io/v1"),
        ("batch/v1beta1", "CronJob") => ("1.25", "batch/v1"),
        ("policy/v1beta1", "PodDisruptionBudget") => ("1.25", "policy/v1"),
        ("autoscaling/v2beta1", "HorizontalPodAutoscaler") => ("1.25", "autoscaling/v2"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler") => ("1.26", "autoscaling/v2"),
        _ => return None,
    };
    Some(Removed { release, successor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resources_as_the_api_does() {
        for (group, kind, expected) in [
            ("", "Pod", "pods"),
            ("", "Endpoints", "endpoints"),
            ("", "ComponentStatus", "componentstatuses"),
            ("networking.k8s.io", "Ingress", "ingresses"),
            ("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
            ("networking.k8s.io", "IPAddress", "ipaddresses"),
            ("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities"),
            ("gateway.networking.k8s.io", "Gateway", "gateways"),
            ("gateway.networking.k8s.io", "GatewayClass", "gatewayclasses"),
            ("monitoring.coreos.com", "Prometheus", "prometheuses"),
            ("metrics.k8s.io", "PodMetrics", "pods"),
            ("redis.redis.opstreelabs.in", "Redis", "redis"),
            ("redis.redis.opstreelabs.in", "RedisCluster", "redisclusters"),
            ("appmesh.k8s.aws", "Mesh", "meshes"),
            ("example.org", "Ÿ", "Ÿs"),
            ("example.org", "éY", "éies"),
            ("example.org", "", ""),
        ] {
            assert_eq!(resource(group, kind), expected, "{group}/{kind}");
        }
    }

    #[test]
    fn what_was_removed_has_a_successor() {
        let removed_as = |version, kind| removed(version, kind).map(|removed| (removed.release, removed.successor));
        assert_eq!(removed_as("extensions/v1beta1", "Deployment"), Some(("1.16", "apps/v1")));
        assert_eq!(removed_as("extensions/v1beta1", "Ingress"), Some(("1.22", "networking.k8s.io/v1")));
        assert_eq!(removed_as("apps/v1", "Deployment"), None);
        assert_eq!(removed_as("example.org/v1beta1", "CronJob"), None);
    }

    #[test]
    fn knows_what_lives_in_a_namespace() {
        assert_eq!(is_namespaced("", "Pod"), Some(true));
        assert_eq!(is_namespaced("", "Node"), Some(false));
        assert_eq!(is_namespaced("networking.k8s.io", "IngressClass"), Some(false));
        assert_eq!(is_namespaced("example.org", "Pod"), None);
    }

    #[test]
    fn says_of_no_kind_both() {
        for (group, scope, kinds) in others::KINDS {
            for kind in *kinds {
                assert_eq!(is_namespaced(group, kind), Some(*scope == Scope::Namespaced), "{group}/{kind}");
            }
        }
    }

    /// The rules for plurals hold for all that Kubernetes serves, so they may be trusted with what it does not.
    #[test]
    fn plurals_are_as_kubernetes_has_them() {
        for known in own::KINDS.iter().filter(|known| known.namespaced.is_some()) {
            assert_eq!(plural(known.kind.to_ascii_lowercase()), known.resource);
        }
        assert_eq!(plural("NetworkPolicy".to_owned()), "NetworkPolicies");
        assert_eq!(plural("Endpoints".to_owned()), "Endpoints");
    }
}
