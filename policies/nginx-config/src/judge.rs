//! Walks the blocks of a configuration from the outside in, with what each inherits.

mod directives;

use std::borrow::Cow;
use std::ops::Range;

use gatehouse_policy::{Report, Rule};

use crate::headers::{Header, Inherit, Level, Own, Required};
use crate::known;
use crate::pattern::{self, Group};
use crate::place::{At, Named, Places};
use crate::reader::{DEEPEST, Directive};
use crate::sources::{Source, Sources};
use crate::{GZIP, HEADER, HEADER_INHERITANCE, INCLUDE, NginxConfig, SERVER_TOKENS};

/// How many directives may come by includes: a file that many blocks include counts each time.
const MOST_INCLUDED: usize = 100_000;

/// Judges every source that no other includes, and with it what it includes.
pub fn judge(sources: &Sources<'_>, own: usize, places: &Places, settings: &NginxConfig, report: &mut Report<'_>) {
    let mut judge = Judge {
        sources,
        places,
        settings,
        report,
        seen: vec![false; sources.all.len()],
        left: MOST_INCLUDED,
        depth: 0,
        http: Http::default(),
        variables: Vec::new(),
    };
    let is_root = |source: &usize| !sources.all[*source].is_included;
    // Those that include each other have no root.
    for source in (0..own).filter(is_root).chain(0..own) {
        if !std::mem::replace(&mut judge.seen[source], true) {
            judge.root(source);
        }
    }
}

struct Judge<'j, 's, 'r> {
    sources: &'j Sources<'s>,
    places: &'j Places,
    settings: &'j NginxConfig,
    report: &'j mut Report<'r>,
    /// The sources that were judged, on their own or where another includes them.
    seen: Vec<bool>,
    left: usize,
    depth: usize,
    http: Http,
    /// The variables set in the blocks around.
    variables: Vec<Variable>,
}

/// A variable that is set to something.
struct Variable {
    name: String,
    holds: Holds,
}

/// What a client may put into a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Holds {
    line_break: bool,
    /// Any name of a host.
    host: bool,
}

/// A directive directly in a block, or in what the block includes.
#[derive(Clone, Copy)]
struct Child {
    at: At,
    /// Whether what is found there is told: not where it was told before, nor of a file beside the one that is judged.
    is_told: bool,
}

/// What a block is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A whole source.
    Source,
    Http,
    Server,
    Location,
    If,
    /// `limit_except`.
    Limit,
    /// `stream` and `mail`, and their servers.
    Other,
}

impl Kind {
    /// What the headers that it adds are said to be of.
    fn name(self) -> &'static str {
        match self {
            Self::Source => "the file",
            Self::Http => "http",
            Self::Server => "the server",
            Self::Location | Self::If | Self::Limit | Self::Other => "the location",
        }
    }
}

/// The location that a block is, or is in.
#[derive(Clone, Copy, Default)]
struct Scope<'g> {
    location: Option<At>,
    /// The groups of its regular expression.
    groups: &'g [Group],
    /// Whether another regular expression in it may take their numbers.
    is_renumbered: bool,
    /// Whether its path may be another.
    is_rewritten: bool,
    /// Whether no client gets there by itself.
    is_internal: bool,
}

/// What is known of an `http` block, once all in it was seen.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Http {
    /// The first `gzip on`.
    gzip: Option<Child>,
    has_gzip_types: bool,
    /// Whether something else compresses, it is off on purpose, or an include may say more.
    is_compression_unknown: bool,
    has_servers: bool,
    /// Whether a server says nothing of `server_tokens`.
    shows_version: bool,
    /// The required headers that each server with pages lacks, and those that all lack.
    lacks: Vec<(Child, u64)>,
    all_lack: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            gzip: None,
            has_gzip_types: false,
            is_compression_unknown: false,
            has_servers: false,
            shows_version: false,
            lacks: Vec::new(),
            all_lack: u64::MAX,
        }
    }
}

