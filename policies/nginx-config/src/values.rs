//! What the values of directives are made of: variables, and who says what they hold.

/// The variables in a value, `$name` and `${name}`, without their marks.
pub fn variables(value: &str) -> impl Iterator<Item = &str> {
    value.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = if rest.starts_with(|first: char| first.is_ascii_digit()) {
            // One digit: `$10` is group 1 and a 0.
            1
        } else {
            rest.find(|of: char| !of.is_ascii_alphanumeric() && of != '_').unwrap_or(rest.len())
        };
        (end > 0).then(|| &rest[..end])
    })
}

/// Whether a variable is the decoded path, line breaks and all.
pub fn is_decoded_path(variable: &str) -> bool {
    matches!(variable, "uri" | "document_uri")
}

/// Whether the client says what a variable holds, whatever it says.
pub fn is_of_client(variable: &str) -> bool {
    matches!(variable, "args" | "query_string")
        || ["arg_", "cookie_", "http_"].iter().any(|start| variable.starts_with(start))
}

/// The part of an address before its path: `http://$host` of `http://$host/a?b`.
pub fn host(address: &str) -> &str {
    let start = address.find("://").map_or(0, |at| at + 3);
    let rest = &address[start..];
    // Variables that begin with a slash begin the path.
    let path = ["/", "?", "#", "$request_uri", "${request_uri}", "$uri", "${uri}", "$document_uri", "${document_uri}"];
    let end = path.iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
    &address[..start + end]
}

/// What follows the host in an address without variables, where anything does.
pub fn fixed_path(address: &str) -> Option<&str> {
    let host = host(address);
    let path = &address[host.len()..];
    // A socket's own path ends with a colon.
    let path = if host.ends_with("unix:") { path.split_once(':')?.1 } else { path };
    (!path.is_empty() && !address.contains('$')).then_some(path)
}

/// The `max-age` of a `Strict-Transport-Security` header in seconds, as browsers read it
/// (<https://www.rfc-editor.org/rfc/rfc6797#section-6.1>); `None` where there is none to be read.
pub fn max_age(value: &str) -> Option<i64> {
    let directive = |part: &str| -> Option<i64> {
        let (name, number) = part.split_once('=')?;
        let number = number.trim().trim_matches('"');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_it = name.trim().eq_ignore_ascii_case("max-age") && is_number;
        is_it.then(|| number.parse().unwrap_or(i64::MAX))
    };
    value.split(';').find_map(directive)
}

/// The port that a `listen` is for; `None` for a socket, a variable, or what is no port
/// (<https://nginx.org/en/docs/http/ngx_http_core_module.html#listen>).
pub fn port(listen: &str) -> Option<u16> {
    if listen.starts_with("unix:") || listen.contains('$') {
        return None;
    }
    let port = match listen.strip_prefix('[') {
        Some(address) => address.split_once(']')?.1.strip_prefix(':'),
        None => listen.rsplit_once(':').map(|(_, port)| port).or_else(|| is_number(listen).then_some(listen)),
    };
    // An address without a port, or a range of ports.
    port.map_or(Some(80), |port| port.split('-').next()?.parse().ok())
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.bytes().all(|of| of.is_ascii_digit() || of == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found() {
        let found: Vec<_> = variables("http://$host$uri/${arg_x}y$10$$-${").collect();
        assert_eq!(found, ["host", "uri", "arg_x", "1"]);
    }

    #[test]
    fn addresses_have_hosts() {
        for (address, expected, path) in [
            ("http://backend/api/", "http://backend", Some("/api/")),
            ("http://backend", "http://backend", None),
            ("http://backend$request_uri", "http://backend", None),
            ("$scheme://$arg_host:8080/$1", "$scheme://$arg_host:8080", None),
            ("http://unix:/run/app.sock", "http://unix:", None),
            ("http://unix:/run/app.sock:/api/", "http://unix:", Some("/api/")),
            ("$backend", "$backend", None),
        ] {
            assert_eq!((host(address), fixed_path(address)), (expected, path), "{address}");
        }
    }

    #[test]
    fn ages_are_read_as_browsers_read_them() {
        for (value, expected) in [
            ("max-age=31536000; includeSubDomains", Some(31_536_000)),
            ("includeSubDomains ; Max-Age = \"300\"", Some(300)),
            ("max-age=99999999999999999999", Some(i64::MAX)),
            ("max-age", None),
            ("max-age=1y", None),
            ("max-age=", None),
        ] {
            assert_eq!(max_age(value), expected, "{value}");
        }
    }

    #[test]
    fn ports_are_read_as_nginx_reads_them() {
        for (listen, expected) in [
            ("80", Some(80)),
            ("8080", Some(8080)),
            ("127.0.0.1", Some(80)),
            ("localhost:81", Some(81)),
            ("*:443", Some(443)),
            ("[::]:80", Some(80)),
            ("[::1]", Some(80)),
            ("80-90", Some(80)),
            ("127.0.0.1:8080-8090", Some(8080)),
            ("unix:/run/nginx.sock", None),
            ("${PORT}", None),
            ("127.0.0.1:$port", None),
            ("70000", None),
        ] {
            assert_eq!(port(listen), expected, "{listen}");
        }
    }
}
