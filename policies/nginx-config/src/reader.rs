//! Reads a configuration as nginx does: words, braces and semicolons, each with its place. What a directive means is not
//! known here, except that the block of a Lua directive holds Lua.
//!
//! It follows `ngx_conf_parse` and `ngx_conf_read_token` in
//! <https://github.com/nginx/nginx/blob/master/src/core/ngx_conf_file.c>: what that refuses is refused, at the same line.

use std::borrow::Cow;

use gatehouse_policy::node::Span;

use crate::lua;

/// What nginx reads into at once: no word may be longer (`NGX_CONF_BUFFER`).
const LONGEST_WORD: usize = 4096;

/// How deep blocks nest at most, includes and all. Who needs more than ten has not been seen, and what walks them recurses.
pub const DEEPEST: usize = 50;

/// A configuration, as far as it can be read.
#[derive(Debug, Default)]
pub struct Config {
    /// Every directive, a block's own before what follows the block.
    pub directives: Vec<Directive>,
    words: Vec<Word>,
}

/// A directive: its words, and where the block that it may have ends.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    first_word: u32,
    words: u32,
    /// The directive whose block this one is in.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    pub parent: Option<u32>,
    /// Which directive follows it: those up to there are in its block.
    pub end: u32,
    /// Whether it has a block.
    pub is_block: bool,
    /// The place after its `;` or `{`.
    pub after: Position,
}

/// A word, as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    start: u32,
    end: u32,
    is_quoted: bool,
    has_backslash: bool,
    /// Where it stands, with its quotes.
    pub span: Span,
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// Why a text is no configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where nginx stops.
    pub at: Position,
    /// What is wrong there.
    pub message: String,
}

impl Config {
    /// The words of a directive, its name first.
    pub fn words(&self, directive: &Directive) -> &[Word] {
        let first = directive.first_word as usize;
        self.words.get(first..first + directive.words as usize).unwrap_or_default()
    }

    /// The first word of a directive that could not be read to its end.
    pub fn unfinished(&self) -> Option<&Word> {
        let end = self.directives.last().map_or(0, |last| last.first_word + last.words);
        self.words.get(end as usize)
    }
}

impl Word {
    /// Where it begins in the text, after its quote.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// How it is written, with its quotes.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn raw<'t>(&self, text: &'t str) -> &'t str {
        let (start, end) = (self.start as usize, self.end as usize);
        let quotes = usize::from(self.is_quoted);
        &text[start - quotes..end + quotes]
    }

    /// What it says, without quotes and backslashes.
    pub fn value<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let raw = text.get(self.start as usize..self.end as usize).unwrap_or_default();
        if !self.has_backslash {
            return raw.into();
        }
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw.chars();
        while let Some(character) = rest.next() {
            let escaped = if character == '\\' { rest.clone().next() } else { None };
            value.push(match escaped {
                Some(itself @ ('"' | '\'' | '\\')) => itself,
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                _ => {
                    value.push(character);
                    continue;
                }
            });
            rest.next();
        }
        value.into()
    }
}

/// Reads a text: what there is up to its end, or up to the error.
pub fn read(text: &str) -> (Config, Option<SyntaxError>) {
    let mut reader = Reader {
        cursor: Cursor { bytes: text.as_bytes(), at: 0, position: Position { line: 1, column: 1 } },
        config: Config::default(),
        open: Vec::new(),
    };
    let error = reader.file(text).err();
    let end = u32::try_from(reader.config.directives.len()).unwrap_or(u32::MAX);
    for open in reader.open {
        reader.config.directives[open as usize].end = end;
    }
    (reader.config, error)
}

/// A place in the text that moves on.
#[derive(Clone, Copy)]
pub struct Cursor<'t> {
    bytes: &'t [u8],
    at: usize,
    position: Position,
}

impl Cursor<'_> {
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What follows.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    pub fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.position = Position { line: self.position.line + 1, column: 1 };
        } else if self.peek().is_none_or(|next| next & 0xC0 != 0x80) {
            // Columns count characters: the last byte of each.
            self.position.column += 1;
        }
        Some(byte)
    }
}

