//! What a field of a security context must be.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Edit, Ids, Node, Path, Report, Rule};

use crate::view::{Container, Pod, SecurityContext, may_change_pod};

/// What one field must be, in the security context of a pod or of a container.
pub struct Demand<'d> {
    pub rule: &'d Rule,
    pub field: &'d [&'static str],
    /// The field; null where it is absent.
    pub value: fn(&SecurityContext<'_>) -> Node<'static>,
    /// Whether the field may have this value.
    pub allows: Box<dyn Fn(&Node<'_>) -> bool + 'd>,
    /// The same in words.
    pub expected: String,
    /// The value that would do; null where there is no telling which of several.
    pub mend: Node<'static>,
}

impl<'d> Demand<'d> {
    /// That an id, or each of a list, is one of the team's; where the team has no list, that it is not 0, unless `root` is
    /// allowed.
    pub fn id(
        rule: &'d Rule,
        field: &'d [&'static str],
        value: fn(&SecurityContext<'_>) -> Node<'static>,
        team: Option<&'d Ids>,
        root: bool,
    ) -> Self {
        let allows = move |value: &Node<'_>| {
            let is_allowed =
                |id: &Node<'_>| id.as_i64().is_some_and(|id| team.map_or(root || id != 0, |team| team.contains(id)));
            match &value.data {
                Data::Null => team.is_none(),
                Data::Array(ids) if ids.is_empty() => team.is_none(),
                Data::Array(ids) => ids.iter().all(is_allowed),
                _ => is_allowed(value),
            }
        };
        let expected = team.map_or_else(|| "any but 0".to_owned(), ToString::to_string);
        Self { rule, field, value, allows: Box::new(allows), expected, mend: team.and_then(Ids::only).into() }
    }

    /// Judges a field that a container takes from its pod unless it has its own: each container that has its own, and
    /// then the pod for all that have not. Where the pod must not be changed, or concerns others too, each container is
    /// judged by itself.
    pub fn judge_containers(&self, pod: &Pod<'_>, containers: &[&Container<'_>], report: &mut Report<'_>) {
        let inherited = (self.value)(&pod.security_context);
        let may_inherit = may_change_pod(pod) && containers.len() == pod.containers().count();
        let mut heirs = Vec::new();
        for container in containers {
            let own = (self.value)(&container.security_context);
            let effective = if own.is_null() { &inherited } else { &own };
            if (self.allows)(effective) {
                continue;
            }
            if own.is_null() && may_inherit {
                heirs.push(*container);
            } else {
                self.report(effective, container.at(&["securityContext"]), &container.to_string(), report);
            }
        }
        if !heirs.is_empty() {
            self.report(&inherited, pod.at(&["securityContext"]), &listed(&heirs), report);
        }
    }

    /// Judges the pod's own value, of which `whose` tells whom it concerns.
    pub fn judge_pod(&self, pod: &Pod<'_>, whose: &str, report: &mut Report<'_>) {
        let value = (self.value)(&pod.security_context);
        if !(self.allows)(&value) {
            self.report(&value, pod.at(&["securityContext"]), whose, report);
        }
    }

    fn report(&self, value: &Node<'_>, security_context: Path, whose: &str, report: &mut Report<'_>) {
        let path = security_context.join(Path::of(self.field));
        let found = if value.is_null() { "not set".to_owned() } else { value.to_json() };
        let message = || format!("{whose}: {} is {found}, expected {}", self.field.join("."), self.expected);
        let added = report.add(self.rule, path.clone(), message);
        if !self.mend.is_null() {
            added.unsafe_fix([Edit::set(path, self.mend.clone())]);
        }
    }
}

/// The first containers by name, and how many more there are: a message is for people.
fn listed(containers: &[&Container<'_>]) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = containers.iter().take(SHOWN).map(ToString::to_string).collect();
    match containers.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
