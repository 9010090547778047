//! What findings are about.

use std::fmt;

use gatehouse_policy::{Added, Path, Report, Rule};

use crate::DURATION;
use crate::duration::Duration;

/// An endpoint, a group or a rule: where it is, and what it is called. Every finding is told the same way, as the code for
/// each would be a part of the module of its own.
pub struct Subject<'s, 'r> {
    /// Tells what is found.
    pub report: &'s mut Report<'r>,
    /// Where it is.
    pub path: &'s dyn Fn() -> Path,
    /// What it is, and its name.
    pub kind: &'static str,
    pub name: &'s str,
}

impl Subject<'_, '_> {
    /// Where one of its fields is.
    pub fn at(&self, fields: &[&str]) -> Path {
        fields.iter().fold((self.path)(), |path, field| path.key((*field).to_owned()))
    }

    /// Reports a finding in one of its fields.
    pub fn add(&mut self, rule: &Rule, fields: &[&str], message: fmt::Arguments<'_>) -> Added<'_> {
        let (path, kind, name) = (self.path, self.kind, self.name);
        let place = || fields.iter().fold(path(), |path, field| path.key((*field).to_owned()));
        let space = if name.is_empty() { "" } else { " " };
        self.report.add(rule, place, || format!("{kind}{space}{name}: {message}"))
    }

    /// Reads a duration, and reports one that is none. Nothing is none, too.
    pub fn duration(&mut self, field: &'static str, text: &str) -> Result<Option<Duration>, ()> {
        if text.is_empty() {
            return Ok(None);
        }
        let duration = Duration::parse(text);
        if duration.is_none() {
            let message = format_args!("{field} is {text:?}, expected a duration such as 30s or 1h30m");
            self.add(&DURATION, &[field], message);
        }
        duration.map(Some).ok_or(())
    }
}
