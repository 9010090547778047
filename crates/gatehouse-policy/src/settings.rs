//! What the settings of every policy have in common, and how settings are read.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::finding::Rule;
use crate::glob::{self, Glob};
use crate::members::Members;
use crate::node::Node;
use crate::path::Path;
use crate::view::{self, ReadError, Reader};

/// A policy's own settings: plain data with defaults, whose type is also their schema.
pub trait Settings: DeserializeOwned + Default + JsonSchema + Send + Sync + 'static {
    /// Finds what contradicts itself, such as a minimum above its maximum.
    ///
    /// # Errors
    /// The first contradiction, with the field at fault.
    fn validate(&self) -> Result<(), ReadError> {
        Ok(())
    }
}

/// Nothing to set beyond what every policy has.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub struct NoSettings {}

impl Settings for NoSettings {}

/// The settings that every policy has.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Common {
    /// What the policy does not judge.
    pub exempt: Exempt,
    /// The level of each rule, by its name within the policy, where it is not the default one.
    pub rules: Levels,
    /// Whether the module mends what it can, and refuses only for the rest. The policy must then be installed with
    /// `mutating: true`. Default: false.
    pub fix: bool,
}

/// The names of [`Common`]'s fields, known in the settings of every policy.
pub(crate) const COMMON_FIELDS: &[&str] = &["exempt", "rules", "fix"];

/// What a policy does not judge. All are globs: `*` is any run of characters, `?` any one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Exempt {
    /// Namespaces whose objects are exempt.
    pub namespaces: Vec<Glob>,
    /// Names of exempt objects. An object that is to be named by the server has its `generateName`.
    pub names: Vec<Glob>,
    /// Names of exempt containers.
    pub containers: Vec<Glob>,
    /// Images whose containers are exempt, as written in the object.
    pub images: Vec<Glob>,
}

impl Exempt {
    /// Whether an object is exempt as a whole.
    #[must_use]
    pub fn object(&self, namespace: &str, name: &str) -> bool {
        glob::any(&self.namespaces, namespace) || glob::any(&self.names, name)
    }

    /// Whether a container is exempt.
    #[must_use]
    pub fn container(&self, name: &str, image: &str) -> bool {
        glob::any(&self.containers, name) || glob::any(&self.images, image)
    }
}

/// Levels of rules as settings give them.
pub type Levels = Members<String, Override>;

/// The level that settings give a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Override {
    /// Refuse.
    Deny,
    /// Report only.
    Warn,
    /// Do not look.
    Off,
}

/// The setting that policies have which ask what is around an object.
#[cfg(feature = "around")]
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AroundSettings {
    /// What happens where a rule needs to know what else is in the cluster, and the policy server cannot say: the request is
    /// refused with status 500, or let through with a warning.
    pub on_context_error: OnContextError,
}

/// What happens where it is not known what is around an object.
#[cfg(feature = "around")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnContextError {
    /// The request is refused.
    #[default]
    Refuse,
    /// A warning says so.
    Warn,
}

/// As [`read`], for a policy that asks what is around an object.
#[cfg(feature = "around")]
pub(crate) fn read_around<S: Settings>(
    node: &Node<'_>,
    rules: &[&Rule],
) -> Result<(Common, AroundSettings, S), ReadError> {
    let (common, own) = read_with(node, rules, &["exempt", "rules", "fix", "onContextError"])?;
    Ok((common, node.view()?, own))
}

/// Reads a policy's settings, all of them.
///
/// # Errors
/// A field that nobody knows, has the wrong type, names an unknown rule or contradicts another.
pub(crate) fn read<S: Settings>(node: &Node<'_>, rules: &[&Rule]) -> Result<(Common, S), ReadError> {
    read_with(node, rules, COMMON_FIELDS)
}

fn read_with<S: Settings>(
    node: &Node<'_>,
    rules: &[&Rule],
    shared: &'static [&'static str],
) -> Result<(Common, S), ReadError> {
    // The policy's own struct refuses what neither it nor the common part knows; so the common part need not.
    let own = S::deserialize(Reader::strict(node, shared))?;
    let common: Common = node.view()?;
    for key in ["exempt"] {
        if let Some(exempt) = node.get(key) {
            Exempt::deserialize(Reader::strict(exempt, &[])).map_err(|error| error.below(&Path::of(&[key])))?;
        }
    }
    let names: Vec<&str> = rules.iter().map(|rule| rule.name).collect();
    if let Some(unknown) = common.rules.iter().map(|(name, _)| name).find(|name| !names.contains(&name.as_str())) {
        return Err(ReadError {
            path: Path::of(&["rules"]).key(unknown.clone()),
            reason: format!("the policy has no such rule; {}", view::suggestion(unknown, &names)),
        });
    }
    own.validate()?;
    Ok((common, own))
}
