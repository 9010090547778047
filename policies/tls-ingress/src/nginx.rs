//! What ingress-nginx makes of an Ingress
//! (<https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/>).

use gatehouse_policy::{Edit, Path, Report, glob};

use crate::annotations::{self, PREFIX};
use crate::controller::{Controller, go_bool};
use crate::ingress::{HttpPath, Ingress};
use crate::networks;
use crate::{HTTPS_REDIRECT, PATH_TYPE, RATE_LIMIT, SNIPPET, TlsIngress, UNKNOWN_ANNOTATION};

/// The annotation with the further hosts that an Ingress serves.
pub const SERVER_ALIAS: &str = "server-alias";

/// How many unknown annotations of an Ingress are looked up among those that there are. Who has more of them gets the idea.
const SEARCHES: usize = 3;

pub fn judge_annotations(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    judge_names(ingress, report);
    // A canary has no server of its own, and takes both from the Ingress it stands beside (see the page above).
    if may_serve(ingress, settings) && !is_true(ingress, "canary") {
        judge_redirect(ingress, settings, report);
        judge_rate_limit(ingress, settings, report);
    }
}

/// Whether ingress-nginx serves an Ingress, or may do so: without a class the cluster's default decides, and beside a class
/// that says nothing its annotations do.
fn may_serve(ingress: &Ingress<'_>, settings: &TlsIngress) -> bool {
    let is_called = |class| glob::any(&settings.nginx_classes, class);
    ingress.classes().next().is_none()
        || ingress.classes().any(is_called)
        || (ingress.nginx_annotations().next().is_some() && Controller::Nginx.may_serve(ingress, settings))
}

/// The value of an annotation of ingress-nginx.
fn value<'r>(ingress: &Ingress<'r>, name: &str) -> Option<&'r str> {
    ingress.metadata.annotation(&[PREFIX, name].concat())
}

/// A boolean as the controller reads it: as Go does, and what that refuses is as good as absent
/// (`internal/ingress/annotations/rewrite/main.go`).
fn boolean(ingress: &Ingress<'_>, name: &str) -> Option<bool> {
    value(ingress, name).and_then(go_bool)
}

fn is_true(ingress: &Ingress<'_>, name: &str) -> bool {
    boolean(ingress, name) == Some(true)
}

/// Whether ingress-nginx, and surely it, takes the Ingress for one that shares the server of another: all that is said of
/// TLS is then that one's (`createServers` in `internal/ingress/controller/controller.go`).
pub fn is_canary(ingress: &Ingress<'_>, settings: &TlsIngress) -> bool {
    is_true(ingress, "canary") && Controller::Nginx.is_named(ingress, settings)
}

/// The further hosts that ingress-nginx serves for the rules of an Ingress, if it is the one that serves them
/// (`internal/ingress/annotations/alias/main.go`).
pub fn aliases<'r>(ingress: &Ingress<'r>, settings: &TlsIngress) -> impl Iterator<Item = &'r str> {
    let is_read = !ingress.spec.rules.is_empty() && !is_true(ingress, "canary") && may_serve(ingress, settings);
    let list = value(ingress, SERVER_ALIAS).filter(|_| is_read).unwrap_or_default();
    list.split(|separator: char| separator == ',' || separator.is_whitespace()).filter(|alias| !alias.is_empty())
}

/// Whether an alias is a regular expression.
pub fn is_pattern(alias: &str) -> bool {
    alias.starts_with('~')
}

/// The hosts that redirect to those of the rules: each of these with `www.` before it, or without
/// (`internal/ingress/annotations/redirect/redirect.go`).
pub fn www_hosts(ingress: &Ingress<'_>, settings: &TlsIngress) -> Vec<String> {
    if !may_serve(ingress, settings) || !is_true(ingress, "from-to-www-redirect") {
        return Vec::new();
    }
    let other = |host: &str| host.strip_prefix("www.").map_or_else(|| format!("www.{host}"), str::to_owned);
    ingress.spec.rules.iter().map(|rule| other(rule.host)).collect()
}

fn judge_names(ingress: &Ingress<'_>, report: &mut Report<'_>) {
    let mut searches = 0;
    for name in ingress.nginx_annotations() {
        let path = Path::of_annotation([PREFIX, name].concat());
        // The controller goes by the ending alone too (`CheckIngress` in `internal/ingress/controller/controller.go`).
        if name.ends_with("-snippet") {
            let message = format!("{name} writes into nginx's own configuration (CVE-2021-25742), expected it gone");
            report.add(&SNIPPET, path, message);
        } else if !annotations::is_known(name) {
            let mut meant = Vec::new();
            if searches < SEARCHES && !name.is_empty() {
                searches += 1;
                meant = annotations::meant_by(name);
            }
            let hint = if meant.is_empty() { String::new() } else { format!("; did you mean {}?", meant.join(", ")) };
            let message = format!("ingress-nginx has no annotation {name:?}, it does nothing{hint}");
            report.add(&UNKNOWN_ANNOTATION, path, message);
        }
    }
}

