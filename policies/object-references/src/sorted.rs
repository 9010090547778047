//! Texts in their order, to be found without a look at each.

use std::collections::BinaryHeap;

use gatehouse_policy::nearest;

/// Texts, each with a number, in the order of both.
#[derive(Clone, Debug, Default)]
pub struct Sorted(Vec<(String, usize)>);

impl FromIterator<(String, usize)> for Sorted {
    fn from_iter<I: IntoIterator<Item = (String, usize)>>(texts: I) -> Self {
        Self::of(texts.into_iter().collect())
    }
}

impl Sorted {
    pub fn of(texts: Vec<(String, usize)>) -> Self {
        Self(BinaryHeap::from(texts).into_sorted_vec())
    }

    fn at(&self, text: &str) -> usize {
        self.0.partition_point(|(of, _)| &**of < text)
    }

    /// The number of a text.
    pub fn get(&self, text: &str) -> Option<usize> {
        self.0.get(self.at(text)).filter(|(of, _)| of == text).map(|(_, number)| *number)
    }

    /// Those that start with a text.
    pub fn starting_with(&self, start: &str) -> &[(String, usize)] {
        let rest = self.0.get(self.at(start)..).unwrap_or_default();
        rest.get(..rest.partition_point(|(of, _)| of.starts_with(start))).unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(text, _)| &**text)
    }

    /// Those that stand around a text, and are about as long: one that is nearer may stand elsewhere, but to look at all for
    /// each text that is missing would take as long as there are texts.
    pub fn near(&self, text: &str) -> Vec<&str> {
        const AROUND: usize = 32;
        let at = self.at(text);
        let those = self.0.get(at.saturating_sub(AROUND)..self.0.len().min(at + AROUND)).unwrap_or_default();
        let those = those.iter().map(|(of, _)| &**of);
        those.filter(|of| of.len().abs_diff(text.len()) <= of.len().max(3) / 3).collect()
    }
}

/// The nearest of some texts, to follow a message that another is missing.
pub fn hint(text: &str, near: Vec<&str>) -> String {
    match nearest(text, near.into_iter()) {
        Some(near) => format!("; the nearest is {near:?}"),
        None => String::new(),
    }
}
