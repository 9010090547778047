//! Questions about what one object names, of which there may be many.

use gatehouse_policy::{Around, ContextError, Path, Report, Rule};

/// How many of what an object names under one rule are asked for each at its own place. Nobody names more, and whoever may
/// write an object that does is not to keep the gate busy. Of the others the first that is missing is reported.
const MOST: usize = 100;

/// What knows where in the object it is.
pub trait At {
    /// Where it is.
    fn at(&self) -> Path;
}

impl At for Path {
    fn at(&self) -> Path {
        self.clone()
    }
}

/// A field, found when it is asked for.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    base: &'p dyn At,
    /// The list below it, and which of its items.
    item: Option<(&'static str, usize)>,
    field: &'static [&'static str],
}

impl<'p> Place<'p> {
    /// A field of what `base` leads to.
    pub fn of(base: &'p dyn At, field: &'static [&'static str]) -> Self {
        Self { base, item: None, field }
    }

    /// A field of an item of a list.
    pub fn in_list(base: &'p dyn At, list: &'static str, index: usize, field: &'static [&'static str]) -> Self {
        Self { base, item: Some((list, index)), field }
    }

    /// Where the item is.
    pub fn item(self) -> Path {
        match self.item {
            Some((list, index)) => self.base.at().key(list).index(index),
            None => self.base.at(),
        }
    }

    fn path(self) -> Path {
        self.item().join(Path::of(self.field))
    }
}

/// Asks about each of what an object names, at its place.
pub fn each<'p, T: Send + 'static>(
    report: &mut Report<'_>,
    rule: &Rule,
    named: impl IntoIterator<Item = (T, Place<'p>)>,
    answer: impl Fn(&Around<'_>, &T) -> Result<Option<String>, ContextError> + Clone + Send + 'static,
) {
    if report.level(rule).is_none() {
        return;
    }
    let mut named = named.into_iter();
    for (what, place) in named.by_ref().take(MOST) {
        let answer = answer.clone();
        report.add_if(rule, place.path(), move |around| answer(around, &what));
    }
    let Some((first, place)) = named.next() else { return };
    let rest: Vec<T> = [first].into_iter().chain(named.map(|(what, _)| what)).collect();
    report.add_if(rule, place.path(), move |around| {
        for what in &rest {
            if let Some(message) = answer(around, what)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    });
}
