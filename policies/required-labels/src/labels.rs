//! The labels, or annotations, of an object and of its pods: what is wrong with them, and what would mend it.

use std::iter;

use gatehouse_policy::{Edit, Level, Path, ReadError, Request, pod_templates};

use crate::requirement::{On, Requirement};
use crate::view::{self, Map};

/// The labels of an object and of its pods; or the annotations, which have the same shape.
pub struct Labels<'a> {
    /// The field of the metadata: `labels` or `annotations`.
    field: &'static str,
    kind: &'a str,
    object: Map<'a>,
    /// Where each pod template is, and its labels. None of a Pod, which is what a template would make.
    templates: Vec<(Path, Map<'a>)>,
    is_pod: bool,
    /// What a Service selects its pods by.
    selector: Map<'a>,
    /// Whether the object has none of its own and the API server gives it those of its pod template.
    inherits: bool,
    /// A label that is taken to have another value, to see what comes of it.
    trial: Option<(Place, &'a str, &'a str)>,
}

/// Where a label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Object,
    /// One of the pod templates.
    Template(usize),
}

/// A label that is not as required.
#[derive(Clone, Copy)]
pub struct Fault<'a> {
    pub place: Place,
    pub key: &'a str,
    pub level: Level,
    requirement: &'a Requirement,
    why: Why<'a>,
}

/// What is wrong with a label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why<'a> {
    Absent,
    Empty,
    /// It has this value, which is not allowed.
    NotAllowed(&'a str),
    /// It has this value, and the one that it must be equal to another or none.
    Unequal(&'a str, Option<&'a str>),
    /// It has this value, and the pods another.
    UnlikePods(&'a str, &'a str),
}

impl Fault<'_> {
    pub fn concerns_the_same(&self, other: &Self) -> bool {
        self.place == other.place && self.key == other.key
    }

    /// Whether the other one, of another state of the object, says the same.
    pub fn is_known_as(&self, other: &Self) -> bool {
        self.concerns_the_same(other) && self.why == other.why
    }
}

impl<'a> Labels<'a> {
    /// Reads them as they are once the API server has filled in its defaults.
    pub fn read(request: &Request<'a>, field: &'static str) -> Result<Self, ReadError> {
        let path = ["metadata", field];
        let mut object = Map::read(request.object, &path)?;
        let mut is_pod = false;
        let mut templates = Vec::new();
        for (at, template) in pod_templates(request)? {
            is_pod |= at.segments().is_empty();
            if !is_pod {
                let labels = Map::read(template, &path).map_err(|error| error.below(&at))?;
                templates.push((at, labels));
            }
        }
        let mut selector = Map::default();
        let mut inherits = false;
        if field == "labels" {
            // Of one that is an alias the API server ignores it.
            let kind = request.object.descend(&["spec", "type"]).and_then(|kind| kind.as_str());
            if request.is("", "Service") && kind != Some("ExternalName") {
                selector = Map::read(request.object, &["spec", "selector"])?;
            }
            // `SetDefaults_Job` in `pkg/apis/batch/v1/defaults.go`, `SetDefaults_ReplicationController` and
            // `SetDefaults_Namespace` in `pkg/apis/core/v1/defaults.go`.
            inherits = object.is_empty()
                && !templates.is_empty()
                && (request.is("batch", "Job") || request.is("", "ReplicationController"));
            if request.is("", "Namespace")
                && let Some(name) = request.object.descend(&["metadata", "name"]).and_then(|name| name.as_str())
                && !name.is_empty()
            {
                object.set("kubernetes.io/metadata.name", name);
            }
        }
        Ok(Self { field, kind: request.kind, object, templates, is_pod, selector, inherits, trial: None })
    }

    /// Where a label is in the object.
    pub fn path(&self, place: Place, key: &str) -> Path {
        let outer = match place {
            Place::Object => None,
            Place::Template(index) => self.templates.get(index).map(|(path, _)| path.clone()),
        };
        outer.unwrap_or_default().key("metadata").key(self.field).key(key.to_owned())
    }

