//! Containers run as a user other than root, and as one of the team's.

mod demand;
mod view;

use gatehouse_policy::node::Data;
use gatehouse_policy::{Context, Ids, Node, Path, ReadError, Report, Request, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::demand::Demand;
use crate::view::{Container, Pod, Sysctl};

rules! {
    /// Finds a container whose effective `runAsNonRoot` (its own, or else its pod's) is not true. What nobody sets is
    /// found once, on the pod, with the containers it concerns; what a container overrides is found on the container.
    /// So is all that must not be mended on the pod: in a request of `kubectl debug`, which cannot change the pod, and
    /// where an exempt container would inherit the change.
    ///
    /// A pod with `hostUsers: false` has a user namespace of its own, where root is another user to the node. As Pod Security
    /// Standards do since Kubernetes 1.35, this policy lets it run as root, unless `nonRootInUserNamespaces` is set.
    ///
    /// A container of a Windows pod (`spec.os.name: windows`) needs a `windowsOptions.runAsUserName`, its own or its
    /// pod's, or else `runAsNonRoot: true` too; one with `hostProcess: true` needs the name.
    ///
    /// ## Why
    /// Root in a container is root for the kernel: one flaw in it, or one mount too many, and it is root on the node.
    /// With `runAsNonRoot: true` the kubelet refuses to start a container that would run as root, whatever its image
    /// says. On Windows it knows less: it refuses the name `ContainerAdministrator`, but an image without a user, which
    /// runs as just that one, it lets pass. There, name the user.
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
    /// Sets `runAsNonRoot: true`, for Windows `runAsUserName: ContainerUser`, which a host process cannot have. Not safe: an
    /// image made for root no longer starts.
    ///
    /// ## Options
    /// `nonRootInUserNamespaces: true` asks pods with `hostUsers: false` for the same as all others.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>, `verifyRunAsNonRoot` in
    /// <https://github.com/kubernetes/kubernetes/tree/master/pkg/kubelet/kuberuntime>,
    /// <https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/>
    NON_ROOT = "non-root": deny;

    /// Finds a container whose effective `runAsUser` is 0 or, once `users` is set, absent or not one of them. In a
    /// Windows pod, which cannot have ids: one whose effective `runAsUserName` is an administrator.
    ///
    /// Where `hostUsers: false` allows root, as the rule `non-root` says, an id of 0 is no finding of this rule, nor of those
    /// for groups. A list in the settings holds for these pods too.
    ///
    /// ## Why
    /// Files on a volume belong to numbers. A user whom the team does not know cannot read what its neighbours write,
    /// or can read what it should not.
    ///
    /// ## Fix
    /// Where `users` is a single id, sets it; for Windows, `ContainerUser`. Not safe: it changes who runs.
    ///
    /// ## Options
    /// `users`: ids, and ranges of them in quotes:
    /// ```yaml
    /// users: [1001, "2000-2999"]
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-runasusername/>
    USER = "user": deny;

    /// Finds a container whose effective `runAsGroup` is 0 and not listed or, once `groups` is set, absent or not one of
    /// them.
    ///
    /// ## Why
    /// Where nobody sets it, it is the group that the image gives the user, and mostly that is root's: what belongs to
    /// that group is open to the container.
    ///
    /// ## Fix
    /// Where `groups` is a single id, sets it. Not safe: it changes who runs.
    ///
    /// ## Options
    /// `groups`, as `users` of the rule `user`; it may hold 0.
    GROUP = "group": deny;

    /// Finds a pod whose `fsGroup` is 0 and not listed or, once `fsGroups` is set, absent or not one of them.
    ///
    /// ## Why
    /// Volumes are given to this group: without it a user other than root mostly cannot write to them.
    ///
    /// ## Fix
    /// Where `fsGroups` is a single id, sets it. Not safe: the ownership of volumes changes.
    ///
    /// ## Options
    /// `fsGroups`, as `groups` of the rule `group`.
    FS_GROUP = "fs-group": deny;

    /// Finds a pod with a group in its `supplementalGroups` that is 0 and not listed or, once the setting
    /// `supplementalGroups` is there, not one of its; then also a pod that has none.
    ///
    /// ## Why
    /// Each of these groups opens to every container of the pod whatever belongs to it.
    ///
    /// ## Fix
    /// Where the setting is a single id, makes it the only one. Not safe: it changes what the containers may read.
    ///
    /// ## Options
    /// `supplementalGroups`, as `groups` of the rule `group`.
    SUPPLEMENTAL_GROUPS = "supplemental-groups": deny;

    /// Finds a container with a `containerPort` below 1024, which this policy wants to run as a user other than root, where
    /// the pod's sysctl `net.ipv4.ip_unprivileged_port_start` does not allow it, nor is `NET_BIND_SERVICE` added, or it is
    /// beside `allowPrivilegeEscalation: false`. With `hostNetwork: true` the sysctl is not read: the API server refuses it.
    /// Where `hostUsers: false` allows root, only a container with `runAsNonRoot: true` or another `runAsUser` than 0 is
    /// judged.
    ///
    /// ## Why
    /// Such a container may start and then fail to listen: it depends on the node, for containerd opens these ports to
    /// everyone since version 2.0 and not before. The capability is lost when a user other than root starts a program,
    /// unless the program's file has it too (`setcap`). With `allowPrivilegeEscalation: false` no program can gain it
    /// anew: every program from the image's first one on must have it, and a shell or an init program that has not is
    /// enough to lose it. Let the container listen on 8080, and leave the low port to the Service.
    ///
    /// ## Use instead
    /// ```yaml
    /// ports:
    /// - containerPort: 8080
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls>,
    /// <https://github.com/kubernetes/kubernetes/issues/56374>, `enable_unprivileged_ports` in
    /// <https://github.com/containerd/containerd/blob/main/docs/cri/config.md>, "Transformation of capabilities during
    /// execve()" in <https://man7.org/linux/man-pages/man7/capabilities.7.html>,
    /// <https://docs.kernel.org/userspace-api/no_new_privs.html>, <https://github.com/kubernetes/ingress-nginx/issues/7445>
    PRIVILEGED_PORT = "privileged-port": warn;
}

/// The settings of run-as-nonroot. Without a list every id but 0 is allowed, and so is none.
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
    /// Whether pods with a user namespace of their own (`hostUsers: false`) must not run as root either. Default: false.
    non_root_in_user_namespaces: bool,
}

