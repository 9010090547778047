//! One JSON object: findings, and what could not be checked or was not judged.

use gatehouse_policy::Path;
use serde::Serialize;

use super::{Frame, Render};
use crate::check::{FileReport, KindName, Located, Problem, Summary};

/// The version of the format. Within one there may come more fields.
const VERSION: u32 = 1;

/// One object with all findings, one a line and as they come; behind them stands what is known at the end only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

/// What could not be checked. Where it is a file as a whole, there are no lines.
#[derive(Serialize)]
struct Error<'r> {
    file: &'r str,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
    path: Option<&'r Path>,
    message: &'r str,
    help: Option<&'r str>,
}

impl<'r> Error<'r> {
    fn of(problem: &'r Problem) -> Self {
        let span = problem.span;
        let number = |number| (span.line > 0).then_some(number);
        Self {
            file: &problem.file,
            line: number(span.line),
            column: number(span.column),
            end_line: number(span.end_line),
            end_column: number(span.end_column),
            path: problem.path.as_ref(),
            message: &problem.message,
            help: problem.help.as_deref(),
        }
    }
}

/// How many objects of a kind no policy judged.
#[derive(Serialize)]
struct NotJudged<'r> {
    #[serde(flatten)]
    kind: &'r KindName,
    objects: usize,
}

/// The numbers of the summary.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    files: usize,
    objects: usize,
    denied: usize,
    warned: usize,
    errors: usize,
    not_judged: usize,
    skipped: usize,
    hidden: usize,
}

/// A line for each. They are plain data, and so cannot fail to be JSON.
fn lines<T: Serialize>(values: impl IntoIterator<Item = T>) -> String {
    let lines = values.into_iter().filter_map(|value| serde_json::to_string(&value).ok());
    lines.collect::<Vec<_>>().join(",\n")
}

/// A member that is an array of such lines.
fn array(lines: &str) -> String {
    if lines.is_empty() { "[]".to_owned() } else { format!("[\n{lines}\n]") }
}

impl Render for Json {
    fn finding(&self, finding: &Located) -> String {
        lines([finding])
    }

    fn errors(&self, report: &FileReport) -> String {
        lines(report.problems.iter().map(Error::of))
    }

    fn frame(&self) -> Frame {
        Frame { start: format!("{{\"version\": {VERSION},\n\"findings\": [\n"), between: ",\n" }
    }

    fn end(&self, any: bool, errors: &[String], summary: &Summary) -> String {
        let findings = if any { "\n]".to_owned() } else { format!("{{\"version\": {VERSION},\n\"findings\": []") };
        let not_judged = summary.not_judged.iter().map(|(kind, objects)| NotJudged { kind, objects: *objects });
        let numbers = Numbers {
            files: summary.files,
            objects: summary.objects,
            denied: summary.denied,
            warned: summary.warned,
            errors: summary.problems,
            not_judged: summary.not_judged.values().sum(),
            skipped: summary.skipped + summary.patches,
            hidden: summary.hidden,
        };
        format!(
            "{findings},\n\"errors\": {},\n\"notJudged\": {},\n\"summary\": {}}}\n",
            array(&errors.join(",\n")),
            array(&lines(not_judged)),
            lines([numbers]),
        )
    }
}