/// What a block says.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Said<'j> {
    headers: Own<'j>,
    /// Whether it includes what is not known.
    is_unknown: bool,
    has_tokens: bool,
    /// Whether it answers with what the configuration says: a status, a text, a redirect, numbers, nothing.
    is_fixed: bool,
    /// Whether it refuses all clients, and whether all but some.
    is_denied: bool,
    has_allowed: bool,
    is_internal: bool,
    has_rewrite: bool,
    /// Whether it has an `if` with a regular expression.
    has_condition: bool,
    /// How many locations within answer with more than that, and the required headers that any of them lacks.
    locations: usize,
    fixed_locations: usize,
    locations_lack: u64,
}

impl<'j> Judge<'j, '_, '_> {
    fn root(&mut self, source: usize) {
        let end = u32::try_from(self.sources.all[source].config.directives.len()).unwrap_or(u32::MAX);
        self.block((source, 0..end, true), None, Kind::Source, &Level::outermost(true), Scope::default());
    }

    /// What is directly in a block, with what it includes; and whether it includes what is not known.
    fn children(&mut self, source: usize, range: Range<u32>, is_told: bool) -> (Vec<Child>, bool) {
        let mut children = Vec::new();
        let mut is_unknown = false;
        // The sources that are being read, each included by the one before.
        let mut reading = vec![(source, range.start, range.end, is_told)];
        while let Some((source, at, end, is_told)) = reading.last_mut() {
            if *at >= *end {
                reading.pop();
                continue;
            }
            let child = Child { at: At { source: *source, index: *at }, is_told: *is_told };
            let (of, directive) = self.sources.get(child.at);
            *at = directive.end;
            if !of.has_includes() || of.word(directive, 0).as_deref() != Some("include") {
                children.push(child);
                continue;
            }
            let included = of.included(child.at.index);
            let path = of.word(directive, 1).unwrap_or_default();
            let found = self.read(included, child.is_told, &mut reading);
            if !found && !known::is_stock(&path) {
                is_unknown = true;
                self.tell(child, &INCLUDE, None, || {
                    format!("{path} is not here to be read, so what it adds is not known; expected it beside this one")
                });
            }
        }
        (children, is_unknown)
    }

    /// Goes on with what an include brings in; `false` where it is not all known.
    fn read(&mut self, included: &[usize], is_told: bool, reading: &mut Vec<(usize, u32, u32, bool)>) -> bool {
        let sources = self.sources;
        let length = |source: &usize| sources.all[*source].config.directives.len();
        let is_around = |source: &usize| reading.iter().any(|(of, ..)| of == source);
        // nginx never comes to the end of what includes itself.
        if included.is_empty() || included.iter().any(is_around) {
            return false;
        }
        for source in included.iter().rev() {
            let Some(left) = self.left.checked_sub(length(source).max(1)) else { return false };
            self.left = left;
            let is_first = !std::mem::replace(&mut self.seen[*source], true);
            let is_told = is_told && is_first && self.places.are_of(*source);
            reading.push((*source, 0, u32::try_from(length(source)).unwrap_or(u32::MAX), is_told));
        }
        true
    }

    /// Reports a finding at a directive, or at one that its block lacks.
    fn tell(&mut self, child: Child, rule: &Rule, lacks: Option<&'static str>, message: impl FnOnce() -> String) {
        self.tell_beside(child, rule, lacks, Vec::new, message);
    }

    /// The same, with other directives that the fix needs.
    fn tell_beside(
        &mut self,
        child: Child,
        rule: &Rule,
        lacks: Option<&'static str>,
        beside: impl FnOnce() -> Vec<At>,
        message: impl FnOnce() -> String,
    ) {
        if child.is_told {
            self.places.tell(self.sources, self.report, rule, (child.at, lacks), beside, message);
        }
    }

