//! Reads JSON. jiter knows the grammar and where in the text it stands; here its tokens become a tree with positions.

use std::borrow::Cow;

use gatehouse_policy::Node;
use gatehouse_policy::node::Data;
use jiter::{Jiter, JiterError, JiterErrorType, Peek};
use serde_json::Number;

use crate::mark::Mark;
use crate::tree::{Builder, Kind};
use crate::{Document, SyntaxError};

/// Reads the values of a text, one after another.
pub(crate) struct Reader<'a> {
    text: &'a str,
    jiter: Jiter<'a>,
    /// How far positions are known: up to where the last token started or ended.
    mark: Mark,
    index: usize,
    failed: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, jiter: Jiter::new(text.as_bytes()), mark: Mark::START, index: 0, failed: false }
    }

    /// Where the last value ended.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// The number of the next value.
    pub fn index(&self) -> usize {
        self.index
    }

    pub fn next(&mut self) -> Option<Result<Document<'a>, SyntaxError>> {
        if self.failed || self.jiter.finish().is_ok() {
            return None;
        }
        let index = self.index;
        self.index += 1;
        let node = self.value();
        self.failed = node.is_err();
        Some(node.map(|node| Document { node, index }))
    }

    fn value(&mut self) -> Result<Node<'a>, SyntaxError> {
        let mut builder = Builder::default();
        let mut peek = self.jiter.peek().map_err(|error| self.error(&error))?;
        loop {
            let start = self.here();
            let data = match peek {
                Peek::Array | Peek::Object => {
                    let kind = if peek == Peek::Array { Kind::Array } else { Kind::Object };
                    builder.open(kind, start.to(start))?;
                    None
                }
                Peek::Null => self.jiter.known_null().map(|()| Some(Data::Null)).map_err(|error| self.error(&error))?,
                Peek::True | Peek::False => self
                    .jiter
                    .known_bool(peek)
                    .map(|value| Some(Data::Bool(value)))
                    .map_err(|error| self.error(&error))?,
                Peek::String => {
                    let decoded = self.jiter.known_str().map(|decoded| source(self.text, start.byte, decoded));
                    Some(Data::String(decoded.map_err(|error| self.error(&error))?))
                }
                _ => Some(Data::Number(self.number(peek, start)?)),
            };
            let mut entered = data.is_none();
            if let Some(data) = data {
                let span = start.to(self.here());
                builder.value(Node { data, span })?;
            }
            // Finds the next value, leaving the collections that end before it.
            peek = loop {
                let next = match builder.top() {
                    None => return builder.finish().ok_or_else(|| start.error("there is no value")),
                    Some(Kind::Array) if entered => self.jiter.known_array(),
                    Some(Kind::Array) => self.jiter.array_step(),
                    Some(Kind::Object) => self.member(&mut builder, entered),
                };
                if let Some(next) = next.map_err(|error| self.error(&error))? {
                    break next;
                }
                entered = false;
                let end = self.here();
                builder.close(Some((end.line, end.column)))?;
            };
        }
    }

    /// The name of the next member, and then a look at its value.
    fn member(&mut self, builder: &mut Builder<'a>, first: bool) -> Result<Option<Peek>, JiterError> {
        let from = self.jiter.current_index();
        let name = if first { self.jiter.known_object()? } else { self.jiter.next_key()? };
        let Some(decoded) = name else { return Ok(None) };
        // Between the tokens there is only white space and a comma or brace.
        let start = from + self.text[from..].find('"').unwrap_or_default();
        let name = source(self.text, start, decoded);
        let end = if let Cow::Borrowed(name) = name { start + name.len() + 2 } else { string_end(self.text, start) };
        let start = self.mark.advanced(self.text, start);
        self.mark = start.advanced(self.text, end);
        builder.key(name, start.to(self.mark));
        self.jiter.peek().map(Some)
    }

    /// A number: an integer where 64 bits hold it, or else a float as Go has it.
    fn number(&mut self, peek: Peek, start: Mark) -> Result<Number, SyntaxError> {
        if let Err(error) = self.jiter.known_number_bytes(peek).map(drop) {
            return Err(self.error(&error));
        }
        let digits = &self.text[start.byte..self.jiter.current_index()];
        let integer = digits.parse().map(i64::into).or_else(|_| digits.parse().map(u64::into)).ok();
        let number = integer.or_else(|| digits.parse().ok().and_then(crate::scalar::number));
        number.ok_or_else(|| start.error(format!("the number {digits} is out of range")))
    }

    /// Where the reader stands.
    fn here(&mut self) -> Mark {
        self.mark = self.mark.advanced(self.text, self.jiter.current_index());
        self.mark
    }

    fn error(&self, error: &JiterError) -> SyntaxError {
        let message = match &error.error_type {
            JiterErrorType::JsonError(kind) => kind.to_string(),
            JiterErrorType::WrongType { .. } => "expected value".to_owned(),
        };
        let byte = error.index.min(self.text.len());
        self.mark.advanced(self.text, self.text.floor_char_boundary(byte)).error(format!("this is not JSON: {message}"))
    }
}

/// The text of a string whose opening quote is known, borrowed where it has no escapes.
fn source<'a>(text: &'a str, start: usize, decoded: &str) -> Cow<'a, str> {
    match text.get(start + 1..start + 1 + decoded.len()) {
        Some(raw) if raw == decoded && !raw.contains(['\\', '"']) => Cow::Borrowed(raw),
        _ => Cow::Owned(decoded.to_owned()),
    }
}

/// Just after the closing quote of a string.
fn string_end(text: &str, start: usize) -> usize {
    let mut escaped = false;
    let closing = text.bytes().skip(start + 1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |length| start + length + 2)
}
