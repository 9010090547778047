//! Containers say what they need and what they may take at most.

mod checks;
mod fixes;
mod pod_level;
mod resources;
mod settings;

use std::collections::BTreeMap;
use std::fmt::Display;

use gatehouse_policy::{Context, Exempt, Path, ReadError, Report, Request, Role, policy, rules};
use serde::Deserialize;

use crate::checks::CHECKS;
use crate::resources::{Resources, Share, Side, is_pod_level, is_resizable};
use crate::settings::ResourceLimits;

rules! {
    /// Finds a container that does not request a resource listed in `requests`, or requests 0 of cpu, memory or ephemeral
    /// storage: one finding a resource. Regular, init and sidecar containers are judged; ephemeral ones cannot have resources.
    ///
    /// A request that is absent beside a limit is the limit. What the pod requests as a whole (`spec.resources`), its
    /// containers need not.
    ///
    /// ## Why
    /// The scheduler packs nodes by requests. Without them a node is full before anyone knows, and the container is among
    /// the first to be throttled or evicted.
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
    ///   resources:
    ///     requests: {cpu: 500m, memory: 1Gi}
    ///     limits: {cpu: "2", memory: 4Gi}
    /// ```
    ///
    /// ## Fix
    /// Sets what is absent of the resource from `defaults`; of a container without any `resources`, of all its resources.
    /// Not safe: it changes where the pod fits and what it may take. None where the defaults do not go with what is there,
    /// such as a default limit below the request, nor where the pod has resources as a whole, nor in a resize, which may not
    /// change the pod's class of service.
    ///
    /// ## Options
    /// `requests`, `defaults`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/>
    REQUESTS = "requests": deny;

    /// Finds a container that has no limit of a resource listed in `limits`, or one of 0, which of cpu, memory and ephemeral
    /// storage Kubernetes takes for none: one finding a resource. A limit that the pod has as a whole (`spec.resources`) is one for its containers.
    ///
    /// ## Why
    /// A leak in one container then takes the node's memory from all others. A team that wants no cpu limits, which
    /// throttle, lists memory alone.
    ///
    /// ## Fix
    /// As for `requests`.
    ///
    /// ## Options
    /// `limits`, `defaults`
    LIMITS = "limits": deny;

    /// Finds a request or limit that `forbidden` lists, such as cpu limits. A limit alone is a request, too.
    ///
    /// ## Fix
    /// Removes it; a request that was the limit's stays, written out. Not safe: it changes what the container may take.
    /// None for a resize, which cannot remove anything, nor where the pod has resources as a whole.
    ///
    /// ## Options
    /// `forbidden`
    FORBIDDEN = "forbidden": off;

    /// Finds a request or limit, of a container or of the pod, below its `minimum`.
    ///
    /// ## Why
    /// A container that asks for `memory: 1` meets the letter of the other rules, and means `1Gi`.
    ///
    /// ## Options
    /// `minimum`
    MINIMUM = "minimum": deny;

    /// Finds a request or limit, of a container or of the pod, above its `maximum`.
    ///
    /// ## Options
    /// `maximum`
    MAXIMUM = "maximum": deny;

    /// Finds a limit that is more than `maxRatio` times its request, of a container or of the pod.
    ///
    /// ## Why
    /// What lies between the two is promised to several at once: when all of them take it, the node has not got it.
    ///
    /// ## Options
    /// `maxRatio`
    RATIO = "ratio": deny;

    /// Finds a request above its limit. Extended resources, such as `nvidia.com/gpu`, and huge pages cannot be
    /// overcommitted: their request must be the limit.
    ///
    /// ## Why
    /// The API server refuses it: better to hear it before it is sent.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources>
    ORDER = "order": deny;

    /// Finds an amount, of a container or of the pod, that nothing can run with:
    ///
    /// - a fraction of a byte, such as `memory: 512m`, which is half a byte, or `0.1Gi`; or of anything else but cpu;
    /// - a memory limit below `4Mi`, such as `512`, `512k` or `512Ki`: the container runtime does not even start; a memory
    ///   request, or an amount of ephemeral storage, below `4Ki`;
    /// - more memory than `32Ti`, or more cpu than 448 cores, such as `cpu: 500`.
    ///
    /// Where `minimum` or `maximum` says for a resource what is too little or too much, that counts instead.
    ///
    /// ## Why
    /// The API server takes such an amount, at most with a warning. It is a slip of the unit: the container is killed as soon as
    /// it starts, or its pod waits for a node that there never will be.
    ///
    /// ## Example
    /// ```yaml
    /// resources:
    ///   requests: {cpu: 500, memory: 512m}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// resources:
    ///   requests: {cpu: 500m, memory: 512Mi}
    /// ```
    ///
    /// ## Options
    /// `minimum`, `maximum`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-memory>,
    /// `fractional byte value` in <https://github.com/kubernetes/kubernetes/blob/master/pkg/api/pod/warnings.go>
    IMPLAUSIBLE = "implausible": warn;
}

