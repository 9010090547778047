//! When a node pulls an image.

use gatehouse_policy::image::Reference;
use schemars::JsonSchema;
use serde::Deserialize;

/// A pull policy (<https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// The registry is asked whenever a container starts.
    Always,
    /// What the node has by that name runs.
    IfNotPresent,
    /// Nothing else runs.
    Never,
}

impl PullPolicy {
    /// Its name, as in objects.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }

    /// What the API server sets where nothing is written: `SetDefaults_Container`, `SetDefaults_EphemeralContainer` and
    /// `SetDefaults_Volume` in `pkg/apis/core/v1/defaults.go` of kubernetes/kubernetes.
    ///
    /// By `ParseImageName` in its `pkg/util/parsers/parsers.go` the tag `latest` counts even beside a digest, is implied
    /// only without one, and there is no tag in a text that is not a reference.
    pub fn by_default(image: &str) -> Self {
        match Reference::parse(image).map(|image| (image.tag(), image.digest())) {
            Ok((Some("latest"), _) | (None, None)) => Self::Always,
            _ => Self::IfNotPresent,
        }
    }
}
