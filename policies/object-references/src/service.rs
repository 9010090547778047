//! What a Service selects, and the ports of that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use gatehouse_policy::{Around, ContextError, Node, Path, ReadError, Report, Request};

use crate::ask::{self, Named, Place, Thing};
use crate::labels::{Selected, Selector, protocol};
use crate::picked::{self, Picked};
use crate::shape::{self, Type};
use crate::{SERVICE_PORT, SERVICE_SELECTOR};

const SHAPE: &[shape::Field] = &[
    (&["spec", "type"], Type::Text),
    (&["spec", "clusterIP"], Type::Text),
    (&["spec", "selector", "{}"], Type::Text),
    (&["spec", "ports", "*", "port"], Type::Number),
    (&["spec", "ports", "*", "protocol"], Type::Text),
    (&["spec", "ports", "*", "targetPort"], Type::Port),
];

/// A Service's pods.
struct Target {
    namespace: String,
    selector: Selector,
    /// Those of the usual workloads, and all.
    picked: [OnceLock<Result<Picked, ContextError>>; 2],
    /// Whether a number was found that is no port of theirs: declaring ports is no duty, so once is enough.
    has_said: AtomicBool,
}

pub fn judge(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    let service = request.object;
    shape::check(service, SHAPE)?;
    let selector = Selector::of_labels(service.members(&["spec", "selector"]));
    // Without a selector somebody writes the endpoints by hand; to another name there are none.
    if selector.is_empty() || service.text(&["spec", "type"]) == "ExternalName" {
        return Ok(());
    }
    let namespace = request.namespace.to_owned();
    let target = Arc::new(Target { namespace, selector, picked: Default::default(), has_said: AtomicBool::new(false) });
    let of = target.clone();
    report.add_if(&SERVICE_SELECTOR, Path::of(&["spec", "selector"]), move |around| {
        let picked = of.picked(around, &|picked| picked.selected == Selected::Something)?;
        let is_missing = picked.selected == Selected::Nothing && around.is_whole();
        let (namespace, asked) = (&of.namespace, &picked.asked);
        Ok(is_missing.then(|| format!("no pod in namespace {namespace} has the labels of the selector, {asked}")))
    });
    let spec = Path::of(&["spec"]);
    // The clients of a headless Service go to the pods' own ports, whatever number stands there.
    let is_headless = service.text(&["spec", "clusterIP"]) == "None";
    let mut ports = Vec::new();
    for (index, port) in service.items(&["spec", "ports"]).iter().enumerate() {
        let named = target_port(port);
        if !(is_headless && named.port.is_empty()) {
            ports.push((named, Place::of(&spec).item(&["ports"], index).field(&["targetPort"])));
        }
    }
    ask::each(report, &SERVICE_PORT, &ports, move |around, port| target.lacks(around, port));
    Ok(())
}

/// The port that a port of a Service leads to: its own where none is given (`SetDefaults_Service` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go>).
fn target_port<'n>(port: &'n Node<'_>) -> Named<'n> {
    let number = |key| port.get(key).and_then(Node::as_i64).filter(|number| *number != 0);
    let name = port.text(&["targetPort"]);
    let number = if name.is_empty() { number("targetPort").or(number("port")) } else { None };
    Named { port: name, number: number.unwrap_or_default(), protocol: protocol(port), ..Named::default() }
}

impl Target {
    /// The pods: all, where those of the usual workloads are not enough.
    fn picked(&self, around: &Around<'_>, is_enough: &dyn Fn(&Picked) -> bool) -> Result<&Picked, ContextError> {
        let [most, all] = &self.picked;
        let read = |is_all| picked::pods(around, &self.namespace, &self.selector, is_all);
        match most.get_or_init(|| read(false)) {
            Ok(most) if is_enough(most) => Ok(most),
            Ok(_) => all.get_or_init(|| read(true)).as_ref().map_err(Clone::clone),
            Err(error) => Err(error.clone()),
        }
    }

    /// What to say where no pod that is selected has the port (`FindPort` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/api/v1/pod/util.go>). A number reaches a port that is not
    /// declared too: it is said only where each pod declares others.
    fn lacks(&self, around: &Around<'_>, port: &Thing) -> Result<Option<String>, ContextError> {
        let Thing { port: name, number, protocol, .. } = port;
        let has = |picked: &Picked| {
            if name.is_empty() { picked.may_have_number(*number) } else { picked.may_have_name(name, Some(*protocol)) }
        };
        let picked = self.picked(around, &|picked| picked.selected == Selected::Something && has(picked))?;
        if picked.selected != Selected::Something || has(picked) || !around.is_whole() {
            return Ok(None);
        }
        if name.is_empty() {
            let is_first = !self.has_said.swap(true, Ordering::Relaxed);
            let declared = picked.declared();
            return Ok(is_first.then(|| {
                format!("targetPort is {number}, which no pod that is selected declares as a containerPort{declared}")
            }));
        }
        let (with, near) = if picked.may_have_name(name, None) {
            (" with the protocol of this one", String::new())
        } else {
            ("", picked.near(name))
        };
        Ok(Some(format!("no pod that is selected has a port {name:?}{with}{near}")))
    }
}
