//! Namespaces have a quota that is enough, and limits for containers that set none.

mod amount;
mod claims;
mod kinds;
mod limit_range;
mod namespace;
mod needs;
mod objects;
mod overhead;
mod parts;
mod pod;
mod quota;
mod scale;
mod scope;
mod settings;
mod surge;
mod workloads;

use gatehouse_policy::{
    Around, Context, ContextError, Operation, Path, ReadError, Report, Request, Rule, foreign_kinds, pod_spec_path,
    policy, rules,
};

use crate::namespace::Namespace;
use crate::settings::NamespaceQuotas;

rules! {
    /// Finds a workload in a namespace that has no ResourceQuota.
    ///
    /// The checker finds it where the namespace's own manifest is among those that are checked together: who sets up the
    /// namespace sets up its quota.
    QUOTA = "quota": deny;

    /// Finds a workload in a namespace whose LimitRanges say nothing of containers.
    LIMIT_RANGE = "limit-range": deny;

    /// Finds a ResourceQuota that does not limit what `hard` lists.
    HARD = "hard": deny;

    /// Finds a LimitRange without defaults.
    DEFAULTS = "defaults": deny;

    /// Finds a quota that is not enough.
    HEADROOM = "headroom": warn;
}

policy!(
    NamespaceQuotas,
    review,
    asks: [
        limit_range::LIMIT_RANGES,
        objects::RESOURCE_QUOTAS,
        objects::SERVICES,
        objects::CONFIG_MAPS,
        objects::SECRETS,
        claims::CLAIMS,
        kinds::DEPLOYMENTS,
        kinds::REPLICA_SETS,
        kinds::REPLICATION_CONTROLLERS,
        kinds::STATEFUL_SETS,
        kinds::DAEMON_SETS,
        kinds::JOBS,
        kinds::CRON_JOBS,
        kinds::PODS,
        scale::AUTOSCALERS,
        scale::SCALED_OBJECTS,
        overhead::RUNTIME_CLASSES,
    ],
);

fn review(
    request: &Request<'_>,
    context: &Context<'_, NamespaceQuotas>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    match (request.group, request.kind) {
        ("", "ResourceQuota") => quota::judge(request, context, report),
        ("", "LimitRange") => limit_range::judge(request, context, report),
        (group, kind) => {
            let is_workload = pod_spec_path(group, kind).is_some() || foreign_kinds().any(|of| of == (group, kind));
            if is_workload && request.operation == Operation::Create {
                judge_entry(request, report);
            }
            Ok(())
        }
    }
}

type Answer = Result<Option<String>, ContextError>;

/// As `add_if` of the report, of whose code there is a copy for each sort of answer: here there is one.
fn ask(report: &mut Report<'_>, rule: &Rule, path: Path, answer: impl FnOnce(&Around<'_>) -> Answer + Send + 'static) {
    let answer: Box<dyn FnOnce(&Around<'_>) -> Answer + Send> = Box::new(answer);
    report.add_if(rule, path, answer);
}

/// Whether the namespace that a workload enters is ready for it.
fn judge_entry(request: &Request<'_>, report: &mut Report<'_>) {
    for (rule, what) in [
        (&QUOTA, "ResourceQuota, so that this may take all that the cluster has"),
        (&LIMIT_RANGE, "LimitRange for containers, so that one may take what it likes"),
    ] {
        let (namespace, is_quota) = (request.namespace.to_owned(), rule == &QUOTA);
        ask(report, rule, Path::of(&["metadata", "namespace"]), move |around| {
            let of = around.gathered::<Namespace>(&namespace)?;
            let is_there = if is_quota { of.quotas > 0 } else { of.has_limit_range };
            let is_missing = !is_there && around.knows(&namespace);
            Ok(is_missing.then(|| format!("namespace {namespace} has no {what}; add one first")))
        });
    }
}
