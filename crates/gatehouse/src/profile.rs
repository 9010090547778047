//! Profiles: which policies judge which objects, by which settings. A profile is a set of Kubewarden's
//! `ClusterAdmissionPolicy` and `AdmissionPolicy` manifests, the same that are applied to a cluster.

use std::fmt;
use std::path::{Path, PathBuf};

use gatehouse_engine::Evaluator;
use gatehouse_manifest::{Format, decode, read};
use gatehouse_policy::node::Data;
use gatehouse_policy::{Finding, Level, Node, ReadError, Request, nearest};
use serde::Deserialize;

use crate::check::objects;
use crate::inputs;
use crate::selector::{self, Selector};

/// The profiles that are built in, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("baseline", include_str!("../../../profiles/baseline.yaml")),
    ("herald", include_str!("../../../profiles/herald.yaml")),
];

/// A set of policies with their settings.
#[derive(Debug)]
pub struct Profile {
    /// The policies, in the order of the profile.
    pub policies: Vec<ProfilePolicy>,
}

/// A policy of a profile.
#[derive(Debug)]
pub struct ProfilePolicy {
    /// Its name in the profile.
    pub name: String,
    evaluator: Evaluator,
    rules: Vec<MatchRule>,
    namespace_selector: Selector,
    object_selector: Selector,
    /// An `AdmissionPolicy` judges its own namespace only.
    namespace: Option<String>,
    /// With `matchPolicy: Exact` it judges the versions alone that its rules name.
    exact: bool,
    /// In `mode: monitor` the cluster accepts whatever the policy says; here its findings are warnings.
    monitor: bool,
}

/// Why a profile cannot be used.
#[derive(Debug)]
pub struct ProfileError {
    /// The file, or the name of the profile.
    pub profile: String,
    /// What is wrong, and where.
    pub reason: String,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {}: {}", self.profile, self.reason)
    }
}

impl std::error::Error for ProfileError {}

/// A rule of a policy: which requests it judges
/// (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules>).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MatchRule {
    api_groups: Vec<String>,
    api_versions: Vec<String>,
    resources: Vec<String>,
    operations: Vec<String>,
    scope: Option<String>,
}

impl MatchRule {
    /// Finds what would match nothing, as the controller does (`validateRulesField` in
    /// <https://github.com/kubewarden/kubewarden-controller/blob/main/api/policies/v1/policy_validation.go>): the field, and
    /// what is expected of it.
    fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        const OPERATIONS: [&str; 5] = ["CREATE", "UPDATE", "DELETE", "CONNECT", "*"];
        if self.api_groups.is_empty() {
            return Err(("apiGroups", "at least one; that of pods and services is \"\""));
        }
        if self.api_versions.is_empty() {
            return Err(("apiVersions", "at least one, such as v1"));
        }
        if self.resources.is_empty() || self.resources.iter().any(|of| of.bytes().any(|of| of.is_ascii_uppercase())) {
            return Err(("resources", "plural names in small letters, such as pods"));
        }
        if self.operations.is_empty() || self.operations.iter().any(|of| !OPERATIONS.contains(&of.as_str())) {
            return Err(("operations", "some of CREATE, UPDATE, DELETE, CONNECT and *"));
        }
        match self.scope.as_deref() {
            None | Some("Cluster" | "Namespaced" | "*") => Ok(()),
            Some(_) => Err(("scope", "Cluster, Namespaced or *")),
        }
    }

    /// Whether it matches the creation of an object, in its own version or in any.
    fn matches_create(&self, target: &Target<'_>, any_version: bool) -> bool {
        let any = |list: &[String], value: &str| list.iter().any(|listed| listed == "*" || listed == value);
        any(&self.api_groups, target.group)
            && (any_version || any(&self.api_versions, target.version))
            && any(&self.operations, "CREATE")
            // `*/*` is every resource with its subresources; `pods/*` is every subresource of pods, not the pods.
            && self.resources.iter().any(|listed| listed == "*" || listed == "*/*" || *listed == target.resource)
            && match self.scope.as_deref() {
                Some("Namespaced") => target.namespaced,
                Some("Cluster") => !target.namespaced,
                _ => true,
            }
    }
}

