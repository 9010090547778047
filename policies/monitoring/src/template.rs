//! The templates of labels and annotations, as Go reads them with Prometheus' functions and variables
//! (<https://pkg.go.dev/text/template>, <https://github.com/golang/go/tree/master/src/text/template/parse>; `testTemplateParsing`
//! in <https://github.com/prometheus/prometheus/blob/main/model/rulefmt/rulefmt.go>). What a template would do is not looked
//! at, and what could be either is taken for right.

use std::fmt::{self, Display};

use crate::escape::escaped;
use crate::promql::unknown;

/// What is wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong<'t> {
    Unexpected(&'t str),
    /// A function that does not exist.
    Unknown(&'t str),
    /// A variable that was not declared.
    Undeclared(&'t str),
    /// What is not so, in words.
    Not(&'static str),
}

impl Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(word) => write!(f, "unexpected {word:?}"),
            Self::Unknown(name) => unknown(f, name, &mut FUNCTIONS.iter().copied()),
            Self::Undeclared(name) => write!(f, "there is no variable {name}"),
            Self::Not(what) => f.write_str(what),
        }
    }
}

/// Prometheus' functions (<https://github.com/prometheus/prometheus/blob/main/template/template.go>), and those of all
/// templates.
const FUNCTIONS: &[&str] = &[
    "and",
    "args",
    "call",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "now",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "urlquery",
    "value",
];

/// What Prometheus declares before each of them.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// How many variables are known at once. Where there are more, any may be one of them.
const MOST_VARIABLES: usize = 200;