policy!(ResourceLimits, review, subresources: ["resize"]);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields, ContainerFields>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodFields {
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerFields {
    resources: Option<Resources>,
}

impl ContainerFields {
    /// What the container is given, as written.
    fn given(&self) -> &Resources {
        static NONE: Resources = Resources { requests: BTreeMap::new(), limits: BTreeMap::new() };
        self.resources.as_ref().unwrap_or(&NONE)
    }
}

fn review(
    request: &Request<'_>,
    context: &Context<'_, ResourceLimits>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    // Exempt containers are read too: they count towards what the pod has as a whole.
    for pod in Pod::read(request, &Exempt::default())? {
        judge_pod(&pod, context, report);
    }
    Ok(())
}

fn judge_pod(pod: &Pod<'_>, context: &Context<'_, ResourceLimits>, report: &mut Report<'_>) {
    let settings = context.settings;
    let resize = pod.subresource() == "resize";
    let whole = pod_level::resources(pod);
    let holder = Holder { who: &"pod", path: pod.at(&["resources"]), given: &whole, mendable: false, settings, resize };
    holder.judge_amounts(report);
    for container in pod.containers() {
        let judged = container.role != Role::Ephemeral;
        if judged && !context.exempt.container(container.name, container.image) {
            let path = container.at(&["resources"]);
            let holder =
                Holder { who: container, path, given: container.given(), mendable: whole.is_empty(), settings, resize };
            holder.judge_presence(&whole, container.resources.is_none(), report);
            holder.judge_amounts(report);
        }
    }
}

/// A container or a pod: who has resources.
struct Holder<'a> {
    who: &'a dyn Display,
    /// Where its resources are.
    path: Path,
    given: &'a Resources,
    /// Whether fixes are to be thought of: what a pod has as a whole and what its containers have depend on each other.
    mendable: bool,
    settings: &'a ResourceLimits,
    resize: bool,
}

impl Holder<'_> {
    fn at(&self, side: Side, name: &str) -> Path {
        self.path.clone().key(side.field()).key(name.to_owned())
    }

    /// Whether the request can change this resource.
    fn judges(&self, name: &str) -> bool {
        !self.resize || is_resizable(name)
    }

    /// Whether a container has what it must; `whole` is what its pod has, `bare` says that it has no `resources`.
    fn judge_presence(&self, whole: &Resources, bare: bool, report: &mut Report<'_>) {
        for (rule, side, idle) in [(&REQUESTS, Side::Requests, "reserves"), (&LIMITS, Side::Limits, "limits")] {
            for name in self.settings.required(side).iter().filter(|name| self.judges(name)) {
                let share = Share::of(name, self.given);
                if share.has(side) || is_pod_level(name) && Share::of(name, whole).has(side) {
                    continue;
                }
                let message = || match share.get(side) {
                    None => format!("{}: no {name} {side}, expected one", self.who),
                    Some(zero) => format!("{}: {name} {side} is {zero}, which {idle} nothing, expected more", self.who),
                };
                let added = report.add(rule, || self.at(side, name), message);
                if added.is_listed()
                    && let Some(edits) = self.completion(share, side, bare)
                {
                    added.unsafe_fix(edits);
                }
            }
        }
    }

    fn judge_amounts(&self, report: &mut Report<'_>) {
        let Resources { requests, limits } = self.given;
        let names = requests.keys().chain(limits.keys().filter(|name| !requests.contains_key(*name)));
        let shares: Vec<_> = names.filter(|name| self.judges(name)).map(|name| Share::of(name, self.given)).collect();
        for (rule, side, check) in CHECKS {
            for share in shares.iter().copied() {
                let Some(what) = check(self.settings, share, *side) else { continue };
                let added = report.add(rule, || self.at(*side, share.name), || format!("{}: {what}", self.who));
                if **rule == FORBIDDEN
                    && added.is_listed()
                    && let Some(edits) = self.removal(share, *side)
                {
                    added.unsafe_fix(edits);
                }
            }
        }
    }
}
