//! What go-yaml reads otherwise than YAML 1.2 between brackets, where its scanner is that of YAML 1.1
//! (`yaml_parser_scan_plain_scalar` in <https://github.com/yaml/go-yaml/blob/v2/scannerc.go>): a text ends at a `:` only if
//! a space follows it, so `2001:db8::]` is an address and no key, and a `-` before a bracket or comma is a text. The parser
//! takes both for punctuation. So a document that has such is read once more with other characters in their places.

use std::borrow::Cow;

use gatehouse_policy::Node;
use gatehouse_policy::node::{Data, Member};

/// A character that belongs to a text, though the parser would not have it: its place and itself.
pub(crate) type Kept = (usize, u8);

/// How often a document may be read again: once, for all places that can be told without the parser, and a few times more for
/// others.
pub(crate) const READINGS: usize = 8;

/// Characters that mean nothing to the parser and do not occur in a document, for those that mean something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandIns {
    colon: u8,
    dash: u8,
}

impl StandIns {
    pub fn absent_from(text: &str) -> Option<Self> {
        let mut present = [false; 256];
        text.bytes().for_each(|byte| present[usize::from(byte)] = true);
        let mut absent = (b'!'..=b'~')
            .filter(|byte| byte.is_ascii_alphanumeric() || b"^~$;()<=+_/\\.".contains(byte))
            .filter(|byte| !present[usize::from(*byte)]);
        Some(Self { colon: absent.next()?, dash: absent.next()? })
    }

    /// Puts them into a text.
    pub fn put(self, text: &mut [u8], kept: &[Kept]) {
        for (at, byte) in kept {
            if let Some(place) = text.get_mut(*at) {
                *place = if *byte == b'-' { self.dash } else { self.colon };
            }
        }
    }

    /// What they stand for in a scalar.
    pub fn undo(self, text: Cow<'_, str>) -> Cow<'_, str> {
        let [colon, dash] = [self.colon, self.dash].map(char::from);
        if text.contains([colon, dash]) {
            Cow::Owned(
                text.chars()
                    .map(|of| {
                        if of == colon {
                            ':'
                        } else if of == dash {
                            '-'
                        } else {
                            of
                        }
                    })
                    .collect(),
            )
        } else {
            text
        }
    }
}

/// Whether go-yaml keeps a `:` or `-` at this place within a text: behind it a bracket or comma follows.
pub(crate) fn is_kept(text: &str, at: usize) -> Option<Kept> {
    let bytes = text.as_bytes();
    let byte = *bytes.get(at)?;
    (matches!(byte, b':' | b'-') && bytes.get(at + 1).copied().is_some_and(is_bracket)).then_some((at, byte))
}

/// Those that can be told without the parser: a `:` right behind a letter or digit, and a `-` alone. What is in quotes or
/// comments, or not between brackets, may be among them and stays what it is.
pub(crate) fn kept_everywhere(text: &str) -> Vec<Kept> {
    let bytes = text.as_bytes();
    // Whether the characters before are the start of a text, which is no anchor or alias.
    let mut in_text = false;
    let mut in_name = false;
    let mut kept = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b':' if in_text => kept.extend(is_kept(text, at)),
            b'-' if !in_text && !in_name => kept.extend(is_kept(text, at)),
            _ => {}
        }
        match byte {
            b'*' | b'&' | b'!' if !in_text => in_name = true,
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' | b'{' | b'}' => (in_text, in_name) = (false, false),
            b'"' | b'\'' => in_text = false,
            _ => in_text = !in_name && (in_text || byte.is_ascii_alphanumeric() || !byte.is_ascii()),
        }
    }
    kept
}

/// Whether a character ends a text between brackets.
pub(crate) fn is_bracket(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}

/// Where the document ends that a text starts with: at the next line of `---` or `...`.
pub(crate) fn document_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_line = |at: &usize| {
        let marked = bytes[*at..].starts_with(b"---") || bytes[*at..].starts_with(b"...");
        marked && matches!(bytes.get(at + 3), None | Some(b' ' | b'\t' | b'\r' | b'\n'))
    };
    let lines = (1..bytes.len()).filter(|at| matches!(bytes[at - 1], b'\n' | b'\r'));
    lines.into_iter().find(is_line).unwrap_or(text.len())
}

/// A tree that borrows nothing.
pub(crate) fn owned(node: Node<'_>) -> Node<'static> {
    let data = match node.data {
        Data::Null => Data::Null,
        Data::Bool(value) => Data::Bool(value),
        Data::Number(number) => Data::Number(number),
        Data::String(text) => Data::String(text.into_owned().into()),
        Data::Array(items) => Data::Array(items.into_iter().map(owned).collect()),
        Data::Object(members) => {
            let member = |member: Member<'_>| Member {
                key: member.key.into_owned().into(),
                key_span: member.key_span,
                value: owned(member.value),
            };
            Data::Object(members.into_iter().map(member).collect())
        }
    };
    Node { data, span: node.span }
}
