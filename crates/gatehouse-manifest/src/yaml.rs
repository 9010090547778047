//! Reads YAML. saphyr-parser knows the grammar; here its events become trees with positions.
//!
//! What saphyr says of positions is made better on the way: a quoted scalar ends at its quote (not after the comment
//! behind it), a block scalar starts at its `|` or `>`, a list at its first `-`, a collection without brackets ends with
//! its last part.

use std::borrow::Cow;

use gatehouse_policy::Node;
use gatehouse_policy::node::Span;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span as Between, StrInput};

use crate::mark::{Mark, error_at};
use crate::scalar::{Scalar, Tag};
use crate::tree::{Builder, Kind, too_deep};
use crate::{Document, SyntaxError};

/// What aliases may add to a file: so many parts, and more where it is large. Each costs some hundred bytes of memory.
const ALIASED_PARTS: usize = 1_000_000;

/// Reads the documents of a text, one after another.
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// Whether characters are bytes.
    ascii: bool,
    /// Reads from `origin` up to `limit`; `None` at the end.
    parser: Option<Parser<'a, StrInput<'a>>>,
    origin: Mark,
    /// The next character that YAML forbids, or the end of the text.
    limit: usize,
    /// A place that is known in characters and in bytes from `origin` on.
    known: (usize, usize),
    /// Where the last part that was read ends.
    cursor: Mark,
    /// The number of the next document.
    index: usize,
    /// What aliases have still left to add.
    aliased_parts: usize,
}

/// A part of a document.
#[derive(Clone, Debug)]
enum Part<'a> {
    Scalar(Scalar<'a>),
    Open(Kind, Span),
    /// With the place after the bracket, if there is one.
    Close(Option<(u32, u32)>),
    Alias(usize, Span),
}

/// An event as saphyr gives it, with the anchor it defines or 0.
struct Read<'a> {
    part: Part<'a>,
    anchor: usize,
}

