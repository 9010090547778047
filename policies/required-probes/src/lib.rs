//! Containers that serve let the kubelet see that they live and that they are ready.

mod ports;
mod probe;

use gatehouse_policy::{Bounds, Context, Level, Path, Port, ReadError, Report, Request, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ports::{ContainerPort, TcpPorts, number_of};
use crate::probe::{ContainerFields, PodFields, Probe, Scaled, Timing, Timings};

rules! {
    /// Finds a container without a `livenessProbe`, or with one that checks nothing. Only regular and sidecar containers
    /// are judged, for they run as long as their pod.
    ///
    /// The containers of Jobs and CronJobs are not judged, nor those of a Pod that are not always restarted, by their own
    /// `restartPolicy` or else by the pod's. All other workloads, such as a Deployment or a DaemonSet, keep their pods
    /// running. There a container is judged whatever its own `restartPolicy`, unless `allowEnding` is set.
    ///
    /// ## Why
    /// The kubelet restarts a container that ends. One that hangs runs on, and nobody notices but its users.
    ///
    /// ## Example
    /// ```yaml
    /// containers:
    /// - name: app
    ///   image: herald/backend:v2.1.0
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// containers:
    /// - name: app
    ///   image: herald/backend:v2.1.0
    ///   livenessProbe:
    ///     httpGet:
    ///       path: /health
    ///       port: 8000
    /// ```
    ///
    /// ## Options
    /// `allowEnding: true` skips a container that is seen to end in these workloads too: its own `restartPolicy` is `Never`
    /// or `OnFailure`, it has no `restartPolicyRules`, declares no port, and has no readiness probe and no other probe that
    /// connects to a port.
    ///
    /// `warnFor: [singleReplica, noPorts]` makes it a warning where the workload has one replica, or the container
    /// declares no port.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>,
    /// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules>
    LIVENESS = "liveness": deny;

    /// Finds a container without a `readinessProbe`, or with one that checks nothing.
    ///
    /// ## Why
    /// A container without one is ready as soon as it has started: it is sent requests that it cannot answer yet, and
    /// a rollout goes on to the next pod however broken this one is.
    READINESS = "readiness": deny;

    /// Finds a container without a `startupProbe`, or with one that checks nothing.
    ///
    /// ## Why
    /// Without one, a liveness probe must leave a slow start as much time as it then leaves a container that hangs.
    STARTUP = "startup": off;

    /// Finds a probe on a port that does not exist: a name that the container does not declare, or a number that no port
    /// has. As a warning, finds a number that no container of the pod declares for TCP, also where the probe gives it by
    /// name. Numbers on another `host` are not judged.
    ///
    /// ## Why
    /// The kubelet looks up a name among the container's own ports, whatever their `protocol`. Where it is not there the
    /// check has no result: a liveness probe then never fails, and a readiness probe never succeeds. A number works without
    /// being declared, but mostly one of the two was changed and the other forgotten. All containers of a pod share its
    /// network, so any of them may declare the number. `httpGet`, `tcpSocket` and `grpc` connect by TCP: a port of UDP or
    /// SCTP does not answer them.
    ///
    /// ## Example
    /// ```yaml
    /// ports:
    /// - name: http
    ///   containerPort: 8000
    /// livenessProbe:
    ///   httpGet:
    ///     port: web
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// ports:
    /// - name: http
    ///   containerPort: 8000
    /// livenessProbe:
    ///   httpGet:
    ///     port: http
    /// ```
    ///
    /// ## Reference
    /// `ResolveContainerPort` in <https://github.com/kubernetes/kubernetes/blob/master/pkg/probe/util.go>, `doProbe` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/prober/worker.go>
    PORT = "port": deny;

    /// Finds a timing of a probe below `min` or above `max`. A timing that is absent or 0 has the API's default, and a
    /// negative one is below any `min`: the API server refuses it.
    ///
    /// ## Why
    /// A probe that looks once in ten minutes is there on paper only.
    ///
    /// ## Options
    /// `liveness`, `readiness` and `startup`, each with bounds for the timings of that probe:
    /// ```yaml
    /// liveness:
    ///   periodSeconds: {max: 30}
    ///   failureThreshold: {min: 2, max: 5}
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes>
    BOUNDS = "bounds": deny;

    /// Finds a probe whose `timeoutSeconds` is above its `periodSeconds`, both with the API's default where absent.
    ///
    /// ## Why
    /// The kubelet makes one check after the other. While one waits for its timeout the next ones are left out, so that
    /// a failure is noticed later than period and threshold promise.
    ///
    /// ## Reference
    /// `worker.run` in <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/prober/worker.go>
    TIMEOUT = "timeout": warn;

    /// Finds a `livenessProbe` that makes the same check as the `readinessProbe` and is no more patient: neither its
    /// timeout nor period times failure threshold is longer.
    ///
    /// ## Why
    /// Readiness may depend on others, a database for one. If liveness does, and as soon, then a slow dependency
    /// restarts the container, and its restart makes the dependency no faster.
    ///
    /// ## Use instead
    /// A check of the container alone, or the same check with a higher `failureThreshold`.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#when-should-you-use-a-liveness-probe>
    IDENTICAL = "identical": off;
}

/// The settings of required-probes. An absent bound bounds nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RequiredProbes {
    /// Bounds of liveness probes.
    liveness: Timings<Bounds>,
    /// Bounds of readiness probes.
    readiness: Timings<Bounds>,
    /// Bounds of startup probes.
    startup: Timings<Bounds>,
    /// Whether a container that is seen to end needs no probes in a Deployment, or in another workload that keeps its pods
    /// running. Default: false.
    allow_ending: bool,
    /// Where a missing liveness or readiness probe is a warning at most. Default: nowhere.
    warn_for: Vec<Unhurt>,
}

