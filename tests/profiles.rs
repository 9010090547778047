//! The built-in profiles hold every policy, and match what each policy's metadata says it judges.

use gatehouse_engine::POLICIES;
use gatehouse_policy::Node;
use gatehouse_tests::{PROFILES, profile_manifests, profile_settings};
use serde_json::Value;

#[test]
fn profiles_hold_every_policy_with_its_rules() {
    for profile in PROFILES {
        let manifests = profile_manifests(profile);
        for policy in POLICIES {
            let manifest = manifests.iter().find(|manifest| manifest["metadata"]["name"] == policy.name);
            let spec = &manifest.unwrap_or_else(|| panic!("{profile} has no {}", policy.name))["spec"];
            let metadata: Value = serde_json::from_str(policy.metadata).expect("metadata is JSON");
            assert_eq!(spec["rules"], metadata["rules"], "{profile}: {}", policy.name);
            let image = metadata["annotations"]["io.kubewarden.policy.ociUrl"].as_str().unwrap_or_default();
            let version = metadata["annotations"]["io.kubewarden.policy.version"].as_str().unwrap_or_default();
            assert_eq!(spec["module"], format!("registry://{image}:v{version}"), "{profile}: {}", policy.name);
            let settings = profile_settings(profile, policy.name).to_string();
            let settings = Node::from_json(settings.as_bytes()).expect("settings are JSON");
            policy.configure(&settings).unwrap_or_else(|error| panic!("{profile}: {}: {error}", policy.name));
        }
        assert_eq!(manifests.len(), POLICIES.len(), "{profile} holds something else too");
    }
}