/// The parts of a document that have anchors, kept for the aliases that repeat them.
#[derive(Default)]
struct Anchors<'a> {
    /// All parts from the start of an anchored one to its end.
    log: Vec<Part<'a>>,
    /// Where in the log each anchor's parts start and end, by the order of their definition; an end of 0 means that it is
    /// not finished.
    ranges: Vec<(usize, usize)>,
    /// saphyr's number of the first anchor.
    first: usize,
    /// Anchored collections that are open, with the number of collections around them.
    open: Vec<(usize, usize)>,
    /// Collections that are open.
    depth: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, origin: Mark, index: usize) -> Self {
        let mut reader = Self {
            text,
            ascii: text.is_ascii(),
            parser: None,
            origin,
            limit: 0,
            known: (0, 0),
            cursor: origin,
            index,
            aliased_parts: ALIASED_PARTS + text.len() / 16,
        };
        reader.start(origin);
        reader
    }

    pub fn next(&mut self) -> Option<Result<Document<'a>, SyntaxError>> {
        let index = self.index;
        let read = loop {
            match self.parser.as_mut()?.next_event() {
                Some(Ok((Event::DocumentStart(_), span))) => {
                    self.cursor = self.mark(span.end);
                    break self.document();
                }
                Some(Ok((Event::StreamEnd, _))) | None => {
                    self.parser = None;
                    if self.limit == self.text.len() {
                        return None;
                    }
                    break Err(self.cursor.error(""));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => break Err(self.syntax_error(&error)),
            }
        };
        self.index += 1;
        Some(read.map(|node| Document { node, index }).map_err(|error| self.recover(error)))
    }

    /// Reads from a place on.
    fn start(&mut self, origin: Mark) {
        if self.limit <= origin.byte {
            let forbidden = find_forbidden(&self.text[origin.byte..]);
            self.limit = forbidden.map_or(self.text.len(), |offset| origin.byte + offset);
        }
        self.origin = origin;
        self.cursor = origin;
        self.known = (0, 0);
        self.parser = Some(Parser::new_from_str(&self.text[origin.byte..self.limit]));
    }

    /// After an error, goes to the next line that starts a document. A character that YAML forbids before that line is the
    /// error that matters: the parser has not seen what comes after it.
    fn recover(&mut self, error: SyntaxError) -> SyntaxError {
        let next = next_document(self.text, self.cursor.byte).map(|byte| self.cursor.advanced(self.text, byte));
        let limit = self.limit;
        let forbidden = limit < self.text.len() && next.is_none_or(|next| next.byte > limit);
        let place = self.cursor;
        match next {
            Some(next) => self.start(next),
            None => self.parser = None,
        }
        if !forbidden {
            return error;
        }
        let character = self.text[limit..].chars().next().unwrap_or_default();
        place
            .advanced(self.text, limit)
            .error(format!("the character {} is not allowed in YAML", character.escape_default()))
    }

    /// A document whose start has been read.
    fn document(&mut self) -> Result<Node<'a>, SyntaxError> {
        let mut builder = Builder::default();
        let mut anchors = Anchors::default();
        let mut repeats: Vec<Repeat> = Vec::new();
        loop {
            let part = if let Some(repeat) = repeats.last_mut() {
                if repeat.next == repeat.end {
                    repeats.pop();
                    continue;
                }
                let Some(part) = repeat.part(&anchors.log, &mut self.aliased_parts) else {
                    let message = "its aliases make the document many times larger than its text";
                    return Err(error_at(repeats[0].alias, message));
                };
                part
            } else {
                let Some(read) = self.part(builder.top())? else { break };
                anchors.note(&read);
                read.part
            };
            let alias = repeats.first().map(|repeat| repeat.alias);
            let added = match part {
                Part::Alias(anchor, span) => anchors.repeat(anchor, span).map(|repeat| repeats.push(repeat)),
                Part::Scalar(scalar) if builder.expects_key() => add_key(&mut builder, scalar),
                Part::Scalar(scalar) => {
                    let span = scalar.span;
                    let data = scalar.into_data().map_err(|message| error_at(span, message));
                    data.and_then(|data| builder.value(Node { data, span }))
                }
                Part::Open(kind, span) => builder.open(kind, span),
                Part::Close(end) => builder.close(end),
            };
            added.map_err(|error| alias.map_or(error.clone(), |alias| error_at(alias, error.message)))?;
        }
        builder.finish().ok_or_else(|| self.cursor.error("there is no document"))
    }

    /// The next part of the document; `None` at its end.
    fn part(&mut self, parent: Option<Kind>) -> Result<Option<Read<'a>>, SyntaxError> {
        let event = self.parser.as_mut().and_then(Parser::next_event).transpose();
        let Some((event, between)) = event.map_err(|error| self.syntax_error(&error))? else { return Ok(None) };
        let (part, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let (text, span) = self.scalar(text, style, between, anchor > 0 || tag.is_some());
                let plain = style == ScalarStyle::Plain;
                let tag = match tag {
                    Some(tag) => Tag::new(&tag.handle, &tag.suffix),
                    None if plain => Tag::None,
                    None => Tag::String,
                };
                (Part::Scalar(Scalar { text, tag, span }), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let span = self.opening(between, anchor > 0 || tag.is_some(), parent == Some(Kind::Object));
                (Part::Open(Kind::Array, span), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                (Part::Open(Kind::Object, self.opening(between, anchor > 0 || tag.is_some(), false)), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let end = self.mark(between.start);
                let bracket = between.start != between.end && matches!(self.at(end), Some(b']' | b'}'));
                let after = bracket.then(|| self.mark_after(end));
                (Part::Close(after.map(|after| (after.line, after.column))), 0)
            }
            Event::Alias(anchor) => {
                let start = self.mark(between.start);
                self.cursor = self.mark(between.end);
                (Part::Alias(anchor, start.to(self.cursor)), 0)
            }
            // The parser sees the end of the text where the forbidden character is.
            Event::DocumentEnd if self.limit < self.text.len() && self.mark(between.start).byte == self.limit => {
                return Err(self.cursor.error("there is a character that YAML does not allow"));
            }
            _ => return Ok(None),
        };
        Ok(Some(Read { part, anchor }))
    }

    /// Where a collection starts, and whether it does so with a bracket. The cursor moves there.
    fn opening(&mut self, between: Between, has_properties: bool, list_in_mapping: bool) -> Span {
        let mut start = self.mark(between.start);
        let mut bracket = between.start != between.end;
        if has_properties {
            start = self.seek(start, b"");
            bracket = matches!(self.at(start), Some(b'[' | b'{'));
        }
        if bracket {
            let after = self.mark_after(start);
            return start.to(after);
        }
        if list_in_mapping {
            // A list that is indented no further than its key is reported from behind its first `-`.
            let dash = self.seek(self.cursor, b":");
            if self.at(dash) == Some(b'-') {
                start = dash;
            }
        }
        self.cursor = start;
        start.to(start)
    }

    /// The text of a scalar, borrowed where it stands there as it is, and its place. The cursor moves behind it.
    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        between: Between,
        has_properties: bool,
    ) -> (Cow<'a, str>, Span) {
        let (text, start, end) = match style {
            ScalarStyle::Plain if text.is_empty() => {
                let place = self.empty(between, has_properties);
                (text, place, place)
            }
            ScalarStyle::Plain => {
                let start = self.content(between, has_properties);
                let end = self.mark(between.end);
                (self.borrowed(text, start.byte), start, end)
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let start = self.content(between, has_properties);
                let quote = if style == ScalarStyle::SingleQuoted { b'\'' } else { b'"' };
                let simple = start.byte + 1 + text.len();
                let special = if quote == b'"' { '\\' } else { '\'' };
                let is_simple = self.text.as_bytes().get(simple) == Some(&quote) && !text.contains(special);
                let text = if is_simple { self.borrowed(text, start.byte + 1) } else { text };
                let closing = if is_simple && matches!(text, Cow::Borrowed(_)) {
                    simple
                } else {
                    closing_quote(self.text.as_bytes(), start.byte, quote)
                };
                (text, start, start.advanced(self.text, (closing + 1).min(self.text.len())))
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let mut start = self.seek(self.cursor, b":?-");
                if !matches!(self.at(start), Some(b'|' | b'>')) {
                    start = self.mark(between.start);
                }
                let end = self.mark(between.end).byte.max(start.byte);
                let content = self.text[start.byte..end].trim_end_matches([' ', '\t', '\r', '\n']);
                (text, start, start.advanced(self.text, start.byte + content.len()))
            }
        };
        self.cursor = end;
        let text = match text {
            Cow::Owned(mut text) => {
                text.shrink_to_fit();
                Cow::Owned(text)
            }
            text => text,
        };
        (text, start.to(end))
    }

    /// Where a scalar starts, without its tag and its anchor.
    fn content(&mut self, between: Between, has_properties: bool) -> Mark {
        let start = self.mark(between.start);
        if has_properties { self.seek(start, b"") } else { start }
    }

    /// The text itself where it reads the same at a place.
    fn borrowed(&self, text: Cow<'a, str>, byte: usize) -> Cow<'a, str> {
        match self.text.get(byte..byte + text.len()) {
            Some(raw) if raw == text => Cow::Borrowed(raw),
            _ => text,
        }
    }

    /// Where a value that is left out would be: behind its tag, its `:` or its `-`.
    fn empty(&mut self, between: Between, has_properties: bool) -> Mark {
        if has_properties {
            return self.mark(between.end);
        }
        let indicator = self.seek(self.cursor, b"");
        match self.at(indicator) {
            Some(b':' | b'-') => indicator.advanced(self.text, indicator.byte + 1),
            _ => self.cursor,
        }
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

    /// Moves the cursor behind a bracket.
    fn mark_after(&mut self, bracket: Mark) -> Mark {
        self.cursor = Mark { byte: bracket.byte + 1, column: bracket.column + 1, ..bracket };
        self.cursor
    }

    /// A place as the parser gives it.
    fn mark(&mut self, marker: Marker) -> Mark {
        let (line, column) = (saturate(marker.line()), saturate(marker.col()));
        Mark {
            byte: self.byte(marker.index()),
            line: self.origin.line + line.saturating_sub(1),
            column: column + if line == 1 { self.origin.column } else { 1 },
        }
    }

    /// The byte at which a character starts.
    fn byte(&mut self, index: usize) -> usize {
        let text = &self.text[self.origin.byte..self.limit];
        if self.ascii {
            return self.origin.byte + index.min(text.len());
        }
        let (characters, bytes) = self.known;
        let bytes = if let Some(forward) = index.checked_sub(characters) {
            text[bytes..].char_indices().nth(forward).map_or(text.len(), |(offset, _)| bytes + offset)
        } else {
            let backward = characters - index;
            text[..bytes].char_indices().rev().nth(backward - 1).map_or(0, |(offset, _)| offset)
        };
        self.known = (index, bytes);
        self.origin.byte + bytes
    }

    fn syntax_error(&mut self, error: &ScanError) -> SyntaxError {
        let mut place = self.mark(*error.marker());
        if place.byte >= self.limit {
            // The parser tells of an end of text on a line of its own.
            place = self.cursor.advanced(self.text, self.text[..self.limit].trim_end().len());
        }
        match error.info() {
            "recursion limit exceeded" => too_deep(place.to(place)),
            "while parsing node, found unknown anchor" => self.unknown_anchor(place),
            info => place.error(info),
        }
    }

    fn unknown_anchor(&self, place: Mark) -> SyntaxError {
        let name: String =
            self.text[place.byte..].chars().take_while(|c| !c.is_whitespace() && !",[]{}".contains(*c)).collect();
        place.error(format!("there is no anchor for the alias {name}"))
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

/// An anchored part that is being repeated for an alias.
struct Repeat {
    /// Its place in the log, as far as it is not repeated yet.
    next: usize,
    start: usize,
    end: usize,
    /// Where the alias stands.
    alias: Span,
}

impl Repeat {
    /// The next part; `None` where the budget is spent.
    fn part<'a>(&mut self, log: &[Part<'a>], budget: &mut usize) -> Option<Part<'a>> {
        let at = self.next;
        self.next += 1;
        *budget = budget.checked_sub(log[at].cost())?;
        let mut part = log[at].clone();
        if at == self.start || self.next == self.end {
            // As a whole it stands where the alias does.
            match &mut part {
                Part::Scalar(Scalar { span, .. }) | Part::Open(_, span) | Part::Alias(_, span) => *span = self.alias,
                Part::Close(end) => *end = Some((self.alias.end_line, self.alias.end_column)),
            }
        }
        Some(part)
    }
}

