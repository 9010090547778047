//! A `ResourceQuota`: what it must limit, and whether it is enough.

use std::borrow::Cow;
use std::sync::Arc;

use gatehouse_policy::{Around, Context, ContextError, Edit, Path, ReadError, Report, Request};

use crate::amount::{Amount, HUGE_PAGES, ONE, STANDARD, is_extended, product, written};
use crate::claims::{Claims, OF_CLASS};
use crate::namespace::Namespace;
use crate::needs::{Extent, Needs, Who};
use crate::objects::{ConfigMaps, Secrets, Services};
use crate::parts::{Parts, get};
use crate::scope::Scopes;
use crate::settings::{Bounds, NamespaceQuotas};
use crate::workloads::Workloads;
use crate::{HARD, HEADROOM, ask};

/// Judges a `ResourceQuota`.
pub fn judge(
    request: &Request<'_>,
    context: &Context<'_, NamespaceQuotas>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let hard = written(request.object, &["spec", "hard"])?;
    let scopes = Scopes::read(request.object);
    judge_hard(&hard, &context.settings.hard, &scopes, report);
    let extent = Extent::from(context.settings);
    let quota = Arc::new(Quota { namespace: request.namespace.to_owned(), scopes, extent });
    for (key, amount) in hard {
        let Some(source) = Source::of(&canonical(key)) else { continue };
        let question = Question { quota: Arc::clone(&quota), key: key.to_owned(), amount, source };
        ask(report, &HEADROOM, at(key), move |around| question.answer(around));
    }
    Ok(())
}

fn at(key: &str) -> Path {
    Path::of(&["spec", "hard"]).key(key.to_owned())
}

/// Finds what a quota does not limit, or not enough.
fn judge_hard(hard: &[(&str, Amount)], bounds: &Bounds, scopes: &Scopes, report: &mut Report<'_>) {
    let mut parts = Parts::default();
    for (rank, (key, amount)) in (0..).zip(hard.iter().rev()) {
        parts.add(key, 0, rank, amount.millis());
    }
    let given = parts.sum();
    for (required, bound) in bounds.iter() {
        // Of both names of the same the lesser amount counts.
        let name = canonical(required);
        let other = other_name(&name);
        let (amount, key) = match (get(&given, &name), get(&given, &other)) {
            (one, Some(least)) if one.is_none_or(|one| least < one) => (Some(least), &*other),
            (Some(one), _) => (Some(one), &*name),
            _ => (None, &**required),
        };
        // What a quota for some of the pods does not limit, another one may.
        if amount.is_none() && !scopes.is_empty() {
            continue;
        }
        if let Some(message) = bound.fault(key, amount) {
            let added = report.add(&HARD, at(key), message);
            if let Some(max) = &bound.max {
                added.unsafe_fix(vec![Edit::set(at(key), max.to_string())]);
            }
        }
    }
}

/// Whether a quota may have such a key.
pub fn is_key(key: &str) -> bool {
    key.contains('/') || Source::of(&canonical(key)).is_some()
}

/// What quotas count under two names, the second one with `count/` before it (`legacyObjectCountAliases` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/quota/v1/evaluator/core/registry.go>, and what its other evaluators
/// charge). Pods are not among them: those that have ended are objects still.
const OBJECTS: &[&str] =
    &["configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// Whether a quota's key is a resource that pods request.
fn is_requested(key: &str) -> bool {
    STANDARD.contains(&key) || key.starts_with(HUGE_PAGES)
}

/// The name by which a quota's key is counted: the API has two for some.
fn canonical(key: &str) -> Cow<'_, str> {
    match key.strip_prefix("count/").filter(|name| OBJECTS.contains(name)) {
        Some(name) => name.into(),
        None if is_requested(key) => ["requests.", key].concat().into(),
        None => key.into(),
    }
}

/// The other name of what has two, from its canonical one.
fn other_name(key: &str) -> Cow<'_, str> {
    match key.strip_prefix("requests.").filter(|name| is_requested(name)) {
        Some(name) => name.into(),
        None if OBJECTS.contains(&key) => ["count/", key].concat().into(),
        None => key.into(),
    }
}

