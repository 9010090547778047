//! What is read of a pod.

use serde::Deserialize;
use serde::de::IgnoredAny;

pub type Pod<'r> = gatehouse_policy::Pod<'r, PodFields<'r>, ContainerFields<'r>>;
pub type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFields<'r> {
    #[serde(borrow)]
    pub security_context: SecurityContext<'r>,
    pub host_users: Option<bool>,
    pub host_network: bool,
    init_containers: Vec<IgnoredAny>,
    containers: Vec<IgnoredAny>,
    ephemeral_containers: Vec<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerFields<'r> {
    #[serde(borrow)]
    pub security_context: SecurityContext<'r>,
    pub ports: Vec<Port>,
}

/// What pods and containers have in common, and what only one of them has: `fsGroup`, `supplementalGroups` and `sysctls`
/// are the pod's, `capabilities` and `allowPrivilegeEscalation` a container's.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext<'r> {
    pub run_as_non_root: Option<bool>,
    pub run_as_user: Option<i64>,
    pub run_as_group: Option<i64>,
    pub fs_group: Option<i64>,
    pub supplemental_groups: Option<Vec<i64>>,
    #[serde(borrow)]
    pub sysctls: Vec<Sysctl<'r>>,
    #[serde(borrow)]
    pub capabilities: Capabilities<'r>,
    pub allow_privilege_escalation: Option<bool>,
    #[serde(borrow)]
    pub windows_options: WindowsOptions<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Sysctl<'r> {
    pub name: &'r str,
    pub value: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Capabilities<'r> {
    #[serde(borrow)]
    add: Vec<&'r str>,
    #[serde(borrow)]
    drop: Vec<&'r str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WindowsOptions<'r> {
    pub run_as_user_name: Option<&'r str>,
    pub host_process: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Port {
    pub container_port: i32,
}

impl Capabilities<'_> {
    /// Whether they add the one that allows ports below 1024. Runtimes put names in capitals, take `ALL` first and single
    /// ones then, and drop after they have added (`WithCapabilities` in
    /// <https://github.com/containerd/containerd/tree/main/internal/cri/opts>); the prefix `CAP_` must be left
    /// out (<https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-capabilities-for-a-container>).
    pub fn add_net_bind_service(&self) -> bool {
        let has = |names: &[&str], wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        let (single, all) = ("NET_BIND_SERVICE", "ALL");
        (has(&self.add, single) || (has(&self.add, all) && !has(&self.drop, all))) && !has(&self.drop, single)
    }
}

/// Whether what containers inherit may be changed on the pod: not in a request that can only add a container, nor where
/// an exempt one would inherit it too.
pub fn may_change_pod(pod: &Pod<'_>) -> bool {
    let all = pod.init_containers.len() + pod.containers.len() + pod.ephemeral_containers.len();
    pod.subresource().is_empty() && pod.containers().count() == all
}
