//! Passwords in URLs and connection strings.

use crate::value::{Reader, is_placeholder};

/// What of a text holds a password, a URL or a connection string. A password that is empty or stands for another
/// (`$(DB_PASSWORD)`) is none.
pub fn find(text: &str, reader: Reader) -> Option<&'static str> {
    // Every password below stands before an `@` or behind a `=`, and most texts have neither.
    if !text.bytes().any(|byte| matches!(byte, b'@' | b'=')) {
        return None;
    }
    if urls(text).any(|url| in_userinfo(url, reader) || in_query(url, reader)) {
        return Some("a URL with a password");
    }
    (in_data_source_name(text, reader) || in_connection_string(text, reader))
        .then_some("a connection string with a password")
}

/// What follows each `://` that has a scheme before it, up to a space, a quote or the next one.
fn urls(text: &str) -> impl Iterator<Item = &str> {
    let ends = |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '\\');
    let mut after_scheme = false;
    text.split("://").filter_map(move |piece| {
        let is_url = after_scheme;
        after_scheme = piece.ends_with(|last: char| last.is_ascii_alphanumeric());
        if is_url { piece.split(ends).next() } else { None }
    })
}

/// Whether there is a password before the host: `user:password@host` (RFC 3986, section 3.2.1).
fn in_userinfo(url: &str, reader: Reader) -> bool {
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((userinfo, host)) = authority.rsplit_once('@') else { return in_unescaped_userinfo(url, authority) };
    // The digest of an image: docker://alpine:3.21@sha256:…
    let is_digest = host.starts_with("sha256:") || host.starts_with("sha512:");
    !is_digest && userinfo.split_once(':').is_some_and(|(_, password)| is_password(password, reader))
}

/// Whether what looks like host and port is user and password: people forget to escape the `/`, `?` or `#` of a password.
fn in_unescaped_userinfo(url: &str, authority: &str) -> bool {
    let Some((user, start)) = authority.split_once(':') else { return false };
    let is_port = start.bytes().all(|byte| byte.is_ascii_digit()) || start == "port" || start.contains([':', ',']);
    let Some((password, host)) = url.split_once('@').and_then(|(before, host)| Some((before.split_once(':')?.1, host)))
    else {
        return false;
    };
    !is_port && !user.starts_with('[') && !host.starts_with("sha") && !password.contains(['{', '$', '<', '%', '&', ','])
}

/// Whether a parameter is a password or a key: `?user=herald&password=…`, SQL Server's `;password=…`.
fn in_query(url: &str, reader: Reader) -> bool {
    const KEYS: &[&str] = &["access_token", "api_key", "apikey", "client_secret", "secret", "token", "sig"];
    let Some((_, query)) = url.split_once(['?', ';']) else { return false };
    query.split(['&', ';']).filter_map(|pair| pair.split_once('=')).any(|(key, value)| {
        let is_key = KEYS.iter().any(|known| key.eq_ignore_ascii_case(known)) && value.len() >= 12;
        (is_key || is_password_key(key)) && is_password(value, reader)
    })
}

/// Whether a word is a DSN of Go's driver of `MySQL` with a password, `user:password@tcp(host:3306)/db`, where the network and
/// its address may be left out (<https://github.com/go-sql-driver/mysql#dsn-data-source-name>). It may stand behind an
/// option's name.
fn in_data_source_name(text: &str, reader: Reader) -> bool {
    const NETWORKS: &[&str] = &["@tcp(", "@tcp6(", "@unix(", "@(", "@/"];
    let is_name = |user: &str| {
        let user = user.rsplit('=').next().unwrap_or_default();
        !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte))
    };
    let is_dsn = |word: &str| {
        // Behind the scheme of a URL the same is another user's.
        let userinfo = NETWORKS.iter().filter_map(|network| word.rsplit_once(network)).map(|(userinfo, _)| userinfo);
        !word.contains("://")
            && userinfo.filter_map(|userinfo| userinfo.split_once(':')).any(|(user, password)| {
                is_name(user) && !password.contains(['"', '{', '[', '(']) && is_password(password, reader)
            })
    };
    text.split_whitespace().map(|word| word.trim_matches(['"', '\''])).any(is_dsn)
}

/// Whether there is a password among the pairs of a connection string, such as libpq's `host=db password=…`, `ADO.NET`'s
/// `Server=db;Password=…` or `StackExchange.Redis`' `cache:6380,password=…,ssl=True`. A pair alone makes none.
fn in_connection_string(text: &str, reader: Reader) -> bool {
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
    [&[';'][..], &[','], &[' ', '\n', '\t']].iter().any(|separators| {
        let pairs = || text.split(*separators).filter_map(|pair| pair.split_once('='));
        pairs().any(|(key, value)| is_password_key(key) && is_password(value.trim_matches(['"', '\'']), reader))
            && pairs().any(|(key, _)| PLACES.iter().any(|place| key.trim().eq_ignore_ascii_case(place)))
    })
}

fn is_password_key(key: &str) -> bool {
    ["password", "passwd", "pwd", "sslpassword"].iter().any(|known| key.trim().eq_ignore_ascii_case(known))
}

fn is_password(text: &str, reader: Reader) -> bool {
    !text.is_empty() && !is_placeholder(text, reader)
}
