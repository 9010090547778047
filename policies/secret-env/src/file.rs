//! Files that a `ConfigMap`, a variable or an argument holds whole: what their lines set.

use crate::ascii::{has, starts, until};
use crate::command::{self, unquote};
use crate::found::Found;
use crate::value::Reader;
use crate::{IsLiteral, credentials, header};

/// What a file is, as far as that changes what a line of it sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Settings: `name=value`, `name: value`, `"name": "value"`, `<name>value</name>`.
    Settings,
    /// A program: what it sets without quotes is another name.
    Program,
    /// A script of a shell.
    Script,
    /// Text for people.
    Prose,
}

impl Kind {
    /// By its name, or its first line.
    pub fn of(name: &str, text: &str) -> Self {
        const PROGRAMS: &[&str] =
            &["py", "js", "mjs", "ts", "go", "rb", "lua", "java", "groovy", "php", "pl", "ps1", "rego", "jq"];
        const PROSE: &[&str] = &["md", "rst", "html", "css", "svg", "sql", "csv"];
        let extension = name.rsplit('.').next().unwrap_or_default();
        let first = until(text, b"\n");
        let is_program = first.starts_with("#!");
        if matches!(extension, "sh" | "bash") || (is_program && first.contains("sh")) {
            Self::Script
        } else if PROGRAMS.contains(&extension) || is_program {
            Self::Program
        } else if PROSE.contains(&extension) || name == "nsswitch.conf" {
            Self::Prose
        } else {
            Self::Settings
        }
    }

    /// Who fills in what such a file leaves open.
    pub fn reader(self) -> Reader {
        if self == Self::Script { Reader::Script } else { Reader::Program }
    }
}

/// Takes in the secrets that a file sets.
pub fn literals<'t>(text: &'t str, kind: Kind, is_literal: &IsLiteral<'_>, found: &mut Found<'t>) {
    match kind {
        Kind::Prose => {}
        Kind::Script => {
            command::script(text, Reader::Script, is_literal, found);
            settings(text, kind, is_literal, found);
        }
        _ => settings(text, kind, is_literal, found),
    }
}

/// Takes in the secrets that the lines of a text set.
pub fn settings<'t>(text: &'t str, kind: Kind, is_literal: &IsLiteral<'_>, found: &mut Found<'t>) {
    for line in text.split('\n') {
        if found.is_full() {
            return;
        }
        for_each_pair(line, kind, |name, value| {
            // The key of registries in Docker's configuration.
            let is_docker_auth = || name == "auth" && header::holds_password(value);
            if is_literal(name, value, kind.reader()) || is_docker_auth() {
                found.add(name);
            }
        });
    }
}

/// What of a file's lines holds a password: a URL, or a connection string.
pub fn credentials(text: &str, kind: Kind) -> Option<&'static str> {
    if kind == Kind::Prose {
        return None;
    }
    let mut lines = text.split('\n').filter(|line| !is_comment(line.trim_ascii()));
    lines.find_map(|line| credentials::find_in_line(line, kind.reader()))
}

/// Gives what a line sets, as names and values: the one that it starts with, and every one whose name is in quotes.
fn for_each_pair<'t>(line: &'t str, kind: Kind, mut found: impl FnMut(&'t str, &'t str)) {
    let line = line.trim_ascii();
    if is_comment(line) {
        return;
    }
    if let Some((name, value)) = leading(line, kind) {
        found(name, value);
    }
    // JSON, YAML in one line, the tables of programs.
    let mut rest = line;
    while let Some(start) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\'')) {
        let Some((name, after)) = rest.get(start..).and_then(quoted) else { return };
        rest = after;
        let Some(value) = name_end(after.trim_ascii_start()) else { continue };
        if let Some((value, after)) = quoted(value.trim_ascii_start()) {
            if is_name(name) {
                found(name, value);
            }
            rest = after;
        }
    }
}