/// The fields of a policy's `spec` (<https://docs.kubewarden.io/reference/CRDs>).
const SPEC_FIELDS: &[&str] = &[
    "backgroundAudit",
    "contextAwareResources",
    "failurePolicy",
    "matchConditions",
    "matchPolicy",
    "message",
    "mode",
    "module",
    "mutating",
    "namespaceSelector",
    "objectSelector",
    "policyServer",
    "rules",
    "settings",
    "sideEffects",
    "timeoutEvalSeconds",
    "timeoutSeconds",
];

/// A field of a `spec` that is none, but much like one: what is written there would count for nothing.
fn mistyped(spec: &Node<'_>) -> Option<(String, &'static str)> {
    let Data::Object(members) = &spec.data else { return None };
    let unknown = members.iter().map(|member| &*member.key).filter(|key| !SPEC_FIELDS.contains(key));
    unknown.into_iter().find_map(|key| Some((key.to_owned(), nearest(key, SPEC_FIELDS.iter().copied())?)))
}

/// An object that is to be judged, with what decides which policies do.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// Its API group.
    pub group: &'t str,
    /// Its API version.
    pub version: &'t str,
    /// Its kind's plural name.
    pub resource: &'t str,
    /// Whether objects of its kind live in namespaces.
    pub namespaced: bool,
    /// The request that creates it.
    pub request: Request<'t>,
}

/// The labels of namespaces, as far as they are known.
pub trait Namespaces {
    /// A label of a namespace.
    fn label(&self, namespace: &str, key: &str) -> Option<&str>;
}

impl ProfilePolicy {
    /// Whether the policy judges an object.
    pub fn matches(&self, target: &Target<'_>, namespaces: &impl Namespaces) -> bool {
        self.selects(target, namespaces, false)
    }

    /// Whether the policy would judge an object in another version, to which an API server converts it (`matchPolicy:
    /// Equivalent`, the default).
    pub fn matches_converted(&self, target: &Target<'_>, namespaces: &impl Namespaces) -> bool {
        !self.exact && self.selects(target, namespaces, true)
    }

    fn selects(&self, target: &Target<'_>, namespaces: &impl Namespaces, any_version: bool) -> bool {
        self.rules.iter().any(|rule| rule.matches_create(target, any_version))
            && self.namespace.as_ref().is_none_or(|namespace| namespace == target.request.namespace)
            && (self.object_selector.is_empty()
                || self.object_selector.matches(|key| selector::label(target.request.object, key)))
            && (self.namespace_selector.is_empty() || self.selects_namespace(target, namespaces))
    }

    /// A namespace is selected by its own labels, other objects of the cluster always.
    fn selects_namespace(&self, target: &Target<'_>, namespaces: &impl Namespaces) -> bool {
        let request = &target.request;
        if request.is("", "Namespace") {
            return self.namespace_selector.matches(|key| {
                if key == NAME_LABEL { Some(request.name) } else { selector::label(request.object, key) }
            });
        }
        !target.namespaced
            || self.namespace_selector.matches(|key| {
                if key == NAME_LABEL { Some(request.namespace) } else { namespaces.label(request.namespace, key) }
            })
    }

    /// Judges an object.
    ///
    /// # Errors
    /// Where the object cannot be read, or the module fails.
    pub fn evaluate(&self, target: &Target<'_>) -> Result<Vec<Finding>, gatehouse_engine::EvaluationError> {
        let mut findings = self.evaluator.evaluate(&target.request)?;
        if self.monitor {
            for finding in &mut findings {
                finding.level = Level::Warn;
            }
        }
        Ok(findings)
    }

