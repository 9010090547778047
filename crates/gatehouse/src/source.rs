//! A file that is checked, and what its text says beyond the tree that is read from it: whether a value has quotes.

use std::cell::OnceCell;
use std::path::Path as FilePath;

use gatehouse_policy::node::{Data, Span};
use gatehouse_policy::{Node, ReadError};

use crate::check::{Problem, Secret};
use crate::document::Refusal;

/// A file that is checked.
pub(crate) struct Source<'s> {
    /// Its name in reports.
    pub name: &'s str,
    /// Where it is, if it is a file.
    pub path: Option<&'s FilePath>,
    text: &'s str,
    /// Its lines, once they are asked for: most files are without fault.
    lines: OnceCell<Lines<'s>>,
}

impl<'s> Source<'s> {
    pub fn new(name: &'s str, path: Option<&'s FilePath>, text: &'s str) -> Self {
        Self { name, path, text, lines: OnceCell::new() }
    }

    /// What stands at a place within a line.
    fn at(&self, span: Span) -> Option<&'s str> {
        let line = self.lines.get_or_init(|| Lines::new(self.text)).line(span.line)?;
        if span.end_line != span.line || line.len() > LONGEST_LINE {
            return None;
        }
        let place = |column: u32| {
            let column = usize::try_from(column).ok()?.checked_sub(1)?;
            line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column)
        };
        line.get(place(span.column)?..place(span.end_column)?)
    }

    /// An object that no API server, and so no policy, would ever see.
    pub fn refused(&self, object: &Node<'_>, refusal: Refusal) -> Problem {
        let Refusal { path, span, message, help } = refusal;
        let (nearest, _) = object.nearest(&path);
        let span = span.unwrap_or(nearest.node.span);
        Problem { file: self.name.to_owned(), span, path: Some(path), message, help, secret: None }
    }

    /// An object with a field that cannot be read.
    pub fn unreadable(&self, object: &Node<'_>, error: &ReadError) -> Problem {
        let (nearest, whole) = object.nearest(&error.path);
        Problem {
            file: self.name.to_owned(),
            span: nearest.node.span,
            path: Some(error.path.clone()).filter(|path| !path.segments().is_empty()),
            message: error.to_string(),
            help: if whole { self.quotes(nearest.node, error) } else { None },
            secret: error.may_hold_secret().then(|| Secret::of(nearest.node)),
        }
    }

    /// Where a value is of the wrong type for its quotes, or for the lack of them, what to write. YAML 1.1 makes booleans of
    /// words and numbers of digits that were meant for text (`scalar.rs` of gatehouse-manifest).
    fn quotes(&self, node: &Node<'_>, error: &ReadError) -> Option<String> {
        let written = self.at(node.span)?;
        let is_quoted = written.starts_with(['"', '\'']);
        // What an alias or a block stands for is written elsewhere or otherwise.
        if written.starts_with(['*', '|', '>', '{', '[']) {
            return None;
        }
        let hidden = error.may_hold_secret();
        match &node.data {
            Data::Bool(_) | Data::Number(_) if error.expects_string() && !is_quoted => {
                let what = match &node.data {
                    Data::Bool(_) if hidden => "this without quotes as a boolean".to_owned(),
                    Data::Bool(value) => format!("{written} without quotes as the boolean {value}"),
                    _ if hidden => "this without quotes as a number".to_owned(),
                    _ => read_as_number(written, node),
                };
                let write = if hidden { "put it in quotes".to_owned() } else { format!("write \"{written}\"") };
                Some(format!("YAML reads {what}: {write}"))
            }
            Data::String(text) if is_quoted && !hidden => {
                let is_meant = error.expects_integer()
                    && text.parse::<i64>().is_ok_and(|number| number.to_string() == *text)
                    || error.expects_boolean() && matches!(&**text, "true" | "false");
                is_meant.then(|| format!("the quotes make it a string: write {text}"))
            }
            _ => None,
        }
    }
}

/// The lines of a file.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

/// The longest line that is shown whole, in bytes: a minified file is one line of megabytes.
pub(crate) const LONGEST_LINE: usize = 4096;

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        // As in YAML, `\r` alone ends a line too.
        let is_end = |at: &usize| bytes[*at] == b'\n' || (bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain((0..bytes.len()).filter(is_end).map(|at| at + 1)).collect();
        Self { text, starts }
    }

    /// All of them, with their ends.
    pub fn all(&self) -> impl Iterator<Item = &'t str> {
        let ends = self.starts.iter().skip(1).copied().chain([self.text.len()]);
        self.starts.iter().zip(ends).filter_map(|(start, end)| self.text.get(*start..end))
    }

    /// The line with a number that counts from 1, without its end.
    pub fn line(&self, number: u32) -> Option<&'t str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        Some(self.text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }
}

/// What YAML makes of digits.
fn read_as_number(written: &str, node: &Node<'_>) -> String {
    let number = node.to_json();
    if number == written {
        return format!("{written} without quotes as a number");
    }
    let digits = written.trim_start_matches(['+', '-']);
    let base = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => " (hexadecimal)",
        [b'0', b'b' | b'B', ..] => " (binary)",
        [b'0', b'o' | b'O', ..] => " (octal)",
        [b'0', rest @ ..] if rest.iter().all(|digit| matches!(digit, b'0'..=b'7' | b'_')) => " (octal)",
        _ => "",
    };
    format!("{written} without quotes as the number {number}{base}")
}
