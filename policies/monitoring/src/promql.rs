//! Prometheus' expressions, as Prometheus reads them: their grammar and their types, with nothing kept of what is read.
//!
//! Held to `promql/parser` of <https://github.com/prometheus/prometheus>, version 3.16, with all that it has behind feature
//! flags; whether a cluster has switched them on is not known here. It is not made of a crate: the best of them takes 1.2 MB
//! of a module, more than quadratic time for a long chain of operators, seconds for a regular expression of twenty
//! characters, and the stack for what nests deep. Here what is open is a list, and one look at each word is enough.

mod functions;
mod lexer;
mod parser;
mod regex;
mod value;

use std::fmt::{self, Display};

use gatehouse_policy::nearest;

use self::functions::Function;
pub use self::functions::Type;
use self::lexer::Token;
use self::parser::Parser;

/// Why an expression is none, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<'e> {
    /// The byte at which it shows.
    pub at: usize,
    pub wrong: Wrong<'e>,
}

/// What is wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong<'e> {
    Character(char),
    /// Digits that are neither a number nor a duration.
    Number(&'e str),
    Escape,
    OpenText,
    /// A word where something else was expected.
    Unexpected {
        found: Token<'e>,
        expected: &'static str,
    },
    /// A bracket that is not closed.
    Open(&'static str),
    /// A function that does not exist.
    Unknown(&'e str),
    /// How many arguments a function has.
    Arguments {
        function: &'static Function,
        found: usize,
    },
    /// An argument of the wrong type.
    Argument {
        function: &'static Function,
        expected: Type,
        found: Type,
    },
    /// Anything else of the wrong type.
    Type {
        of: &'static str,
        expected: &'static str,
        found: Type,
    },
    Regex {
        pattern: &'e str,
        reason: &'static str,
    },
    /// What may not be so, in words.
    Not(&'static str),
}

impl Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(character) => write!(f, "unexpected {character:?}"),
            Self::Number(digits) => write!(f, "{digits:?} is neither a number nor a duration"),
            Self::Escape => f.write_str("unknown escape in a string"),
            Self::OpenText => f.write_str("a string that is not closed"),
            Self::Unexpected { found, expected } => {
                f.write_str("unexpected ")?;
                match found {
                    Token::End => f.write_str("end")?,
                    Token::Word(word) => write!(f, "{word:?}")?,
                    Token::Number(_) => f.write_str("number")?,
                    Token::Text(text) => write!(f, "string {text}")?,
                    Token::Symbol(symbol) => write!(f, "{symbol:?}")?,
                }
                write!(f, ", expected {expected}")
            }
            Self::Open(bracket) => write!(f, "{bracket:?} is not closed"),
            Self::Unknown(name) => unknown(f, name, &mut functions::names()),
            Self::Arguments { function, found } => {
                let (least, most) = function.bounds();
                write!(f, "{} has {found} arguments, expected ", function.name)?;
                match most {
                    _ if *found < least && most != least => write!(f, "at least {least}"),
                    _ if most != least => write!(f, "at most {most}"),
                    _ => write!(f, "{least}"),
                }
            }
            Self::Argument { function, expected, found } => {
                write!(f, "{} of {found}, expected {expected}", function.name)
            }
            Self::Type { of, expected, found } => write!(f, "{of} {found}, expected {expected}"),
            Self::Regex { pattern, reason } => write!(f, "the regular expression {pattern} has {reason}"),
            Self::Not(what) => f.write_str(what),
        }
    }
}

/// Says that there is no function of a name, and which one may be meant.
pub fn unknown(f: &mut fmt::Formatter<'_>, name: &str, known: &mut dyn Iterator<Item = &'static str>) -> fmt::Result {
    write!(f, "there is no function {name}")?;
    match nearest(name, known) {
        Some(near) => write!(f, ", did you mean {near}?"),
        None => Ok(()),
    }
}

/// What an expression gives.
pub fn check(expression: &str) -> Result<Type, Fault<'_>> {
    Parser::new(expression).run()
}
