//! Dockerfiles, as `BuildKit`'s parser reads them
//! (<https://github.com/moby/buildkit/tree/master/frontend/dockerfile/parser>, and `instructions/parse.go` beside it).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use gatehouse_policy::node::{Data, Span};
use gatehouse_policy::{FileError, Node};

use super::heredoc;

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
    /// One of another frontend's, which `# syntax=` names.
    Foreign,
}

/// The keywords by their names, each at its place in [`Keyword`].
const KEYWORDS: [(&str, Keyword); 18] = [
    ("add", Keyword::Add),
    ("arg", Keyword::Arg),
    ("cmd", Keyword::Cmd),
    ("copy", Keyword::Copy),
    ("entrypoint", Keyword::Entrypoint),
    ("env", Keyword::Env),
    ("expose", Keyword::Expose),
    ("from", Keyword::From),
    ("healthcheck", Keyword::Healthcheck),
    ("label", Keyword::Label),
    ("maintainer", Keyword::Maintainer),
    ("onbuild", Keyword::Onbuild),
    ("run", Keyword::Run),
    ("shell", Keyword::Shell),
    ("stopsignal", Keyword::Stopsignal),
    ("user", Keyword::User),
    ("volume", Keyword::Volume),
    ("workdir", Keyword::Workdir),
];

impl Keyword {
    fn of(word: &str) -> Option<Self> {
        KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, keyword)| *keyword)
    }

    /// Its name, as it stands in paths.
    pub fn name(self) -> &'static str {
        KEYWORDS.get(self as usize).map_or("instruction", |(name, _)| name)
    }
}

/// A Dockerfile.
pub struct Dockerfile<'t> {
    /// What stands before the first FROM: ARG alone.
    pub args: Vec<Instruction<'t>>,
    pub stages: Vec<Stage<'t>>,
    /// What escapes a character, and a line's end: a backslash or a backtick.
    pub escape: char,
}

/// A stage: a FROM and what follows it.
pub struct Stage<'t> {
    pub from: Instruction<'t>,
    pub instructions: Vec<Instruction<'t>>,
}

/// An instruction: a logical line, taken apart as far as its keyword.
pub struct Instruction<'t> {
    pub keyword: Keyword,
    /// Whether it stands behind ONBUILD, and so is for images that are built from this one.
    pub is_onbuild: bool,
    /// Which of its keyword it is in its stage, from 0; one behind ONBUILD counts as that.
    pub number: usize,
    /// The line, without what continues it and the comments within.
    text: Cow<'t, str>,
    /// Where in the text the keyword starts, and what follows it and its flags.
    start: u32,
    arguments: u32,
    /// Where the text starts in the file.
    place: Piece,
    more: Option<Box<More<'t>>>,
}

/// What few instructions have.
#[derive(Default)]
struct More<'t> {
    /// Where the parts of the text start that do not stand on its first line.
    pieces: Vec<Piece>,
    flags: Vec<String>,
    heredocs: Vec<&'t str>,
    /// The line of the last heredoc's end.
    last_line: u32,
}

/// Where in the file a part of a logical line starts.
#[derive(Clone, Copy)]
struct Piece {
    offset: u32,
    line: u32,
    column: u32,
}

/// A variable that an ENV or ARG sets or declares.
pub struct Pair {
    pub name: Range<usize>,
    pub value: Option<Range<usize>>,
}

impl<'t> Instruction<'t> {
    /// What follows the keyword and its flags.
    pub fn arguments(&self) -> &str {
        self.slice(&self.range())
    }

    /// The place of the arguments in the text.
    pub fn range(&self) -> Range<usize> {
        self.arguments as usize..self.text.len()
    }

    /// A part of the text.
    pub fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The flags: `--from=builder` without its dashes.
    pub fn flags(&self) -> &[String] {
        self.more.as_ref().map_or(&[], |more| &more.flags)
    }