    /// Whether labels of an object's namespace, which only its manifest tells, decide whether the policy judges the object.
    #[must_use]
    pub fn asks_its_namespace(&self, target: &Target<'_>) -> bool {
        self.needs_namespaces() && self.rules.iter().any(|rule| rule.matches_create(target, false))
    }

    /// Whether it looks at labels of namespaces that only their manifests tell.
    #[must_use]
    pub fn needs_namespaces(&self) -> bool {
        self.namespace_selector.asks_beyond(NAME_LABEL)
    }
}

/// The label that the API server gives every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// How a profile's policies are run.
pub trait Runner {
    /// The evaluator for a policy's `module`, and the rules its metadata gives.
    ///
    /// # Errors
    /// Where there is no such module, or it refuses the settings.
    fn evaluator(&self, module: &str, folder: Option<&Path>, settings: &Node<'_>) -> Result<Evaluator, String>;
}

/// A policy's manifest (<https://docs.kubewarden.io/reference/CRDs>), as far as the checker reads it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Manifest<'m> {
    api_version: &'m str,
    kind: &'m str,
    #[serde(borrow)]
    metadata: Metadata<'m>,
    spec: Spec<'m>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata<'m> {
    name: &'m str,
    namespace: &'m str,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec<'m> {
    module: &'m str,
    mode: &'m str,
    match_policy: &'m str,
    rules: Option<Vec<MatchRule>>,
    namespace_selector: Selector,
    object_selector: Selector,
    match_conditions: Vec<MatchCondition<'m>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MatchCondition<'m> {
    name: &'m str,
}

impl Profile {
    /// Loads a built-in profile, a file, or every manifest of a folder.
    ///
    /// # Errors
    /// Where there is no such profile, or one of its policies cannot be used; all that is wrong with it.
    pub fn load(name: &str, runner: &impl Runner) -> Result<Self, Vec<ProfileError>> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            let mut loader =
                Loader { runner, profile: name.to_owned(), folder: None, policies: vec![], errors: vec![] };
            loader.read(text.as_bytes());
            return loader.finish();
        }
        let path = PathBuf::from(name);
        let found = inputs::Inputs::search(std::slice::from_ref(&path));
        let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
        let mut loader = Loader { runner, profile: name.to_owned(), folder, policies: vec![], errors: vec![] };
        for (path, reason) in found.errors {
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let help = format!("{reason}; the built-in profiles are {}", known.join(" and "));
            loader.errors.push(ProfileError { profile: path.display().to_string(), reason: help });
        }
        for input in found.inputs {
            loader.profile = input.name();
            match input.read() {
                Ok(bytes) => loader.read(&bytes),
                Err(error) => loader.error(inputs::reason(&error)),
            }
        }
        loader.finish()
    }

    /// A profile of one module alone, which judges what its metadata says.
    #[must_use]
    pub fn of(name: String, evaluator: Evaluator) -> Self {
        let policy = ProfilePolicy {
            rules: metadata_rules(&evaluator),
            name,
            evaluator,
            namespace_selector: Selector::default(),
            object_selector: Selector::default(),
            namespace: None,
            exact: false,
            monitor: false,
        };
        Self { policies: vec![policy] }
    }
}

/// The rules of a policy's own metadata.
fn metadata_rules(evaluator: &Evaluator) -> Vec<MatchRule> {
    evaluator.metadata().and_then(|metadata| serde_json::from_value(metadata["rules"].clone()).ok()).unwrap_or_default()
}

struct Loader<'l, R> {
    runner: &'l R,
    profile: String,
    folder: Option<&'l Path>,
    policies: Vec<ProfilePolicy>,
    errors: Vec<ProfileError>,
}

