//! What a quota's scopes select.

use gatehouse_policy::Node;

/// What an object is to scopes.
#[derive(PartialEq, Eq)]
pub enum Subject {
    /// A pod.
    Pod(PodTraits),
    /// A claim, with its `volumeAttributesClassName`.
    Claim(String),
    /// Anything else: no scope selects it.
    Other,
}

/// By what scopes select pods.
#[derive(Default, PartialEq, Eq)]
pub struct PodTraits {
    /// Whether it has an `activeDeadlineSeconds`.
    pub terminates: bool,
    /// Whether its quality of service is `BestEffort`.
    pub is_best_effort: bool,
    /// Whether its affinity is to pods of other namespaces.
    pub looks_abroad: bool,
    /// Its `priorityClassName`.
    pub priority_class: String,
}

/// The scopes of a quota. All of them must select an object (`Matches` in
/// <https://github.com/kubernetes/apiserver/blob/master/pkg/quota/v1/generic/evaluator.go>).
#[derive(Debug)]
pub struct Scopes(Vec<Vec<String>>);

const EXISTS: &str = "Exists";

impl Scopes {
    /// Those of a `ResourceQuota`: of each its name, its operator and its values.
    pub fn read(quota: &Node<'_>) -> Self {
        let mut all = Vec::new();
        for scope in quota.items(&["spec", "scopes"]) {
            all.push(vec![scope.text(&[]).to_owned(), EXISTS.to_owned()]);
        }
        for selector in quota.items(&["spec", "scopeSelector", "matchExpressions"]) {
            let mut words = Vec::new();
            for word in ["scopeName", "operator"] {
                words.push(selector.text(&[word]).to_owned());
            }
            for value in selector.items(&["values"]) {
                words.push(value.text(&[]).to_owned());
            }
            all.push(words);
        }
        Self(all)
    }

    /// Whether it is a quota for everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the quota is for an object.
    pub fn select(&self, subject: &Subject) -> bool {
        self.0.iter().all(|scope| match &scope[..] {
            [scope, operator, values @ ..] => selects(scope, operator, values, subject),
            _ => false,
        })
    }
}

/// Whether one scope selects an object (`podMatchesScopeFunc` and `pvcMatchesScopeFunc` below
/// <https://github.com/kubernetes/kubernetes/tree/master/pkg/quota/v1/evaluator/core>).
fn selects(scope: &str, operator: &str, values: &[String], subject: &Subject) -> bool {
    let class = match (subject, scope) {
        (Subject::Pod(pod), "Terminating") => return pod.terminates,
        (Subject::Pod(pod), "NotTerminating") => return !pod.terminates,
        (Subject::Pod(pod), "BestEffort") => return pod.is_best_effort,
        (Subject::Pod(pod), "NotBestEffort") => return !pod.is_best_effort,
        (Subject::Pod(pod), "CrossNamespacePodAffinity") => return pod.looks_abroad,
        (Subject::Pod(pod), "PriorityClass") => &pod.priority_class,
        (Subject::Claim(class), "VolumeAttributesClass") => class,
        _ => return false,
    };
    match operator {
        EXISTS => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        "In" | "NotIn" => (operator == "In") == (!class.is_empty() && values.contains(class)),
        _ => false,
    }
}
