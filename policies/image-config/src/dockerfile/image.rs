//! The image that a Dockerfile makes: what its last stage, and the stages that one is FROM, leave in its configuration.

use std::collections::HashMap;

use super::accounts;
use super::known;
use super::packages::{self, Change};
use super::shell::{self, Command};
use super::syntax::{Dockerfile, Instruction, Keyword};
use super::word::{Variables, expand};

/// The stages of a Dockerfile, and what each is FROM.
pub struct Stages<'d> {
    pub file: &'d Dockerfile<'d>,
    /// Of each stage the image behind its FROM, as far as it is known.
    pub bases: Vec<Base>,
    /// What the ARGs before the first FROM declare.
    globals: Variables,
    names: HashMap<String, usize>,
}

/// What a stage is FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A stage before it.
    Stage(usize),
    /// Nothing.
    Scratch,
    /// An image from elsewhere.
    Image(String),
    /// What only the build's arguments tell.
    Unknown,
}

impl<'d> Stages<'d> {
    pub fn of(file: &'d Dockerfile<'d>) -> Self {
        let mut globals = Variables::default();
        for arg in &file.args {
            declare(arg, file.escape, &mut globals, None);
        }
        let bases = Vec::with_capacity(file.stages.len());
        let mut stages = Self { file, bases, globals, names: HashMap::new() };
        for (index, stage) in file.stages.iter().enumerate() {
            let words = stage.from.words();
            let image = words.first().and_then(|word| expand(stage.from.slice(word), file.escape, &stages.globals));
            let base = match image {
                Some(image) if image.is_empty() => Base::Unknown,
                Some(image) if image == "scratch" => Base::Scratch,
                Some(image) => {
                    let before = stages.names.get(&image.to_ascii_lowercase()).copied();
                    before.map_or(Base::Image(image), Base::Stage)
                }
                None => Base::Unknown,
            };
            stages.bases.push(base);
            if let Some(name) = words.get(2) {
                stages.names.insert(stage.from.slice(name).to_ascii_lowercase(), index);
            }
        }
        stages
    }

    /// The stage before `user` that a `--from` names, by its name or number.
    pub fn find(&self, name: &str, user: usize) -> Option<usize> {
        let by_name = self.names.get(&name.to_ascii_lowercase()).copied();
        by_name.or_else(|| name.parse().ok()).filter(|stage| *stage < user)
    }

    /// A stage and those that it is FROM, the last one first.
    fn chain(&self, stage: usize) -> Vec<usize> {
        let mut chain = vec![stage];
        while let Some(Base::Stage(base)) = chain.last().and_then(|last| self.bases.get(*last)) {
            chain.push(*base);
        }
        chain
    }

    /// What is at the bottom of a stage: the image from elsewhere that it, or a stage it is FROM, is FROM.
    pub fn root(&self, stage: usize) -> &Base {
        let last = self.chain(stage).pop().unwrap_or(stage);
        self.bases.get(last).unwrap_or(&Base::Unknown)
    }

    /// Whether a stage is of Windows.
    pub fn is_windows(&self, stage: usize) -> bool {
        matches!(self.root(stage), Base::Image(image) if known::is_windows(image))
    }

    /// The image of the last stage.
    pub fn target(&self) -> Image<'d> {
        self.image(self.bases.len().saturating_sub(1))
    }

    /// The image of a stage.
    pub fn image(&self, stage: usize) -> Image<'d> {
        let chain = self.chain(stage);
        let mut image = Image { stage, ..Image::default() };
        let mut variables = Variables::default();
        // What a stage has ONBUILD is done in each that is FROM it.
        let mut triggers: Vec<(usize, &Instruction<'d>)> = Vec::new();
        for index in chain.into_iter().rev() {
            let Some(stage) = self.file.stages.get(index) else { continue };
            let own = stage.instructions.iter().map(|instruction| (index, instruction));
            let (later, now): (Vec<_>, Vec<_>) = own.partition(|(_, instruction)| instruction.is_onbuild);
            for (stage, instruction) in std::mem::replace(&mut triggers, later).into_iter().chain(now) {
                image.take(At { stage, instruction }, self, &mut variables);
            }
        }
        image
    }

    /// The id that an image gives a user, in its own commands or in those of a stage that its `/etc/passwd` is copied from.
    pub fn id_of(&self, name: &str, image: &Image<'d>) -> Option<Id> {
        if name == "root" {
            return Some(Id { number: 0, is_fixed: true });
        }
        if let Some(id) = image.accounts.get(name) {
            return id.clone();
        }
        if let Some(id) = self.known_id(name, image) {
            return Some(id);
        }
        let mut sources = image.passwd_from.clone();
        // Each is another image to look through, and nobody copies the file more often.
        for _ in 0..8 {
            let image = self.image(sources.pop()?);
            if let Some(id) = image.accounts.get(name) {
                return id.clone();
            }
            sources.extend(&image.passwd_from);
        }
        None
    }

    /// The id of a user that the image from elsewhere brings along.
    fn known_id(&self, name: &str, image: &Image<'d>) -> Option<Id> {
        let Base::Image(base) = self.root(image.stage) else { return None };
        known::id_of(base, name).map(|number| Id { number, is_fixed: true })
    }
}

