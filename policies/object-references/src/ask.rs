//! Questions about what one object names, of which there may be many.

use std::sync::Arc;

use gatehouse_policy::{Around, ContextError, Path, Report, Rule};

/// How many of what an object names under one rule are asked for each at its own place. Nobody names more, and whoever may
/// write an object that does is not to keep the gate busy. Of the others the first that is missing is reported.
const MOST: usize = 100;

/// A field, found when it is asked for.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    base: &'p Path,
    /// The list below it, and which of its items.
    item: Option<(&'static str, usize)>,
    field: &'static [&'static str],
}

impl<'p> Place<'p> {
    /// A field of what `base` leads to.
    pub fn of(base: &'p Path, field: &'static [&'static str]) -> Self {
        Self { base, item: None, field }
    }

    /// A field of an item of a list.
    pub fn in_list(base: &'p Path, list: &'static str, index: usize, field: &'static [&'static str]) -> Self {
        Self { base, item: Some((list, index)), field }
    }

    fn path(self) -> Path {
        let base = match self.item {
            Some((list, index)) => self.base.clone().key(list).index(index),
            None => self.base.clone(),
        };
        base.join(Path::of(self.field))
    }
}

/// What an object names: another one, a port, or a port of another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    pub name: String,
    /// The name of a port.
    pub port: String,
    /// The number of a port.
    pub number: i64,
    /// The first letter of the port's protocol.
    pub protocol: u8,
}

/// What to say of a thing that is missing.
type Answer = Arc<dyn Fn(&Around<'_>, &Thing) -> Result<Option<String>, ContextError> + Send + Sync>;

/// Asks about each of what an object names, at its place.
pub fn each(
    report: &mut Report<'_>,
    rule: &Rule,
    things: &[(Thing, Place<'_>)],
    answer: impl Fn(&Around<'_>, &Thing) -> Result<Option<String>, ContextError> + Send + Sync + 'static,
) {
    let answer: Answer = Arc::new(answer);
    let (first, rest) = things.split_at(things.len().min(MOST));
    for (thing, place) in first {
        ask(report, rule, *place, vec![thing.clone()], &answer);
    }
    if let [(_, place), ..] = rest {
        ask(report, rule, *place, rest.iter().map(|(thing, _)| thing.clone()).collect(), &answer);
    }
}

fn ask(report: &mut Report<'_>, rule: &Rule, place: Place<'_>, things: Vec<Thing>, answer: &Answer) {
    let answer = answer.clone();
    report.add_if(rule, place.path(), move |around| {
        for thing in &things {
            if let Some(message) = answer(around, thing)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    });
}
