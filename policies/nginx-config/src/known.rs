//! Whether a text is nginx's at all: files of many programs end in `.conf`.

use crate::reader::Config;

/// Starts of names that nginx's directives have and those of other programs do not.
const STARTS: &[&str] = &[
    "auth_request",
    "brotli",
    "client_",
    "fastcgi_",
    "grpc_",
    "gzip",
    "js_",
    "limit_conn",
    "limit_req",
    "lua_",
    "more_",
    "open_file_cache",
    "proxy_",
    "real_ip_",
    "scgi_",
    "set_real_ip_from",
    "ssl_",
    "sub_filter",
    "types_hash_",
    "uwsgi_",
    "worker_",
];

/// Names of nginx's directives, as far as another program is not likely to have them too, followed by a value and `;`.
const NAMES: &[&str] = &[
    "access_log",
    "add_header",
    "alias",
    "auth_basic",
    "auth_basic_user_file",
    "autoindex",
    "charset",
    "default_type",
    "error_log",
    "error_page",
    "expires",
    "index",
    "keepalive_timeout",
    "listen",
    "log_format",
    "multi_accept",
    "resolver",
    "return",
    "rewrite",
    "root",
    "sendfile",
    "server_name",
    "server_tokens",
    "stub_status",
    "tcp_nodelay",
    "tcp_nopush",
    "try_files",
    "valid_referers",
];

/// Marks of templates that some program renders before nginx reads what comes of them.
const TEMPLATES: &[&str] = &["{{", "{%", "<%", "#{"];

/// Whether a text is a configuration of nginx: it has a directive that is nobody else's; two where it could not be read to
/// its end.
pub fn is_nginx(config: &Config, text: &str, is_whole: bool) -> bool {
    let enough = if is_whole { 1 } else { 2 };
    let telling = config.directives.iter().filter(|directive| {
        let [name, value, ..] = config.words(directive) else { return false };
        let name = name.value(text);
        // `name = value` is what other programs write.
        !directive.is_block
            && !value.value(text).starts_with('=')
            && (NAMES.binary_search(&&*name).is_ok() || STARTS.iter().any(|start| name.starts_with(start)))
    });
    telling.take(enough).count() == enough
}

/// Whether a text that cannot be read is one that nginx never reads: a template, or a file of another format.
pub fn is_foreign(config: &Config, text: &str) -> bool {
    let is_marked = TEMPLATES.iter().any(|mark| text.contains(mark));
    let names = config.directives.iter().filter_map(|directive| config.words(directive).first());
    let mut names = names.chain(config.unfinished());
    is_marked || names.any(|name| name.value(text).starts_with(['$', '@', '>', '%', '<', '[']))
}

/// Whether a file of nginx's own package is included, which adds no headers and says nothing of servers.
pub fn is_stock(path: &str) -> bool {
    const STOCK: &[&str] = &[
        "fastcgi-php.conf",
        "fastcgi.conf",
        "fastcgi_params",
        "koi-utf",
        "koi-win",
        "mime.types",
        "options-ssl-nginx.conf",
        "proxy_params",
        "scgi_params",
        "uwsgi_params",
        "win-utf",
    ];
    let (folder, name) = path.rsplit_once('/').unwrap_or_default();
    let name = if folder.is_empty() && name.is_empty() { path } else { name };
    STOCK.binary_search(&name).is_ok() || folder.ends_with("modules-enabled") || folder.ends_with("nginx/modules")
}
