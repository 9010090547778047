//! The words of a template (<https://github.com/golang/go/blob/master/src/text/template/parse/lex.go>).

use super::Wrong;
use crate::escape::escaped;

pub type Found<'t, T> = Result<T, Wrong<'t>>;

/// A word between `{{` and `}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'t> {
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

/// Reads what stands between `{{` and `}}`, and passes over all else.
pub struct Words<'t> {
    /// What was not read yet.
    pub rest: &'t str,
    /// The word that is looked at.
    pub word: Word<'t>,
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

impl<'t> Words<'t> {
    /// Goes on behind the next `{{` that is no comment. Whether there is one.
    pub fn enter(&mut self) -> Found<'t, bool> {
        while let Some(start) = first_action(self.rest) {
            self.rest = self.rest.get(start + 2..).unwrap_or_default();
            if let Some(trimmed) = self.rest.strip_prefix('-').filter(|rest| rest.starts_with(is_space)) {
                self.rest = trimmed.trim_start_matches(is_space);
            }
            let Some(comment) = self.rest.strip_prefix("/*") else { return Ok(true) };
            let Some(end) = pair(comment, *b"*/") else { return Err(Wrong::Not("a comment that is not closed")) };
            self.rest = comment.get(end + 2..).unwrap_or_default();
            if !self.skip_end() {
                return Err(Wrong::Not("a comment with something between it and }}"));
            }
        }
        Ok(false)
    }

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
    pub fn advance(&mut self) -> Found<'t, ()> {
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
    pub fn advance_to_word(&mut self) -> Found<'t, ()> {
        self.advance()?;
        if self.word == Word::Space { self.advance() } else { Ok(()) }
    }

    pub fn unexpected<T>(&self) -> Found<'t, T> {
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

    pub fn expect_end(&mut self) -> Found<'t, ()> {
        self.advance_to_word()?;
        if self.word == Word::End { Ok(()) } else { self.unexpected() }
    }
}
