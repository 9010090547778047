//! Pods see of their node only the paths that the team allows.

mod host_path;

use std::collections::BinaryHeap;

use gatehouse_policy::{Context, Edit, Exempt, Level, Path, ReadError, Report, Request, Rule, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::host_path::HostPath;

rules! {
    /// Finds a `hostPath` volume of a path that is neither in `allowed` nor below one that is; also the `hostPath` and
    /// `local` of a PersistentVolume. Where `allowed` is empty, every path is found.
    ///
    /// ## Why
    /// Who mounts a path of the node leaves the pod: with `/etc` or `/var/lib/kubelet` come the node's own secrets and
    /// those of every pod on it, and with a writable one its processes.
    ///
    /// Paths are compared as the kubelet cleans them: `/var/logs` is not below `/var/log`, and `..` leads out. A `subPath`
    /// narrows nothing, since a link in it may lead elsewhere; nor does the volume's `type`, save that the kubelet makes
    /// what `DirectoryOrCreate` and `FileOrCreate` do not find. Paths of Windows are compared without case.
    ///
    /// One finding on the volume, whoever mounts it, unless all containers that do are exempt. A debugger (`kubectl debug`)
    /// answers for what it mounts itself, at its own mount.
    ///
    /// ## Example
    /// ```yaml
    /// volumes:
    /// - name: etc
    ///   hostPath: {path: /etc}
    /// ```
    ///
    /// ## Use instead
    /// An `emptyDir`, a ConfigMap, a PersistentVolume of a CSI driver.
    ///
    /// ## Options
    /// `allowed`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/volumes/#hostpath>,
    /// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>
    PATH = "path": deny;

    /// Finds a mount without `readOnly: true` of a path that `allowed` has with `readOnly`, each mount of each container;
    /// and a PersistentVolume of such a path, which any pod may mount writable: its access modes keep nobody from writing.
    ///
    /// ## Why
    /// A log shipper reads. One that can write as well can forge what was logged, or fill the node's disk.
    ///
    /// `readOnly` holds for what is mounted on the path itself. File systems below it stay writable unless the mount has
    /// `recursiveReadOnly` too, which not every node can do. `mountPropagation: Bidirectional`, which only a privileged
    /// container may have, takes mounts made in the container to the node, whether or not this mount is read-only.
    ///
    /// ## Fix
    /// Sets `readOnly: true`. Not safe: what writes there fails from then on.
    ///
    /// ## Options
    /// `allowed`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/volumes/#read-only-mounts>
    READ_ONLY = "read-only": deny;

    /// Finds the socket of a container runtime as a `hostPath`: Docker's, containerd's, CRI-O's, Podman's and others'. It is
    /// found below an allowed path too, unless `allowed` has the socket itself. A directory that holds one is what
    /// `path` is for. Where this rule only warns, the socket is judged by the others as any path.
    ///
    /// ## Why
    /// Whoever can speak to the runtime can start a container with every right on the node, and look into all others. A
    /// read-only mount does not help: it is no hindrance to what is sent through a socket.
    ///
    /// ## Use instead
    /// A builder without a daemon, such as BuildKit without root or Buildah; for metrics the kubelet's own.
    ///
    /// ## Options
    /// `allowed`
    ///
    /// ## Reference
    /// <https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html>
    SOCKET = "socket": deny;
}

/// The settings of host-paths.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HostPaths {
    /// The paths that may be mounted, with all below them. Of several that hold a path the closest counts. `/proc` does not
    /// hold what leads out of it, such as `/proc/1/root`. Default: none.
    allowed: Vec<Allowed>,
}

/// A path that may be mounted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct Allowed {
    /// The path, from the root: `/var/log`, `C:\ProgramData`.
    path: String,
    /// Whether it may be mounted with `readOnly: true` only. Default: false.
    read_only: bool,
}

impl Settings for HostPaths {
    fn validate(&self) -> Result<(), ReadError> {
        for (index, Allowed { path, .. }) in self.allowed.iter().enumerate() {
            let error =
                |reason: String| Err(ReadError { path: Path::of(&["allowed"]).index(index).key("path"), reason });
            let Some(parsed) = HostPath::parse(path, false) else {
                return error(format!("{path:?} does not start at a root: expected one such as /var/log"));
            };
            if has_backstep(path) {
                return error(format!("{path:?} has a step back: expected a path without \"..\""));
            }
            let before = self.allowed.iter().take(index);
            if before.into_iter().any(|before| HostPath::parse(&before.path, false).as_ref() == Some(&parsed)) {
                return error(format!("{path:?} is there already"));
            }
        }
        Ok(())
    }
}

