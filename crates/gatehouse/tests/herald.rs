//! The main job: Herald.lol's documented manifests get exactly the verdicts that its team expects, the hardened ones none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn check(folder: &str) -> (Option<i32>, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.current_dir(root()).args(["check", "--profile", "herald", "--output-format", "json"]);
    let output = command.arg(format!("examples/herald/{folder}")).output().expect("gatehouse runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    (output.status.code(), report["findings"].as_array().expect("there are findings").clone())
}

/// What must be said of each file.
type Verdicts = BTreeMap<String, OfFile>;

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OfFile {
    /// Of each object of a manifest, by its kind and name.
    Objects(BTreeMap<String, Vec<Value>>),
    /// Of a file that is no object, by lines.
    Lines(Vec<Value>),
}

#[test]
fn documented_manifests_get_the_expected_verdicts() {
    let (status, mut found) = check("documented");
    assert_eq!(status, Some(1));
    let text = std::fs::read_to_string(root().join("tests/data/herald-verdicts.yaml")).expect("it is there");
    let verdicts: Verdicts = serde_yaml_ng::from_str(&text).expect("it is YAML");
    let policies: Vec<&str> = gatehouse_engine::POLICIES.iter().map(|policy| policy.name).collect();
    let mut compared = 0;
    for (file, expected) in verdicts {
        let objects = match expected {
            OfFile::Objects(objects) => objects,
            OfFile::Lines(findings) => BTreeMap::from([("/".to_owned(), findings)]),
        };
        for (object, expected) in &objects {
            for verdict in expected {
                let rule = verdict["rule"].as_str().expect("a verdict names its rule");
                // The verdicts are of the whole catalogue, some of whose policies are still to come.
                if !policies.contains(&rule.split('/').next().unwrap_or_default()) {
                    continue;
                }
                let position = found.iter().position(|finding| {
                    let name = |field: &str| finding["object"][field].as_str().unwrap_or_default();
                    finding["file"] == format!("examples/herald/documented/{file}")
                        && format!("{}/{}", name("kind"), name("name")) == *object
                        && finding["rule"] == rule
                        && finding["level"] == verdict["level"]
                        && if verdict["line"].is_u64() {
                            finding["line"] == verdict["line"]
                        } else {
                            finding["path"] == verdict["path"] && finding["fix"].is_object() == (verdict["fix"] == true)
                        }
                        && finding["message"]
                            .as_str()
                            .unwrap_or_default()
                            .contains(verdict["message"].as_str().unwrap_or_default())
                });
                let position = position.unwrap_or_else(|| panic!("{file}: {object} lacks {verdict}"));
                found.remove(position);
                compared += 1;
            }
        }
    }
    assert_eq!(found, Vec::<Value>::new(), "these are not expected");
    assert!(compared >= 34, "only {compared} verdicts were compared");
}

#[test]
fn hardened_manifests_pass() {
    let (status, found) = check("hardened");
    assert_eq!(status, Some(0));
    assert_eq!(found, Vec::<Value>::new());
}

/// Every kind of object in the documented stack is in the hardened one too: it was mended, not thinned out.
#[test]
fn hardened_manifests_are_the_same_stack() {
    let objects = |folder: &str| {
        let folder = root().join("examples/herald").join(folder);
        let mut names = Vec::new();
        for part in [
            "namespaces/herald-production",
            "backend/deployment",
            "frontend/deployment",
            "ingress/production-ingress",
            "logging/fluent-bit",
            "monitoring/service-monitor",
            "storage/postgres-pv",
            "storage/redis-cluster",
        ] {
            let text = std::fs::read_to_string(folder.join(part).with_extension("yaml")).expect("it is there");
            for document in serde_yaml_ng::Deserializer::from_str(&text) {
                let object: Value = serde::Deserialize::deserialize(document).expect("it is YAML");
                names.push(format!("{} {}", object["kind"], object["metadata"]["name"]));
            }
        }
        names
    };
    let hardened = objects("hardened");
    for name in objects("documented") {
        assert!(hardened.contains(&name), "the hardened stack has no {name}");
    }
}
