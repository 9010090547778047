//! What is replaced is replaced step by step, and there is enough of it, apart from each other.

mod amount;
mod autoscaled;
mod held;
mod owner;
mod spread;
mod workload;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{
    Context, HORIZONTAL_POD_AUTOSCALERS, Path, ReadError, Report, Request, SCALED_OBJECTS, Settings, policy, rules,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Amount, Rounding};
use crate::autoscaled::Autoscaler;
use crate::workload::{Limit, Pod, Replicas, Update, Workload};

rules! {
    /// Finds a Deployment, StatefulSet or DaemonSet whose strategy is not `RollingUpdate`, the API's default.
    ///
    /// `Recreate` is right for a Deployment of a single replica that holds what no second pod can: a claim, a disk, a folder of
    /// the node that it writes into, a port of the node, a GPU. There it is accepted, unless `recreate` is `never`, and
    /// `RollingUpdate` is what `deadlock` finds. A claim counts unless it is in `sharedClaims`: which access modes it has is
    /// not in the Deployment. A workload in `autoscaled` has no single replica.
    ///
    /// ## Why
    /// `Recreate` stops every pod before it starts the first new one: each deployment is an outage. `OnDelete` waits until
    /// someone deletes the pods by hand: what was deployed is not what runs, and nobody sees the difference.
    ///
    /// ## Example
    /// ```yaml
    /// strategy:
    ///   type: Recreate
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// strategy:
    ///   type: RollingUpdate
    ///   rollingUpdate:
    ///     maxUnavailable: 1
    ///     maxSurge: 1
    /// ```
    ///
    /// ## Options
    /// `recreate`, `sharedClaims`, `autoscaled`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy>
    STRATEGY = "strategy": deny;

    /// Finds a Deployment of a single replica that is replaced by a rolling update though it holds what no second pod can, as
    /// described for `strategy`. An update that may take the one pod away first (`maxUnavailable: 1`) is fine.
    ///
    /// What is only read (`readOnly`) is not found here, and neither is a folder of the node that pods look into rather than
    /// write their own, such as `/etc` or `/dev`.
    ///
    /// ## Why
    /// By default the old pod is kept until the new one is ready. The new one waits for the volume, the port or the GPU that
    /// the old one has. On another node it may get a port or a GPU, but not a `ReadWriteOnce` volume: the rollout stands
    /// still until someone deletes the old pod. In the same folder both write at once.
    ///
    /// ## Example
    /// ```yaml
    /// replicas: 1
    /// template:
    ///   spec:
    ///     volumes:
    ///     - name: data
    ///       persistentVolumeClaim:
    ///         claimName: data
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// replicas: 1
    /// strategy:
    ///   type: Recreate
    /// ```
    ///
    /// ## Options
    /// `sharedClaims`, `autoscaled`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes>,
    /// `reconcileOldReplicaSets` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/rolling.go>
    DEADLOCK = "deadlock": warn;

    /// Finds, once `maxUnavailable` is set, a rolling update that may take away more pods than that.
    ///
    /// What counts is what the controller makes of the field, or of the default where it is absent: 25% for a Deployment,
    /// 1 for a StatefulSet and a DaemonSet. A percentage is one of the object's `replicas`, rounded down for a Deployment
    /// and a StatefulSet. Where neither that nor `maxSurge` leaves room for a step, the controller takes away 1 all the
    /// same; a StatefulSet always does, so for it a bound of 0 is one of 1. A number is judged as it stands, also where
    /// there are fewer replicas.
    ///
    /// A DaemonSet's percentage is one of its nodes, rounded up. How many there are is not in the object: without `nodes`
    /// a percentage is compared with a bound that is one too, and with a number only at 100% or where the number is 0. So
    /// it is with the replicas of a workload that an autoscaler scales and that gives none itself, or 1.
    ///
    /// ## Why
    /// The pods that are left take the load of those that are missing.
    ///
    /// ## Options
    /// `maxUnavailable`, a number or a percentage, which is resolved as the field is; `nodes`, `autoscaled`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable>,
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#maximum-unavailable-pods>,
    /// <https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/>
    MAX_UNAVAILABLE = "max-unavailable": deny;

    /// Finds, once `maxSurge` is set, a rolling update that may start more pods than that beside those there are. As
    /// `max-unavailable`, but a percentage is rounded up, and the default is 25% for a Deployment and 0 for a DaemonSet. A
    /// StatefulSet has none.
    ///
    /// ## Why
    /// They need room on the nodes and in the namespace's quota, and connections to a database that counts them.
    ///
    /// ## Options
    /// `maxSurge`, a number or a percentage; `nodes`, `autoscaled`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge>
    MAX_SURGE = "max-surge": deny;

    /// Finds, once `minReplicas` is set, a Deployment, StatefulSet, ReplicaSet or ReplicationController with fewer replicas
    /// than that, 1 where absent, and a request that scales a Deployment or StatefulSet below it (`kubectl scale`).
    ///
    /// A ReplicaSet or ReplicationController that a controller made is not judged: a Deployment takes its former ones down
    /// to 0. An owner reference alone does not make it one, as anybody can write it. It must be named after its owner, a
    /// Deployment, or Argo's Rollout or Experiment, and have the hash that this controller gives it in its labels, its
    /// selector and its template; or after OpenShift's DeploymentConfig, with the label `deployment`. One of any other owner
    /// is judged as if it had none. A request that scales one is not judged: it does not say whose it is.
    ///
    /// Argo's Rollout and OpenKruise's CloneSet and StatefulSet are judged too where the policy's rules name them.
    ///
    /// ## Why
    /// One node that fails takes a pod with it. The others must be there, and be enough.
    ///
    /// ## Use instead
    /// An object without `replicas` and a HorizontalPodAutoscaler, or a ScaledObject of KEDA, in its namespace that scales it: in
    /// the cluster, or among the manifests that are checked together. `minReplicas` is then the autoscaler's matter, and even 0
    /// is accepted, which switches it off. An autoscaler that is somewhere else cannot be seen, and an object without `replicas`
    /// is given 1 by the API server; so such a workload must be named in `autoscaled`. Where the policy server may not say what
    /// autoscalers there are, those in `autoscaled` are all.
    ///
    /// ## Options
    /// `minReplicas`, `autoscaled`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling>
    REPLICAS = "replicas": deny;

    /// Finds two or more replicas, or a workload that an autoscaler scales, that nothing keeps apart: neither `topologySpreadConstraints`
    /// nor `podAntiAffinity`, required or preferred, that select the workload's own pods, nor a port of the node. DaemonSets
    /// are one a node anyway. The kinds are those of `replicas`.
    ///
    /// The labels of the template decide, and those that the controller adds. A selector selects
    ///
    /// - nothing where it is absent, all pods where it is empty;
    /// - no two pods where `matchLabelKeys` has a label that each pod has for itself (a StatefulSet's
    ///   `apps.kubernetes.io/pod-index`), or `mismatchLabelKeys` one that all of them share;
    /// - in an anti-affinity the pods of `namespaces` and of those that `namespaceSelector` selects, or of the own namespace
    ///   where both are absent. Of a namespace's labels only `kubernetes.io/metadata.name` is known; the others are taken to
    ///   match.
    ///
    /// A constraint with `DoNotSchedule` and a `maxSkew` that is not below the number of replicas lets all of them be in
    /// one place. Two pods with the same `hostPort`, or with ports in the network of the node, are never on one node.
    ///
    /// ## Why
    /// Without either, where the pods run is mostly chance: they may all be on the node that fails. The scheduler's own
    /// constraints hold where a pod has none, but they only prefer, and a cluster can have them changed
    /// or switched off.
    ///
    /// ## Use instead
    /// ```yaml
    /// topologySpreadConstraints:
    /// - maxSkew: 1
    ///   topologyKey: topology.kubernetes.io/zone
    ///   whenUnsatisfiable: ScheduleAnyway
    ///   labelSelector:
    ///     matchLabels:
    ///       app: web
    /// ```
    ///
    /// ## Options
    /// `autoscaled`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>
    SPREAD = "spread": warn;
}

