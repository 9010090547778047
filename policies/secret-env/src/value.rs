//! What a value is, where that can be told by looking at it.

use crate::ascii::{has, is_all, starts, until};
use crate::reference::is_reference;

/// The names that a value refers to as `$(NAME)`. `$$` stands for a dollar sign, so that `$$(NAME)` refers to nothing
/// (<https://github.com/kubernetes/kubernetes/blob/master/third_party/forked/golang/expansion/expand.go>).
pub fn references(value: &str) -> impl Iterator<Item = &str> {
    // Behind the last bracket nothing refers to anything: a text of nothing but beginnings is read once.
    let end = value.rfind(')').map_or(0, |last| last + 1);
    let mut rest = value.get(..end).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
            } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
                rest = after;
                if !name.is_empty() {
                    return Some(name);
                }
            }
        }
    })
}

/// Who makes something of what a text leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Kubernetes alone, which knows `$(NAME)`: of a variable's value.
    Kubernetes,
    /// Perhaps a shell as well, which knows `$name` too: of an argument.
    Shell,
    /// A shell, which puts a value together of several: of a script.
    Script,
    /// A program that reads a file.
    Program,
}

/// Whether a text says nothing itself, but stands for what is filled in later: by Kubernetes, a shell, a template or
/// whoever reads on. `changeme` does not: where nobody changes it, it is the password.
pub fn is_placeholder(text: &str, reader: Reader) -> bool {
    let text = text.trim();
    // Most texts hold nothing that a template starts with.
    if !has(text, b"$%{<*#`_-") {
        return false;
    }
    let enclosed = |open, close| text.len() > 1 && text.starts_with(open) && text.ends_with(close);
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    holds(text, b"${", b"}")
        || holds(text, b"$(", b")")
        || holds(text, b"{{", b"}}")
        || enclosed('<', '>')
        || (enclosed('{', '}') && !text.contains('"'))
        || enclosed('%', '%')
        || (text.starts_with("%(") && text.ends_with(")s"))
        || matches!(text, "%s" | "%v" | "$@")
        // What scripts in wide use fill in: that of Redis' chart, https://github.com/DandyDeveloper/charts, and Calico's.
        || matches!(text, "replace-default-auth" | "replace-default-sentinel-auth")
        || (text.starts_with("__") && text.ends_with("__") && is_filled_in(text))
        || (matches!(reader, Reader::Shell | Reader::Script) && text.starts_with('`'))
        || (reader == Reader::Script && is_expanded(text))
        || text.strip_prefix('$').is_some_and(|name| match reader {
            Reader::Kubernetes => is_filled_in(name),
            // `$$` is a dollar sign that Kubernetes leaves to the shell.
            _ if is_name(name.strip_prefix('$').unwrap_or(name)) => !name.is_empty(),
            _ => reader == Reader::Program && is_key_of_argo(name),
        })
        || text.bytes().all(|byte| matches!(byte, b'*' | b'#'))
}

/// Whether a shell puts something into a text, or a program that a script holds does, with `{…}`.
fn is_expanded(text: &str) -> bool {
    let starts_name = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'1'..=b'9');
    let names = |pair: &[u8]| matches!(pair, [b'$', next] if starts_name(*next));
    text.as_bytes().windows(2).any(names) || (has(text, b"{") && has(text, b"}"))
}

/// Whether a name is one for what fills in files as a whole, such as envsubst: in capitals.
fn is_filled_in(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a name is that of a key in Argo CD's Secret, or of another Secret and a key: `dex.github.clientSecret`,
/// `github:token` (<https://argo-cd.readthedocs.io/en/stable/operator-manual/user-management/#sensitive-data-and-sso-client-secrets>).
fn is_key_of_argo(name: &str) -> bool {
    let is_word = |word: &str| {
        is_all(word, |byte| byte.is_ascii_alphanumeric() || *byte == b'_') && starts_with(word, u8::is_ascii_alphabetic)
    };
    has(name, b".-:") && name.split(['.', '-', ':']).all(is_word)
}

fn starts_with(text: &str, is_of: fn(&u8) -> bool) -> bool {
    text.as_bytes().first().is_some_and(is_of)
}

/// Whether a text holds an opening bracket of a template and, somewhere behind it, the closing one.
fn holds(text: &str, open: &[u8], close: &[u8]) -> bool {
    let mut seen = false;
    text.as_bytes().windows(2).any(|pair| {
        let closes = seen && pair.ends_with(close);
        seen |= pair == open;
        closes
    })
}

/// Whether a value is clearly something else than a secret: a switch, a path, an address, a public key, the place of a
/// secret in a vault. Numbers are judged by [`is_number`].
pub fn is_no_secret(value: &str, reader: Reader) -> bool {
    let value = value.trim();
    value.is_empty()
        || is_placeholder(value, reader)
        || is_switch(value)
        || is_path(value)
        || is_class(value)
        // An address has a colon, and so has, or a bracket, every reference but two.
        || (has(value, b":/([{!@") && (is_address(value) || is_reference(value)))
        || is_public(value)
}

fn is_switch(value: &str) -> bool {
    const SWITCHES: &[&str] = &[
        "true", "false", "yes", "no", "on", "off", "enabled", "disabled", "enable", "disable", "none", "null", "nil",
        "0", "1", "~", "jwt", "opaque", "bearer",
    ];
    SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch))
}

