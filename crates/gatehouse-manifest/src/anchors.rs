//! Anchors and aliases: parts of a document that are read again elsewhere.

use std::borrow::Cow;

use gatehouse_policy::node::Span;

use crate::SyntaxError;
use crate::mark::error_at;
use crate::scalar::Scalar;
use crate::tree::Kind;

/// A part of a document, in the order of the text.
#[derive(Clone, Debug)]
pub(crate) enum Part<'a> {
    /// A single value.
    Scalar(Scalar<'a>),
    /// A collection starts.
    Open(Kind, Span),
    /// It ends: after the bracket at this line and column, or without one.
    Close(Option<(u32, u32)>),
    /// What has the anchor with this number stands here again.
    Alias(usize, Span),
}

/// What aliases may add to a file, so that a small one cannot fill the memory: a million parts, and more where the file
/// is large. Each part takes some hundred bytes. (Go-yaml counts for each document and stops at about 400,000.)
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub fn of(text: &str) -> Self {
        Self(1_000_000 + text.len() / 16)
    }

    fn spend(&mut self, part: &Part<'_>) -> Option<()> {
        let cost = match part {
            Part::Scalar(Scalar { text: Cow::Owned(text), .. }) => 1 + text.len() / 64,
            _ => 1,
        };
        self.0 = self.0.checked_sub(cost)?;
        Some(())
    }
}

/// The parts of a document that have anchors, and those among them that an alias repeats just now.
#[derive(Debug, Default)]
pub(crate) struct Anchors<'a> {
    /// All parts from the start of an anchored one to its end.
    log: Vec<Part<'a>>,
    /// Where in the log the parts of each anchor start and end, in the order of the text; they end at 0 as long as they
    /// are being read.
    ranges: Vec<(usize, usize)>,
    /// The parser's number of the first anchor. The others follow one by one.
    first: usize,
    /// Anchored collections that are open, with the number of collections around them.
    open: Vec<(usize, usize)>,
    /// How many collections are open within the outermost of those, and it.
    depth: usize,
    /// What aliases repeat, one within the other.
    repeats: Vec<Repeat>,
}

/// A range of the log that is being repeated.
#[derive(Debug)]
struct Repeat {
    start: usize,
    next: usize,
    end: usize,
    alias: Span,
}

impl<'a> Anchors<'a> {
    /// Whether an alias repeats something just now.
    pub fn is_repeating(&self) -> bool {
        !self.repeats.is_empty()
    }

    /// Takes note of a part that was read from the text, with the number of its anchor or 0. Most parts neither have an
    /// anchor nor stand in what has one.
    #[inline]
    pub fn note(&mut self, part: &Part<'a>, anchor: usize) {
        if anchor > 0 || !self.open.is_empty() {
            self.record(part, anchor);
        }
    }

    fn record(&mut self, part: &Part<'a>, anchor: usize) {
        let anchored = anchor > 0;
        if anchored {
            if self.ranges.is_empty() {
                self.first = anchor;
            }
            self.ranges.push((self.log.len(), 0));
        }
        self.log.push(part.clone());
        let ended = match part {
            Part::Open(..) => {
                if anchored {
                    self.open.push((self.ranges.len() - 1, self.depth));
                }
                self.depth += 1;
                None
            }
            Part::Close(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.open.pop_if(|(_, depth)| *depth == self.depth).map(|(range, _)| range)
            }
            Part::Scalar(_) | Part::Alias(..) => anchored.then(|| self.ranges.len() - 1),
        };
        if let Some(range) = ended {
            self.ranges[range].1 = self.log.len();
        }
    }

    /// Starts to repeat what has an anchor.
    pub fn repeat(&mut self, anchor: usize, alias: Span) -> Result<(), SyntaxError> {
        match anchor.checked_sub(self.first).and_then(|place| self.ranges.get(place)) {
            None => Err(error_at(alias, "there is no anchor for this alias")),
            Some((_, 0)) => Err(error_at(alias, "this alias stands within what it repeats")),
            Some((start, end)) => {
                self.repeats.push(Repeat { start: *start, next: *start, end: *end, alias });
                Ok(())
            }
        }
    }

    /// The next part that an alias repeats, if there is one, and where the outermost alias stands.
    pub fn repeated(&mut self, budget: &mut Budget) -> Result<Option<(Part<'a>, Span)>, SyntaxError> {
        while self.repeats.pop_if(|repeat| repeat.next == repeat.end).is_some() {}
        let Some(outermost) = self.repeats.first().map(|repeat| repeat.alias) else { return Ok(None) };
        let Some(repeat) = self.repeats.last_mut() else { return Ok(None) };
        let at = repeat.next;
        repeat.next += 1;
        if budget.spend(&self.log[at]).is_none() {
            return Err(error_at(outermost, "the aliases up to here make the file many times larger than its text"));
        }
        let mut part = self.log[at].clone();
        if at == repeat.start || repeat.next == repeat.end {
            // As a whole it stands where the alias does.
            match &mut part {
                Part::Scalar(Scalar { span, .. }) | Part::Open(_, span) | Part::Alias(_, span) => *span = repeat.alias,
                Part::Close(end) => *end = Some((repeat.alias.end_line, repeat.alias.end_column)),
            }
        }
        Ok(Some((part, outermost)))
    }
}
