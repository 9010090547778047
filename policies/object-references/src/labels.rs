//! Selectors, and what has labels.

use std::fmt::Write;

use gatehouse_policy::node::Member;
use gatehouse_policy::{Node, nearest};

use crate::ask::Thing;
use crate::shape::{Field, Type};
use crate::sorted::Sorted;

/// The fields of a `LabelSelector` at a field of a spec.
pub const SHAPE: &[Field] = &[
    (&["spec", "selector", "matchLabels", "{}"], Type::Text),
    (&["spec", "selector", "matchExpressions", "*", "key"], Type::Text),
    (&["spec", "selector", "matchExpressions", "*", "operator"], Type::Text),
    (&["spec", "selector", "matchExpressions", "*", "values", "*"], Type::Text),
];

/// How many labels and values a selector may have to be looked at. Nobody writes more.
const MOST: usize = 1000;

/// A label selector. One that asks for nothing selects all, where it is there.
#[derive(Debug, Default)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    holds: Holds,
}

#[derive(Debug)]
enum Holds {
    In(Sorted),
    NotIn(Sorted),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Labels and their values: a Service's selector, and `matchLabels`.
    pub fn of_labels(labels: &[Member<'_>]) -> Self {
        let labels = if labels.len() > MOST { &[] } else { labels };
        let is = |(key, value)| Requirement { key, holds: Holds::In(Sorted::of(vec![(value, 0)])) };
        Self(pairs(labels).map(is).collect())
    }

    /// A `LabelSelector`
    /// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements>).
    pub fn of(selector: &Node<'_>) -> Self {
        let Self(mut requirements) = Self::of_labels(selector.members(&["matchLabels"]));
        let expressions = selector.items(&["matchExpressions"]);
        let values = expressions.iter().map(|expression| expression.items(&["values"]).len()).sum::<usize>();
        if expressions.len() + values > MOST {
            return Self::default();
        }
        for expression in expressions {
            let values = expression.items(&["values"]).iter().filter_map(Node::as_str);
            let values = values.map(|value| (value.to_owned(), 0)).collect();
            let holds = match expression.text(&["operator"]) {
                "In" => Holds::In(values),
                "NotIn" => Holds::NotIn(values),
                "Exists" => Holds::Exists,
                "DoesNotExist" => Holds::DoesNotExist,
                _ => continue, // which the API server refuses
            };
            requirements.push(Requirement { key: expression.text(&["key"]).to_owned(), holds });
        }
        Self(requirements)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Requirement {
    /// Whether nothing can be said of what meets it: an operator makes it, or something else puts in the value.
    fn is_unknown(&self) -> bool {
        let is_put_in = |value: &str| value.contains(['$', '{', '<']);
        OF_OPERATORS.contains(&&*self.key) || matches!(&self.holds, Holds::In(values) if values.iter().any(is_put_in))
    }

    fn holds(&self, of: &Labelled) -> bool {
        let value = of.labels.get(&self.key);
        match &self.holds {
            Holds::In(values) => value.is_some_and(|value| values.get(value).is_some()),
            Holds::NotIn(values) => value.is_none_or(|value| values.get(value).is_none()),
            Holds::Exists => value.is_some(),
            Holds::DoesNotExist => value.is_none(),
        }
    }
}

/// Labels that controllers give pods, or programs give their own: no template need have them. Beside them the others of a
/// selector count.
const ADDED: &[&str] = &[
    // https://kubernetes.io/docs/reference/labels-annotations-taints/
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
    // `createDesiredReplicaSet` in https://github.com/argoproj/argo-rollouts/blob/master/rollout/sync.go
    "rollouts-pod-template-hash",
    // `MakeDeployment` in https://github.com/openshift/library-go/blob/master/pkg/apps/appsutil/util.go
    "deployment",
    "deploymentconfig",
    // Patroni, and others that elect a leader: https://patroni.readthedocs.io/en/latest/kubernetes.html
    "role",
];

/// Labels that have no domain, and that only what an operator makes or labels has.
const OF_OPERATORS: &[&str] = &[
    // https://github.com/zalando/postgres-operator
    "spilo-role",
    // https://rook.io
    "ceph_nfs",
    "rook_cluster",
    "rook_file_system",
    "rook_object_store",
    // https://github.com/OT-CONTAINER-KIT/redis-operator
    "redis_setup_type",
    // https://developer.hashicorp.com/vault/docs/configuration/service-registration/kubernetes
    "vault-active",
    "vault-initialized",
    "vault-perf-standby",
    "vault-sealed",
];

/// Whether it is a label of an operator's, if nothing here has it: one that is in a domain is given by whose domain it is.
/// `app.kubernetes.io` is everybody's.
fn is_of_operator(key: &str) -> bool {
    key.split_once('/').is_some_and(|(domain, _)| domain != "app.kubernetes.io")
}

/// A thing with labels: a pod template, or a Service.
#[derive(Debug, Default)]
pub struct Labelled {
    pub name: String,
    pub labels: Pairs,
    /// Its ports; a template's are those of its containers.
    pub ports: Vec<Thing>,
    /// Whether it may have other ports too.
    pub is_open: bool,
}

/// Labels with their values.
#[derive(Debug, Default)]
pub struct Pairs {
    /// The names, each with the number of its value.
    keys: Sorted,
    values: Vec<String>,
}

impl FromIterator<(String, String)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(labels: I) -> Self {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, value) in labels {
            keys.push((key, values.len()));
            values.push(value);
        }
        Self { keys: Sorted::of(keys), values }
    }
}

impl Pairs {
    fn get(&self, key: &str) -> Option<&str> {
        self.values.get(self.keys.get(key)?).map(|value| &**value)
    }
}

/// Labels with their values, as an object has them.
pub fn pairs(labels: &[Member<'_>]) -> impl Iterator<Item = (String, String)> {
    labels.iter().map(|label| (label.key.to_string(), label.value.as_str().unwrap_or_default().to_owned()))
}

/// The first letter of a port's protocol, as a whole: TCP where it is absent.
pub fn protocol(port: &Node<'_>) -> u8 {
    port.text(&["protocol"]).bytes().next().unwrap_or(b'T')
}

/// Things with labels, to be found by them.
#[derive(Debug, Default)]
pub struct Labels {
    things: Vec<Labelled>,
    /// Each label of each, as [`entry`] writes it, with whose it is.
    index: Sorted,
}

impl Labels {
    pub fn of(things: Vec<Labelled>) -> Self {
        let mut labels = Vec::new();
        for (number, of) in things.iter().enumerate() {
            let value = |key| of.labels.get(key).unwrap_or_default();
            labels.extend(of.labels.keys.iter().map(|key| (entry(key, value(key)), number)));
        }
        Self { things, index: Sorted::of(labels) }
    }

    pub fn things(&self) -> &[Labelled] {
        &self.things
    }

    /// Whose label a key is.
    fn with_key(&self, key: &str) -> &[(String, usize)] {
        self.index.starting_with(&[key, "\0"].concat())
    }

    /// Hands over those that meet every requirement, as long as that returns true. They are looked for among those that meet
    /// the one that fewest do.
    fn each<'l>(&'l self, requirements: &[&Requirement], each: &mut dyn FnMut(&'l Labelled) -> bool) {
        let mut fewest: Option<Vec<&[(String, usize)]>> = None;
        let number = |parts: &[&[(String, usize)]]| parts.iter().map(|part| part.len()).sum::<usize>();
        for Requirement { key, holds } in requirements {
            let parts = match holds {
                Holds::In(values) => values.iter().map(|value| self.index.starting_with(&entry(key, value))).collect(),
                Holds::Exists => vec![self.with_key(key)],
                Holds::NotIn(_) | Holds::DoesNotExist => continue,
            };
            if fewest.as_ref().is_none_or(|fewest| number(&parts) < number(fewest)) {
                fewest = Some(parts);
            }
        }
        let goes_on = |of: &'l Labelled| !requirements.iter().all(|requirement| requirement.holds(of)) || each(of);
        match fewest {
            Some(parts) => {
                parts.into_iter().flatten().filter_map(|(_, number)| self.things.get(*number)).all(goes_on);
            }
            None => {
                self.things.iter().all(goes_on);
            }
        }
    }
}

/// A label in an index: what starts with a key and a zero has that key. Neither keys nor values have zeros.
fn entry(key: &str, value: &str) -> String {
    [key, "\0", value, "\0"].concat()
}

/// Whether a selector selects anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selected {
    Something,
    Nothing,
    /// What it selects cannot be seen.
    #[default]
    Unknown,
}

/// Hands over what a selector selects of some sets, of each as long as that returns true.
pub fn select<'l>(among: &[&'l Labels], selector: &Selector, each: &mut dyn FnMut(&'l Labelled) -> bool) -> Selected {
    let is_key = |key: &str| among.iter().any(|set| !set.with_key(key).is_empty());
    let mut left = Vec::new();
    let mut lacks_key = false;
    if selector.0.iter().any(Requirement::is_unknown) {
        return Selected::Unknown;
    }
    for requirement in &selector.0 {
        let key = &*requirement.key;
        if matches!(requirement.holds, Holds::NotIn(_) | Holds::DoesNotExist) || is_key(key) {
            left.push(requirement);
        } else if is_of_operator(key) && !ADDED.contains(&key) {
            return Selected::Unknown;
        } else if !ADDED.contains(&key) {
            lacks_key = true;
        }
    }
    if lacks_key {
        return Selected::Nothing;
    }
    if left.is_empty() {
        return Selected::Unknown;
    }
    let mut selected = Selected::Nothing;
    for set in among {
        set.each(&left, &mut |of| {
            selected = Selected::Something;
            each(of)
        });
    }
    selected
}

