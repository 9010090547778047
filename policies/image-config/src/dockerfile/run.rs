//! How an image is built: what RUN and ADD do.

use gatehouse_policy::{Report, TextEdit};

use super::image::{At, Base, Stages, is_shell, run_commands, script_of};
use super::known;
use super::shell::{self, Command};
use super::syntax::{Dockerfile, Instruction, Keyword};
use crate::{ADD, CONSECUTIVE_RUNS, PIPEFAIL};

pub fn judge(file: &Dockerfile<'_>, stages: &Stages<'_>, report: &mut Report<'_>) {
    let mut shells: Vec<Shell> = Vec::with_capacity(file.stages.len());
    for (stage, of) in file.stages.iter().enumerate() {
        let mut shell = match stages.bases.get(stage) {
            Some(Base::Stage(base)) => shells.get(*base).copied().unwrap_or(Shell::DEFAULT),
            Some(Base::Image(image)) if known::is_windows(image) => Shell { fails: true, ..Shell::DEFAULT },
            Some(Base::Image(image)) => Shell { is_ash: known::is_alpine(image), ..Shell::DEFAULT },
            _ => Shell::DEFAULT,
        };
        let mut before = None;
        for instruction in &of.instructions {
            let at = At { stage, instruction };
            match instruction.keyword {
                Keyword::Shell if !instruction.is_onbuild => shell = shell.set(&instruction.json().unwrap_or_default()),
                Keyword::Add => add(at, report),
                Keyword::Run if !shell.fails => pipes(at, report),
                _ => {}
            }
            before = consecutive(before, at, report);
        }
        shells.push(shell);
    }
}

/// What runs a RUN.
#[derive(Clone, Copy)]
struct Shell {
    /// Whether a pipe fails where a command before its last one does, or another shell than one of POSIX reads the script.
    fails: bool,
    /// Whether `/bin/sh` is one that knows `pipefail`.
    is_ash: bool,
}

impl Shell {
    const DEFAULT: Self = Self { fails: false, is_ash: false };

    /// The shell that SHELL sets.
    fn set(self, words: &[String]) -> Self {
        let program = words.iter().find(|word| !word.ends_with("/env")).map_or("", String::as_str);
        let name = program.rsplit('/').next().unwrap_or_default();
        let knows = matches!(name, "bash" | "zsh" | "ash" | "ksh" | "busybox") || (name == "sh" && self.is_ash);
        let has_option = words.iter().any(|word| word == "pipefail");
        Self { fails: !is_shell(program) || (knows && has_option), ..self }
    }
}

/// Pipes of which only the last command may fail.
fn pipes(at: At<'_>, report: &mut Report<'_>) {
    let instruction = at.instruction;
    if instruction.json().is_some() {
        return; // no shell reads it
    }
    let Some(script) = script_of(instruction) else { return };
    let commands = shell::commands(script);
    let sets = |command: &Command| command.name() == "set" && command.words.iter().any(|word| word == "pipefail");
    let open = commands.iter().take_while(|command| !sets(command));
    // These do not fail, or are meant to be cut off.
    let may_fail =
        |command: &&Command| command.is_piped && !matches!(command.name(), "echo" | "printf" | "yes" | "true" | ":");
    if let Some(command) = open.clone().find(may_fail) {
        let name = gatehouse_policy::image::quoted(command.name());
        let message = || {
            format!(
                "RUN has a pipe, and goes on when {name} before it fails, expected SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \
                 \"-c\"] above, or set -o pipefail in it"
            )
        };
        report.add(&PIPEFAIL, (at.path(), instruction.span()), message);
    }
}

/// A RUN right behind another with the same flags, each of one command.
fn consecutive<'d>(
    before: Option<&'d Instruction<'d>>,
    at: At<'d>,
    report: &mut Report<'_>,
) -> Option<&'d Instruction<'d>> {
    let instruction = at.instruction;
    let is_one = instruction.keyword == Keyword::Run
        && !instruction.is_onbuild
        && report.level(&CONSECUTIVE_RUNS).is_some()
        && run_commands(instruction).iter().filter(|command| !command.is_nested).count() == 1;
    if !is_one {
        return None;
    }
    if before.is_some_and(|before| before.flags() == instruction.flags()) {
        let place = (at.path(), instruction.span_of(&instruction.keyword_range()));
        report.add(&CONSECUTIVE_RUNS, place, "RUN follows another RUN, expected one for both commands");
    }
    Some(instruction)
}

/// What ADD unpacks, by its name (<https://docs.docker.com/reference/dockerfile/#adding-local-tar-archives>).
const ARCHIVES: &[&str] = &[
    ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".tb2", ".xz", ".txz", ".lzma", ".tlz", ".lz", ".z", ".zst",
    ".tzst",
];

/// ADD of what COPY brings as well.
fn add(at: At<'_>, report: &mut Report<'_>) {
    let instruction = at.instruction;
    let words = instruction
        .json()
        .unwrap_or_else(|| instruction.words().iter().map(|word| instruction.slice(word).to_owned()).collect());
    let Some((_, sources)) = words.split_last() else { return };
    let is_for_add = |source: &String| {
        let source = source.trim_matches(['"', '\'']);
        let lower = source.to_ascii_lowercase();
        let is_remote =
            ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|start| lower.starts_with(start));
        is_remote || source.starts_with('$') || ARCHIVES.iter().any(|end| lower.ends_with(end))
    };
    let files = sources.iter().filter(|source| !source.starts_with("<<"));
    let mut others = files.clone().filter(|source| !is_for_add(source));
    let Some(first) = others.next() else { return };
    let first = gatehouse_policy::image::quoted(first);
    let keyword = instruction.keyword_range();
    let place = (at.path(), instruction.span_of(&keyword));
    let added = report.add(&ADD, place, || format!("ADD of {first}, which COPY brings as well, expected COPY"));
    let is_only_copied = !files.clone().any(is_for_add)
        && instruction
            .flags()
            .iter()
            .all(|flag| ["chown=", "chmod=", "link", "exclude="].iter().any(|of| flag.starts_with(of)));
    if is_only_copied {
        // ADD unpacks an archive whatever it is called.
        added.text_fix(false, [TextEdit { span: instruction.span_of(&keyword), text: "COPY".to_owned() }]);
    }
}
