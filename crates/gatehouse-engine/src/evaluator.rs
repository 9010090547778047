//! A policy with its settings, however it is run.

use std::fmt;

use gatehouse_policy::{Configured, Finding, Node, Policy, ReadError, Request};
use serde_json::Value;

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

    /// What the policy finds in the object that a request brings.
    ///
    /// # Errors
    /// Where the object cannot be read, or the module fails.
    pub fn evaluate(&self, request: &Request<'_>) -> Result<Vec<Finding>, EvaluationError> {
        match &self.0 {
            Kind::Native(configured) => {
                configured.review(request).map(|verdict| verdict.findings).map_err(EvaluationError::Object)
            }
            #[cfg(feature = "wasm")]
            Kind::Module(module) => module.review(request).map_err(|error| match error {
                wasm::ReviewError::Object(error) => EvaluationError::Object(error),
                wasm::ReviewError::Module(error) => EvaluationError::Module(error.to_string()),
            }),
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