fn judge_redirect(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    const NAME: &str = "ssl-redirect";
    let has_tls = !ingress.spec.tls.is_empty();
    let redirect = boolean(ingress, NAME);
    let what = match redirect {
        // It redirects with TLS or without (`redirect_to_https` in `rootfs/etc/nginx/lua/lua_ingress.lua`).
        _ if is_true(ingress, "force-ssl-redirect") => return,
        Some(false) => "is switched off",
        Some(true) if has_tls => return,
        _ if !settings.explicit_redirect => return,
        Some(true) => "does nothing without spec.tls",
        None => "is not switched on",
    };
    let path = Path::of_annotation([PREFIX, NAME].concat());
    let message = format!("the redirect to HTTPS {what}, expected {PREFIX}{NAME}: \"true\"");
    let added = report.add(&HTTPS_REDIRECT, path.clone(), message);
    if has_tls {
        let edit = [Edit::set(path, "true")];
        if redirect.is_none() { added.safe_fix(edit) } else { added.unsafe_fix(edit) }
    }
}

fn judge_rate_limit(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    const NAMES: [&str; 3] = ["limit-rps", "limit-rpm", "limit-connections"];
    // Go's Atoi, as the controller uses it, takes what Rust's parse takes; only above 0 does the controller limit
    // (`buildRateLimit` in `internal/ingress/controller/template/template.go`).
    let limits =
        |name: &&str| value(ingress, name).and_then(|value| value.parse::<i64>().ok()).is_some_and(|limit| limit > 0);
    if !settings.rate_limit {
        return;
    }
    if !NAMES.iter().any(limits) {
        let [rps, rpm, connections] = NAMES;
        let message = format!("no client is held back: expected {PREFIX}{rps}, {rpm} or {connections} above 0");
        report.add(&RATE_LIMIT, Path::of(&["metadata", "annotations"]), message);
        return;
    }
    // The clients that are in it have no limit, and the old name counts where the new one has no value (`checkAnnotation` in
    // `internal/ingress/annotations/parser/validators.go`, `geo` in `rootfs/etc/nginx/template/nginx.tmpl`).
    let lists = ["limit-allowlist", "limit-whitelist"].into_iter();
    let mut lists = lists.filter_map(|name| Some((name, value(ingress, name).filter(|list| !list.is_empty())?)));
    if let Some((name, list)) = lists.next().filter(|(_, list)| networks::take_in_everyone(list)) {
        let message = format!("no client is held back: {name} is {list:?}, expected it without everyone's addresses");
        report.add(&RATE_LIMIT, Path::of_annotation([PREFIX, name].concat()), message);
    }
}

pub fn judge_paths(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    if !may_serve(ingress, settings) {
        return;
    }
    let is_same_as_prefix = is_same_as_prefix(ingress);
    for (index, rule) in ingress.spec.rules.iter().enumerate() {
        for (position, HttpPath { path, path_type }) in rule.http.paths.iter().enumerate() {
            if *path_type == "ImplementationSpecific" || is_plain(path) {
                continue;
            }
            let at = Path::of(&["spec", "rules"]).index(index).key("http").key("paths").index(position).key("pathType");
            let message = format!(
                "path {path:?}: ingress-nginx refuses it as {path_type:?}, since it is not made of letters, digits, '.', \
                 '_', '-' and '/' alone, expected ImplementationSpecific"
            );
            let added = report.add(&PATH_TYPE, at.clone(), message);
            let edit = [Edit::set(at, "ImplementationSpecific")];
            if *path_type == "Prefix" && is_same_as_prefix(path) {
                added.safe_fix(edit);
            } else {
                added.unsafe_fix(edit);
            }
        }
    }
}

/// Whether a path of type `ImplementationSpecific` serves what it serves as `Prefix`: one of that type is given a `/` at its
/// end, unless it has one, or the Ingress rewrites it or has regular expressions (`updateServerLocations` in
/// `internal/ingress/controller/location.go`).
fn is_same_as_prefix(ingress: &Ingress<'_>) -> impl Fn(&str) -> bool {
    let target = value(ingress, "rewrite-target").unwrap_or_default();
    let has_patterns = is_true(ingress, "use-regex");
    move |path| path.ends_with('/') || has_patterns || (!target.is_empty() && target != path)
}

/// Whether a path passes the controller's strict validation, which lets an absent one be (`ValidatePathType` in
/// `internal/ingress/inspector`).
fn is_plain(path: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    path.is_empty() || (path.starts_with('/') && path.bytes().all(is_allowed))
}
