//! Positions.

use gatehouse_policy::node::Span;

use crate::SyntaxError;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Bytes before it.
    pub byte: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

impl Mark {
    /// Where every text starts.
    pub const START: Self = Self { byte: 0, line: 1, column: 1 };

    /// The place of a later byte.
    #[must_use]
    pub fn advanced(self, text: &str, byte: usize) -> Self {
        let mut mark = Self { byte: byte.max(self.byte), ..self };
        let bytes = text.as_bytes();
        for at in self.byte..mark.byte {
            match bytes[at] {
                b'\r' if bytes.get(at + 1) == Some(&b'\n') => mark.column += 1,
                b'\n' | b'\r' => (mark.line, mark.column) = (mark.line + 1, 1),
                0x80..0xC0 => {}
                _ => mark.column += 1,
            }
        }
        mark
    }

    /// What stands from here up to another place.
    pub fn to(self, end: Self) -> Span {
        Span { line: self.line, column: self.column, end_line: end.line, end_column: end.column }
    }

    /// An error at this place.
    pub fn error(self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { line: self.line, column: self.column, message: message.into() }
    }
}

/// An error at the start of what a span covers.
pub(crate) fn error_at(span: Span, message: impl Into<String>) -> SyntaxError {
    SyntaxError { line: span.line, column: span.column, message: message.into() }
}
