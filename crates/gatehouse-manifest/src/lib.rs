//! Reads manifests, YAML and JSON, as Kubernetes reads them, and remembers where everything stands.
//!
//! What Kubernetes reads is not the YAML of today's specification: `sigs.k8s.io/yaml` reads it with go-yaml v2 and turns
//! it into JSON. So `yes` is a boolean, `0755` is octal, `1_000` a number, `1001.0` an integer, a key need not be a
//! string, `<<` merges (see `scalar.rs` and `tree.rs`). The structure is read by granit-parser, which knows YAML 1.2 and
//! what libyaml makes of it; where go-yaml would read something else, the text is refused (see `yaml.rs`).
//!
//! ```
//! use gatehouse_manifest::{Format, decode, read};
//!
//! let text = decode(b"kind: Pod\n---\nkind: [\n---\nkind: Job\n").unwrap();
//! let documents: Vec<_> = read(&text, Format::Detect).collect();
//! assert_eq!(documents[0].as_ref().unwrap().node.get("kind").unwrap().as_str(), Some("Pod"));
//! assert_eq!(documents[1].as_ref().unwrap_err().line, 3);
//! assert_eq!(documents[2].as_ref().unwrap().index, 2);
//! ```

mod anchors;
mod decode;
mod flow;
mod json;
mod mark;
mod scalar;
mod tree;
mod yaml;

use std::fmt;

use gatehouse_policy::Node;

pub use decode::decode;

/// How a text is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As YAML.
    Yaml,
    /// As JSON values, one after another.
    Json,
    /// As kubectl does: what starts with `{` is tried as JSON first and read as YAML from where that fails.
    #[default]
    Detect,
}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// What it holds; `null` where the document is empty.
    pub node: Node<'a>,
    /// Its number in the file, from 0. Documents that cannot be read and those that are empty count; comments before the
    /// first `---` are none.
    pub index: usize,
}

/// Why a document cannot be read, and where in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// Reads the documents of a text, one after another as they are asked for: see [`Documents`].
#[must_use]
pub fn read(text: &str, format: Format) -> Documents<'_> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = match format {
        Format::Yaml => false,
        Format::Json => true,
        Format::Detect => text.trim_start().starts_with('{'),
    };
    let reader = if json {
        Reader::Json(json::Reader::new(text))
    } else {
        Reader::Yaml(Box::new(yaml::Reader::new(text, mark::Mark::START, 0)))
    };
    Documents { text, detect: format == Format::Detect, reader }
}

/// The documents of a text. A document that cannot be read is an error in its place; reading goes on at the next line
/// that starts with `---`. After an error in JSON there is no such line, so nothing more comes.
pub struct Documents<'a> {
    text: &'a str,
    /// Whether JSON that fails may be YAML.
    detect: bool,
    reader: Reader<'a>,
}

enum Reader<'a> {
    Json(json::Reader<'a>),
    Yaml(Box<yaml::Reader<'a>>),
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<Document<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let json = match &mut self.reader {
            Reader::Yaml(yaml) => return yaml.next(),
            Reader::Json(json) => json,
        };
        let (start, index) = (json.mark(), json.index());
        let error = match json.next()? {
            // Kubernetes takes two values of JSON in a row for a sign that there is no YAML to come (`YAMLOrJSONDecoder` in
            // https://github.com/kubernetes/apimachinery/blob/master/pkg/util/yaml/decoder.go).
            Err(error) if self.detect && index < 2 => error,
            read => return Some(read),
        };
        let mut yaml = Box::new(yaml::Reader::new(self.text, start, index));
        let first = yaml.next();
        self.reader = Reader::Yaml(yaml);
        // Neither reads it: whoever came further took it for what it is.
        Some(
            first?.map_err(|other| if (other.line, other.column) > (error.line, error.column) { other } else { error }),
        )
    }
}

impl fmt::Debug for Documents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if matches!(self.reader, Reader::Json(_)) { Format::Json } else { Format::Yaml };
        f.debug_struct("Documents").field("format", &format).finish_non_exhaustive()
    }
}
