//! The annotations of ingress-nginx.

use gatehouse_policy::nearest;

/// What the names of all its annotations start with.
pub const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// Every annotation that the controller reads, without [`PREFIX`], sorted.
///
/// As of release controller-v1.15.1 (commit dbb11b92): the fields of the parsers below `internal/ingress/annotations` and
/// their aliases `limit-whitelist` and `whitelist-source-range`, compared with
/// `docs/user-guide/nginx-configuration/annotations.md` and `annotations-risk.md`, which have none beside them
/// (<https://github.com/kubernetes/ingress-nginx/tree/controller-v1.15.1/internal/ingress/annotations>).
const NAMES: &[&str] = &[
    "affinity",
    "affinity-canary-behavior",
    "affinity-mode",
    "allowlist-source-range",
    "app-root",
    "auth-always-set-cookie",
    "auth-cache-duration",
    "auth-cache-key",
    "auth-keepalive",
    "auth-keepalive-requests",
    "auth-keepalive-share-vars",
    "auth-keepalive-timeout",
    "auth-method",
    "auth-proxy-set-headers",
    "auth-realm",
    "auth-request-redirect",
    "auth-response-headers",
    "auth-secret",
    "auth-secret-type",
    "auth-signin",
    "auth-signin-redirect-param",
    "auth-snippet",
    "auth-tls-error-page",
    "auth-tls-match-cn",
    "auth-tls-pass-certificate-to-upstream",
    "auth-tls-secret",
    "auth-tls-verify-client",
    "auth-tls-verify-depth",
    "auth-type",
    "auth-url",
    "backend-protocol",
    "canary",
    "canary-by-cookie",
    "canary-by-header",
    "canary-by-header-pattern",
    "canary-by-header-value",
    "canary-weight",
    "canary-weight-total",
    "client-body-buffer-size",
    "configuration-snippet",
    "connection-proxy-header",
    "cors-allow-credentials",
    "cors-allow-headers",
    "cors-allow-methods",
    "cors-allow-origin",
    "cors-expose-headers",
    "cors-max-age",
    "custom-headers",
    "custom-http-errors",
    "default-backend",
    "denylist-source-range",
    "disable-proxy-intercept-errors",
    "enable-access-log",
    "enable-cors",
    "enable-global-auth",
    "enable-modsecurity",
    "enable-opentelemetry",
    "enable-owasp-core-rules",
    "enable-rewrite-log",
    "fastcgi-index",
    "fastcgi-params-configmap",
    "force-ssl-redirect",
    "from-to-www-redirect",
    "http2-push-preload",
    "limit-allowlist",
    "limit-burst-multiplier",
    "limit-connections",
    "limit-rate",
    "limit-rate-after",
    "limit-rpm",
    "limit-rps",
    "limit-whitelist",
    "load-balance",
    "mirror-host",
    "mirror-request-body",
    "mirror-target",
    "modsecurity-snippet",
    "modsecurity-transaction-id",
    "opentelemetry-operation-name",
    "opentelemetry-trust-incoming-span",
    "permanent-redirect",
    "permanent-redirect-code",
    "preserve-trailing-slash",
    "proxy-body-size",
    "proxy-buffer-size",
    "proxy-buffering",
    "proxy-buffers-number",
    "proxy-busy-buffers-size",
    "proxy-connect-timeout",
    "proxy-cookie-domain",
    "proxy-cookie-path",
    "proxy-http-version",
    "proxy-max-temp-file-size",
    "proxy-next-upstream",
    "proxy-next-upstream-timeout",
    "proxy-next-upstream-tries",
    "proxy-read-timeout",
    "proxy-redirect-from",
    "proxy-redirect-to",
    "proxy-request-buffering",
    "proxy-send-timeout",
    "proxy-ssl-ciphers",
    "proxy-ssl-name",
    "proxy-ssl-protocols",
    "proxy-ssl-secret",
    "proxy-ssl-server-name",
    "proxy-ssl-verify",
    "proxy-ssl-verify-depth",
    "relative-redirects",
    "rewrite-target",
    "satisfy",
    "server-alias",
    "server-snippet",
    "service-upstream",
    "session-cookie-change-on-failure",
    "session-cookie-conditional-samesite-none",
    "session-cookie-domain",
    "session-cookie-expires",
    "session-cookie-max-age",
    "session-cookie-name",
    "session-cookie-path",
    "session-cookie-samesite",
    "session-cookie-secure",
    "ssl-ciphers",
    "ssl-passthrough",
    "ssl-prefer-server-ciphers",
    "ssl-redirect",
    "stream-snippet",
    "temporal-redirect",
    "temporal-redirect-code",
    "upstream-hash-by",
    "upstream-hash-by-subset",
    "upstream-hash-by-subset-size",
    "upstream-vhost",
    "use-port-in-redirects",
    "use-regex",
    "whitelist-source-range",
    "x-forwarded-prefix",
];

