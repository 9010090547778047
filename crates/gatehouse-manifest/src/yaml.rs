//! Reads YAML. granit-parser knows the grammar; here its events become trees with positions.
//!
//! What the parser says of positions is made better on the way: a block scalar stands from its `|` or `>` to its last
//! character, a list from its first `-`, and a collection without brackets ends with its last part.
//!
//! Where go-yaml would read another value than the parser, its value is read (a `:` or `-` before a bracket, see `flow.rs`) or
//! the text is refused: line breaks that only YAML 1.1 knows, some punctuation between brackets, odd names of anchors. Known
//! to differ all the same: go-yaml refuses tabs before the first key, `\/` in quotes and a merge of an anchored list, which
//! are read here; it reads `"a"# b` and whatever follows the end of a document, which are refused here; at the top of a
//! document it has no block scalar without indentation.

use std::borrow::Cow;

use gatehouse_policy::Node;
use gatehouse_policy::node::Span;
use granit_parser::{
    ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span as Between, StrInput, StructureStyle, options,
};

use crate::anchors::{Anchors, Budget, Part};
use crate::flow::{Kept, READINGS, StandIns, document_end, is_bracket, is_kept, kept_everywhere, owned};
use crate::mark::{Mark, error_at};
use crate::scalar::{Scalar, Tag};
use crate::tree::{Builder, Kind, too_deep};
use crate::{Document, SyntaxError};

/// Reads the documents of a text, one after another.
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// Reads from `origin` on; `None` at the end.
    parser: Option<Parser<'a, StrInput<'a>>>,
    origin: Mark,
    /// Where the last part that was read ends.
    cursor: Mark,
    /// How many collections are open since the outermost with brackets.
    flow: usize,
    /// Where the document before ends; `None` after one that could not be read.
    boundary: Option<Mark>,
    /// The next character that go-yaml takes for a line break and the parser does not.
    odd_break: Option<usize>,
    /// The number of the next document.
    index: usize,
    /// What aliases may still add.
    budget: Budget,
    /// Where the document starts that is being read, and whether there are directives before it.
    start: (Mark, bool),
    /// The characters of that document that belong to texts, though the parser has them as punctuation.
    kept: Vec<Kept>,
    /// What stands in their places, where the document is read once more.
    stand_ins: Option<StandIns>,
}

impl<'a> Reader<'a> {
    /// Reads a text from a place on, where the document with that number starts.
    pub fn new(text: &'a str, origin: Mark, index: usize) -> Self {
        let options = options! {
            block_scalar_eof_without_line_feed: true,
            bom_inside_document_as_content: true,
            emit_anchor_events: true,
            emit_unresolved_aliases: true,
        };
        Self {
            text,
            parser: Some(Parser::new_from_str_with_options(&text[origin.byte..], options)),
            origin,
            cursor: origin,
            flow: 0,
            boundary: Some(origin),
            odd_break: find_odd_break(text, origin.byte),
            index,
            budget: Budget::of(text),
            start: (origin, false),
            kept: Vec::new(),
            stand_ins: None,
        }
    }

