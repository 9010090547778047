//! Paths of a node, as the kubelet and the container runtime take them.

/// The sockets of container runtimes, each where its project puts it
/// (<https://kubernetes.io/docs/setup/production-environment/container-runtimes/>, and each project's own documentation).
/// `/run` is written for `/var/run`, which leads there. Beside its socket containerd has one of the same name with `.ttrpc`
/// behind it.
const SOCKETS: &[&str] = &[
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/dockershim.sock",
    "/run/cri-dockerd.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "//./pipe/docker_engine",
    "//./pipe/containerd-containerd",
    "//./pipe/cri-dockerd",
];

/// Those of runtimes that run as a user other than root, below that user's `/run/user/1000`
/// (<https://docs.docker.com/engine/security/rootless/>,
/// <https://docs.podman.io/en/latest/markdown/podman-system-service.1.html>,
/// <https://github.com/moby/buildkit/blob/master/docs/rootless.md>).
const ROOTLESS_SOCKETS: &[&str] = &["docker.sock", "podman/podman.sock", "buildkit/buildkitd.sock"];

/// A path of a node in a form that can be compared: without `.`, `..` and doubled slashes (Go's `filepath.Clean`); one of
/// Windows with forward slashes, in small letters and with its drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath(String);

impl HostPath {
    /// Reads a path; `None` where it does not start at a root. Two backslashes start the name of a share or a pipe of
    /// Windows, on whatever drive (`IsWindowsUNCPath` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/util.go>).
    pub fn parse(text: &str, windows: bool) -> Option<Self> {
        let is_unc = text.starts_with(r"\\");
        let windows = windows || has_drive(text) || is_unc;
        let text = if windows { text.replace('\\', "/").to_lowercase() } else { text.to_owned() };
        // `\\?\C:\x` is `C:\x`, and `\\?\pipe\x` as well as `\\localhost\pipe\x` are `\\.\pipe\x`
        // (https://learn.microsoft.com/windows/win32/fileio/naming-a-file#win32-device-namespaces).
        let device = ["//./", "//?/"].iter().find_map(|start| text.strip_prefix(start)).filter(|_| windows);
        let pipe = ["//localhost/pipe/", "//127.0.0.1/pipe/"].iter().any(|start| text.starts_with(start));
        let text = device.filter(|path| has_drive(path)).unwrap_or(&text);
        let (root, rest) = if has_drive(text) {
            let (drive, rest) = text.split_at_checked(2)?;
            (drive, rest.strip_prefix('/')?)
        } else if let Some(device) = device {
            ("//.", device)
        } else if is_unc {
            let share = text.strip_prefix("//").filter(|share| !share.is_empty())?;
            if pipe { ("//.", share.split_once('/')?.1) } else { ("/", share) }
        } else {
            // A node of Windows takes a path without a drive as one of its system drive.
            (if windows { "c:" } else { "" }, text.strip_prefix('/')?)
        };
        let mut steps: Vec<&str> = Vec::new();
        for step in rest.split('/') {
            match step {
                "" | "." => {}
                ".." => drop(steps.pop()),
                step => steps.push(step),
            }
        }
        let path = steps.iter().fold(root.to_owned(), |path, step| path + "/" + step);
        Some(Self(if path.is_empty() { "/".to_owned() } else { path }))
    }

    /// Whether whoever may mount `other` may mount this path: it is the same, or below it and does not lead out again. Where
    /// `/proc` may be mounted, `/proc/1/root` may not: it is the root of the node.
    pub fn is_held_by(&self, other: &Self) -> bool {
        self.is_within(other) && !self.leads_out_of(other)
    }

    /// Whether it is below `other` and leads out again.
    pub fn leads_out_of(&self, other: &Self) -> bool {
        let leads_out = || self.way_out().is_some_and(|way_out| !other.is_within(&way_out));
        self.is_within(other) && other.0 != "/" && leads_out()
    }

    /// The link of a process on the way that leads to wherever that process has its root, its folder or its files
    /// (<https://man7.org/linux/man-pages/man5/proc_pid_root.5.html>, `proc_pid_cwd`, `proc_pid_exe` and `proc_pid_fd` there).
    fn way_out(&self) -> Option<Self> {
        let below = self.0.strip_prefix("/proc/")?;
        let ends = below.match_indices('/').map(|(end, _)| end).chain([below.len()]);
        let way_out = ends.filter_map(|end| below.get(..end)).skip(1).find(|path| {
            matches!(path.rsplit('/').next(), Some("root" | "cwd" | "exe" | "fd" | "map_files"))
                && !path.starts_with("sys/")
        });
        way_out.map(|path| Self(format!("/proc/{path}")))
    }

