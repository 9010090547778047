//! What is needed of a namespace's quotas.

use std::fmt::{self, Display};

use crate::amount::{ONE, plus, product};
use crate::parts::Parts;
use crate::scope::{Scopes, Subject};
use crate::settings::NamespaceQuotas;
use crate::surge::Surge;

/// What is needed, by what scopes select and by what quotas limit: keys are canonical.
#[derive(Default)]
pub struct Needs {
    groups: Vec<Group>,
    who: Vec<Who>,
    /// What each needs, and then what all together need, in the order of the keys: each starts with its group's number.
    parts: Vec<Part>,
}

/// What is added up: scopes select all of it or nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Group {
    /// What scopes select by.
    pub subject: Subject,
    /// Of what there is one on each node: how many more an update makes.
    pub per_node: Option<Surge>,
}

/// Between the number of a group and a key: what is needed at any time, and what comes on top while workloads are updated.
const STEADY: &str = "/";
const SURGE: &str = "+";

/// How much is needed of a key.
struct Part {
    key: String,
    total: u128,
    /// The greatest part of the total.
    most: u128,
    /// Whose that is.
    whose: usize,
}

/// Who needs something: `Deployment web with 3 pods`.
#[derive(Clone)]
pub struct Who {
    pub kind: &'static str,
    pub name: String,
    /// How many pods it has at most, if that is of interest.
    pub pods: Option<u64>,
}

impl Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, pods } = self;
        match pods {
            None => write!(f, "{kind} {name}"),
            Some(1) => write!(f, "{kind} {name} with 1 pod"),
            Some(pods) => write!(f, "{kind} {name} with {pods} pods"),
        }
    }
}

/// How often something is needed.
#[derive(Clone, Copy)]
pub struct Times {
    /// At any time.
    pub steady: u128,
    /// And while its workload is updated.
    pub surge: u128,
}

impl Times {
    pub const ONCE: Self = Self { steady: 1, surge: 0 };
}

impl Needs {
    /// So many objects that a quota counts.
    pub fn of_objects(key: &str, number: usize) -> Self {
        let mut needs = Self::default();
        needs.add_objects(key, number);
        needs
    }

    /// Adds objects that quotas count, whatever they are.
    pub fn add_objects(&mut self, key: &str, number: usize) {
        let group = self.group(Group { subject: Subject::Other, per_node: None });
        self.add(group, ["", key], ONE, Times { steady: number as u128, surge: 0 }, usize::MAX);
    }

    /// The number of a group.
    pub fn group(&mut self, group: Group) -> usize {
        let found = self.groups.iter().position(|of| *of == group);
        found.unwrap_or_else(|| {
            self.groups.push(group);
            self.groups.len() - 1
        })
    }

    /// The number of somebody.
    pub fn who(&mut self, who: Who) -> usize {
        self.who.push(who);
        self.who.len() - 1
    }

    /// Adds what somebody needs of a key, which is in two parts, so many times.
    pub fn add(&mut self, group: usize, [start, end]: [&str; 2], amount: u128, times: Times, whose: usize) {
        for (of, times) in [(STEADY, times.steady), (SURGE, times.surge)] {
            if times > 0 {
                let total = product(amount, times);
                self.parts.push(Part { key: format!("{group}{of}{start}{end}"), total, most: total, whose });
            }
        }
    }

    /// Adds up what was added.
    pub fn finish(mut self) -> Self {
        let (mut totals, mut most) = (Parts::default(), Parts::default());
        for (index, Part { key, total, .. }) in self.parts.iter().enumerate() {
            totals.add(key, index, 0, *total);
            most.add(key, 0, u128::MAX - total, index as u128);
        }
        let mut parts = Vec::new();
        for ((key, total), (_, index)) in totals.sum().into_iter().zip(most.sum()) {
            let of_most = usize::try_from(index).ok().and_then(|index| self.parts.get(index));
            let (most, whose) = of_most.map_or((0, usize::MAX), |part| (part.total, part.whose));
            parts.push(Part { key: key.to_owned(), total, most, whose });
        }
        self.parts = parts;
        self
    }

    fn part(&self, group: usize, of: &str, key: &str) -> Option<&Part> {
        let key = format!("{group}{of}{key}");
        let at = self.parts.partition_point(|part| part.key < key);
        self.parts.get(at).filter(|part| part.key == key)
    }

    /// How much is needed of what a quota with these scopes limits, and who needs the most.
    pub fn of(&self, key: &str, scopes: &Scopes, extent: Extent) -> (u128, Option<(u128, &Who)>) {
        let nodes = extent.nodes.unwrap_or_default().into();
        let (mut total, mut most) = (0, None::<(u128, &Who)>);
        for (index, group) in self.groups.iter().enumerate() {
            if !scopes.select(&group.subject) {
                continue;
            }
            let Some(part) = self.part(index, STEADY, key) else { continue };
            let (times, surge) = match group.per_node {
                None => (1, self.part(index, SURGE, key).map_or(0, |part| part.total)),
                Some(surge) => (nodes, product(part.total, surge.of(nodes))),
            };
            total = plus(total, product(part.total, times));
            if extent.surge {
                total = plus(total, surge);
            }
            let part_of_most = product(part.most, times);
            if let Some(who) = self.who.get(part.whose).filter(|_| part_of_most > most.map_or(0, |(most, _)| most)) {
                most = Some((part_of_most, who));
            }
        }
        (total, most)
    }
}

/// How far the settings want it counted.
#[derive(Clone, Copy)]
pub struct Extent {
    nodes: Option<u32>,
    surge: bool,
}

impl From<&NamespaceQuotas> for Extent {
    fn from(settings: &NamespaceQuotas) -> Self {
        Self { nodes: settings.nodes, surge: settings.surge }
    }
}
