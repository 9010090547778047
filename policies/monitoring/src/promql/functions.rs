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
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: &'static str,
    /// The types of its arguments, a letter each: `s`calar, `v`ector, `m`atrix, `t`ext. After them `?` where the last need not
    /// be there, `*` where it may also be there any number of times, and `9` for up to nine more of them.
    arguments: &'static str,
    pub result: Type,
}

const fn vector(name: &'static str, arguments: &'static str) -> Function {
    Function { name, arguments, result: Type::Vector }
}

const fn scalar(name: &'static str, arguments: &'static str) -> Function {
    Function { name, arguments, result: Type::Scalar }
}

/// In the order of the alphabet.
static FUNCTIONS: &[Function] = &[
    vector("abs", "v"),
    vector("absent", "v"),
    vector("absent_over_time", "m"),
    vector("acos", "v"),
    vector("acosh", "v"),
    vector("asin", "v"),
    vector("asinh", "v"),
    vector("atan", "v"),
    vector("atanh", "v"),
    vector("avg_over_time", "m"),
    vector("ceil", "v"),
    vector("changes", "m"),
    vector("clamp", "vss"),
    vector("clamp_max", "vs"),
    vector("clamp_min", "vs"),
    vector("cos", "v"),
    vector("cosh", "v"),
    vector("count_over_time", "m"),
    vector("day_of_month", "v?"),
    vector("day_of_week", "v?"),
    vector("day_of_year", "v?"),
    vector("days_in_month", "v?"),
    vector("deg", "v"),
    vector("delta", "m"),
    vector("deriv", "m"),
    vector("double_exponential_smoothing", "mss"),
    scalar("end", ""),
    vector("exp", "v"),
    vector("first_over_time", "m"),
    vector("floor", "v"),
    vector("histogram_avg", "v"),
    vector("histogram_count", "v"),
    vector("histogram_fraction", "ssv"),
    vector("histogram_quantile", "sv"),
    vector("histogram_quantiles", "vtss9"),
    vector("histogram_stddev", "v"),
    vector("histogram_stdvar", "v"),
    vector("histogram_sum", "v"),
    vector("holt_winters", "mss"),
    vector("hour", "v?"),
    vector("idelta", "m"),
    vector("increase", "m"),
    vector("info", "vv?"),
    vector("integral", "ms?"),
    vector("irate", "m"),
    vector("label_join", "vttt*"),
    vector("label_replace", "vtttt"),
    vector("last_over_time", "m"),
    vector("ln", "v"),
    vector("log10", "v"),
    vector("log2", "v"),
    vector("mad_over_time", "m"),
    scalar("max_of", "ss"),
    vector("max_over_time", "m"),
    scalar("min_of", "ss"),
    vector("min_over_time", "m"),
    vector("minute", "v?"),
    vector("month", "v?"),
    scalar("pi", ""),
    vector("predict_linear", "ms"),
    vector("present_over_time", "m"),
    vector("quantile_over_time", "sm"),
    vector("rad", "v"),
    scalar("range", ""),
    vector("rate", "m"),
    vector("resets", "m"),
    vector("round", "vs?"),
    scalar("scalar", "v"),
    vector("sgn", "v"),
    vector("sin", "v"),
    vector("sinh", "v"),
    vector("sort", "v"),
    vector("sort_by_label", "vt*"),
    vector("sort_by_label_desc", "vt*"),
    vector("sort_desc", "v"),
    vector("sqrt", "v"),
    scalar("start", ""),
    vector("start_timestamp", "v"),
    vector("stddev_over_time", "m"),
    vector("stdvar_over_time", "m"),
    scalar("step", ""),
    vector("sum_over_time", "m"),
    vector("tan", "v"),
    vector("tanh", "v"),
    scalar("time", ""),
    vector("timestamp", "v"),
    vector("ts_of_first_over_time", "m"),
    vector("ts_of_last_over_time", "m"),
    vector("ts_of_max_over_time", "m"),
    vector("ts_of_min_over_time", "m"),
    vector("vector", "s"),
    vector("year", "v?"),
];

/// Those over the series of a vector, whose names are in whatever case.
static AGGREGATIONS: &[Function] = &[
    vector("avg", "v"),
    vector("bottomk", "sv"),
    vector("count", "v"),
    vector("count_values", "tv"),
    vector("group", "v"),
    vector("limit_ratio", "sv"),
    vector("limitk", "sv"),
    vector("max", "v"),
    vector("min", "v"),
    vector("quantile", "sv"),
    vector("stddev", "v"),
    vector("stdvar", "v"),
    vector("sum", "v"),
    vector("topk", "sv"),
];

impl Function {
    /// The function of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        let place = FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok()?;
        FUNCTIONS.get(place)
    }

    /// The aggregation of a name.
    pub fn aggregation(name: &str) -> Option<&'static Self> {
        AGGREGATIONS.iter().find(|function| function.name.eq_ignore_ascii_case(name))
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
    FUNCTIONS.iter().chain(AGGREGATIONS).map(|function| function.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_in_order() {
        assert!(FUNCTIONS.is_sorted_by_key(|function| function.name));
    }
}
