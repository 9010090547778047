//! What an object names is there, in its namespace: among the manifests that are checked together, or in the cluster.
//!
//! Where only a few files of many are checked, nothing proves that something is missing, and only what is there is judged:
//! `fixed-replicas`.

mod ask;
mod ingress;
mod labels;
mod made;
mod monitor;
mod names;
mod picked;
mod pod;
mod scale;
mod service;
mod shape;
mod sorted;
mod workloads;

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{
    Context, HORIZONTAL_POD_AUTOSCALERS, Members, Path, ReadError, Report, Request, SCALED_OBJECTS, Settings, policy,
    rules, suggestion,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::made::{
    ANNOTATED_SERVICES, BUCKET_CLAIMS, BUNDLES, CERTIFICATES, EXTERNAL_SECRETS, INFISICAL_SECRETS, INGRESSES,
    KAFKA_USERS, KUBERNETES_EXTERNAL_SECRETS, ONE_PASSWORD_ITEMS, POSTGRES_CLUSTERS, SEALED_SECRETS,
    SECRET_PROVIDER_CLASSES, VAULT_DYNAMIC_SECRETS, VAULT_PKI_SECRETS, VAULT_STATIC_SECRETS,
};
use crate::names::{CLAIMS, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS};
use crate::picked::SERVICES;
use crate::workloads::{
    ALERTMANAGERS, CLONE_SETS, CRON_JOBS, DAEMON_SETS, DEPLOYMENT_CONFIGS, DEPLOYMENTS, JOBS, KRUISE_STATEFUL_SETS,
    LEADER_WORKER_SETS, PODS, PROMETHEUSES, REPLICA_SETS, REPLICATION_CONTROLLERS, ROLLOUTS, STATEFUL_SETS,
    THANOS_RULERS,
};

rules! {
    /// Finds a Service whose selector selects no pod of its namespace.
    ///
    /// Looked at are the labels of pods and of the templates of Deployments, StatefulSets, DaemonSets, ReplicaSets,
    /// ReplicationControllers, Jobs and CronJobs, of Argo's Rollout, OpenShift's DeploymentConfig, Kruise's CloneSet and
    /// StatefulSet, LeaderWorkerSet, and what the operator of Prometheus makes of its kinds. A Service without a selector, whose endpoints somebody
    /// writes, and one of type `ExternalName` are not judged.
    ///
    /// Labels that controllers give pods, such as `statefulset.kubernetes.io/pod-name` or `job-name`, and a `role` that no template
    /// has are left out of the selector. Where it has a label in somebody's domain that no template has, such as
    /// `strimzi.io/cluster`, an operator makes the pods, and nothing is said. Nor is it of the pods in `kube-system`, which come
    /// with the cluster.
    ///
    /// It is found only where all is known that could be there: in a cluster, and where the checker is given all manifests. A few
    /// files of many prove nothing.
    ///
    /// ## Why
    /// It has an address, and nobody answers there. A label with a slip in it is accepted as any other.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Service
    /// spec:
    ///   selector:
    ///     app: wbe
    /// ```
    ///
    /// ## Use instead
    /// The labels of the pods, `spec.template.metadata.labels` of their workload:
    /// ```yaml
    /// selector:
    ///   app: web
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/service/>
    SERVICE_SELECTOR = "service-selector": warn;

    /// Finds a port of a Service that no pod has which the Service selects: a `targetPort` by a name that none of their containers
    /// and sidecars gives to a port of the same protocol, or by a number that none declares.
    ///
    /// A number reaches a container that listens there whether or not the port is declared. So it is said once a Service, and
    /// only where each of the pods declares ports; of a headless Service not at all, whose clients go to the pods themselves. Where
    /// there is no `targetPort`, it is the `port`.
    ///
    /// ## Why
    /// A name that no pod has leads nowhere: the Service has no endpoints for that port. A number that is not declared is mostly
    /// one of before.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Service
    /// spec:
    ///   selector:
    ///     app: web
    ///   ports:
    ///   - port: 80
    ///     targetPort: http
    /// ---
    /// kind: Deployment
    /// spec:
    ///   template:
    ///     metadata:
    ///       labels:
    ///         app: web
    ///     spec:
    ///       containers:
    ///       - name: web
    ///         ports:
    ///         - name: web
    ///           containerPort: 8080
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports>
    SERVICE_PORT = "service-port": warn;

    /// Finds a HorizontalPodAutoscaler or a ScaledObject of KEDA of a workload that is not in its namespace, and a
    /// PodDisruptionBudget that selects no pod.
    ///
    /// Looked for are Deployments, StatefulSets, ReplicaSets, ReplicationControllers, Argo's Rollouts, OpenShift's
    /// DeploymentConfigs, Kruise's CloneSets and StatefulSets. An autoscaler of another kind is not judged. Selectors are looked at
    /// as in `service-selector`; an empty one, which selects all pods, is not judged.
    ///
    /// ## Why
    /// It does nothing, and says so in its status alone: the workload keeps its number of replicas, or loses all of them with
    /// their node.
    ///
    /// ## Options
    /// `provided`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>,
    /// <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>
    SCALE_TARGET = "scale-target": warn;

    /// Finds a workload with a number of `replicas` that an autoscaler in its namespace scales: a HorizontalPodAutoscaler, or a
    /// ScaledObject of KEDA.
    ///
    /// 1 is what the API server makes of an object without `replicas`, so it is not found. Nor is an update that leaves the number
    /// as it is.
    ///
    /// ## Why
    /// Each time the object is applied its number is set again, in the middle of the load for which the autoscaler had raised it,
    /// and pods are stopped.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Deployment
    /// metadata:
    ///   name: web
    /// spec:
    ///   replicas: 6
    /// ---
    /// kind: HorizontalPodAutoscaler
    /// spec:
    ///   scaleTargetRef:
    ///     apiVersion: apps/v1
    ///     kind: Deployment
    ///     name: web
    /// ```
    ///
    /// ## Use instead
    /// The object without `replicas`. What a Deployment that is there loses with the field, and how not to, stands below.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling>
    FIXED_REPLICAS = "fixed-replicas": warn;

    /// Finds an Ingress with a backend that is not there: a Service that is not in its namespace, or does not have the port, by its
    /// number or its name. Each is found once. Backends that are no Services, and actions of the load balancer of AWS
    /// (`use-annotation`), are not judged; nor are the ports of a Service without any, which is another name for something
    /// elsewhere.
    ///
    /// The Secrets of its TLS are those of `secret`.
    ///
    /// ## Why
    /// The controller answers requests with an error, 503 mostly.
    ///
    /// ## Options
    /// `provided`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/>
    INGRESS_BACKEND = "ingress-backend": warn;

    /// Finds a ServiceMonitor that selects no Service, or a PodMonitor that selects no pod, and the port of an endpoint that none of
    /// those that are selected has.
    ///
    /// The namespaces are those of `namespaceSelector`, or else its own. Selectors are looked at as in `service-selector`; an
    /// empty one is not judged. Where all namespaces are others in which nothing is known, and nothing is selected anywhere else
    /// either, nothing is said: their manifests are somewhere else.
    ///
    /// ## Why
    /// Prometheus has no such target. There is no error anywhere, and the alerts on what it does not measure stay quiet.
    ///
    /// ## Example
    /// ```yaml
    /// kind: ServiceMonitor
    /// spec:
    ///   selector:
    ///     matchLabels:
    ///       app: web
    ///   endpoints:
    ///   - port: 8080
    /// ```
    ///
    /// ## Use instead
    /// The labels of the Service, which are not those of its pods, and the name of its port.
    ///
    /// ## Reference
    /// <https://prometheus-operator.dev/docs/developer/getting-started/#using-servicemonitors>
    MONITOR_SELECTOR = "monitor-selector": warn;

    /// Finds a Secret that a pod or the TLS of an Ingress needs and that is not in its namespace: once for the Secret, where it is
    /// named first. What is `optional` is not needed.
    ///
    /// What makes a Secret counts as the Secret: an ExternalSecret, a SealedSecret, cert-manager's Certificate, an Ingress with the
    /// annotation of an issuer, a SecretProviderClass, Vault's, 1Password's and Infisical's kinds, a KafkaUser of Strimzi, a
    /// Cluster of CloudNativePG, an ObjectBucketClaim, a Service for which OpenShift makes a certificate. So do names that only what
    /// Kubernetes, Helm or an operator makes has: `default-token-x7k2p`, `sh.helm.release.v1.…`, `….credentials.postgresql.acid.zalan.do`.
    ///
    /// The values of Secrets are never read: the policy server is asked for their names alone.
    ///
    /// It is found only where all is known that could be there: in a cluster, and where the checker is given all manifests. A few
    /// files of many prove nothing.
    ///
    /// ## Why
    /// The pod does not start: its containers wait for the Secret, or for the volume, without end.
    ///
    /// ## Example
    /// ```yaml
    /// env:
    /// - name: DATABASE_URL
    ///   valueFrom:
    ///     secretKeyRef:
    ///       name: database
    ///       key: url
    /// ```
    ///
    /// ## Options
    /// `provided`, for what somebody makes by hand: `{Secret: [regcred]}`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#using-a-secret>
    SECRET = "secret": warn;

    /// Finds a ConfigMap that a pod needs and that is not in its namespace: once for the ConfigMap, where it is named first. What is
    /// `optional` is not needed, and what every namespace has is there: `kube-root-ca.crt`, and its like of OpenShift and Istio. A
    /// Bundle of trust-manager and an ObjectBucketClaim count as the ConfigMap that they make.
    ///
    /// Kustomize and Helm give ConfigMaps names of their own, and change what names them: the names are taken as they stand.
    ///
    /// ## Why
    /// The pod does not start: its containers wait for the ConfigMap, or for the volume, without end.
    ///
    /// ## Options
    /// `provided`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/configmap/>
    CONFIG_MAP = "config-map": warn;

    /// Finds a PersistentVolumeClaim that a pod needs and that is not in its namespace. Those that a StatefulSet makes of its
    /// `volumeClaimTemplates` count: `data-db-0` of the template `data` of the StatefulSet `db`.
    ///
    /// ## Why
    /// The pod is not scheduled as long as it is not there.
    ///
    /// ## Options
    /// `provided`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#claims-as-volumes>
    CLAIM = "claim": warn;

    /// Finds a pod of a ServiceAccount that is not in its namespace. Every namespace has `default`.
    ///
    /// ## Why
    /// The API server refuses the pod. A Deployment is accepted, and its pods are never made: only the events of its ReplicaSet say
    /// why.
    ///
    /// ## Options
    /// `provided`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/>
    SERVICE_ACCOUNT = "service-account": warn;
}

/// The settings of object-references.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectReferences {
    /// Names of what comes from elsewhere, by kind, as globs: `{Secret: [regcred, "*-tls"]}`. `*` is any run of characters, `?`
    /// any one.
    provided: Members<String, Vec<Glob>>,
}