impl Settings for RunAsNonroot {
    fn validate(&self) -> Result<(), ReadError> {
        if self.users.as_ref().is_some_and(|users| users.contains(0)) {
            let reason = "0 is root, whom this policy never allows; exempt the containers that need it".to_owned();
            return Err(ReadError { path: Path::of(&["users"]), reason });
        }
        Ok(())
    }
}

policy!(RunAsNonroot, review, subresources: ["ephemeralcontainers"]);

fn review(
    request: &Request<'_>,
    context: &Context<'_, RunAsNonroot>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    for pod in Pod::read(request, context.exempt)? {
        let containers: Vec<_> = pod.containers().collect();
        if containers.is_empty() {
            continue; // all are exempt, so nobody is left whom the pod's own groups could concern
        }
        if pod.is_windows() {
            judge_windows(&pod, &containers, report);
        } else {
            judge_linux(&pod, &containers, context.settings, report);
        }
    }
    Ok(())
}

fn judge_linux(pod: &Pod<'_>, containers: &[&Container<'_>], settings: &RunAsNonroot, report: &mut Report<'_>) {
    // `relaxPolicyForUserNamespacePod` in
    // https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/pod-security-admission/policy/helpers.go
    let root = pod.host_users == Some(false) && !settings.non_root_in_user_namespaces;
    if !root {
        let non_root = Demand {
            rule: &NON_ROOT,
            field: &["runAsNonRoot"],
            value: |of| of.run_as_non_root.into(),
            allows: Box::new(|value| matches!(value.data, Data::Bool(true))),
            expected: "true".to_owned(),
            mend: true.into(),
        };
        non_root.judge_containers(pod, containers, report);
    }
    let user = Demand::id(&USER, &["runAsUser"], |of| of.run_as_user.into(), settings.users.as_ref(), root);
    let group = Demand::id(&GROUP, &["runAsGroup"], |of| of.run_as_group.into(), settings.groups.as_ref(), root);
    for demand in [user, group] {
        demand.judge_containers(pod, containers, report);
    }
    // The other groups are the pod's alone, which whoever attaches a debugger cannot change.
    if pod.subresource().is_empty() {
        let allowed = settings.supplemental_groups.as_ref();
        let fs_group = Demand::id(&FS_GROUP, &["fsGroup"], |of| of.fs_group.into(), settings.fs_groups.as_ref(), root);
        let further_groups = Demand {
            mend: allowed.and_then(Ids::only).map(|id| vec![id]).into(),
            ..Demand::id(
                &SUPPLEMENTAL_GROUPS,
                &["supplementalGroups"],
                |of| of.supplemental_groups.clone().into(),
                allowed,
                root,
            )
        };
        for demand in [fs_group, further_groups] {
            demand.judge_pod(pod, "pod", report);
        }
    }
    judge_ports(pod, containers, root && settings.users.is_none(), report);
}