/// The settings of rollout. An absent bound bounds nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Rollout {
    /// The most pods that a rolling update may take away: a number, or a percentage such as `25%` of the replicas, rounded
    /// as the controller rounds the field.
    max_unavailable: Option<Amount>,
    /// The most pods that a rolling update may start beside those there are: a number or a percentage.
    max_surge: Option<Amount>,
    /// The least replicas.
    min_replicas: Option<u32>,
    /// Workloads whose number of replicas is an autoscaler's that cannot be seen: it is not judged. By name, which holds for
    /// every kind, or by kind and name, `Deployment/web`. Both are globs: `*` is any run of characters, `?` any one.
    autoscaled: Vec<autoscaled::Pattern>,
    /// How many nodes the percentages of a `DaemonSet` are of.
    nodes: Option<u32>,
    /// Where the strategy of a Deployment may be `Recreate`. Default: `whereNeeded`.
    recreate: Recreate,
    /// Names of claims that many pods can hold, wherever they are, such as `ReadWriteMany` ones, as globs. A Deployment does
    /// not show which of its claims are.
    shared_claims: Vec<Glob>,
}

/// Where the strategy of a Deployment may be `Recreate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Recreate {
    /// Where a single replica holds what no second pod can.
    #[default]
    WhereNeeded,
    /// Nowhere.
    Never,
}