impl HostPaths {
    /// The closest of the allowed paths that hold a path.
    fn holding(&self, path: &HostPath, windows: bool) -> Option<(&Allowed, HostPath)> {
        let parsed =
            self.allowed.iter().filter_map(|allowed| Some((allowed, HostPath::parse(&allowed.path, windows)?)));
        parsed.filter(|(_, holder)| path.is_held_by(holder)).max_by_key(|(_, holder)| holder.len())
    }

    /// The allowed path that a path is below of and leads out of.
    fn left(&self, path: &HostPath, windows: bool) -> Option<&str> {
        let is_left = |allowed: &&Allowed| {
            HostPath::parse(&allowed.path, windows).is_some_and(|holder| path.leads_out_of(&holder))
        };
        self.allowed.iter().find(is_left).map(|allowed| allowed.path.as_str())
    }

    fn expected(&self) -> String {
        let paths: Vec<&str> = self.allowed.iter().map(|allowed| allowed.path.as_str()).collect();
        if paths.is_empty() { "none".to_owned() } else { format!("one of {} or below", paths.join(", ")) }
    }
}

policy!(HostPaths, review, subresources: ["ephemeralcontainers"]);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields<'r>, ContainerFields<'r>>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodFields<'r> {
    #[serde(borrow)]
    volumes: Vec<Volume<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Volume<'r> {
    name: &'r str,
    #[serde(borrow)]
    host_path: Option<Source<'r>>,
}

/// What a `hostPath` or a `local` is of.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Source<'r> {
    path: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerFields<'r> {
    #[serde(borrow)]
    volume_mounts: Vec<Mount<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Mount<'r> {
    name: &'r str,
    read_only: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PersistentVolume<'r> {
    #[serde(borrow)]
    spec: PersistentVolumeSpec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PersistentVolumeSpec<'r> {
    #[serde(borrow)]
    host_path: Option<Source<'r>>,
    #[serde(borrow)]
    local: Option<Source<'r>>,
}

fn review(request: &Request<'_>, context: &Context<'_, HostPaths>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if request.is("", "PersistentVolume") {
        return judge_persistent_volume(request, context.settings, report);
    }
    for (number, pod) in Pod::read(request, context.exempt)?.iter().enumerate() {
        judge_pod(number, pod, request, context.settings, report)?;
    }
    Ok(())
}

/// A `hostPath` volume of a pod.
struct HostVolume<'p> {
    path: Path,
    host_path: &'p str,
    verdict: Verdict,
    /// Whether a container mounts it that is not exempt.
    is_mounted: bool,
}

/// Judges a pod, the one of that number in its workload.
fn judge_pod(
    number: usize,
    pod: &Pod<'_>,
    request: &Request<'_>,
    settings: &HostPaths,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let (mut volumes, mut names) = (Vec::new(), BinaryHeap::new());
    for (index, volume) in pod.volumes.iter().enumerate() {
        let Some(source) = &volume.host_path else { continue };
        let judge = Judge { settings, windows: pod.is_windows(), host_path: source.path };
        let verdict = judge.verdict(&format!("volume {}", volume.name), report);
        let path = pod.at(&["volumes"]).index(index).key("hostPath").key("path");
        names.push((volume.name, volumes.len()));
        volumes.push(HostVolume { path, host_path: source.path, verdict, is_mounted: false });
    }
    let names = names.into_sorted_vec();
    let is_debugger = pod.subresource() == "ephemeralcontainers";
    for container in pod.containers() {
        for (index, mount) in container.volume_mounts.iter().enumerate() {
            let Some(volume) = mounted(&names, mount).and_then(|index| volumes.get_mut(index)) else { continue };
            volume.is_mounted = true;
            let at = container.at(&["volumeMounts"]).index(index);
            for (rule, message) in volume.verdict.faults.iter().filter(|_| is_debugger) {
                report.add(rule, at.clone().key("name"), || format!("{container}: {message}"));
            }
            if volume.verdict.read_only && !mount.read_only {
                let at = at.key("readOnly");
                let message = || {
                    format!(
                        "{container}: its mount of volume {}, host path {:?}, is writable, expected readOnly: true",
                        mount.name, volume.host_path
                    )
                };
                report.add(&READ_ONLY, at.clone(), message).unsafe_fix([Edit::set(at, true)]);
            }
        }
    }
    if is_debugger {
        return Ok(());
    }
    // What exempt containers mount is read once, and only where it matters.
    if volumes.iter().any(|volume| !volume.is_mounted && !volume.verdict.faults.is_empty()) {
        let all: Vec<Pod<'_>> = Pod::read(request, &Exempt::default())?;
        let mounts =
            all.get(number).into_iter().flat_map(Pod::containers).flat_map(|container| &container.volume_mounts);
        for volume in mounts.filter_map(|mount| mounted(&names, mount)) {
            if let Some(volume) = volumes.get_mut(volume).filter(|volume| !volume.is_mounted) {
                volume.verdict.faults.clear();
            }
        }
    }
    for HostVolume { path, verdict, .. } in volumes {
        for (rule, message) in verdict.faults {
            report.add(rule, path.clone(), message);
        }
    }
    Ok(())
}

