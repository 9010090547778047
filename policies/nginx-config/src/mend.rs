//! Fixes of files. None is safe: nginx answers otherwise afterwards, which is the point.

use std::ops::Range;

use gatehouse_policy::node::Span;
use gatehouse_policy::{Rule, TextEdit};

use crate::place::At;
use crate::reader::{Directive, Position, Word};
use crate::sources::{Source, Sources};
use crate::{
    ADD_HEADER_MULTILINE, HEADER_INHERITANCE, HOST_SPOOFING, HTTP_SPLITTING, SERVER_TOKENS, SSL_PROTOCOLS,
    USER_DIRECTIVE, protocols, values,
};

/// What mends a finding at a directive, where it is clear. `beside` are the headers to repeat, after the directive that they
/// follow.
pub fn fix(rule: &Rule, sources: &Sources<'_>, at: At, beside: &[At]) -> Vec<TextEdit> {
    let (source, directive) = sources.get(at);
    let edit = if *rule == SERVER_TOKENS && directive.is_block {
        Some(insert(source, directive, &["server_tokens off;".to_owned()]))
    } else if *rule == SERVER_TOKENS {
        replace(source, directive, 1..2, "off".to_owned())
    } else if *rule == USER_DIRECTIVE {
        Some(remove(source, directive))
    } else if *rule == SSL_PROTOCOLS {
        let (_, new) = protocols::old_and_new(source, directive);
        let new = if new.is_empty() { "TLSv1.2 TLSv1.3".to_owned() } else { new.join(" ") };
        replace(source, directive, 1..source.config.words(directive).len(), new)
    } else if *rule == HOST_SPOOFING {
        replace(source, directive, 2..3, "$host".to_owned())
    } else if *rule == ADD_HEADER_MULTILINE {
        return unfold(source, directive);
    } else if *rule == HTTP_SPLITTING {
        request_uri(source, directive)
    } else if *rule == HEADER_INHERITANCE {
        repeat(sources, at, beside)
    } else {
        None
    };
    edit.into_iter().collect()
}

/// A redirect that ends in the decoded path ends in the request's, query and all.
fn request_uri(source: &Source<'_>, directive: &Directive) -> Option<TextEdit> {
    let last = source.config.words(directive).len() - 1;
    let value = source.word(directive, last).filter(|_| source.word(directive, 0).as_deref() == Some("return"))?;
    let start =
        ["$uri", "${uri}", "$document_uri", "${document_uri}"].iter().find_map(|uri| value.strip_suffix(uri))?;
    // What else is in it may be at fault too.
    let is_plain = values::variables(start).all(|of| matches!(of, "host" | "scheme" | "server_name" | "server_port"));
    let mended = is_plain.then(|| quoted(&format!("{start}$request_uri")))?;
    replace(source, directive, last..last + 1, mended)
}

/// The headers that a block drops, after its own.
fn repeat(sources: &Sources<'_>, at: At, beside: &[At]) -> Option<TextEdit> {
    let (after, dropped) = beside.split_first().filter(|(after, _)| after.source == at.source)?;
    let line = |of: &At| {
        let (source, directive) = sources.get(*of);
        let words: Vec<&str> = source.config.words(directive).iter().map(|word| word.raw(&source.text)).collect();
        words.join(" ") + ";"
    };
    let lines: Vec<String> = dropped.iter().map(line).collect();
    let (source, after) = sources.get(*after);
    Some(insert(source, after, &lines))
}

/// The words of a directive that have lines, in one line each.
fn unfold(source: &Source<'_>, directive: &Directive) -> Vec<TextEdit> {
    let words = (0..).zip(source.config.words(directive));
    let edit = |(index, word): (usize, &Word)| {
        let value = word.value(&source.text);
        if !value.contains(['\n', '\r']) {
            return None;
        }
        let lines: Vec<&str> = value.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
        replace(source, directive, index..index + 1, quoted(&lines.join(" ")))
    };
    words.filter_map(edit).collect()
}

/// A value as a word: in quotes where it would end before its end.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    if escaped.contains([' ', '\t', ';', '{', '}', '\'', '"']) { format!("\"{escaped}\"") } else { escaped }
}

/// How long a line is at most whose end and indentation are looked for.
const LONGEST_LINE: usize = 4096;

/// New lines after a directive's `;` or a block's `{`, indented as what stands in the block.
fn insert(source: &Source<'_>, after: &Directive, lines: &[String]) -> TextEdit {
    let Position { line, column } = after.after;
    let span = Span { line, column, end_line: line, end_column: column };
    let start = source.config.words(after).first().map_or(0, Word::start);
    let (before, behind) = source.text.split_at(start);
    let line_end = if behind
        .get(..LONGEST_LINE)
        .unwrap_or(behind)
        .split_inclusive('\n')
        .next()
        .is_some_and(|line| line.ends_with("\r\n"))
    {
        "\r\n"
    } else {
        "\n"
    };
    let before = before.get(before.len().saturating_sub(LONGEST_LINE)..).unwrap_or_default();
    let before = before.rsplit('\n').next().unwrap_or_default();
    let own = &before[..before.len() - before.trim_start().len()];
    let deeper = match own.chars().next() {
        _ if !after.is_block => "",
        Some('\t') => "\t",
        _ => "    ",
    };
    let start = format!("{line_end}{own}{deeper}");
    TextEdit { span, text: lines.iter().flat_map(|line| [&*start, line]).collect() }
}

/// Another text in the place of some words.
fn replace(source: &Source<'_>, directive: &Directive, words: Range<usize>, text: String) -> Option<TextEdit> {
    let words = source.config.words(directive).get(words)?;
    let (first, last) = (words.first()?.span, words.last()?.span);
    Some(TextEdit { span: Span { end_line: last.end_line, end_column: last.end_column, ..first }, text })
}

/// A directive taken out, with its line where nothing else is on it.
fn remove(source: &Source<'_>, directive: &Directive) -> TextEdit {
    let first = source.config.words(directive).first().map(|word| word.span).unwrap_or_default();
    let after = directive.after;
    let mut span = Span { line: first.line, column: first.column, end_line: after.line, end_column: after.column };
    let lines = || source.text.split('\n');
    let line = lines().nth(after.line as usize - 1).unwrap_or_default();
    let rest: String = line.chars().skip(after.column as usize - 1).collect();
    if first.column == 1 && rest.trim().is_empty() && lines().nth(after.line as usize).is_some() {
        (span.end_line, span.end_column) = (after.line + 1, 1);
    }
    TextEdit { span, text: String::new() }
}
