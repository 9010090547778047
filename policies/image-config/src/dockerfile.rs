//! Dockerfiles, which only the checker sees.

mod accounts;
mod heredoc;
mod image;
mod known;
mod packages;
mod run;
mod secret;
mod shell;
mod syntax;
mod word;

use gatehouse_policy::image::{Reference, quoted};
use gatehouse_policy::node::Span;
use gatehouse_policy::tag::{self, Unpinned};
use gatehouse_policy::{Context, File, FileError, Level, Path, Report, TextEdit, glob};

use self::image::{At, Base, Image, Set, Stages, Who};
use self::syntax::{Dockerfile, Keyword};
use crate::{BASE, EXEC_FORM, EXPOSE, HEALTHCHECK, ImageConfig, MULTI_STAGE, NUMERIC_USER, USER, WORKDIR};

/// Judges a Dockerfile.
pub fn review(file: &File<'_>, context: &Context<'_, ImageConfig>, report: &mut Report<'_>) -> Result<(), FileError> {
    if is_no_dockerfile(file.name) {
        return Ok(());
    }
    let dockerfile = syntax::parse(file.text)?;
    let stages = Stages::of(&dockerfile);
    let image = stages.target();
    let judge =
        Judge { text: file.text, file: &dockerfile, stages: &stages, image: &image, who: image.who(&stages), context };
    judge.bases(report);
    secret::judge(&dockerfile, report);
    run::judge(&dockerfile, &stages, report);
    judge.compilers(report);
    judge.workdir(report);
    judge.user(report);
    judge.ports(report);
    judge.healthcheck(report);
    judge.exec_form(report);
    Ok(())
}

/// Whether a file is none whatever its name starts with: a template, of which another program makes a Dockerfile, what Docker
/// is to leave out of a build, or a text about one.
fn is_no_dockerfile(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "dockerignore",
        "ejs",
        "erb",
        "gotmpl",
        "hbs",
        "in",
        "j2",
        "jinja",
        "jinja2",
        "m4",
        "mako",
        "md",
        "mustache",
        "orig",
        "rej",
        "sh",
        "template",
        "tmpl",
        "tpl",
        "txt",
    ];
    let extension =
        name.rsplit(['/', '\\']).next().unwrap_or_default().rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| OTHERS.iter().any(|other| extension.eq_ignore_ascii_case(other)))
}

/// Every instruction of every stage.
fn all<'d>(file: &'d Dockerfile<'d>) -> impl Iterator<Item = At<'d>> {
    let stages = file.stages.iter().enumerate();
    stages.flat_map(|(stage, of)| of.instructions.iter().map(move |instruction| At { stage, instruction }))
}

/// Judges what a Dockerfile says, and the image that comes of it.
struct Judge<'j, 'd> {
    text: &'d str,
    file: &'d Dockerfile<'d>,
    stages: &'j Stages<'d>,
    image: &'j Image<'d>,
    who: Who,
    context: &'j Context<'j, ImageConfig>,
}

impl At<'_> {
    /// Where the instruction is, in words: `stages[1].user[0]` is the first USER of the second stage, `stages[1].onbuild[0]` what
    /// stands behind its first ONBUILD. What an instruction holds several of is below that, by its name (`.env[0].DB_PASSWORD`) or
    /// number (`.expose[0][1]`).
    fn path(&self) -> Path {
        let stage = Path::of(&["stages"]).index(self.stage);
        let instruction = self.instruction;
        match instruction.keyword {
            Keyword::From => stage.key("from"),
            _ if instruction.is_onbuild => stage.key("onbuild").index(instruction.number),
            keyword => stage.key(keyword.name()).index(instruction.number),
        }
    }

    /// Where the instruction's arguments are.
    fn arguments(&self) -> (Path, Span) {
        (self.path(), self.instruction.span_of(&self.instruction.range()))
    }
}

/// What stands in a stage's line for itself.
fn place(at: At<'_>, range: &std::ops::Range<usize>) -> Span {
    at.instruction.span_of(range)
}

