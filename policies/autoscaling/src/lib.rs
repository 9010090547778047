//! Autoscalers stay within the team's bounds, and change no faster.

mod autoscaler;
mod rate;

use gatehouse_policy::{Bounds, Context, Members, Path, ReadError, Report, Request, Rule, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::autoscaler::{Autoscaler, Direction, Select};
use crate::rate::{Comparison, Rate};

rules! {
    /// Finds an autoscaler whose `minReplicas`, 1 where absent, is below the setting's.
    ///
    /// ## Why
    /// It is what is left when nothing is to be done: with one replica, every restart of it is an outage.
    ///
    /// ## Options
    /// `minReplicas`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/>
    MIN_REPLICAS = "min-replicas": deny;

    /// Finds an autoscaler whose `maxReplicas` is above the setting's.
    ///
    /// ## Why
    /// It is what the cluster must have room for, and what a flood of requests may cost.
    ///
    /// ## Options
    /// `maxReplicas`
    MAX_REPLICAS = "max-replicas": deny;

    /// Finds an autoscaler whose `minReplicas` is above its `maxReplicas`. The API server refuses it.
    ORDER = "order": deny;

    /// Finds an autoscaler without a metric for one of the resources in `required`. One of a single container
    /// (`ContainerResource`) counts, with whatever sort of target. An autoscaler without any metric has one for cpu.
    ///
    /// ## Why
    /// A service that is out of memory is not helped by an autoscaler that looks at the cpu alone.
    ///
    /// ## Options
    /// `required`
    METRIC = "metric": deny;

    /// Finds a target utilisation of a resource outside `targets`, of the pod or of one container. Where no metric is given
    /// at all, the API server sets 80 % of the cpu. A target that is an amount (`AverageValue`) is no utilisation, and is
    /// not judged; nor are metrics of objects or of other systems.
    ///
    /// ## Why
    /// What is left above the target is what must do until more pods are ready.
    ///
    /// ## Version v1
    /// Of several targets for the cpu, version v1 has a field for the first, and the API server shows no other to a policy that
    /// is asked about v1, though it stores all that somebody wrote into the annotation
    /// `autoscaling.alpha.kubernetes.io/metrics`. So the policy's rules name `v2` alone: the API server converts requests for v1
    /// before it asks (`matchPolicy: Equivalent`, the default). The checker reads manifests of v1 as they stand.
    ///
    /// ## Options
    /// ```yaml
    /// targets:
    ///   cpu: {min: 30, max: 70}
    ///   memory: {max: 80}
    /// ```
    ///
    /// ## Reference
    /// `SetDefaults_HorizontalPodAutoscaler` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/autoscaling/v2/defaults.go>,
    /// <https://github.com/kubernetes/kubernetes/issues/80481>,
    /// <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchpolicy>
    TARGET = "target": deny;

    /// Finds an autoscaler that takes pods away sooner, or faster, than `scaleDown` allows: by its stabilization window,
    /// 300 seconds where absent, and by its policies, 100 % in 15 seconds where absent.
    ///
    /// ## Why
    /// Load that drops for a minute comes back. What was taken away too fast is missing then, and every pod that goes
    /// takes its caches and connections with it.
    ///
    /// A policy is compared by the most that it lets go within the bound's period, whenever that begins, from any number of
    /// pods between `minReplicas` and `maxReplicas`: 10 % in 15 seconds is more than a third a minute, and 20 % in two minutes may
    /// be 20 % within one of them. The controller rounds every step up to a whole pod: of ten pods, 2 % in 15 seconds is 4 a
    /// minute. The bound's percentage is rounded up too, so that one pod is within any bound.
    /// With `selectPolicy: Min` the least of the policies counts, with `Disabled` there is nothing to find, and
    /// else each policy must be within the bound by itself.
    ///
    /// ## Version v1
    /// It has its behaviour in the annotation `autoscaling.alpha.kubernetes.io/behavior`. A cluster's policy sees the one that
    /// will be stored: `kubectl apply`, `edit` and `patch` keep what is stored already, also where the manifest has no such
    /// annotation, and it is judged then; `kubectl replace` without it takes the behaviour away, and what is judged is that of
    /// an autoscaler without any. The checker does not see what is stored: it judges the manifest as it stands.
    ///
    /// ## Options
    /// `scaleDown`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior>,
    /// `calculateScaleDownLimitWithBehaviors` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/podautoscaler/horizontal.go>,
    /// `Convert_autoscaling_HorizontalPodAutoscaler_To_v1_HorizontalPodAutoscaler` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/autoscaling/v1/conversion.go>
    SCALE_DOWN = "scale-down": deny;

    /// Finds an autoscaler that adds pods sooner, or faster, than `scaleUp` allows: by its stabilization window, 0 where
    /// absent, and by its policies, where absent the greater of 4 pods and 100 % in 15 seconds. They are compared as for
    /// `scale-down`. Without any `behavior` it is twice the pods, or 4 in all, each time that the controller looks, every 15
    /// seconds.
    ///
    /// ## Why
    /// A spike of seconds is over before its pods are ready. All of them at once find the database, and each other, cold.
    ///
    /// ## Options
    /// `scaleUp`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior>,
    /// `calculateScaleUpLimit`, for autoscalers without `behavior`, in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/podautoscaler/horizontal.go>
    SCALE_UP = "scale-up": deny;
}

/// The settings of autoscaling. What is absent bounds nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Autoscaling {
    /// The least that `minReplicas` may be.
    min_replicas: Option<u32>,
    /// The most that `maxReplicas` may be.
    max_replicas: Option<u32>,
    /// The resources that an autoscaler must have a metric for: `cpu`, `memory`.
    required: Vec<String>,
    /// What the target utilisation of a resource may be, in percent of what is requested, by the resource's name.
    targets: Members<String, Bounds>,
    /// How fast pods may go.
    scale_down: Pace,
    /// How fast pods may come.
    scale_up: Pace,
}

