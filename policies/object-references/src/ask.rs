//! Questions about what one object names, of which there may be many.

use gatehouse_policy::{Around, ContextError, Path, Report, Rule};
use std::sync::Arc;

/// How many of what an object names under one rule are asked for each at its own place. Nobody names more, and whoever may
/// write an object that does is not to keep the gate busy. Of the others the first that is missing is reported.
const MOST: usize = 100;

/// The way to a list.
type List = &'static [&'static str];

/// A field, whose path is made when it is asked for.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    base: &'p Path,
    /// A list below it and which of its items, and a list below that.
    items: [Option<(List, usize)>; 2],
    field: &'static [&'static str],
}

impl<'p> Place<'p> {
    /// What a path leads to.
    pub fn of(base: &'p Path) -> Self {
        Self { base, items: [None; 2], field: &[] }
    }

    /// An item of a list.
    pub fn item(self, list: List, index: usize) -> Self {
        let [first, _] = self.items;
        let item = Some((list, index));
        Self { items: if first.is_none() { [item, None] } else { [first, item] }, ..self }
    }

    /// A field.
    pub fn field(self, field: &'static [&'static str]) -> Self {
        Self { field, ..self }
    }

    pub fn path(self) -> Path {
        let mut path = self.base.clone();
        for (list, index) in self.items.into_iter().flatten() {
            path = path.join(Path::of(list)).index(index);
        }
        path.join(Path::of(self.field))
    }
}

/// What an object names: another one, a port, or a port of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named<'n> {
    pub name: &'n str,
    /// The name of a port.
    pub port: &'n str,
    /// The number of a port.
    pub number: i64,
    /// The first letter of the port's protocol.
    pub protocol: u8,
}

/// What an object names, once the object is gone; or what has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    pub name: String,
    pub port: String,
    pub number: i64,
    pub protocol: u8,
}

impl From<Named<'_>> for Thing {
    fn from(Named { name, port, number, protocol }: Named<'_>) -> Self {
        Self { name: name.to_owned(), port: port.to_owned(), number, protocol }
    }
}

/// What to say of a thing that is missing.
type Answer = Arc<dyn Fn(&Around<'_>, &Thing) -> Result<Option<String>, ContextError> + Send + Sync>;

/// Asks about each of what an object names, where it is named first.
pub fn each(
    report: &mut Report<'_>,
    rule: &Rule,
    named: &[(Named<'_>, Place<'_>)],
    answer: impl Fn(&Around<'_>, &Thing) -> Result<Option<String>, ContextError> + Send + Sync + 'static,
) {
    if report.level(rule).is_none() {
        return;
    }
    let answer: Answer = Arc::new(answer);
    let mut first: Vec<Named<'_>> = Vec::new();
    let mut left = named.iter();
    while first.len() < MOST {
        let Some((next, place)) = left.next() else { return };
        if !first.contains(next) {
            first.push(*next);
            ask(report, rule, *place, vec![(*next).into()], &answer, Vec::new());
        }
    }
    if let Some((next, place)) = left.next() {
        let rest = [next].into_iter().chain(left.map(|(next, _)| next)).map(|next| (*next).into()).collect();
        ask(report, rule, *place, rest, &answer, first.into_iter().map(Thing::from).collect());
    }
}

/// Asks about the first of several things that is missing, and not among those that are asked about already.
fn ask(report: &mut Report<'_>, rule: &Rule, place: Place<'_>, things: Vec<Thing>, answer: &Answer, but: Vec<Thing>) {
    let answer = answer.clone();
    report.add_if(rule, place.path(), move |around| {
        for thing in &things {
            if let Some(message) = answer(around, thing)?
                && !but.contains(thing)
            {
                return Ok(Some(message));
            }
        }
        Ok(None)
    });
}
