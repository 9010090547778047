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
    /// Finds a workload that is made in a namespace without a ResourceQuota. Workloads of all kinds are judged, those of other
    /// groups too.
    ///
    /// ## Why
    /// Without a quota, one autoscaler that runs away, or one loop that makes Jobs, takes the nodes from all others. The quota
    /// must be there first: what is there before it stays, however much that is.
    ///
    /// ## When
    /// A workload is judged when it is made, and not when it is changed: whoever scales down must not be stopped by a quota that
    /// somebody has deleted. A Namespace is not judged: it cannot have a quota before it is there.
    ///
    /// The checker finds it where the namespace's own manifest is among those that are checked together: who sets up the
    /// namespace sets up its quota. Of a few files of many it finds nothing.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/policy/resource-quotas/>
    QUOTA = "quota": deny;

    /// Finds a workload that is made in a namespace whose LimitRanges have no item of `type: Container`.
    ///
    /// ## Why
    /// A container that sets no requests and no limits then has none. And once a quota limits cpu or memory, the API server
    /// refuses each pod that does not say how much it takes.
    ///
    /// ## When
    /// As for `quota`.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/policy/limit-range/>
    LIMIT_RANGE = "limit-range": deny;

    /// Finds a ResourceQuota without a key that `hard` lists, or with an amount above its `max`. `cpu` is the same as
    /// `requests.cpu`, `count/secrets` the same as `secrets`, and so on: where a quota has both, the lesser amount counts.
    ///
    /// A quota with scopes is for some of the pods alone, and need not have all keys: what it does not limit, another one may. Its
    /// amounts are judged as those of others.
    ///
    /// ## Why
    /// What a quota does not name, it does not limit.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: ResourceQuota
    /// metadata:
    ///   name: team
    ///   namespace: shop
    /// spec:
    ///   hard:
    ///     pods: "50"
    /// ```
    ///
    /// ## Fix
    /// Sets the greatest amount that is allowed, if there is one. Not safe: it may stop what runs from being replaced.
    ///
    /// ## Options
    /// ```yaml
    /// hard:
    ///   requests.cpu: {max: "20"}
    ///   requests.memory: {max: 40Gi}
    ///   pods: {}
    /// ```
    HARD = "hard": deny;

    /// Finds a LimitRange that does not give containers what it should:
    ///
    /// - no default limit, or no default request, for containers;
    /// - none of a resource that `default` or `defaultRequest` lists, or one above its `max`;
    /// - a default limit below the default request, which the API server refuses.
    ///
    /// What the API server fills in counts: a default limit that is absent is the maximum; a default request that is absent is
    /// the default limit, or else the minimum. A LimitRange with nothing for containers is found, unless another one of the
    /// namespace has it, or it is for claims alone.
    ///
    /// ## Fix
    /// Sets the greatest default that is allowed, if there is one and it goes with the item's minimum and maximum. Not safe: pods
    /// that are made from then on get it.
    ///
    /// ## Options
    /// ```yaml
    /// default:
    ///   cpu: {max: "2"}
    ///   memory: {max: 4Gi}
    /// defaultRequest:
    ///   cpu: {max: 500m}
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/policy/limit-range/>
    DEFAULTS = "defaults": deny;

    /// Finds a ResourceQuota that gives less than its namespace needs once every workload has as many pods as it may have: one
    /// finding a key, with what is needed and who needs the most of it.
    ///
    /// ## Why
    /// What the quota does not give is missed when it is needed most: under load the autoscaler asks for more pods, and the API
    /// server refuses them.
    ///
    /// ## How it is counted
    /// As the API server counts, of what is there and of what may come:
    ///
    /// - a workload has the pods of its HorizontalPodAutoscaler's `maxReplicas`, or its ScaledObject's `maxReplicaCount` (100
    ///   where absent), or else its `replicas`. An autoscaler leaves alone what is scaled to 0, unless it scales to 0 itself;
    /// - a Job has as many as it runs at a time, and none once it has ended or while it is suspended; a CronJob has one Job; a
    ///   DaemonSet has one pod for each of `nodes`, and does not count without that setting; a bare Pod counts until it has ended;
    /// - what a workload has made is not counted again. What others make, such as an operator's StatefulSets, counts as it is:
    ///   kinds of other groups do not count themselves;
    /// - a pod has what its containers have together, or its largest init container with the sidecars before it; instead of that
    ///   what the pod sets as a whole; what the namespace's LimitRanges give containers that say nothing; and the overhead of its
    ///   runtime class;
    /// - with `surge: true`, the pods that a rolling update adds count too;
    /// - claims count as they are, those of StatefulSets and of ephemeral volumes also before they are made; Services with their
    ///   node ports and load balancers; ConfigMaps, Secrets, quotas and Kubernetes' own workloads by their number. Keys that
    ///   count other objects are not judged;
    /// - a quota with `scopes` or a `scopeSelector` counts what all of them select.
    ///
    /// Of a few files of many no more is known than what they hold: what these need together the namespace needs at least.
    /// A claim that names no class is none of any class, and a pod that names no priority class has none, though the cluster may
    /// have a default.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: ResourceQuota
    /// metadata:
    ///   name: team
    ///   namespace: shop
    /// spec:
    ///   hard:
    ///     requests.cpu: "4"
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata:
    ///   name: web
    ///   namespace: shop
    /// spec:
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    ///   maxReplicas: 10      # of pods that request 1 cpu
    /// ```
    ///
    /// ## Options
    /// `nodes`, `surge`
    ///
    /// ## Reference
    /// `pkg/quota/v1/evaluator/core` in <https://github.com/kubernetes/kubernetes>,
    /// <https://github.com/kubernetes/component-helpers/blob/master/resource/helpers.go>
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
    for (rule, is_quota, what) in [
        (&QUOTA, true, "ResourceQuota, so that this may take all that the cluster has"),
        (&LIMIT_RANGE, false, "LimitRange for containers, so that one may take what it likes"),
    ] {
        let namespace = request.namespace.to_owned();
        ask(report, rule, Path::of(&["metadata", "namespace"]), move |around| {
            let of = around.gathered::<Namespace>(&namespace)?;
            let is_there = if is_quota { of.quotas > 0 } else { of.has_limit_range };
            let is_missing = !is_there && around.knows(&namespace);
            Ok(is_missing.then(|| format!("namespace {namespace} has no {what}; add one first")))
        });
    }
}
