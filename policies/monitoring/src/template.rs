//! The templates of labels and annotations, as Go reads them with Prometheus' functions and variables
//! (<https://pkg.go.dev/text/template>, <https://github.com/golang/go/tree/master/src/text/template/parse>; `testTemplateParsing`
//! in <https://github.com/prometheus/prometheus/blob/main/model/rulefmt/rulefmt.go>). What a template would do is not looked
//! at, and what could be either is taken for right.

mod words;

use std::fmt::{self, Display};

pub use self::words::first_action;
use self::words::{Found, Word, Words};
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
        words: Words { rest: text, word: Word::End },
        variables: VARIABLES.to_vec(),
        hidden: 0,
        ranges: 0,
        blocks: Vec::new(),
    };
    while template.words.enter()? {
        template.action()?;
    }
    match template.blocks.last() {
        Some(_) => Err(Wrong::Not("an if, range, with or define without its {{end}}")),
        None => Ok(()),
    }
}

struct Template<'t> {
    words: Words<'t>,
    /// The variables that are declared, the last one last.
    variables: Vec<&'t str>,
    /// How many of them are those of a template around, which are not seen in one that is defined.
    hidden: usize,
    /// How many ranges there are to break out of.
    ranges: usize,
    blocks: Vec<Block>,
}

/// A pipeline that is not at its end.
#[derive(Clone, Copy)]
struct Pipeline {
    /// How many commands came before this one.
    commands: usize,
    /// How many operands this one has.
    operands: usize,
}

impl<'t> Template<'t> {
    /// What stands between `{{` and `}}`.
    fn action(&mut self) -> Found<'t, ()> {
        self.words.advance_to_word()?;
        let Word::Name(name) = self.words.word else { return self.pipeline(false) };
        match name {
            "if" => self.begin(Keyword::If, false),
            "with" => self.begin(Keyword::With, false),
            "range" => self.begin(Keyword::Range, false),
            "else" => self.otherwise(),
            "end" => {
                self.words.expect_end()?;
                self.end()
            }
            "break" | "continue" => {
                self.words.expect_end()?;
                if self.ranges > 0 { Ok(()) } else { Err(Wrong::Not("break or continue outside a range")) }
            }
            "define" => {
                self.name()?;
                self.words.expect_end()?;
                if !self.blocks.is_empty() {
                    return Err(Wrong::Not("a define within an if, range, with or define"));
                }
                self.enter(Keyword::Template, false, self.scope());
                Ok(())
            }
            "block" => {
                self.name()?;
                self.words.advance_to_word()?;
                self.pipeline(false)?;
                self.enter(Keyword::Template, false, self.scope());
                Ok(())
            }
            "template" => {
                self.name()?;
                self.words.advance_to_word()?;
                if self.words.word == Word::End { Ok(()) } else { self.pipeline(false) }
            }
            _ => self.pipeline(false),
        }
    }

    /// The name of a template.
    fn name(&mut self) -> Found<'t, ()> {
        self.words.advance_to_word()?;
        if self.words.word == Word::Text { Ok(()) } else { self.words.unexpected() }
    }

    /// Begins a block with a pipeline.
    fn begin(&mut self, keyword: Keyword, is_chained: bool) -> Found<'t, ()> {
        let before = self.scope();
        self.words.advance_to_word()?;
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
        self.words.advance_to_word()?;
        let block = self.blocks.last_mut().ok_or(ALONE)?;
        if block.has_else || block.keyword == Keyword::Template {
            return Err(ALONE);
        }
        block.has_else = true;
        self.ranges = block.before.ranges;
        match (block.keyword, self.words.word) {
            (_, Word::End) => Ok(()),
            (Keyword::If, Word::Name("if")) => self.begin(Keyword::If, true),
            (Keyword::With, Word::Name("with")) => self.begin(Keyword::With, true),
            _ => self.words.unexpected(),
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
            match self.words.word {
                Word::Space => {
                    self.words.advance()?;
                    continue;
                }
                Word::End | Word::Close => {
                    if pipeline.commands + pipeline.operands == 0 {
                        return Err(Wrong::Not("a pipeline without a value"));
                    }
                    match (self.words.word, outer.pop()) {
                        (Word::End, None) => return Ok(()),
                        (Word::Close, Some(around)) => {
                            pipeline = around;
                            self.words.advance()?;
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
                    self.words.advance_to_word()?;
                    continue;
                }
                _ => {}
            }
            let is_literal = self.operand()?;
            if is_literal && pipeline.operands == 0 && pipeline.commands > 0 {
                return Err(Wrong::Not("a | before what is no function"));
            }
            self.words.advance()?;
            self.after_operand(is_literal)?;
            pipeline.operands += 1;
            self.take_pipe(&mut pipeline)?;
        }
    }

    /// Takes the fields that follow an operand.
    fn after_operand(&mut self, is_literal: bool) -> Found<'t, ()> {
        while self.words.word == Word::Field {
            if is_literal {
                return self.words.unexpected();
            }
            self.words.advance()?;
        }
        match self.words.word {
            Word::Space | Word::End | Word::Close | Word::Pipe => Ok(()),
            _ => self.words.unexpected(),
        }
    }

    /// Ends a command at its `|`.
    fn take_pipe(&mut self, pipeline: &mut Pipeline) -> Found<'t, ()> {
        if self.words.word == Word::Space {
            self.words.advance()?;
        }
        if self.words.word != Word::Pipe {
            return Ok(());
        }
        if pipeline.operands == 0 {
            return self.words.unexpected();
        }
        *pipeline = Pipeline { commands: pipeline.commands + 1, operands: 0 };
        self.words.advance_to_word()
    }

    /// Checks an operand; whether it is one that does nothing.
    fn operand(&self) -> Found<'t, bool> {
        match self.words.word {
            Word::Name("true" | "false" | "nil") | Word::Dot | Word::Number | Word::Text => Ok(true),
            Word::Field => Ok(false),
            Word::Variable(name) => self.variable(name).map(|()| false),
            Word::Name(name) if KEYWORDS.contains(&name) => self.words.unexpected(),
            Word::Name(name) if FUNCTIONS.contains(&name) => Ok(false),
            Word::Name(name) => Err(Wrong::Unknown(name)),
            _ => self.words.unexpected(),
        }
    }

    fn variable(&self, name: &'t str) -> Found<'t, ()> {
        let known = self.variables.get(self.hidden..).unwrap_or_default();
        if known.len() > MOST_VARIABLES || known.contains(&name) { Ok(()) } else { Err(Wrong::Undeclared(name)) }
    }

    /// The variables that a pipeline gives its value to. Whether its first word was a variable that it does not.
    fn declarations(&mut self, is_range: bool) -> Found<'t, bool> {
        let mut declared = 0;
        while let Word::Variable(name) = self.words.word {
            self.words.advance()?;
            let is_apart = self.words.word == Word::Space;
            if is_apart {
                self.words.advance()?;
            }
            match self.words.word {
                Word::Declare | Word::Assign => {
                    self.variables.push(name);
                    self.words.advance_to_word()?;
                    return Ok(false);
                }
                Word::Comma if is_range && declared == 0 => {
                    self.variables.push(name);
                    declared += 1;
                    self.words.advance_to_word()?;
                    if !matches!(self.words.word, Word::Variable(_) | Word::End | Word::Close) {
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
