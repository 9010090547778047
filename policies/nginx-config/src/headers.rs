//! Which headers are added to responses where.
//!
//! `add_header` is inherited from the level outside if and only if a level has none of its own
//! (<https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header>); `add_header_inherit merge`, inherited itself,
//! adds both. `more_set_headers` of the headers-more module adds both always
//! (`ngx_http_headers_more_merge_loc_conf` in
//! <https://github.com/openresty/headers-more-nginx-module/blob/master/src/ngx_http_headers_more_filter_module.c>).

use std::borrow::Cow;
use std::rc::Rc;

use crate::place::At;

/// Headers that protect whoever reads the response. What else a block drops, such as `Cache-Control` or that of CORS, it may
/// well mean to.
const PROTECTIVE: &[&str] = &[
    "Content-Security-Policy",
    "Cross-Origin-Embedder-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Permitted-Cross-Domain-Policies",
    "X-XSS-Protection",
];

/// How many headers of a level outside are compared with those of each block within.
const MOST_COMPARED: usize = 40;

/// A header that `add_header` adds.
#[derive(Clone, Debug)]
pub struct Header<'s> {
    /// Its name.
    pub name: Cow<'s, str>,
    /// Whether it has a value: without one nothing is sent.
    pub is_sent: bool,
    /// Whether error responses have it too.
    pub is_always: bool,
    /// What the block is called that adds it.
    pub of: &'static str,
    /// The directive.
    pub at: At,
}

impl Header<'_> {
    /// Whether it is called so.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// How a block's headers and those of the level outside go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    On,
    Off,
    Merge,
}

/// What a block itself says of headers.
#[derive(Debug, Default)]
pub struct Own<'s> {
    /// Those of `add_header`.
    pub added: Vec<Header<'s>>,
    /// Names of those of `more_set_headers`.
    pub more: Vec<Cow<'s, str>>,
    /// `add_header_inherit`.
    pub inherit: Option<Inherit>,
    /// Whether an `include` that is not known may say more.
    pub is_unknown: bool,
    /// Whether a script may set headers.
    pub is_scripted: bool,
}

/// The headers in force at a level.
#[derive(Clone, Debug)]
pub struct Level<'s> {
    /// The protective and required ones that `add_header` adds, or would if none were dropped.
    headers: Rc<Vec<Header<'s>>>,
    /// Names of those that `more_set_headers` sets.
    more: Rc<Vec<Cow<'s, str>>>,
    /// The required ones among those of `add_header`, a bit for each, and among those of `more_set_headers`.
    added: u64,
    set: u64,
    /// Whether `add_header` may add others.
    is_unknown: bool,
    /// Whether a script may set others.
    is_scripted: bool,
    inherit: Inherit,
}

/// The headers that every response is to have.
#[derive(Clone, Copy, Debug)]
pub struct Required<'s> {
    /// Their names, at most 64.
    pub names: &'s [String],
    /// Whether error responses are to have them too.
    pub always: bool,
}

impl Required<'_> {
    /// The bits of those that a header is.
    fn bits(self, name: &str) -> u64 {
        (0..).zip(self.names).filter(|(_, of)| of.eq_ignore_ascii_case(name)).fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// The bits of all.
    pub fn all(self) -> u64 {
        (0..).zip(self.names).fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// The names of some.
    pub fn named(self, bits: u64) -> Vec<String> {
        (0..).zip(self.names).filter(|(bit, _)| bits & 1 << bit != 0).map(|(_, name)| name.clone()).collect()
    }
}

impl<'s> Level<'s> {
    /// That outside `http`, where there is none; unknown for what is included by an `http` that is not here.
    pub fn outermost(is_unknown: bool) -> Self {
        Self {
            headers: Rc::default(),
            more: Rc::default(),
            added: 0,
            set: 0,
            is_unknown,
            is_scripted: false,
            inherit: Inherit::On,
        }
    }

    /// The required headers that are certainly not there, a bit for each.
    pub fn lacks(&self, required: Required<'_>) -> u64 {
        if self.is_unknown || self.is_scripted { 0 } else { required.all() & !(self.added | self.set) }
    }

    /// The required headers that `add_header` adds, a bit for each.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// The level of a block within this one.
    pub fn within(&self, own: &Own<'s>, required: Required<'_>) -> Self {
        let inherit = own.inherit.unwrap_or(self.inherit);
        let mut level = Self { inherit, ..self.clone() };
        if !own.more.is_empty() {
            level.set = own.more.iter().fold(level.set, |bits, name| bits | required.bits(name));
            level.more = Rc::new(self.more.iter().chain(&own.more).take(MOST_COMPARED).cloned().collect());
        }
        if !own.added.is_empty() || inherit == Inherit::Off {
            if inherit != Inherit::Merge {
                (level.headers, level.added, level.is_unknown) = (Rc::default(), 0, false);
            }
            level.add(&own.added, required);
        }
        level.is_unknown |= own.is_unknown;
        level.is_scripted |= own.is_scripted;
        level
    }

    /// Counts headers that a block drops as there: what is within it is to have them too.
    pub fn expect(&mut self, dropped: &[&Header<'s>]) {
        let expected = self.headers.iter().chain(dropped.iter().copied()).take(MOST_COMPARED).cloned().collect();
        self.headers = Rc::new(expected);
    }

    fn add(&mut self, added: &[Header<'s>], required: Required<'_>) {
        let mut headers = self.headers.to_vec();
        for header in added.iter().filter(|header| header.is_sent) {
            let bits = required.bits(&header.name);
            if header.is_always || !required.always {
                self.added |= bits;
            }
            let is_compared = bits != 0 || PROTECTIVE.iter().any(|name| header.is(name));
            // A file may be included twice.
            let is_new = headers.iter().all(|of| of.at != header.at);
            if is_compared && is_new && headers.len() < MOST_COMPARED {
                headers.push(header.clone());
            }
        }
        self.headers = Rc::new(headers);
    }

    /// What a block with headers of its own drops of those in force outside it.
    pub fn dropped<'l>(&'l self, own: &'l Own<'s>) -> impl Iterator<Item = &'l Header<'s>> {
        let inherit = own.inherit.unwrap_or(self.inherit);
        // Headers without values, or an inheritance that is off, say that it is meant.
        let drops = inherit == Inherit::On && own.added.iter().any(|header| header.is_sent);
        let is_known = !own.is_unknown && !own.is_scripted && !self.is_scripted;
        let is_kept = move |header: &Header<'_>| {
            own.added.iter().any(|of| of.is(&header.name))
                || self.more.iter().chain(&own.more).any(|name| header.is(name))
        };
        self.headers.iter().filter(move |header| drops && is_known && !is_kept(header))
    }
}
