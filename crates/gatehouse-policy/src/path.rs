//! Where in an object a field is.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The way from an object's root to a field, which need not exist: a missing field is reported at the path it would
/// have. Shown as `spec.containers[0].image`, with keys that are no identifiers quoted: `metadata.annotations["a.b/c"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Segment>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into an object's member.
    Key(Cow<'static, str>),
    /// Into an array's item, counted from 0.
    Index(usize),
}

impl Path {
    /// The object itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of a chain of members.
    #[must_use]
    pub fn of(keys: &[&'static str]) -> Self {
        Self(keys.iter().map(|key| Segment::Key(Cow::Borrowed(key))).collect())
    }

    /// The member `key` of what this path leads to.
    #[must_use]
    pub fn key(self, key: impl Into<Cow<'static, str>>) -> Self {
        self.then(Segment::Key(key.into()))
    }

    /// Apart, as every use would have a copy of it.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn then(mut self, segment: Segment) -> Self {
        self.0.push(segment);
        self
    }

    /// The item `index` of what this path leads to.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    /// What `rest` leads to from here.
    #[must_use]
    pub fn join(mut self, rest: Path) -> Self {
        self.0.extend(rest.0);
        self
    }

    /// The steps, from the root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The first `length` steps as a JSON Pointer (RFC 6901).
    #[must_use]
    pub(crate) fn pointer(&self, length: usize) -> String {
        let mut pointer = String::new();
        for segment in self.0.iter().take(length) {
            pointer.push('/');
            match segment {
                Segment::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
                Segment::Index(index) => {
                    let _ = write!(pointer, "{index}");
                }
            }
        }
        pointer
    }

    /// Puts a step before all others: paths of errors are built from the inside out.
    pub(crate) fn prepend(&mut self, segment: Segment) {
        self.0.insert(0, segment);
    }
}

/// Whether a key can stand in a path without quotes.
fn is_identifier(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if is_identifier(key) => {
                    if position > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(key)?;
                }
                Segment::Key(key) => {
                    f.write_str("[\"")?;
                    for character in key.chars() {
                        match character {
                            '"' | '\\' => write!(f, "\\{character}")?,
                            '\n' => f.write_str("\\n")?,
                            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
                            plain => f.write_char(plain)?,
                        }
                    }
                    f.write_str("\"]")?;
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPath;

impl Display for NotAPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a path: expected something like spec.containers[0].image")
    }
}

impl std::error::Error for NotAPath {}

impl FromStr for Path {
    type Err = NotAPath;

    /// Reads what [`Display`] writes.
    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let mut path = Self::root();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix('[').filter(|inner| inner.starts_with('"')) {
                // The quoted form is JSON's but for other control characters, which are written alike.
                let mut keys = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
                let key = keys.next().and_then(Result::ok).ok_or(NotAPath)?;
                let after = &quoted[keys.byte_offset()..];
                rest = after.strip_prefix(']').ok_or(NotAPath)?;
                path = path.key(key);
            } else if let Some(inner) = rest.strip_prefix('[') {
                let (index, after) = inner.split_once(']').ok_or(NotAPath)?;
                path = path.index(index.parse().map_err(|_| NotAPath)?);
                rest = after;
            } else {
                let start = if path.0.is_empty() { rest } else { rest.strip_prefix('.').ok_or(NotAPath)? };
                let end = start.find(['.', '[']).unwrap_or(start.len());
                let (key, after) = start.split_at(end);
                if !is_identifier(key) {
                    return Err(NotAPath);
                }
                path = path.key(key.to_owned());
                rest = after;
            }
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_what_is_no_identifier() {
        let path = Path::of(&["metadata", "annotations"]).key("a.b/c").key("x").index(3);
        assert_eq!(path.to_string(), r#"metadata.annotations["a.b/c"].x[3]"#);
        assert_eq!(path.pointer(3), "/metadata/annotations/a.b~1c");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(keys in proptest::collection::vec(proptest::option::of(any::<String>()), 0..5)) {
            let path = keys.into_iter().enumerate().fold(Path::root(), |path, (at, key)| match key {
                Some(key) => path.key(key),
                None => path.index(at),
            });
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<Path>();
        }
    }
}