    fn get(&self, place: Place, key: &str) -> Option<&'a str> {
        let place = if self.inherits { Place::Template(0) } else { place };
        if let Some((at, of, value)) = self.trial
            && at == place
            && of == key
        {
            return Some(value);
        }
        match place {
            Place::Object => self.object.get(key),
            Place::Template(index) => self.templates.get(index)?.1.get(key),
        }
    }

    /// What the pods that the object is about have for a key. Those of several templates are no more alike than they are
    /// like the object.
    fn of_pods(&self, key: &str) -> Option<&'a str> {
        match self.templates.len() {
            0 => self.selector.get(key),
            1 => self.get(Place::Template(0), key),
            _ => None,
        }
    }

    /// Whether a requirement is about a place. A Pod is what a template would make.
    fn is_about(&self, on: On, place: Place) -> bool {
        match place {
            Place::Object => on != On::Template || self.is_pod,
            Place::Template(_) => on != On::Object,
        }
    }

    /// What is wrong, in every place.
    pub fn faults(&self, requirements: &[&'a Requirement]) -> Vec<Fault<'a>> {
        let templates = (0..self.templates.len()).map(Place::Template);
        iter::once(Place::Object).chain(templates).flat_map(|place| self.faults_at(place, requirements, None)).collect()
    }

    /// What is wrong in a place, at most once for each label: where several requirements find fault with one, the first of
    /// those that weigh most. Of all labels, or of those alone that may be wrong because of one.
    pub fn faults_at(
        &self,
        place: Place,
        requirements: &[&'a Requirement],
        because_of: Option<&str>,
    ) -> Vec<Fault<'a>> {
        let mut faults: Vec<Fault<'a>> = Vec::new();
        for requirement in requirements.iter().filter(|requirement| self.is_about(requirement.place, place)) {
            for key in &requirement.keys {
                if because_of.is_some_and(|of| of != key && requirement.equals.as_deref() != Some(of)) {
                    continue;
                }
                let Some(why) = self.why(requirement, place, key) else { continue };
                let level = requirement.level.unwrap_or(Level::Deny);
                let fault = Fault { place, key, level, requirement, why };
                match faults.iter_mut().find(|known| known.key == fault.key) {
                    Some(known) if known.level < fault.level => *known = fault,
                    Some(_) => {}
                    None => faults.push(fault),
                }
            }
        }
        faults
    }

    /// What a requirement finds wrong with a label.
    fn why(&self, requirement: &Requirement, place: Place, key: &str) -> Option<Why<'a>> {
        let value = match self.get(place, key) {
            None if requirement.optional => return None,
            None => return Some(Why::Absent),
            // Whoever allows the empty value lists it.
            Some("") if !requirement.optional && requirement.takes_any() => return Some(Why::Empty),
            Some(value) if !requirement.allows(value) => return Some(Why::NotAllowed(value)),
            Some(value) => value,
        };
        if let Some(other) = &requirement.equals {
            let other = self.get(place, other);
            if other != Some(value) {
                return Some(Why::Unequal(value, other));
            }
        }
        // A template is like itself, so this is about objects alone.
        let of_pods = self.of_pods(key).filter(|_| requirement.match_selector && place == Place::Object)?;
        (of_pods != value).then_some(Why::UnlikePods(value, of_pods))
    }

    /// What is wrong, and what was expected.
    pub fn message(&self, fault: &Fault<'_>) -> String {
        let Fault { place, key, requirement, why, .. } = fault;
        let (is, expected) = match why {
            Why::Absent => ("not set".to_owned(), requirement.allowed()),
            Why::Empty => ("empty".to_owned(), requirement.allowed()),
            Why::NotAllowed(value) => (view::shown(value), requirement.allowed()),
            Why::Unequal(value, other) => {
                let key = requirement.equals.as_deref().unwrap_or_default();
                let expected = match other {
                    Some(other) => format!("{}, as {key} is", view::shown(other)),
                    None => format!("that of {key}, which is not set"),
                };
                (view::shown(value), expected)
            }
            Why::UnlikePods(value, of_pods) => {
                let whose = if self.templates.is_empty() { "selector" } else { "pod template" };
                (view::shown(value), format!("{}, as in its {whose}", view::shown(of_pods)))
            }
        };
        let who = if *place == Place::Object { self.kind } else { "pod template" };
        let noun = if self.field == "labels" { "label" } else { "annotation" };
        format!("{who}: {noun} {key} is {is}, expected {expected}")
    }

    /// The change that mends a fault and brings no other, and whether it is safe. Each value that might is tried out.
    pub fn mend(&mut self, fault: &Fault<'a>, requirements: &[&'a Requirement]) -> Option<(Edit, bool)> {
        // What may change with the label: what is beside it, and what is compared with it.
        let around = |labels: &Self| {
            let mut faults = labels.faults_at(fault.place, requirements, Some(fault.key));
            if fault.place != Place::Object {
                faults.extend(labels.faults_at(Place::Object, requirements, Some(fault.key)));
            }
            faults
        };
        let before = around(self);
        let (value, is_safe) = self.remedies(fault).into_iter().flatten().find(|(value, _)| {
            self.trial = Some((fault.place, fault.key, value));
            let after = around(self);
            self.trial = None;
            let is_left = |left: &Fault<'a>| before.iter().any(|known| known.concerns_the_same(left));
            after.iter().all(|left| !left.concerns_the_same(fault) && is_left(left))
        })?;
        Some((Edit::set(self.path(fault.place, fault.key), value), is_safe))
    }

    /// The values that a label might be given, and whether that is safe: what the pods have adds nothing new to a workload
    /// or Service. All else may be what something selects by, as pods are by Services and namespaces by network policies.
    fn remedies(&self, fault: &Fault<'a>) -> [Option<(&'a str, bool)>; 2] {
        let found = self.get(fault.place, fault.key);
        let is_absent = found.is_none_or(str::is_empty);
        let equal = fault.requirement.equals.as_ref().and_then(|other| self.get(fault.place, other));
        let equal = equal.map(|value| (value, false));
        match fault.place {
            // One label of its own, and it would lose all that it inherits.
            Place::Object if self.inherits => [None, None],
            Place::Object => [self.of_pods(fault.key).map(|value| (value, is_absent)), equal.filter(|_| is_absent)],
            // The workload's selector may name the value that is there, and cannot be changed.
            Place::Template(_) if found.is_some() => [None, None],
            // Of one that inherits, the template's is the object's.
            Place::Template(_) => [self.object.get(fault.key).map(|value| (value, false)), equal],
        }
    }
}
