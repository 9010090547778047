//! A namespace: its quotas, and what it gives containers.

use gatehouse_policy::{Around, ContextError, Gather};

use crate::limit_range::{CONTAINER, LIMIT_RANGES, limits, requests};
use crate::objects::{RESOURCE_QUOTAS, how_many};
use crate::parts::{Kept, keep};

/// A namespace: of several amounts of a resource the first counts.
#[derive(Default)]
pub struct Namespace {
    /// How many `ResourceQuota`s it has.
    pub quotas: usize,
    /// Whether it has a `LimitRange` that is about containers.
    pub has_limit_range: bool,
    /// What a container may take at most that sets no limit.
    pub limits: Kept,
    /// What a container requests that sets no request.
    pub requests: Kept,
}

impl Gather for Namespace {
    /// As `defaultContainerResourceRequirements` and `mergeContainerResources` of
    /// <https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/limitranger/admission.go>: each `LimitRange`
    /// leaves what those before it have set. It has one item for containers at most.
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let mut all = Self { quotas: how_many(around, &RESOURCE_QUOTAS, namespace)?, ..Self::default() };
        around.each(&LIMIT_RANGES, Some(namespace), &mut |object| {
            for item in object.items(&["spec", "limits"]) {
                if item.text(&["type"]) == CONTAINER {
                    all.has_limit_range = true;
                    keep(&limits(item), &mut all.limits);
                    keep(&requests(item), &mut all.requests);
                }
            }
        })?;
        Ok(all)
    }
}
