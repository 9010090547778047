//! Findings for people: the line, what is wrong there, and how to mend it.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level as Title, Origin, Renderer, Snippet};
use gatehouse_policy::module::{is_printable, printable};
use gatehouse_policy::node::{Data, Span};
use gatehouse_policy::{Fix, Level, Node, PatchOperation, Segment};

use super::{Frame, Render};
use crate::check::{FileReport, Located, Problem, Secret};
use crate::source::{LONGEST_LINE, Lines};

/// Lines of source with the finding beneath, coloured; the stream that they are written to takes the colour out where
/// nobody sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pretty;

impl Render for Pretty {
    fn finding(&self, finding: &Located) -> String {
        render(finding) + "\n\n"
    }

    fn shows_source(&self) -> bool {
        true
    }

    fn frame(&self) -> Frame {
        Frame::default()
    }
}

fn render(finding: &Located) -> String {
    let title = match finding.level {
        Level::Deny => Title::ERROR.with_name("deny"),
        Level::Warn => Title::WARNING.with_name("warn"),
    };
    let title = title.primary_title(printable(&finding.message)).id(finding.rule.clone());
    let label = if finding.shown.absent { format!("lacks {}", missing(finding)) } else { String::new() };
    let mut group = title.elements(snippet(finding.line.as_deref(), &finding.file, finding.shown.span, &label));
    let place = match &finding.object {
        Some(object) => format!("{} {}: {}", object.kind, object.name, finding.path),
        None => finding.path.to_string(),
    };
    group = group.element(Title::NOTE.with_name("in").message(printable(&place)));
    if let Some(fix) = &finding.fix {
        group = group.element(Title::HELP.message(printable(&help(fix))));
    }
    Renderer::styled().render(&[group])
}

/// The part of a finding's path that is not there, for the label under the part that is.
fn missing(finding: &Located) -> String {
    match finding.path.segments() {
        [.., Segment::Key(list), Segment::Index(index)] => format!("{list}[{index}]"),
        [.., Segment::Key(key)] => key.to_string(),
        _ => finding.path.to_string(),
    }
}

/// A fix in words: what to write where.
fn help(fix: &Fix) -> String {
    let safety = if fix.safe { "" } else { " (changes what runs)" };
    let edits = fix.edits.iter().map(|edit| match edit.text.trim() {
        "" => "remove this".to_owned(),
        text => format!("write {text}"),
    });
    let steps: Vec<String> = fix.patch.iter().map(step).chain(edits).collect();
    format!("{}{safety}", steps.join(", and "))
}

fn step(operation: &PatchOperation) -> String {
    match operation {
        PatchOperation::Add { path, value } => format!("add {}", assignment(path, value)),
        PatchOperation::Replace { path, value } => format!("set {}", assignment(path, value)),
        PatchOperation::Remove { path } => format!("remove {}", last(path)),
    }
}

/// `securityContext: {runAsNonRoot: true}`: the last name of a pointer and its value, in YAML's flow style.
fn assignment(pointer: &str, value: &Node<'_>) -> String {
    format!("{}: {}", last(pointer), flow(value))
}

