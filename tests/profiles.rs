//! The built-in profiles hold every policy, and match what each policy's metadata says it judges.

use std::collections::BTreeSet;

use gatehouse_engine::{POLICIES, resource};
use gatehouse_policy::{Node, foreign_kinds};
use gatehouse_tests::{PROFILES, profile_manifests};
use serde_json::{Value, json};

/// Everything that rules match: a group, a version, a resource and an operation each.
fn matched(rules: &Value) -> BTreeSet<[String; 4]> {
    let list = |rule: &Value, field: &str| -> Vec<String> {
        let items = rule[field].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        for group in list(rule, "apiGroups") {
            for version in list(rule, "apiVersions") {
                for resource in list(rule, "resources") {
                    for operation in list(rule, "operations") {
                        all.insert([group.clone(), version.clone(), resource.clone(), operation]);
                    }
                }
            }
        }
    }
    all
}

/// The kinds that a policy may look at beside the one it judges: an API version and a kind each.
fn context(resources: &Value) -> BTreeSet<[String; 2]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resources = resources.as_array().into_iter().flatten();
    resources.map(|resource| [text(&resource["apiVersion"]), text(&resource["kind"])]).collect()
}

/// What a policy asks for and its manifest does not name, a policy server refuses; what it names and nobody asks for, it lets a
/// policy read for nothing.
#[test]
fn metadata_and_profiles_name_the_kinds_that_policies_ask_for() {
    for policy in POLICIES {
        let metadata: Value = serde_json::from_str(policy.metadata).expect("metadata is JSON");
        let asked: BTreeSet<_> =
            policy.asks.iter().map(|asked| [asked.api_version.to_owned(), asked.kind.to_owned()]).collect();
        assert_eq!(context(&metadata["contextAwareResources"]), asked, "{}: metadata.yml", policy.name);
        for profile in PROFILES {
            for manifest in profile_manifests(profile) {
                let spec = &manifest["spec"];
                if spec["module"].as_str().is_some_and(|module| module.contains(&format!("/{}:", policy.name))) {
                    assert_eq!(context(&spec["contextAwareResources"]), asked, "{profile}: {}", policy.name);
                }
            }
        }
    }
}

#[test]
fn profiles_hold_every_policy_with_its_rules() {
    let foreign = json!([{
        "apiGroups": foreign_kinds().map(|(group, _)| group).collect::<Vec<_>>(),
        "apiVersions": ["*"],
        "resources": foreign_kinds().map(|(group, kind)| resource(group, kind).into_owned()).collect::<Vec<_>>(),
        "operations": ["CREATE", "UPDATE"],
    }]);
    for profile in PROFILES {
        let manifests = profile_manifests(profile);
        for policy in POLICIES {
            let metadata: Value = serde_json::from_str(policy.metadata).expect("metadata is JSON");
            let image = metadata["annotations"]["io.kubewarden.policy.ociUrl"].as_str().unwrap_or_default();
            let version = metadata["annotations"]["io.kubewarden.policy.version"].as_str().unwrap_or_default();
            let module = json!(format!("registry://{image}:v{version}"));
            let specs: Vec<&Value> =
                manifests.iter().map(|manifest| &manifest["spec"]).filter(|spec| spec["module"] == module).collect();
            // Herald's documentation speaks of nobody else's kinds.
            let mut expected = matched(&metadata["rules"]);
            if *profile != "herald"
                && expected.iter().any(|[group, _, resource, _]| group.is_empty() && resource == "pods")
            {
                expected.extend(matched(&foreign));
            }
            let found: BTreeSet<_> = specs.iter().flat_map(|spec| matched(&spec["rules"])).collect();
            assert_eq!(found, expected, "{profile}: {}", policy.name);
            for spec in specs {
                let settings = spec["settings"].to_string();
                let settings = Node::from_json(settings.as_bytes()).expect("settings are JSON");
                policy.configure(&settings).unwrap_or_else(|error| panic!("{profile}: {}: {error}", policy.name));
            }
        }
        let known = |manifest: &Value| {
            let module = manifest["spec"]["module"].as_str().unwrap_or_default();
            POLICIES.iter().any(|policy| module.contains(&format!("/{}:", policy.name)))
        };
        assert!(manifests.iter().all(known), "{profile} holds something else too");
    }
}
