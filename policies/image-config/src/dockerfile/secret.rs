//! Secrets that a Dockerfile puts into its image.

use std::collections::HashSet;
use std::ops::Range;

use gatehouse_policy::node::Span;
use gatehouse_policy::{Level, Path, Report};
use secret_env::SecretEnv;

use super::image::At;
use super::syntax::{Dockerfile, Instruction, Keyword};
use super::word::unquote;
use crate::SECRET;

pub fn judge(file: &Dockerfile<'_>, report: &mut Report<'_>) {
    let secrets = SecretEnv::default();
    let place = |arg: &Instruction<'_>| Path::of(&["arg"]).index(arg.number);
    for arg in file.args.iter().filter(|of| of.keyword == Keyword::Arg) {
        Judge { secrets: &secrets, escape: file.escape, arguments: None }.variables(arg, &|| place(arg), report);
    }
    for (stage, of) in file.stages.iter().enumerate() {
        let mut judge = Judge { secrets: &secrets, escape: file.escape, arguments: Some(HashSet::new()) };
        for instruction in of.instructions.iter().filter(|of| matches!(of.keyword, Keyword::Arg | Keyword::Env)) {
            if report.is_full() {
                return;
            }
            judge.variables(instruction, &|| At { stage, instruction }.path(), report);
        }
    }
}

struct Judge<'s, 't> {
    secrets: &'s SecretEnv,
    escape: char,
    /// The arguments that the stage declares; `None` before the first FROM, where an argument is for FROM alone.
    arguments: Option<HashSet<&'t str>>,
}

impl<'t> Judge<'_, 't> {
    fn variables(&mut self, instruction: &'t Instruction<'_>, path: &dyn Fn() -> Path, report: &mut Report<'_>) {
        let is_env = instruction.keyword == Keyword::Env;
        for pair in instruction.pairs(self.escape) {
            let name = instruction.slice(&pair.name);
            let raw = pair.value.as_ref().map(|value| instruction.slice(value)).unwrap_or_default();
            let value = unquote(raw, self.escape);
            let range = pair.value.as_ref().unwrap_or(&pair.name);
            let place =
                |range: &Range<usize>| -> (Path, Span) { (path().key(name.to_owned()), instruction.span_of(range)) };
            if let Some(what) = self.secrets.exposed(name, &value) {
                let (keyword, expected) = if is_env { ("ENV", AT_START) } else { ("ARG", AT_BUILD) };
                let message = || format!("{keyword} {name} {what}, {expected}");
                let _ = report.add(&SECRET, place(range), message).secret();
            } else if is_env {
                let argument =
                    reference(&value).filter(|of| self.arguments.as_ref().is_some_and(|all| all.contains(of)));
                if let Some(argument) = argument
                    && self.secrets.is_name_of_secret(name)
                {
                    let message =
                        || format!("ENV {name} takes the build's argument {argument} into the image, {AT_START}");
                    report.add(&SECRET, place(range), message);
                }
            } else if value.is_empty() && self.arguments.is_some() && self.secrets.is_name_of_secret(name) {
                let message = || format!("ARG {name} is kept in the image's history by RUN, {AT_BUILD}");
                report.add_as(Level::Warn, &SECRET, place(&pair.name), message);
            }
            if let Some(arguments) = self.arguments.as_mut().filter(|_| !is_env) {
                arguments.insert(name);
            }
        }
    }
}

const AT_START: &str = "expected the container to get it from a Secret when it starts";
const AT_BUILD: &str = "expected RUN --mount=type=secret";

/// The variable that a value is nothing else than: `$NAME`, `${NAME}` or `${NAME:-}`.
fn reference(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('$')?;
    let name = rest.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(rest);
    let name = name.split(':').next().unwrap_or_default();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}