    pub fn next(&mut self) -> Option<Result<Document<'a>, SyntaxError>> {
        let index = self.index;
        let mut read = self.next_node()?;
        if !self.kept.is_empty() {
            read = self.read_again(index);
        }
        Some(read.map(|node| Document { node, index }))
    }

    /// Reads a document once more, with what belongs to its texts where the parser can see it. Each reading may come further
    /// than the one before, and find more.
    fn read_again(&mut self, index: usize) -> Result<Node<'a>, SyntaxError> {
        let kept = std::mem::take(&mut self.kept);
        let (start, has_directives) = self.start;
        let text = &self.text[start.byte..];
        let text = &text[..document_end(text)];
        let first = kept.first().map_or(start.byte, |(at, _)| *at);
        let refused = || {
            let message = "between brackets, Kubernetes takes this for a part of the text; use quotes";
            Err(start.advanced(self.text, first).error(message))
        };
        let Some(stand_ins) = StandIns::absent_from(text).filter(|_| !has_directives) else { return refused() };
        let mut bytes = text.as_bytes().to_vec();
        let mut kept: Vec<Kept> = kept.into_iter().map(|(at, byte)| (at - start.byte, byte)).collect();
        kept.extend(kept_everywhere(text));
        for _ in 0..READINGS {
            stand_ins.put(&mut bytes, &kept);
            let Ok(text) = str::from_utf8(&bytes) else { break };
            let mut reader = Reader::new(text, Mark { byte: 0, ..start }, index);
            reader.stand_ins = Some(stand_ins);
            let read = reader.next_node();
            kept = reader.kept;
            if kept.is_empty() {
                return read.map_or_else(refused, |read| read.map(owned));
            }
        }
        refused()
    }

    /// The next document's tree.
    fn next_node(&mut self) -> Option<Result<Node<'a>, SyntaxError>> {
        let read = loop {
            match self.parser.as_mut()?.next_event() {
                Some(Ok((Event::DocumentStart(..), between))) => {
                    self.start_document(self.mark(between.start), self.mark(between.end));
                    break self.document();
                }
                Some(Err(error)) => break Err(self.syntax_error(&error)),
                Some(Ok((Event::StreamStart, _))) => {}
                Some(Ok(_)) | None => {
                    self.parser = None;
                    match self.end_document(self.cursor.advanced(self.text, self.text.len())) {
                        Ok(()) => return None,
                        Err(error) => break Err(error),
                    }
                }
            }
        };
        if read.is_err() {
            self.boundary = None;
            if self.parser.as_mut().is_some_and(|parser| parser.proceed_next_document() != Ok(true)) {
                self.parser = None;
            }
        }
        self.index += 1;
        Some(read)
    }

    /// A document whose start has been read.
    fn document(&mut self) -> Result<Node<'a>, SyntaxError> {
        let mut builder = Builder::default();
        let mut anchors = Anchors::default();
        loop {
            let repeated = if anchors.is_repeating() { anchors.repeated(&mut self.budget)? } else { None };
            let (part, alias) = match repeated {
                Some((part, alias)) => (part, Some(alias)),
                None => match self.part(builder.top())? {
                    Some((part, anchor)) => {
                        anchors.note(&part, anchor);
                        (part, None)
                    }
                    None => break,
                },
            };
            let added = match part {
                Part::Scalar(scalar) if builder.expects_key() => add_key(&mut builder, scalar),
                Part::Scalar(scalar) => add_value(&mut builder, scalar),
                Part::Open(kind, span) => builder.open(kind, span),
                Part::Close(end) => builder.close(end),
                Part::Alias(anchor, span) => anchors.repeat(anchor, span),
            };
            // What an alias makes wrong is wrong where the alias stands.
            added.map_err(|error| match alias {
                Some(alias) => error_at(alias, error.message),
                None => error,
            })?;
        }
        builder.finish().ok_or_else(|| self.cursor.error("there is no document"))
    }

    /// The next part of the document, and the number of the anchor it has, or 0; `None` at its end.
    fn part(&mut self, parent: Option<Kind>) -> Result<Option<(Part<'a>, usize)>, SyntaxError> {
        let (event, between) = match self.parser.as_mut().and_then(Parser::next_event) {
            Some(Ok(next)) => next,
            Some(Err(error)) => {
                let at = self.mark(*error.marker()).byte;
                if matches!(
                    error.kind(),
                    ErrorKind::PlainScalarStartsWithDashFlowIndicator | ErrorKind::InvalidColonPlacement
                ) {
                    self.kept.extend(is_kept(self.text, at));
                }
                return Err(self.syntax_error(&error));
            }
            None => return Ok(None),
        };
        let (part, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.flow > 0 {
                    self.check_flow(style, between)?;
                }
                if style == ScalarStyle::Plain {
                    check_start(&text).map_err(|message| self.mark(between.start).error(message))?;
                }
                let (mut text, span) = self.scalar(text, style, between);
                if let Some(stand_ins) = self.stand_ins {
                    text = stand_ins.undo(text);
                }
                let tag = match tag {
                    Some(tag) => Tag::new(&tag),
                    None if style == ScalarStyle::Plain => Tag::None,
                    None => Tag::String,
                };
                (Part::Scalar(Scalar { text, tag, span }), anchor)
            }
            Event::SequenceStart(style, anchor, _) => {
                let in_mapping = parent == Some(Kind::Object);
                (Part::Open(Kind::Array, self.opening(between, style, in_mapping)), anchor)
            }
            Event::MappingStart(style, anchor, _) => {
                (Part::Open(Kind::Object, self.opening(between, style, false)), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                // Only a bracket has a width.
                let end = (between.start != between.end).then(|| self.mark(between.end));
                self.cursor = end.unwrap_or(self.cursor);
                self.flow = self.flow.saturating_sub(1);
                (Part::Close(end.map(|end| (end.line, end.column))), 0)
            }
            Event::Alias(anchor) => {
                let start = self.mark(between.start);
                self.cursor = self.mark(between.end);
                (Part::Alias(anchor, start.to(self.cursor)), 0)
            }
            Event::UnresolvedAlias(name) => {
                return Err(self.mark(between.start).error(format!("there is no anchor for the alias *{name}")));
            }
            _ => return self.end_document(self.mark(between.start)).map(|()| None),
        };
        if anchor > 0
            && let Some(Ok((Event::Anchor(_, name), between))) = self.parser.as_mut().and_then(Parser::next_event)
        {
            check_anchor(&name).map_err(|message| self.mark(between.start).error(message))?;
        }
        Ok(Some((part, anchor)))
    }

    /// Where a collection starts, its bracket included. The cursor moves there.
    fn opening(&mut self, between: Between, style: StructureStyle, list_in_mapping: bool) -> Span {
        let mut start = self.mark(between.start);
        if self.flow > 0 || style == StructureStyle::Flow {
            self.flow += 1;
        }
        if list_in_mapping && style == StructureStyle::Block {
            // A list that is indented no further than its key is reported from behind its first `-`.
            let dash = self.seek(self.cursor, b":");
            if self.at(dash) == Some(b'-') {
                start = dash;
            }
            self.cursor = start;
        } else {
            self.cursor = self.mark(between.end);
        }
        start.to(self.cursor)
    }

    /// Between brackets go-yaml has a `?` mark a key, wherever it stands, a `:` at the start of a text mark a value, and a comma
    /// or bracket belong to the tag before it. Whoever writes so means something else; it is refused.
    fn check_flow(&mut self, style: ScalarStyle, between: Between) -> Result<(), SyntaxError> {
        let (start, end) = (self.mark(between.start), self.mark(between.end));
        let follows = |at: usize| self.text.as_bytes().get(at).copied();
        if style == ScalarStyle::Plain && start != end {
            let text = &self.text[start.byte..end.byte];
            if let Some(at) = text.find('?') {
                let message = "between brackets, Kubernetes takes this `?` for the mark of a key; use quotes";
                return Err(start.advanced(self.text, start.byte + at).error(message));
            }
            if text.starts_with(':') {
                let message = "between brackets, Kubernetes takes this `:` for the mark of a value; use quotes";
                return Err(start.error(message));
            }
            let blanks = self.text[end.byte..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            self.kept.extend(is_kept(self.text, end.byte + blanks.count()).filter(|(_, byte)| *byte == b':'));
        }
        let tag = between.tag_span().map(|tag| self.mark(tag.end));
        match tag.filter(|tag| follows(tag.byte).is_some_and(is_bracket)) {
            Some(tag) => {
                let message = "between brackets, Kubernetes takes this for a part of the tag; put a space before it";
                Err(tag.error(message))
            }
            None => Ok(()),
        }
    }

    /// The text of a scalar and its place. The cursor moves behind it.
    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, between: Between) -> (Cow<'a, str>, Span) {
        let (mut start, mut end) = (self.mark(between.start), self.mark(between.end));
        let text = match style {
            ScalarStyle::Plain if start == end => {
                // What is left out: the parser calls it `~` and has it stand before its `:`.
                if self.at(start) == Some(b':') {
                    start = start.advanced(self.text, start.byte + 1);
                    end = start;
                }
                Cow::Borrowed("")
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let header = self.seek(self.cursor, b":?-");
                if matches!(self.at(header), Some(b'|' | b'>')) {
                    start = header;
                }
                let content = self.text[start.byte..end.byte.max(start.byte)].trim_end_matches([' ', '\t', '\r', '\n']);
                end = start.advanced(self.text, start.byte + content.len());
                text
            }
            _ => text,
        };
        self.cursor = end;
        (text, start.to(end))
    }

    /// The next character from a place on that is no white space, no comment, no tag, no anchor and none of the given
    /// indicators.
    fn seek(&self, from: Mark, indicators: &[u8]) -> Mark {
        let bytes = self.text.as_bytes();
        let skip = |at: usize, ends: fn(u8) -> bool| {
            bytes[at..].iter().position(|byte| ends(*byte)).map_or(bytes.len(), |length| at + length)
        };
        let mut at = from.byte;
        loop {
            at = match bytes.get(at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => at + 1,
                Some(b'#') => skip(at, |byte| matches!(byte, b'\r' | b'\n')),
                Some(b'!') if bytes.get(at + 1) == Some(&b'<') => skip(at, |byte| byte == b'>') + 1,
                Some(b'&' | b'!') => {
                    skip(at, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' | b'{' | b'}'))
                }
                Some(byte) if indicators.contains(byte) => at + 1,
                _ => return from.advanced(self.text, at.min(bytes.len())),
            };
        }
    }

    fn at(&self, mark: Mark) -> Option<u8> {
        self.text.as_bytes().get(mark.byte).copied()
    }

    /// A place as the parser gives it.
    fn mark(&self, marker: Marker) -> Mark {
        let (line, column) = (saturate(marker.line()), saturate(marker.col()));
        Mark {
            byte: self.origin.byte + marker.byte_offset().unwrap_or_default(),
            line: self.origin.line + line.saturating_sub(1),
            column: column + if line == 1 { self.origin.column } else { 1 },
        }
    }

    fn start_document(&mut self, start: Mark, end: Mark) {
        let before = self.boundary.and_then(|boundary| self.text.get(boundary.byte..start.byte)).unwrap_or_default();
        let has_directives = before.lines().any(|line| line.starts_with('%'));
        // Without a `---` the document starts where its first part does.
        let is_marked = self.text[start.byte..end.byte.max(start.byte)].starts_with("---");
        self.start = (if is_marked { end } else { start }, has_directives);
        self.kept.clear();
        self.cursor = end;
        self.flow = 0;
        if self.boundary.is_none() {
            self.boundary = Some(end);
            if self.odd_break.is_some_and(|at| at < end.byte) {
                self.odd_break = find_odd_break(self.text, end.byte);
            }
        }
    }

    /// Go-yaml takes three more characters for line breaks, as YAML 1.1 has it: what follows one in a comment would be
    /// content there.
    fn end_document(&mut self, end: Mark) -> Result<(), SyntaxError> {
        let start = self.boundary.replace(end);
        let (Some(start), Some(at)) = (start, self.odd_break.filter(|at| *at < end.byte)) else { return Ok(()) };
        self.odd_break = find_odd_break(self.text, end.byte);
        let character = self.text[at..].chars().next().unwrap_or_default();
        let message =
            format!("Kubernetes takes {} for a line break; write it as an escape", character.escape_unicode());
        Err(start.advanced(self.text, at).error(message))
    }

    fn syntax_error(&self, error: &ScanError) -> SyntaxError {
        let place = self.mark(*error.marker());
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => too_deep(place.to(place)),
            kind => place.error(plainer(kind).map_or_else(|| kind.to_string(), ToOwned::to_owned)),
        }
    }
}