fn words(values: &Sorted) -> String {
    values.iter().take(8).collect::<Vec<_>>().join("|")
}

/// What a selector that selects nothing asks for, in words: all its labels, and what is nearest to the first that nothing has.
pub fn describe<'l>(among: &[&'l Labels], selector: &Selector) -> String {
    let mut text = String::new();
    for Requirement { key, holds } in selector.0.iter().take(8) {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = match holds {
            Holds::In(values) => write!(text, "{comma}{key}={}", words(values)),
            Holds::NotIn(values) => write!(text, "{comma}{key}!={}", words(values)),
            Holds::Exists => write!(text, "{comma}{key}"),
            Holds::DoesNotExist => write!(text, "{comma}!{key}"),
        };
    }
    for Requirement { key, holds } in selector.0.iter().take(8) {
        if let Holds::In(values) = holds
            && let Some(value) = values.iter().next()
            && among.iter().all(|set| set.index.get(&entry(key, value)).is_none())
        {
            let near = among.iter().flat_map(|set| set.index.near(&entry(key, value)));
            let value_of = |of: &'l str| of.strip_prefix(&**key)?.strip_prefix('\0')?.strip_suffix('\0');
            if let Some(near) = nearest(value, near.filter_map(value_of)) {
                let _ = write!(text, "; the nearest is {key}={near}");
                break;
            }
        }
    }
    text
}