/// How a run of words ends.
enum End {
    Semicolon,
    Block,
    Close,
    File,
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    config: Config,
    /// The blocks that are open, the innermost last.
    open: Vec<u32>,
}

impl Reader<'_> {
    fn file(&mut self, text: &str) -> Result<(), SyntaxError> {
        if text.starts_with('\u{feff}') {
            return Err(
                self.error("begins with a byte order mark, which nginx takes for a part of the first directive")
            );
        }
        // Places are numbers of 32 bits.
        if u32::try_from(text.len()).is_err() {
            return Err(self.error("is larger than 4 GB"));
        }
        loop {
            let first_word = self.config.words.len();
            match self.words(first_word)? {
                End::Semicolon => self.add(first_word, false),
                End::Block => {
                    if self.open.len() == DEEPEST {
                        return Err(self.error(&format!("blocks nest deeper than {DEEPEST}")));
                    }
                    if self.config.words[first_word].value(text).ends_with("_by_lua_block") {
                        self.skip_lua(first_word)?;
                        self.add(first_word, false);
                    } else {
                        self.add(first_word, true);
                    }
                }
                End::Close => {
                    let end = self.next_directive();
                    match self.open.pop() {
                        Some(open) => self.config.directives[open as usize].end = end,
                        None => return Err(self.error_before("unexpected \"}\": no block is open")),
                    }
                }
                End::File => {
                    let Some(open) = self.open.last() else { return Ok(()) };
                    let name = &self.config.words[self.config.directives[*open as usize].first_word as usize];
                    let (line, name) = (name.span.line, name.value(text));
                    return Err(self.error(&format!(
                        "unexpected end of file, expected \"}}\" for the block {name:.40} of line {line}"
                    )));
                }
            }
        }
    }

    fn next_directive(&self) -> u32 {
        u32::try_from(self.config.directives.len()).unwrap_or(u32::MAX)
    }

    fn add(&mut self, first_word: usize, is_block: bool) {
        let index = self.next_directive();
        self.config.directives.push(Directive {
            first_word: u32::try_from(first_word).unwrap_or(u32::MAX),
            words: u32::try_from(self.config.words.len() - first_word).unwrap_or(u32::MAX),
            parent: self.open.last().copied(),
            end: index + 1,
            is_block,
            after: self.cursor.position,
        });
        if is_block {
            self.open.push(index);
        }
    }

    /// The block of a Lua directive is read by Lua's rules, up to its brace.
    fn skip_lua(&mut self, first_word: usize) -> Result<(), SyntaxError> {
        if lua::skip(&mut self.cursor) {
            return Ok(());
        }
        let line = self.config.words[first_word].span.line;
        Err(self.error(&format!("unexpected end of file, expected \"}}\" for the Lua block of line {line}")))
    }

    /// Reads words up to what ends them.
    fn words(&mut self, first_word: usize) -> Result<End, SyntaxError> {
        loop {
            let is_first = self.config.words.len() == first_word;
            let Some(byte) = self.cursor.peek() else {
                return if is_first {
                    Ok(End::File)
                } else {
                    Err(self.error("unexpected end of file, expected \";\" or \"{\""))
                };
            };
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.cursor.bump();
                }
                b'#' => self.comment()?,
                b';' | b'{' | b'}' => {
                    self.cursor.bump();
                    return match byte {
                        b'}' if is_first => Ok(End::Close),
                        b'}' => Err(self.error_before("unexpected \"}\", expected \";\" or \"{\" before it")),
                        _ if is_first => Err(self.error_before(&format!("unexpected \"{}\"", char::from(byte)))),
                        b';' => Ok(End::Semicolon),
                        _ => Ok(End::Block),
                    };
                }
                b'"' | b'\'' => self.quoted(byte)?,
                _ => self.bare()?,
            }
        }
    }

    fn comment(&mut self) -> Result<(), SyntaxError> {
        let from = (self.cursor.at, self.cursor.position);
        while let Some(byte) = self.cursor.peek() {
            self.check_length(from, 0, "comment")?;
            if byte == b'\n' {
                break;
            }
            self.cursor.bump();
        }
        Ok(())
    }

    fn quoted(&mut self, quote: u8) -> Result<(), SyntaxError> {
        let opened = self.cursor.position;
        self.cursor.bump();
        let start = self.cursor.at;
        let mut has_backslash = false;
        loop {
            self.check_length((start, opened), 0, "word")?;
            match self.cursor.peek() {
                None => {
                    let quote = char::from(quote);
                    return Err(self.error(&format!(
                        "unexpected end of file, expected {quote} for the one of line {}",
                        opened.line
                    )));
                }
                Some(b'\\') => {
                    has_backslash = true;
                    self.cursor.bump();
                    self.cursor.bump();
                }
                Some(byte) => {
                    let end = self.cursor.at;
                    self.cursor.bump();
                    if byte == quote {
                        self.push((start, end), true, has_backslash, opened);
                        break;
                    }
                }
            }
        }
        self.check_length((start, opened), 0, "word")?;
        match self.cursor.peek() {
            None | Some(b';' | b'{' | b')') => Ok(()),
            Some(b' ' | b'\t' | b'\r' | b'\n') => self.check_length((start, opened), 1, "word"),
            Some(_) => {
                let next = String::from_utf8_lossy(self.cursor.rest().get(..4).unwrap_or(self.cursor.rest()));
                let next = next.chars().next().unwrap_or_default().escape_debug().to_string();
                Err(self.error(&format!("unexpected \"{next}\" after a quoted word, expected a space or \";\"")))
            }
        }
    }

    fn bare(&mut self) -> Result<(), SyntaxError> {
        let (start, opened) = (self.cursor.at, self.cursor.position);
        // The brace of `${name}` is a part of the word.
        let (mut is_variable, mut has_backslash) = (false, false);
        while let Some(byte) = self.cursor.peek() {
            self.check_length((start, opened), 0, "word")?;
            match byte {
                b'{' if is_variable => {
                    self.cursor.bump();
                    continue;
                }
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
                b'\\' => {
                    has_backslash = true;
                    self.cursor.bump();
                }
                _ => {}
            }
            is_variable = byte == b'$';
            self.cursor.bump();
        }
        self.push((start, self.cursor.at), false, has_backslash, opened);
        match self.cursor.peek() {
            Some(b' ' | b'\t' | b'\r' | b'\n') => self.check_length((start, opened), 1, "word"),
            _ => Ok(()),
        }
    }

    fn push(&mut self, (start, end): (usize, usize), is_quoted: bool, has_backslash: bool, from: Position) {
        let (start, end) = (u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX));
        let to = self.cursor.position;
        let span = Span { line: from.line, column: from.column, end_line: to.line, end_column: to.column };
        self.config.words.push(Word { start, end, is_quoted, has_backslash, span });
    }

    /// nginx lets go of a word when it reads what follows it: after a space that is one byte more.
    /// nginx lets go of a word when it reads what follows it: after a space that is one byte more.
    fn check_length(&self, (start, from): (usize, Position), more: usize, what: &str) -> Result<(), SyntaxError> {
        let at = self.cursor.at + more;
        if at - start < LONGEST_WORD || at >= self.cursor.bytes.len() {
            return Ok(());
        }
        let message = format!("a {what} is longer than nginx's {LONGEST_WORD} bytes, or its end is missing");
        Err(SyntaxError { at: from, message })
    }

    fn error(&self, message: &str) -> SyntaxError {
        SyntaxError { at: self.cursor.position, message: message.to_owned() }
    }

    /// An error at the byte that was just read, which is of one column.
    fn error_before(&self, message: &str) -> SyntaxError {
        let mut error = self.error(message);
        error.at.column = error.at.column.saturating_sub(1).max(1);
        error
    }
}