fn add_key<'a>(builder: &mut Builder<'a>, scalar: Scalar<'a>) -> Result<(), SyntaxError> {
    let span = scalar.span;
    if scalar.is_merge() {
        builder.merge_key(span);
    } else {
        builder.key(scalar.into_key().map_err(|message| error_at(span, message))?, span);
    }
    Ok(())
}

fn add_value<'a>(builder: &mut Builder<'a>, scalar: Scalar<'a>) -> Result<(), SyntaxError> {
    let span = scalar.span;
    let data = scalar.into_data().map_err(|message| error_at(span, message))?;
    builder.value(Node { data, span })
}

/// Kubernetes splits a file at its `---` before go-yaml reads what is between, and leaves out a byte order mark and odd white
/// space at the start of each part: what would be read here as a text is nothing there (`YAMLReader` in
/// <https://github.com/kubernetes/apimachinery/blob/master/pkg/util/yaml/decoder.go>).
fn check_start(text: &str) -> Result<(), String> {
    if text.starts_with('\u{feff}') {
        Err("a byte order mark (U+FEFF) stands before this; delete it".to_owned())
    } else if !text.is_empty() && text.trim().is_empty() {
        let character = text.chars().next().unwrap_or_default();
        Err(format!("this is a space that YAML does not know, {}; delete it", character.escape_unicode()))
    } else {
        Ok(())
    }
}

