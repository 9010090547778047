//! The kinds that the API server itself serves, from k8s-openapi's types.

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope, Resource, SubResourceScope};

/// A kind of Kubernetes itself, in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version within the group.
    pub version: &'static str,
    /// As a file says it: `apps/v1`.
    pub api_version: &'static str,
    /// The kind: `Deployment`.
    pub kind: &'static str,
    /// Its plural, as rules name it: `deployments`.
    pub resource: &'static str,
    /// Whether its objects live in a namespace; `None` for what is only ever part of another object's URL.
    pub namespaced: Option<bool>,
}

trait Scope {
    const NAMESPACED: Option<bool>;
}

impl Scope for NamespaceResourceScope {
    const NAMESPACED: Option<bool> = Some(true);
}

impl Scope for ClusterResourceScope {
    const NAMESPACED: Option<bool> = Some(false);
}

impl Scope for SubResourceScope {
    const NAMESPACED: Option<bool> = None;
}

impl Served {
    const fn of<T: Resource<Scope: Scope>>() -> Self {
        Self {
            group: T::GROUP,
            version: T::VERSION,
            api_version: T::API_VERSION,
            kind: T::KIND,
            resource: T::URL_PATH_SEGMENT,
            namespaced: <T::Scope as Scope>::NAMESPACED,
        }
    }
}

/// Rows of a module of k8s-openapi and its kinds.
macro_rules! kinds {
    ($($module:tt $($kind:ident),+;)+) => { &[$($(kind!($module $kind)),+),+] };
}

macro_rules! kind {
    ([$($module:ident)::+] $kind:ident) => { Served::of::<k8s_openapi::$($module::)+$kind>() };
}

/// Every kind that has an API of its own, in every version that Kubernetes serves today; of a kind the best version first.
/// (A test compares it with what k8s-openapi has.)
pub(crate) const KINDS: &[Served] = kinds! {
    [api::core::v1]
        Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume,
        PersistentVolumeClaim, Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, Service,
        ServiceAccount;
    [api::admissionregistration::v1]
        MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration,
        ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration;
    [api::admissionregistration::v1beta1] MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding;
    [api::admissionregistration::v1alpha1] MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding;
    [apiextensions_apiserver::pkg::apis::apiextensions::v1] CustomResourceDefinition;
    [kube_aggregator::pkg::apis::apiregistration::v1] APIService;
    [api::apps::v1] ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet;
    [api::authentication::v1] SelfSubjectReview, TokenRequest, TokenReview;
    [api::authorization::v1]
        LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview;
    [api::autoscaling::v2] HorizontalPodAutoscaler;
    [api::autoscaling::v1] HorizontalPodAutoscaler, Scale;
    [api::batch::v1] CronJob, Job;
    [api::certificates::v1] CertificateSigningRequest;
    [api::certificates::v1beta1] ClusterTrustBundle, PodCertificateRequest;
    [api::certificates::v1alpha1] ClusterTrustBundle;
    [api::coordination::v1] Lease;
    [api::coordination::v1beta1] LeaseCandidate;
    [api::coordination::v1alpha2] LeaseCandidate;
    [api::discovery::v1] EndpointSlice;
    [api::events::v1] Event;
    [api::flowcontrol::v1] FlowSchema, PriorityLevelConfiguration;
    [api::apiserverinternal::v1alpha1] StorageVersion;
    [api::networking::v1] IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR;
    [api::networking::v1beta1] IPAddress, ServiceCIDR;
    [api::node::v1] RuntimeClass;
    [api::policy::v1] Eviction, PodDisruptionBudget;
    [api::rbac::v1] ClusterRole, ClusterRoleBinding, Role, RoleBinding;
    [api::resource::v1] DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice;
    [api::resource::v1beta2] DeviceClass, DeviceTaintRule, ResourceClaim, ResourceClaimTemplate, ResourceSlice;
    [api::resource::v1beta1] DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice;
    [api::resource::v1alpha3] DeviceTaintRule, ResourcePoolStatusRequest;
    [api::scheduling::v1] PriorityClass;
    [api::scheduling::v1alpha2] PodGroup, Workload;
    [api::storage::v1] CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttributesClass;
    [api::storage::v1beta1] VolumeAttributesClass;
    [api::storagemigration::v1beta1] StorageVersionMigration;
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::super::unserved::RELEASE;
    use super::*;

    /// Where the source of k8s-openapi is.
    fn source() -> PathBuf {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
        let packages = metadata["packages"].as_array().expect("there are packages");
        let of = packages.iter().find(|of| of["name"] == "k8s-openapi").expect("k8s-openapi is among them");
        let manifest = of["manifest_path"].as_str().expect("it has a manifest");
        Path::new(manifest).parent().expect("it is in a folder").join("src")
    }

    /// The kinds that the files of a folder define.
    fn defined(folder: &Path, found: &mut BTreeSet<[String; 3]>) {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            // What every API answers with, and nobody creates.
            if path.ends_with("apimachinery") {
                continue;
            }
            if path.is_dir() {
                defined(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).expect("the file can be read");
            for implementation in text.split("\nimpl crate::Resource for ").skip(1) {
                let constant = |name: &str| {
                    let start = format!("const {name}: &'static str = \"");
                    let rest = implementation.split_once(&start).map(|(_, rest)| rest);
                    rest.and_then(|rest| rest.split_once('"')).expect("it has that constant").0.to_owned()
                };
                found.insert([constant("GROUP"), constant("VERSION"), constant("KIND")]);
            }
        }
    }

    #[test]
    fn all_that_kubernetes_serves_is_known() {
        let mut served = BTreeSet::new();
        defined(&source().join(format!("v{}", RELEASE.replace('.', "_"))), &mut served);
        let known: BTreeSet<_> = KINDS.iter().map(|of| [of.group, of.version, of.kind].map(str::to_owned)).collect();
        assert_eq!(known.len(), KINDS.len());
        assert!(served.len() > 90, "{served:?}");
        assert_eq!(known, served);
    }

    /// `latest` of k8s-openapi is the release that messages name.
    #[test]
    fn the_release_is_that_of_the_types() {
        let newest = fs::read_dir(source()).expect("the folder can be read").filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix("v1_")?.parse::<u32>().ok()
        });
        assert_eq!(newest.max().map(|minor| format!("1.{minor}")).as_deref(), Some(RELEASE));
    }
}