impl<'d> Judge<'_, 'd> {
    /// Every instruction of every stage.
    fn all(&self) -> impl Iterator<Item = At<'d>> {
        all(self.file)
    }

    /// Where an instruction that is missing would stand: in the last stage, of which the FROM is shown.
    fn missing(&self, keyword: Keyword) -> (Path, Span) {
        let stage = self.image.stage;
        let span = self.file.stages.get(stage).map(|stage| stage.from.span()).unwrap_or_default();
        (Path::of(&["stages"]).index(stage).key(keyword.name()), span)
    }

    /// The images that something of ends up in this one.
    fn bases(&self, report: &mut Report<'_>) {
        for (stage, (of, base)) in self.file.stages.iter().zip(&self.stages.bases).enumerate() {
            let at = At { stage, instruction: &of.from };
            if let (Base::Image(image), Some(word)) = (base, of.from.words().first()) {
                self.base(image, Level::Deny, (at.path(), place(at, word)), report);
            }
        }
        for at in self.all() {
            let instruction = at.instruction;
            let names: Vec<&str> = match instruction.keyword {
                Keyword::Copy => instruction.flag("from").into_iter().collect(),
                Keyword::Run => instruction.flags().iter().filter_map(|flag| mounted(flag)).collect(),
                _ => continue,
            };
            for (number, name) in names.into_iter().enumerate() {
                let is_image = name != "scratch" && !name.contains('$') && name.parse::<usize>().is_err();
                if is_image && self.stages.find(name, at.stage).is_none() {
                    let path = if number == 0 { at.path().key("from") } else { at.path().key("from").index(number) };
                    // A word alone may also be the name of a build context (`docker buildx build --build-context`).
                    let level = if name.contains(['/', ':', '@']) { Level::Deny } else { Level::Warn };
                    self.base(name, level, (path, instruction.span()), report);
                }
            }
        }
    }

    fn base(&self, image: &str, level: Level, place: (Path, Span), report: &mut Report<'_>) {
        let settings = self.context.settings;
        if glob::any(&self.context.exempt.images, image) {
            return;
        }
        match Reference::parse(image) {
            Ok(reference) => match tag::unpinned(&reference, &settings.floating_tags, settings.precision) {
                Some(Unpinned::Untagged(what) | Unpinned::Floating(what)) => {
                    report.add_as(level, &BASE, place, || format!("image {image} {what}"));
                }
                None => {}
            },
            // A digest that is too short names no build, and does not float either.
            Err(_) if image.contains('@') => {}
            Err(error) => {
                let message = || format!("image {} is not valid: {error}", quoted(image));
                report.add_as(Level::Warn, &BASE, place, message);
            }
        }
    }

    /// A compiler in the image that runs, with its base or from a package.
    fn compilers(&self, report: &mut Report<'_>) {
        const EXPECTED: &str = "expected a stage of its own to compile in, and COPY --from that one";
        if let Base::Image(base) = self.stages.root(self.image.stage)
            && known::is_compiler(base)
        {
            let (_, span) = self.missing(Keyword::From);
            let path = Path::of(&["stages"]).index(self.image.stage).key("from");
            report.add(&MULTI_STAGE, (path, span), || {
                format!("the last stage is {base}, which holds a compiler, {EXPECTED}")
            });
        }
        for of_one in
            self.image.compilers.chunk_by(|left, right| std::ptr::eq(left.at.instruction, right.at.instruction))
        {
            let Some(first) = of_one.first() else { continue };
            let packages: Vec<&str> = of_one.iter().map(|compiler| compiler.package.as_str()).collect();
            let place = (first.at.path(), first.at.instruction.span());
            let message = || format!("RUN leaves a compiler in the image ({}), {EXPECTED}", packages.join(", "));
            report.add(&MULTI_STAGE, place, message);
        }
    }

    fn workdir(&self, report: &mut Report<'_>) {
        let Some(Set { at, value: Some(path) }) = &self.image.workdir else { return };
        if self.who.is_non_root() && is_in_root(path) && !self.image.opens_root {
            let user = self.user_in_words();
            let message = format!(
                "WORKDIR is {path}, and /root is open to root alone (its mode is 0700): {user} cannot enter it, expected a folder \
                 such as /app"
            );
            report.add(&WORKDIR, at.arguments(), message);
        }
    }

    fn user_in_words(&self) -> String {
        match &self.who {
            Who::Number(number) => format!("the user {number}"),
            Who::Name(name, _) => format!("the user {name}"),
            _ => "the user of the base image".to_owned(),
        }
    }

    fn user(&self, report: &mut Report<'_>) {
        if self.stages.is_windows(self.image.stage) {
            return; // users have no numbers there
        }
        let users = self.context.settings.users.as_ref();
        let wanted = users.map_or_else(|| "a number other than 0".to_owned(), ToString::to_string);
        let place = self.image.user.as_ref().map_or_else(|| self.missing(Keyword::User), |user| user.at.arguments());
        let written = self.image.user.as_ref().map(|user| user.at.instruction.arguments()).unwrap_or_default();
        let fault = match &self.who {
            Who::Root if written.is_empty() => Some("there is no USER, so the image runs as root".to_owned()),
            Who::Root => Some(format!("USER {written} is root")),
            Who::Unknown if written.is_empty() => Some(match self.stages.root(self.image.stage) {
                Base::Image(base) => format!("there is no USER, so the image runs as {base} has it, as a rule as root"),
                _ => "there is no USER, so the image runs as its base has it, as a rule as root".to_owned(),
            }),
            Who::Number(number) | Who::Name(_, Some(image::Id { number, .. })) => {
                users.filter(|users| !users.contains(*number)).map(|_| {
                    format!(
                        "USER {written} is {}",
                        if written == number.to_string() { "not allowed".to_owned() } else { number.to_string() }
                    )
                })
            }
            Who::Name(_, None) | Who::Other | Who::Unknown => None,
        };
        if let Some(fault) = fault {
            let added = report.add(&USER, place.clone(), || format!("{fault}, expected {wanted}"));
            if let Some(edit) = self.user_fix() {
                added.text_fix(false, [edit]);
            }
        }
        if let (Who::Name(name, id), Some(user)) = (&self.who, &self.image.user)
            && !matches!(name.as_str(), "ContainerUser" | "ContainerAdministrator")
        {
            let expected =
                id.as_ref().map_or_else(|| "its number".to_owned(), |id| format!("its number, {}", id.number));
            let message = || {
                format!(
                    "USER {written} is a name: with runAsNonRoot the kubelet refuses to start the container, as it cannot tell who \
                     that is, expected {expected}"
                )
            };
            let added = report.add(&NUMERIC_USER, place, message);
            if let Some(id) = id {
                let instruction = user.at.instruction;
                let group = user.value.as_deref().and_then(|user| user.strip_prefix(name.as_str())).unwrap_or_default();
                let span = instruction.span_of(&instruction.range());
                added.text_fix(id.is_fixed, [TextEdit { span, text: format!("{}{group}", id.number) }]);
            }
        }
    }

    /// The one user that is allowed, in place of the last USER or behind everything else. None where that would bring other
    /// findings.
    fn user_fix(&self) -> Option<TextEdit> {
        let id = self.context.settings.users.as_ref()?.only()?;
        let is_in_root = self.image.workdir.as_ref().and_then(|of| of.value.as_deref()).is_some_and(is_in_root);
        if is_in_root || self.image.exposed.iter().any(|exposed| is_low(exposed.port)) {
            return None;
        }
        let stage = self.file.stages.get(self.image.stage)?;
        let last = stage.instructions.last().unwrap_or(&stage.from);
        if let Some(user) = self.image.user.as_ref().filter(|user| user.at.stage == self.image.stage) {
            let after = stage.instructions.iter().skip_while(|of| !std::ptr::eq(*of, user.at.instruction));
            let is_safe = after.clone().next().is_some()
                && after.clone().all(|of| !matches!(of.keyword, Keyword::Run | Keyword::Workdir));
            if is_safe {
                let span = user.at.instruction.span_of(&user.at.instruction.range());
                return Some(TextEdit { span, text: id.to_string() });
            }
        }
        Some(TextEdit { span: last.end(self.text)?, text: format!("\nUSER {id}") })
    }

    fn ports(&self, report: &mut Report<'_>) {
        if !self.who.is_non_root() || self.image.may_bind || self.stages.is_windows(self.image.stage) {
            return;
        }
        let user = self.user_in_words();
        for exposed in self.image.exposed.iter().filter(|exposed| is_low(exposed.port)) {
            let place = (exposed.at.path().index(exposed.number), place(exposed.at, &exposed.word));
            let port = exposed.port;
            let message = || format!("EXPOSE is {port}, where {user} may be unable to listen, expected 1024 or above");
            report.add(&EXPOSE, place, message);
        }
    }

    fn healthcheck(&self, report: &mut Report<'_>) {
        match self.image.healthcheck {
            None => {
                report.add(&HEALTHCHECK, self.missing(Keyword::Healthcheck), "there is no HEALTHCHECK, expected one");
            }
            Some(at) if at.instruction.arguments().eq_ignore_ascii_case("none") => {
                report.add(&HEALTHCHECK, at.arguments(), "HEALTHCHECK NONE switches it off, expected HEALTHCHECK CMD");
            }
            Some(_) => {}
        }
    }

    /// CMD and ENTRYPOINT that a shell runs, unless SHELL says which.
    fn exec_form(&self, report: &mut Report<'_>) {
        if self.image.has_shell || self.stages.is_windows(self.image.stage) {
            return;
        }
        for at in [self.image.entrypoint, self.image.cmd].into_iter().flatten() {
            let arguments = at.instruction.arguments();
            // With exec, the shell makes way for the program.
            if arguments.is_empty() || at.instruction.json().is_some() || arguments.starts_with("exec ") {
                continue;
            }
            let keyword = at.instruction.keyword.name().to_uppercase();
            let message = || {
                format!(
                    "{keyword} is in shell form: a shell runs it, which passes no SIGTERM on to it, expected an array in JSON"
                )
            };
            let added = report.add(&EXEC_FORM, at.arguments(), message);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _./:@,+-".contains(&byte);
            if arguments.bytes().all(is_plain) {
                let words: Vec<String> =
                    arguments.split(' ').filter(|word| !word.is_empty()).map(|word| format!("{word:?}")).collect();
                let span = at.instruction.span_of(&at.instruction.range());
                added.text_fix(false, [TextEdit { span, text: format!("[{}]", words.join(", ")) }]);
            }
        }
    }
}

/// The image of `RUN --mount=type=bind,from=…`.
fn mounted(flag: &str) -> Option<&str> {
    flag.strip_prefix("mount=")?.split(',').find_map(|option| option.strip_prefix("from="))
}

fn is_in_root(path: &str) -> bool {
    path.strip_prefix("/root").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a port is one of those that are root's, unless a node or a container opens them.
fn is_low(port: u16) -> bool {
    (1..1024).contains(&port)
}
