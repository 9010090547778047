//! Reports: what was found, for people and for programs. Findings go to standard output; what could not be checked, and
//! the summary, to standard error.

mod json;
mod pretty;

use std::collections::BTreeSet;
use std::io::{self, Write};

use gatehouse_engine::{is_own_group, plural};
use gatehouse_policy::module::printable;

use crate::check::{FileReport, KindName, Located, Problem, Summary};

pub use json::Json;
pub(crate) use pretty::masked;
pub use pretty::{Pretty, problems};

/// Renders what was found in a file, in the thread that checked it.
pub trait Render: Sync {
    /// A finding.
    fn finding(&self, finding: &Located) -> String;

    /// Whether it shows the line of source that a finding is in.
    fn shows_source(&self) -> bool {
        false
    }

    /// What stands before the first finding, and between two.
    fn frame(&self) -> Frame;

    /// What could not be checked of a file, for a report that holds that too; empty where there is nothing.
    fn errors(&self, _report: &FileReport) -> String {
        String::new()
    }

    /// What stands behind all findings, if there are any, with the errors of all files.
    fn end(&self, _any: bool, _errors: &[String], _summary: &Summary) -> String {
        String::new()
    }
}

/// What stands around the findings of a report.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Before the first.
    pub start: String,
    /// Between two.
    pub between: &'static str,
}

/// What is to be printed of a file.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Its findings, in order.
    pub findings: Vec<String>,
    /// What could not be checked, for people.
    pub problems: String,
    /// What could not be checked, for the report.
    pub errors: String,
}

impl Rendered {
    /// Renders a file's report.
    pub fn of(report: &FileReport, text: &str, render: &impl Render) -> Self {
        Self {
            findings: report.findings.iter().map(|finding| render.finding(finding)).collect(),
            problems: problems(report, text),
            errors: render.errors(report),
        }
    }
}

/// Where reports go.
pub struct Output<'o, R> {
    out: &'o mut dyn Write,
    err: &'o mut dyn Write,
    render: &'o R,
    verbose: bool,
    started: bool,
    /// What the report says at its end; errors are few, or else there is no reading them.
    errors: Vec<String>,
    unknown_namespaces: BTreeSet<String>,
    kustomizations: BTreeSet<String>,
}

impl<R> std::fmt::Debug for Output<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("started", &self.started).finish_non_exhaustive()
    }
}

impl<'o, R: Render> Output<'o, R> {
    /// Prints findings to `out` and all else to `err`; with `verbose` also the names of what is skipped or not judged.
    pub fn new(out: &'o mut dyn Write, err: &'o mut dyn Write, render: &'o R, verbose: bool) -> Self {
        let [unknown_namespaces, kustomizations] = [BTreeSet::new(), BTreeSet::new()];
        Self { out, err, render, verbose, started: false, errors: Vec::new(), unknown_namespaces, kustomizations }
    }

    /// Prints what came of a file.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn file(&mut self, report: &FileReport, rendered: Rendered) -> io::Result<()> {
        for finding in &rendered.findings {
            let frame = self.render.frame();
            let before = if self.started { frame.between } else { &frame.start };
            self.started = true;
            write!(self.out, "{before}{finding}")?;
        }
        if !rendered.problems.is_empty() {
            // Both streams may be one terminal: what belongs before this is to stand before it.
            self.out.flush()?;
            write!(self.err, "{}", rendered.problems)?;
        }
        if !rendered.errors.is_empty() {
            self.errors.push(rendered.errors);
        }
        self.unknown_namespaces.extend(report.unknown_namespaces.iter().cloned());
        self.kustomizations.extend(report.kustomization.clone());
        if let Some(note) = &report.note {
            writeln!(self.err, "note: {}", printable(note))?;
        }
        if self.verbose {
            for skipped in report.skipped.iter().chain(&report.patches) {
                writeln!(self.err, "skipped: {}", printable(skipped))?;
            }
            for object in &report.not_judged {
                writeln!(self.err, "not judged: {}", printable(&object.name))?;
            }
        }
        Ok(())
    }

    /// Puts what could not be checked, and has been said, into the report.
    pub fn errors(&mut self, problems: Vec<Problem>) {
        let errors = self.render.errors(&FileReport { problems, ..FileReport::default() });
        self.errors.extend(Some(errors).filter(|errors| !errors.is_empty()));
    }

    /// Prints what stands at the end of the report.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn report(&mut self, summary: &Summary) -> io::Result<()> {
        write!(self.out, "{}", self.render.end(self.started, &self.errors, summary))?;
        self.out.flush()
    }

    /// Prints what stands at the end, and the summary.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn finish(mut self, summary: &Summary) -> io::Result<()> {
        self.report(summary)?;
        for namespace in &self.unknown_namespaces {
            let name = printable(namespace);
            writeln!(
                self.err,
                "note: the namespace {name} is not among the files: to namespaceSelectors it has no labels"
            )?;
        }
        let shown = if self.verbose { usize::MAX } else { NOTES };
        for folder in self.kustomizations.iter().take(shown) {
            let folder = printable(folder);
            writeln!(
                self.err,
                "note: the patches of {folder} are no whole objects: kubectl kustomize {folder} | gatehouse check -"
            )?;
        }
        if let Some(more) = self.kustomizations.len().checked_sub(shown).filter(|more| *more > 0) {
            let folders = counted(more, "folder", "folders");
            writeln!(self.err, "note: nor are those of {folders} more; -v names them")?;
        }
        if summary.is_part {
            writeln!(
                self.err,
                "note: whether what these files refer to is there was not judged: name their folder, or what else there is with \
                 --context"
            )?;
        }
        writeln!(self.err, "{}", sentence(summary))?;
        let judged: usize = summary.not_judged.values().sum();
        for (what, parts, number) in [
            ("not judged by any policy", not_judged(summary), judged),
            ("skipped", skipped(summary), summary.skipped + summary.patches + summary.hidden),
        ] {
            if number > 0 {
                let parts = printable(&parts.join(", "));
                let named = match (self.verbose, number) {
                    (true, _) => "",
                    (false, 1) => "; -v names it",
                    (false, _) => "; -v names them",
                };
                writeln!(self.err, "{what}: {parts}{named}")?;
            }
        }
        self.err.flush()
    }
}

