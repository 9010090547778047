//! Containers that serve end gracefully: they go on while traffic is turned away from them, and have the time to end.

mod command;
mod hook;

use gatehouse_policy::{Bounds, Context, Edit, Path, ReadError, Report, Request, Role, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::command::{ENDLESS, Work};
use crate::hook::{Container, Hook, Pod};

rules! {
    /// Finds a container with `ports` in a Deployment or StatefulSet without a `preStop` hook, or with one that does
    /// nothing: an empty one, a `tcpSocket`, which the kubelet cannot run, a `sleep` of 0 seconds, or an `exec` whose
    /// command ends at once and only prints, such as `true`, `sleep 0` or `sh -c "exit 0"`. Pods that controllers make are
    /// not judged again, nor are sidecar containers: the kubelet ends those after the regular ones.
    ///
    /// ## Why
    /// When a pod is deleted, two things begin at once: its address is taken out of every proxy and load balancer, and
    /// its containers are told to end. Who ends first is still sent requests, and they fail: some at each rollout. A hook
    /// that waits keeps the container serving until nobody asks any more.
    ///
    /// ## Example
    /// ```yaml
    /// containers:
    /// - name: app
    ///   image: herald/backend:v2.1.0
    ///   ports:
    ///   - containerPort: 8000
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// containers:
    /// - name: app
    ///   image: herald/backend:v2.1.0
    ///   ports:
    ///   - containerPort: 8000
    ///   lifecycle:
    ///     preStop:
    ///       sleep:
    ///         seconds: 15
    /// ```
    ///
    /// ## Fix
    /// Where `sleepSeconds` is set, adds that sleep, and raises the pod's grace period where it would be too short for
    /// it. Not safe: the pod takes longer to end. The kubelet sleeps by itself since Kubernetes 1.30.
    ///
    /// ## Options
    /// `sleepSeconds`, the time that traffic takes to turn away.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>,
    /// <https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/>
    PRE_STOP = "pre-stop": deny;

    /// Finds a `terminationGracePeriodSeconds`, 30 where absent, that leaves less than `margin` after a `preStop` hook,
    /// or that is outside the bounds `gracePeriodSeconds`. Where a hook sleeps too long for the highest grace period that
    /// the bounds allow, it is the hook that is found.
    ///
    /// A hook takes as long as it sleeps: by the native `sleep`, by the program `sleep`, or by what a shell's script
    /// sleeps on its way if its commands succeed. How long a request, another program, a loop or a condition takes the
    /// manifest does not tell: `sleepSeconds` is assumed where it is set, or else no time. A script that does both takes
    /// the longer of the two. All hooks of a pod start together, also those of sidecar containers, so the longest counts.
    ///
    /// The grace period that a liveness or startup probe has for itself is not judged: it is for containers that hang.
    ///
    /// ## Why
    /// The grace period begins before the hook, not after it. What the hook uses up is missing for the requests that are
    /// still being answered; then the container is killed. With a grace period of 0 there is no time for the hook
    /// either.
    ///
    /// ## Example
    /// ```yaml
    /// terminationGracePeriodSeconds: 30
    /// containers:
    /// - name: app
    ///   lifecycle:
    ///     preStop:
    ///       sleep:
    ///         seconds: 30
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// terminationGracePeriodSeconds: 45
    /// containers:
    /// - name: app
    ///   lifecycle:
    ///     preStop:
    ///       sleep:
    ///         seconds: 30
    /// ```
    ///
    /// ## Options
    /// `margin` and `gracePeriodSeconds`:
    /// ```yaml
    /// margin: 10
    /// gracePeriodSeconds: {min: 30, max: 300}
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-execution>; `killContainer`,
    /// where the hook comes before the wait for a sidecar's turn, in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/kuberuntime_container.go>
    GRACE_PERIOD = "grace-period": deny;

    /// Finds a `preStop` or `postStart` hook that runs a shell. Pods for Windows are not judged.
    ///
    /// ## Why
    /// A distroless image has no shell. The hook fails there, and only an event tells it: a failed `preStop` is skipped,
    /// so that the container ends at once, a failed `postStart` kills it.
    ///
    /// ## Example
    /// ```yaml
    /// lifecycle:
    ///   preStop:
    ///     exec:
    ///       command: ["/bin/sh", "-c", "sleep 15"]
    /// ```
    ///
    /// ## Use instead
    /// The kubelet's own `sleep`, since Kubernetes 1.30; for other work an `httpGet`, or a program of the image:
    /// ```yaml
    /// lifecycle:
    ///   preStop:
    ///     sleep:
    ///       seconds: 15
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-implementations>
    SHELL = "shell": warn;
}

/// The settings of graceful-shutdown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct GracefulShutdown {
    /// Seconds that a `preStop` hook is to wait: what the fix of `pre-stop` sets, and what a hook is taken to need that
    /// does not tell. At least 1.
    sleep_seconds: Option<u32>,
    /// Seconds of the grace period that must be left after the `preStop` hook. Default: 1.
    margin: u32,
    /// Bounds of the grace period of every pod, with hooks or without.
    grace_period_seconds: Bounds,
}

