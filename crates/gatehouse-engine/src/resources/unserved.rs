//! Kinds that no API server serves, as far as it can be said without one: kinds that a group of Kubernetes' own does not
//! have, and groups that cannot be anybody's. An API server refuses such an object ("no matches for kind"), and no policy
//! ever sees it.

use gatehouse_policy::{nearest, split_api_version};

use super::others::{self, FORMER};
use super::own::{KINDS, Served};

/// The release of Kubernetes whose kinds are known here.
pub(crate) const RELEASE: &str = "1.36";

/// A field at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `apiVersion`.
    ApiVersion,
    /// `kind`.
    Kind,
}

/// Why no API server serves a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unserved {
    /// The field at fault.
    pub part: Part,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub help: Option<String>,
}

/// Why no API server serves a kind; `None` where one may. An older or newer server may have other alpha and beta versions
/// than are known here, and of the groups of others nothing is known at all.
#[must_use]
pub fn unserved(api_version: &str, kind: &str) -> Option<Unserved> {
    let (group, version) = split_api_version(api_version);
    if !is_own_group(group) {
        return unserved_group(group, kind);
    }
    let is_known = |of: &&Served| of.kind == kind && of.group == group;
    let versions: Vec<&Served> = KINDS.iter().filter(is_known).collect();
    let may_be = is_preliminary(version);
    if let Some(best) = versions.first() {
        let known = |of: &&Served| of.version == version || is_preliminary(of.version);
        return if may_be || versions.iter().any(known) { None } else { Some(no_version(api_version, best)) };
    }
    let is_former = || FORMER.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind));
    if is_list(api_version, kind) || may_be && is_former() {
        return None;
    }
    let meant = meant(group, kind);
    let help = match meant {
        Some(meant) if meant.kind.eq_ignore_ascii_case(kind) => Some(help(meant, group, kind)),
        _ => help_by_others(kind).or_else(|| meant.map(|meant| help(meant, group, kind))),
    };
    // An alpha or beta version that is not known here may have kinds that are not either.
    if help.is_none() && may_be && KINDS.iter().all(|of| of.api_version != api_version) {
        return None;
    }
    Some(Unserved {
        part: if meant.is_some_and(|meant| meant.kind == kind) { Part::ApiVersion } else { Part::Kind },
        message: format!("Kubernetes {RELEASE} has no kind {kind:?} in {api_version:?}"),
        help,
    })
}

/// Whose kind it is, if it is known here and not Kubernetes' own.
fn help_by_others(kind: &str) -> Option<String> {
    let (group, ..) = others::KINDS.iter().find(|(_, _, kinds)| kinds.contains(&kind))?;
    Some(format!("{kind} is a kind of the group {group}"))
}

/// Whether a group is Kubernetes' own, today or formerly; the core group is empty.
#[must_use]
pub fn is_own_group(group: &str) -> bool {
    KINDS.iter().any(|of| of.group == group) || FORMER.iter().any(|(of, _)| *of == group)
}

/// Whether a kind is a list of objects of Kubernetes' own.
#[must_use]
pub fn is_list(api_version: &str, kind: &str) -> bool {
    let (group, _) = split_api_version(api_version);
    kind.strip_suffix("List").is_some_and(|item| {
        item.is_empty() && group.is_empty() || KINDS.iter().any(|of| of.kind == item && of.group == group)
    })
}

/// Whether a version is an alpha or a beta one, `v1beta1`
/// (<https://kubernetes.io/docs/reference/using-api/#api-versioning>).
fn is_preliminary(version: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|of| of.is_ascii_digit());
    let parts = version.split_once("alpha").or_else(|| version.split_once("beta"));
    parts.is_some_and(|(major, minor)| major.strip_prefix('v').is_some_and(number) && number(minor))
}

