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
    groups: Vec<(Group, Sums)>,
    who: Vec<Who>,
    /// The key that was added last.
    key: String,
}

/// What is added up: scopes select all of it or nothing.
#[derive(PartialEq, Eq)]
pub struct Group {
    /// What scopes select by.
    pub subject: Subject,
    /// Of what there is one on each node: how many more an update makes.
    pub per_node: Option<Surge>,
}

/// How much is needed of each key. Those that were there when it was put in order come first, each once.
#[derive(Default)]
struct Sums {
    parts: Vec<Part>,
    ordered: usize,
}

/// Before a key of what comes on top while workloads are updated.
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

impl Sums {
    fn at(&self, key: &str) -> Option<usize> {
        let ordered = self.parts.get(..self.ordered)?;
        let at = ordered.partition_point(|part| &*part.key < key);
        ordered.get(at).filter(|part| part.key == key).map(|_| at)
    }

    fn add(&mut self, key: &str, amount: u128, whose: usize) {
        if let Some(part) = self.at(key).and_then(|at| self.parts.get_mut(at)) {
            part.total = plus(part.total, amount);
            if amount > part.most {
                (part.most, part.whose) = (amount, whose);
            }
            return;
        }
        self.parts.push(Part { key: key.to_owned(), total: amount, most: amount, whose });
        if self.parts.len() > 2 * self.ordered + 16 {
            self.order();
        }
    }

    /// Puts the keys in order, and what was added to each together.
    fn order(&mut self) {
        let (mut totals, mut most) = (Parts::default(), Parts::default());
        for (index, part) in self.parts.iter().enumerate() {
            totals.add(&part.key, index, 0, part.total);
            most.add(&part.key, 0, u128::MAX - part.most, index as u128);
        }
        let mut parts = Vec::new();
        for ((key, total), (_, index)) in totals.sum().into_iter().zip(most.sum()) {
            let of_most = usize::try_from(index).ok().and_then(|index| self.parts.get(index));
            let (most, whose) = of_most.map_or((0, usize::MAX), |part| (part.most, part.whose));
            parts.push(Part { key: key.to_owned(), total, most, whose });
        }
        self.ordered = parts.len();
        self.parts = parts;
    }
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
    /// Adds objects that quotas count, whatever they are.
    pub fn add_objects(&mut self, key: &str, number: usize) {
        let group = self.group(Group { subject: Subject::Other, per_node: None });
        self.add(group, ["", key], ONE, Times { steady: number as u128, surge: 0 }, usize::MAX);
    }

    /// The number of a group.
    pub fn group(&mut self, group: Group) -> usize {
        let found = self.groups.iter().position(|(of, _)| *of == group);
        found.unwrap_or_else(|| {
            self.groups.push((group, Sums::default()));
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
        let Some((_, sums)) = self.groups.get_mut(group) else { return };
        for (of, times) in [("", times.steady), (SURGE, times.surge)] {
            if times > 0 {
                self.key.clear();
                for part in [of, start, end] {
                    self.key.push_str(part);
                }
                sums.add(&self.key, product(amount, times), whose);
            }
        }
    }

    /// Adds up what was added.
    pub fn finish(mut self) -> Self {
        for (_, sums) in &mut self.groups {
            sums.order();
        }
        self
    }

    /// How much is needed of what a quota with these scopes limits, and who needs the most.
    pub fn of(&self, key: &str, scopes: &Scopes, extent: Extent) -> (u128, Option<(u128, &Who)>) {
        let nodes = extent.nodes.unwrap_or_default().into();
        let (mut total, mut most) = (0, None::<(u128, &Who)>);
        for (group, sums) in &self.groups {
            let part = |key: &str| sums.parts.get(sums.at(key)?);
            let Some(part_of_key) = part(key).filter(|_| scopes.select(&group.subject)) else { continue };
            let (times, surge) = match group.per_node {
                None => (1, part(&[SURGE, key].concat()).map_or(0, |part| part.total)),
                Some(surge) => (nodes, product(part_of_key.total, surge.of(nodes))),
            };
            total = plus(total, product(part_of_key.total, times));
            if extent.surge {
                total = plus(total, surge);
            }
            let part_of_most = product(part_of_key.most, times);
            if let Some(who) =
                self.who.get(part_of_key.whose).filter(|_| part_of_most > most.map_or(0, |(most, _)| most))
            {
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