/// Where a missing probe does little harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Unhurt {
    /// A workload with one replica: no other could take over what is sent to it.
    SingleReplica,
    /// A container that declares no port: it is not known to serve anybody.
    NoPorts,
}

impl Settings for RequiredProbes {
    fn validate(&self) -> Result<(), ReadError> {
        let probes = [("liveness", &self.liveness), ("readiness", &self.readiness), ("startup", &self.startup)];
        for (probe, timings) in probes {
            for (field, bounds) in timings.each() {
                bounds.validate().map_err(|error| error.below(&Path::of(&[probe, field])))?;
            }
        }
        if self.readiness.termination_grace_period_seconds == Bounds::default() {
            return Ok(());
        }
        let path = Path::of(&["readiness", "terminationGracePeriodSeconds"]);
        Err(ReadError { path, reason: "a readiness probe ends no container, and so has no grace period".to_owned() })
    }
}

policy!(RequiredProbes, review);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields<'r>, ContainerFields<'r>>;
type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

/// The grace period of a pod that sets none (`SetDefaults_PodSpec` in `k8s.io/kubernetes/pkg/apis/core/v1`).
const GRACE_PERIOD: i64 = 30;

fn review(
    request: &Request<'_>,
    context: &Context<'_, RequiredProbes>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let settings = context.settings;
    let single = settings.warn_for.contains(&Unhurt::SingleReplica) && has_one_replica(request)?;
    for pod in Pod::read(request, context.exempt)? {
        judge_pod(&pod, settings, single, report);
    }
    Ok(())
}

/// Whether a workload runs one pod: a Pod, or what has no more `replicas`, 1 by default (`SetDefaults_Deployment` and its
/// like in `k8s.io/kubernetes/pkg/apis/apps/v1`). A `DaemonSet` has as many as there are nodes.
fn has_one_replica(request: &Request<'_>) -> Result<bool, ReadError> {
    let scaled: Scaled = request.object.view()?;
    Ok(request.kind != "DaemonSet" && scaled.spec.replicas.unwrap_or(1) <= 1)
}

fn judge_pod(pod: &Pod<'_>, settings: &RequiredProbes, single: bool, report: &mut Report<'_>) {
    // A negative one is the pod's fault, not the probe's.
    let grace_period = pod.termination_grace_period_seconds.unwrap_or(GRACE_PERIOD).max(0);
    let tcp_ports = TcpPorts::of(&pod.containers, &pod.init_containers);
    for container in pod.long_running().filter(|container| is_to_serve(pod, container, settings)) {
        let unhurt = single || settings.warn_for.contains(&Unhurt::NoPorts) && container.ports.is_empty();
        let level = if unhurt { Level::Warn } else { Level::Deny };
        for (rule, field, probe, bounds) in [
            (&LIVENESS, "livenessProbe", &container.liveness_probe, &settings.liveness),
            (&READINESS, "readinessProbe", &container.readiness_probe, &settings.readiness),
            (&STARTUP, "startupProbe", &container.startup_probe, &settings.startup),
        ] {
            match probe {
                None => {
                    report.add_as(level, rule, || container.at(&[field]), || format!("{container} has no {field}"));
                }
                Some(probe) if !probe.checks_something() => {
                    let message =
                        || format!("{container}: {field} checks nothing, expected httpGet, tcpSocket, grpc or exec");
                    report.add_as(level, rule, || container.at(&[field]), message);
                }
                Some(probe) => {
                    let timings = probe.timings(grace_period);
                    judge_ports(container, field, probe, &tcp_ports, report);
                    judge_bounds(container, field, &timings, bounds, report);
                    judge_timeout(container, field, &timings, report);
                }
            }
        }
        judge_identical(container, report);
    }
}