/// Comments, and what is no setting in any language.
fn is_comment(line: &str) -> bool {
    match line.as_bytes() {
        [b'#' | b';', ..] | [b'/', b'/' | b'*', ..] | [b'-', b'-', ..] | [b'*', b' ', ..] => true,
        line => line.len() < 3 || line.starts_with(b"<!--"),
    }
}

/// What a line sets that starts with a name: `export NAME=value`, `- name: value`, `<name>value</name>`.
fn leading(line: &str, kind: Kind) -> Option<(&str, &str)> {
    if let Some(rest) = line.strip_prefix('<') {
        let (name, rest) = rest.split_once('>')?;
        let value = rest.split('<').next()?;
        return is_name(name).then_some((name, value));
    }
    let line = ["- ", "export ", "set ", "let ", "const ", "var ", "ENV "]
        .iter()
        .find_map(|start| line.strip_prefix(start))
        .map_or(line, str::trim_ascii_start);
    let end = line.bytes().position(|byte| !is_in_name(byte))?;
    let (name, rest) = line.split_at_checked(end)?;
    let Some(value) = name_end(rest.trim_ascii_start()) else {
        let value = rest.trim_ascii();
        let is_directive = DIRECTIVES.iter().any(|directive| name.eq_ignore_ascii_case(directive));
        return (is_directive && !value.contains(' ')).then_some((name, unquote(value)));
    };
    let tight = rest.starts_with('=') && !value.starts_with(' ');
    let is_shell = kind != Kind::Script || tight || rest.starts_with(':');
    let value = value.trim_ascii();
    if !is_name(name) {
        return None;
    }
    if let Some((value, rest)) = quoted(value) {
        let rest = rest.trim_ascii_start();
        let ends = rest.is_empty() || starts(rest, b",;#})/");
        return ends.then_some((name, value));
    }
    let comment = value.as_bytes().windows(2).position(|part| part == b" #");
    let value = value.get(..comment.unwrap_or(value.len()))?.trim_ascii_end();
    // `token=token,` hands on a variable.
    let is_own_name = (kind == Kind::Script || value != name) && until(value, b",;)") == name;
    (kind != Kind::Program && is_shell && !is_own_name && is_bare(value, tight)).then_some((name, value))
}

/// Settings that stand before their value without anything between the two: of Redis (its `redis.conf`), `OpenLDAP`
/// (<https://www.openldap.org/software/man.cgi?query=slapd.conf>), nslcd and Fluent Bit
/// (<https://docs.fluentbit.io/manual/data-pipeline/outputs/elasticsearch>).
const DIRECTIVES: &[&str] = &["requirepass", "masterauth", "rootpw", "bindpw", "http_passwd"];

/// What stands behind a name: nothing without `=`, `:=`, or a colon with a space or a quote.
fn name_end(rest: &str) -> Option<&str> {
    let behind = match rest.as_bytes() {
        [b':', b'=', ..] => 2,
        [b'=', b'=' | b'~' | b'>', ..] => return None,
        [b':', b' ' | b'\t' | b'"' | b'\'', ..] | [b'=', ..] => 1,
        _ => return None,
    };
    rest.get(behind..)
}

/// Whether a value without quotes is one: no expression of a program, no block that follows, no sentence. What follows
/// `=` at once is taken as it stands.
fn is_bare(value: &str, tight: bool) -> bool {
    !starts(value, b"|>&*![{%@\"'") && (tight || !has(value, b" \t()[]{}<>\"'`,;"))
}

/// What a text in quotes at the start holds, and what follows it. A backslash takes a quote in.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.bytes().next().filter(|quote| b"\"'".contains(quote))?;
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((text.get(1..=end)?, text.get(end + 2..)?))
}

/// Whether a text can be the name of a setting.
fn is_name(name: &str) -> bool {
    (2..=80).contains(&name.len()) && name.bytes().all(is_in_name)
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}
