//! Containers run as a user other than root, and as one of the team's.

mod ids;

use gatehouse_policy::{Container, Context, Edit, Path, ReadError, Report, Request, Rule, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::ids::Ids;

rules! {
    /// Finds a container whose effective `runAsNonRoot` (its own, or else the pod's) is not true.
    ///
    /// ## Why
    /// Root in a container is root for the kernel: one flaw in it, or one mount too many, and it is root on the node.
    /// With `runAsNonRoot: true` the kubelet refuses to start an image that would run as root.
    ///
    /// What nobody sets is reported once, on the pod, with the containers it concerns; what a container overrides is
    /// reported on the container. A Windows container (`spec.os.name: windows`) needs a `windowsOptions.runAsUserName`,
    /// or else the same `runAsNonRoot: true`.
    ///
    /// ## Example
    /// ```yaml
    /// spec:
    ///   containers:
    ///   - name: app
    ///     image: herald/backend:v2.1.0
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   securityContext:
    ///     runAsNonRoot: true
    ///   containers:
    ///   - name: app
    ///     image: herald/backend:v2.1.0
    /// ```
    ///
    /// ## Fix
    /// Sets `runAsNonRoot: true`. Not safe: an image made for root no longer starts.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>
    NON_ROOT = "non-root": deny;

    /// Finds a container whose effective `runAsUser` is 0 or, once `users` is set, absent or not one of them. A Windows
    /// container: a `runAsUserName` that is an administrator's.
    ///
    /// ## Why
    /// Files on a volume belong to numbers. A user that the team does not know cannot read what its neighbours write,
    /// or can read what it should not.
    ///
    /// ## Fix
    /// Where `users` is a single id, sets it. Not safe: it changes who runs.
    USER = "user": deny;

    /// Finds an effective `runAsGroup` that is 0 and not listed or, once `groups` is set, absent or not one of them.
    ///
    /// ## Why
    /// Where nobody sets it the runtime takes the image's group, which is mostly root's.
    ///
    /// ## Fix
    /// Where `groups` is a single id, sets it. Not safe: it changes who runs.
    GROUP = "group": deny;

    /// Finds a pod's `fsGroup` that is 0 and not listed or, once `fsGroups` is set, absent or not one of them.
    ///
    /// ## Why
    /// Volumes are given to this group; without it a user other than root mostly cannot write to them.
    ///
    /// ## Fix
    /// Where `fsGroups` is a single id, sets it. Not safe: the ownership of volumes changes.
    FS_GROUP = "fs-group": deny;

    /// Finds a group in a pod's `supplementalGroups` that is 0 and not listed or, once the setting `supplementalGroups`
    /// is there, is not one of its; then also a pod that has none.
    ///
    /// ## Fix
    /// Where the setting is a single id, makes it the only one. Not safe: it changes what the containers may read.
    SUPPLEMENTAL_GROUPS = "supplemental-groups": deny;

    /// Finds a port below 1024 of a container, all of which this policy wants to run as a user other than root, where
    /// neither the capability `NET_BIND_SERVICE` nor the sysctl `net.ipv4.ip_unprivileged_port_start` allows it.
    ///
    /// ## Why
    /// Such a container starts, and then cannot listen. Let it listen on 8080 and leave the low port to the Service.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls>
    PRIVILEGED_PORT = "privileged-port": warn;
}

/// The settings of run-as-nonroot. An absent list judges nothing but 0.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RunAsNonroot {
    /// The users that containers may run as: ids, and ranges such as `"2000-2999"`. Never 0.
    users: Option<Ids>,
    /// The groups that containers may run as.
    groups: Option<Ids>,
    /// The groups that volumes may be given to.
    fs_groups: Option<Ids>,
    /// The further groups that containers may have.
    supplemental_groups: Option<Ids>,
}

impl Settings for RunAsNonroot {
    fn validate(&self) -> Result<(), ReadError> {
        match &self.users {
            Some(users) if users.contains(0) => {
                let reason = "0 is root, whom this policy never allows; exempt the containers that need it".to_owned();
                Err(ReadError { path: Path::of(&["users"]), reason })
            }
            _ => Ok(()),
        }
    }
}

policy!(RunAsNonroot, review, subresources: ["ephemeralcontainers"]);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields<'r>, ContainerFields<'r>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodFields<'r> {
    #[serde(borrow)]
    security_context: SecurityContext<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerFields<'r> {
    #[serde(borrow)]
    security_context: SecurityContext<'r>,
    ports: Vec<Port>,
}