impl<R: Runner> Loader<'_, R> {
    fn error(&mut self, reason: String) {
        self.errors.push(ProfileError { profile: self.profile.clone(), reason });
    }

    fn read(&mut self, bytes: &[u8]) {
        let text = match decode(bytes) {
            Ok(text) => text,
            Err(error) => return self.error(error.to_string()),
        };
        for document in read(&text, Format::Detect) {
            let document = match document {
                Ok(document) => document,
                Err(error) => {
                    self.error(error.to_string());
                    continue;
                }
            };
            for object in objects(&document.node) {
                if let Err((at, reason)) = self.policy(&object) {
                    let (nearest, _) = object.nearest(&at);
                    let span = nearest.node.span;
                    self.error(format!("line {}, column {}: {reason}", span.line, span.column));
                }
            }
        }
    }

    fn policy(&mut self, node: &Node<'_>) -> Result<(), (gatehouse_policy::Path, String)> {
        let at = |keys: &[&'static str]| gatehouse_policy::Path::of(keys);
        let unreadable = |error: ReadError| (error.path.clone(), error.to_string());
        let manifest: Manifest<'_> = node.view().map_err(unreadable)?;
        if !manifest.api_version.starts_with("policies.kubewarden.io/") {
            // A folder may hold more than policies, such as the namespaces they are installed in.
            return Ok(());
        }
        let namespace = match manifest.kind {
            "ClusterAdmissionPolicy" => None,
            "AdmissionPolicy" if manifest.metadata.namespace.is_empty() => Some("default".to_owned()),
            "AdmissionPolicy" => Some(manifest.metadata.namespace.to_owned()),
            "PolicyServer" => return Ok(()),
            other => {
                let reason = format!("expected a ClusterAdmissionPolicy or an AdmissionPolicy, found a {other}");
                return Err((at(&["kind"]), reason));
            }
        };
        let name = manifest.metadata.name.to_owned();
        if name.is_empty() {
            return Err((at(&["metadata"]), "metadata.name: it is required".to_owned()));
        }
        let spec = manifest.spec;
        if let Some((field, near)) = node.get("spec").and_then(mistyped) {
            let reason = format!("policy {name}: spec.{field}: there is no such field; did you mean {near:?}?");
            return Err((at(&["spec"]).key(field), reason));
        }
        for (index, rule) in spec.rules.iter().flatten().enumerate() {
            if let Err((field, expected)) = rule.validate() {
                let path = at(&["spec", "rules"]).index(index).key(field);
                return Err((path, format!("policy {name}: spec.rules[{index}].{field}: expected {expected}")));
            }
        }
        if spec.rules.as_ref().is_some_and(Vec::is_empty) {
            return Err((at(&["spec", "rules"]), format!("policy {name}: spec.rules: expected at least one")));
        }
        if let Some(condition) = spec.match_conditions.first() {
            let reason = format!("policy {name}: matchConditions ({:?}) are not evaluated yet", condition.name);
            return Err((at(&["spec", "matchConditions"]), reason));
        }
        if spec.module.is_empty() {
            return Err((at(&["spec"]), format!("policy {name}: spec.module: it is required")));
        }
        if !matches!(spec.mode, "" | "protect" | "monitor") {
            let reason = format!("policy {name}: spec.mode: expected protect or monitor, found {:?}", spec.mode);
            return Err((at(&["spec", "mode"]), reason));
        }
        let empty = Node::empty();
        let settings = node.descend(&["spec", "settings"]).unwrap_or(&empty);
        let evaluator = self
            .runner
            .evaluator(spec.module, self.folder, settings)
            .map_err(|reason| (at(&["spec", "settings"]), format!("policy {name}: {reason}")))?;
        self.policies.push(ProfilePolicy {
            rules: spec.rules.unwrap_or_else(|| metadata_rules(&evaluator)),
            name,
            evaluator,
            namespace_selector: spec.namespace_selector,
            object_selector: spec.object_selector,
            namespace,
            exact: spec.match_policy == "Exact",
            monitor: spec.mode == "monitor",
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Profile, Vec<ProfileError>> {
        if self.policies.is_empty() && self.errors.is_empty() {
            self.error("it holds no ClusterAdmissionPolicy".to_owned());
        }
        if self.errors.is_empty() { Ok(Profile { policies: self.policies }) } else { Err(self.errors) }
    }
}
