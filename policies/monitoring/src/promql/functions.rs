//! Functions and aggregations, with those that Prometheus has behind a feature flag, and `holt_winters`, which
//! version 3 calls otherwise (<https://github.com/prometheus/prometheus/blob/main/promql/parser/functions.go>).

use std::fmt::{self, Display};

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "a scalar",
            Self::Vector => "an instant vector",
            Self::Matrix => "a range vector",
            Self::Text => "a string",
        })
    }
}

/// A function, or an aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function<'e> {
    pub name: &'e str,
    /// The types of its arguments, a letter each: `s`calar, `v`ector, `m`atrix, `t`ext. After them `?` where the last need not
    /// be there, `*` where it may also be there any number of times, and `9` for up to nine more of them.
    arguments: &'static str,
    pub result: Type,
}

/// Those that give vectors. In the order of the alphabet.
const VECTORS: &[(&str, &str)] = &[
    ("abs", "v"),
    ("absent", "v"),
    ("absent_over_time", "m"),
    ("acos", "v"),
    ("acosh", "v"),
    ("asin", "v"),
    ("asinh", "v"),
    ("atan", "v"),
    ("atanh", "v"),
    ("avg_over_time", "m"),
    ("ceil", "v"),
    ("changes", "m"),
    ("clamp", "vss"),
    ("clamp_max", "vs"),
    ("clamp_min", "vs"),
    ("cos", "v"),
    ("cosh", "v"),
    ("count_over_time", "m"),
    ("day_of_month", "v?"),
    ("day_of_week", "v?"),
    ("day_of_year", "v?"),
    ("days_in_month", "v?"),
    ("deg", "v"),
    ("delta", "m"),
    ("deriv", "m"),
    ("double_exponential_smoothing", "mss"),
    ("exp", "v"),
    ("first_over_time", "m"),
    ("floor", "v"),
    ("histogram_avg", "v"),
    ("histogram_count", "v"),
    ("histogram_fraction", "ssv"),
    ("histogram_quantile", "sv"),
    ("histogram_quantiles", "vtss9"),
    ("histogram_stddev", "v"),
    ("histogram_stdvar", "v"),
    ("histogram_sum", "v"),
    ("holt_winters", "mss"),
    ("hour", "v?"),
    ("idelta", "m"),
    ("increase", "m"),
    ("info", "vv?"),
    ("integral", "ms?"),
    ("irate", "m"),
    ("label_join", "vttt*"),
    ("label_replace", "vtttt"),
    ("last_over_time", "m"),
    ("ln", "v"),
    ("log10", "v"),
    ("log2", "v"),
    ("mad_over_time", "m"),
    ("max_over_time", "m"),
    ("min_over_time", "m"),
    ("minute", "v?"),
    ("month", "v?"),
    ("predict_linear", "ms"),
    ("present_over_time", "m"),
    ("quantile_over_time", "sm"),
    ("rad", "v"),
    ("rate", "m"),
    ("resets", "m"),
    ("round", "vs?"),
    ("sgn", "v"),
    ("sin", "v"),
    ("sinh", "v"),
    ("sort", "v"),
    ("sort_by_label", "vt*"),
    ("sort_by_label_desc", "vt*"),
    ("sort_desc", "v"),
    ("sqrt", "v"),
    ("start_timestamp", "v"),
    ("stddev_over_time", "m"),
    ("stdvar_over_time", "m"),
    ("sum_over_time", "m"),
    ("tan", "v"),
    ("tanh", "v"),
    ("timestamp", "v"),
    ("ts_of_first_over_time", "m"),
    ("ts_of_last_over_time", "m"),
    ("ts_of_max_over_time", "m"),
    ("ts_of_min_over_time", "m"),
    ("vector", "s"),
    ("year", "v?"),
];

/// Those that give scalars.
const SCALARS: &[(&str, &str)] = &[
    ("end", ""),
    ("max_of", "ss"),
    ("min_of", "ss"),
    ("pi", ""),
    ("range", ""),
    ("scalar", "v"),
    ("start", ""),
    ("step", ""),
    ("time", ""),
];

/// Those over the series of a vector, in whatever case.
const AGGREGATIONS: &[(&str, &str)] = &[
    ("avg", "v"),
    ("bottomk", "sv"),
    ("count", "v"),
    ("count_values", "tv"),
    ("group", "v"),
    ("limit_ratio", "sv"),
    ("limitk", "sv"),
    ("max", "v"),
    ("min", "v"),
    ("quantile", "sv"),
    ("stddev", "v"),
    ("stdvar", "v"),
    ("sum", "v"),
    ("topk", "sv"),
];

impl<'e> Function<'e> {
    /// The function of a name.
    pub fn named(name: &'e str) -> Option<Self> {
        let vector =
            VECTORS.binary_search_by(|(known, _)| (*known).cmp(name)).ok().map(|at| (VECTORS[at].1, Type::Vector));
        let scalar = || SCALARS.iter().find(|(known, _)| *known == name).map(|(_, of)| (*of, Type::Scalar));
        let (arguments, result) = vector.or_else(scalar)?;
        Some(Self { name, arguments, result })
    }

    /// The aggregation of a name.
    pub fn aggregation(name: &'e str) -> Option<Self> {
        let (_, arguments) = AGGREGATIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(Self { name, arguments, result: Type::Vector })
    }

    fn types(&self) -> &'static str {
        self.arguments.trim_end_matches(['?', '*', '9'])
    }

    /// The least and the most arguments that it takes.
    pub fn bounds(&self) -> (usize, usize) {
        let number = self.types().len();
        match self.arguments.bytes().last() {
            Some(b'?') => (number - 1, number),
            Some(b'*') => (number - 1, usize::MAX),
            Some(b'9') => (number - 1, number + 8),
            _ => (number, number),
        }
    }

    /// The type of an argument, counted from 0.
    pub fn argument(&self, place: usize) -> Option<Type> {
        let types = self.types().as_bytes();
        Some(match types.get(place).or(types.last())? {
            b's' => Type::Scalar,
            b'v' => Type::Vector,
            b'm' => Type::Matrix,
            _ => Type::Text,
        })
    }
}

/// The names of all functions and aggregations.
pub fn names() -> impl Iterator<Item = &'static str> {
    VECTORS.iter().chain(SCALARS).chain(AGGREGATIONS).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_in_order() {
        assert!(VECTORS.is_sorted());
    }
}