impl Default for GracefulShutdown {
    fn default() -> Self {
        Self { sleep_seconds: None, margin: 1, grace_period_seconds: Bounds::default() }
    }
}

impl Settings for GracefulShutdown {
    fn validate(&self) -> Result<(), ReadError> {
        let refuse = |path, reason| Err(ReadError { path: Path::of(path), reason });
        if self.sleep_seconds == Some(0) {
            return refuse(&["sleepSeconds"], "expected at least 1".to_owned());
        }
        self.grace_period_seconds.validate().map_err(|error| error.below(&Path::of(&["gracePeriodSeconds"])))?;
        let Some(max) = self.grace_period_seconds.max else { return Ok(()) };
        if self.need(self.sleep_seconds()) > self.longest() {
            let reason = format!("{max} is below what sleepSeconds and margin need together");
            return refuse(&["gracePeriodSeconds", "max"], reason);
        }
        Ok(())
    }
}

impl GracefulShutdown {
    /// The seconds of a hook that does not tell.
    fn sleep_seconds(&self) -> u64 {
        self.sleep_seconds.unwrap_or(0).into()
    }

    /// The longest grace period that may be asked for.
    fn longest(&self) -> u64 {
        self.grace_period_seconds.max.map_or(ENDLESS - 1, u64::from)
    }

    /// The grace period that a hook of so many seconds needs. With none at all even a short one would not run.
    fn need(&self, seconds: u64) -> u64 {
        seconds.saturating_add(self.margin.into()).max(1)
    }
}

policy!(GracefulShutdown, review);

fn review(
    request: &Request<'_>,
    context: &Context<'_, GracefulShutdown>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    for pod in Pod::read(request, context.exempt)? {
        if pod.containers().next().is_none() {
            continue; // all are exempt, so nobody is left whom the grace period could concern
        }
        let hooks = pre_stops(&pod, context.settings);
        if matches!(pod.kind(), "Deployment" | "StatefulSet") {
            judge_pre_stop(&pod, &hooks, context.settings, report);
        }
        judge_grace_period(&pod, &hooks, context.settings, report);
        if !pod.is_windows() {
            judge_shell(&hooks, report);
        }
    }
    Ok(())
}

/// What the `preStop` hook of a container comes to.
struct PreStop<'p, 'r> {
    container: &'p Container<'r>,
    /// The hook, if there is one.
    hook: Option<&'p Hook<'r>>,
    /// What its command does, if it has one.
    work: Option<Work>,
    /// The seconds that it takes; `None` where it does nothing.
    seconds: Option<u64>,
}

/// The hooks that the kubelet runs when the pod ends, for each container that has or lacks one.
fn pre_stops<'p, 'r>(pod: &'p Pod<'r>, settings: &GracefulShutdown) -> Vec<PreStop<'p, 'r>> {
    let read = |container: &'p Container<'r>| {
        let hook = container.lifecycle.pre_stop.as_ref();
        let work = hook.and_then(Hook::work);
        PreStop { container, hook, work, seconds: hook.and_then(|hook| hook.seconds(work, settings.sleep_seconds())) }
    };
    pod.long_running().map(read).collect()
}

fn judge_pre_stop(pod: &Pod<'_>, hooks: &[PreStop<'_, '_>], settings: &GracefulShutdown, report: &mut Report<'_>) {
    let longer_grace_period = longer_grace_period(pod, hooks, settings);
    for PreStop { container, hook, seconds, .. } in hooks {
        if container.role != Role::Regular || container.ports.is_empty() || seconds.is_some() {
            continue;
        }
        let message = match hook {
            None => format!("{container} has ports and no preStop hook"),
            Some(_) => format!(
                "{container}: preStop does nothing, expected a sleep of 1 s or more, httpGet, or exec with a command that \
                 does something"
            ),
        };
        let path = container.at(&["lifecycle", "preStop"]);
        let found = report.add(&PRE_STOP, path.clone(), message);
        let Some(seconds) = settings.sleep_seconds else { continue };
        let mut edits = Vec::new();
        if hook.is_some() {
            edits.push(Edit::Remove(path.clone())); // a hook may have one handler only
        }
        edits.push(Edit::set(path.key("sleep").key("seconds"), seconds));
        edits.extend(longer_grace_period.clone());
        found.unsafe_fix(edits);
    }
}

