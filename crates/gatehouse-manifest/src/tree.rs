//! Builds the tree from what the readers of YAML and JSON find, in the order of the text.

use std::borrow::Cow;
use std::collections::HashMap;

use gatehouse_policy::Node;
use gatehouse_policy::node::{Data, MAX_DEPTH, Member, Span};

use crate::SyntaxError;
use crate::mark::error_at;

/// Up to so many members are compared each with each; more are sorted first.
const FEW: usize = 12;

/// What a collection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Array,
    Object,
}

/// A tree under construction. Parts of unfinished collections lie on two stacks, so that each finished one gets a list of
/// just its size.
#[derive(Debug, Default)]
pub(crate) struct Builder<'a> {
    frames: Vec<Frame<'a>>,
    items: Vec<Node<'a>>,
    members: Vec<Member<'a>>,
    root: Option<Node<'a>>,
}

/// A collection under construction.
#[derive(Debug)]
struct Frame<'a> {
    kind: Kind,
    span: Span,
    /// Where its parts start on their stack.
    start: usize,
    /// The key that waits for its value.
    key: Option<Key<'a>>,
    /// What the merge keys of an object brought, and how many members it had by then.
    merges: Vec<(usize, Node<'a>)>,
}

#[derive(Debug)]
enum Key<'a> {
    Name(Cow<'a, str>, Span),
    Merge,
}

impl<'a> Builder<'a> {
    /// The collection that is open.
    pub fn top(&self) -> Option<Kind> {
        self.frames.last().map(|frame| frame.kind)
    }

    /// Whether what comes next is a key.
    pub fn expects_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.kind == Kind::Object && frame.key.is_none())
    }

    /// The name of the member that comes.
    pub fn key(&mut self, name: Cow<'a, str>, span: Span) {
        self.set_key(Key::Name(name, span), span);
    }

    /// A merge key: the value that comes is an object, or a list of them, whose members become this object's.
    pub fn merge_key(&mut self, span: Span) {
        self.set_key(Key::Merge, span);
    }

    fn set_key(&mut self, key: Key<'a>, span: Span) {
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some(key);
            (frame.span.end_line, frame.span.end_column) = (span.end_line, span.end_column);
        }
    }

    /// A collection starts.
    pub fn open(&mut self, kind: Kind, span: Span) -> Result<(), SyntaxError> {
        if self.expects_key() {
            return Err(error_at(span, "a key must be a single value, not a list or a mapping"));
        }
        self.check_depth(span)?;
        let start = if kind == Kind::Array { self.items.len() } else { self.members.len() };
        self.frames.push(Frame { kind, span, start, key: None, merges: Vec::new() });
        Ok(())
    }

    /// The open collection ends: at the given line and column, or else where its last part does.
    pub fn close(&mut self, end: Option<(u32, u32)>) -> Result<(), SyntaxError> {
        let Some(mut frame) = self.frames.pop() else { return Ok(()) };
        if let Some((line, column)) = end {
            (frame.span.end_line, frame.span.end_column) = (line, column);
        }
        let data = match frame.kind {
            Kind::Array => Data::Array(self.items.split_off(frame.start)),
            Kind::Object => {
                let mut members = self.members.split_off(frame.start);
                refuse_duplicates(&members)?;
                merge(&mut members, frame.merges);
                Data::Object(members)
            }
        };
        self.value(Node { data, span: frame.span })
    }

    /// A value: a scalar, or a collection that is finished.
    pub fn value(&mut self, node: Node<'a>) -> Result<(), SyntaxError> {
        self.check_depth(node.span)?;
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        (frame.span.end_line, frame.span.end_column) = (node.span.end_line, node.span.end_column);
        match frame.key.take() {
            None => self.items.push(node),
            Some(Key::Name(key, key_span)) => self.members.push(Member { key, key_span, value: node }),
            Some(Key::Merge) => {
                let mergeable = match &node.data {
                    Data::Object(_) => true,
                    Data::Array(items) => items.iter().all(|item| matches!(item.data, Data::Object(_))),
                    _ => false,
                };
                if !mergeable {
                    return Err(error_at(node.span, "only a mapping, or a list of mappings, can be merged with `<<`"));
                }
                frame.merges.push((self.members.len() - frame.start, node));
            }
        }
        Ok(())
    }

    /// The whole tree; an empty document is `null`.
    pub fn finish(&mut self) -> Option<Node<'a>> {
        self.root.take()
    }

    fn check_depth(&self, span: Span) -> Result<(), SyntaxError> {
        if self.frames.len() > MAX_DEPTH { Err(too_deep(span)) } else { Ok(()) }
    }
}

/// The error of what nests too deep.
pub(crate) fn too_deep(span: Span) -> SyntaxError {
    error_at(span, format!("it nests deeper than {MAX_DEPTH} levels"))
}

/// An object's names must differ.
fn refuse_duplicates(members: &[Member<'_>]) -> Result<(), SyntaxError> {
    let twice = if members.len() <= FEW {
        (1..members.len()).find_map(|second| {
            (0..second).find(|first| members[*first].key == members[second].key).map(|first| (first, second))
        })
    } else {
        let mut sorted: Vec<usize> = (0..members.len()).collect();
        sorted.sort_unstable_by(|a, b| members[*a].key.cmp(&members[*b].key).then(a.cmp(b)));
        let pairs = sorted.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.filter(|(a, b)| members[*a].key == members[*b].key).min_by_key(|(_, second)| *second)
    };
    let Some((first, second)) = twice else { return Ok(()) };
    let (key, line) = (&members[second].key, members[first].key_span.line);
    Err(error_at(members[second].key_span, format!("the key {key:?} is there already, in line {line}")))
}

/// Puts merged members among an object's own. go-yaml v2 merges where the merge key stands: what comes later in the text
/// wins, so a merge key replaces the members above it and yields to those below. Of a list, the first object wins.
fn merge<'a>(members: &mut Vec<Member<'a>>, merges: Vec<(usize, Node<'a>)>) {
    if merges.is_empty() {
        return;
    }
    let own = members.len();
    let mut places: HashMap<Cow<'a, str>, usize> =
        members.iter().enumerate().map(|(place, member)| (member.key.clone(), place)).collect();
    for (above, node) in merges {
        let sources = match node.data {
            Data::Array(items) => items,
            _ => vec![node],
        };
        for source in sources.into_iter().rev() {
            let Data::Object(others) = source.data else { continue };
            for member in others {
                match places.get(&member.key) {
                    Some(place) if (above..own).contains(place) => {}
                    Some(place) => members[*place] = member,
                    None => {
                        places.insert(member.key.clone(), members.len());
                        members.push(member);
                    }
                }
            }
        }
    }
}
