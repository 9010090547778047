//! Profiles: which policies judge which objects, by which settings. A profile is a set of Kubewarden's
//! `ClusterAdmissionPolicy` and `AdmissionPolicy` manifests, the same that are applied to a cluster.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use gatehouse_engine::{Asks, EvaluationError, Evaluator, Known, Outcome};
use gatehouse_manifest::{Format, SyntaxError, decode, read};
use gatehouse_policy::node::{Data, Member, Span};
use gatehouse_policy::{File, FileError, Finding, Level, Node, ReadError, Request, nearest, split_api_version};
use globset::{GlobBuilder, GlobSet};
use serde::Deserialize;

use crate::check::{Problem, point};
use crate::document::objects;
use crate::inputs;
use crate::selector::{self, Selector};

/// The profiles that are built in, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("baseline", include_str!("../../../profiles/baseline.yaml")),
    ("strict", include_str!("../../../profiles/strict.yaml")),
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
    /// A version that its rules leave to the API server to convert, and that it reads in files.
    also_reads: Option<String>,
    /// Names of the files that it judges beside objects.
    files: GlobSet,
    /// In `mode: monitor` the cluster accepts whatever the policy says; here its findings are warnings.
    monitor: bool,
}

/// Why a profile cannot be used.
#[derive(Debug)]
pub struct ProfileError {
    /// The file, or the name of the profile.
    pub profile: String,
    /// Where in it; all zero where it is the profile as a whole.
    pub span: Span,
    /// The field at fault, if it is one of an object.
    pub path: Option<gatehouse_policy::Path>,
    /// What is wrong.
    pub reason: String,
}

impl ProfileError {
    /// An error of a profile as a whole.
    #[must_use]
    pub fn of(profile: String, reason: String) -> Self {
        Self { profile, span: Span::default(), path: None, reason }
    }

    /// As what could not be checked.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        let Self { profile, span, path, reason } = self;
        Problem { file: profile, span, path, message: reason, ..Problem::default() }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {}: ", self.profile)?;
        if self.span.line > 0 {
            write!(f, "line {}, column {}: ", self.span.line, self.span.column)?;
        }
        f.write_str(&self.reason)
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

/// The fields of a policy (<https://github.com/kubewarden/kubewarden-controller/blob/main/api/policies/v1/policy_types.go>).
const FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

/// The fields of a policy's `spec` (`PolicySpec` there).
const SPEC_FIELDS: &[&str] = &[
    "backgroundAudit",
    "failurePolicy",
    "matchConditions",
    "matchPolicy",
    "message",
    "mode",
    "module",
    "mutating",
    "objectSelector",
    "policyServer",
    "rules",
    "settings",
    "sideEffects",
    "timeoutEvalSeconds",
    "timeoutSeconds",
];

/// Those that only the `spec` of a `ClusterAdmissionPolicy` has (`ClusterAdmissionPolicySpec` in
/// <https://github.com/kubewarden/kubewarden-controller/blob/main/api/policies/v1/clusteradmissionpolicy_types.go>).
const CLUSTER_FIELDS: &[&str] =
    &["allowInsideAdmissionControllerNamespace", "contextAwareResources", "namespaceSelector"];

/// The fields of a rule
/// (<https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/validating-webhook-configuration-v1/>).
const RULE_FIELDS: &[&str] = &["apiGroups", "apiVersions", "operations", "resources", "scope"];

/// A field at fault, and what is wrong with it.
type Fault = (gatehouse_policy::Path, String);

/// Refuses fields that a policy does not have: an API server refuses them, or else what is written there counts for nothing.
fn known_fields(policy: &Node<'_>, of_cluster: bool) -> Result<(), Fault> {
    let root = gatehouse_policy::Path::root();
    refuse_unknown(policy, root.clone(), &[FIELDS])?;
    if let (false, Some(Data::Object(spec))) = (of_cluster, policy.get("spec").map(|spec| &spec.data))
        && let Some(member) = spec.iter().find(|member| CLUSTER_FIELDS.contains(&&*member.key))
    {
        let reason = "an AdmissionPolicy has no such field, only a ClusterAdmissionPolicy".to_owned();
        return Err((root.key("spec").key(member.key.clone().into_owned()), reason));
    }
    refuse_unknown(policy, root.key("spec"), &[SPEC_FIELDS, CLUSTER_FIELDS])
}

/// Refuses fields other than the known ones of what stands at a path.
fn refuse_unknown(policy: &Node<'_>, path: gatehouse_policy::Path, known: &[&[&'static str]]) -> Result<(), Fault> {
    let (found, true) = policy.nearest(&path) else { return Ok(()) };
    let Data::Object(members) = &found.node.data else { return Ok(()) };
    let known = || known.iter().copied().flatten().copied();
    let unknown = |member: &&Member<'_>| known().all(|known| known != member.key);
    let Some(Member { key, .. }) = members.iter().find(unknown) else { return Ok(()) };
    let help = nearest(key, known()).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    Err((path.key(key.clone().into_owned()), format!("there is no such field{help}")))
}

