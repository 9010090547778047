//! The Artifact Hub package files are those that each policy's `metadata.yml` makes. `make artifacthub` writes them
//! (<https://artifacthub.io/docs/topics/repositories/kubewarden-policies/>).

use std::fs;

use gatehouse_engine::POLICIES;
use gatehouse_policy::Policy;
use gatehouse_tests::root;
use serde::Serialize;
use serde_json::Value;

/// When the current version was made: Artifact Hub orders versions by it.
const CREATED_AT: &str = "2026-11-24T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    version: String,
    name: String,
    display_name: String,
    created_at: &'static str,
    description: String,
    license: String,
    #[serde(rename = "containersImages")]
    containers_images: [Image; 1],
    keywords: Vec<String>,
    install: String,
    provider: Provider,
    recommendations: [Recommendation; 1],
    annotations: Annotations,
}

#[derive(Serialize)]
struct Image {
    name: &'static str,
    image: String,
}

#[derive(Serialize)]
struct Provider {
    name: &'static str,
}

#[derive(Serialize)]
struct Recommendation {
    url: &'static str,
}

#[derive(Serialize)]
struct Annotations {
    #[serde(rename = "kubewarden/mutation")]
    mutation: String,
    #[serde(rename = "kubewarden/resources")]
    resources: String,
    #[serde(rename = "kubewarden/rules")]
    rules: String,
}

fn package(policy: &Policy) -> String {
    let metadata: Value = serde_json::from_str(policy.metadata).expect("the build script wrote JSON");
    let annotation = |name: &str| {
        let value = metadata["annotations"][name].as_str();
        value.unwrap_or_else(|| panic!("policies/{}/metadata.yml: annotation {name} is absent", policy.name)).to_owned()
    };
    let version = annotation("io.kubewarden.policy.version");
    let image = format!("{}:v{version}", annotation("io.kubewarden.policy.ociUrl"));
    let package = Package {
        name: annotation("io.kubewarden.policy.title"),
        display_name: annotation("io.artifacthub.displayName"),
        created_at: CREATED_AT,
        description: annotation("io.kubewarden.policy.description"),
        license: annotation("io.kubewarden.policy.license"),
        keywords: annotation("io.artifacthub.keywords").split(',').map(|word| word.trim().to_owned()).collect(),
        install: format!(
            "Fetch the module with [kwctl](https://docs.kubewarden.io/howtos/install-kwctl):\n\
            ```console\nkwctl pull registry://{image}\n```\n\
            Make a policy manifest of it, and set what your team wants:\n\
            ```console\nkwctl scaffold manifest -t ClusterAdmissionPolicy registry://{image}\n```\n"
        ),
        containers_images: [Image { name: "policy", image }],
        provider: Provider { name: "kubewarden" },
        recommendations: [Recommendation {
            url: "https://artifacthub.io/packages/helm/kubewarden/kubewarden-controller",
        }],
        annotations: Annotations {
            mutation: metadata["mutating"].to_string(),
            resources: annotation("io.artifacthub.resources"),
            rules: serde_yaml_ng::to_string(&metadata["rules"]).expect("JSON is YAML"),
        },
        version,
    };
    let text = serde_yaml_ng::to_string(&package).expect("a package is plain data");
    format!("# Made from policies/{}/metadata.yml by `make artifacthub`.\n{text}", policy.name)
}

#[test]
fn packages_are_current() {
    let folder = root().join("artifacthub");
    for policy in POLICIES {
        let file = folder.join(policy.name).join("artifacthub-pkg.yml");
        let wanted = package(policy);
        if std::env::var_os("GATEHOUSE_UPDATE").is_some() {
            fs::create_dir_all(folder.join(policy.name)).expect("artifacthub/ can be written");
            fs::write(&file, &wanted).expect("artifacthub/ can be written");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(found, wanted, "{} is not current: run `make artifacthub`", file.display());
    }
    for entry in fs::read_dir(&folder).expect("artifacthub/ can be read") {
        let name = entry.expect("artifacthub/ can be read").file_name();
        assert!(POLICIES.iter().any(|policy| *policy.name == *name), "artifacthub/{} is no policy", name.display());
    }
}
