//! The texts that are judged together, and which of them `include` brings in.

use std::borrow::Cow;

use gatehouse_policy::glob::Glob;

use crate::known;
use crate::reader::{self, Config, Directive};

/// A configuration: a file, or a key of a `ConfigMap`.
#[derive(Debug)]
pub struct Source<'s> {
    /// The key, or the file's name.
    pub name: Cow<'s, str>,
    /// What it holds.
    pub text: Cow<'s, str>,
    /// What was read of it.
    pub config: Config,
    /// The sources that each of its `include` directives brings in, by the directive; none where it brings in what is not
    /// here.
    includes: Vec<(u32, Vec<usize>)>,
    /// Whether another includes it.
    pub is_included: bool,
    /// Whether it is a whole configuration, as `nginx.conf` is, and no part of one.
    is_main: bool,
}

impl<'s> Source<'s> {
    fn new(name: Cow<'s, str>, text: Cow<'s, str>, config: Config) -> Self {
        let is_main = is_main(&config, &text);
        Self { name, text, config, includes: Vec::new(), is_included: false, is_main }
    }

    /// A word of a directive; the name is word 0.
    pub fn word(&self, directive: &Directive, index: usize) -> Option<Cow<'_, str>> {
        Some(self.config.words(directive).get(index)?.value(&self.text))
    }

    /// Whether it has an `include` at all.
    pub fn has_includes(&self) -> bool {
        !self.includes.is_empty()
    }

    /// What an `include` brings in.
    pub fn included(&self, directive: u32) -> &[usize] {
        let found = self.includes.binary_search_by_key(&directive, |(of, _)| *of);
        found.map_or(&[], |position| &self.includes[position].1)
    }
}

/// Where includes are looked up.
pub trait Folder<'s> {
    /// The text of a file by the name that an `include` gives, with the name under which it is known.
    fn file(&mut self, path: &str) -> Option<(Cow<'s, str>, Cow<'s, str>)>;

    /// The names among `known` that a pattern in an `include` stands for.
    fn matching(&mut self, pattern: &str, known: &[Source<'s>]) -> Vec<usize>;
}

/// All that is judged together: the first `own` sources, then what they include beside them.
#[derive(Debug, Default)]
pub struct Sources<'s> {
    /// Every source.
    pub all: Vec<Source<'s>>,
}

/// How many files are brought in at most: no configuration in use comes near.
const MOST_FILES: usize = 200;

impl<'s> Sources<'s> {
    /// Adds a text that was read.
    pub fn push(&mut self, name: impl Into<Cow<'s, str>>, text: impl Into<Cow<'s, str>>, config: Config) {
        self.all.push(Source::new(name.into(), text.into(), config));
    }

    /// Finds what every `include` brings in, and what that includes in turn.
    pub fn resolve(&mut self, folder: &mut dyn Folder<'s>) {
        let own = self.all.len();
        // By name, where a name was looked up before: to the source, or to nothing.
        let mut looked_up: Vec<(String, Option<usize>)> = Vec::new();
        let mut at = 0;
        while at < self.all.len() {
            for (index, path) in includes(&self.all[at]) {
                let found = if path.contains(['*', '?', '[']) {
                    let mut found = folder.matching(&path, &self.all[..own]);
                    found.retain(|of| *of != at);
                    found
                } else {
                    self.by_name(&path, folder, &mut looked_up, own).into_iter().collect()
                };
                for of in &found {
                    self.all[*of].is_included = true;
                }
                self.all[at].includes.push((index, found));
            }
            at += 1;
        }
    }

    fn by_name(
        &mut self,
        path: &str,
        folder: &mut dyn Folder<'s>,
        looked_up: &mut Vec<(String, Option<usize>)>,
        own: usize,
    ) -> Option<usize> {
        let place = looked_up.binary_search_by(|(name, _)| name.as_str().cmp(path));
        let place = match place {
            Ok(found) => return looked_up[found].1,
            Err(place) => place,
        };
        // A miss costs a look-up too, so both are bounded.
        if looked_up.len() >= MOST_FILES {
            return None;
        }
        let found = folder.file(path).and_then(|(name, text)| {
            if let Some(known) = self.all.iter().position(|source| source.name == name) {
                return Some(known);
            }
            let (config, error) = reader::read(&text);
            // What cannot be read is not known; where it is judged itself, its error is told there.
            if error.is_some() || self.all.len() >= own + MOST_FILES {
                return None;
            }
            self.push(name, text, config);
            Some(self.all.len() - 1)
        });
        looked_up.insert(place, (path.to_owned(), found));
        found
    }
}