    /// Whether this path is `other`, or one below it: `/var/logs` is not below `/var/log`.
    pub fn is_within(&self, other: &Self) -> bool {
        match self.0.strip_prefix(other.0.trim_end_matches('/')) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// How many characters it has: of two paths that hold a third, the longer is the closer one.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is a container runtime's socket.
    pub fn is_socket(&self) -> bool {
        let path = self.in_run();
        let path = path.strip_suffix(".ttrpc").unwrap_or(&path);
        let of_user = path.strip_prefix("/run/user/").and_then(|path| path.split_once('/'));
        SOCKETS.contains(&path) || of_user.is_some_and(|(_, socket)| ROOTLESS_SOCKETS.contains(&socket))
    }

    /// Whether a container runtime's socket is below it.
    pub fn holds_socket(&self) -> bool {
        let this = Self(self.in_run());
        !self.is_socket() && SOCKETS.iter().any(|socket| Self((*socket).to_owned()).is_within(&this))
    }

    /// The same path with `/run` for `/var/run`.
    fn in_run(&self) -> String {
        match self.0.strip_prefix("/var/run") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}"),
            _ => self.0.clone(),
        }
    }
}

/// Whether a path starts with a drive of Windows, such as `C:`.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> HostPath {
        HostPath::parse(text, false).unwrap()
    }

    #[test]
    fn cleans_as_go_does() {
        for (text, clean) in [
            ("/", "/"),
            ("//", "/"),
            ("/..", "/"),
            ("/var/log/", "/var/log"),
            ("/var//./log", "/var/log"),
            ("/var/log/../../etc", "/etc"),
            ("/../etc", "/etc"),
            ("/...", "/..."),
            (r"C:\ProgramData\", "c:/programdata"),
            ("c:/ProgramData/../Windows", "c:/windows"),
            (r"\\.\pipe\Docker_Engine", "//./pipe/docker_engine"),
            (r"\\?\pipe\docker_engine", "//./pipe/docker_engine"),
            (r"\\localhost\pipe\docker_engine", "//./pipe/docker_engine"),
            (r"\\?\C:\Windows", "c:/windows"),
            (r"\\Server\Share\x", "//server/share/x"),
            ("/var/log ", "/var/log "),
        ] {
            assert_eq!(path(text), HostPath(clean.to_owned()), "{text}");
        }
        assert_eq!(HostPath::parse(r"\var\Log", true), Some(HostPath("c:/var/log".to_owned())));
        for text in ["", "var/log", "../etc", "./x", "C:relative", "~/x", " /var/log", r"\\"] {
            assert_eq!(HostPath::parse(text, false), None, "{text}");
        }
    }

    #[test]
    fn what_is_within() {
        for (inner, outer) in [("/a", "/"), ("/", "/"), ("/a/b", "/a"), ("/a/b", "/a/b/")] {
            assert!(path(inner).is_within(&path(outer)), "{inner} {outer}");
        }
        for (inner, outer) in [("/ab", "/a"), ("/", "/a"), ("/a/../b", "/a"), ("/A", "/a")] {
            assert!(!path(inner).is_within(&path(outer)), "{inner} {outer}");
        }
    }

    #[test]
    fn what_leads_out_of_proc() {
        for (path_text, allowed) in [
            ("/proc/1/root", "/proc"),
            ("/proc/self/root/etc", "/proc"),
            ("/proc/1/task/1/root", "/proc/1"),
            ("/proc/42/cwd/", "/proc"),
            ("/proc/1/exe", "/proc"),
            ("/proc/42/fd/7", "/proc/42"),
        ] {
            assert!(!path(path_text).is_held_by(&path(allowed)), "{path_text} {allowed}");
        }
        for (path_text, allowed) in [
            ("/proc", "/proc"),
            ("/proc/1/net", "/proc"),
            ("/proc/sys/fs/root", "/proc"),
            ("/proc/1/root/etc", "/proc/1/root"),
            ("/proc/1/root", "/"),
            ("/srv/proc/1/root", "/srv"),
        ] {
            assert!(path(path_text).is_held_by(&path(allowed)), "{path_text} {allowed}");
        }
    }

    #[test]
    fn sockets() {
        for text in [
            "/var/run/docker.sock",
            "/run/containerd/../docker.sock",
            "/run/k3s/containerd/containerd.sock",
            "/run/k3s/containerd/containerd.sock.ttrpc",
            "/run/user/1000/docker.sock",
            "/var/run/user/0/podman/podman.sock",
        ] {
            assert!(path(text).is_socket() && !path(text).holds_socket(), "{text}");
        }
        for text in ["/", "/run", "/var/run/", "/run/containerd", "/var/snap", "/var"] {
            assert!(path(text).holds_socket() && !path(text).is_socket(), "{text}");
        }
        for text in
            ["/var/log", "/var/runner", "/run/docker.sock.bak", "/run/user", "/var/run/app.sock", "/run/docker.sock "]
        {
            assert!(!path(text).holds_socket() && !path(text).is_socket(), "{text}");
        }
    }
}
