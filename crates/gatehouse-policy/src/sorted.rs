//! Texts in their order, to be found without a look at each.

use std::collections::BinaryHeap;

/// Texts, each with a number, in the order of both. A map or `sort` would be more of a module than most policies are.
#[derive(Debug, PartialEq, Eq)]
pub struct Sorted<'t>(Vec<(&'t str, usize)>);

impl<'t> FromIterator<(&'t str, usize)> for Sorted<'t> {
    fn from_iter<I: IntoIterator<Item = (&'t str, usize)>>(texts: I) -> Self {
        Self::of(texts.into_iter().collect())
    }
}

impl<'t> Sorted<'t> {
    fn of(texts: Vec<(&'t str, usize)>) -> Self {
        Self(BinaryHeap::from(texts).into_sorted_vec())
    }

    /// Each text with its number.
    pub fn iter(&self) -> impl Iterator<Item = &(&'t str, usize)> {
        self.0.iter()
    }

    /// Those of them that start with no other.
    #[must_use]
    pub fn without_longer(self) -> Self {
        let mut shortest: Vec<(&str, usize)> = Vec::new();
        for (text, number) in self.0 {
            if !shortest.last().is_some_and(|(last, _)| text.starts_with(last)) {
                shortest.push((text, number));
            }
        }
        Self(shortest)
    }

    /// The first number of a text.
    #[must_use]
    pub fn first(&self, text: &str) -> Option<usize> {
        let at = self.0.partition_point(|(of, _)| *of < text);
        self.0.get(at).filter(|(of, _)| *of == text).map(|(_, number)| *number)
    }

    /// The last number of a text below another number.
    #[must_use]
    pub fn last_below(&self, text: &str, number: usize) -> Option<usize> {
        self.before(text, number).filter(|(of, _)| *of == text).map(|(_, number)| number)
    }

    /// Whether a text starts with one of them, where none of them starts with another: then no other comes between it and
    /// the text.
    #[must_use]
    pub fn has_start_of(&self, text: &str) -> bool {
        self.before(text, usize::MAX).is_some_and(|(start, _)| text.starts_with(start))
    }

    /// The last that comes before a text with a number.
    fn before(&self, text: &str, number: usize) -> Option<(&'t str, usize)> {
        let after = self.0.partition_point(|entry| *entry < (text, number));
        self.0.get(after.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds() {
        let sorted: Sorted<'_> = [("b", 2), ("a", 3), ("a", 1)].into_iter().collect();
        assert_eq!(sorted.first("a"), Some(1));
        assert_eq!(sorted.first("c"), None);
        assert_eq!(sorted.last_below("a", 3), Some(1));
        assert_eq!(sorted.last_below("a", 1), None);
        assert_eq!(sorted.last_below("b", usize::MAX), Some(2));
    }

    #[test]
    fn finds_starts() {
        let starts =
            |texts: &[&'static str]| texts.iter().map(|text| (*text, 0)).collect::<Sorted<'_>>().without_longer();
        let prefixes = starts(&["DB_", "A", "DB_X", "DB_"]);
        for (text, expected) in
            [("DB_HOST", true), ("DB_", true), ("DB", false), ("B", false), ("DB_XY", true), ("Z", false), ("", false)]
        {
            assert_eq!(prefixes.has_start_of(text), expected, "{text}");
        }
        assert!(starts(&["", "DB_"]).has_start_of("X"));
    }
}
