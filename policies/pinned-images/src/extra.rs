//! Images in kinds of objects that the policy does not know by itself.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Node, Path, ReadError, Segment};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the objects of one kind name images.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtraImages {
    /// The API group of the kind, without a version; absent for the core group.
    #[serde(default)]
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The fields that hold an image, `[*]` standing for every item of an array: `spec.sidecars[*].image`.
    pub paths: Vec<ImagePath>,
}

impl ExtraImages {
    /// Finds what can match no object, or no image in it.
    pub fn validate(&self) -> Result<(), ReadError> {
        let (field, reason) = if self.group.contains('/') {
            ("group", "expected a group without a version, such as apps")
        } else if self.kind.is_empty() {
            ("kind", "expected a kind such as Deployment")
        } else if self.paths.is_empty() {
            ("paths", "expected at least one path such as spec.image")
        } else {
            return Ok(());
        };
        Err(ReadError { path: Path::of(&[field]), reason: reason.to_owned() })
    }
}

/// The path of a field, or of several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct ImagePath(
    /// What stands between one `[*]` and the next.
    Vec<Path>,
);

impl TryFrom<String> for ImagePath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "expected a path such as spec.image or spec.sidecars[*].image";
        let mut parts = Vec::new();
        for (position, part) in text.split("[*]").enumerate() {
            let part = match part.strip_prefix('.') {
                Some(part) if position > 0 && !part.is_empty() && !part.starts_with('[') => part,
                None if position == 0 || part.is_empty() || part.starts_with('[') => part,
                _ => return Err(EXPECTED),
            };
            parts.push(part.parse().map_err(|_| EXPECTED)?);
        }
        if parts.first().is_none_or(|first: &Path| first.segments().is_empty()) {
            return Err(EXPECTED);
        }
        Ok(Self(parts))
    }
}

impl ImagePath {
    /// The images at this path in an object, each with its place. What is absent is passed over, and so is an empty
    /// text, which controllers take for the same.
    pub fn find<'r>(&self, object: &'r Node<'r>) -> Result<Vec<(Path, &'r str)>, ReadError> {
        let mut found = Vec::new();
        find(object, Path::root(), &self.0, &mut found)?;
        Ok(found)
    }
}

fn find<'r>(
    node: &'r Node<'r>,
    mut at: Path,
    parts: &[Path],
    found: &mut Vec<(Path, &'r str)>,
) -> Result<(), ReadError> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    let mut node = node;
    for segment in part.segments() {
        let next = match (segment, &node.data) {
            (_, Data::Null) => None,
            (Segment::Key(key), Data::Object(_)) => node.get(key),
            (Segment::Index(index), Data::Array(items)) => items.get(*index),
            (Segment::Key(_), _) => return Err(ReadError { path: at, reason: "expected an object".to_owned() }),
            (Segment::Index(_), _) => return Err(ReadError { path: at, reason: "expected an array".to_owned() }),
        };
        let Some(next) = next else { return Ok(()) };
        node = next;
        at = match segment {
            Segment::Key(key) => at.key(key.clone()),
            Segment::Index(index) => at.index(*index),
        };
    }
    match &node.data {
        _ if rest.is_empty() => {
            let image: &str = node.view().map_err(|error| error.below(&at))?;
            if !image.is_empty() {
                found.push((at, image));
            }
            Ok(())
        }
        Data::Null => Ok(()),
        Data::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| find(item, at.clone().index(index), rest, found))
        }
        _ => Err(ReadError { path: at, reason: "expected an array".to_owned() }),
    }
}
