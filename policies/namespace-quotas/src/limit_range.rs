//! A `LimitRange`: what it gives containers, and what a namespace's give them together.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Context, Edit, Kind, Listed, MOST_LISTED, Node, Path, ReadError, Report, Request};

use crate::amount::{Amount, written};
use crate::namespace::Namespace;
use crate::parts::{Millis, Parts, get};
use crate::settings::{Bounds, NamespaceQuotas};
use crate::{DEFAULTS, ask};

pub const LIMIT_RANGES: Kind<Listed> = Kind::listed(
    "v1",
    "LimitRange",
    &["spec.limits.type", "spec.limits.default", "spec.limits.defaultRequest", "spec.limits.max", "spec.limits.min"],
);

pub const CONTAINER: &str = "Container";

/// The default limits of an item as the API server completes them (`SetDefaults_LimitRangeItem` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go>): what is absent is the maximum.
pub fn limits<'n>(item: &'n Node<'_>) -> Millis<'n> {
    first(item, &["default", "max"])
}

/// The default requests: what is absent is the default limit, or else the minimum.
pub fn requests<'n>(item: &'n Node<'_>) -> Millis<'n> {
    first(item, &["defaultRequest", "default", "max", "min"])
}

/// Of each resource the amount in the first of several fields that has one.
fn first<'n>(item: &'n Node<'_>, fields: &[&'static str]) -> Millis<'n> {
    let mut parts = Parts::default();
    for (rank, field) in (0..).zip(fields) {
        parts.read(item, &[field], 0, rank);
    }
    parts.sum()
}

/// Judges a `LimitRange`.
pub fn judge(
    request: &Request<'_>,
    context: &Context<'_, NamespaceQuotas>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let path = Path::of(&["spec", "limits"]);
    let items = match request.object.within(&["spec", "limits"])?.map(|items| &items.data) {
        None => &[][..],
        Some(Data::Array(items)) => items,
        Some(_) => return Err(ReadError { path, reason: "expected an array".to_owned() }),
    };
    let (mut is_for_claims, mut is_for_containers) = (!items.is_empty(), false);
    for (index, item) in items.iter().enumerate() {
        let kind = item.text(&["type"]);
        is_for_claims &= kind == "PersistentVolumeClaim";
        if kind == CONTAINER {
            is_for_containers = true;
            let path = path.clone().index(index);
            for field in ["default", "defaultRequest", "max", "min"] {
                written(item, &[field]).map_err(|error| error.below(&path))?;
            }
            Judged { item, limits: limits(item), requests: requests(item), settings: context.settings, path }
                .judge(report);
        }
    }
    if !is_for_claims && !is_for_containers {
        let namespace = request.namespace.to_owned();
        ask(report, &DEFAULTS, path, move |around| {
            let others = around.gathered::<Namespace>(&namespace)?;
            let message = "no item of type Container, so containers that say nothing get nothing; add one \
                           with default and defaultRequest";
            Ok((!others.has_limit_range).then(|| message.to_owned()))
        });
    }
    Ok(())
}

/// An item for containers, completed, and where it is.
struct Judged<'a> {
    item: &'a Node<'a>,
    limits: Millis<'a>,
    requests: Millis<'a>,
    settings: &'a NamespaceQuotas,
    path: Path,
}

/// One of the two defaults: its field, what it is, and what the settings say of it.
type Default<'a> = (&'static str, &'static str, &'a Millis<'a>, &'a Bounds);

impl Judged<'_> {
    fn judge(&self, report: &mut Report<'_>) {
        for default in [
            ("default", "limit", &self.limits, &self.settings.default),
            ("defaultRequest", "request", &self.requests, &self.settings.default_request),
        ] {
            self.compare(default, report);
        }
        // Whoever may write an object of 60,000 faults must not have the gate describe them all.
        let mut found = 0;
        for (name, request) in first(self.item, &["defaultRequest"]) {
            if get(&self.limits, name).is_some_and(|limit| limit < request) && found <= MOST_LISTED {
                found += 1;
                let message =
                    format!("the default {name} limit is below the default request; the API server refuses it");
                report.add(&DEFAULTS, self.at("default", name), message);
            }
        }
    }

    fn at(&self, field: &'static str, name: &str) -> Path {
        self.path.clone().key(field).key(name.to_owned())
    }

    /// Holds one of the two defaults against what the settings say of it.
    fn compare(&self, (field, what, found, bounds): Default<'_>, report: &mut Report<'_>) {
        if bounds.is_empty() && found.is_empty() {
            let message = format!("no {field}, so a container that sets no {what}s has none; set it");
            report.add(&DEFAULTS, self.path.clone().key(field), message);
        }
        for (name, bound) in bounds.iter() {
            let Some(message) = bound.fault(&format!("default {name} {what}"), get(found, name)) else { continue };
            let added = report.add(&DEFAULTS, self.at(field, name), message);
            if let Some(edits) = bound.max.as_ref().and_then(|max| self.mended(name, field, max)) {
                added.unsafe_fix(edits);
            }
        }
    }

    /// The edits that give a resource the greatest default that the settings allow; `None` where that does not go with the rest
    /// of the item.
    fn mended(&self, name: &str, field: &'static str, max: &Amount) -> Option<Vec<Edit>> {
        let set = |field, amount: &Amount| Edit::set(self.at(field, name), amount.to_string());
        let most = max.millis();
        let of = |field| get(&first(self.item, &[field]), name);
        if of("min").is_some_and(|min| most < min) || of("max").is_some_and(|max| most > max) {
            return None;
        }
        let mut edits = vec![set(field, max)];
        let fits = match of("defaultRequest") {
            _ if field != "default" => get(&self.limits, name).is_none_or(|limit| most <= limit),
            Some(request) => request <= most,
            None => {
                // It would be the default request too.
                let request = self.settings.default_request.get(name).and_then(|bound| bound.max.as_ref());
                edits.extend(request.filter(|request| request.millis() < most).map(|max| set("defaultRequest", max)));
                true
            }
        };
        fits.then_some(edits)
    }
}
