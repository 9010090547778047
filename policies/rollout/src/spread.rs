//! Whether the scheduler keeps a workload's pods apart from each other: by constraints and terms that select these pods
//! (<https://github.com/kubernetes/kubernetes/tree/master/pkg/scheduler/framework/plugins>, `podtopologyspread` and
//! `interpodaffinity`).

use std::collections::BinaryHeap;
use std::fmt::{self, Display};

use gatehouse_policy::Members;
use serde::Deserialize;

/// The label by which a namespace's selector sees its name
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name>).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The value that a label has on the workload's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value<'r> {
    /// The one in the template.
    Known(&'r str),
    /// One that the controller gives all pods of a template, known when they are made.
    OfTemplate,
    /// One that the controller gives each pod for itself.
    OfPod,
}

/// The labels of a workload's pods, to be found without a look at each.
pub struct Labels<'r>(Vec<(&'r str, Value<'r>)>);

impl<'r> Labels<'r> {
    /// Those of the template, and those that the controller of the kind adds.
    pub fn of(kind: &str, template: &Members<&'r str, &'r str>) -> Self {
        let added: &[(&'static str, Value<'static>)] = match kind {
            "Deployment" => &[("pod-template-hash", Value::OfTemplate)],
            "Rollout" => &[("rollouts-pod-template-hash", Value::OfTemplate)],
            // https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-name-label
            "StatefulSet" => &[
                ("apps.kubernetes.io/pod-index", Value::OfPod),
                ("controller-revision-hash", Value::OfTemplate),
                ("statefulset.kubernetes.io/pod-name", Value::OfPod),
            ],
            "CloneSet" => &[
                ("apps.kruise.io/cloneset-instance-id", Value::OfPod),
                ("controller-revision-hash", Value::OfTemplate),
                ("pod-template-hash", Value::OfTemplate),
            ],
            _ => &[],
        };
        let is_kept = |key: &str| added.iter().all(|(of, _)| *of != key);
        let own = template.iter().filter(|(key, _)| is_kept(key)).map(|(key, value)| (*key, Value::Known(value)));
        // A heap, since the code of `sort` is a fortieth of a module.
        let labels: BinaryHeap<_> = own.chain(added.iter().copied()).collect();
        Self(labels.into_sorted_vec())
    }

    fn get(&self, key: &str) -> Option<Value<'r>> {
        let first = self.0.partition_point(|(of, _)| *of < key);
        self.0.get(first).filter(|(of, _)| *of == key).map(|(_, value)| *value)
    }
}

/// What a pod's spec says of where its pods run beside each other.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Placement<'r> {
    #[serde(borrow)]
    topology_spread_constraints: Vec<Constraint<'r>>,
    #[serde(borrow)]
    affinity: Affinity<'r>,
}

/// Why a constraint or a term keeps none of the pods apart.
#[derive(Clone, Copy)]
enum Flaw<'r> {
    Topology,
    Selector,
    Labels,
    Keys(&'static str),
    Namespace(&'r str),
    Skew(i32),
}

impl Display for Flaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topology => f.write_str("has no topologyKey"),
            Self::Selector => f.write_str("has no labelSelector, so it selects no pod"),
            Self::Labels => f.write_str("has a labelSelector that does not match the labels of these pods"),
            Self::Keys(field) => write!(f, "selects no other of these pods by its {field}"),
            Self::Namespace(own) => write!(f, "selects no pod of their namespace, {own}"),
            Self::Skew(skew) => write!(f, "has a maxSkew of {skew}, which lets all of them be in one place"),
        }
    }
}

/// A constraint or a term that does not do what it is there for.
pub struct Idle<'r> {
    list: &'static str,
    index: usize,
    flaw: Flaw<'r>,
}

impl Display for Idle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}", self.list, self.index, self.flaw)
    }
}

impl<'r> Placement<'r> {
    /// Whether one of the constraints and terms keeps the pods apart: so many, `None` where an autoscaler says how many, with
    /// these labels, in this namespace.
    ///
    /// # Errors
    /// The first that does not, if there are any at all.
    pub fn separates(
        &self,
        labels: &Labels<'r>,
        namespace: &'r str,
        count: Option<i32>,
    ) -> Result<(), Option<Idle<'r>>> {
        let PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: required,
            preferred_during_scheduling_ignored_during_execution: preferred,
        } = &self.affinity.pod_anti_affinity;
        let constraints = self.topology_spread_constraints.iter().map(|constraint| constraint.separates(labels, count));
        let required = required.iter().map(|term| term.separates(labels, namespace));
        let preferred = preferred.iter().map(|weighted| weighted.pod_affinity_term.separates(labels, namespace));
        let of = |list| {
            move |(index, result): (usize, Result<(), Flaw<'r>>)| result.map_err(|flaw| Idle { list, index, flaw })
        };
        let all = constraints
            .enumerate()
            .map(of("topologySpreadConstraints"))
            .chain(required.enumerate().map(of("podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution")))
            .chain(preferred.enumerate().map(of("podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution")));
        let mut first = None;
        for result in all {
            let Err(idle) = result else { return Ok(()) };
            first.get_or_insert(idle);
        }
        Err(first)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Constraint<'r> {
    max_skew: i32,
    topology_key: &'r str,
    when_unsatisfiable: &'r str,
    #[serde(borrow)]
    label_selector: Option<LabelSelector<'r>>,
    #[serde(borrow)]
    match_label_keys: Vec<&'r str>,
}

