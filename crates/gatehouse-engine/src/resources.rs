//! What the API calls the kinds that files hold: a file says `kind: Ingress`, rules say `ingresses`.

use std::borrow::Cow;

/// The resource of a kind, as rules and requests name it: `networkpolicies` for `NetworkPolicy`.
///
/// Without an API server to ask, it is the plural that code generators give a kind; all kinds of Kubernetes itself follow
/// it, and nearly all others (<https://github.com/kubernetes/gengo/blob/master/namer/plural_namer.go>).
#[must_use]
pub fn resource(group: &str, kind: &str) -> Cow<'static, str> {
    match (group, kind) {
        ("metrics.k8s.io", "PodMetrics") => return "pods".into(),
        ("metrics.k8s.io", "NodeMetrics") => return "nodes".into(),
        ("security.openshift.io", "SecurityContextConstraints") => return "securitycontextconstraints".into(),
        _ => {}
    }
    let singular = kind.to_ascii_lowercase();
    if singular.ends_with("endpoints") || singular.ends_with("redis") {
        return singular.into();
    }
    match singular.as_bytes() {
        [stem @ .., vowel, b'y'] if !b"aeiou".contains(vowel) => format!("{}ies", &singular[..=stem.len()]).into(),
        [.., b's' | b'x' | b'z'] | [.., b'c' | b's', b'h'] => (singular + "es").into(),
        [] => singular.into(),
        _ => (singular + "s").into(),
    }
}

/// Whether objects of a kind live in a namespace; `None` for a kind that is not known here.
#[must_use]
pub fn is_namespaced(group: &str, kind: &str) -> Option<bool> {
    let holds =
        |table: &[(&str, &[&str])]| table.iter().any(|(its_group, kinds)| *its_group == group && kinds.contains(&kind));
    if holds(NAMESPACED) {
        Some(true)
    } else if holds(OF_THE_CLUSTER) {
        Some(false)
    } else {
        None
    }
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

const NAMESPACED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("authorization.k8s.io", &["LocalSubjectAccessReview"]),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("autoscaling.k8s.io", &["VerticalPodAutoscaler", "VerticalPodAutoscalerCheckpoint"]),
    ("batch", &["CronJob", "Job"]),
    ("coordination.k8s.io", &["Lease", "LeaseCandidate"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    ("events.k8s.io", &["Event"]),
    ("networking.k8s.io", &["Ingress", "NetworkPolicy"]),
    ("policy", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", &["Role", "RoleBinding"]),
    ("resource.k8s.io", &["ResourceClaim", "ResourceClaimTemplate"]),
    ("storage.k8s.io", &["CSIStorageCapacity"]),
    (
        "gateway.networking.k8s.io",
        &[
            "BackendTLSPolicy",
            "GRPCRoute",
            "Gateway",
            "HTTPRoute",
            "ListenerSet",
            "ReferenceGrant",
            "TCPRoute",
            "TLSRoute",
            "UDPRoute",
        ],
    ),
    ("cert-manager.io", &["Certificate", "CertificateRequest", "Issuer"]),
    ("acme.cert-manager.io", &["Challenge", "Order"]),
    (
        "monitoring.coreos.com",
        &[
            "Alertmanager",
            "AlertmanagerConfig",
            "PodMonitor",
            "Probe",
            "Prometheus",
            "PrometheusAgent",
            "PrometheusRule",
            "ScrapeConfig",
            "ServiceMonitor",
            "ThanosRuler",
        ],
    ),
    ("policies.kubewarden.io", &["AdmissionPolicy", "AdmissionPolicyGroup"]),
    ("redis.redis.opstreelabs.in", &["Redis", "RedisCluster", "RedisReplication", "RedisSentinel"]),
];

const OF_THE_CLUSTER: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    ("authorization.k8s.io", &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "DeviceTaintRule", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
    ("storagemigration.k8s.io", &["StorageVersionMigration"]),
    ("cert-manager.io", &["ClusterIssuer"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    ("policies.kubewarden.io", &["ClusterAdmissionPolicy", "ClusterAdmissionPolicyGroup", "PolicyServer"]),
];

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
        for (group, kinds) in OF_THE_CLUSTER {
            for kind in *kinds {
                assert_eq!(is_namespaced(group, kind), Some(false), "{group}/{kind}");
            }
        }
    }
}