    fn required(&self) -> Required<'j> {
        Required { names: &self.settings.headers, always: self.settings.always }
    }

    /// What a block holds.
    fn body(&self, block: Child) -> (usize, Range<u32>, bool) {
        let (_, directive) = self.sources.get(block.at);
        (block.at.source, block.at.index + 1..directive.end, block.is_told)
    }

    fn block(
        &mut self,
        (source, range, is_told): (usize, Range<u32>, bool),
        block: Option<Child>,
        kind: Kind,
        outer: &Level<'j>,
        scope: Scope<'_>,
    ) -> (Level<'j>, Said<'j>) {
        let (children, is_unknown) = self.children(source, range, is_told);
        let mut said = Said { is_unknown, ..Said::default() };
        // What includes a file may have headers beside the include.
        said.headers.is_unknown = is_unknown || kind == Kind::Source;
        self.http.is_compression_unknown |= is_unknown;
        for child in &children {
            self.take(*child, kind, &mut said);
        }
        said.is_fixed |= said.is_denied && !said.has_allowed;
        let scope = Scope {
            is_renumbered: scope.is_renumbered || said.has_rewrite || said.has_condition,
            is_rewritten: scope.is_rewritten || said.has_rewrite,
            is_internal: scope.is_internal || said.is_internal,
            ..scope
        };
        let mut level = outer.within(&said.headers, self.required());
        if let Some(block) = block.filter(|_| !said.is_fixed) {
            self.dropped(block, outer, &said.headers, &mut level);
        }
        let variables = self.variables.len();
        self.depth += 1;
        for child in &children {
            if self.report.is_full() {
                break;
            }
            self.directive(*child, kind, scope);
            // A file may include itself within a block of its own.
            if self.depth <= DEEPEST {
                self.nested(*child, kind, &level, scope, &mut said);
            }
        }
        self.depth -= 1;
        self.variables.truncate(variables);
        (level, said)
    }

    /// Takes down what a directive says of its block.
    fn take(&mut self, child: Child, kind: Kind, said: &mut Said<'j>) {
        let (source, directive) = self.sources.get(child.at);
        let word = |index| source.word(directive, index).unwrap_or_default();
        let name = word(0);
        match &*name {
            "add_header" => said.headers.added.push(Header {
                name: word(1),
                is_sent: !word(2).is_empty(),
                is_always: word(3) == "always",
                of: kind.name(),
                at: child.at,
            }),
            "add_header_inherit" => {
                said.headers.inherit = match &*word(1) {
                    "merge" => Some(Inherit::Merge),
                    "off" => Some(Inherit::Off),
                    _ => Some(Inherit::On),
                }
            }
            "more_set_headers" => {
                let sent = set_headers(source, directive).filter(|(_, value)| !value.is_empty());
                said.headers.more.extend(sent.map(|(name, _)| name));
            }
            "server_tokens" => said.has_tokens = true,
            "return" | "stub_status" | "empty_gif" => said.is_fixed = true,
            "deny" if word(1) == "all" => said.is_denied = true,
            "allow" | "satisfy" => said.has_allowed = true,
            "internal" => said.is_internal = true,
            "rewrite" => said.has_rewrite = true,
            "if" if word(2).starts_with('~') || word(2).starts_with("!~") => said.has_condition = true,
            "gzip" if word(1) == "on" => self.http.gzip = self.http.gzip.or(Some(child)),
            "gzip" if kind == Kind::Http => self.http.is_compression_unknown = true,
            "gzip_types" => self.http.has_gzip_types = true,
            "brotli" | "zstd" => self.http.is_compression_unknown |= word(1) == "on",
            "js_content" | "js_header_filter" | "perl" => said.headers.is_scripted = true,
            script => said.headers.is_scripted |= script.contains("_by_lua"),
        }
    }

    /// Goes into a block.
    fn nested(&mut self, child: Child, kind: Kind, level: &Level<'j>, scope: Scope<'_>, said: &mut Said<'j>) {
        let (source, directive) = self.sources.get(child.at);
        if !directive.is_block {
            return;
        }
        let name = source.word(directive, 0).unwrap_or_default();
        let body = self.body(child);
        match (kind, &*name) {
            (Kind::Source, "http") => self.http(child),
            (Kind::Source | Kind::Http, "server") => self.server(child, kind, level),
            (Kind::Source | Kind::Server | Kind::Location, "location") => self.location(child, level, scope, said),
            (Kind::Source | Kind::Server | Kind::Location, "if") => {
                let scope = Scope { is_renumbered: true, ..scope };
                self.block(body, Some(child), Kind::If, level, scope);
            }
            (Kind::Location, "limit_except") => drop(self.block(body, None, Kind::Limit, level, scope)),
            (Kind::Source, "stream" | "mail") | (Kind::Other, "server") => {
                self.block(body, None, Kind::Other, &Level::outermost(true), Scope::default());
            }
            _ => {}
        }
    }

    fn http(&mut self, block: Child) {
        let around = std::mem::take(&mut self.http);
        let body = self.body(block);
        let (_, said) = self.block(body, None, Kind::Http, &Level::outermost(false), Scope::default());
        let http = std::mem::replace(&mut self.http, around);
        if !http.has_servers {
            return;
        }
        if http.shows_version && !said.has_tokens && !said.is_unknown {
            self.tell(block, &SERVER_TOKENS, Some("server_tokens"), || {
                "http: server_tokens is not set and on by default, so responses tell nginx's version; expected server_tokens \
                 off"
                    .to_owned()
            });
        }
        if !http.is_compression_unknown {
            match http.gzip {
                None => {
                    self.tell(block, &GZIP, Some("gzip"), || {
                        "http: gzip is not set and off by default, so responses are not compressed; expected gzip on, with \
                         gzip_types"
                            .to_owned()
                    });
                }
                Some(gzip) if !http.has_gzip_types => {
                    self.tell(gzip, &GZIP, None, || {
                        "gzip is on without gzip_types, so only text/html is compressed; expected gzip_types for scripts, \
                         styles and JSON"
                            .to_owned()
                    });
                }
                Some(_) => {}
            }
        }
        let all = if http.lacks.is_empty() { 0 } else { http.all_lack };
        self.lacks(block, "http", all);
        for (server, lacks) in http.lacks {
            self.lacks(server, "server", lacks & !all);
        }
    }

    fn server(&mut self, block: Child, around: Kind, outer: &Level<'j>) {
        let body = self.body(block);
        let (level, said) = self.block(body, Some(block), Kind::Server, outer, Scope::default());
        self.http.has_servers = true;
        self.http.shows_version |= !said.has_tokens && !said.is_unknown;
        // A server that only redirects or refuses has no pages to protect.
        if said.is_fixed || (said.locations == 0 && said.fixed_locations > 0) {
            return;
        }
        let is_met = if said.locations == 0 { 0 } else { !said.locations_lack };
        // What it drops of what http adds is told of there.
        let lacks = level.lacks(self.required()) & !is_met & !outer.added();
        if around == Kind::Http {
            self.http.all_lack &= lacks;
            self.http.lacks.push((block, lacks));
        } else {
            self.lacks(block, "server", lacks);
        }
    }

    fn location(&mut self, block: Child, level: &Level<'j>, scope: Scope<'_>, said: &mut Said<'j>) {
        let (source, directive) = self.sources.get(block.at);
        let (modifier, path) = location(source, directive);
        let groups = if modifier.starts_with('~') { pattern::groups(&path) } else { Vec::new() };
        let scope = Scope {
            location: Some(block.at),
            groups: &groups,
            is_renumbered: false,
            is_rewritten: false,
            is_internal: scope.is_internal || path.starts_with('@'),
        };
        let body = self.body(block);
        let (level, within) = self.block(body, Some(block), Kind::Location, level, scope);
        said.fixed_locations += 1;
        said.locations += within.locations;
        said.locations_lack |= within.locations_lack;
        if !within.is_fixed && !within.is_internal {
            said.locations += 1;
            said.locations_lack |= level.lacks(self.required());
        }
    }

    fn lacks(&mut self, block: Child, what: &str, lacks: u64) {
        if lacks == 0 {
            return;
        }
        let names = self.required().named(lacks);
        let always = if self.settings.always { " with always" } else { "" };
        self.tell(block, &HEADER, Some("add_header"), || {
            format!("{what}: no add_header{always} for {}, expected on every response", listed(&names))
        });
    }

    /// The headers of the level outside that a block drops, as it has some of its own.
    fn dropped(&mut self, block: Child, outer: &Level<'j>, own: &Own<'j>, level: &mut Level<'j>) {
        let dropped: Vec<&Header<'j>> = outer.dropped(own).collect();
        let Some(first) = dropped.first() else { return };
        level.expect(&dropped);
        let (source, directive) = self.sources.get(block.at);
        let beside = || own.added.last().into_iter().chain(dropped.iter().copied()).map(|of| of.at).collect();
        self.tell_beside(block, &HEADER_INHERITANCE, Some("add_header"), beside, || {
            let mut names: Vec<&str> = dropped.iter().map(|header| &*header.name).collect();
            names.dedup();
            format!(
                "{}: its own add_header drops {} of {}; expected them here too, or add_header_inherit merge",
                Named(source, directive),
                listed(&names),
                first.of,
            )
        });
    }
}