impl Settings for Rollout {
    fn validate(&self) -> Result<(), ReadError> {
        let refuse = |field, reason: &str| Err(ReadError { path: Path::of(&[field]), reason: reason.to_owned() });
        let is_zero = |bound: Option<Amount>| bound.is_some_and(Amount::is_zero);
        if is_zero(self.max_unavailable) && is_zero(self.max_surge) {
            return refuse("maxSurge", "0 leaves a rolling update no step, as maxUnavailable is 0 too");
        }
        if self.nodes == Some(0) {
            return refuse("nodes", "expected at least 1");
        }
        Ok(())
    }
}

policy!(
    Rollout,
    review,
    subresources: ["scale"],
    asks: [HORIZONTAL_POD_AUTOSCALERS, SCALED_OBJECTS],
);

fn review(request: &Request<'_>, context: &Context<'_, Rollout>, report: &mut Report<'_>) -> Result<(), ReadError> {
    let settings = context.settings;
    if request.subresource == "scale" {
        if let Some(kind) = workload::scaled_kind(request.resource).filter(|_| request.is("autoscaling", "Scale")) {
            let replicas = Replicas::of_scale(request)?;
            judge_replicas(&replicas, &Autoscaler::of(kind, request, settings), settings, report);
        }
        return Ok(());
    }
    let Some(workload) = Workload::read(request)? else { return Ok(()) };
    let autoscaler = match &workload.replicas {
        Some(_) => Autoscaler::of(request.kind, request, settings),
        None => Autoscaler::Absent,
    };
    if let Some(update) = &workload.update
        && judge_strategy(update, &workload, matches!(autoscaler, Autoscaler::Named), settings, report)
    {
        let among = |is_autoscaled| match &workload.replicas {
            // What an autoscaler makes of an object without a number, to which the API server gives 1, cannot be seen from here.
            Some(Replicas { count: 1, .. }) if is_autoscaled => Among { total: None, what: "replicas" },
            // The API server refuses a negative one.
            Some(replicas) => Among { total: Some(u32::try_from(replicas.count).unwrap_or(0)), what: "replicas" },
            None => Among { total: settings.nodes, what: "nodes" },
        };
        judge_update(update, [&among(false), &among(true)], &autoscaler, settings, report);
    }
    if let Some(replicas) = &workload.replicas {
        judge_replicas(replicas, &autoscaler, settings, report);
        if let Some(pod) = &workload.pod {
            judge_spread(pod, replicas, &autoscaler, request.namespace, report);
        }
    }
    Ok(())
}

/// Whether the strategy is a rolling update, the one that has bounds: beside another the API server refuses or ignores the
/// fields.
fn judge_strategy(
    update: &Update<'_>,
    workload: &Workload<'_>,
    autoscaled: bool,
    settings: &Rollout,
    report: &mut Report<'_>,
) -> bool {
    let Update { field, strategy, .. } = update;
    let at = || Path::of(&["spec", field, "type"]);
    // Only a Deployment has its pods replaced by others beside them.
    let is_single = *field == "strategy" && !autoscaled && workload.replicas.as_ref().is_some_and(|of| of.count <= 1);
    let holdings = workload.pod.as_ref().filter(|_| is_single).map(|pod| &pod.holdings);
    let held = |also_read| holdings.and_then(|holdings| holdings.held(&settings.shared_claims, also_read));
    let may_recreate = settings.recreate == Recreate::WhereNeeded;
    if *strategy != "RollingUpdate" {
        if !(*strategy == "Recreate" && may_recreate && held(true).is_some()) {
            report.add(&STRATEGY, at(), format!("strategy is {strategy:?}, expected RollingUpdate"));
        }
        return false;
    }
    if let Some(held) = held(false).filter(|_| update.starts_new_first()) {
        let recreate = if may_recreate { "type Recreate or " } else { "" };
        let message = format!(
            "strategy is RollingUpdate, which starts the new pod while the old one has {held}: it may wait for that \
             without end, expected {recreate}maxUnavailable 1"
        );
        report.add(&DEADLOCK, at(), message);
    }
    true
}

/// `among` is what percentages are of without an autoscaler, and with one.
fn judge_update(
    update: &Update<'_>,
    among: [&Among; 2],
    autoscaler: &Autoscaler,
    settings: &Rollout,
    report: &mut Report<'_>,
) {
    let at = |limit| Path::of(&["spec", update.field, "rollingUpdate", limit]);
    if let Some(bound) = settings.max_unavailable {
        let message = |above| format!("maxUnavailable is {above}");
        let found = among.map(|among| unavailable_above(update, bound, among).map(message));
        autoscaler.add(report, &MAX_UNAVAILABLE, at("maxUnavailable"), found);
    }
    if let (Some(bound), Some(max_surge)) = (settings.max_surge, &update.max_surge) {
        let message = |above| format!("maxSurge is {above}");
        let found = among.map(|among| above(max_surge, false, bound, among).map(message));
        autoscaler.add(report, &MAX_SURGE, at("maxSurge"), found);
    }
}