/// What pods and containers have in common, and what only one of them has: `fsGroup`, `supplementalGroups` and `sysctls`
/// are the pod's, `capabilities` a container's.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SecurityContext<'r> {
    run_as_non_root: Option<bool>,
    run_as_user: Option<i64>,
    run_as_group: Option<i64>,
    fs_group: Option<i64>,
    supplemental_groups: Vec<i64>,
    #[serde(borrow)]
    sysctls: Vec<Sysctl<'r>>,
    #[serde(borrow)]
    capabilities: Capabilities<'r>,
    #[serde(borrow)]
    windows_options: WindowsOptions<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sysctl<'r> {
    name: &'r str,
    value: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Capabilities<'r> {
    #[serde(borrow)]
    add: Vec<&'r str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WindowsOptions<'r> {
    run_as_user_name: Option<&'r str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    container_port: i32,
}

fn review(
    request: &Request<'_>,
    context: &Context<'_, RunAsNonroot>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let Some(pod) = Pod::read(request, context.exempt)? else { return Ok(()) };
    if pod.is_windows() {
        judge_windows(&pod, report);
        return Ok(());
    }
    let settings = context.settings;
    judge(&pod, report, &NON_ROOT, &["runAsNonRoot"], |of| of.run_as_non_root, |non_root| {
        let what = match non_root {
            Some(true) => return None,
            Some(false) => "runAsNonRoot is false",
            None => "runAsNonRoot is not set",
        };
        Some(Fault { what: what.to_owned(), expected: "true".to_owned(), mend: Some(true) })
    });
    judge(&pod, report, &USER, &["runAsUser"], |of| of.run_as_user, |id| fault("runAsUser", id, settings.users.as_ref()));
    judge(&pod, report, &GROUP, &["runAsGroup"], |of| of.run_as_group, |id| {
        fault("runAsGroup", id, settings.groups.as_ref())
    });
    if pod.subresource().is_empty() {
        judge_volume_groups(&pod, settings, report);
    }
    judge_ports(&pod, report);
    Ok(())
}

/// What is wrong with a value, what was expected, and the value that would mend it, if there is just one.
struct Fault<V> {
    what: String,
    expected: String,
    mend: Option<V>,
}

/// What is wrong with a user or group, if anything is. Without `allowed`, only 0 is.
fn fault(field: &str, id: Option<i64>, allowed: Option<&Ids>) -> Option<Fault<i64>> {
    let expected = allowed.map_or_else(|| "any but 0".to_owned(), ToString::to_string);
    let mend = allowed.and_then(Ids::only);
    match (id, allowed) {
        (None, None) => None,
        (None, Some(_)) => Some(Fault { what: format!("{field} is not set"), expected, mend }),
        (Some(id), Some(allowed)) if allowed.contains(id) => None,
        (Some(id), None) if id != 0 => None,
        (Some(id), _) => Some(Fault { what: format!("{field} is {id}"), expected, mend }),
    }
}

