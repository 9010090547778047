//! Label and field selectors as text, as kubectl's `--selector` and `--field-selector` have them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api>,
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>).

use gatehouse_policy::Node;

/// Which objects of a kind are asked for.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Debug, PartialEq)]
struct Requirement {
    key: String,
    /// The values of which it has one; `None` for any.
    values: Option<Vec<String>>,
    /// Whether it is the other way round.
    is_negated: bool,
}

impl Selection {
    /// Reads both selectors; empty ones select everything.
    pub fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        let requirements = |text: &str, parse: fn(&str) -> Option<Requirement>| {
            split(text)
                .into_iter()
                .map(|part| parse(part).ok_or_else(|| format!("{part:?} is no requirement of a selector")))
                .collect::<Result<Vec<_>, String>>()
        };
        Ok(Self { labels: requirements(labels, label)?, fields: requirements(fields, equality)? })
    }

    /// The fields that a field selector asks for.
    pub fn fields(text: &str) -> impl Iterator<Item = String> {
        split(text).into_iter().filter_map(equality).map(|requirement| requirement.key)
    }

    /// Whether it selects an object.
    pub fn selects(&self, object: &Node<'_>) -> bool {
        let text = |node: &Node<'_>| node.as_str().map_or_else(|| node.to_json(), str::to_owned);
        self.labels.iter().all(|requirement| {
            let labels = object.descend(&["metadata", "labels"]);
            requirement.holds(labels.and_then(|labels| labels.get(&requirement.key)).map(text))
        }) && self.fields.iter().all(|requirement| {
            let keys: Vec<&str> = requirement.key.split('.').collect();
            // A field that is not set is an empty text.
            requirement.holds(Some(object.descend(&keys).map(text).unwrap_or_default()))
        })
    }
}

impl Requirement {
    fn holds(&self, value: Option<String>) -> bool {
        let is_met = match (&self.values, value) {
            (None, value) => value.is_some(),
            (Some(values), Some(value)) => values.contains(&value),
            (Some(_), None) => false,
        };
        is_met != self.is_negated
    }
}

/// The requirements of a selector: what stands between commas that are not within brackets.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn equality(part: &str) -> Option<Requirement> {
    let (at, is_negated, length) = match (part.find("!="), part.find('=')) {
        (Some(at), _) => (at, true, 2),
        (None, Some(at)) => (at, false, if part.get(at..)?.starts_with("==") { 2 } else { 1 }),
        (None, None) => return None,
    };
    let (key, value) = (part.get(..at)?.trim(), part.get(at + length..)?.trim());
    Some(Requirement { key: key.to_owned(), values: Some(vec![value.to_owned()]), is_negated })
}

fn label(part: &str) -> Option<Requirement> {
    if let Some(requirement) = equality(part) {
        return Some(requirement);
    }
    if let Some(key) = part.strip_prefix('!') {
        return Some(Requirement { key: key.trim().to_owned(), values: None, is_negated: true });
    }
    let Some((head, values)) = part.split_once('(') else {
        let is_word = !part.contains(char::is_whitespace);
        return is_word.then(|| Requirement { key: part.to_owned(), values: None, is_negated: false });
    };
    let values = values.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
    let (key, is_negated) = match head.split_whitespace().collect::<Vec<_>>()[..] {
        [key, "in"] => (key, false),
        [key, "notin"] => (key, true),
        _ => return None,
    };
    Some(Requirement { key: key.to_owned(), values: Some(values), is_negated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_as_the_api_does() {
        let object = Node::from_json(
            br#"{"metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}}, "type": "Opaque"}"#,
        )
        .unwrap();
        for (labels, fields, expected) in [
            ("", "", true),
            ("app=web", "", true),
            ("app==web,tier!=back", "", true),
            ("app=api", "", false),
            ("app in (api, web),tier", "", true),
            ("app notin (api,web)", "", false),
            ("!app", "", false),
            ("!other,other notin (a),other!=b", "", true),
            ("", "metadata.name=web,type!=helm.sh/release.v1", true),
            ("", "type=helm.sh/release.v1", false),
            ("", "spec.nodeName=", true),
        ] {
            let selection = Selection::parse(labels, fields).unwrap();
            assert_eq!(selection.selects(&object), expected, "{labels} {fields}");
        }
        for broken in ["a b", "a in b", "a near (b)", "a in (b"] {
            assert!(Selection::parse(broken, "").is_err(), "{broken}");
        }
    }
}