/// What makes the grace period long enough for a new hook of `sleepSeconds`. It is the same for each container of the
/// pod, and heeds the hooks that are there, so that no two fixes undo each other.
fn longer_grace_period(pod: &Pod<'_>, hooks: &[PreStop<'_, '_>], settings: &GracefulShutdown) -> Option<Edit> {
    let needs = hooks.iter().filter_map(|hook| Some(settings.need(hook.seconds?)));
    let feasible = needs.filter(|need| *need <= settings.longest());
    let min = settings.grace_period_seconds.min.into();
    let need = feasible.chain([settings.need(settings.sleep_seconds()), min]).max()?;
    (pod.grace_period() < need).then(|| Edit::set(pod.at(&["terminationGracePeriodSeconds"]), need))
}

fn judge_grace_period(pod: &Pod<'_>, hooks: &[PreStop<'_, '_>], settings: &GracefulShutdown, report: &mut Report<'_>) {
    let Bounds { min, max } = settings.grace_period_seconds;
    let (period, margin, min, max) = (pod.grace_period(), settings.margin, min.into(), max.map(u64::from));
    let longest = judge_sleeps(hooks, settings, report);
    let need = longest.map_or(0, |(seconds, _)| settings.need(seconds));
    let expected = match (longest, max) {
        (_, Some(max)) if period > max => format!("at most {max}"),
        _ if period >= need.max(min) => return,
        (Some((seconds, container)), _) if need >= min => {
            format!("at least {need}: {seconds} s for the preStop hook of {container}, and {margin} s after it")
        }
        _ => format!("at least {min}"),
    };
    let message = format!("pod: terminationGracePeriodSeconds is {}, expected {expected}", pod.grace_period_in_words());
    report.add(&GRACE_PERIOD, pod.at(&["terminationGracePeriodSeconds"]), message);
}

/// Finds the hooks that are too long for any grace period; of the others, gives the seconds of the longest.
fn judge_sleeps<'p, 'r>(
    hooks: &[PreStop<'p, 'r>],
    settings: &GracefulShutdown,
    report: &mut Report<'_>,
) -> Option<(u64, &'p Container<'r>)> {
    let mut longest = None;
    for PreStop { container, hook, seconds, .. } in hooks {
        let (Some(hook), Some(seconds)) = (*hook, *seconds) else { continue };
        if settings.need(seconds) <= settings.longest() {
            longest = longest.filter(|(longest, _)| *longest >= seconds).or(Some((seconds, *container)));
            continue;
        }
        let sleeps = if seconds < ENDLESS { format!("{seconds} s") } else { "for ever".to_owned() };
        let expected = match settings.grace_period_seconds.max {
            Some(max) => format!("at most {} s", max.saturating_sub(settings.margin)),
            None => "it to end".to_owned(),
        };
        let message = || format!("{container}: preStop sleeps {sleeps}, expected {expected}");
        report.add(&GRACE_PERIOD, container.at(&["lifecycle", "preStop"]).join(hook.seconds_path()), message);
    }
    longest
}

fn judge_shell(hooks: &[PreStop<'_, '_>], report: &mut Report<'_>) {
    for PreStop { container, hook, work, .. } in hooks {
        let post_start = container.lifecycle.post_start.as_ref();
        for (field, hook, work) in [("preStop", *hook, *work), ("postStart", post_start, None)] {
            let Some(command) = hook.and_then(Hook::command) else { continue };
            let Some(shell) = command::shell(command) else { continue };
            let instead = match work.unwrap_or_else(|| command::work(command)) {
                Work::Sleep(sleep) if sleep.only && !sleep.is_endless() => {
                    format!("sleep: {{seconds: {}}}", sleep.seconds())
                }
                _ => "httpGet, or a program that needs no shell".to_owned(),
            };
            let message =
                format!("{container}: {field} runs {shell:?}, which distroless images do not have, expected {instead}");
            report.add(&SHELL, container.at(&["lifecycle", field, "exec", "command"]), message);
        }
    }
}
