//! Passwords in URLs and connection strings.

use crate::ascii::{has, is_all, starts, until};
use crate::command::unquote;
use crate::value::{Reader, is_placeholder};

/// What of a text holds a password, a URL or a connection string, within a line. A password that is empty or stands for
/// another (`$(DB_PASSWORD)`) is none.
pub fn find(text: &str, reader: Reader) -> Option<&'static str> {
    text.split('\n').find_map(|line| find_in_line(line, reader))
}

/// The same of a line.
pub fn find_in_line(line: &str, reader: Reader) -> Option<&'static str> {
    // Every password below stands before an `@` or behind a `=`, and most lines have neither.
    let (has_at, has_pairs) = (has(line, b"@"), has(line, b"="));
    if (has_at || has_pairs) && has_url(line, reader) {
        return Some("a URL with a password");
    }
    let is_dsn = || line.split([' ', '\t', '"', '\'']).any(|word| is_data_source_name(word, reader));
    ((has_at && is_dsn()) || (has_pairs && is_connection_string(line, reader)))
        .then_some("a connection string with a password")
}

/// Whether a URL of a line has a password: what follows each `://` that has a scheme before it, up to a space, a quote or
/// the next one.
fn has_url(line: &str, reader: Reader) -> bool {
    if !line.as_bytes().windows(3).any(|part| part == b"://") {
        return false;
    }
    let mut after_scheme = false;
    line.split("://").any(|piece| {
        let is_url = after_scheme;
        after_scheme = piece.bytes().next_back().is_some_and(|last| last.is_ascii_alphanumeric());
        let url = until(piece, b" \t\r\"'`\\");
        is_url && (in_userinfo(url, reader) || in_query(url, reader))
    })
}

/// Whether there is a password before the host: `user:password@host` (RFC 3986, section 3.2.1).
fn in_userinfo(url: &str, reader: Reader) -> bool {
    let authority = until(url, b"/?#");
    let Some((userinfo, host)) = authority.rsplit_once('@') else { return in_unescaped_userinfo(url, authority) };
    // The digest of an image: docker://alpine:3.21@sha256:…
    let is_digest = host.starts_with("sha256:") || host.starts_with("sha512:");
    !is_digest && userinfo.split_once(':').is_some_and(|(_, password)| is_password(password, reader))
}

/// Whether what looks like host and port is user and password: people forget to escape the `/`, `?` or `#` of a password.
fn in_unescaped_userinfo(url: &str, authority: &str) -> bool {
    let Some((user, start)) = authority.split_once(':') else { return false };
    let is_port = start.is_empty() || is_all(start, u8::is_ascii_digit) || start == "port" || has(start, b":,");
    let Some((password, host)) = url.split_once('@').and_then(|(before, host)| Some((before.split_once(':')?.1, host)))
    else {
        return false;
    };
    !is_port && !starts(user, b"[") && !host.starts_with("sha") && !has(password, b"{$<%&,")
}

/// Whether a parameter is a password or a key: `?user=herald&password=…`, SQL Server's `;password=…`.
pub fn in_query(url: &str, reader: Reader) -> bool {
    const KEYS: &[&str] = &["access_token", "api_key", "apikey", "client_secret", "secret", "token", "sig"];
    let query = url.get(until(url, b"?;").len()..).unwrap_or_default();
    query.split(['?', '&', ';']).filter_map(|pair| pair.split_once('=')).any(|(key, value)| {
        let is_key = value.len() >= 12 && is_any_of(key, KEYS);
        (is_key || is_any_of(key, PASSWORD)) && is_password(value, reader)
    })
}

/// Whether a word is a DSN of Go's driver of `MySQL` with a password, `user:password@tcp(host:3306)/db`, where the network and
/// its address may be left out (<https://github.com/go-sql-driver/mysql#dsn-data-source-name>). It may stand behind an
/// option's name.
fn is_data_source_name(word: &str, reader: Reader) -> bool {
    const NETWORKS: &[&str] = &["tcp(", "tcp6(", "unix(", "(", "/"];
    let is_network = |at: &usize| {
        let rest = word.get(at + 1..).unwrap_or_default();
        NETWORKS.iter().any(|network| rest.starts_with(network))
    };
    let ends = word.bytes().enumerate().filter(|(_, byte)| *byte == b'@').map(|(at, _)| at);
    let Some(userinfo) = ends.rev().find(is_network).and_then(|at| word.get(..at)) else { return false };
    let Some((user, password)) = userinfo.split_once(':') else { return false };
    let user = user.rsplit('=').next().unwrap_or_default();
    // Behind the scheme of a URL the same is another user's.
    !user.is_empty()
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte))
        && !word.contains("://")
        && !has(password, b"{[(")
        && is_password(password, reader)
}

/// Whether there is a password among the pairs of a connection string, such as libpq's `host=db password=…`, `ADO.NET`'s
/// `Server=db;Password=…` or `StackExchange.Redis`' `cache:6380,password=…,ssl=True`. A pair alone makes none.
fn is_connection_string(line: &str, reader: Reader) -> bool {
    const PLACES: &[&str] = &[
        "host",
        "hostaddr",
        "server",
        "data source",
        "datasource",
        "addr",
        "address",
        "ssl",
        "endpoint",
        "dbname",
        "database",
        "user",
        "user id",
        "uid",
    ];
    let names = |part: &[u8]| part.eq_ignore_ascii_case(b"pas") || part.eq_ignore_ascii_case(b"pwd");
    // Most lines name no password.
    if !line.as_bytes().windows(3).any(|part| matches!(part, [b'P' | b'p', ..]) && names(part)) {
        return false;
    }
    [';', ',', ' ', '\t'].iter().filter(|separator| line.contains(**separator)).any(|separator| {
        let (mut has_password, mut has_place) = (false, false);
        for (key, value) in line.split(*separator).filter_map(|pair| pair.split_once('=')) {
            let key = key.trim_ascii();
            has_password |= is_any_of(key, PASSWORD) && is_password(unquote(value), reader);
            has_place |= is_any_of(key, PLACES);
        }
        has_password && has_place
    })
}

const PASSWORD: &[&str] = &["password", "passwd", "pwd", "sslpassword"];

fn is_any_of(key: &str, known: &[&str]) -> bool {
    known.iter().any(|known| key.eq_ignore_ascii_case(known))
}

fn is_password(text: &str, reader: Reader) -> bool {
    !text.is_empty() && !is_placeholder(text, reader)
}