/// The id of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    pub number: i64,
    /// Whether it stands there as a number, and nobody who builds can pass another.
    pub is_fixed: bool,
}

/// An instruction, with its stage.
#[derive(Clone, Copy)]
pub struct At<'d> {
    pub stage: usize,
    pub instruction: &'d Instruction<'d>,
}

/// An instruction and what it sets, where that is known.
pub struct Set<'d> {
    pub at: At<'d>,
    pub value: Option<String>,
}

/// The image of a stage, where nobody passes arguments to the build.
#[derive(Default)]
pub struct Image<'d> {
    pub stage: usize,
    pub user: Option<Set<'d>>,
    pub workdir: Option<Set<'d>>,
    pub healthcheck: Option<At<'d>>,
    pub cmd: Option<At<'d>>,
    pub entrypoint: Option<At<'d>>,
    /// Whether SHELL says what runs the shell form.
    pub has_shell: bool,
    pub exposed: Vec<Exposed<'d>>,
    /// Whether a program is given the capability to listen on low ports.
    pub may_bind: bool,
    /// Whether somebody gives `/root` another mode or owner.
    pub opens_root: bool,
    pub compilers: Vec<Compiler<'d>>,
    accounts: HashMap<String, Option<Id>>,
    /// The stages that `/etc/passwd` is copied from.
    passwd_from: Vec<usize>,
}

/// A port that EXPOSE names.
pub struct Exposed<'d> {
    pub at: At<'d>,
    /// Which of the instruction's words.
    pub number: usize,
    pub word: std::ops::Range<usize>,
    pub port: u16,
}

/// A compiler that RUN installs.
pub struct Compiler<'d> {
    pub at: At<'d>,
    pub package: String,
    group: Option<String>,
}

/// How many compilers are told of: what is removed is looked for among them.
const MOST_COMPILERS: usize = 50;

/// No path is longer, `PATH_MAX` of Linux.
const LONGEST_PATH: usize = 4096;

impl<'d> Image<'d> {
    fn take(&mut self, at: At<'d>, stages: &Stages<'d>, variables: &mut Variables) {
        let instruction = at.instruction;
        let escape = stages.file.escape;
        match instruction.keyword {
            Keyword::Arg => declare(instruction, escape, variables, Some(&stages.globals)),
            Keyword::Env => {
                // All values of one instruction are what they were before it.
                let pairs = instruction.pairs(escape);
                let set = pairs.into_iter().filter_map(|pair| {
                    let value = expand(instruction.slice(&pair.value?), escape, variables);
                    Some((instruction.slice(&pair.name), value))
                });
                for (name, value) in set.collect::<Vec<_>>() {
                    variables.set_env(name, value);
                }
            }
            Keyword::User => {
                self.user = Some(Set { at, value: expand(instruction.arguments(), escape, variables) });
            }
            Keyword::Workdir => {
                let path = expand(instruction.arguments(), escape, variables);
                let before = self.workdir.take().map_or(Some("/".to_owned()), |before| before.value);
                let path = path.and_then(|path| {
                    if path.starts_with('/') { Some(path) } else { before.map(|before| format!("{before}/{path}")) }
                });
                self.workdir =
                    Some(Set { at, value: path.filter(|path| path.len() <= LONGEST_PATH).map(|path| clean(&path)) });
            }
            Keyword::Healthcheck => self.healthcheck = Some(at),
            Keyword::Cmd => self.cmd = Some(at),
            Keyword::Entrypoint => {
                // It takes away the CMD of what the stage is FROM.
                self.cmd = self.cmd.take().filter(|cmd| cmd.stage == at.stage);
                self.entrypoint = Some(at);
            }
            Keyword::Shell => self.has_shell = true,
            Keyword::Expose => {
                for (number, word) in instruction.words().into_iter().enumerate() {
                    let text = expand(instruction.slice(&word), escape, variables).unwrap_or_default();
                    let first = text.split(['/', '-']).next().unwrap_or_default();
                    if let Ok(port) = first.parse() {
                        self.exposed.push(Exposed { at, number, word, port });
                    }
                }
            }
            Keyword::Copy => self.copy(at, stages),
            Keyword::Run => {
                for command in run_commands(instruction) {
                    self.run(at, &command, variables);
                }
            }
            _ => {}
        }
    }

