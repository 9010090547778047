//! Findings as one JSON array.

use super::{Frame, Render};
use crate::check::FileReport;

/// One array of all findings, one a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Render for Json {
    fn findings(&self, report: &FileReport, _: &str) -> String {
        // A finding is plain data: it cannot fail to be JSON.
        let lines = report.findings.iter().filter_map(|finding| serde_json::to_string(finding).ok());
        lines.collect::<Vec<_>>().join(",\n")
    }

    fn frame(&self) -> Frame {
        Frame { start: "[\n", between: ",\n", end: "\n]\n", empty: "[]\n" }
    }
}