    /// The value of a flag.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags().iter().find_map(|flag| flag.strip_prefix(name)?.strip_prefix('='))
    }

    /// The bodies of its heredocs.
    pub fn heredocs(&self) -> &[&'t str] {
        self.more.as_ref().map_or(&[], |more| &more.heredocs)
    }

    /// The place of the whole instruction, without its heredocs.
    pub fn span(&self) -> Span {
        self.span_of(&(self.start as usize..self.text.len()))
    }

    /// The place of the keyword.
    pub fn keyword_range(&self) -> Range<usize> {
        let start = self.start as usize;
        let rest = self.text.get(start..).unwrap_or_default();
        start..start + rest.find(is_blank).unwrap_or(rest.len())
    }

    /// The place of a part of the text.
    pub fn span_of(&self, range: &Range<usize>) -> Span {
        let (line, column) = self.position(range.start, false);
        let (end_line, end_column) = self.position(range.end.max(range.start), true);
        Span { line, column, end_line, end_column }
    }

    /// Where an offset of the text is. As an end it belongs to what stands before it.
    fn position(&self, offset: usize, is_end: bool) -> (u32, u32) {
        let pieces = self.more.as_ref().map_or(&[][..], |more| &more.pieces);
        let before = pieces.partition_point(|piece| {
            let start = piece.offset as usize;
            start < offset || (!is_end && start == offset)
        });
        let piece = before.checked_sub(1).and_then(|index| pieces.get(index)).unwrap_or(&self.place);
        let between = self.text.get(piece.offset as usize..offset).unwrap_or_default();
        (piece.line, piece.column + count(between))
    }

    /// Where the instruction ends, its heredocs with it; `None` where its last line goes on and the file does not.
    pub fn end(&self, text: &str) -> Option<Span> {
        let own = self.position(self.text.len(), true).0;
        let last = self.more.as_ref().map_or(own, |more| more.last_line.max(own));
        let line = text.split('\n').nth(last.checked_sub(1)? as usize)?;
        let column = 1 + count(line.trim_end_matches('\r'));
        let goes_on = line.trim_end().ends_with(['\\', '`']);
        (!goes_on).then_some(Span { line: last, column, end_line: last, end_column: column })
    }

    /// The words between blanks, as FROM, EXPOSE and COPY have them.
    pub fn words(&self) -> Vec<Range<usize>> {
        split(self.arguments(), self.arguments as usize, is_blank)
    }

    /// The strings of a JSON array, where the arguments are one.
    pub fn json(&self) -> Option<Vec<String>> {
        json(self.arguments()).ok()?
    }

    /// The variables of an ENV or ARG.
    pub fn pairs(&self, escape: char) -> Vec<Pair> {
        let words = quoted_words(self.arguments(), self.arguments as usize, escape);
        let pair = |word: &Range<usize>| match self.slice(word).split_once('=') {
            Some((name, _)) => {
                let end = word.start + name.len();
                Pair { name: word.start..end, value: Some(end + 1..word.end) }
            }
            None => Pair { name: word.clone(), value: None },
        };
        match words.first() {
            // The old form: ENV name value.
            Some(first) if self.keyword == Keyword::Env && !self.slice(first).contains('=') => {
                let rest = self.slice(&(first.end..self.text.len()));
                let start = self.text.len() - rest.trim_start().len();
                vec![Pair { name: first.clone(), value: Some(start..self.text.len()) }]
            }
            _ => words.iter().map(pair).collect(),
        }
    }
}

fn count(text: &str) -> u32 {
    u32::try_from(if text.is_ascii() { text.len() } else { text.chars().count() }).unwrap_or(u32::MAX)
}

/// `reWhitespace` in `parser.go`.
fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// The parts of a text between what separates them, each as its place from `start` on.
fn split(text: &str, start: usize, separates: fn(char) -> bool) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = start;
    for word in text.split(separates) {
        if !word.is_empty() {
            words.push(at..at + word.len());
        }
        at += word.len() + 1;
    }
    words
}

/// `parseWords` in `line_parsers.go`: quotes and escapes hold a word together, and stay.
fn quoted_words(text: &str, start: usize, escape: char) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut begun = None;
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if quote.is_none() && character.is_whitespace() {
            words.extend(begun.take().map(|begin: usize| start + begin..start + at));
            continue;
        }
        begun.get_or_insert(at);
        if character == escape && quote != Some('\'') {
            characters.next();
        } else if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && matches!(character, '"' | '\'') {
            quote = Some(character);
        }
    }
    words.extend(begun.map(|begin| start + begin..start + text.len()));
    words
}

/// The strings of a text that is a JSON array; `None` where it is none, and then it is for a shell (`parseJSON` in
/// `line_parsers.go`).
fn json(text: &str) -> Result<Option<Vec<String>>, String> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(Node { data: Data::Array(items), .. }) = Node::from_json(text.as_bytes()) else { return Ok(None) };
    let strings = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>();
    strings.map(Some).ok_or_else(|| "an array in JSON must hold strings alone".to_owned())
}

/// Reads a Dockerfile.
///
/// # Errors
/// Where Docker would refuse to build it, whatever the files and images that it names.
pub fn parse(text: &str) -> Result<Dockerfile<'_>, FileError> {
    Parser::new(text).parse()
}