fn last(pointer: &str) -> String {
    pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

fn flow(value: &Node<'_>) -> String {
    match &value.data {
        Data::Object(members) => {
            let members = members.iter().map(|member| format!("{}: {}", member.key, flow(&member.value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Data::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        // Letters alone need no quotes; whatever might be read as something else keeps JSON's.
        Data::String(text) if !text.is_empty() && text.chars().all(char::is_alphabetic) && !is_word(text) => {
            text.clone().into_owned()
        }
        _ => value.to_json(),
    }
}

/// Whether YAML reads a word as something other than a string.
fn is_word(text: &str) -> bool {
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// What could not be checked of a file whose text is `text`, each with its line where there is one. Of that line, what a
/// finding says is a secret is not shown.
#[must_use]
pub fn problems(report: &FileReport, text: &str) -> String {
    if report.problems.is_empty() {
        return String::new();
    }
    let text = masked(text, report);
    let lines = Lines::new(&text);
    report.problems.iter().map(|of| problem(of, &lines)).collect()
}

fn problem(problem: &Problem, lines: &Lines<'_>) -> String {
    let mut group = Title::ERROR.primary_title(printable(&problem.message)).elements(snippet(
        lines.line(problem.span.line),
        &problem.file,
        problem.span,
        "",
    ));
    if let Some(help) = &problem.help {
        group = group.element(Title::HELP.message(printable(help)));
    }
    Renderer::styled().render(&[group]) + "\n\n"
}

/// A file's text with a star in place of each character of its secrets: what is shown for one finding may stand on the
/// same line as the secret of another. White space stays, so that lines and columns do.
pub(crate) fn masked<'t>(text: &'t str, report: &FileReport) -> Cow<'t, str> {
    let findings = report.findings.iter().filter_map(|finding| Some((finding.span, finding.secret.as_ref()?)));
    let problems = report.problems.iter().filter_map(|problem| Some((problem.span, problem.secret.as_ref()?)));
    let mut secrets: Vec<(Span, &Secret)> = findings.chain(problems).collect();
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    secrets.sort_by_key(|(span, _)| (span.line, span.column));
    let mut masked = String::with_capacity(text.len());
    let mut rest = &secrets[..];
    // Those that go on from the lines before.
    let mut open: Vec<Span> = Vec::new();
    for (number, source) in (1..).zip(Lines::new(text).all()) {
        let (here, after) = rest.split_at(rest.partition_point(|(span, _)| span.line <= number));
        rest = after;
        open.extend(here.iter().map(|(span, _)| *span));
        if open.is_empty() {
            masked.push_str(source);
            continue;
        }
        // How many secrets start, less how many end, before each character.
        let length = source.chars().count();
        let mut changes = vec![0_i64; length + 2];
        let place = |column: u32| usize::try_from(column.saturating_sub(1)).unwrap_or(length).min(length);
        for span in &open {
            let start = if span.line < number { 0 } else { place(span.column) };
            let end = if span.end_line > number { length } else { place(span.end_column) };
            changes[start] += 1;
            changes[end.max(start)] -= 1;
        }
        let mut depth = 0;
        for (character, change) in source.chars().zip(&changes) {
            depth += change;
            masked.push(if depth > 0 && !character.is_whitespace() { '*' } else { character });
        }
        open.retain(|span| span.end_line > number);
    }
    // What an alias stands for is written elsewhere.
    for text in secrets.iter().flat_map(|(_, secret)| &secret.0) {
        if masked.contains(text.as_str()) {
            let stars: String = text.chars().map(|of| if of.is_whitespace() { of } else { '*' }).collect();
            masked = masked.replace(text.as_str(), &stars);
        }
    }
    Cow::Owned(masked)
}

/// The first line of a span, underlined, or only the name of the file where there is nothing to show.
fn snippet<'s>(line: Option<&str>, file: &str, span: Span, label: &str) -> Vec<annotate_snippets::Element<'s>> {
    let file = printable(file);
    let Some(line) = line.filter(|line| line.len() <= LONGEST_LINE && !line.trim().is_empty()) else {
        let origin = Origin::path(file);
        let [line, column] = [span.line, span.column].map(|number| usize::try_from(number).unwrap_or(0));
        return vec![if line > 0 { origin.line(line).char_column(column).into() } else { origin.into() }];
    };
    // A terminal obeys what it is sent.
    let line: String = line.chars().map(|of| if of == '\t' || is_printable(of) { of } else { '\u{fffd}' }).collect();
    let range = columns(&line, span);
    let mut annotation = AnnotationKind::Primary.span(range);
    if !label.is_empty() {
        annotation = annotation.label(printable(label));
    }
    let start = usize::try_from(span.line).unwrap_or(1);
    vec![Snippet::source(line).path(file).line_start(start).annotation(annotation).into()]
}

/// The bytes of a line that a span covers: to the line's end where the span goes on below it.
fn columns(line: &str, span: Span) -> Range<usize> {
    let byte = |column: u32| {
        let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    };
    let start = byte(span.column);
    let end = if span.end_line > span.line { line.len() } else { byte(span.end_column) };
    let end = end.max(start);
    start..if end == start { (start + 1).min(line.len()).max(start) } else { end }
}
