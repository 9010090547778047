//! What nginx is told, in a `ConfigMap` or in a file: that responses carry the headers that protect whoever reads them, and that
//! no client gets where it should not.
//!
//! A text is read by nginx's grammar (`reader.rs`, `lua.rs`), with what it includes (`sources.rs`); whether it is nginx's at all
//! says `known.rs`. `judge.rs` walks its blocks with what each inherits (`headers.rs`), `judge/directives.rs` looks at each
//! directive. What else is known: `values.rs`, `pattern.rs`, `protocols.rs`, `ciphers.rs`. How a finding is told is `place.rs`.

mod ciphers;
mod headers;
mod judge;
mod known;
mod lua;
#[cfg(not(target_arch = "wasm32"))]
mod mend;
#[cfg(test)]
mod oracle;
mod pattern;
mod place;
mod protocols;
mod reader;
mod sources;
mod values;

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{Bounds, Context, Members, Path, ReadError, Report, Request, Settings, policy, rules};
#[cfg(not(target_arch = "wasm32"))]
use gatehouse_policy::{File, FileError, node::Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::Places;
use crate::reader::{Config, SyntaxError};
use crate::sources::{Keys, Sources};

rules! {
    /// Finds a server that answers without one of the `headers`: neither `add_header` nor `more_set_headers` adds it there, at
    /// any level outside, or in each location that answers. Where no server of `http` has it, that is said of `http`, once.
    ///
    /// Servers and locations that only redirect, refuse, or answer a fixed text or numbers need none. Nothing is said where an
    /// `include` that cannot be read, a script, or an `http` block that is elsewhere may add it; see the rule `include`.
    /// A header with an empty value is not sent, and does not count. What an upstream answers is not known, and does not
    /// count either.
    ///
    /// ## Why
    /// These headers tell browsers what not to do with a page: to show it in a frame of another site, to guess its type, to
    /// fetch it without TLS.
    ///
    /// ## Example
    /// ```nginx
    /// http {
    ///     server {
    ///         root /usr/share/nginx/html;
    ///     }
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```nginx
    /// http {
    ///     add_header X-Frame-Options SAMEORIGIN always;
    ///     server {
    ///         root /usr/share/nginx/html;
    ///     }
    /// }
    /// ```
    ///
    /// ## Options
    /// `headers` are their names, none by default. With `always`, those that error responses do not have are missing too.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header>,
    /// <https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html>
    HEADER = "header": deny;

    /// Finds a `server`, a `location` or an `if` in one that has an `add_header` of its own, and so drops the headers that protect
    /// readers and that the level outside adds: those of `headers`, `Content-Security-Policy`, `Cross-Origin-…-Policy`,
    /// `Permissions-Policy`, `Referrer-Policy`, `Strict-Transport-Security`, `X-Content-Type-Options`, `X-Frame-Options`,
    /// `X-Permitted-Cross-Domain-Policies`, `X-XSS-Protection`. Others, such as `Cache-Control`, a block may well mean to drop.
    ///
    /// A block that only redirects, refuses, or answers a fixed text or numbers is not at fault, nor one that says that it means
    /// it: by the header with an empty value, or by `add_header_inherit off`. `proxy_hide_header` is about what an upstream
    /// answers, and makes no difference.
    ///
    /// ## Why
    /// `add_header` is inherited if and only if a block has none of its own. One for caching then takes all others away, and
    /// nothing says so.
    ///
    /// ## Example
    /// ```nginx
    /// server {
    ///     add_header X-Content-Type-Options nosniff always;
    ///     location /static/ {
    ///         add_header Cache-Control "public, immutable";
    ///     }
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```nginx
    /// server {
    ///     add_header X-Content-Type-Options nosniff always;
    ///     location /static/ {
    ///         add_header Cache-Control "public, immutable";
    ///         add_header X-Content-Type-Options nosniff always;
    ///     }
    /// }
    /// ```
    /// or, since nginx 1.29.3, `add_header_inherit merge;` in the server.
    ///
    /// ## Fix
    /// In a file, repeats them in the block.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header>,
    /// <https://gixy.getpagespeed.com/checks/add-header-redefinition/>
    HEADER_INHERITANCE = "header-inheritance": deny;

    /// Finds a `Strict-Transport-Security` header whose `max-age` is outside `hstsMaxAge`, or that has none. One whose value is a
    /// variable is not looked at.
    ///
    /// ## Why
    /// Browsers forget that the site is for TLS alone before its visitors come back, and ignore a header without `max-age`.
    ///
    /// ## Example
    /// ```nginx
    /// add_header Strict-Transport-Security "max-age=300" always;
    /// ```
    ///
    /// ## Use instead
    /// ```nginx
    /// add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
    /// ```
    ///
    /// ## Options
    /// `hstsMaxAge`, at least 15552000 seconds by default: the 180 days that SSL Labs calls long.
    ///
    /// ## Reference
    /// <https://www.rfc-editor.org/rfc/rfc6797#section-6.1>,
    /// `LONG_MAX_AGE` in <https://github.com/ssllabs/ssllabs-scan/blob/master/ssllabs-api-docs-v3.md>
    HSTS = "hsts": deny;

    /// Finds an `http` block without `server_tokens`, of which a server says nothing of it either; and `server_tokens on` or
    /// `build`. Nothing is said of a missing one where an `include` that cannot be read may set it.
    ///
    /// ## Why
    /// The `Server` header and every error page then tell nginx's version, and so which of its known faults to try.
    ///
    /// ## Use instead
    /// ```nginx
    /// http {
    ///     server_tokens off;
    /// }
    /// ```
    ///
    /// ## Fix
    /// In a file, sets it.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens>
    SERVER_TOKENS = "server-tokens": warn;

    /// Finds a `user` directive.
    ///
    /// ## Why
    /// Where nginx is not started as root, as in a container that runs as another user, it ignores it and warns of it at every
    /// start. A team whose nginx starts as root turns this rule off.
    ///
    /// ## Fix
    /// In a file, removes it.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/ngx_core_module.html#user>
    USER_DIRECTIVE = "user-directive": warn;

    /// Finds a `listen` on a port below 1024, in `http`, `stream` and `mail`; one without a port is on 80. A server without
    /// `listen` is on 8000 where nginx is not started as root, and not at fault.
    ///
    /// ## Why
    /// A user other than root may not listen there, unless the node, the pod's sysctl `net.ipv4.ip_unprivileged_port_start` or a
    /// capability lets it; nginx then does not start. A team whose nginx starts as root turns this rule off.
    ///
    /// ## Use instead
    /// ```nginx
    /// listen 8080;
    /// ```
    /// and the low port as the Service's, with `targetPort: 8080`.
    ///
    /// ## Options
    /// `unprivilegedPortStart`, where a sysctl sets it.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_core_module.html#listen>,
    /// <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls>
    PRIVILEGED_PORT = "privileged-port": warn;

    /// Finds a location for a prefix that does not end in a slash, with an `alias` that does.
    ///
    /// ## Why
    /// What follows the prefix is appended to the alias, and `/files../secret` follows too: every file beside the folder can
    /// be read.
    ///
    /// ## Example
    /// ```nginx
    /// location /files {
    ///     alias /data/files/;
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```nginx
    /// location /files/ {
    ///     alias /data/files/;
    /// }
    /// ```
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_core_module.html#alias>,
    /// <https://gixy.getpagespeed.com/checks/alias-traversal/>
    ALIAS_TRAVERSAL = "alias-traversal": deny;

    /// Finds `ssl_protocols` with a version below TLS 1.2. Without the directive it depends on nginx's version, which is not
    /// known: since 1.27.3 the default is TLS 1.2 and 1.3.
    ///
    /// ## Why
    /// TLS 1.0 and 1.1, and SSL before them, are broken and forbidden; who can be talked down to them can be read.
    ///
    /// ## Use instead
    /// ```nginx
    /// ssl_protocols TLSv1.2 TLSv1.3;
    /// ```
    ///
    /// ## Fix
    /// In a file, takes the old versions out.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols>, <https://www.rfc-editor.org/rfc/rfc8996>
    SSL_PROTOCOLS = "ssl-protocols": deny;

    /// Finds `ssl_ciphers` that add ciphers with RC2, RC4, DES, triple DES, MD5, export lengths, no encryption or no
    /// authentication, and do not take them away again by `!`.
    ///
    /// ## Why
    /// They are broken, or can be within hours. A current OpenSSL is mostly built without them, an older one is not.
    ///
    /// ## Use instead
    /// ```nginx
    /// ssl_ciphers HIGH:!aNULL:!MD5;
    /// ```
    /// which is the default, or the list that <https://ssl-config.mozilla.org> makes.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers>,
    /// <https://docs.openssl.org/master/man1/openssl-ciphers/>, <https://gixy.getpagespeed.com/checks/weak-ssl-tls/>
    SSL_CIPHERS = "ssl-ciphers": warn;

    /// Finds an `http` block with servers that compresses nothing, and one that compresses only `text/html`, as it has no
    /// `gzip_types`. Brotli and Zstandard count too; `gzip off` in `http` says that it is meant. Nothing is said where an `include`
    /// that cannot be read may set it.
    ///
    /// ## Why
    /// Scripts, styles and JSON are a third of their size when compressed.
    ///
    /// ## Use instead
    /// ```nginx
    /// gzip on;
    /// gzip_types application/javascript application/json text/css;
    /// ```
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_gzip_module.html>
    GZIP = "gzip": warn;

    /// Finds a `proxy_pass` whose host is made of what a client says: a variable `$arg_…`, `$args`, `$cookie_…` or `$http_…`, a
    /// group of the location's regular expression that may hold a dot, or a variable `set` to one of them. Locations that are
    /// `internal` or named are not at fault.
    ///
    /// ## Why
    /// Whoever may call the location has nginx call any host for them: the cloud's metadata service, what is inside the
    /// cluster only.
    ///
    /// ## Example
    /// ```nginx
    /// location /proxy/ {
    ///     proxy_pass http://$arg_host;
    /// }
    /// ```
    ///
    /// ## Use instead
    /// A fixed host, or a `map` of those that are allowed.
    ///
    /// ## Reference
    /// <https://gixy.getpagespeed.com/checks/ssrf/>
    SSRF = "ssrf": warn;

    /// Finds `proxy_set_header Host` with `$http_host` or an argument of the request.
    ///
    /// ## Why
    /// It is what the client sent, whatever host the request line names. An application that makes links of it makes links to
    /// a host of the client's choice.
    ///
    /// ## Use instead
    /// ```nginx
    /// proxy_set_header Host $host;
    /// ```
    ///
    /// ## Fix
    /// In a file, sets `$host`, which is without the port.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_core_module.html#var_host>,
    /// <https://gixy.getpagespeed.com/checks/host-spoofing/>
    HOST_SPOOFING = "host-spoofing": warn;

    /// Finds a variable that may hold a line break where a header or a request line is made of it: in `add_header`,
    /// `proxy_set_header`, `proxy_pass`, and redirects of `return` and `rewrite`. Such are `$uri` and `$document_uri`, groups of the
    /// location's regular expression that may hold one, as `[^/]*` does, and variables `set` to one of them.
    ///
    /// ## Why
    /// They are the decoded path: `%0d%0a` in a request is a line break there, and what follows it a header of the client's
    /// choice, or a request of its own.
    ///
    /// ## Example
    /// ```nginx
    /// return 301 https://$host$uri;
    /// ```
    ///
    /// ## Use instead
    /// ```nginx
    /// return 301 https://$host$request_uri;
    /// ```
    ///
    /// ## Fix
    /// In a file, uses `$request_uri` in a `return` that has no query yet.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_core_module.html#var_uri>,
    /// <https://gixy.getpagespeed.com/checks/http-splitting/>
    HTTP_SPLITTING = "http-splitting": deny;

    /// Finds `none` among `valid_referers`.
    ///
    /// ## Why
    /// Any page can have its visitors send requests without a `Referer`, by a policy in its own headers.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_referer_module.html#valid_referers>,
    /// <https://gixy.getpagespeed.com/checks/valid-referers/>
    VALID_REFERERS = "valid-referers": warn;

    /// Finds a header of `add_header` or `more_set_headers` with a line break in its value.
    ///
    /// ## Why
    /// A header is one line: clients drop what follows it, or the whole response. HTTP/2 allows no line break at all.
    ///
    /// ## Fix
    /// In a file, joins the lines.
    ///
    /// ## Reference
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-5.5>,
    /// <https://gixy.getpagespeed.com/checks/add-header-multiline/>
    ADD_HEADER_MULTILINE = "add-header-multiline": warn;

    /// Finds a `proxy_pass` with a fixed path in a location for a prefix. One whose path is made of variables, and one in a
    /// location with a `rewrite`, is passed on as it is.
    ///
    /// ## Why
    /// The path that nginx passes on is then the decoded one: `%2F..%2F` becomes a way out of the prefix, `%2520` another name.
    /// Without a path the request's is passed on as it came.
    ///
    /// ## Example
    /// ```nginx
    /// location /api/ {
    ///     proxy_pass http://backend/;
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```nginx
    /// location /api/ {
    ///     proxy_pass http://backend;
    /// }
    /// ```
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass>,
    /// <https://gixy.getpagespeed.com/checks/proxy-pass-normalized/>
    PROXY_PASS_NORMALIZED = "proxy-pass-normalized": warn;

    /// Finds an `include` of what cannot be read: it is in no key of the `ConfigMap` and in no file by that name, or it is a
    /// pattern in a file. What nginx's own package brings, such as `mime.types`, is known.
    ///
    /// ## Why
    /// It may add headers, or anything else, so less can be said of the rest.
    ///
    /// ## Reference
    /// <https://nginx.org/en/docs/ngx_core_module.html#include>
    INCLUDE = "include": off;

    /// Finds a key of a `ConfigMap` that nginx refuses: a brace or a quote that is not closed, a directive that does not end, a
    /// word longer than 4096 bytes. In the checker, a file that does is an error.
    ///
    /// Keys are judged that are called `nginx.conf` or match `keys`; and those that end in `.conf` and hold directives of nginx.
    /// Templates that another program renders first are not.
    ///
    /// ## Why
    /// nginx does not start, or keeps running with what it had.
    ///
    /// ## Options
    /// `keys`
    SYNTAX = "syntax": deny;
}

/// The settings of nginx-config.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NginxConfig {
    /// Headers that every response is to have. Case does not matter.
    headers: Vec<String>,
    /// Whether error responses are to have them too, by `add_header … always`. Default: false.
    always: bool,
    /// The `max-age` of `Strict-Transport-Security`, in seconds. Default: at least 15552000.
    hsts_max_age: Bounds,
    /// The first port that users other than root may listen on. Default: 1024.
    unprivileged_port_start: u16,
    /// Keys of a `ConfigMap` that hold a configuration of nginx whatever they are called, as globs. `nginx.conf` does, and
    /// what ends in `.conf` or `.conf.template` and looks like one.
    keys: Vec<Glob>,
}

