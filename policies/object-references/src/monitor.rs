//! What Prometheus is to scrape: the Services of a `ServiceMonitor`, the pods of a `PodMonitor`.

use std::sync::{Arc, OnceLock};

use gatehouse_policy::{Around, ContextError, Node, Path, ReadError, Report, Request};

use crate::ask::{self, Named, Place};
use crate::labels::{self, Selected, Selector};
use crate::picked::{self, Picked, all_services};
use crate::shape::{self, Type};
use crate::{MONITOR_SELECTOR, workloads};

const SHAPE: &[shape::Field] = &[
    (&["spec", "namespaceSelector", "any"], Type::Flag),
    (&["spec", "namespaceSelector", "matchNames", "*"], Type::Text),
    (&["spec", "endpoints", "*", "port"], Type::Text),
    (&["spec", "podMetricsEndpoints", "*", "port"], Type::Text),
];

/// How many namespaces a monitor may name to be looked at. Each is a question to the policy server, which watches what it is
/// asked for from then on.
const MOST: usize = 16;

/// What a monitor selects.
struct Scope {
    /// Whether it is pods: <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitor>; or
    /// else Services: <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.ServiceMonitor>.
    is_of_pods: bool,
    selector: Selector,
    /// The namespaces, the empty one for all.
    namespaces: Vec<String>,
    own: String,
    picked: OnceLock<Result<Vec<Picked>, ContextError>>,
}

pub fn judge(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    let monitor = request.object;
    shape::check(monitor, labels::SHAPE)?;
    shape::check(monitor, SHAPE)?;
    let Some(selector) = monitor.descend(&["spec", "selector"]) else { return Ok(()) };
    let is_of_pods = request.kind == "PodMonitor";
    let list: &'static [&'static str] = if is_of_pods { &["podMetricsEndpoints"] } else { &["endpoints"] };
    let spec = Path::of(&["spec"]);
    let mut ports = Vec::new();
    for (index, endpoint) in monitor.get("spec").map_or(&[][..], |spec| spec.items(list)).iter().enumerate() {
        let port = endpoint.text(&["port"]);
        if !port.is_empty() {
            ports.push((Named { port, ..Named::default() }, Place::of(&spec).item(list, index).field(&["port"])));
        }
    }
    let own = request.namespace.to_owned();
    let names = monitor.items(&["spec", "namespaceSelector", "matchNames"]);
    if names.len() > MOST {
        return Ok(());
    }
    let is_any = monitor.descend(&["spec", "namespaceSelector", "any"]).is_some_and(|any| *any == true.into());
    let namespaces = match names {
        _ if is_any => vec![String::new()],
        [] => vec![own.clone()],
        names => names.iter().filter_map(Node::as_str).map(str::to_owned).collect(),
    };
    let scope =
        Arc::new(Scope { is_of_pods, selector: Selector::of(selector), namespaces, own, picked: OnceLock::new() });
    let of = scope.clone();
    report.add_if(&MONITOR_SELECTOR, Path::of(&["spec", "selector"]), move |around| of.selects_nothing(around));
    ask::each(report, &MONITOR_SELECTOR, &ports, move |around, port| scope.lacks(around, &port.port));
    Ok(())
}

impl Scope {
    fn pick(&self, around: &Around<'_>, namespace: &str) -> Result<Picked, ContextError> {
        let pick = if self.is_of_pods { picked::any_pods } else { picked::services };
        pick(around, namespace, &self.selector)
    }

    /// What is selected, by namespace.
    fn picked(&self, around: &Around<'_>) -> Result<&[Picked], ContextError> {
        let pick = || self.namespaces.iter().map(|namespace| self.pick(around, namespace)).collect();
        self.picked.get_or_init(pick).as_deref().map_err(Clone::clone)
    }

    fn what(&self) -> &'static str {
        if self.is_of_pods { "pod" } else { "Service" }
    }

    fn selects_nothing(&self, around: &Around<'_>) -> Result<Option<String>, ContextError> {
        let picked = self.picked(around)?;
        let Some(Picked { asked, .. }) = picked.first() else { return Ok(None) };
        if picked.iter().any(|of| of.selected != Selected::Nothing)
            || !around.is_whole()
            || self.is_elsewhere(around)?
        {
            return Ok(None);
        }
        let what = self.what();
        let namespaces = self.namespaces.join(", ");
        let among = if namespaces.is_empty() { "any namespace" } else { "namespace " };
        Ok(Some(format!("no {what} in {among}{namespaces} has the labels of the selector, {asked}")))
    }

    /// Whether the namespaces are others of which nothing is known here, and what is meant is not to be found anywhere else
    /// either: whoever runs it may have its manifests.
    fn is_elsewhere(&self, around: &Around<'_>) -> Result<bool, ContextError> {
        for namespace in &self.namespaces {
            if *namespace == self.own || self.has_any(around, namespace)? {
                return Ok(false);
            }
        }
        Ok(self.pick(around, "")?.selected != Selected::Something)
    }

    /// Whether there is anything in a namespace that it could select.
    fn has_any(&self, around: &Around<'_>, namespace: &str) -> Result<bool, ContextError> {
        let is_any = |of: &labels::Labels| !of.things().is_empty();
        if self.is_of_pods {
            Ok(is_any(&*workloads::most(around, namespace)?) || is_any(&*workloads::others(around, namespace)?))
        } else {
            Ok(is_any(&all_services(around, namespace)?.all))
        }
    }

    /// What to say where nothing that is selected has a port of that name.
    fn lacks(&self, around: &Around<'_>, port: &str) -> Result<Option<String>, ContextError> {
        let mut near = None;
        for of in self.picked(around)?.iter().filter(|of| of.selected == Selected::Something) {
            if of.may_have_name(port, None) {
                return Ok(None);
            }
            near.get_or_insert_with(|| of.near(port));
        }
        let what = self.what();
        let message = near.map(|near| format!("no {what} that is selected has a port {port:?}{near}"));
        Ok(message.filter(|_| around.is_whole()))
    }
}
