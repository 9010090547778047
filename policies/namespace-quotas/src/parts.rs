//! Amounts by name, put together in the order of the names: a map would be a good part of a module.

use std::collections::BinaryHeap;

use gatehouse_policy::Node;

use crate::amount::{plus, written};

/// Amounts by name, each name once, in order. Those of resources are thousandths.
pub type Millis<'n> = Vec<(&'n str, u128)>;

/// The same, to be kept: it borrows nothing.
pub type Kept = Vec<(String, u128)>;

/// Keeps amounts.
pub fn keep(amounts: &Millis<'_>, kept: &mut Kept) {
    for (name, amount) in amounts {
        kept.push(((*name).to_owned(), *amount));
    }
}

/// The amount of a name.
pub fn get(amounts: &Millis<'_>, name: &str) -> Option<u128> {
    let at = amounts.partition_point(|(of, _)| *of < name);
    amounts.get(at).filter(|(of, _)| *of == name).map(|(_, amount)| *amount)
}

/// Amounts that are still to be put together.
#[derive(Default)]
pub struct Parts<'n>(Vec<Part<'n>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Part<'n> {
    name: &'n str,
    /// Whose it is.
    holder: usize,
    /// Of several that a holder has of one name, the one of the lowest rank counts.
    rank: u128,
    amount: u128,
}

impl<'n> Parts<'n> {
    /// The amounts that stand at the end of a chain of members.
    #[inline(never)]
    pub fn of(node: &'n Node<'_>, way: &[&'static str]) -> Self {
        let mut parts = Self::default();
        parts.read(node, way, 0, 0);
        parts
    }

    #[inline(never)]
    pub fn add(&mut self, name: &'n str, holder: usize, rank: u128, amount: u128) {
        self.0.push(Part { name, holder, rank, amount });
    }

    pub fn add_all(&mut self, amounts: &Millis<'n>, holder: usize, rank: u128) {
        for (name, amount) in amounts {
            self.add(name, holder, rank, *amount);
        }
    }

    /// Adds what is kept of a holder: of several amounts of a name the first counts.
    pub fn add_kept(&mut self, amounts: &'n Kept, holder: usize, rank: u128) {
        for (rank, (name, amount)) in (rank..).zip(amounts) {
            self.add(name, holder, rank, *amount);
        }
    }

    /// Adds the amounts that stand at the end of a chain of members. Of what is no amount there is none: no API server has it.
    pub fn read(&mut self, node: &'n Node<'_>, way: &[&'static str], holder: usize, rank: u128) {
        for (name, amount) in written(node, way).unwrap_or_default() {
            self.add(name, holder, rank, amount.millis());
        }
    }

    /// What all holders have together.
    pub fn sum(self) -> Millis<'n> {
        self.peak(&[])
    }

    /// What all holders have together at most at any one time. Those beyond `stays` are [`Stay::Always`].
    pub fn peak(self, stays: &[Stay]) -> Millis<'n> {
        let mut all = Millis::new();
        let mut last = None;
        let (mut staying, mut sidecars, mut starting) = (0, 0, 0);
        for Part { name, holder, amount, .. } in BinaryHeap::from(self.0).into_sorted_vec() {
            if last == Some((name, holder)) {
                continue;
            }
            if let Some((of, _)) = last.filter(|(of, _)| *of != name) {
                all.push((of, staying.max(starting)));
                (staying, sidecars, starting) = (0, 0, 0);
            }
            match stays.get(holder).unwrap_or(&Stay::Always) {
                Stay::Briefly => starting = starting.max(plus(sidecars, amount)),
                stay => {
                    staying = plus(staying, amount);
                    if *stay == Stay::Beside {
                        sidecars = plus(sidecars, amount);
                    }
                }
            }
            last = Some((name, holder));
        }
        if let Some((of, _)) = last {
            all.push((of, staying.max(starting)));
        }
        all
    }
}

/// How long a holder has what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// From the last that starts on.
    Always,
    /// From where it stands among the holders on.
    Beside,
    /// When its turn comes, beside those before it that are [`Stay::Beside`].
    Briefly,
}