/// How fast the number of pods may change.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct Pace {
    /// The least that `stabilizationWindowSeconds` may be.
    min_window_seconds: Option<u32>,
    /// The most that may change.
    max_rate: Option<Rate>,
}

impl Settings for Autoscaling {
    fn validate(&self) -> Result<(), ReadError> {
        let error = |path: Path, reason: String| Err(ReadError { path, reason });
        if let (Some(min), Some(max)) = (self.min_replicas, self.max_replicas)
            && min > max
        {
            let reason = format!("{min} is above maxReplicas, which is {max}");
            return error(Path::of(&["minReplicas"]), reason);
        }
        for (resource, bounds) in self.targets.iter() {
            bounds.validate().map_err(|error| error.below(&Path::of(&["targets"]).key(resource.clone())))?;
        }
        for (field, pace) in [("scaleDown", &self.scale_down), ("scaleUp", &self.scale_up)] {
            if pace.max_rate.as_ref().is_some_and(|rate| rate.period_seconds == 0) {
                let path = Path::of(&[field, "maxRate", "periodSeconds"]);
                return error(path, "expected at least 1".to_owned());
            }
        }
        Ok(())
    }
}

policy!(Autoscaling, review);

fn review(request: &Request<'_>, context: &Context<'_, Autoscaling>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if !request.is("autoscaling", "HorizontalPodAutoscaler") {
        return Ok(());
    }
    let settings = context.settings;
    Autoscaler::read(request, |autoscaler| {
        judge_replicas(autoscaler, settings, report);
        judge_metrics(autoscaler, settings, report);
        for (rule, pace, direction) in
            [(&SCALE_DOWN, &settings.scale_down, Direction::Down), (&SCALE_UP, &settings.scale_up, Direction::Up)]
        {
            judge_pace(rule, pace, direction, autoscaler, report);
        }
    })
}

fn judge_replicas(autoscaler: &Autoscaler<'_>, settings: &Autoscaling, report: &mut Report<'_>) {
    let min = autoscaler.min_replicas;
    if let Some(least) = settings.min_replicas.filter(|least| min < i64::from(*least)) {
        let message = format!("autoscaler: minReplicas is {min}, expected at least {least}");
        report.add(&MIN_REPLICAS, Path::of(&["spec", "minReplicas"]), message);
    }
    let Some(max) = autoscaler.max_replicas else { return };
    if let Some(most) = settings.max_replicas.filter(|most| max > i64::from(*most)) {
        let message = format!("autoscaler: maxReplicas is {max}, expected at most {most}");
        report.add(&MAX_REPLICAS, Path::of(&["spec", "maxReplicas"]), message);
    }
    if min > max {
        let message = format!("autoscaler: minReplicas is {min}, expected no more than its maxReplicas, {max}");
        report.add(&ORDER, Path::of(&["spec", "minReplicas"]), message);
    }
}

fn judge_metrics(autoscaler: &Autoscaler<'_>, settings: &Autoscaling, report: &mut Report<'_>) {
    for resource in &settings.required {
        if autoscaler.targets.iter().all(|target| target.resource != resource) {
            let message = format!("autoscaler: has no metric for {resource}, expected one");
            report.add(&METRIC, Path::of(&["spec", "metrics"]), message);
        }
    }
    for target in &autoscaler.targets {
        let (Some(bounds), Some(utilization)) = (settings.targets.get(target.resource), target.utilization) else {
            continue;
        };
        let Some(expected) = bounds.expected(utilization) else { continue };
        let (what, resource) = (target.whose(), target.resource);
        let message = || format!("autoscaler: the {resource} target{what} is {utilization} %, expected {expected} %");
        report.add(&TARGET, target.path.clone(), message);
    }
}

fn judge_pace(rule: &Rule, pace: &Pace, direction: Direction, autoscaler: &Autoscaler<'_>, report: &mut Report<'_>) {
    let scaling = autoscaler.scaling(direction);
    if scaling.select == Select::Disabled {
        return;
    }
    let name = direction.field();
    if let Some(least) = pace.min_window_seconds.filter(|least| scaling.window < i64::from(*least)) {
        let window = scaling.window;
        let message = format!("autoscaler: {name} stabilizationWindowSeconds is {window}, expected at least {least}");
        report.add(rule, autoscaler.behavior(&[name, "stabilizationWindowSeconds"]), message);
    }
    let Some(bound) = &pace.max_rate else { return };
    let mut comparison = Comparison::new(bound, direction, autoscaler.range());
    if scaling.select == Select::Min {
        if scaling.policies.iter().all(|policy| comparison.exceeds(policy)) {
            let message = format!("autoscaler: the least of the {name} policies is above the bound, expected {bound}");
            report.add(rule, autoscaler.behavior(&[name, "policies"]), message);
        }
        return;
    }
    for (index, policy) in scaling.policies.iter().enumerate().filter(|(_, policy)| comparison.exceeds(policy)) {
        let message = || format!("autoscaler: {name} allows {policy}, expected {bound}");
        report.add(rule, autoscaler.behavior_policy(name, index), message);
    }
}