/// An object that is to be judged, with what decides which policies do.
#[derive(Clone, Debug)]
pub struct Target<'t> {
    /// Its API group.
    pub group: &'t str,
    /// Its API version.
    pub version: &'t str,
    /// Its kind's plural name.
    pub resource: Cow<'t, str>,
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
        let is_read =
            !self.exact && self.also_reads.as_deref().map(split_api_version) == Some((target.group, target.version));
        self.selects(target, namespaces, is_read)
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

    /// Judges an object, as far as that is possible before it is known what is around it.
    ///
    /// # Errors
    /// Where the object cannot be read, or the module fails.
    pub fn evaluate(&self, target: &Target<'_>, known: &Known) -> Result<Outcome, EvaluationError> {
        Ok(match self.evaluator.evaluate(&target.request, known)? {
            Outcome::Findings(findings) => Outcome::Findings(self.weighed(findings)),
            pending @ Outcome::Pending(_) => pending,
        })
    }

    /// Whether it judges a file that is no object.
    #[must_use]
    pub fn judges_file(&self, path: &Path) -> bool {
        !self.files.is_empty() && self.files.is_match(path)
    }

    /// Judges a file that is no object.
    ///
    /// # Errors
    /// Where the file is not what its name says.
    pub fn evaluate_file(&self, file: &File<'_>) -> Result<Vec<Finding>, FileError> {
        self.evaluator.evaluate_file(file).map(|findings| self.weighed(findings))
    }

    /// Findings at the levels that they have here.
    pub(crate) fn weighed(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        if self.monitor {
            for finding in &mut findings {
                finding.level = Level::Warn;
            }
        }
        findings
    }

    /// Adds the kinds of objects that it asks for.
    pub(crate) fn add_asks(&self, asks: &mut Asks) {
        self.evaluator.add_asks(asks);
    }

    /// Whether it is run as a module.
    pub(crate) fn is_module(&self) -> bool {
        self.evaluator.is_module()
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
    failure_policy: &'m str,
    mutating: bool,
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

impl Spec<'_> {
    /// Finds what an API server or the controller refuses, or the checker cannot do.
    fn validate(&self) -> Result<(), Fault> {
        let at = |field: &'static str| gatehouse_policy::Path::of(&["spec", field]);
        for (index, rule) in self.rules.iter().flatten().enumerate() {
            if let Err((field, expected)) = rule.validate() {
                return Err((at("rules").index(index).key(field), format!("expected {expected}")));
            }
        }
        if self.rules.as_ref().is_some_and(Vec::is_empty) {
            return Err((at("rules"), "expected at least one".to_owned()));
        }
        if let Some(condition) = self.match_conditions.first() {
            return Err((at("matchConditions"), format!("they are not evaluated yet ({:?})", condition.name)));
        }
        if self.module.is_empty() {
            return Err((at("module"), "it is required".to_owned()));
        }
        for (field, value, [one, other]) in [
            ("mode", self.mode, ["protect", "monitor"]),
            ("matchPolicy", self.match_policy, ["Equivalent", "Exact"]),
            ("failurePolicy", self.failure_policy, ["Fail", "Ignore"]),
        ] {
            if !["", one, other].contains(&value) {
                return Err((at(field), format!("expected {one} or {other}, found {value:?}")));
            }
        }
        Ok(())
    }
}

impl Profile {
    /// Whether a policy judges a file that is no object. A manifest is one whatever its name.
    #[must_use]
    pub fn judges_file(&self, path: &Path) -> bool {
        !inputs::is_manifest(path) && self.policies.iter().any(|policy| policy.judges_file(path))
    }

    /// The kinds of objects that its policies ask for.
    #[must_use]
    pub fn asks(&self) -> Asks {
        let mut asks = Asks::default();
        self.policies.iter().for_each(|policy| policy.add_asks(&mut asks));
        asks
    }