/// How many pods may be missing, and how many were expected to, if it is more.
fn unavailable_above(update: &Update<'_>, bound: Amount, among: &Among) -> Option<String> {
    let Update { max_unavailable, max_surge, .. } = update;
    let rounding = max_unavailable.rounding;
    let no_surge = max_surge.as_ref().is_none_or(|surge| among.is_none(surge.amount, surge.rounding));
    // Where there is to be no pod at all, nothing is rolled out.
    let raised = no_surge && among.is_none(max_unavailable.amount, rounding) && among.total != Some(0);
    // A StatefulSet cannot keep a lower one. A percentage of no pods says nothing of those there will be.
    let is_kept = matches!(bound, Amount::Count(_)) || among.total != Some(0);
    let least = max_surge.is_none() && is_kept && among.is_none(bound, rounding);
    above(max_unavailable, raised, if least { Amount::Count(1) } else { bound }, among)
}

/// What a limit is and what was expected, if it is above its bound.
fn above(limit: &Limit, raised: bool, bound: Amount, among: &Among) -> Option<String> {
    let in_effect = if raised { Amount::Count(1) } else { limit.amount };
    among.exceeds(in_effect, bound, limit.rounding).then(|| {
        let resolved = among.resolved(limit.amount, limit.rounding);
        let raised = if raised { ", which the controller raises to 1" } else { "" };
        let expected = among.resolved(bound, limit.rounding);
        format!("{limit}{resolved}{raised}, expected at most {bound}{expected}")
    })
}

/// The pods that percentages are of.
struct Among {
    /// How many there are to be, if that is known.
    total: Option<u32>,
    /// What they are counted by.
    what: &'static str,
}

impl Among {
    /// Whether an amount comes to nothing.
    fn is_none(&self, amount: Amount, rounding: Rounding) -> bool {
        self.total.map_or(amount.is_zero(), |total| amount.of(total, rounding) == 0)
    }

    /// Whether an amount is above a bound, as far as that can be known.
    fn exceeds(&self, amount: Amount, bound: Amount, rounding: Rounding) -> bool {
        match (amount, bound, self.total) {
            (Amount::Count(count), Amount::Count(most), _) => count > most,
            (_, _, Some(0)) => false,
            (_, _, Some(total)) => amount.of(total, rounding) > bound.of(total, rounding),
            (Amount::Percent(percent), Amount::Percent(most), None) => percent > most,
            (Amount::Percent(100..), Amount::Count(_), None) => true,
            _ => bound.is_zero() && !amount.is_zero(),
        }
    }

    /// What a percentage is, in words to follow it.
    fn resolved(&self, amount: Amount, rounding: Rounding) -> String {
        match (amount, self.total) {
            (Amount::Percent(_), Some(total)) => format!(" ({} of {total} {})", amount.of(total, rounding), self.what),
            _ => String::new(),
        }
    }
}

fn judge_replicas(replicas: &Replicas, autoscaler: &Autoscaler, settings: &Rollout, report: &mut Report<'_>) {
    if let Some(least) = settings.min_replicas.filter(|least| i64::from(replicas.count) < i64::from(*least)) {
        let message = format!("replicas is {replicas}, expected at least {least}");
        autoscaler.add(report, &REPLICAS, Path::of(&["spec", "replicas"]), [Some(message), None]);
    }
}

fn judge_spread(pod: &Pod<'_>, replicas: &Replicas, autoscaler: &Autoscaler, namespace: &str, report: &mut Report<'_>) {
    if pod.holdings.host_port().is_some() {
        return;
    }
    let found = [false, true].map(|is_autoscaled| {
        let what = match replicas.count {
            _ if is_autoscaled => "an autoscaler's replicas".to_owned(),
            count @ 2.. => format!("{count} replicas"),
            _ => return None,
        };
        let count = (!is_autoscaled).then_some(replicas.count);
        Some(match pod.placement.separates(&pod.labels, namespace, count).err()? {
            None => format!("{what} may all be on one node, expected topologySpreadConstraints or podAntiAffinity"),
            Some(idle) => format!("{what} may all be on one node: {idle}, expected one that keeps these pods apart"),
        })
    });
    autoscaler.add(report, &SPREAD, Path::of(&["spec", "template", "spec", "topologySpreadConstraints"]), found);
}