impl Default for NginxConfig {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            always: false,
            hsts_max_age: Bounds { min: 15_552_000, max: None },
            unprivileged_port_start: 1024,
            keys: Vec::new(),
        }
    }
}

/// How many headers may be required.
const MOST_HEADERS: usize = 64;

impl Settings for NginxConfig {
    fn validate(&self) -> Result<(), ReadError> {
        let is_name = |name: &String| {
            !name.is_empty() && name.bytes().all(|of| of.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~".contains(&of))
        };
        if let Some(index) = self.headers.iter().position(|name| !is_name(name)) {
            let reason = "is no name of a header".to_owned();
            return Err(ReadError { path: Path::of(&["headers"]).index(index), reason });
        }
        if self.headers.len() > MOST_HEADERS {
            let reason = format!("has more than {MOST_HEADERS} names");
            return Err(ReadError { path: Path::of(&["headers"]), reason });
        }
        if let Some(index) = self.keys.iter().position(|glob| glob.as_str().is_empty()) {
            let reason = "is empty, expected the name of a key or a pattern".to_owned();
            return Err(ReadError { path: Path::of(&["keys"]).index(index), reason });
        }
        self.hsts_max_age
            .validate()
            .map_err(|error| ReadError { path: Path::of(&["hstsMaxAge"]).join(error.path), ..error })
    }
}

policy!(NginxConfig, review, files: review_file);

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMap<'r> {
    #[serde(borrow)]
    data: Members<&'r str, &'r str>,
}