/// Whether a container says that it is no root.
fn is_non_root(pod: &Pod<'_>, container: &Container<'_>) -> bool {
    let (own, inherited) = (&container.security_context, &pod.security_context);
    own.run_as_non_root.or(inherited.run_as_non_root) == Some(true)
        || own.run_as_user.or(inherited.run_as_user).is_some_and(|user| user != 0)
}

/// On Windows nodes users have names, not ids: the API server refuses `runAsUser` and all groups where `spec.os.name` is
/// windows (<https://kubernetes.io/docs/concepts/windows/intro/#compatibility-linux-similarities>). `ContainerUser` is
/// the user that Microsoft's images have beside their administrator.
fn judge_windows(pod: &Pod<'_>, containers: &[&Container<'_>], report: &mut Report<'_>) {
    let demand = |rule, allows| Demand {
        rule,
        field: &["windowsOptions", "runAsUserName"],
        value: |of| of.windows_options.run_as_user_name.into(),
        allows,
        expected: "a user such as ContainerUser".to_owned(),
        mend: "ContainerUser".into(),
    };
    // The accounts of a container are not those of its host.
    let on_host = |rule, allows| Demand {
        expected: r"an account of the host such as NT AUTHORITY\Local service".to_owned(),
        mend: Data::Null.into(),
        ..demand(rule, allows)
    };
    let context = &pod.security_context;
    let is_host_process = |of: &&Container<'_>| {
        of.security_context.windows_options.host_process.or(context.windows_options.host_process) == Some(true)
    };
    let is_non_root =
        |of: &Container<'_>| of.security_context.run_as_non_root.or(context.run_as_non_root) == Some(true);
    let (host_processes, others): (Vec<_>, Vec<_>) = containers.iter().copied().partition(is_host_process);
    let unsure: Vec<_> = others.iter().copied().filter(|of| !is_non_root(of)).collect();
    let has_name = |name: &Node<'_>| !name.is_null();
    let is_no_administrator = |name: &Node<'_>| !name.as_str().is_some_and(is_administrator);
    demand(&NON_ROOT, Box::new(has_name)).judge_containers(pod, &unsure, report);
    demand(&USER, Box::new(is_no_administrator)).judge_containers(pod, &others, report);
    on_host(&NON_ROOT, Box::new(has_name)).judge_containers(pod, &host_processes, report);
    on_host(&USER, Box::new(is_no_administrator)).judge_containers(pod, &host_processes, report);
}

/// Whether a Windows account is an administrator: that of Microsoft's images, or the system's, which `hostProcess` allows
/// (<https://kubernetes.io/docs/tasks/configure-pod-container/create-hostprocess-pod/#choosing-a-user-account>). Names
/// are not case-sensitive there and may have a domain before them, as in `User Manager\ContainerAdministrator`.
fn is_administrator(account: &str) -> bool {
    let name = account.rsplit('\\').next().unwrap_or(account);
    ["ContainerAdministrator", "Administrator", "Administrators", "SYSTEM", "LocalSystem"]
        .iter()
        .any(|of| name.eq_ignore_ascii_case(of))
}

fn judge_ports(pod: &Pod<'_>, containers: &[&Container<'_>], may_be_root: bool, report: &mut Report<'_>) {
    let first = first_open_port(pod);
    for container in containers.iter().filter(|of| !may_be_root || is_non_root(pod, of)) {
        let context = &container.security_context;
        let although = match (context.capabilities.add_net_bind_service(), context.allow_privilege_escalation) {
            (true, Some(false)) => {
                ": with allowPrivilegeEscalation: false, only programs whose files have NET_BIND_SERVICE keep it"
            }
            (true, _) => continue,
            (false, _) => "",
        };
        for (index, port) in container.ports.iter().enumerate() {
            let port = port.container_port;
            if (1..first).contains(&port) {
                let path = container.at(&["ports"]).index(index).key("containerPort");
                let message = || {
                    format!(
                        "{container}: containerPort is {port}, where a user other than root may be unable to \
                     listen{although}, expected {first} or above"
                    )
                };
                report.add(&PRIVILEGED_PORT, path, message);
            }
        }
    }
}

/// The first port that every user may listen on. The node's own network cannot be changed for a pod (`ValidateHostSysctl`
/// in <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>).
fn first_open_port(pod: &Pod<'_>) -> i32 {
    // The kubelet takes slashes for dots (`ConvertSysctlVariableToDotsSeparator` in `k8s.io/component-helpers`).
    let is_it = |of: &&Sysctl<'_>| of.name.replace('/', ".") == "net.ipv4.ip_unprivileged_port_start";
    let sysctl = pod.security_context.sysctls.iter().find(is_it).filter(|_| !pod.host_network);
    sysctl.and_then(|sysctl| sysctl.value.trim().parse().ok()).unwrap_or(1024)
}