/// The kind that was probably meant by one that a group does not have.
fn meant(group: &str, kind: &str) -> Option<&'static Served> {
    let own = || KINDS.iter().filter(|of| of.group == group);
    let all = || KINDS.iter();
    let same = |of: &&Served| of.kind.eq_ignore_ascii_case(kind);
    let near = nearest(kind, own().map(|of| of.kind));
    let anywhere = nearest(kind, all().map(|of| of.kind)).filter(|near| near.len().abs_diff(kind.len()) <= 2);
    let is = |name: Option<&'static str>| move |of: &&Served| Some(of.kind) == name;
    own()
        .find(same)
        .or_else(|| all().find(|of| of.kind == kind))
        .or_else(|| all().find(same))
        .or_else(|| own().find(is(near)))
        .or_else(|| all().find(is(anywhere)))
}

fn help(meant: &Served, group: &str, kind: &str) -> String {
    match (meant.group == group, meant.kind == kind) {
        (true, _) => format!("write kind: {}", meant.kind),
        (false, true) => format!("write apiVersion: {}", meant.api_version),
        (false, false) => format!("write apiVersion: {} and kind: {}", meant.api_version, meant.kind),
    }
}

fn no_version(api_version: &str, best: &Served) -> Unserved {
    let (kind, version) = (best.kind, best.api_version);
    Unserved {
        part: Part::ApiVersion,
        message: format!("Kubernetes {RELEASE} has no {kind} in {api_version:?}, only in {version}"),
        help: Some(format!("write apiVersion: {version}")),
    }
}

/// A group that is not Kubernetes' own is one that a definition in the cluster adds, and has a dot in its name
/// (`ValidateCustomResourceDefinitionSpec` in
/// <https://github.com/kubernetes/apiextensions-apiserver/blob/master/pkg/apis/apiextensions/validation/validation.go>).
fn unserved_group(group: &str, kind: &str) -> Option<Unserved> {
    let same = |of: &&Served| of.kind.eq_ignore_ascii_case(kind);
    let meant = if group.contains('.') {
        // Of what others call their kinds nothing is known.
        if others::KINDS.iter().any(|(of, ..)| *of == group) {
            return None;
        }
        let of_kind = KINDS.iter().find(|of| same(of) && is_slip_of(group, of));
        Some(of_kind?)
    } else {
        let near = nearest(group, KINDS.iter().map(|of| of.group));
        let in_near = |of: &&Served| Some(of.group) == near;
        if let (None, Some(help)) = (KINDS.iter().find(same), help_by_others(kind)) {
            return Some(no_group(group, Some(help)));
        }
        KINDS
            .iter()
            .find(|of| same(of) && in_near(of))
            .or_else(|| KINDS.iter().find(same))
            .or_else(|| KINDS.iter().find(in_near))
    };
    Some(no_group(group, meant.map(|meant| format!("write apiVersion: {}", meant.api_version))))
}

fn no_group(group: &str, help: Option<String>) -> Unserved {
    let reason = if group.contains('.') { "" } else { "; the name of a group that is not Kubernetes' own has a dot" };
    Unserved {
        part: Part::ApiVersion,
        message: format!("Kubernetes {RELEASE} has no API group {group:?}{reason}"),
        help,
    }
}