/// No line may be longer: `bufio.MaxScanTokenSize` of Go, with which `BuildKit` reads lines.
const LONGEST_LINE: usize = 64 * 1024 - 1;

/// Reads a file line by line.
struct Parser<'t> {
    rest: &'t str,
    /// How many lines are read.
    line: u32,
    escape: char,
    /// Whether `# syntax=` names a frontend that is not Docker's.
    is_foreign: bool,
    /// The directives read, as long as there may be more.
    directives: Option<Vec<&'t str>>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text, line: 0, escape: '\\', is_foreign: false, directives: Some(Vec::new()) }
    }

    fn parse(mut self) -> Result<Dockerfile<'t>, FileError> {
        let (mut args, mut stages): (Vec<Instruction<'t>>, Vec<Stage<'t>>) = (Vec::new(), Vec::new());
        let mut numbers = HashMap::new();
        while let Some(mut instruction) = self.instruction()? {
            let keyword = if instruction.is_onbuild { Keyword::Onbuild } else { instruction.keyword };
            if instruction.keyword == Keyword::From {
                numbers.clear();
                stages.push(Stage { from: instruction, instructions: Vec::new() });
                continue;
            }
            let number: &mut usize = numbers.entry(keyword as usize).or_default();
            instruction.number = *number;
            *number += 1;
            match stages.last_mut() {
                Some(stage) => stage.instructions.push(instruction),
                None if keyword == Keyword::Arg || keyword == Keyword::Foreign => args.push(instruction),
                None => {
                    let message = format!(
                        "{} stands before the first FROM, where only ARG may",
                        instruction.slice(&instruction.keyword_range()).to_uppercase()
                    );
                    return Err(FileError { span: instruction.span(), message });
                }
            }
        }
        if stages.is_empty() {
            let span = Span { line: 1, column: 1, end_line: 1, end_column: 1 };
            return Err(FileError { span, message: "there is no FROM, expected FROM and an image".to_owned() });
        }
        Ok(Dockerfile { args, stages, escape: self.escape })
    }

    /// The next line, without its end.
    fn next_line(&mut self) -> Result<Option<&'t str>, FileError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        if line.len() >= LONGEST_LINE {
            let span = Span { line: self.line, column: 1, end_line: self.line, end_column: 1 };
            return Err(FileError { span, message: format!("the line has more than {LONGEST_LINE} bytes") });
        }
        Ok(Some(line.trim_end_matches('\r')))
    }

    /// The next instruction, if there is one.
    fn instruction(&mut self) -> Result<Option<Instruction<'t>>, FileError> {
        while let Some(line) = self.next_line()? {
            let whole = if self.line == 1 { line.trim_start_matches('\u{feff}') } else { line };
            let first = whole.trim_start();
            self.directive(first)?;
            if first.is_empty() || first.starts_with('#') {
                continue;
            }
            let before = line.get(..line.len() - first.len()).unwrap_or_default();
            let place = Piece { offset: 0, line: self.line, column: 1 + count(before) };
            let mut more = More::default();
            let text = self.logical_line(first, &mut more)?;
            if text.trim().is_empty() {
                continue;
            }
            let start = length(&text) - length(text.trim_start());
            let (keyword, is_onbuild) = (Keyword::Foreign, false);
            let mut instruction =
                Instruction { keyword, is_onbuild, number: 0, text, start, arguments: 0, place, more: None };
            self.read(&mut instruction, &mut more)?;
            if !more.pieces.is_empty() || !more.flags.is_empty() || !more.heredocs.is_empty() {
                instruction.more = Some(Box::new(more));
            }
            return Ok(Some(instruction));
        }
        Ok(None)
    }

    /// A line with those that continue it, but for comments and empty ones.
    fn logical_line(&mut self, first: &'t str, more: &mut More<'t>) -> Result<Cow<'t, str>, FileError> {
        let (start, mut goes_on) = continued(first, self.escape);
        let mut text = Cow::Borrowed(start);
        while goes_on {
            let Some(line) = self.next_line()? else { break };
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let part;
            (part, goes_on) = continued(line, self.escape);
            more.pieces.push(Piece { offset: length(&text), line: self.line, column: 1 });
            text.to_mut().push_str(part);
        }
        Ok(text)
    }

    /// Takes in a directive: a comment such as `# escape=` above everything else (`directives.go`).
    fn directive(&mut self, line: &'t str) -> Result<(), FileError> {
        let Some(seen) = &mut self.directives else { return Ok(()) };
        let directive = line.strip_prefix('#').and_then(|comment| comment.split_once('='));
        let known = ["syntax", "escape", "check"];
        let name =
            directive.map(|(name, _)| name.trim()).filter(|name| known.iter().any(|of| of.eq_ignore_ascii_case(name)));
        let (Some(name), Some((_, value))) = (name, directive) else {
            self.directives = None;
            return Ok(());
        };
        let value = value.trim();
        let refuse = |message: String| {
            let span = Span { line: self.line, column: 1, end_line: self.line, end_column: 1 + count(line) };
            Err(FileError { span, message })
        };
        if seen.iter().any(|before| before.eq_ignore_ascii_case(name)) {
            return refuse(format!("the directive {} may stand here only once", name.to_ascii_lowercase()));
        }
        seen.push(name);
        if name.eq_ignore_ascii_case("escape") {
            self.escape = match value {
                "\\" => '\\',
                "`" => '`',
                _ => return refuse("the directive escape must be a backslash or a backtick".to_owned()),
            };
        } else if name.eq_ignore_ascii_case("syntax") {
            self.is_foreign = !value.trim_start_matches("docker.io/").starts_with("docker/dockerfile");
        }
        Ok(())
    }

    /// Takes apart an instruction, and reads its heredocs.
    fn read(&mut self, instruction: &mut Instruction<'t>, more: &mut More<'t>) -> Result<(), FileError> {
        let refuse = |instruction: &mut Instruction<'t>, more: &mut More<'t>, message: String| {
            instruction.more = Some(Box::new(std::mem::take(more)));
            FileError { span: instruction.span(), message }
        };
        loop {
            let word = instruction.slice(&instruction.keyword_range()).to_owned();
            match Keyword::of(&word) {
                Some(Keyword::Onbuild) if instruction.is_onbuild => {
                    return Err(refuse(instruction, more, "ONBUILD cannot stand behind ONBUILD".to_owned()));
                }
                Some(keyword) => instruction.keyword = keyword,
                None if self.is_foreign => {}
                None => {
                    let near =
                        gatehouse_policy::nearest(&word.to_ascii_lowercase(), KEYWORDS.iter().map(|(name, _)| *name));
                    let help = near.map_or_else(String::new, |near| format!(", did you mean {}?", near.to_uppercase()));
                    let message = format!("unknown instruction {}{help}", gatehouse_policy::image::quoted(&word));
                    return Err(refuse(instruction, more, message));
                }
            }
            let start = instruction.keyword_range().end;
            let rest = instruction.text.get(start..).unwrap_or_default();
            let (flags, arguments) = flags(rest, self.escape);
            let arguments = rest.len() - arguments;
            more.flags.extend(flags);
            instruction.arguments = length(instruction.text.get(..start + arguments).unwrap_or_default());
            trim_end(&mut instruction.text);
            instruction.arguments = instruction.arguments.min(length(&instruction.text));
            if instruction.keyword != Keyword::Onbuild {
                break;
            }
            if instruction.arguments().is_empty() {
                return Err(refuse(instruction, more, "ONBUILD needs an instruction".to_owned()));
            }
            instruction.is_onbuild = true;
            instruction.start = instruction.arguments;
        }
        if let Err(message) = self.check(instruction) {
            return Err(refuse(instruction, more, message));
        }
        let may_have = matches!(instruction.keyword, Keyword::Add | Keyword::Copy | Keyword::Run);
        if may_have && instruction.text.contains("<<") && instruction.json().is_none() {
            for (name, is_chomped) in heredoc::of_line(&instruction.text) {
                let Some(body) = self.heredoc(&name, is_chomped)? else {
                    let message = format!("the heredoc {name} has no end, expected a line with {name} alone");
                    return Err(refuse(instruction, more, message));
                };
                more.heredocs.push(body);
                more.last_line = self.line;
            }
        }
        Ok(())
    }

    /// The lines up to a heredoc's end.
    fn heredoc(&mut self, name: &str, is_chomped: bool) -> Result<Option<&'t str>, FileError> {
        let start = self.rest;
        loop {
            let length = start.len() - self.rest.len();
            let Some(line) = self.next_line()? else { return Ok(None) };
            let line = if is_chomped { line.trim_start_matches('\t') } else { line };
            if line == name {
                return Ok(Some(&start[..length]));
            }
        }
    }

    /// Refuses what `instructions/parse.go` refuses.
    fn check(&self, instruction: &Instruction<'t>) -> Result<(), String> {
        let arguments = instruction.arguments();
        let name = instruction.keyword.name().to_uppercase();
        if arguments.is_empty()
            && !matches!(instruction.keyword, Keyword::Foreign | Keyword::Run | Keyword::Cmd | Keyword::Entrypoint)
        {
            return Err(format!("{name} needs an argument"));
        }
        match instruction.keyword {
            Keyword::From | Keyword::Maintainer if instruction.is_onbuild => {
                Err(format!("{name} cannot stand behind ONBUILD"))
            }
            Keyword::From => check_from(instruction),
            Keyword::Env | Keyword::Label => self.check_pairs(instruction, &name),
            Keyword::Arg => {
                let pairs = instruction.pairs(self.escape);
                let is_blank = pairs.iter().any(|pair| pair.name.is_empty());
                if is_blank { Err("ARG needs a name before the =".to_owned()) } else { Ok(()) }
            }
            Keyword::Add | Keyword::Copy => {
                let number = json(arguments)?.map_or_else(|| instruction.words().len(), |words| words.len());
                if number < 2 { Err(format!("{name} needs a source and a destination")) } else { Ok(()) }
            }
            Keyword::Run | Keyword::Cmd | Keyword::Entrypoint | Keyword::Volume => json(arguments).map(|_| ()),
            Keyword::Shell => match json(arguments)? {
                Some(words) if !words.is_empty() => Ok(()),
                _ => Err("SHELL needs an array of strings in JSON".to_owned()),
            },
            Keyword::Healthcheck => {
                let (kind, command) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
                match kind.to_ascii_uppercase().as_str() {
                    "NONE" if command.trim().is_empty() => Ok(()),
                    "NONE" => Err("HEALTHCHECK NONE takes no arguments".to_owned()),
                    "CMD" if !command.trim().is_empty() => json(command.trim()).map(|_| ()),
                    "CMD" => Err("HEALTHCHECK CMD needs a command".to_owned()),
                    _ => Err(format!("HEALTHCHECK must be CMD or NONE, found {kind}")),
                }
            }
            _ => Ok(()),
        }
    }

    fn check_pairs(&self, instruction: &Instruction<'t>, name: &str) -> Result<(), String> {
        let words = quoted_words(instruction.arguments(), instruction.arguments as usize, self.escape);
        let mut texts = words.iter().map(|word| instruction.slice(word));
        match texts.next() {
            Some(first) if !first.contains('=') => {
                if words.len() < 2 {
                    Err(format!("{name} needs a name and a value"))
                } else {
                    Ok(())
                }
            }
            first => match first.into_iter().chain(texts).find(|word| !word.contains('=') || word.starts_with('=')) {
                Some(word) => Err(format!("{name} needs name=value, found {}", gatehouse_policy::image::quoted(word))),
                None => Ok(()),
            },
        }
    }
}

