//! The policies that are linked in.

use gatehouse_policy::Policy;

/// Every policy of Gatehouse, in the order of the catalogue.
pub const POLICIES: &[&Policy] = &[
    &run_as_nonroot::POLICY,
    &required_probes::POLICY,
    &resource_limits::POLICY,
    &pinned_images::POLICY,
    &tls_ingress::POLICY,
    &secret_env::POLICY,
    &graceful_shutdown::POLICY,
    &host_paths::POLICY,
    &rollout::POLICY,
    &autoscaling::POLICY,
    &required_labels::POLICY,
    &service_exposure::POLICY,
    &persistent_storage::POLICY,
    &namespace_quotas::POLICY,
    &redis_cluster::POLICY,
    &monitoring::POLICY,
    &image_config::POLICY,
    &nginx_config::POLICY,
    &object_references::POLICY,
];

/// The policy of that name.
#[must_use]
pub fn policy(name: &str) -> Option<&'static Policy> {
    POLICIES.iter().copied().find(|policy| policy.name == name)
}