/// The number of the volume that is mounted, of volumes in the order of their names. (Of several with one name, which the API
/// server refuses, it is the first.)
fn mounted(names: &[(&str, usize)], mount: &Mount<'_>) -> Option<usize> {
    let first = names.partition_point(|(name, _)| *name < mount.name);
    names.get(first).filter(|(name, _)| *name == mount.name).map(|(_, number)| *number)
}

fn judge_persistent_volume(
    request: &Request<'_>,
    settings: &HostPaths,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let volume: PersistentVolume<'_> = request.object.view()?;
    for (field, source) in [("hostPath", &volume.spec.host_path), ("local", &volume.spec.local)] {
        let Some(source) = source else { continue };
        let path = Path::of(&["spec", field, "path"]);
        let judge = Judge { settings, windows: false, host_path: source.path };
        let Verdict { faults, read_only } = judge.verdict("volume", report);
        for (rule, message) in faults {
            report.add(rule, path.clone(), message);
        }
        if read_only {
            let message =
                format!("volume: pods may mount host path {:?} writable, expected no volume of it", source.path);
            report.add(&READ_ONLY, path, message);
        }
    }
    Ok(())
}

/// A path that somebody mounts.
struct Judge<'j> {
    settings: &'j HostPaths,
    windows: bool,
    host_path: &'j str,
}

/// What is to be said of a path.
#[derive(Default)]
struct Verdict {
    /// The rules that it breaks, and why.
    faults: Vec<(&'static Rule, String)>,
    /// Whether it may be mounted, but for reading only.
    read_only: bool,
}

impl Judge<'_> {
    fn verdict(&self, who: &str, report: &Report<'_>) -> Verdict {
        let text = self.host_path;
        let mut verdict = Verdict::default();
        let path = HostPath::parse(text, self.windows);
        let allowed = path.as_ref().and_then(|path| self.settings.holding(path, self.windows));
        // The API server refuses a step back, wherever it leads.
        let allowed = allowed.filter(|_| !has_backstep(text));
        let is_named = path.as_ref().is_some_and(|path| allowed.as_ref().is_some_and(|(_, holder)| path == holder));
        let is_socket = path.as_ref().is_some_and(HostPath::is_socket) && !is_named;
        if is_socket && report.level(&SOCKET).is_some() {
            let message = format!("{who}: host path {text:?} is a container runtime's socket, expected none");
            verdict.faults.push((&SOCKET, message));
            // What refuses it says enough; beside a warning it is a path as any other.
            if report.level(&SOCKET) == Some(Level::Deny) {
                return verdict;
            }
        }
        match allowed {
            Some((allowed, _)) => verdict.read_only = allowed.read_only,
            None => verdict.faults.push((&PATH, format!("{who}: host path {text:?} {}", self.refusal(path.as_ref())))),
        }
        verdict
    }

    /// Why a path is not allowed, and what was expected.
    fn refusal(&self, path: Option<&HostPath>) -> String {
        if has_backstep(self.host_path) {
            return "has a step back, expected a path without \"..\"".to_owned();
        }
        let expected = self.settings.expected();
        if let Some(left) = path.and_then(|path| self.settings.left(path, self.windows)) {
            return format!("leads out of {left}, expected {expected}");
        }
        let holds = path.is_some_and(HostPath::holds_socket);
        let holds = if holds { " and holds a container runtime's socket" } else { "" };
        format!("is not allowed{holds}, expected {expected}")
    }
}

/// Whether a path has a `..` (`validatePathNoBacksteps` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>).
fn has_backstep(path: &str) -> bool {
    path.split(['/', '\\']).any(|step| step == "..")
}
