//! Label selectors
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).

use std::collections::BTreeMap;

use gatehouse_policy::Node;
use serde::Deserialize;

/// A label selector, as `namespaceSelector` and `objectSelector` are. An empty one selects everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Selector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<Requirement>,
}

#[derive(Clone, Debug, Deserialize)]
struct Requirement {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Whether it selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it asks for a label other than this one.
    pub(crate) fn asks_beyond(&self, key: &str) -> bool {
        let expressions = self.match_expressions.iter().map(|requirement| &requirement.key);
        self.match_labels.keys().chain(expressions).any(|asked| asked != key)
    }

    /// Whether it selects an object with these labels.
    pub(crate) fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.match_labels.iter().all(|(key, value)| label(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| {
                let value = label(&requirement.key);
                let listed = || value.is_some_and(|value| requirement.values.iter().any(|listed| listed == value));
                match requirement.operator {
                    Operator::In => listed(),
                    // An object without the label is not in the list either.
                    Operator::NotIn => !listed(),
                    Operator::Exists => value.is_some(),
                    Operator::DoesNotExist => value.is_none(),
                }
            })
    }
}

/// A label of an object.
pub(crate) fn label<'n>(object: &'n Node<'_>, key: &str) -> Option<&'n str> {
    object.descend(&["metadata", "labels"])?.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_as_the_api_does() {
        let matches = |selector: &str, labels: &[(&str, &'static str)]| {
            let node = Node::from_json(selector.as_bytes()).unwrap();
            let selector: Selector = node.view().unwrap();
            selector.matches(|key| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value))
        };
        assert!(matches("{}", &[]));
        assert!(matches(r#"{"matchLabels":{"a":"b"}}"#, &[("a", "b")]));
        assert!(!matches(r#"{"matchLabels":{"a":"b"}}"#, &[("a", "c")]));
        let not_in = r#"{"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]}"#;
        assert!(matches(not_in, &[]));
        assert!(!matches(not_in, &[("a", "b")]));
        assert!(matches(r#"{"matchExpressions":[{"key":"a","operator":"In","values":["b","c"]}]}"#, &[("a", "c")]));
        assert!(!matches(r#"{"matchExpressions":[{"key":"a","operator":"Exists"}]}"#, &[]));
        assert!(matches(r#"{"matchExpressions":[{"key":"a","operator":"DoesNotExist"}]}"#, &[]));
    }
}
