//! The labels, or annotations, of an object and of its pods: what is wrong with them, and what would mend it.

use gatehouse_policy::{Edit, Level, Path, ReadError, Request};

use crate::requirement::{On, Requirement};
use crate::view::{self, Map};

/// The labels of an object and of its pods; or the annotations, which have the same shape.
#[derive(Clone)]
pub struct Labels<'a> {
    /// The field of the metadata: `labels` or `annotations`.
    field: &'static str,
    kind: &'a str,
    object: Map<'a>,
    template: Option<Template<'a>>,
    /// What a Service selects its pods by.
    selector: Map<'a>,
    /// Whether the object has none of its own and the API server gives it those of its pod template.
    inherits: bool,
}

/// The labels of a pod template, and where the template is.
#[derive(Clone)]
struct Template<'a> {
    path: &'static [&'static str],
    labels: Map<'a>,
}

/// Where a label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Object,
    Template,
}

/// A label that is not as required.
pub struct Fault<'a> {
    pub place: Place,
    pub key: &'a str,
    pub level: Level,
    pub message: String,
    /// The key of the label that it must be equal to.
    equals: Option<&'a str>,
}

impl Fault<'_> {
    fn concerns_the_same(&self, other: &Self) -> bool {
        self.place == other.place && self.key == other.key
    }
}

impl<'a> Labels<'a> {
    /// Reads them as they are once the API server has filled in its defaults.
    pub fn read(request: &Request<'a>, field: &'static str) -> Result<Self, ReadError> {
        let mut object = view::map(request.object, &["metadata", field])?;
        let template = match view::template_path(request) {
            Some(path) if request.object.within(path)?.is_some() => {
                let labels = view::map(request.object, &[path, &["metadata", field]].concat())?;
                Some(Template { path, labels })
            }
            _ => None,
        };
        let mut selector = Map::new();
        let mut inherits = false;
        if field == "labels" {
            // Of one that is an alias the API server ignores it.
            let kind = request.object.descend(&["spec", "type"]).and_then(|kind| kind.as_str());
            if request.is("", "Service") && kind != Some("ExternalName") {
                selector = view::map(request.object, &["spec", "selector"])?;
            }
            // `SetDefaults_Job` in `pkg/apis/batch/v1/defaults.go`, `SetDefaults_ReplicationController` and
            // `SetDefaults_Namespace` in `pkg/apis/core/v1/defaults.go`.
            if let Some(template) = &template
                && object.is_empty()
                && (request.is("batch", "Job") || request.is("", "ReplicationController"))
            {
                inherits = true;
                object = template.labels.clone();
            }
            if request.is("", "Namespace")
                && let Some(name) = request.object.descend(&["metadata", "name"]).and_then(|name| name.as_str())
                && !name.is_empty()
            {
                object = with(&object, "kubernetes.io/metadata.name", name);
            }
        }
        Ok(Self { field, kind: request.kind, object, template, selector, inherits })
    }

    /// Where a label is in the object.
    pub fn path(&self, place: Place, key: &str) -> Path {
        let outer = match (place, &self.template) {
            (Place::Template, Some(template)) => template.path,
            _ => &[],
        };
        Path::of(outer).key("metadata").key(self.field).key(key.to_owned())
    }

