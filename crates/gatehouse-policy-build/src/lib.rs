//! The build script of every policy: turns its `metadata.yml` into the JSON that its module carries.

use std::path::Path;
use std::{env, fs};

use serde_json::Value;

/// Writes `metadata.json` to the build's output folder: `metadata.yml` with the protocol version that the kit speaks.
///
/// # Panics
/// With a message for the policy's author, where `metadata.yml` is absent or not what Kubewarden reads.
pub fn metadata() {
    println!("cargo::rerun-if-changed=metadata.yml");
    let text = fs::read_to_string("metadata.yml").unwrap_or_else(|error| panic!("metadata.yml: {error}"));
    let mut metadata: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("metadata.yml: {error}"));
    let name = env::var("CARGO_PKG_NAME").unwrap_or_default();
    let title = metadata["annotations"]["io.kubewarden.policy.title"].as_str();
    assert_eq!(title, Some(name.as_str()), "metadata.yml: io.kubewarden.policy.title must be the crate's name");
    assert!(metadata["rules"].is_array(), "metadata.yml: rules must be a list");
    // The version of a module is that of its crate, and said once.
    metadata["annotations"]["io.kubewarden.policy.version"] = env::var("CARGO_PKG_VERSION").unwrap_or_default().into();
    metadata["protocolVersion"] = "v1".into();
    let out = env::var("OUT_DIR").unwrap_or_else(|_| panic!("OUT_DIR is set by cargo only: call this in build.rs"));
    fs::write(Path::new(&out).join("metadata.json"), metadata.to_string())
        .unwrap_or_else(|error| panic!("{out}/metadata.json: {error}"));
}