    /// Whether some of its policies are run as modules, which ask what is around an object while they judge it.
    #[must_use]
    pub fn has_modules(&self) -> bool {
        self.policies.iter().any(ProfilePolicy::is_module)
    }

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
        let found = inputs::Inputs::search(std::slice::from_ref(&path), &|_| false);
        let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
        let mut loader = Loader { runner, profile: name.to_owned(), folder, policies: vec![], errors: vec![] };
        for (path, reason) in found.errors {
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let help = format!("{reason}; the built-in profiles are {}", known.join(", "));
            loader.errors.push(ProfileError::of(path.display().to_string(), help));
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
            also_reads: also_reads(&evaluator),
            files: files(&evaluator),
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

/// The version beside those of its rules that a policy reads.
fn also_reads(evaluator: &Evaluator) -> Option<String> {
    let metadata = evaluator.metadata()?;
    metadata["annotations"]["io.gatehouse.policy.alsoReads"].as_str().map(str::to_owned)
}

/// The names of the files that a policy judges, under `files` in its metadata: without a folder in any.
fn files(evaluator: &Evaluator) -> GlobSet {
    let metadata = evaluator.metadata().unwrap_or_default();
    let names = metadata["files"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let mut set = GlobSet::builder();
    for name in names {
        let pattern = if name.starts_with("**/") { name.to_owned() } else { format!("**/{name}") };
        if let Ok(glob) = GlobBuilder::new(&pattern).literal_separator(true).build() {
            set.add(glob);
        }
    }
    set.build().unwrap_or_default()
}

/// Whether the setting `fix` is one by which the policy changes objects: it is in all of Gatehouse's, and in others that can.
fn has_fix_setting(evaluator: &Evaluator) -> bool {
    evaluator.metadata().is_some_and(|metadata| {
        let title = metadata["annotations"]["io.kubewarden.policy.title"].as_str();
        metadata["mutating"] == true || title.is_some_and(|title| gatehouse_engine::policy(title).is_some())
    })
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
        self.errors.push(ProfileError::of(self.profile.clone(), reason));
    }

    fn error_at(&mut self, span: Span, path: Option<gatehouse_policy::Path>, reason: String) {
        self.errors.push(ProfileError { profile: self.profile.clone(), span, path, reason });
    }

    fn syntax_error(&mut self, error: SyntaxError) {
        self.error_at(point(error.line, error.column), None, error.message);
    }

    fn read(&mut self, bytes: &[u8]) {
        let text = match decode(bytes) {
            Ok(text) => text,
            Err(error) => return self.syntax_error(error),
        };
        for document in read(&text, Format::Detect) {
            let document = match document {
                Ok(document) => document,
                Err(error) => {
                    self.syntax_error(error);
                    continue;
                }
            };
            for object in objects(&document.node) {
                if let Err((at, reason)) = self.policy(&object) {
                    let (nearest, _) = object.nearest(&at);
                    let span = nearest.node.span;
                    self.error_at(span, Some(at), reason);
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
        let refused = |(path, reason): (gatehouse_policy::Path, String)| {
            let reason = format!("policy {name}: {path}: {reason}");
            (path, reason)
        };
        known_fields(node, namespace.is_none()).and_then(|()| spec.validate()).map_err(refused)?;
        for index in 0..spec.rules.as_ref().map_or(0, Vec::len) {
            refuse_unknown(node, at(&["spec", "rules"]).index(index), &[RULE_FIELDS]).map_err(refused)?;
        }
        let empty = Node::empty();
        let settings = node.descend(&["spec", "settings"]).unwrap_or(&empty);
        let evaluator = self
            .runner
            .evaluator(spec.module, self.folder, settings)
            .map_err(|reason| (at(&["spec", "settings"]), format!("policy {name}: {reason}")))?;
        // A policy server refuses every answer that would change an object where the policy may not (`AdmissionResponseHandler`
        // in https://github.com/kubewarden/kubewarden-controller/blob/main/crates/policy-evaluator/src/admission_response_handler.rs).
        let fixes = settings.get("fix").is_some_and(|fix| matches!(fix.data, Data::Bool(true)));
        if fixes && !spec.mutating && has_fix_setting(&evaluator) {
            let found = if node.descend(&["spec", "mutating"]).is_some() { "is false" } else { "is not set" };
            let reason = format!(
                "it is true and spec.mutating {found}: a policy server would refuse every object that the policy fixes; \
                 set mutating: true, or remove fix"
            );
            return Err(refused((at(&["spec", "settings", "fix"]), reason)));
        }
        self.policies.push(ProfilePolicy {
            rules: spec.rules.unwrap_or_else(|| metadata_rules(&evaluator)),
            also_reads: also_reads(&evaluator),
            files: files(&evaluator),
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