/// A word between `{{` and `}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'t> {
    Space,
    /// `}}`
    End,
    /// A function or a keyword.
    Name(&'t str),
    /// `$x`
    Variable(&'t str),
    /// `.x`
    Field,
    /// `.`
    Dot,
    Number,
    Text,
    Pipe,
    Declare,
    Assign,
    Comma,
    Open,
    Close,
    Other(&'t str),
}

/// What goes on until its `{{end}}`.
struct Block {
    keyword: Keyword,
    /// Whether its `{{else}}` came.
    has_else: bool,
    /// Whether it is an `{{else if}}`, which ends with the block before.
    is_chained: bool,
    /// What was known before it.
    before: Scope,
}

/// What is known at a place.
#[derive(Clone, Copy)]
struct Scope {
    /// How many variables are declared.
    variables: usize,
    /// How many of them are those of a template around.
    hidden: usize,
    /// How many ranges there are to break out of.
    ranges: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    If,
    With,
    Range,
    /// `define` or `block`, which see nothing of what is around them.
    Template,
}

/// Checks a template.
pub fn check(text: &str) -> Result<(), Wrong<'_>> {
    let mut template = Template {
        rest: text,
        word: Word::End,
        variables: VARIABLES.to_vec(),
        hidden: 0,
        ranges: 0,
        blocks: Vec::new(),
    };
    while let Some(start) = first_action(template.rest) {
        template.rest = template.rest.get(start + 2..).unwrap_or_default();
        if let Some(trimmed) = template.rest.strip_prefix('-').filter(|rest| rest.starts_with(is_space)) {
            template.rest = trimmed.trim_start_matches(is_space);
        }
        if let Some(comment) = template.rest.strip_prefix("/*") {
            let Some(end) = pair(comment, *b"*/") else { return Err(Wrong::Not("a comment that is not closed")) };
            template.rest = comment.get(end + 2..).unwrap_or_default();
            if !template.skip_end() {
                return Err(Wrong::Not("a comment with something between it and }}"));
            }
            continue;
        }
        template.action()?;
    }
    match template.blocks.last() {
        Some(_) => Err(Wrong::Not("an if, range, with or define without its {{end}}")),
        None => Ok(()),
    }
}

/// Where the first `{{` of a text is.
pub fn first_action(text: &str) -> Option<usize> {
    pair(text, *b"{{")
}

/// Where two bytes stand side by side.
fn pair(text: &str, bytes: [u8; 2]) -> Option<usize> {
    text.as_bytes().windows(2).position(|window| *window == bytes)
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Letters, digits and `_`. Which of the others are letters too is not known here.
fn is_letter(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric() || !character.is_ascii()
}

fn is_decimal_digit(character: char) -> bool {
    character == '_' || character.is_ascii_digit()
}

fn is_hexadecimal_digit(character: char) -> bool {
    character == '_' || character.is_ascii_hexdigit()
}

struct Template<'t> {
    rest: &'t str,
    /// The word that is looked at.
    word: Word<'t>,
    /// The variables that are declared, the last one last.
    variables: Vec<&'t str>,
    /// How many of them are those of a template around, which are not seen in one that is defined.
    hidden: usize,
    /// How many ranges there are to break out of.
    ranges: usize,
    blocks: Vec<Block>,
}

type Found<'t, T> = Result<T, Wrong<'t>>;

/// A pipeline that is not at its end.
#[derive(Clone, Copy)]
struct Pipeline {
    /// How many commands came before this one.
    commands: usize,
    /// How many operands this one has.
    operands: usize,
}

impl<'t> Template<'t> {
    /// Takes `}}`, with a `-` before it where there is one.
    fn skip_end(&mut self) -> bool {
        let trimmed = self.rest.strip_prefix(is_space).and_then(|rest| rest.strip_prefix("-}}"));
        let end = trimmed.or_else(|| self.rest.strip_prefix("}}"));
        if let Some(rest) = end {
            self.rest = rest;
        }
        end.is_some()
    }

    /// Takes the characters at the start that are of a sort.
    fn take(&mut self, is_of: fn(char) -> bool) -> &'t str {
        let length = self.rest.find(|character| !is_of(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        taken
    }

    /// Goes on to the next word, spaces among them.
    fn advance(&mut self) -> Found<'t, ()> {
        let before = self.rest;
        if self.skip_end() {
            self.word = Word::End;
            return Ok(());
        }
        let Some(first) = before.chars().next() else { return Err(Wrong::Not("{{ without }}")) };
        if is_space(first) {
            // The last of the spaces may belong to ` -}}`.
            let spaces = self.take(is_space).len();
            if self.rest.starts_with("-}}") {
                self.rest = before.get(spaces - 1..).unwrap_or_default();
                if spaces == 1 {
                    return self.advance();
                }
            }
            self.word = Word::Space;
            return Ok(());
        }
        self.rest = before.get(first.len_utf8()..).unwrap_or_default();
        let taken = |rest: &str| before.get(..before.len() - rest.len()).unwrap_or_default();
        self.word = match first {
            '"' => self.quoted(b'"')?,
            '\'' => self.quoted(b'\'')?,
            '`' => {
                self.take(|character| character != '`');
                self.rest = self.rest.strip_prefix('`').ok_or(Wrong::Not("a ` that is not closed"))?;
                Word::Text
            }
            ':' => {
                self.rest = self.rest.strip_prefix('=').ok_or(Wrong::Unexpected(":"))?;
                Word::Declare
            }
            '=' => Word::Assign,
            '|' => Word::Pipe,
            ',' => Word::Comma,
            '(' => Word::Open,
            ')' => Word::Close,
            '$' => {
                self.take(is_letter);
                self.terminate()?;
                Word::Variable(taken(self.rest))
            }
            '.' if !self.rest.starts_with(|next: char| next.is_ascii_digit()) => {
                let is_field = !self.take(is_letter).is_empty();
                self.terminate()?;
                if is_field { Word::Field } else { Word::Dot }
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.number(before);
                if self.rest.starts_with(is_letter) || !taken(self.rest).bytes().any(|byte| byte.is_ascii_digit()) {
                    return Err(Wrong::Unexpected(taken(self.rest)));
                }
                Word::Number
            }
            _ if is_letter(first) => {
                self.take(is_letter);
                self.terminate()?;
                Word::Name(taken(self.rest))
            }
            _ => Word::Other(taken(self.rest)),
        };
        Ok(())
    }

    /// A number as Go writes them: with a sign, a base, an exponent, or imaginary.
    fn number(&mut self, before: &'t str) {
        self.rest = before.strip_prefix(['+', '-']).unwrap_or(before);
        let base = self.rest.get(..2).unwrap_or_default();
        let is_hexadecimal = base.eq_ignore_ascii_case("0x");
        if is_hexadecimal || base.eq_ignore_ascii_case("0o") || base.eq_ignore_ascii_case("0b") {
            self.rest = self.rest.get(2..).unwrap_or_default();
        }
        let is_digit = if is_hexadecimal { is_hexadecimal_digit } else { is_decimal_digit };
        self.take(is_digit);
        if let Some(fraction) = self.rest.strip_prefix('.') {
            self.rest = fraction;
            self.take(is_digit);
        }
        if let Some(exponent) = self.rest.strip_prefix(['e', 'E', 'p', 'P']) {
            self.rest = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            self.take(is_decimal_digit);
        }
        self.rest = self.rest.strip_prefix('i').unwrap_or(self.rest);
    }

    /// What stands between quotes: a text, or a single character.
    fn quoted(&mut self, quote: u8) -> Found<'t, Word<'t>> {
        const OPEN: Wrong<'_> = Wrong::Not("a string that is not closed");
        let mut rest = self.rest.chars();
        let mut length = 0;
        loop {
            match rest.next() {
                None | Some('\n') => return Err(OPEN),
                Some('\\') if escaped(&mut rest, quote).is_none() => {
                    return Err(Wrong::Not("an unknown escape in a string, expected \\\\ or a string between `"));
                }
                Some(character) if character == char::from(quote) => break,
                Some(_) => length += 1,
            }
        }
        self.rest = rest.as_str();
        match (quote, length) {
            (b'"', _) => Ok(Word::Text),
            (_, 1) => Ok(Word::Number),
            _ => Err(Wrong::Not("a string between ', expected \"")),
        }
    }

    /// What may come after a name.
    fn terminate(&self) -> Found<'t, ()> {
        let ends = |character: char| is_space(character) || matches!(character, '.' | ',' | '|' | ':' | '(' | ')');
        if self.rest.is_empty() || self.rest.starts_with(ends) || self.rest.starts_with("}}") {
            return Ok(());
        }
        let length = self.rest.chars().next().map_or(0, char::len_utf8);
        Err(Wrong::Unexpected(self.rest.get(..length).unwrap_or_default()))
    }

    /// Goes on to the next word that is no space.
    fn advance_to_word(&mut self) -> Found<'t, ()> {
        self.advance()?;
        if self.word == Word::Space { self.advance() } else { Ok(()) }
    }

    fn unexpected<T>(&self) -> Found<'t, T> {
        Err(match self.word {
            Word::End => Wrong::Unexpected("}}"),
            Word::Name(name) | Word::Variable(name) | Word::Other(name) => Wrong::Unexpected(name),
            Word::Space => Wrong::Unexpected(" "),
            Word::Field | Word::Dot => Wrong::Unexpected("."),
            Word::Number => Wrong::Not("unexpected number"),
            Word::Text => Wrong::Not("unexpected string"),
            Word::Pipe => Wrong::Unexpected("|"),
            Word::Declare => Wrong::Unexpected(":="),
            Word::Assign => Wrong::Unexpected("="),
            Word::Comma => Wrong::Unexpected(","),
            Word::Open => Wrong::Unexpected("("),
            Word::Close => Wrong::Unexpected(")"),
        })
    }

    fn expect_end(&mut self) -> Found<'t, ()> {
        self.advance_to_word()?;
        if self.word == Word::End { Ok(()) } else { self.unexpected() }
    }

    /// What stands between `{{` and `}}`.
    fn action(&mut self) -> Found<'t, ()> {
        self.advance_to_word()?;
        let Word::Name(name) = self.word else { return self.pipeline(false) };
        match name {
            "if" => self.begin(Keyword::If, false),
            "with" => self.begin(Keyword::With, false),
            "range" => self.begin(Keyword::Range, false),
            "else" => self.otherwise(),
            "end" => {
                self.expect_end()?;
                self.end()
            }
            "break" | "continue" => {
                self.expect_end()?;
                if self.ranges > 0 { Ok(()) } else { Err(Wrong::Not("break or continue outside a range")) }
            }
            "define" => {
                self.name()?;
                self.expect_end()?;
                if !self.blocks.is_empty() {
                    return Err(Wrong::Not("a define within an if, range, with or define"));
                }
                self.enter(Keyword::Template, false, self.scope());
                Ok(())
            }
            "block" => {
                self.name()?;
                self.advance_to_word()?;
                self.pipeline(false)?;
                self.enter(Keyword::Template, false, self.scope());
                Ok(())
            }
            "template" => {
                self.name()?;
                self.advance_to_word()?;
                if self.word == Word::End { Ok(()) } else { self.pipeline(false) }
            }
            _ => self.pipeline(false),
        }
    }

    /// The name of a template.
    fn name(&mut self) -> Found<'t, ()> {
        self.advance_to_word()?;
        if self.word == Word::Text { Ok(()) } else { self.unexpected() }
    }

    /// Begins a block with a pipeline.
    fn begin(&mut self, keyword: Keyword, is_chained: bool) -> Found<'t, ()> {
        let before = self.scope();
        self.advance_to_word()?;
        self.pipeline(keyword == Keyword::Range)?;
        self.enter(keyword, is_chained, before);
        Ok(())
    }

    fn scope(&self) -> Scope {
        Scope { variables: self.variables.len(), hidden: self.hidden, ranges: self.ranges }
    }

    fn enter(&mut self, keyword: Keyword, is_chained: bool, before: Scope) {
        self.blocks.push(Block { keyword, has_else: false, is_chained, before });
        match keyword {
            Keyword::Range => self.ranges += 1,
            Keyword::Template => {
                // Of what is around it sees nothing but what it is given.
                (self.hidden, self.ranges) = (self.variables.len(), 0);
                self.variables.push("$");
            }
            Keyword::If | Keyword::With => {}
        }
    }

    fn otherwise(&mut self) -> Found<'t, ()> {
        const ALONE: Wrong<'_> = Wrong::Not("an {{else}} without its if, range or with");
        self.advance_to_word()?;
        let block = self.blocks.last_mut().ok_or(ALONE)?;
        if block.has_else || block.keyword == Keyword::Template {
            return Err(ALONE);
        }
        block.has_else = true;
        self.ranges = block.before.ranges;
        match (block.keyword, self.word) {
            (_, Word::End) => Ok(()),
            (Keyword::If, Word::Name("if")) => self.begin(Keyword::If, true),
            (Keyword::With, Word::Name("with")) => self.begin(Keyword::With, true),
            _ => self.unexpected(),
        }
    }

    fn end(&mut self) -> Found<'t, ()> {
        loop {
            let Some(block) = self.blocks.pop() else { return Err(Wrong::Not("an {{end}} too many")) };
            self.variables.truncate(block.before.variables);
            (self.hidden, self.ranges) = (block.before.hidden, block.before.ranges);
            if !block.is_chained {
                return Ok(());
            }
        }
    }

    /// `$x := a | b c`, up to its `}}`, with pipelines in parentheses.
    fn pipeline(&mut self, is_range: bool) -> Found<'t, ()> {
        let mut outer: Vec<Pipeline> = Vec::new();
        let mut pipeline = Pipeline { commands: 0, operands: 0 };
        let mut may_declare = true;
        loop {
            if std::mem::take(&mut may_declare) && self.declarations(is_range && outer.is_empty())? {
                // What came after the variable is the first operand, or else the variable itself was.
                pipeline.operands = 1;
            }
            // A word is due: an operand, or the end of the pipeline.
            match self.word {
                Word::Space => {
                    self.advance()?;
                    continue;
                }
                Word::End | Word::Close => {
                    if pipeline.commands + pipeline.operands == 0 {
                        return Err(Wrong::Not("a pipeline without a value"));
                    }
                    match (self.word, outer.pop()) {
                        (Word::End, None) => return Ok(()),
                        (Word::Close, Some(around)) => {
                            pipeline = around;
                            self.advance()?;
                            self.after_operand(false)?;
                        }
                        (Word::End, Some(_)) => return Err(Wrong::Not("a ( that is not closed")),
                        (_, _) => return Err(Wrong::Unexpected(")")),
                    }
                    pipeline.operands += 1;
                    self.take_pipe(&mut pipeline)?;
                    continue;
                }
                Word::Pipe => {
                    self.take_pipe(&mut pipeline)?;
                    continue;
                }
                Word::Open => {
                    outer.push(pipeline);
                    if outer.len() > MOST_PARENTHESES {
                        return Err(Wrong::Not("more than 10000 parentheses within each other"));
                    }
                    pipeline = Pipeline { commands: 0, operands: 0 };
                    may_declare = true;
                    self.advance_to_word()?;
                    continue;
                }
                _ => {}
            }
            let is_literal = self.operand()?;
            if is_literal && pipeline.operands == 0 && pipeline.commands > 0 {
                return Err(Wrong::Not("a | before what is no function"));
            }
            self.advance()?;
            self.after_operand(is_literal)?;
            pipeline.operands += 1;
            self.take_pipe(&mut pipeline)?;
        }
    }

    /// Takes the fields that follow an operand.
    fn after_operand(&mut self, is_literal: bool) -> Found<'t, ()> {
        while self.word == Word::Field {
            if is_literal {
                return self.unexpected();
            }
            self.advance()?;
        }
        match self.word {
            Word::Space | Word::End | Word::Close | Word::Pipe => Ok(()),
            _ => self.unexpected(),
        }
    }

    /// Ends a command at its `|`.
    fn take_pipe(&mut self, pipeline: &mut Pipeline) -> Found<'t, ()> {
        if self.word == Word::Space {
            self.advance()?;
        }
        if self.word != Word::Pipe {
            return Ok(());
        }
        if pipeline.operands == 0 {
            return self.unexpected();
        }
        *pipeline = Pipeline { commands: pipeline.commands + 1, operands: 0 };
        self.advance_to_word()
    }

    /// Checks an operand; whether it is one that does nothing.
    fn operand(&self) -> Found<'t, bool> {
        match self.word {
            Word::Name("true" | "false" | "nil") | Word::Dot | Word::Number | Word::Text => Ok(true),
            Word::Field => Ok(false),
            Word::Variable(name) => self.variable(name).map(|()| false),
            Word::Name(name) if KEYWORDS.contains(&name) => self.unexpected(),
            Word::Name(name) if FUNCTIONS.contains(&name) => Ok(false),
            Word::Name(name) => Err(Wrong::Unknown(name)),
            _ => self.unexpected(),
        }
    }

    fn variable(&self, name: &'t str) -> Found<'t, ()> {
        let known = self.variables.get(self.hidden..).unwrap_or_default();
        if known.len() > MOST_VARIABLES || known.contains(&name) { Ok(()) } else { Err(Wrong::Undeclared(name)) }
    }

    /// The variables that a pipeline gives its value to. Whether its first word was a variable that it does not.
    fn declarations(&mut self, is_range: bool) -> Found<'t, bool> {
        let mut declared = 0;
        while let Word::Variable(name) = self.word {
            self.advance()?;
            let is_apart = self.word == Word::Space;
            if is_apart {
                self.advance()?;
            }
            match self.word {
                Word::Declare | Word::Assign => {
                    self.variables.push(name);
                    self.advance_to_word()?;
                    return Ok(false);
                }
                Word::Comma if is_range && declared == 0 => {
                    self.variables.push(name);
                    declared += 1;
                    self.advance_to_word()?;
                    if !matches!(self.word, Word::Variable(_) | Word::End | Word::Close) {
                        return Err(Wrong::Not("a range that initializes what is no variable"));
                    }
                }
                Word::Comma => return Err(Wrong::Not("more variables than are declared at once")),
                _ => {
                    self.variable(name)?;
                    if !is_apart {
                        self.after_operand(false)?;
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

const KEYWORDS: &[&str] = &["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];
const MOST_PARENTHESES: usize = 10_000;