    fn copy(&mut self, at: At<'d>, stages: &Stages<'d>) {
        let Some(from) = at.instruction.flag("from").and_then(|name| stages.find(name, at.stage)) else { return };
        let words = at.instruction.json().unwrap_or_else(|| {
            at.instruction.words().iter().map(|word| at.instruction.slice(word).to_owned()).collect()
        });
        if words.iter().any(|word| word.trim_end_matches('/').ends_with("/etc/passwd")) {
            self.passwd_from.push(from);
        }
    }

    fn run(&mut self, at: At<'d>, command: &Command, variables: &Variables) {
        for account in accounts::of(command) {
            let id = account.id.and_then(|id| {
                let text = expand(id, '\\', variables)?;
                let number = text.parse().ok().filter(|number| *number >= 0)?;
                Some(Id { number, is_fixed: text == id })
            });
            self.accounts.insert(account.name.to_owned(), id);
        }
        let has = |wanted: &str| command.words.iter().any(|word| word.contains(wanted));
        self.may_bind |= command.name() == "setcap" && has("cap_net_bind_service");
        let is_root = |word: &String| word.trim_end_matches('/') == "/root";
        self.opens_root |= matches!(command.name(), "chmod" | "chown" | "install") && command.words.iter().any(is_root);
        match packages::change(command) {
            Some(Change::Installs(found, group)) => {
                let left = MOST_COMPILERS.saturating_sub(self.compilers.len());
                self.compilers.extend(found.into_iter().take(left).map(|package| Compiler {
                    at,
                    package: package.to_owned(),
                    group: group.map(str::to_owned),
                }));
            }
            Some(Change::Removes(removed)) => {
                self.compilers.retain(|of| !packages::takes(removed, &of.package, of.group.as_deref()));
            }
            None => {}
        }
    }
}

/// Takes in what an ARG declares. In a stage, one without a default has that of the ARG before the first FROM.
fn declare(arg: &Instruction<'_>, escape: char, variables: &mut Variables, globals: Option<&Variables>) {
    for pair in arg.pairs(escape) {
        let name = arg.slice(&pair.name);
        let value = match pair.value {
            Some(value) => expand(arg.slice(&value), escape, variables),
            None => globals.and_then(|globals| globals.get(name)).map(str::to_owned),
        };
        variables.set_arg(name, value);
    }
}

/// The commands of a RUN: its own, or those of a heredoc that is its script.
pub fn run_commands(instruction: &Instruction<'_>) -> Vec<Command> {
    if let Some(words) = instruction.json() {
        return match words.as_slice() {
            [shell, options @ .., script]
                if is_shell(shell) && options.iter().any(|option| option.starts_with("-c")) =>
            {
                shell::commands(script)
            }
            _ => vec![Command { words, is_piped: false, is_nested: false }],
        };
    }
    script_of(instruction).map_or_else(Vec::new, shell::commands)
}

/// The script of a RUN in shell form: the line, or its heredoc where there is nothing beside; `None` where another program
/// than a shell reads that.
pub fn script_of<'i>(instruction: &'i Instruction<'_>) -> Option<&'i str> {
    let [body, ..] = instruction.heredocs() else { return Some(instruction.arguments()) };
    let is_alone = !instruction.arguments().trim_start().trim_start_matches("<<").contains(char::is_whitespace);
    if !is_alone {
        return Some(instruction.arguments());
    }
    match body.strip_prefix("#!") {
        Some(rest) => {
            let line = rest.lines().next().unwrap_or_default();
            line.split_whitespace().any(is_shell).then_some(*body)
        }
        None => Some(*body),
    }
}

/// Whether a program is a shell like that of POSIX.
pub fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" | "busybox")
}

/// A path without dots and doubled slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Who an image runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Root,
    /// A user by number.
    Number(i64),
    /// A user by name, with the id that the image gives it, where that can be told.
    Name(String, Option<Id>),
    /// Somebody other than root, as the image from elsewhere has it.
    Other,
    /// That of an image from elsewhere, or one that only the build's arguments tell.
    Unknown,
}

impl Who {
    /// Whether it is known to be somebody other than root.
    pub fn is_non_root(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Name(..) | Self::Other)
    }
}

impl Image<'_> {
    /// Who the image runs as.
    pub fn who(&self, stages: &Stages<'_>) -> Who {
        let Some(user) = &self.user else {
            return match stages.root(self.stage) {
                Base::Scratch => Who::Root,
                Base::Image(image) if known::is_non_root(image) => Who::Other,
                _ => Who::Unknown,
            };
        };
        let Some(user) = &user.value else { return Who::Unknown };
        let (name, _) = user.split_once(':').unwrap_or((user, ""));
        match name.parse() {
            Ok(0_i64) => Who::Root,
            Ok(number) => Who::Number(number),
            Err(_) if name.is_empty() => Who::Root,
            Err(_) => match stages.id_of(name, self) {
                Some(Id { number: 0, .. }) => Who::Root,
                id => Who::Name(name.to_owned(), id),
            },
        }
    }
}