/// Annotations whose zero is no limit at all.
///
/// nginx: `client_max_body_size` and `limit_rate`
/// (<https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size>), `proxy_next_upstream_timeout` and
/// `proxy_next_upstream_tries` (<https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_next_upstream_tries>).
/// The controller: it sets up a limit of requests or connections only above 0 (`buildRateLimit` in
/// `internal/ingress/controller/template/template.go`).
const UNLIMITED_AT_ZERO: &[&str] = &[
    "limit-connections",
    "limit-rate",
    "limit-rpm",
    "limit-rps",
    "proxy-body-size",
    "proxy-next-upstream-timeout",
    "proxy-next-upstream-tries",
];

/// Whether the controller has an annotation of this name.
pub fn is_known(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// Whether 0 stands for "no limit" in the annotation of this whole name.
pub fn is_unlimited_at_zero(annotation: &str) -> bool {
    annotation.strip_prefix(PREFIX).is_some_and(|name| UNLIMITED_AT_ZERO.contains(&name))
}

/// How many annotations are named for one that is unknown.
const SUGGESTIONS: usize = 3;

/// How many words at its end an unknown name may have too many: `rate-limit-window` is looked up as `rate-limit` too.
const SPARE_WORDS: usize = 2;

/// The longest name that an annotation can have, without its prefix
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set>).
const LONGEST_NAME: usize = 63;

/// The annotations, at most three, that an unknown name may stand for, nearest first.
///
/// Names are compared with their words in alphabetical order, as people put them in any (`rate-limit` for `limit-rps`),
/// and then as they are.
pub fn meant_by(name: &str) -> Vec<&'static str> {
    if name.len() > LONGEST_NAME {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut name = name;
    for _ in 0..=SPARE_WORDS {
        let words = sorted_words(name);
        let near = NAMES.iter().filter(may_be_near(name));
        let by_words: Vec<(String, &str)> = near.map(|known| (sorted_words(known), *known)).collect();
        while found.len() < SUGGESTIONS {
            let left = || by_words.iter().filter(|(_, known)| !found.contains(known));
            let near = nearest(&words, left().map(|(words, _)| words.as_str()))
                .and_then(|near| left().find(|(words, _)| words == near))
                .map(|(_, known)| *known)
                .or_else(|| nearest(name, left().map(|(_, known)| *known)));
            let Some(near) = near else { break };
            found.push(near);
        }
        let Some((shorter, _)) = name.rsplit_once('-').filter(|_| found.is_empty()) else { break };
        name = shorter;
    }
    found
}

/// Whether two names share so many letters that one may be near the other: every letter too many or too few is an edit. To
/// ask that first spares nearly all of the search.
fn may_be_near(name: &str) -> impl Fn(&&&'static str) -> bool {
    // Both cases of a letter fall on one count, and so may other characters, which only lets more names through.
    let slot = |byte: u8| usize::from(byte & 31);
    let mut letters = [0_i32; 32];
    for byte in name.bytes() {
        letters[slot(byte)] += 1;
    }
    move |known| {
        let mut letters = letters;
        for byte in known.bytes() {
            letters[slot(byte)] -= 1;
        }
        let count = |wanted: fn(&i32) -> bool| letters.iter().filter(|of| wanted(of)).map(|of| of.unsigned_abs()).sum();
        let (extra, missing): (u32, u32) = (count(|of| *of > 0), count(|of| *of < 0));
        extra.max(missing) as usize <= most_edits(known)
    }
}

/// How far a known name may be from one that is near it ([`nearest`]).
fn most_edits(known: &str) -> usize {
    known.len().max(3) / 3
}

fn sorted_words(name: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in name.split('-') {
        // The library's sort is 3 KB of a module.
        let at = words.iter().position(|other| *other > word).unwrap_or(words.len());
        words.insert(at, word);
    }
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_without_double_names() {
        assert!(NAMES.is_sorted_by(|a, b| a < b));
        assert!(UNLIMITED_AT_ZERO.iter().all(|name| is_known(name)));
    }

    #[test]
    fn names_what_is_meant() {
        for (unknown, meant) in [
            ("rate-limit", &["limit-rate", "limit-rpm", "limit-rps"][..]),
            ("rate-limit-window", &["limit-rate", "limit-rpm", "limit-rps"]),
            ("sslredirect", &["ssl-redirect"]),
            ("proxy-read-timout", &["proxy-read-timeout"]),
            ("", &[]),
            ("xyzzy", &[]),
        ] {
            let found = meant_by(unknown);
            assert!(found.starts_with(meant) && found.is_empty() == meant.is_empty(), "{unknown}: {found:?}");
        }
    }

    #[test]
    fn long_names_take_no_time() {
        assert!(meant_by(&"a-".repeat(100_000)).is_empty());
    }
}