impl<'r> Constraint<'r> {
    /// It counts the pods of their own namespace (`countPodsMatchSelector` and `filterTopologySpreadConstraints` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/podtopologyspread/common.go>).
    fn separates(&self, labels: &Labels<'r>, count: Option<i32>) -> Result<(), Flaw<'r>> {
        select(self.label_selector.as_ref(), self.topology_key, labels)?;
        select_keys(&self.match_label_keys, &[], labels)?;
        // One that is only preferred has its say at any skew.
        if self.when_unsatisfiable == "DoNotSchedule" && count.is_some_and(|count| count <= self.max_skew) {
            return Err(Flaw::Skew(self.max_skew));
        }
        Ok(())
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Affinity<'r> {
    #[serde(borrow)]
    pod_anti_affinity: PodAntiAffinity<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodAntiAffinity<'r> {
    #[serde(borrow)]
    required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm<'r>>,
    #[serde(borrow)]
    preferred_during_scheduling_ignored_during_execution: Vec<WeightedPodAffinityTerm<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WeightedPodAffinityTerm<'r> {
    #[serde(borrow)]
    pod_affinity_term: PodAffinityTerm<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodAffinityTerm<'r> {
    topology_key: &'r str,
    #[serde(borrow)]
    label_selector: Option<LabelSelector<'r>>,
    #[serde(borrow)]
    namespaces: Vec<&'r str>,
    #[serde(borrow)]
    namespace_selector: Option<LabelSelector<'r>>,
    #[serde(borrow)]
    match_label_keys: Vec<&'r str>,
    #[serde(borrow)]
    mismatch_label_keys: Vec<&'r str>,
}

impl<'r> PodAffinityTerm<'r> {
    /// `newAffinityTerm` and `AffinityTerm.Matches` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/types.go>.
    fn separates(&self, labels: &Labels<'r>, namespace: &'r str) -> Result<(), Flaw<'r>> {
        select(self.label_selector.as_ref(), self.topology_key, labels)?;
        select_keys(&self.match_label_keys, &self.mismatch_label_keys, labels)?;
        let is_own = match &self.namespace_selector {
            None if self.namespaces.is_empty() => true,
            Some(selector) if selector.may_select_namespace(namespace) => true,
            _ => self.namespaces.contains(&namespace),
        };
        if is_own { Ok(()) } else { Err(Flaw::Namespace(namespace)) }
    }
}

/// Whether a selector takes in pods with these labels. Without a selector nothing is selected, and an empty one selects all
/// (`LabelSelectorAsSelector` in <https://github.com/kubernetes/apimachinery/blob/master/pkg/apis/meta/v1/helpers.go>). The
/// API server refuses an empty topology key.
fn select<'r>(
    selector: Option<&LabelSelector<'r>>,
    topology_key: &str,
    labels: &Labels<'r>,
) -> Result<(), Flaw<'static>> {
    match selector {
        _ if topology_key.is_empty() => Err(Flaw::Topology),
        None => Err(Flaw::Selector),
        Some(selector) if selector.selects(labels) => Ok(()),
        Some(_) => Err(Flaw::Labels),
    }
}

/// Whether pods are selected that have the same values as a pod has itself for some labels, and others for some. Keys that the
/// pod has no label for are left out (`applyLabelKeysToLabelSelector` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/strategy.go>).
fn select_keys(same: &[&str], other: &[&str], labels: &Labels<'_>) -> Result<(), Flaw<'static>> {
    if same.iter().any(|key| labels.get(key) == Some(Value::OfPod)) {
        return Err(Flaw::Keys("matchLabelKeys"));
    }
    if other.iter().any(|key| labels.get(key).is_some_and(|value| value != Value::OfPod)) {
        return Err(Flaw::Keys("mismatchLabelKeys"));
    }
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LabelSelector<'r> {
    #[serde(borrow)]
    match_labels: Members<&'r str, &'r str>,
    #[serde(borrow)]
    match_expressions: Vec<LabelSelectorRequirement<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LabelSelectorRequirement<'r> {
    key: &'r str,
    operator: &'r str,
    #[serde(borrow)]
    values: Vec<&'r str>,
}

impl<'r> LabelSelector<'r> {
    fn selects(&self, labels: &Labels<'r>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(Value::Known(value)))
            && self.match_expressions.iter().all(|expression| expression.holds(labels.get(expression.key)))
    }

    /// Whether it takes in the namespace of that name, as far as can be seen: of a namespace's labels only the one with its
    /// name is known.
    fn may_select_namespace(&self, name: &str) -> bool {
        self.match_labels.iter().all(|(key, value)| *key != NAME_LABEL || *value == name)
            && self.match_expressions.iter().all(|of| of.key != NAME_LABEL || of.holds(Some(Value::Known(name))))
    }
}

impl LabelSelectorRequirement<'_> {
    /// Whether a label's value is as required. What the controller will give is none of the values that are listed.
    fn holds(&self, value: Option<Value<'_>>) -> bool {
        let is_listed = matches!(value, Some(Value::Known(value)) if self.values.contains(&value));
        match self.operator {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false, // which the API server refuses
        }
    }
}
