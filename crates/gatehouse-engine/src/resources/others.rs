//! Kinds that are not Kubernetes' own: those that Gatehouse's policies, or their rules, know by name. Of all others only
//! an API server could say more. Each stands where its definition says.

use Scope::{Cluster, Namespaced};

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
}

/// Kinds by group and scope.
pub(crate) const KINDS: &[(&str, Scope, &[&str])] = &[
    // https://github.com/kubernetes-sigs/gateway-api/tree/main/config/crd
    ("gateway.networking.k8s.io", Cluster, &["GatewayClass"]),
    (
        "gateway.networking.k8s.io",
        Namespaced,
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
    // https://github.com/cert-manager/cert-manager/tree/master/deploy/crds
    ("cert-manager.io", Cluster, &["ClusterIssuer"]),
    ("cert-manager.io", Namespaced, &["Certificate", "CertificateRequest", "Issuer"]),
    ("acme.cert-manager.io", Namespaced, &["Challenge", "Order"]),
    // https://github.com/prometheus-operator/prometheus-operator/tree/main/example/prometheus-operator-crd
    (
        "monitoring.coreos.com",
        Namespaced,
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
    // https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/deploy/vpa-v1-crd-gen.yaml
    ("autoscaling.k8s.io", Namespaced, &["VerticalPodAutoscaler", "VerticalPodAutoscalerCheckpoint"]),
    // https://github.com/kubernetes/metrics/tree/master/pkg/apis/metrics
    ("metrics.k8s.io", Cluster, &["NodeMetrics"]),
    ("metrics.k8s.io", Namespaced, &["PodMetrics"]),
    // https://github.com/kubewarden/kubewarden-controller/tree/main/api/policies/v1
    ("policies.kubewarden.io", Cluster, &["ClusterAdmissionPolicy", "ClusterAdmissionPolicyGroup", "PolicyServer"]),
    ("policies.kubewarden.io", Namespaced, &["AdmissionPolicy", "AdmissionPolicyGroup"]),
    // https://github.com/OT-CONTAINER-KIT/redis-operator/tree/main/config/crd/bases
    ("redis.redis.opstreelabs.in", Namespaced, &["Redis", "RedisCluster", "RedisReplication", "RedisSentinel"]),
    // The workloads whose pods the kit reads (`FOREIGN` in gatehouse-policy's `workload.rs` says where each is from).
    ("actions.github.com", Namespaced, &["AutoscalingRunnerSet"]),
    ("agents.x-k8s.io", Namespaced, &["Sandbox"]),
    ("agones.dev", Namespaced, &["Fleet", "GameServer", "GameServerSet"]),
    (
        "apps.kruise.io",
        Namespaced,
        &[
            "AdvancedCronJob",
            "BroadcastJob",
            "CloneSet",
            "DaemonSet",
            "ImageListPullJob",
            "StatefulSet",
            "UnitedDeployment",
        ],
    ),
    ("apps.openshift.io", Namespaced, &["DeploymentConfig"]),
    ("argoproj.io", Namespaced, &["Rollout"]),
    ("batch.volcano.sh", Namespaced, &["CronJob", "Job"]),
    ("jobset.x-k8s.io", Namespaced, &["JobSet"]),
    ("keda.sh", Namespaced, &["ScaledJob"]),
    ("kubeflow.org", Namespaced, &["JAXJob", "MPIJob", "Notebook", "PaddleJob", "PyTorchJob", "TFJob", "XGBoostJob"]),
    ("leaderworkerset.x-k8s.io", Namespaced, &["LeaderWorkerSet"]),
    ("operators.coreos.com", Namespaced, &["ClusterServiceVersion"]),
    ("ray.io", Namespaced, &["RayCluster", "RayJob", "RayService"]),
    ("serving.knative.dev", Namespaced, &["Configuration", "Revision", "Service"]),
];

/// Kinds that Kubernetes itself had and no release serves any more, which an older one may still serve.
pub(crate) const FORMER: &[(&str, &[&str])] = &[
    ("admissionregistration.k8s.io", &["ExternalAdmissionHookConfiguration", "InitializerConfiguration"]),
    ("apps", &["DeploymentRollback", "Scale"]),
    ("auditregistration.k8s.io", &["AuditSink"]),
    ("batch", &["JobTemplate", "ScheduledJob"]),
    (
        "extensions",
        &[
            "DaemonSet",
            "Deployment",
            "DeploymentRollback",
            "HorizontalPodAutoscaler",
            "Ingress",
            "Job",
            "NetworkPolicy",
            "PodSecurityPolicy",
            "ReplicaSet",
            "ReplicationControllerDummy",
            "Scale",
            "ThirdPartyResource",
        ],
    ),
    ("imagepolicy.k8s.io", &["ImageReview"]),
    ("networking.k8s.io", &["ClusterCIDR"]),
    ("policy", &["PodSecurityPolicy"]),
    (
        "resource.k8s.io",
        &[
            "PodScheduling",
            "PodSchedulingContext",
            "ResourceClaimParameters",
            "ResourceClass",
            "ResourceClassParameters",
        ],
    ),
    ("settings.k8s.io", &["PodPreset"]),
];