impl Part<'_> {
    /// What it takes to repeat it, in units of some hundred bytes.
    fn cost(&self) -> usize {
        match self {
            Part::Scalar(Scalar { text: Cow::Owned(text), .. }) => 1 + text.len() / 64,
            _ => 1,
        }
    }
}

impl<'a> Anchors<'a> {
    /// Takes note of a part that was read.
    fn note(&mut self, read: &Read<'a>) {
        let anchored = read.anchor > 0;
        if anchored {
            if self.ranges.is_empty() {
                self.first = read.anchor;
            }
            self.ranges.push((self.log.len(), 0));
        }
        if anchored || !self.open.is_empty() {
            self.log.push(read.part.clone());
        }
        match read.part {
            Part::Open(..) => {
                if anchored {
                    self.open.push((self.ranges.len() - 1, self.depth));
                }
                self.depth += 1;
            }
            Part::Close(_) => {
                self.depth = self.depth.saturating_sub(1);
                if let Some((anchor, _)) = self.open.pop_if(|(_, depth)| *depth == self.depth) {
                    self.ranges[anchor].1 = self.log.len();
                }
            }
            Part::Scalar(_) | Part::Alias(..) => {
                if anchored {
                    let last = self.ranges.len() - 1;
                    self.ranges[last].1 = self.log.len();
                }
            }
        }
    }

