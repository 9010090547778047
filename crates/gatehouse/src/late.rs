//! What waits for the last file: verdicts that depend on what is around an object, and the output of all files from the
//! first that has one, so that the order of the files stays.

use std::collections::HashSet;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use gatehouse_policy::node::Span;
use gatehouse_policy::{Around, Finding, Gathered, Host, Level, Pending};
use rayon::prelude::*;
use tempfile::SpooledTempFile;

use crate::check::{BATCH, FileReport, Located, ObjectName, Problem, Shown, Summary};
use crate::profile::Profile;
use crate::report::{Output, Render, Rendered, problems};

/// How much waits in memory, in bytes; what is beyond waits in a temporary file.
const IN_MEMORY: usize = 1 << 20;

/// A verdict that waits until it is known what is around the object. There may be some for every object of all files.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Which of the profile's policies it is of.
    pub policy: u32,
    pub document: u32,
    pub pending: Box<Pending>,
    /// Where each finding is that may come of it.
    pub spots: Box<[Spot]>,
    pub object: Arc<ObjectName>,
}

/// Where a finding may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spot {
    pub span: Span,
    pub shown: Shown,
    /// The line that is shown.
    pub line: Option<Box<str>>,
    /// How many of the file's certain findings come before it.
    pub before: u32,
}

/// A finding that came late, and how many certain ones come before it.
type Late = (u32, Located);

impl Waiting {
    /// What came of it, in a file of that name.
    fn settle(self, profile: &Profile, around: &Around<'_>, file: &str) -> Result<Vec<Late>, String> {
        let Self { policy, pending, spots, object, document } = self;
        let (Ok(policy), Ok(document)) = (usize::try_from(policy), usize::try_from(document)) else {
            return Ok(Vec::new());
        };
        let Some(policy) = profile.policies.get(policy) else { return Ok(Vec::new()) };
        let settled = pending.settle_numbered(around);
        let (verdict, numbers) = settled.map_err(|error| {
            format!("policy {}: what is around the objects it judges is not known: {error}", policy.name)
        })?;
        let locate = |(index, finding): (usize, Finding)| {
            // That it is not known what is around the object is said where the first finding might be.
            let spot = numbers.get(index).and_then(|number| spots.get(*number)).or(spots.first());
            let Spot { span, shown, line, before } = spot.cloned().unwrap_or_default();
            let Finding { rule, level, message, path, fix, secret: _, span: _ } = finding;
            let located = Located {
                policy: policy.name.clone(),
                rule,
                level,
                message,
                path,
                file: file.to_owned(),
                document,
                span,
                object: Some(Arc::clone(&object)),
                fix,
                shown,
                secret: None,
                line: line.map(Into::into),
            };
            (before, located)
        };
        Ok(policy.weighed(verdict.findings).into_iter().enumerate().map(locate).collect())
    }
}

/// The files whose output waits.
pub(crate) struct Queue {
    files: Vec<Queued>,
    /// The findings of all of them that are certain, rendered, one after another.
    text: SpooledTempFile,
}

struct Queued {
    name: Box<str>,
    waiting: Box<[Waiting]>,
    /// What else there is to be printed of it, mostly nothing.
    rest: Option<Box<Rest>>,
    /// How long each of its certain findings is.
    lengths: Box<[u32]>,
}

#[derive(Default)]
struct Rest {
    report: FileReport,
    problems: String,
    errors: String,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.errors.is_empty() && self.report.says_nothing()
    }
}

impl Queue {
    pub fn new() -> Self {
        Self { files: Vec::new(), text: SpooledTempFile::new(IN_MEMORY) }
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Lets what came of a file wait.
    pub fn push(&mut self, name: String, mut report: FileReport, rendered: Rendered) -> io::Result<()> {
        let mut lengths = Vec::with_capacity(rendered.findings.len());
        for finding in &rendered.findings {
            self.text.write_all(finding.as_bytes())?;
            lengths.push(u32::try_from(finding.len()).map_err(io::Error::other)?);
        }
        report.findings = Vec::new();
        let waiting = std::mem::take(&mut report.waiting).into();
        let Rendered { problems, errors, .. } = rendered;
        let rest = Rest { report, problems, errors };
        let rest = (!rest.is_empty()).then(|| Box::new(rest));
        self.files.push(Queued { name: name.into(), waiting, rest, lengths: lengths.into() });
        Ok(())
    }

    /// Judges what waits, and prints all of it in order.
    pub fn finish<R: Render>(
        mut self,
        profile: &Profile,
        host: &dyn Host,
        render: &R,
        output: &mut Output<'_, R>,
        summary: &mut Summary,
    ) -> io::Result<()> {
        let gathered = Gathered::default();
        let around = Around::among(host, &gathered);
        let mut said = HashSet::new();
        self.text.rewind()?;
        let mut text = io::BufReader::new(self.text);
        let mut files = self.files.into_iter();
        loop {
            let mut batch: Vec<Queued> = files.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let settled: Vec<_> = batch
                .par_iter_mut()
                .map(|file| {
                    let waiting = std::mem::take(&mut file.waiting);
                    let (mut late, mut failed): (Vec<Late>, Vec<String>) = (Vec::new(), Vec::new());
                    for waiting in waiting {
                        match waiting.settle(profile, &around, &file.name) {
                            Ok(found) => late.extend(found),
                            Err(reason) => failed.push(reason),
                        }
                    }
                    late.sort_by(|(_, one), (_, other)| one.order(other));
                    let rendered = late.into_iter().map(|(before, of)| (before, of.level, render.finding(&of)));
                    (rendered.collect::<Vec<_>>(), failed)
                })
                .collect();
            for (file, (late, failed)) in batch.into_iter().zip(settled) {
                let Rest { report, problems: mut said_of, mut errors } =
                    file.rest.map(|rest| *rest).unwrap_or_default();
                for reason in failed {
                    // The same is not known of each object.
                    if said.insert(reason.clone()) {
                        let report = FileReport {
                            problems: vec![Problem::of_file(file.name.to_string(), reason)],
                            ..FileReport::default()
                        };
                        said_of.push_str(&problems(&report, ""));
                        errors = [errors, render.errors(&report)]
                            .into_iter()
                            .filter(|errors| !errors.is_empty())
                            .collect::<Vec<_>>()
                            .join(",\n");
                        summary.problems += 1;
                    }
                }
                let mut findings = Vec::with_capacity(file.lengths.len() + late.len());
                let mut late = late.into_iter().peekable();
                let certain = (0..).zip(file.lengths.iter().map(Some).chain([None]));
                for (number, length) in certain {
                    while let Some((_, level, rendered)) = late.next_if(|(before, ..)| *before <= number) {
                        match level {
                            Level::Deny => summary.denied += 1,
                            Level::Warn => summary.warned += 1,
                        }
                        findings.push(rendered);
                    }
                    if let Some(length) = length {
                        let mut rendered = vec![0; usize::try_from(*length).map_err(io::Error::other)?];
                        text.read_exact(&mut rendered)?;
                        findings.push(String::from_utf8(rendered).map_err(io::Error::other)?);
                    }
                }
                output.file(&report, Rendered { findings, problems: said_of, errors })?;
            }
        }
    }
}
