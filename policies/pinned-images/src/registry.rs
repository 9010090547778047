//! Where images may come from.

use gatehouse_policy::glob::Glob;
use gatehouse_policy::image::Reference;
use schemars::JsonSchema;
use serde::Deserialize;

/// A pattern of image names: globs of the registry and, after the first slash, of the repository.
///
/// They are matched apart, so that no repository can pass for a registry: `*.acme.example/*` does not match
/// `evil.example/x.acme.example/app`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Registry {
    text: String,
    domain: Glob,
    /// Absent for the whole registry.
    path: Option<Glob>,
}

impl Registry {
    /// Whether an image's name is one of them.
    pub fn matches(&self, image: &Reference<'_>) -> bool {
        let name = image.repository();
        let (domain, path) = name.split_once('/').unwrap_or((&name, ""));
        self.domain.matches(domain) && self.path.as_ref().is_none_or(|glob| glob.matches(path))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Registry {
    type Error = &'static str;

    /// Refuses what can match no image.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (domain, path) = match text.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (text.as_str(), None),
        };
        // In a normalised name the registry comes first, and only these tell it from an account of Docker Hub.
        let is_domain = domain == "localhost"
            || domain.contains(['.', ':', '*', '?'])
            || domain.contains(|character: char| character.is_ascii_uppercase());
        if !is_domain {
            return Err("expected a registry first: docker.io/library/redis, ghcr.io/acme/*, or ghcr.io for all of it");
        }
        if path.is_some_and(|path| path.is_empty() || path.starts_with('/') || path.contains([':', '@'])) {
            return Err("expected a name such as ghcr.io/acme/*, without scheme, tag or digest");
        }
        if path.is_some_and(|path| path.bytes().any(|byte| byte.is_ascii_uppercase())) {
            return Err("expected a repository in lower case: no other can be pulled");
        }
        if domain == "index.docker.io" {
            return Err("expected docker.io, as names in their full form have it");
        }
        if domain == "docker.io" && path.is_some_and(|path| !path.contains(['/', '*'])) {
            return Err(
                "expected docker.io/library/NAME for an image of Docker's own, or docker.io/NAME/* for an account",
            );
        }
        Ok(Self { domain: Glob::new(domain), path: path.map(Glob::new), text })
    }
}