impl Settings for ObjectReferences {
    fn validate(&self) -> Result<(), ReadError> {
        let known: Vec<&str> = names::kinds().collect();
        match self.provided.iter().find(|(kind, _)| !known.contains(&&**kind)) {
            Some((kind, _)) => Err(ReadError {
                path: Path::of(&["provided"]).key(kind.clone()),
                reason: format!("no object of this kind is looked for by its name; {}", suggestion(kind, &known)),
            }),
            None => Ok(()),
        }
    }
}

impl ObjectReferences {
    fn provides(&self, kind: &str, name: &str) -> bool {
        self.provided.get(kind).is_some_and(|names| glob::any(names, name))
    }
}

policy!(
    ObjectReferences,
    review,
    subresources: ["ephemeralcontainers"],
    asks: [
        SECRETS, CONFIG_MAPS, CLAIMS, SERVICE_ACCOUNTS, SERVICES, ANNOTATED_SERVICES, INGRESSES, DEPLOYMENTS,
        STATEFUL_SETS, DAEMON_SETS, REPLICA_SETS, REPLICATION_CONTROLLERS, PODS, JOBS, CRON_JOBS, ROLLOUTS,
        DEPLOYMENT_CONFIGS, CLONE_SETS, KRUISE_STATEFUL_SETS, LEADER_WORKER_SETS, PROMETHEUSES, ALERTMANAGERS,
        THANOS_RULERS, HORIZONTAL_POD_AUTOSCALERS, SCALED_OBJECTS, EXTERNAL_SECRETS, KUBERNETES_EXTERNAL_SECRETS,
        SEALED_SECRETS, CERTIFICATES, SECRET_PROVIDER_CLASSES, VAULT_STATIC_SECRETS, VAULT_DYNAMIC_SECRETS,
        VAULT_PKI_SECRETS, ONE_PASSWORD_ITEMS, INFISICAL_SECRETS, KAFKA_USERS, BUCKET_CLAIMS, POSTGRES_CLUSTERS, BUNDLES,
    ],
);

fn review(
    request: &Request<'_>,
    context: &Context<'_, ObjectReferences>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    match (request.group, request.kind) {
        ("", "Service") => service::judge(request, report),
        ("networking.k8s.io", "Ingress") => ingress::judge(request, context.settings, report),
        ("autoscaling", "HorizontalPodAutoscaler") | ("keda.sh", "ScaledObject") => {
            scale::judge_autoscaler(request, context.settings, report)
        }
        ("policy", "PodDisruptionBudget") => scale::judge_budget(request, report),
        ("monitoring.coreos.com", "ServiceMonitor" | "PodMonitor") => monitor::judge(request, report),
        // What its pods need is made with them: its service accounts, the certificates of its webhooks.
        ("operators.coreos.com", "ClusterServiceVersion") => Ok(()),
        _ => pod::judge(request, context, report),
    }
}