/// Whether a group that is nobody's was meant for that of a kind: it ends as the groups of Kubernetes do, which nobody else
/// may use unasked (<https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/2337-k8s.io-group-protection>),
/// or nearly so.
fn is_slip_of(group: &str, of: &Served) -> bool {
    const SUFFIX: &str = ".k8s.io";
    let rest = of.group.strip_suffix(SUFFIX).and_then(|start| group.strip_prefix(start));
    !is_preliminary(of.version)
        && (group.ends_with(SUFFIX) || rest.is_some_and(|rest| nearest(rest, std::iter::once(SUFFIX)).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_meant() {
        for (api_version, kind, help) in [
            ("v1", "Deployment", "write apiVersion: apps/v1"),
            ("apps/v1", "deployment", "write kind: Deployment"),
            ("app/v1", "Deployment", "write apiVersion: apps/v1"),
            ("app/v1", "Pod", "write apiVersion: v1"),
            ("batch/v1", "Cronjob", "write kind: CronJob"),
            ("batch/v1beta1", "Cronjob", "write kind: CronJob"),
            ("apps/v1", "cronjob", "write apiVersion: batch/v1 and kind: CronJob"),
            ("apps/v1", "Deploymnt", "write kind: Deployment"),
            ("apps/v1", "Pod", "write apiVersion: v1"),
            ("apps/v1", "Ingress", "write apiVersion: networking.k8s.io/v1"),
            ("v1", "Ingres", "write apiVersion: networking.k8s.io/v1 and kind: Ingress"),
            ("v1", "pod", "write kind: Pod"),
            ("v1", "Pods", "write kind: Pod"),
            ("networking.k8s.io/v1", "ingress", "write kind: Ingress"),
            ("network.k8s.io/v1", "Ingress", "write apiVersion: networking.k8s.io/v1"),
            ("networking.k8.io/v1", "Ingress", "write apiVersion: networking.k8s.io/v1"),
            ("rbac.k8s.io/v1", "role", "write apiVersion: rbac.authorization.k8s.io/v1"),
            ("extension/v1beta1", "Ingress", "write apiVersion: networking.k8s.io/v1"),
            ("apps/v2", "Deployment", "write apiVersion: apps/v1"),
            ("apps/V1", "Deployment", "write apiVersion: apps/v1"),
            ("apps/1", "Deployment", "write apiVersion: apps/v1"),
            ("v2", "Pod", "write apiVersion: v1"),
            ("batch/v2", "CronJob", "write apiVersion: batch/v1"),
            ("autoscaling/v3", "HorizontalPodAutoscaler", "write apiVersion: autoscaling/v2"),
        ] {
            let found = unserved(api_version, kind).and_then(|unserved| unserved.help);
            assert_eq!(found.as_deref(), Some(help), "{api_version} {kind}");
        }
        for (api_version, kind, help) in [
            ("v1", "Certificate", "Certificate is a kind of the group cert-manager.io"),
            ("apps/v1", "Rollout", "Rollout is a kind of the group argoproj.io"),
            ("argoproj/v1alpha1", "Rollout", "Rollout is a kind of the group argoproj.io"),
        ] {
            let found = unserved(api_version, kind).and_then(|unserved| unserved.help);
            assert_eq!(found.as_deref(), Some(help), "{api_version} {kind}");
        }
        for (api_version, kind) in
            [("apps/v1", "Application"), ("policy/v1", "PodSecurityPolicy"), ("cluster/v1", "Machine")]
        {
            let found = unserved(api_version, kind).map(|unserved| unserved.help);
            assert_eq!(found, Some(None), "{api_version} {kind}");
        }
    }

    #[test]
    fn leaves_alone_what_a_server_may_have() {
        for of in KINDS {
            assert_eq!(unserved(of.api_version, of.kind), None, "{of:?}");
            assert_eq!(unserved(of.api_version, &format!("{}List", of.kind)), None, "{of:?}");
        }
        for (api_version, kind) in [
            ("v1", "List"),
            ("apps/v1beta1", "Deployment"),
            ("extensions/v1beta1", "Ingress"),
            ("policy/v1beta1", "PodSecurityPolicy"),
            ("resource.k8s.io/v1alpha2", "ResourceClass"),
            ("resource.k8s.io/v1alpha4", "Something"),
            ("certificates.k8s.io/v1", "ClusterTrustBundle"),
            ("argoproj.io/v1alpha1", "Rollout"),
            ("apps.kruise.io/v1alpha1", "StatefulSet"),
            ("batch.volcano.sh/v1alpha1", "Job"),
            ("crd.projectcalico.org/v1", "NetworkPolicy"),
            ("networking.gke.io/v1", "NetworkPolicy"),
            ("kueue.x-k8s.io/v1beta1", "Workload"),
            ("scheduling.sigs.k8s.io/v1alpha1", "PodGroup"),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass"),
            ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
            ("serving.knative.dev/v1", "Service"),
            ("kops.k8s.io/v1alpha2", "Cluster"),
        ] {
            assert_eq!(unserved(api_version, kind), None, "{api_version} {kind}");
        }
    }
}
