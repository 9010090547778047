//! What expressions give, and what operators and functions make of it.

use super::Wrong;
use super::functions::{Function, Type};
use super::lexer::{Token, is_any};

/// Something that gives a value.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A number that stands there by itself, with its sign.
    Number {
        is_positive: bool,
        is_zero: bool,
    },
    Selector(Selector),
    /// `a[5m]`.
    Range(Selector),
    /// `a[5m:]`.
    Subquery(Selector),
    /// Anything else, of which the type is all that counts.
    Of(Type),
}

/// What was said of series.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selector {
    /// Whether their name stands before any braces.
    pub is_named: bool,
    pub has_offset: bool,
    pub has_time: bool,
    pub edges: Option<Edges>,
}

/// What is taken at the edges of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    Anchored,
    Smoothed,
}

impl Value {
    pub fn ty(self) -> Type {
        match self {
            Self::Number { .. } => Type::Scalar,
            Self::Selector(_) => Type::Vector,
            Self::Range(_) | Self::Subquery(_) => Type::Matrix,
            Self::Of(ty) => ty,
        }
    }

    pub fn selector(&mut self) -> Option<&mut Selector> {
        match self {
            Self::Selector(selector) | Self::Range(selector) | Self::Subquery(selector) => Some(selector),
            Self::Number { .. } | Self::Of(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// One with more of it is done first.
    pub precedence: u8,
    pub sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Arithmetic,
    Division,
    /// `^`, of which the last is done first.
    Power,
    Comparison,
    Set,
}

/// The precedence of a sign, that of `*`.
pub const SIGN: u8 = 5;
pub const POWER: u8 = 6;

impl Operator {
    pub fn of(token: Token<'_>) -> Option<Self> {
        let (precedence, sort) = match token {
            Token::Symbol("==" | "!=" | "<=" | ">=" | "<" | ">") => (3, Sort::Comparison),
            Token::Symbol("</" | ">/") => (3, Sort::Arithmetic),
            Token::Symbol("+" | "-") => (4, Sort::Arithmetic),
            Token::Symbol("*") => (5, Sort::Arithmetic),
            Token::Symbol("/" | "%") => (5, Sort::Division),
            Token::Symbol("^") => (POWER, Sort::Power),
            Token::Word(word) if word.eq_ignore_ascii_case("or") => (1, Sort::Set),
            Token::Word(word) if is_any(word, &["and", "unless"]) => (2, Sort::Set),
            Token::Word(word) if word.eq_ignore_ascii_case("atan2") => (5, Sort::Arithmetic),
            _ => return None,
        };
        Some(Self { precedence, sort })
    }
}

/// What stands after an operator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modifiers {
    pub is_bool: bool,
    pub matching: Matching,
    pub is_filled: bool,
}

/// Which series of both sides are for each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Matching {
    /// Whether `on` or `ignoring` names a label.
    pub has_labels: bool,
    /// Whether there may be many of one side.
    pub is_grouped: bool,
}

pub const SUBQUERY: Value =
    Value::Subquery(Selector { is_named: false, has_offset: false, has_time: false, edges: None });

/// Whether durations have an operator.
pub fn is_of_durations(operator: Operator) -> bool {
    operator.precedence > 3 && operator.sort != Sort::Set
}

/// A value with a sign before it.
pub fn signed<'e>(is_minus: bool, value: Value) -> Result<Value, Wrong<'e>> {
    if let Value::Number { is_positive, is_zero } = value {
        return Ok(Value::Number { is_positive: !is_zero && (is_positive != is_minus), is_zero });
    }
    is_number(value.ty(), "a sign before")?;
    Ok(Value::Of(value.ty()))
}

/// Whether something can be calculated with.
pub fn is_number<'e>(found: Type, of: &'static str) -> Result<(), Wrong<'e>> {
    match found {
        Type::Scalar | Type::Vector => Ok(()),
        found => Err(Wrong::Type { of, expected: "an instant vector or a scalar", found }),
    }
}

/// What an operator makes of two values.
pub fn combine<'e>(left: Value, operator: Operator, modifiers: Modifiers, right: Value) -> Result<Value, Wrong<'e>> {
    let sides = [left.ty(), right.ty()];
    for side in sides {
        is_number(side, "an operator with")?;
    }
    let are_vectors = sides == [Type::Vector; 2];
    let are_scalars = sides == [Type::Scalar; 2];
    let wrong = match operator.sort {
        Sort::Comparison if are_scalars && !modifiers.is_bool => "a comparison of two scalars without bool",
        Sort::Arithmetic | Sort::Division | Sort::Power | Sort::Set if modifiers.is_bool => {
            "bool after what is no comparison"
        }
        Sort::Set if !are_vectors => "and, or or unless with a scalar, expected instant vectors on both sides",
        Sort::Set if modifiers.matching.is_grouped => "group_left or group_right with and, or or unless",
        Sort::Set if modifiers.is_filled => "fill with and, or or unless",
        _ if modifiers.matching.has_labels && !are_vectors => {
            "on or ignoring with a scalar, expected instant vectors on both sides"
        }
        _ if modifiers.is_filled && !are_vectors => "fill with a scalar, expected instant vectors on both sides",
        _ => return Ok(Value::Of(if are_scalars { Type::Scalar } else { Type::Vector })),
    };
    Err(Wrong::Not(wrong))
}

/// Whether a function may have a value as an argument.
pub fn argument<'e>(function: &'static Function, place: usize, value: Value) -> Result<(), Wrong<'e>> {
    let found = value.ty();
    match function.argument(place) {
        Some(expected) if expected != found => return Err(Wrong::Argument { function, expected, found }),
        _ => {}
    }
    if function.name == "info" && place == 1 && !matches!(value, Value::Selector(Selector { is_named: false, .. })) {
        return Err(Wrong::Not("info with a second argument that is no selector of labels alone"));
    }
    Ok(())
}