/// The modifier of a location, and its path or regular expression: a modifier may stand right before it
/// (<https://github.com/nginx/nginx/blob/master/src/http/ngx_http_core_module.c>, `ngx_http_core_location`).
fn location<'s>(source: &'s Source<'_>, directive: &Directive) -> (&'static str, Cow<'s, str>) {
    const MODIFIERS: [&str; 4] = ["=", "^~", "~*", "~"];
    let first = source.word(directive, 1).unwrap_or_default();
    if let Some(path) = source.word(directive, 2) {
        let modifier = MODIFIERS.into_iter().find(|modifier| *modifier == first);
        return (modifier.unwrap_or_default(), path);
    }
    match MODIFIERS.into_iter().find(|modifier| first.starts_with(modifier)) {
        Some(modifier) => (modifier, first[modifier.len()..].to_owned().into()),
        None => ("", first),
    }
}

/// The headers of a `more_set_headers`, with their values. Statuses and types, after `-s` and `-t`,
/// are none (<https://github.com/openresty/headers-more-nginx-module#more_set_headers>).
fn set_headers<'s>(
    source: &'s Source<'_>,
    directive: &'s Directive,
) -> impl Iterator<Item = (Cow<'s, str>, Cow<'s, str>)> + use<'s> {
    let words = source.config.words(directive).iter().skip(1);
    let mut is_option = false;
    words.filter_map(move |word| {
        let word = word.value(&source.text);
        let follows_option = std::mem::replace(&mut is_option, matches!(&*word, "-s" | "-t"));
        if follows_option || word.starts_with('-') {
            return None;
        }
        let colon = word.find(':')?;
        let part = |from: usize, to: usize| match &word {
            Cow::Borrowed(word) => Cow::Borrowed(word[from..to].trim_matches([' ', '\t'])),
            Cow::Owned(word) => Cow::Owned(word[from..to].trim_matches([' ', '\t']).to_owned()),
        };
        Some((part(0, colon), part(colon + 1, word.len())))
    })
}

/// `A`, `A and B`, `A, B and C`.
fn listed(names: &[impl AsRef<str>]) -> String {
    let mut text = String::new();
    for (position, name) in names.iter().enumerate() {
        text.push_str(match names.len() - position {
            _ if position == 0 => "",
            1 => " and ",
            _ => ", ",
        });
        text.push_str(name.as_ref());
    }
    text
}