/// What must be gathered to know how much of a key is needed.
#[derive(Clone, Copy)]
pub enum Source {
    Workloads,
    Claims,
    Services,
    LoadBalancers,
    NodePorts,
    ConfigMaps,
    Secrets,
    ResourceQuotas,
}

/// The canonical keys of which it is known what is charged, beside those of devices, huge pages and storage classes
/// (`standardQuotaResources` in <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/helper/helpers.go>).
pub const SOURCES: &[(&str, Source)] = &[
    ("requests.cpu", Source::Workloads),
    ("requests.memory", Source::Workloads),
    ("requests.ephemeral-storage", Source::Workloads),
    ("limits.cpu", Source::Workloads),
    ("limits.memory", Source::Workloads),
    ("limits.ephemeral-storage", Source::Workloads),
    ("pods", Source::Workloads),
    ("count/pods", Source::Workloads),
    ("replicationcontrollers", Source::Workloads),
    ("count/deployments.apps", Source::Workloads),
    ("count/replicasets.apps", Source::Workloads),
    ("count/statefulsets.apps", Source::Workloads),
    ("count/daemonsets.apps", Source::Workloads),
    ("count/jobs.batch", Source::Workloads),
    ("count/cronjobs.batch", Source::Workloads),
    ("persistentvolumeclaims", Source::Claims),
    ("requests.storage", Source::Claims),
    ("services", Source::Services),
    ("services.loadbalancers", Source::LoadBalancers),
    ("services.nodeports", Source::NodePorts),
    ("configmaps", Source::ConfigMaps),
    ("secrets", Source::Secrets),
    ("resourcequotas", Source::ResourceQuotas),
];

impl Source {
    /// That of a canonical key.
    fn of(key: &str) -> Option<Self> {
        if let Some((_, source)) = SOURCES.iter().find(|(of, _)| *of == key) {
            return Some(*source);
        }
        if OF_CLASS.iter().any(|suffix| key.ends_with(suffix)) {
            return Some(Self::Claims);
        }
        let requested = key.strip_prefix("requests.")?;
        (requested.starts_with(HUGE_PAGES) || is_extended(requested)).then_some(Self::Workloads)
    }
}

/// What is asked about one key of a quota.
struct Question {
    key: String,
    amount: Amount,
    source: Source,
    quota: Arc<Quota>,
}

/// What the keys of a quota have in common.
struct Quota {
    namespace: String,
    scopes: Scopes,
    extent: Extent,
}

impl Question {
    /// What is wrong where more is needed than the quota gives. Whatever else there may be, that is enough to know.
    fn answer(&self, around: &Around<'_>) -> Result<Option<String>, ContextError> {
        let Quota { namespace, .. } = &*self.quota;
        let number = match self.source {
            Source::Workloads => return Ok(self.compare(&around.gathered::<Workloads>(namespace)?.needs)),
            Source::Claims => return Ok(self.compare(&around.gathered::<Claims>(namespace)?.0)),
            Source::Services => around.gathered::<Services>(namespace)?.number,
            Source::LoadBalancers => around.gathered::<Services>(namespace)?.load_balancers,
            Source::NodePorts => around.gathered::<Services>(namespace)?.node_ports,
            Source::ConfigMaps => around.gathered::<ConfigMaps>(namespace)?.0,
            Source::Secrets => around.gathered::<Secrets>(namespace)?.0,
            Source::ResourceQuotas => around.gathered::<Namespace>(namespace)?.quotas,
        };
        // No scope selects such an object.
        let number = if self.quota.scopes.is_empty() { number as u128 } else { 0 };
        Ok(self.shortage(product(number, ONE), None))
    }

    fn compare(&self, needs: &Needs) -> Option<String> {
        let (total, most) = needs.of(&canonical(&self.key), &self.quota.scopes, self.quota.extent);
        self.shortage(total, most)
    }

    fn shortage(&self, total: u128, most: Option<(u128, &Who)>) -> Option<String> {
        let amount = &self.amount;
        if total <= amount.millis() {
            return None;
        }
        let needed = amount.like_this(total);
        Some(match most {
            None => format!("the namespace needs {needed} of {amount}"),
            Some((part, who)) => {
                let part = if part == total { "all".to_owned() } else { amount.like_this(part) };
                format!("the namespace needs {needed} of {amount}, {part} of it for {who}")
            }
        })
    }
}
