//! Paths of a node, as the kubelet and the container runtime take them.

/// The sockets of container runtimes, each where its project puts it
/// (<https://kubernetes.io/docs/setup/production-environment/container-runtimes/>, and each project's own documentation).
/// `/run` is written for `/var/run`, which leads there.
const SOCKETS: &[&str] = &[
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/dockershim.sock",
    "/run/cri-dockerd.sock",
    "/run/containerd/containerd.sock",
    "/run/containerd/containerd.sock.ttrpc",
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

/// A path of a node in a form that can be compared: without `.`, `..` and doubled slashes (Go's `filepath.Clean`); one of
/// Windows with forward slashes, in small letters and with its drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath(String);

impl HostPath {
    /// Reads a path; `None` where it does not start at a root.
    pub fn parse(text: &str, windows: bool) -> Option<Self> {
        let text = text.trim();
        let windows = windows || has_drive(text) || text.starts_with(r"\\");
        let text = if windows { text.replace('\\', "/").to_lowercase() } else { text.to_owned() };
        let (root, rest) = if let Some(rest) = text.strip_prefix("//./").filter(|_| windows) {
            ("//.".to_owned(), rest)
        } else if has_drive(&text) {
            let (drive, rest) = text.split_at_checked(2)?;
            (drive.to_owned(), rest.strip_prefix('/')?)
        } else {
            // A node of Windows takes a path without a drive as one of its system drive.
            (if windows { "c:".to_owned() } else { String::new() }, text.strip_prefix('/')?)
        };
        let mut steps: Vec<&str> = Vec::new();
        for step in rest.split('/') {
            match step {
                "" | "." => {}
                ".." => drop(steps.pop()),
                step => steps.push(step),
            }
        }
        let path = steps.iter().fold(root, |path, step| path + "/" + step);
        Some(Self(if path.is_empty() { "/".to_owned() } else { path }))
    }

    /// Whether whoever may mount `other` may mount this path: it is the same, or below it and does not lead out again. Where
    /// `/proc` may be mounted, `/proc/1/root` may not: it is the root of the node.
    pub fn is_held_by(&self, other: &Self) -> bool {
        self.is_within(other) && (other.0 == "/" || self.way_out().is_none_or(|way_out| other.is_within(&way_out)))
    }

    /// The link of a process on the way that leads to wherever that process has its root, its folder or its files
    /// (<https://man7.org/linux/man-pages/man5/proc_pid_root.5.html>, `proc_pid_cwd` and `proc_pid_fd` there).
    fn way_out(&self) -> Option<Self> {
        let below = self.0.strip_prefix("/proc/")?;
        let ends = below.match_indices('/').map(|(end, _)| end).chain([below.len()]);
        let way_out = ends.filter_map(|end| below.get(..end)).skip(1).find(|path| {
            matches!(path.rsplit('/').next(), Some("root" | "cwd" | "fd" | "map_files")) && !path.starts_with("sys/")
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
        SOCKETS.contains(&self.in_run().as_str())
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
        ] {
            assert_eq!(path(text), HostPath(clean.to_owned()), "{text}");
        }
        assert_eq!(HostPath::parse(r"\var\Log", true), Some(HostPath("c:/var/log".to_owned())));
        for text in ["", "var/log", "../etc", "./x", "C:relative", "~/x"] {
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
        for text in ["/var/run/docker.sock", "/run/containerd/../docker.sock", "/run/k3s/containerd/containerd.sock"] {
            assert!(path(text).is_socket() && !path(text).holds_socket(), "{text}");
        }
        for text in ["/", "/run", "/var/run/", "/run/containerd", "/var/snap", "/var"] {
            assert!(path(text).holds_socket() && !path(text).is_socket(), "{text}");
        }
        for text in ["/var/log", "/var/runner", "/run/docker.sock.bak", "/run/user", "/var/run/app.sock"] {
            assert!(!path(text).holds_socket() && !path(text).is_socket(), "{text}");
        }
    }
}