/// Whether a container is to run as long as its pod: elsewhere a probe could only fail what is to end by itself. Where the
/// API server accepts no pod that is not always restarted (`ValidatePodTemplateSpecForReplicaSet` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/validation/validation.go> and its like), each
/// container is: its own `restartPolicy` would be a way round this policy.
fn is_to_serve(pod: &Pod<'_>, container: &Container<'_>, settings: &RequiredProbes) -> bool {
    match pod.kind() {
        "Pod" | "Job" | "CronJob" => pod.restarts(container),
        _ => !(settings.allow_ending && container.is_seen_to_end()),
    }
}

fn judge_ports(
    container: &Container<'_>,
    field: &'static str,
    probe: &Probe<'_>,
    tcp_ports: &TcpPorts,
    report: &mut Report<'_>,
) {
    for (handler, host, port) in probe.ports() {
        let number = match port {
            Port::Number(number) => Some(number),
            Port::Name(name) => number_of(name, &container.ports),
        };
        let (level, expected) = match number {
            None => {
                (Level::Deny, one_of("one that the container declares (it declares", container, ContainerPort::name))
            }
            Some(..=0 | 65536..) => (Level::Deny, "1 to 65535".to_owned()),
            Some(number) if !host.is_empty() || tcp_ports.contains(number) => continue,
            Some(_) => {
                let expected = "one that a container of the pod declares for TCP (this one declares";
                (Level::Warn, one_of(expected, container, ContainerPort::tcp_number))
            }
        };
        let resolved = match (port, number) {
            (Port::Name(_), Some(number)) => format!(", which is {number}"),
            _ => String::new(),
        };
        let message = || format!("{container}: {field} is on port {port}{resolved}, expected {expected}");
        report.add_as(level, &PORT, || container.at(&[field, handler, "port"]), message);
    }
}

/// What is expected, and what the container itself has of it: the first few, for a container may have thousands.
fn one_of<'r>(
    expected: &str,
    container: &Container<'r>,
    of: impl Fn(&ContainerPort<'r>) -> Option<Port<'r>>,
) -> String {
    const SHOWN: usize = 10;
    let mut all = container.ports.iter().filter_map(of);
    let mut ports: Vec<_> = all.by_ref().take(SHOWN).map(|port| port.to_string()).collect();
    if all.next().is_some() {
        ports.push("and others".to_owned());
    }
    let list = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
    format!("{expected} {list})")
}

fn judge_bounds(
    container: &Container<'_>,
    probe: &'static str,
    timings: &Timings<Timing>,
    bounds: &Timings<Bounds>,
    report: &mut Report<'_>,
) {
    for ((field, timing), (_, bounds)) in timings.each().into_iter().zip(bounds.each()) {
        let Some(expected) = bounds.expected(timing.value) else { continue };
        let message = || format!("{container}: {probe} {field} is {timing}, expected {expected}");
        report.add(&BOUNDS, container.at(&[probe, field]), message);
    }
}

fn judge_timeout(container: &Container<'_>, probe: &'static str, timings: &Timings<Timing>, report: &mut Report<'_>) {
    let (timeout, period) = (timings.timeout_seconds, timings.period_seconds);
    if timeout.value > period.value {
        let message = || {
            format!(
                "{container}: {probe} timeoutSeconds is {timeout}, expected no more than its periodSeconds, {period}"
            )
        };
        report.add(&TIMEOUT, container.at(&[probe, "timeoutSeconds"]), message);
    }
}

/// Kubernetes recommends the same check for both only if liveness waits longer, so that a pod is taken out of service
/// before it is restarted
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#when-should-you-use-a-liveness-probe>).
fn judge_identical(container: &Container<'_>, report: &mut Report<'_>) {
    let (Some(liveness), Some(readiness)) = (&container.liveness_probe, &container.readiness_probe) else { return };
    if !liveness.checks_something() || liveness.check(&container.ports) != readiness.check(&container.ports) {
        return;
    }
    let (live, ready) = (liveness.timings(GRACE_PERIOD), readiness.timings(GRACE_PERIOD));
    let patience = |of: &Timings<Timing>| of.period_seconds.value.saturating_mul(of.failure_threshold.value);
    let (until_restart, until_unready) = (patience(&live), patience(&ready));
    if until_restart <= until_unready && live.timeout_seconds.value <= ready.timeout_seconds.value {
        let message = || {
            format!(
                "{container}: livenessProbe is the same check as readinessProbe and restarts after {until_restart} s, \
             expected another check or more than {until_unready} s"
            )
        };
        report.add(&IDENTICAL, container.at(&["livenessProbe"]), message);
    }
}