/// Go-yaml's anchors are made of ASCII letters, digits, `-` and `_`; other names it reads otherwise or not at all.
fn check_anchor(name: &str) -> Result<(), String> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        Ok(())
    } else {
        Err(format!("the anchor &{name} has characters other than letters, digits, `-` and `_`"))
    }
}

/// The next line break of YAML 1.1 that is none in YAML 1.2: U+0085, U+2028 or U+2029.
fn find_odd_break(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut start = from;
    for chunk in bytes[from..].chunks(256) {
        // Without an early exit, so that many bytes are looked at at once.
        if chunk.iter().fold(false, |found, byte| found | matches!(byte, 0xC2 | 0xE2)) {
            let odd = (start..start + chunk.len())
                .find(|at| matches!(bytes[*at..], [0xC2, 0x85, ..] | [0xE2, 0x80, 0xA8 | 0xA9, ..]));
            if odd.is_some() {
                return odd;
            }
        }
        start += chunk.len();
    }
    None
}

/// Words for the commoner slips that say more than the parser's.
fn plainer(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => "there is no `:` behind this key",
        ErrorKind::MappingValueNotAllowed => {
            "no `:` can stand here: is it indented too far, or does a text with `: ` lack its quotes?"
        }
        ErrorKind::ExpectedDocumentStart => "this does not belong to what stands before it; is it indented too little?",
        ErrorKind::ExpectedBlockMappingKey => "a key is expected here, indented as those above",
        ErrorKind::ExpectedBlockSequenceEntry => "a `-` is expected here, as above",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => "this quote is never closed",
        ErrorKind::UnclosedFlowCollection { .. } => "this bracket is never closed",
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => "a tab cannot indent; use spaces",
        _ => return None,
    })
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