    /// What an alias repeats.
    fn repeat(&self, anchor: usize, alias: Span) -> Result<Repeat, SyntaxError> {
        // saphyr remembers the anchors of earlier documents; YAML does not.
        let range = anchor.checked_sub(self.first).and_then(|place| self.ranges.get(place));
        match range {
            None => Err(error_at(alias, "its anchor is in another document")),
            Some((_, 0)) => Err(error_at(alias, "the alias stands within its own anchor")),
            Some((start, end)) => Ok(Repeat { next: *start, start: *start, end: *end, alias }),
        }
    }
}

/// The first character that go-yaml refuses: control characters other than tab and line breaks, and what Unicode keeps
/// from being a character.
fn find_forbidden(text: &str) -> Option<usize> {
    let suspect = |byte: u8| {
        (byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r')
            | (byte == 0x7F)
            | (byte == 0xC2)
            | (byte == 0xEF)
    };
    let mut from = 0;
    for chunk in text.as_bytes().chunks(256) {
        // Without an early exit, so that it is done many bytes at a time.
        if chunk.iter().fold(false, |found, byte| found | suspect(*byte)) {
            for at in from..from + chunk.len() {
                let forbidden = match text.as_bytes()[at..] {
                    [0xC2, second, ..] => second < 0xA0 && second != 0x85,
                    [0xEF, 0xBF, third, ..] => third > 0xBD,
                    [0xC2 | 0xEF, ..] | [] => false,
                    [byte, ..] => suspect(byte),
                };
                if forbidden {
                    return Some(at);
                }
            }
        }
        from += chunk.len();
    }
    None
}

/// The next line behind a place that starts a document.
fn next_document(text: &str, from: usize) -> Option<usize> {
    text[from..]
        .match_indices("\n---")
        .map(|(offset, _)| from + offset + 1)
        .find(|start| matches!(text.as_bytes().get(start + 3), None | Some(b' ' | b'\t' | b'\r' | b'\n')))
}

/// The quote that closes the one at a place.
fn closing_quote(text: &[u8], opening: usize, quote: u8) -> usize {
    let mut at = opening + 1;
    loop {
        at += match text.get(at) {
            None => return at,
            Some(b'\\') if quote == b'"' => 2,
            Some(b'\'') if quote == b'\'' && text.get(at + 1) == Some(&b'\'') => 2,
            Some(byte) if *byte == quote => return at,
            Some(_) => 1,
        };
    }
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