/// `parseBuildStageName` in `instructions/parse.go`.
fn check_from(instruction: &Instruction<'_>) -> Result<(), String> {
    let words = instruction.words();
    match words.as_slice() {
        [_] => Ok(()),
        [_, word, name] if instruction.slice(word).eq_ignore_ascii_case("as") => {
            let name = instruction.slice(name).to_ascii_lowercase();
            let is_valid = name.starts_with(|first: char| first.is_ascii_lowercase())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
            if is_valid {
                Ok(())
            } else {
                Err(format!(
                    "the stage cannot be called {name}, expected a letter, then letters, digits, dashes, underscores and dots"
                ))
            }
        }
        _ => Err("FROM needs an image, and then nothing or AS and a name".to_owned()),
    }
}

/// A line without what continues it, and whether it goes on (`lineContinuationRegex` in `parser.go`): after an escaped escape
/// character it does not.
fn continued(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (line, false),
    }
}

/// The flags at the start of a text, and the length of what follows them (`extractBuilderFlags` in `split_command.go`).
fn flags(text: &str, escape: char) -> (Vec<String>, usize) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let mut flag = String::new();
        let mut quote = None;
        let mut characters = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                _ if quote.is_none() && character.is_whitespace() => {
                    end = at;
                    break;
                }
                _ if quote == Some(character) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(character),
                _ if character == escape => flag.extend(characters.next().map(|(_, next)| next)),
                _ => flag.push(character),
            }
        }
        rest = rest.get(end..).unwrap_or_default().trim_start();
        match flag.get(2..) {
            None | Some("") => break,
            Some(flag) => flags.push(flag.to_owned()),
        }
    }
    (flags, rest.len())
}

fn trim_end(text: &mut Cow<'_, str>) {
    match text {
        Cow::Borrowed(text) => *text = text.trim_end(),
        Cow::Owned(text) => text.truncate(text.trim_end().len()),
    }
}

/// The length of what stands on lines of a file, which the reader of files bounds.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}
