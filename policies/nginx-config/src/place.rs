//! Where a finding is: in a `ConfigMap` at the key, with the line in the message; in a file at its own line and column, with
//! the way there by directives as its path.

use std::fmt::{self, Display};

use gatehouse_policy::{Path, Report, Rule};

#[cfg(not(target_arch = "wasm32"))]
use crate::mend;
use crate::reader::Directive;
use crate::sources::{Source, Sources};

/// A directive: in which source, and which one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub source: usize,
    pub index: u32,
}

/// How places are told.
pub enum Places {
    /// By the keys of a `ConfigMap`.
    Keys,
    /// By line and column of the first source, with a number for each directive among those before it of the same name.
    #[cfg(not(target_arch = "wasm32"))]
    File(file::Numbers),
}

/// The longest text of a directive that a message repeats.
const LONGEST_SHOWN: usize = 60;

/// A directive as a message names it: `location ~* \.js$`.
pub struct Named<'s>(pub &'s Source<'s>, pub &'s Directive);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = LONGEST_SHOWN;
        for (position, word) in self.0.config.words(self.1).iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            let value = word.value(&self.0.text);
            let shown = value.char_indices().nth(left).map_or(&*value, |(end, _)| &value[..end]);
            f.write_str(shown)?;
            if shown.len() < value.len() {
                return f.write_str("…");
            }
            left = left.saturating_sub(shown.len() + 1);
        }
        Ok(())
    }
}

impl<'s> Sources<'s> {
    /// A directive, and the source that holds it.
    pub fn get(&self, at: At) -> (&Source<'s>, &Directive) {
        let source = &self.all[at.source];
        (source, &source.config.directives[at.index as usize])
    }
}

impl Places {
    /// Whether what is found in a source is told: of a file beside the one that is judged it is not.
    pub fn are_of(&self, source: usize) -> bool {
        matches!(self, Self::Keys) || source == 0
    }

    /// Reports a finding at a directive, or at one that its block lacks; `beside` are other directives that its fix needs.
    pub fn tell(
        &self,
        sources: &Sources<'_>,
        report: &mut Report<'_>,
        rule: &Rule,
        (at, lacks): (At, Option<&'static str>),
        beside: impl FnOnce() -> Vec<At>,
        message: impl FnOnce() -> String,
    ) {
        let (source, directive) = sources.get(at);
        match self {
            Self::Keys => {
                drop(beside);
                let line = source.config.words(directive).first().map_or(1, |name| name.span.line);
                report.add(rule, || key(&source.name), || format!("{} line {line}: {}", source.name, message()));
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(numbers) => {
                let told = report.add(rule, numbers.place(source, at.index, lacks), message);
                let edits = if told.is_listed() { mend::fix(rule, sources, at, &beside()) } else { Vec::new() };
                if !edits.is_empty() {
                    told.text_fix(false, edits);
                }
            }
        }
    }
}

/// A key of a `ConfigMap`.
pub fn key(name: &str) -> Path {
    Path::of(&["data"]).key(name.to_owned())
}

/// Places in files, which no module has.
#[cfg(not(target_arch = "wasm32"))]
pub mod file {
    use std::collections::HashMap;

    use gatehouse_policy::Path;
    use gatehouse_policy::node::Span;

    use crate::reader::{Config, Directive};
    use crate::sources::Source;

    /// For each directive, how many of its block stand before it that a path would name likewise.
    pub struct Numbers(Vec<usize>);

    impl Numbers {
        /// Counts them.
        pub fn of(config: &Config, text: &str) -> Self {
            let mut seen: HashMap<(Option<u32>, String), usize> = HashMap::new();
            let number = |directive: &Directive| {
                let (name, arguments) = names(config, text, directive);
                let count =
                    seen.entry((directive.parent, format!("{name} {}", arguments.unwrap_or_default()))).or_default();
                *count += 1;
                *count - 1
            };
            Self(config.directives.iter().map(number).collect())
        }

        /// The path and the place of a directive, or of one that its block lacks.
        pub fn place(&self, source: &Source<'_>, index: u32, lacks: Option<&'static str>) -> (Path, Span) {
            let words = source.config.words(&source.config.directives[index as usize]);
            let (first, last) = (words[0].span, words[words.len() - 1].span);
            // A block is where its name is.
            let is_block = source.config.directives[index as usize].is_block;
            let end = if is_block { first } else { last };
            let path = self.path(source, index);
            let path = lacks.into_iter().fold(path, Path::key);
            (path, Span { end_line: end.end_line, end_column: end.end_column, ..first })
        }

        fn path(&self, source: &Source<'_>, index: u32) -> Path {
            let mut way = vec![index];
            while let Some(parent) = source.config.directives[way[way.len() - 1] as usize].parent {
                way.push(parent);
            }
            way.iter().rev().fold(Path::root(), |path, index| {
                let directive = &source.config.directives[*index as usize];
                let (name, arguments) = names(&source.config, &source.text, directive);
                let number = self.0[*index as usize];
                let is_server = directive.is_block && name == "server";
                let path = path.key(name);
                let path = arguments.into_iter().fold(path, Path::key);
                if is_server || number > 0 { path.index(number) } else { path }
            })
        }
    }

    /// What a path names a directive by: a block by its arguments too.
    fn names(config: &Config, text: &str, directive: &Directive) -> (String, Option<String>) {
        let mut words = config.words(directive).iter().map(|word| word.value(text).into_owned());
        let name = words.next().unwrap_or_default();
        let arguments = directive.is_block.then(|| words.collect::<Vec<_>>().join(" "));
        (name, arguments.filter(|arguments| !arguments.is_empty()))
    }
}
