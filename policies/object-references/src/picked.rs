//! What a selector selects, and its ports.

use std::fmt::Write;
use std::sync::Arc;

use gatehouse_policy::{Around, ContextError, Gather, Kind, Listed};

use crate::labels::{Labelled, Labels, Selected, Selector, describe, pairs, select};
use crate::sorted::{Sorted, hint};
use crate::workloads::{most, others, read_port, within};

/// Services, with what Ingresses and monitors need to know of them.
pub const SERVICES: Kind<Listed> =
    Kind::listed("v1", "Service", &["metadata.labels", "spec.ports.name", "spec.ports.port", "spec.ports.protocol"]);

/// How many things are looked at for their ports: who selects more means no port of one of them.
const MOST: usize = 100;

/// What a selector selects.
#[derive(Clone, Debug, Default)]
pub struct Picked {
    pub selected: Selected,
    /// What it asks for, in words, where it selects nothing.
    pub asked: String,
    /// The names of the ports, each with its protocol.
    names: Sorted,
    /// Their numbers, as texts.
    numbers: Sorted,
    /// Whether there may be ports that are not to be seen.
    is_open: bool,
    /// Whether some declare no port at all: they need not.
    is_silent: bool,
}

impl Picked {
    fn of(among: &[&Labels], selector: &Selector) -> Self {
        let (mut names, mut numbers) = (Vec::new(), Vec::new());
        let (mut is_open, mut is_silent, mut number) = (false, false, 0);
        let selected = select(among, selector, &mut |of: &Labelled| {
            for port in &of.ports {
                names.push((port.port.clone(), port.protocol.into()));
                numbers.push((port.number.to_string(), 0));
            }
            number += 1;
            is_open |= of.is_open || number == MOST;
            is_silent |= of.ports.is_empty();
            number < MOST
        });
        let asked = if selected == Selected::Nothing { describe(among, selector) } else { String::new() };
        Self { selected, asked, names: Sorted::of(names), numbers: Sorted::of(numbers), is_open, is_silent }
    }

    /// Whether there is, or may be, a port of that name, with that protocol if one is given.
    pub fn may_have_name(&self, name: &str, protocol: Option<u8>) -> bool {
        let of_name =
            |(of, with): &(String, usize)| of == name && protocol.is_none_or(|protocol| usize::from(protocol) == *with);
        self.is_open || self.names.starting_with(name).iter().any(of_name)
    }

    /// Whether there is, or may be, a port of that number.
    pub fn may_have_number(&self, number: i64) -> bool {
        self.is_open || self.is_silent || self.numbers.get(&number.to_string()).is_some()
    }

    /// The numbers of ports that are declared, to follow a message.
    pub fn declared(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for number in self.numbers.iter() {
            if number != last && text.len() < 60 {
                let before = if text.is_empty() { ", expected one of " } else { ", " };
                let _ = write!(text, "{before}{number}");
            }
            last = number;
        }
        text
    }

    /// The name nearest to one that no port has, to follow a message.
    pub fn near(&self, name: &str) -> String {
        hint(name, self.names.near(name))
    }

    /// What runs in a namespace of the cluster itself, whoever set the cluster up has put there.
    fn unless_of_cluster(mut self, namespace: &str) -> Self {
        if (namespace == "kube-system" || namespace.starts_with("gke-managed-")) && self.selected == Selected::Nothing {
            self.selected = Selected::Unknown;
        }
        self
    }
}

/// The pods of a namespace that are selected; those of the cluster where it is empty. With `is_all` also pods that are not of
/// the usual workloads.
pub fn pods(around: &Around<'_>, namespace: &str, selector: &Selector, is_all: bool) -> Result<Picked, ContextError> {
    let most = most(around, namespace)?;
    if !is_all {
        return Ok(Picked::of(&[&*most], selector));
    }
    let others = others(around, namespace)?;
    Ok(Picked::of(&[&*most, &*others], selector).unless_of_cluster(namespace))
}

/// As [`pods`], those of the usual workloads where there are some.
pub fn any_pods(around: &Around<'_>, namespace: &str, selector: &Selector) -> Result<Picked, ContextError> {
    let picked = pods(around, namespace, selector, false)?;
    if picked.selected == Selected::Something { Ok(picked) } else { pods(around, namespace, selector, true) }
}

/// The Services of a namespace that are selected.
pub fn services(around: &Around<'_>, namespace: &str, selector: &Selector) -> Result<Picked, ContextError> {
    let services = around.gathered::<Services>(namespace)?;
    Ok(Picked::of(&[&services.all], selector).unless_of_cluster(namespace))
}

/// The names of the Services of a namespace.
pub fn service_names(around: &Around<'_>, namespace: &str) -> Result<Sorted, ContextError> {
    Ok(around.gathered::<Services>(namespace)?.names.clone())
}

/// The Services of a namespace; those of the cluster where it is empty.
pub struct Services {
    pub all: Labels,
    /// Which of them has a name.
    names: Sorted,
}

impl Gather for Services {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let mut all = Vec::new();
        around.each(&SERVICES, within(namespace), &mut |service| {
            all.push(Labelled {
                name: service.text(&["metadata", "name"]).to_owned(),
                labels: pairs(service.members(&["metadata", "labels"])).collect(),
                ports: service.items(&["spec", "ports"]).iter().map(|port| read_port(port, "port")).collect(),
                is_open: false,
            });
        })?;
        if matches!(namespace, "default" | "") {
            // Every cluster has that of the API server.
            let labels = [("component", "apiserver"), ("provider", "kubernetes")];
            let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            all.push(Labelled { labels, is_open: true, ..Labelled::default() });
        }
        let names = all.iter().enumerate().map(|(number, of)| (of.name.clone(), number)).collect();
        Ok(Self { all: Labels::of(all), names })
    }
}

impl Services {
    /// The one of that name.
    pub fn named(&self, name: &str) -> Option<&Labelled> {
        self.all.things().get(self.names.get(name)?)
    }
}

/// The Services of a namespace.
pub fn all_services(around: &Around<'_>, namespace: &str) -> Result<Arc<Services>, ContextError> {
    around.gathered::<Services>(namespace)
}
