//! Reports: what was found, for people and for programs. Findings go to standard output; what could not be checked, and
//! the summary, to standard error.

mod json;
mod pretty;

use std::collections::BTreeSet;
use std::io::{self, Write};

use gatehouse_policy::module::printable;

use crate::check::{FileReport, Summary};

pub use json::Json;
pub use pretty::{Pretty, problems};

/// Renders what was found in a file, in the thread that checked it.
pub trait Render: Sync {
    /// The findings of a file whose text is `text`; empty where there are none.
    fn findings(&self, report: &FileReport, text: &str) -> String;

    /// What stands before, between and after the files that have findings.
    fn frame(&self) -> Frame;
}

/// What stands around the files' parts of a report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    /// Before the first.
    pub start: &'static str,
    /// Between two.
    pub between: &'static str,
    /// After the last.
    pub end: &'static str,
    /// Instead of all, where nothing is found.
    pub empty: &'static str,
}

/// What is to be printed of a file.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Its findings.
    pub findings: String,
    /// What could not be checked.
    pub problems: String,
}

impl Rendered {
    /// Renders a file's report.
    pub fn of(report: &FileReport, text: &str, render: &impl Render) -> Self {
        Self { findings: render.findings(report, text), problems: problems(report, text) }
    }
}

/// Where reports go.
pub struct Output<'o> {
    out: &'o mut dyn Write,
    err: &'o mut dyn Write,
    frame: Frame,
    verbose: bool,
    started: bool,
    unknown_namespaces: BTreeSet<String>,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("frame", &self.frame).finish_non_exhaustive()
    }
}

impl<'o> Output<'o> {
    /// Prints findings to `out` and all else to `err`; with `verbose` also what is passed over.
    pub fn new(out: &'o mut dyn Write, err: &'o mut dyn Write, render: &impl Render, verbose: bool) -> Self {
        Self { out, err, frame: render.frame(), verbose, started: false, unknown_namespaces: BTreeSet::new() }
    }

    /// Prints what came of a file.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn file(&mut self, report: &FileReport, rendered: &Rendered) -> io::Result<()> {
        if !rendered.findings.is_empty() {
            let before = if self.started { self.frame.between } else { self.frame.start };
            self.started = true;
            write!(self.out, "{before}{}", rendered.findings)?;
        }
        if !rendered.problems.is_empty() {
            // Both streams may be one terminal: what belongs before this is to stand before it.
            self.out.flush()?;
            write!(self.err, "{}", rendered.problems)?;
        }
        self.unknown_namespaces.extend(report.unknown_namespaces.iter().cloned());
        if let Some(note) = &report.note {
            writeln!(self.err, "note: {}", printable(note))?;
        }
        if self.verbose {
            for passed_over in &report.passed_over {
                writeln!(self.err, "passed over: {}", printable(passed_over))?;
            }
        }
        Ok(())
    }

    /// Prints what stands at the end, and the summary.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn finish(self, summary: &Summary) -> io::Result<()> {
        write!(self.out, "{}", if self.started { self.frame.end } else { self.frame.empty })?;
        self.out.flush()?;
        for namespace in &self.unknown_namespaces {
            let name = printable(namespace);
            writeln!(
                self.err,
                "note: the namespace {name} is not among the files: to namespaceSelectors it has no labels"
            )?;
        }
        writeln!(self.err, "{}", sentence(summary))?;
        if summary.passed_over > 0 && !self.verbose {
            let (documents, are) = counted(summary.passed_over, "document", "documents");
            let verb = if are { "are no Kubernetes objects" } else { "is no Kubernetes object" };
            writeln!(self.err, "{documents} {verb}; -v names {}", if are { "them" } else { "it" })?;
        }
        if summary.hidden > 0 && !self.verbose {
            let (files, are) = counted(summary.hidden, "hidden file", "hidden files");
            let verb = if are { "are" } else { "is" };
            writeln!(self.err, "{files} {verb} passed over; -v names {}", if are { "them" } else { "it" })?;
        }
        self.err.flush()
    }
}

/// A number with its noun, and whether it is a plural.
fn counted(number: usize, one: &str, many: &str) -> (String, bool) {
    let noun = if number == 1 { one } else { many };
    (format!("{number} {noun}"), number != 1)
}

/// What was checked and what came of it.
fn sentence(summary: &Summary) -> String {
    let count = |number, one, many| counted(number, one, many).0;
    let checked =
        format!("checked {} in {}", count(summary.objects, "object", "objects"), count(summary.files, "file", "files"));
    let mut parts = Vec::new();
    if summary.denied > 0 {
        parts.push(format!("{} denied", summary.denied));
    }
    if summary.warned > 0 {
        parts.push(count(summary.warned, "warning", "warnings"));
    }
    if summary.problems > 0 {
        parts.push(format!("{} that could not be checked", summary.problems));
    }
    match (parts.is_empty(), summary.objects) {
        (true, 0) => format!("{checked}: there is nothing to check"),
        (true, _) => format!("{checked}: nothing found"),
        (false, _) => format!("{checked}: {}", parts.join(", ")),
    }
}
