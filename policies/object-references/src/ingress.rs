//! What an Ingress names: Services and their ports, and Secrets.

use gatehouse_policy::{Around, ContextError, Node, Path, ReadError, Report, Request};

use crate::ask::{self, Named, Place, Thing};
use crate::names::{self, Wanted};
use crate::picked::all_services;
use crate::shape::{self, Type};
use crate::{INGRESS_BACKEND, ObjectReferences, made};

const SHAPE: &[shape::Field] = &[
    (&["metadata", "annotations", "{}"], Type::Text),
    (&["spec", "tls", "*", "secretName"], Type::Text),
    (&["spec", "defaultBackend", "service", "name"], Type::Text),
    (&["spec", "defaultBackend", "service", "port", "name"], Type::Text),
    (&["spec", "defaultBackend", "service", "port", "number"], Type::Number),
    (&["spec", "rules", "*", "http", "paths", "*", "backend", "service", "name"], Type::Text),
    (&["spec", "rules", "*", "http", "paths", "*", "backend", "service", "port", "name"], Type::Text),
    (&["spec", "rules", "*", "http", "paths", "*", "backend", "service", "port", "number"], Type::Number),
];

/// Where a Service, its port's name and its port's number stand in a path.
const OF_PATH: Fields = [
    &["backend", "service", "name"],
    &["backend", "service", "port", "name"],
    &["backend", "service", "port", "number"],
];
/// Where they stand in the spec.
const OF_DEFAULT: Fields = [
    &["defaultBackend", "service", "name"],
    &["defaultBackend", "service", "port", "name"],
    &["defaultBackend", "service", "port", "number"],
];

type Fields = [&'static [&'static str]; 3];

pub fn judge(request: &Request<'_>, settings: &ObjectReferences, report: &mut Report<'_>) -> Result<(), ReadError> {
    let ingress = request.object;
    shape::check(ingress, SHAPE)?;
    let spec = Path::of(&["spec"]);
    let mut secrets = Wanted::of(&names::SECRET);
    if !made::asks_issuer(ingress) {
        for (index, tls) in ingress.items(&["spec", "tls"]).iter().enumerate() {
            secrets.add(tls.text(&["secretName"]), Place::of(&spec).item(&["tls"], index).field(&["secretName"]));
        }
    }
    secrets.ask(settings, request.namespace, report);
    let mut backends = Backends { services: Wanted::of(&names::SERVICE), ports: Vec::new() };
    if let Some(node) = ingress.get("spec") {
        backends.add(node, OF_DEFAULT, Place::of(&spec));
    }
    for (index, rule) in ingress.items(&["spec", "rules"]).iter().enumerate() {
        let at = Place::of(&spec).item(&["rules"], index);
        for (index, path) in rule.items(&["http", "paths"]).iter().enumerate() {
            backends.add(path, OF_PATH, at.item(&["http", "paths"], index));
        }
    }
    let Backends { services, ports } = backends;
    services.ask(settings, request.namespace, report);
    let namespace = request.namespace.to_owned();
    ask::each(report, &INGRESS_BACKEND, &ports, move |around, port| lacks_port(around, &namespace, port));
    Ok(())
}

/// Where requests go, each with its place.
struct Backends<'p> {
    services: Wanted<'p>,
    ports: Vec<(Named<'p>, Place<'p>)>,
}

impl<'p> Backends<'p> {
    fn add(&mut self, node: &'p Node<'_>, fields: Fields, at: Place<'p>) {
        let [service, port_name, port_number] = fields;
        let name = node.text(service);
        let port = node.text(port_name);
        // Where the load balancer of AWS finds in an annotation what to do, there need be no Service
        // (https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#actions).
        if port == "use-annotation" || name.is_empty() {
            return;
        }
        self.services.add(name, at.field(service));
        let number = node.descend(port_number).and_then(Node::as_i64).unwrap_or_default();
        let field = if port.is_empty() { port_number } else { port_name };
        self.ports.push((Named { name, port, number, protocol: 0 }, at.field(field)));
    }
}

/// What to say where a Service is there and does not have the port. One without ports is another name for something
/// elsewhere, which has them all.
fn lacks_port(around: &Around<'_>, namespace: &str, wanted: &Thing) -> Result<Option<String>, ContextError> {
    let services = all_services(around, namespace)?;
    let Some(service) = services.named(&wanted.name) else { return Ok(None) };
    let is = |of: &Thing| {
        if wanted.port.is_empty() { of.number == wanted.number } else { of.port == wanted.port }
    };
    if service.ports.is_empty() || service.ports.iter().any(is) || !around.is_whole() {
        return Ok(None);
    }
    let text = |of: &Thing| format!("{}{}{}", of.port, if of.port.is_empty() { "" } else { ": " }, of.number);
    let ports: Vec<String> = service.ports.iter().take(8).map(text).collect();
    let port = if wanted.port.is_empty() { wanted.number.to_string() } else { wanted.port.clone() };
    Ok(Some(format!("Service {:?} has no port {port}, expected one of {}", wanted.name, ports.join(", "))))
}