/// How many folders with patches are named: in a repository of overlays there are dozens.
const NOTES: usize = 3;

/// A number with its noun.
fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What was checked and what came of it.
fn sentence(summary: &Summary) -> String {
    let manifests = format!(
        "{} in {}",
        counted(summary.objects, "object", "objects"),
        counted(summary.files - summary.others, "file", "files")
    );
    let others = counted(summary.others, "file of another kind", "files of other kinds");
    let checked = match (summary.others, summary.files - summary.others) {
        (0, _) => format!("checked {manifests}"),
        (_, 0) => format!("checked {others}"),
        _ => format!("checked {manifests}, and {others}"),
    };
    let mut parts = Vec::new();
    if summary.denied > 0 {
        parts.push(format!("{} denied", summary.denied));
    }
    if summary.warned > 0 {
        parts.push(counted(summary.warned, "warning", "warnings"));
    }
    if summary.problems > 0 {
        parts.push(format!("{} that could not be checked", summary.problems));
    }
    match (parts.is_empty(), summary.objects) {
        (true, 0) if summary.others > 0 => format!("{checked}: nothing found"),
        (true, 0) if summary.not_judged.is_empty() => format!("{checked}: there is nothing to check"),
        (true, 0) => format!("{checked}: no policy judged anything"),
        (true, _) => format!("{checked}: nothing found"),
        (false, _) => format!("{checked}: {}", parts.join(", ")),
    }
}

/// The objects that no policy judged, by kind, those of which there are most first.
fn not_judged(summary: &Summary) -> Vec<String> {
    /// More kinds than this nobody reads.
    const KINDS: usize = 8;
    let mut kinds: Vec<_> = summary.not_judged.iter().collect();
    kinds.sort_by_key(|(_, objects)| std::cmp::Reverse(**objects));
    let mut parts: Vec<String> = kinds
        .iter()
        .take(KINDS)
        .map(|(KindName { kind, group }, objects)| {
            let count = counted(**objects, kind, &plural(kind.clone()));
            if is_own_group(group) { count } else { format!("{count} ({group})") }
        })
        .collect();
    if let Some(rest) = kinds.get(KINDS..).filter(|rest| !rest.is_empty()) {
        let objects: usize = rest.iter().map(|(_, objects)| **objects).sum();
        parts.push(format!("{objects} of {}", counted(rest.len(), "other kind", "other kinds")));
    }
    parts
}

/// What was not even tried.
fn skipped(summary: &Summary) -> Vec<String> {
    let documents =
        counted(summary.skipped, "document that is no Kubernetes object", "documents that are no Kubernetes objects");
    let patches = counted(summary.patches, "patch of Kustomize", "patches of Kustomize");
    let hidden = counted(summary.hidden, "hidden file", "hidden files");
    [(summary.skipped, documents), (summary.patches, patches), (summary.hidden, hidden)]
        .into_iter()
        .filter_map(|(number, part)| (number > 0).then_some(part))
        .collect()
}
