//! Command lines: the secrets that options and variables are given in them.

use crate::found::Found;
use crate::value::{Reader, is_no_secret};
use crate::{IsLiteral, header};

/// Where an option has its value, and what of it is the secret.
#[derive(Clone, Copy)]
enum Place {
    /// Right behind the flag: `-psecret`.
    Attached,
    /// In the next word, if the option's name says so.
    ByName,
    /// In the next word.
    Next,
    /// In the next word, behind a user and a colon.
    BehindUser,
    /// In the next word, which is a header.
    Header,
}

/// An option whose name does not say that it takes a secret.
struct Hidden {
    /// What the names of the programs that have it start with.
    program: &'static str,
    /// How those names go on, with spaces between.
    endings: &'static str,
    flag: &'static str,
    value: Place,
}

const fn hidden(program: &'static str, endings: &'static str, flag: &'static str, value: Place) -> Hidden {
    Hidden { program, endings, flag, value }
}

const HIDDEN: &[Hidden] = &[
    // https://dev.mysql.com/doc/refman/en/connection-options.html#option_general_password
    hidden("mysql", " admin dump check import show", "-p", Place::Attached),
    hidden("mariadb", " -admin -dump -check", "-p", Place::Attached),
    // https://redis.io/docs/latest/develop/tools/cli/
    hidden("redis-cli", "", "-a", Place::Next),
    hidden("valkey-cli", "", "-a", Place::Next),
    // https://www.mongodb.com/docs/mongodb-shell/reference/options/
    hidden("mongo", " sh dump restore export import", "-p", Place::Next),
    // https://linux.die.net/man/1/sshpass
    hidden("sshpass", "", "-p", Place::Attached),
    hidden("sshpass", "", "-p", Place::Next),
    // https://www.openldap.org/software/man.cgi?query=ldapsearch
    hidden("ldap", "search add modify delete whoami", "-w", Place::Next),
    // https://learn.microsoft.com/sql/tools/sqlcmd/sqlcmd-utility
    hidden("sqlcmd", "", "-P", Place::Next),
    // https://curl.se/docs/manpage.html
    hidden("curl", "", "-u", Place::BehindUser),
    hidden("curl", "", "--user", Place::BehindUser),
    hidden("curl", "", "-H", Place::Header),
    hidden("curl", "", "--header", Place::Header),
];

impl Hidden {
    fn is_of(&self, program: &str) -> bool {
        program.strip_prefix(self.program).is_some_and(|rest| self.endings.split(' ').any(|ending| ending == rest))
    }
}

/// First words of options that are switches, and take no value.
const SWITCHES: &[&str] = &[
    "no", "use", "enable", "disable", "allow", "skip", "require", "with", "without", "generate", "rotate", "show",
    "print",
];

/// A command line that is read word by word.
#[derive(Default)]
pub struct Line<'t> {
    program: &'t str,
    waiting: Option<(&'t str, Place)>,
}

impl<'t> Line<'t> {
    /// Reads one argument: a word, or a script for a shell, which starts anew.
    pub fn read(&mut self, argument: &'t str, is_literal: &IsLiteral<'_>, found: &mut Found<'t>) {
        if self.value(argument, Reader::Shell, is_literal, found) {
            return;
        }
        if argument.bytes().any(|byte| byte.is_ascii_whitespace()) {
            script(argument, Reader::Script, is_literal, found);
        } else {
            self.word(argument, Reader::Shell, is_literal, found);
        }
    }

    /// Reads a word as the value of the option before it, and tells whether it was one. Most options are no secrets, and
    /// many take `name=value`.
    fn value(&mut self, word: &'t str, reader: Reader, is_literal: &IsLiteral<'_>, found: &mut Found<'t>) -> bool {
        let Some((flag, place)) = self.waiting.take() else { return false };
        if word.starts_with('-') {
            return false;
        }
        let is_secret = |value: &str| !is_no_secret(value, reader);
        let is_found = match place {
            Place::Attached => false,
            Place::ByName => is_option(name_of(flag), word, reader, is_literal),
            Place::Next => is_secret(word),
            Place::BehindUser => word.split_once(':').is_some_and(|(_, password)| is_secret(password)),
            Place::Header => word.split_once(':').is_some_and(|(name, value)| {
                let mut faults = Vec::new();
                header::expose(name, value, is_literal, &mut faults);
                !faults.is_empty()
            }),
        };
        if is_found {
            found.add(flag);
        }
        is_found || !matches!(place, Place::ByName)
    }

    fn word(&mut self, word: &'t str, reader: Reader, is_literal: &IsLiteral<'_>, found: &mut Found<'t>) {
        if !word.starts_with('-') && !word.contains('=') {
            let name = word.rsplit('/').next().unwrap_or_default();
            if HIDDEN.iter().any(|hidden| hidden.is_of(name)) {
                self.program = name;
            }
            return;
        }
        for Hidden { flag, value, .. } in HIDDEN.iter().filter(|hidden| hidden.is_of(self.program)) {
            if !matches!(value, Place::Attached) {
                self.waiting = self.waiting.or((word == *flag).then_some((word, *value)));
            } else if let Some(value) = word.strip_prefix(flag).filter(|value| !value.is_empty()) {
                if !is_no_secret(unquote(value), reader) {
                    found.add(flag);
                }
                return;
            }
        }
        // Of a program that is not known: a password that is called so, and no option.
        if word.strip_prefix("-p").is_some_and(|rest| is_literal(rest, "horse", reader)) {
            return;
        }
        if !word.contains('=') {
            let first = word.trim_start_matches('-').split('-').next().unwrap_or_default();
            if self.waiting.is_none() && !SWITCHES.contains(&first) && word.bytes().all(is_in_name) {
                self.waiting = Some((word, Place::ByName));
            }
            return;
        }
        for setting in word.split(',') {
            let Some((name, value)) = assignment(setting) else { continue };
            if is_option(name_of(name), value, reader, is_literal) {
                found.add(name);
            } else if let Some((name, value)) = assignment(value)
                && is_option(name, value, reader, is_literal)
            {
                found.add(name);
            }
        }
    }
}

