//! What is wrong with a directive by itself, whatever stands beside it.

use std::borrow::Cow;

use super::{Child, Holds, Judge, Kind, Scope, Variable, listed, location, set_headers};
use crate::pattern::Group;
use crate::place::Named;
use crate::reader::Directive;
use crate::sources::Source;
use crate::{
    ADD_HEADER_MULTILINE, ALIAS_TRAVERSAL, HOST_SPOOFING, HSTS, HTTP_SPLITTING, PRIVILEGED_PORT, PROXY_PASS_NORMALIZED,
    SERVER_TOKENS, SSL_CIPHERS, SSL_PROTOCOLS, SSRF, USER_DIRECTIVE, VALID_REFERERS, ciphers, protocols, values,
};

/// How many variables are kept in mind.
const MOST_VARIABLES: usize = 50;

impl Judge<'_, '_, '_> {
    pub(super) fn directive(&mut self, child: Child, kind: Kind, scope: Scope<'_>) {
        let (source, directive) = self.sources.get(child.at);
        let word = |index| source.word(directive, index).unwrap_or_default();
        match &*word(0) {
            "user" if kind == Kind::Source => self.user(child, &word(1)),
            "listen" if matches!(kind, Kind::Server | Kind::Other) => self.listen(child, &word(1)),
            "alias" => self.alias(child, &word(1), scope),
            "ssl_protocols" => self.protocols(child, source, directive),
            "ssl_ciphers" => self.ciphers(child, &word(1)),
            "server_tokens" if matches!(&*word(1), "on" | "build") => {
                self.tell(child, &SERVER_TOKENS, None, || {
                    format!("server_tokens is {}, so responses tell nginx's version; expected off", word(1))
                });
            }
            "valid_referers" if source.config.words(directive).iter().any(|of| of.value(&source.text) == "none") => {
                self.tell(child, &VALID_REFERERS, None, || {
                    "valid_referers: none lets every request through that has no Referer, which any page can bring about; \
                     expected names of servers alone"
                        .to_owned()
                });
            }
            "add_header" => {
                self.header(child, &[(word(1), word(2))]);
                self.splitting(child, &word(2), scope);
            }
            "more_set_headers" => {
                let headers: Vec<_> = set_headers(source, directive).collect();
                self.header(child, &headers);
            }
            "proxy_set_header" => {
                self.proxied_host(child, &word(1), &word(2));
                self.splitting(child, &word(2), scope);
            }
            "proxy_pass" if kind != Kind::Other => self.proxy_pass(child, &word(1), scope),
            "return" => self.redirect(child, &word(1), &word(2), scope),
            "rewrite" => {
                let is_redirect = ["http://", "https://", "$scheme"].iter().any(|start| word(2).starts_with(start));
                if is_redirect || matches!(&*word(3), "redirect" | "permanent") {
                    // Its own groups are escaped.
                    self.splitting(child, &word(2), Scope { groups: &[], ..scope });
                }
            }
            "set" => self.set(&word(1), &word(2), scope),
            _ => {}
        }
    }

    fn user(&mut self, child: Child, user: &str) {
        self.tell(child, &USER_DIRECTIVE, None, || {
            format!(
                "user {user} is ignored where nginx is not started as root; expected none: the container's user is it"
            )
        });
    }

    fn listen(&mut self, child: Child, address: &str) {
        let start = self.settings.unprivileged_port_start;
        let Some(port) = values::port(address).filter(|port| *port < start) else { return };
        self.tell(child, &PRIVILEGED_PORT, None, || {
            format!("listen {address}: port {port} is for root where the node does not say otherwise; expected {start} or above")
        });
    }

    /// In a location for a prefix, the rest of the path is appended to the alias.
    fn alias(&mut self, child: Child, alias: &str, scope: Scope<'_>) {
        let Some((source, directive)) = scope.location.map(|at| self.sources.get(at)) else { return };
        let (modifier, path) = location(source, directive);
        if !matches!(modifier, "" | "^~") || path.starts_with('@') || path.ends_with('/') || !alias.ends_with('/') {
            return;
        }
        self.tell(child, &ALIAS_TRAVERSAL, None, || {
            format!(
                "{}: {path}../ leads out of the folder of alias {alias}; expected location {path}/",
                Named(source, directive)
            )
        });
    }

    fn protocols(&mut self, child: Child, source: &Source<'_>, directive: &Directive) {
        let (old, _) = protocols::old_and_new(source, directive);
        if !old.is_empty() {
            self.tell(child, &SSL_PROTOCOLS, None, || {
                format!("ssl_protocols has {}, expected TLSv1.2 and TLSv1.3 alone", listed(&old))
            });
        }
    }

    fn ciphers(&mut self, child: Child, list: &str) {
        let broken = ciphers::broken(list);
        if !broken.is_empty() {
            self.tell(child, &SSL_CIPHERS, None, || {
                format!("ssl_ciphers has {}, which are broken or weak; expected none of them", listed(&broken))
            });
        }
    }

    fn header(&mut self, child: Child, headers: &[(Cow<'_, str>, Cow<'_, str>)]) {
        if let Some((name, _)) = headers.iter().find(|(_, value)| value.contains(['\n', '\r'])) {
            self.tell(child, &ADD_HEADER_MULTILINE, None, || {
                format!("{name} has a line break in its value, which HTTP does not allow; expected one line")
            });
        }
        // What a variable holds is not known.
        let is_it = |(name, value): &&(Cow<'_, str>, Cow<'_, str>)| {
            name.eq_ignore_ascii_case("Strict-Transport-Security") && !value.is_empty() && !value.contains('$')
        };
        let Some((name, value)) = headers.iter().find(is_it) else { return };
        let bounds = self.settings.hsts_max_age;
        let Some(age) = values::max_age(value) else {
            self.tell(child, &HSTS, None, || {
                format!("{name} has no max-age, so browsers ignore it; expected max-age={}", bounds.min)
            });
            return;
        };
        if let Some(expected) = bounds.expected(age) {
            self.tell(child, &HSTS, None, || format!("{name}: max-age is {age} seconds, expected {expected}"));
        }
    }

    fn proxied_host(&mut self, child: Child, name: &str, value: &str) {
        let is_of_client = matches!(value, "$http_host" | "${http_host}") || value.starts_with("$arg_");
        if name.eq_ignore_ascii_case("Host") && is_of_client {
            self.tell(child, &HOST_SPOOFING, None, || {
                format!("proxy_set_header Host is {value}, which is what the client sent; expected $host")
            });
        }
    }

    fn proxy_pass(&mut self, child: Child, address: &str, scope: Scope<'_>) {
        self.splitting(child, address, scope);
        let is_of_client = |variable: &&str| values::is_of_client(variable) || self.holds(variable, scope).host;
        if !scope.is_internal
            && let Some(variable) = values::variables(values::host(address)).find(is_of_client)
        {
            self.tell(child, &SSRF, None, || {
                format!(
                    "proxy_pass {address:.60}: the client says what ${variable} is, and so which host is asked; expected a \
                     fixed host, or one of a map"
                )
            });
        }
        let Some((source, directive)) = scope.location.map(|at| self.sources.get(at)) else { return };
        let (modifier, _) = location(source, directive);
        if matches!(modifier, "" | "^~")
            && !scope.is_rewritten
            && let Some(path) = values::fixed_path(address)
        {
            self.tell(child, &PROXY_PASS_NORMALIZED, None, || {
                format!(
                    "proxy_pass {address:.60}: with the path {path:.40} the request's is decoded, so %2F..%2F leads elsewhere; \
                     expected none"
                )
            });
        }
    }

    fn redirect(&mut self, child: Child, code: &str, text: &str, scope: Scope<'_>) {
        match code {
            "301" | "302" | "303" | "307" | "308" => self.splitting(child, text, scope),
            url if text.is_empty() && url.contains("://") => self.splitting(child, url, scope),
            _ => {}
        }
    }

    /// A value that ends up in a header or a request line, and may hold a line break.
    fn splitting(&mut self, child: Child, value: &str, scope: Scope<'_>) {
        let Some(variable) = values::variables(value).find(|variable| self.holds(variable, scope).line_break) else {
            return;
        };
        let (source, directive) = self.sources.get(child.at);
        let is_path = values::is_decoded_path(variable);
        self.tell(child, &HTTP_SPLITTING, None, || {
            let expected = if is_path { "$request_uri" } else { "a group without line breaks, as [^/\\s]+ is" };
            format!(
                "{}: ${variable} is decoded and may hold line breaks, so a client can add headers; expected {expected}",
                Named(source, directive)
            )
        });
    }

    fn set(&mut self, name: &str, value: &str, scope: Scope<'_>) {
        let Some(name) = name.strip_prefix('$') else { return };
        let holds = values::variables(value).fold(Holds::default(), |all, variable| {
            let holds = self.holds(variable, scope);
            let host = all.host || holds.host || values::is_of_client(variable);
            Holds { line_break: all.line_break || holds.line_break, host }
        });
        let is_known = self.variables.iter().any(|variable| variable.name == name);
        if (is_known || holds != Holds::default()) && self.variables.len() < MOST_VARIABLES {
            self.variables.push(Variable { name: name.to_owned(), holds });
        }
    }

    /// What a client may put into a variable that is not its own.
    fn holds(&self, variable: &str, scope: Scope<'_>) -> Holds {
        if values::is_decoded_path(variable) {
            return Holds { line_break: true, host: false };
        }
        if let Some(set) = self.variables.iter().rev().find(|of| of.name == variable) {
            return set.holds;
        }
        let is_number = variable.starts_with(|first: char| first.is_ascii_digit());
        let group = Group::find(scope.groups, variable).filter(|_| !is_number || !scope.is_renumbered);
        group.map_or(Holds::default(), |group| Holds { line_break: group.line_break, host: group.dot })
    }
}