/// How keys end that may hold a configuration of nginx: nginx's image has `envsubst` fill in the templates.
const ENDINGS: [&str; 2] = [".conf", ".conf.template"];

fn review(request: &Request<'_>, context: &Context<'_, NginxConfig>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if !request.is("", "ConfigMap") {
        return Ok(());
    }
    let map: ConfigMap<'_> = request.object.view()?;
    let settings = context.settings;
    let mut sources = Sources::default();
    let mut texts = Vec::new();
    for (key, text) in map.data.iter() {
        texts.push((*key, *text));
        let is_named = *key == "nginx.conf" || glob::any(&settings.keys, key);
        if !is_named && !ENDINGS.iter().any(|ending| key.ends_with(ending)) {
            continue;
        }
        let (config, error) = reader::read(text);
        match error {
            None if is_named || known::is_nginx(&config, text, true) => sources.push(*key, *text, config),
            Some(error) if is_refused(&config, text, is_named) => {
                let SyntaxError { at, message } = error;
                report.add(
                    &SYNTAX,
                    || place::key(key),
                    || format!("{key} line {}, column {}: {message}", at.line, at.column),
                );
            }
            _ => {}
        }
    }
    if sources.all.is_empty() {
        return Ok(());
    }
    texts.sort_unstable();
    let own = sources.all.len();
    sources.resolve(&mut Keys::new(texts));
    judge::judge(&sources, own, &Places::Keys, settings, report);
    Ok(())
}

/// Whether nginx is to read a text that cannot be read.
fn is_refused(config: &Config, text: &str, is_named: bool) -> bool {
    !known::is_foreign(config, text) && (is_named || known::is_nginx(config, text, false))
}

#[cfg(not(target_arch = "wasm32"))]
fn review_file(file: &File<'_>, context: &Context<'_, NginxConfig>, report: &mut Report<'_>) -> Result<(), FileError> {
    let (config, error) = reader::read(file.text);
    let is_named = sources::base_name(file.name) == "nginx.conf";
    if let Some(SyntaxError { at, message }) = error {
        if !is_refused(&config, file.text, is_named) {
            return Ok(());
        }
        let span = Span { line: at.line, column: at.column, end_line: at.line, end_column: at.column + 1 };
        return Err(FileError { span, message });
    }
    if !is_named && !known::is_nginx(&config, file.text, true) {
        return Ok(());
    }
    let numbers = place::file::Numbers::of(&config, file.text);
    let mut sources = Sources::default();
    sources.push(file.name, file.text, config);
    sources.resolve(&mut sources::Beside { read: file.read });
    judge::judge(&sources, 1, &Places::File(numbers), context.settings, report);
    Ok(())
}