/// Reads a script of a shell.
pub fn script<'t>(text: &'t str, reader: Reader, is_literal: &IsLiteral<'_>, found: &mut Found<'t>) {
    let mut line = Line::default();
    for_each_word(text, |word| {
        if word.is_empty() {
            line = Line::default();
        } else {
            // Nothing is put in between single quotes.
            let is_quoted = word.starts_with('\'') || word.contains("='");
            let reader = if is_quoted { Reader::Shell } else { reader };
            let word = unquote(word);
            if !line.value(word, reader, is_literal, found) {
                line.word(word, reader, is_literal, found);
            }
        }
    });
}

/// Whether an option is given a secret. One that is called `secret` and no more may be given the name of one; and
/// everybody knows the password of the certificates that Java comes with
/// (<https://docs.oracle.com/en/java/javase/21/docs/specs/man/keytool.html>).
fn is_option(name: &str, value: &str, reader: Reader, is_literal: &IsLiteral<'_>) -> bool {
    const SECRETS: &[&str] = &["secret", "secrets", "tls", "cert", "certs", "credentials", "creds"];
    let is_harmless = || match name {
        "secret" => value.rsplit_once('-').is_some_and(|(_, last)| SECRETS.contains(&last)),
        "storepass" => value == "changeit",
        // `token=token` hands on a variable of what a script holds in another language.
        _ => reader == Reader::Script && value == name,
    };
    is_literal(name, value, reader) && !is_harmless()
}

/// `name=value`, its name being what can be one before the first `=`.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let (before, value) = text.split_once('=')?;
    let start = before.bytes().rposition(|byte| !is_in_name(byte));
    let name = before.get(start.map_or(0, |last| last + 1)..)?;
    Some((name, unquote(value)))
}

/// The name of an option, or of a property of Java's.
fn name_of(option: &str) -> &str {
    option.strip_prefix("-D").unwrap_or_else(|| option.trim_start_matches('-'))
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// What a word in quotes holds.
pub fn unquote(word: &str) -> &str {
    let within = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(word)
}

/// Gives the words of a script with their quotes, and an empty one where a command ends. What a shell puts in place of
/// `$(…)`, `${…}` and `` `…` `` is part of a word, whatever it holds.
fn for_each_word<'t>(text: &'t str, mut found: impl FnMut(&'t str)) {
    let bytes = text.as_bytes();
    // What closes that which is open, the innermost last.
    let mut open: Vec<u8> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let inner = open.last().copied();
        let next = bytes.get(at + 1).copied();
        match byte {
            b'#' if inner.is_none() && start == at => {
                let comment = bytes.iter().skip(at).position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at);
                at += comment;
                start = at;
                continue;
            }
            b'\\' if inner != Some(b'\'') => at += 1,
            _ if inner == Some(byte) => drop(open.pop()),
            _ if inner == Some(b'\'') => {}
            b'$' if matches!(next, Some(b'(' | b'{')) => {
                open.push(if next == Some(b'(') { b')' } else { b'}' });
                at += 1;
            }
            // A template, which is filled in before.
            b'{' if next == Some(b'{') => open.push(b'}'),
            b'`' | b'"' => open.push(byte),
            b'\'' if inner != Some(b'"') => open.push(byte),
            b'(' if inner == Some(b')') => open.push(b')'),
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')' if inner.is_none() => {
                if let Some(word) = text.get(start..at).filter(|word| !word.is_empty()) {
                    found(word);
                }
                if matches!(byte, b'\n' | b';' | b'|' | b'&') {
                    found("");
                }
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if let Some(word) = text.get(start..).filter(|word| !word.is_empty()) {
        found(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, expected) in [
            ("", &[][..]),
            ("a  b\n", &["a", "b", ""]),
            ("a;b", &["a", "", "b"]),
            ("A=\"b c\" 'd e'", &["A=\"b c\"", "'d e'"]),
            ("A=$(cat \"x y\") B=`c d` C=${D:-e f}", &["A=$(cat \"x y\")", "B=`c d`", "C=${D:-e f}"]),
            ("a\\ b \"c\\\" d\"", &["a\\ b", "\"c\\\" d\""]),
            ("a \"b c", &["a", "\"b c"]),
            ("(a)>b", &["a", "b"]),
            ("é 'ü' \\", &["é", "'ü'", "\\"]),
            ("a # don't\nb#c", &["a", "", "b#c"]),
            ("#", &[]),
        ] {
            let mut found = Vec::new();
            for_each_word(text, |word| found.push(word));
            assert_eq!(found, expected, "{text}");
        }
    }
}