/// Whether a value stands where a program wants one and nobody reads it, as of the key of a model's server that asks for
/// none (<https://docs.vllm.ai/en/latest/getting_started/quickstart/>).
pub fn is_filler(value: &str) -> bool {
    const FILLERS: &[&str] = &["unused", "not-used", "not-needed", "no-key", "empty", "dummy", "n/a", "na"];
    FILLERS.iter().any(|filler| value.trim_ascii().eq_ignore_ascii_case(filler))
}

/// Whether a value is a number, with or without units: `3600`, `0.5`, `30s`, `1h30m`, `512Mi`, `10.0.0.1`.
pub fn is_number(value: &str) -> bool {
    const UNITS: &[&str] = &[
        "", "%", "ns", "us", "ms", "s", "sec", "m", "min", "h", "d", "w", "y", "b", "k", "kb", "ki", "mb", "mi", "gb",
        "gi",
    ];
    let digits = b"0123456789._";
    let mut rest = value.trim_ascii();
    while starts(rest, b"-+") {
        rest = rest.get(1..).unwrap_or_default();
    }
    if !starts_with(rest, u8::is_ascii_digit) {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|byte| digits.contains(byte)).count();
        let (_, after) = rest.split_at_checked(number).unwrap_or_default();
        let unit = until(after, digits);
        if !UNITS.iter().any(|known| unit.trim_ascii().eq_ignore_ascii_case(known)) {
            return false;
        }
        rest = after.get(unit.len()..).unwrap_or_default();
    }
    true
}

/// Whether a value is the path of a file, or of a secret in a store: `/run/secrets/db`, `C:\secrets`, `secret/data/app`.
/// Base64 has slashes too.
fn is_path(value: &str) -> bool {
    let drive = value.get(1..3) == Some(":\\") || value.starts_with("\\\\");
    let rooted = drive || ["/", "./", "../", "~/", "file:"].iter().any(|root| value.starts_with(root));
    let mut segments = value.split(['/', '\\']);
    if rooted {
        return !has(value, b"+=") && !segments.any(is_random);
    }
    let is_word = |segment: &str| {
        segment.len() > 1
            && starts_with(segment, u8::is_ascii_lowercase)
            && segment.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
    };
    // A user and a password (https://neo4j.com/docs/operations-manual/current/docker/introduction/).
    let is_neo4j = value.starts_with("neo4j/");
    value.contains('/') && !is_neo4j && segments.all(is_word)
}

/// Whether a value is the name of a class: `org.apache.kafka.common.security.JaasConfig`.
fn is_class(value: &str) -> bool {
    let Some((package, class)) = value.rsplit_once('.') else { return false };
    let is_word = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    package.contains('.')
        && package.split('.').all(is_word)
        && starts_with(class, u8::is_ascii_uppercase)
        && is_all(class, u8::is_ascii_alphanumeric)
}

/// Whether a word looks drawn by lot rather than chosen: it is long and mixes both cases and digits.
fn is_random(word: &str) -> bool {
    word.len() >= 16
        && word.bytes().any(|byte| byte.is_ascii_lowercase())
        && word.bytes().any(|byte| byte.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a value is where something is to be found. A password within a URL is the business of another rule.
fn is_address(value: &str) -> bool {
    let is_scheme = |scheme: &str| {
        starts_with(scheme, u8::is_ascii_alphabetic)
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b':'))
    };
    value.split_once("://").is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
}

fn is_public(value: &str) -> bool {
    const PUBLIC: &[&str] = &[
        "-----BEGIN CERTIFICATE",
        "-----BEGIN PUBLIC KEY",
        "-----BEGIN RSA PUBLIC KEY",
        "ssh-rsa ",
        "ssh-ed25519 ",
        "ecdsa-sha2-",
    ];
    PUBLIC.iter().any(|start| value.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_as_kubernetes_reads_them() {
        for (value, expected) in [
            ("", &[][..]),
            ("$(A)", &["A"]),
            ("x$(A)y$(B_1)z", &["A", "B_1"]),
            ("$$(A)", &[]),
            ("$$$(A)", &["A"]),
            ("$(A", &[]),
            ("$()", &[]),
            ("$A $ ${A}", &[]),
            ("$($(A))", &["$(A"]),
            ("é$(ü)", &["ü"]),
            ("$", &[]),
        ] {
            assert_eq!(references(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn numbers() {
        for number in ["3600", "-1", "0.5", "30s", "1h30m", "512Mi", "10.0.0.1", "15 min", "100%", "1_000", "60000MS"] {
            assert!(is_number(number), "{number}");
        }
        for text in ["", "s", "1a2b3c", "12345x", "h1", "0x1f", "1-2", "é1", "1é"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