/// Judges a field that a container takes from its pod unless it has its own: one finding on each container that has its
/// own, and one on the pod for all that have not.
fn judge<'r, V: Copy + Into<Value>>(
    pod: &Pod<'r>,
    report: &mut Report<'_>,
    rule: &Rule,
    field: &[&'static str],
    value: impl Fn(&SecurityContext<'r>) -> Option<V>,
    fault: impl Fn(Option<V>) -> Option<Fault<V>>,
) {
    let inherited = value(&pod.security_context);
    let mut heirs = Vec::new();
    for container in pod.containers() {
        let own = value(&container.security_context);
        if own.is_none() && can_change_pod(pod) {
            heirs.push(container);
        } else if let Some(fault) = fault(own.or(inherited)) {
            add(report, rule, container.at(&["securityContext"]).join(Path::of(field)), &container.to_string(), fault);
        }
    }
    if let (Some(fault), false) = (fault(inherited), heirs.is_empty()) {
        add(report, rule, pod.at(&["securityContext"]).join(Path::of(field)), &names(&heirs), fault);
    }
}

fn add<V: Into<Value>>(report: &mut Report<'_>, rule: &Rule, path: Path, whose: &str, fault: Fault<V>) {
    let message = format!("{whose}: {}, expected {}", fault.what, fault.expected);
    let added = report.add(rule, path.clone(), message);
    if let Some(mend) = fault.mend {
        added.unsafe_fix([Edit::set(path, mend)]);
    }
}

/// Whoever attaches a debugger cannot change the pod: the new container itself must set what the pod does not.
fn can_change_pod(pod: &Pod<'_>) -> bool {
    pod.subresource().is_empty()
}

/// Containers for a message that concerns several.
fn names(containers: &[&Container<'_, ContainerFields<'_>>]) -> String {
    containers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `fsGroup` and `supplementalGroups` are the pod's alone.
fn judge_volume_groups(pod: &Pod<'_>, settings: &RunAsNonroot, report: &mut Report<'_>) {
    if let Some(fault) = fault("fsGroup", pod.security_context.fs_group, settings.fs_groups.as_ref()) {
        add(report, &FS_GROUP, pod.at(&["securityContext", "fsGroup"]), "pod", fault);
    }
    let allowed = settings.supplemental_groups.as_ref();
    let path = pod.at(&["securityContext", "supplementalGroups"]);
    let groups = &pod.security_context.supplemental_groups;
    // A list is mended as a whole, wherever in it the fault is.
    let mend = |fault: &Fault<i64>| fault.mend.map(|id| Edit::set(path.clone(), vec![id]));
    let ids = groups.iter().enumerate().map(|(index, id)| (path.clone().index(index), Some(*id)));
    let absent = groups.is_empty().then(|| (path.clone(), None));
    for (at, id) in ids.chain(absent) {
        if let Some(fault) = fault("supplementalGroups", id, allowed) {
            let message = format!("pod: {}, expected {}", fault.what, fault.expected);
            let edit = mend(&fault);
            let added = report.add(&SUPPLEMENTAL_GROUPS, at, message);
            if let Some(edit) = edit {
                added.unsafe_fix([edit]);
            }
        }
    }
}

/// The user that Windows images have beside their administrator
/// (<https://kubernetes.io/docs/tasks/configure-pod-container/configure-runasusername/>).
const WINDOWS_USER: &str = "ContainerUser";

/// On Windows nodes users have names. The kubelet honours `runAsNonRoot` there too: it refuses the administrator's name.
fn judge_windows(pod: &Pod<'_>, report: &mut Report<'_>) {
    const FIELD: &[&str] = &["windowsOptions", "runAsUserName"];
    let mend = || Some(WINDOWS_USER);
    judge(pod, report, &USER, FIELD, |of| of.windows_options.run_as_user_name, |name| {
        let name = name.filter(|name| is_administrator(name))?;
        Some(Fault { what: format!("runAsUserName is {name:?}"), expected: "no administrator".to_owned(), mend: mend() })
    });
    let unsure: Vec<_> = pod
        .containers()
        .filter(|container| {
            let (own, pods) = (&container.security_context, &pod.security_context);
            let name = own.windows_options.run_as_user_name.or(pods.windows_options.run_as_user_name);
            name.is_none() && own.run_as_non_root.or(pods.run_as_non_root) != Some(true)
        })
        .collect();
    let fault = || Fault { what: "runAsUserName is not set".to_owned(), expected: "no administrator".to_owned(), mend: mend() };
    if can_change_pod(pod) && !unsure.is_empty() {
        add(report, &NON_ROOT, pod.at(&["securityContext"]).join(Path::of(FIELD)), &names(&unsure), fault());
    } else {
        for container in unsure {
            let path = container.at(&["securityContext"]).join(Path::of(FIELD));
            add(report, &NON_ROOT, path, &container.to_string(), fault());
        }
    }
}

/// Whether a Windows account is an administrator's; names are not case-sensitive there, and may carry a domain.
fn is_administrator(account: &str) -> bool {
    let name = account.rsplit('\\').next().unwrap_or(account);
    ["ContainerAdministrator", "Administrator", "SYSTEM", "LocalSystem"].iter().any(|of| name.eq_ignore_ascii_case(of))
}

/// The first port that needs no privilege, unless a sysctl moves it.
const FIRST_UNPRIVILEGED_PORT: i32 = 1024;

fn judge_ports(pod: &Pod<'_>, report: &mut Report<'_>) {
    let is_start = |sysctl: &&Sysctl<'_>| sysctl.name.replace('/', ".") == "net.ipv4.ip_unprivileged_port_start";
    let sysctl = pod.security_context.sysctls.iter().find(is_start);
    let first = sysctl.and_then(|sysctl| sysctl.value.trim().parse().ok()).unwrap_or(FIRST_UNPRIVILEGED_PORT);
    for container in pod.containers() {
        let may_bind = |name: &&str| matches!(name.strip_prefix("CAP_").unwrap_or(name), "NET_BIND_SERVICE" | "ALL");
        if container.security_context.capabilities.add.iter().any(|name| may_bind(&name.to_ascii_uppercase().as_str())) {
            continue;
        }
        for (index, port) in container.ports.iter().enumerate() {
            if (1..first).contains(&port.container_port) {
                let path = container.at(&["ports"]).index(index).key("containerPort");
                let message = format!(
                    "{container}: a user other than root cannot listen on port {}, expected {first} or above",
                    port.container_port
                );
                report.add(&PRIVILEGED_PORT, path, message);
            }
        }
    }
}
