//! A policy with its settings, however it is run.

use std::fmt;
#[cfg(feature = "wasm")]
use std::sync::Arc;

use gatehouse_policy::{
    Around, Configured, File, FileError, Finding, Gathered, Host, Node, Nothing, Pending, Policy, ReadError, Request,
};
use serde_json::Value;

use crate::surroundings::{Asks, Surroundings};

#[cfg(feature = "wasm")]
use crate::wasm;

/// A policy with its settings, linked in or as a module.
#[derive(Debug)]
pub struct Evaluator(Kind);

#[derive(Debug)]
enum Kind {
    Native(Configured),
    #[cfg(feature = "wasm")]
    Module(wasm::ConfiguredModule),
}

/// What is known around the objects while they are judged.
#[derive(Default)]
pub struct Known {
    /// The images that linked-in policies may look into.
    pub images: Surroundings,
    /// Answers the modules of Gatehouse's own policies.
    #[cfg(feature = "wasm")]
    pub own: Option<Arc<dyn wasm::Answers>>,
    /// Answers other modules.
    #[cfg(feature = "wasm")]
    pub others: Option<Arc<dyn wasm::Answers>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

/// What came of a policy's look at an object.
#[derive(Debug)]
pub enum Outcome {
    /// What it finds.
    Findings(Vec<Finding>),
    /// That depends on what is around the object.
    Pending(Pending),
}

impl Outcome {
    /// What the policy finds where nothing is known of what is around the object.
    ///
    /// # Errors
    /// Where that is not enough.
    pub fn alone(self) -> Result<Vec<Finding>, EvaluationError> {
        match self {
            Self::Findings(findings) => Ok(findings),
            Self::Pending(pending) => settle(pending, &Nothing),
        }
    }
}

fn settle(pending: Pending, host: &dyn Host) -> Result<Vec<Finding>, EvaluationError> {
    let gathered = Gathered::default();
    let verdict = pending.settle(&Around::among(host, &gathered));
    verdict.map(|verdict| verdict.findings).map_err(|error| EvaluationError::Module(error.to_string()))
}

/// Why a policy cannot judge an object. Never a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum EvaluationError {
    /// The object is not of the shape that the API gives its kind.
    Object(ReadError),
    /// The module failed.
    Module(String),
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(error) => error.fmt(f),
            Self::Module(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for EvaluationError {}

impl Evaluator {
    /// A policy that is linked in.
    ///
    /// # Errors
    /// Where it refuses the settings.
    pub fn native(policy: &Policy, settings: &Node<'_>) -> Result<Self, ReadError> {
        policy.configure(settings).map(Kind::Native).map(Self)
    }

    /// A policy that runs as a module.
    #[cfg(feature = "wasm")]
    #[must_use]
    pub fn module(module: wasm::ConfiguredModule) -> Self {
        Self(Kind::Module(module))
    }

    /// What the policy finds in the object that a request brings, as far as that is possible before it is known what is around
    /// the object. Modules ask that at once, and are answered by `known`.
    ///
    /// # Errors
    /// Where the object cannot be read, or the module fails.
    pub fn evaluate(&self, request: &Request<'_>, known: &Known) -> Result<Outcome, EvaluationError> {
        match &self.0 {
            Kind::Native(configured) => {
                let pending = configured.begin(request).map_err(EvaluationError::Object)?;
                // Images are known from the start, other objects after the last file.
                let is_known = pending.is_certain() || configured.policy().asks.is_empty();
                Ok(if is_known {
                    Outcome::Findings(settle(pending, &known.images)?)
                } else {
                    Outcome::Pending(pending)
                })
            }
            #[cfg(feature = "wasm")]
            Kind::Module(module) => {
                let is_own = module.own().is_some();
                let answers = if is_own { known.own.as_ref() } else { known.others.as_ref() };
                let findings = module.review(request, answers).map_err(|error| match error {
                    wasm::ReviewError::Object(error) => EvaluationError::Object(error),
                    wasm::ReviewError::Module(error) => EvaluationError::Module(error.to_string()),
                })?;
                Ok(Outcome::Findings(findings))
            }
        }
    }

    /// Adds the kinds of objects that the policy asks for.
    pub fn add_asks(&self, asks: &mut Asks) {
        match &self.0 {
            Kind::Native(configured) => configured.policy().asks.iter().for_each(|asked| asks.add(asked)),
            #[cfg(feature = "wasm")]
            Kind::Module(module) => {
                let metadata = module.module().metadata();
                let kinds = metadata.and_then(|metadata| metadata["contextAwareResources"].as_array());
                for kind in kinds.into_iter().flatten() {
                    if let (Some(api_version), Some(kind)) = (kind["apiVersion"].as_str(), kind["kind"].as_str()) {
                        asks.add_whole(api_version, kind);
                    }
                }
            }
        }
    }

    /// Whether it is a module: it asks what is around an object while it judges it.
    #[must_use]
    pub fn is_module(&self) -> bool {
        !matches!(self.0, Kind::Native(_))
    }

    /// Judges a file that is no Kubernetes object. A module cannot, so the policy that it is compiled of does; what is in files
    /// is no other in either.
    ///
    /// # Errors
    /// Where the file is not what its name says.
    pub fn evaluate_file(&self, file: &File<'_>) -> Result<Vec<Finding>, FileError> {
        match &self.0 {
            Kind::Native(configured) => configured.review_file(file),
            #[cfg(feature = "wasm")]
            Kind::Module(module) => module.own().map_or(Ok(Vec::new()), |policy| policy.review_file(file)),
        }
    }

    /// The policy's metadata; `None` for a module that carries none.
    #[must_use]
    pub fn metadata(&self) -> Option<Value> {
        match &self.0 {
            Kind::Native(configured) => serde_json::from_str(configured.policy().metadata).ok(),
            #[cfg(feature = "wasm")]
            Kind::Module(module) => module.module().metadata().cloned(),
        }
    }
}