/// Every `include` with its path.
fn includes(source: &Source<'_>) -> Vec<(u32, String)> {
    // Most have none.
    if !source.text.contains("include") {
        return Vec::new();
    }
    let path = |directive| {
        let is_include = source.word(directive, 0).as_deref() == Some("include");
        Some(source.word(directive, 1).filter(|_| is_include)?.into_owned())
    };
    (0..).zip(&source.config.directives).filter_map(|(index, directive)| Some((index, path(directive)?))).collect()
}

/// The last part of a path: mounted as a volume, a key is a file of any folder.
pub fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The keys of a `ConfigMap` are the files of the folder that it is mounted as.
pub struct Keys<'s> {
    texts: Vec<(&'s str, &'s str)>,
    /// How many comparisons of names with patterns are left.
    comparisons: usize,
}

impl<'s> Keys<'s> {
    /// Of every key with its text, in the order of their names.
    pub fn new(texts: Vec<(&'s str, &'s str)>) -> Self {
        Self { texts, comparisons: MOST_COMPARISONS }
    }
}

impl<'s> Folder<'s> for Keys<'s> {
    fn file(&mut self, path: &str) -> Option<(Cow<'s, str>, Cow<'s, str>)> {
        let found = self.texts.binary_search_by(|(key, _)| (*key).cmp(base_name(path))).ok()?;
        let (key, text) = self.texts[found];
        Some((key.into(), text.into()))
    }

    fn matching(&mut self, pattern: &str, known: &[Source<'s>]) -> Vec<usize> {
        let pattern = base_name(pattern);
        if known.len() > self.comparisons || pattern.len() > LONGEST_PATTERN {
            return Vec::new();
        }
        self.comparisons -= known.len();
        let glob = Glob::new(pattern);
        // A whole configuration is included by none.
        let is_part = |source: &Source<'_>| !source.is_main && !known::is_stock(&source.name);
        (0..known.len()).filter(|index| glob.matches(&known[*index].name) && is_part(&known[*index])).collect()
    }
}

/// How many names are compared with patterns: cost is not to grow with both.
const MOST_COMPARISONS: usize = 2000;

/// Patterns in use are `*.conf` and the like.
const LONGEST_PATTERN: usize = 64;

fn is_main(config: &Config, text: &str) -> bool {
    let mut at = 0;
    while let Some(directive) = config.directives.get(at as usize) {
        let name = config.words(directive).first().filter(|_| directive.is_block).map(|name| name.value(text));
        if matches!(name.as_deref(), Some("http" | "events" | "stream" | "mail")) {
            return true;
        }
        at = directive.end;
    }
    false
}

/// The folder of a file that is judged.
#[cfg(not(target_arch = "wasm32"))]
pub struct Beside<'f> {
    /// Reads a file by its path from there.
    pub read: &'f dyn Fn(&str) -> Option<String>,
}

#[cfg(not(target_arch = "wasm32"))]
impl<'s> Folder<'s> for Beside<'_> {
    /// In an image the folder is mostly `/etc/nginx`, or one within it.
    fn file(&mut self, path: &str) -> Option<(Cow<'s, str>, Cow<'s, str>)> {
        let below =
            ["/etc/nginx/", "/usr/local/openresty/nginx/conf/", "/opt/bitnami/nginx/conf/", "/usr/local/nginx/conf/"];
        let path = below.iter().find_map(|folder| path.strip_prefix(folder)).unwrap_or(path);
        let is_within = !path.starts_with('/') && path.split('/').all(|part| part != "..");
        let candidates = [Some(path).filter(|_| is_within), Some(base_name(path)).filter(|name| *name != path)];
        candidates.into_iter().flatten().find_map(|path| Some((path.to_owned().into(), (self.read)(path)?.into())))
    }

    fn matching(&mut self, _: &str, _: &[Source<'s>]) -> Vec<usize> {
        Vec::new()
    }
}