    fn at(&self, place: Place) -> &Map<'a> {
        match (place, &self.template) {
            (Place::Template, Some(template)) => &template.labels,
            _ => &self.object,
        }
    }

    /// What the pods that the object is about have for a key.
    fn of_pods(&self, key: &str) -> Option<&'a str> {
        self.template.as_ref().map_or(&self.selector, |template| &template.labels).get(key).copied()
    }

    /// Where a requirement looks. A Pod is what a template would make.
    fn places(&self, on: On) -> &'static [Place] {
        match (on, &self.template) {
            (On::Template, Some(_)) => &[Place::Template],
            (On::Both, Some(_)) => &[Place::Object, Place::Template],
            (On::Template, None) if self.kind != "Pod" => &[],
            _ => &[Place::Object],
        }
    }

    /// What is wrong, at most once for each label: where several requirements find fault with one, the first of those that
    /// weigh most.
    pub fn faults(&self, requirements: &[&'a Requirement]) -> Vec<Fault<'a>> {
        let mut faults: Vec<Fault<'a>> = Vec::new();
        for requirement in requirements {
            for place in self.places(requirement.place) {
                for key in &requirement.keys {
                    let Some(message) = self.fault(requirement, *place, key) else { continue };
                    let level = requirement.level.unwrap_or(Level::Deny);
                    let fault = Fault { place: *place, key, level, message, equals: requirement.equals.as_deref() };
                    match faults.iter_mut().find(|known| known.concerns_the_same(&fault)) {
                        Some(known) if known.level < fault.level => *known = fault,
                        Some(_) => {}
                        None => faults.push(fault),
                    }
                }
            }
        }
        faults
    }

    fn fault(&self, requirement: &Requirement, place: Place, key: &str) -> Option<String> {
        let (is, expected) = match self.at(place).get(key) {
            None if requirement.optional => return None,
            None => ("is not set".to_owned(), requirement.allowed()),
            // Whoever allows the empty value lists it.
            Some(&"") if !requirement.optional && requirement.takes_any() => {
                ("is empty".to_owned(), requirement.allowed())
            }
            Some(value) => (format!("is {}", view::shown(value)), self.refusal(requirement, place, key, value)?),
        };
        let who = if place == Place::Template { "pod template" } else { self.kind };
        Some(format!("{who}: {} {key} {is}, expected {expected}", self.noun()))
    }

    /// What a value should be instead, if it is refused.
    fn refusal(&self, requirement: &Requirement, place: Place, key: &str, value: &str) -> Option<String> {
        if !requirement.allows(value) {
            return Some(requirement.allowed());
        }
        if let Some(other) = &requirement.equals {
            match self.at(place).get(other) {
                Some(expected) if *expected == value => {}
                Some(expected) => return Some(format!("{}, as {other} is", view::shown(expected))),
                None => return Some(format!("that of {other}, which is not set")),
            }
        }
        // A template is like itself, so this is about objects alone.
        let expected = self.of_pods(key).filter(|_| requirement.match_selector)?;
        let whose = if self.template.is_some() { "pod template" } else { "selector" };
        (expected != value).then(|| format!("{expected:?}, as in its {whose}"))
    }

    fn noun(&self) -> &'static str {
        if self.field == "labels" { "label" } else { "annotation" }
    }

    /// The change that mends a fault and brings no other, and whether it is safe. Each value that might is tried out.
    pub fn mend(
        &self,
        fault: &Fault<'a>,
        faults: &[Fault<'a>],
        requirements: &[&'a Requirement],
    ) -> Option<(Edit, bool)> {
        let mends = |value: &'a str| {
            let after = self.with(fault.place, fault.key, value).faults(requirements);
            after
                .iter()
                .all(|left| !left.concerns_the_same(fault) && faults.iter().any(|known| known.concerns_the_same(left)))
        };
        let (value, is_safe) = self.remedies(fault).into_iter().flatten().find(|(value, _)| mends(value))?;
        Some((Edit::set(self.path(fault.place, fault.key), value), is_safe))
    }

    /// The values that a label might be given, and whether that is safe: what the pods have adds nothing new to a workload
    /// or Service. All else may be what something selects by, as pods are by Services and namespaces by network policies.
    fn remedies(&self, fault: &Fault<'a>) -> [Option<(&'a str, bool)>; 2] {
        let found = self.at(fault.place).get(fault.key);
        let is_absent = found.is_none_or(|value| value.is_empty());
        let equal = fault.equals.and_then(|other| self.at(fault.place).get(other)).map(|value| (*value, false));
        match fault.place {
            // One label of its own, and it would lose all that it inherits.
            Place::Object if self.inherits => [None, None],
            Place::Object => [self.of_pods(fault.key).map(|value| (value, is_absent)), equal.filter(|_| is_absent)],
            // The workload's selector may name the value that is there, and cannot be changed.
            Place::Template if found.is_some() => [None, None],
            Place::Template => [self.object.get(fault.key).map(|value| (*value, false)), equal],
        }
    }

    /// The same with one label changed.
    fn with(&self, place: Place, key: &'a str, value: &'a str) -> Self {
        let mut changed = self.clone();
        match (place, &mut changed.template) {
            (Place::Template, Some(template)) => {
                template.labels = with(&template.labels, key, value);
                if self.inherits {
                    changed.object = template.labels.clone();
                }
            }
            _ => changed.object = with(&changed.object, key, value),
        }
        changed
    }
}

fn with<'a>(labels: &Map<'a>, key: &'a str, value: &'a str) -> Map<'a> {
    labels.iter().copied().filter(|(other, _)| *other != key).chain([(key, value)]).collect()
}
