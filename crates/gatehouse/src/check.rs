//! Checks files: reads each, finds its objects, and judges them by a profile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path as FilePath;

use gatehouse_engine::{EvaluationError, is_namespaced, removed, resource};
use gatehouse_manifest::{Document, Format, decode, read};
use gatehouse_policy::node::{Data, Span};
use gatehouse_policy::{Fix, Level, Node, Path, ReadError, Request, require_containers, split_api_version};
use rayon::prelude::*;
use serde::Serialize;

use crate::document::{Held, Refusal, elsewhere, held, is_other_json, objects, piece};
use crate::inputs::{Input, reason};
use crate::kustomize::Patches;
use crate::profile::{Namespaces, Profile, Target};
use crate::report::{Output, Render, Rendered};
use crate::source::Source;

/// How many files are judged before what was found in them is printed. It bounds the memory, whatever the number of
/// files, and is large enough to keep every core busy.
const BATCH: usize = 512;

/// The namespace of objects that name none, as kubectl's.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Something a policy found, with its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Located {
    /// The policy's name in the profile.
    pub policy: String,
    /// The rule, with the name of the policy that has it.
    pub rule: String,
    /// How much it weighs.
    pub level: Level,
    /// What is wrong and what was expected. May hold any text of the file.
    pub message: String,
    /// The field at fault.
    pub path: Path,
    /// The file.
    pub file: String,
    /// Which of the file's documents, from 0.
    pub document: usize,
    /// Where the field is, or its nearest ancestor that is there.
    #[serde(flatten)]
    pub span: Span,
    /// The object.
    pub object: ObjectName,
    /// What would mend it.
    pub fix: Option<Fix>,
    /// What of the field is there to be shown, and whether all of it is.
    #[serde(skip)]
    pub shown: Shown,
    /// Where what stands at `span` is a secret, which no report shows.
    #[serde(skip)]
    pub secret: Option<Secret>,
}

/// What must not be shown beside what stands at a place: the texts that an alias there stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret(pub Vec<String>);

impl Secret {
    /// What is below a node. Texts of a few characters would hide half of the file.
    pub(crate) fn of(node: &Node<'_>) -> Self {
        const SHORTEST: usize = 4;
        fn collect(node: &Node<'_>, texts: &mut Vec<String>) {
            match &node.data {
                Data::String(text) => texts.push(text.trim().to_owned()),
                Data::Number(number) => texts.push(number.to_string()),
                Data::Array(items) => items.iter().for_each(|item| collect(item, texts)),
                Data::Object(members) => members.iter().for_each(|member| collect(&member.value, texts)),
                _ => {}
            }
        }
        let mut texts = Vec::new();
        collect(node, &mut texts);
        texts.retain(|text| text.len() >= SHORTEST);
        Self(texts)
    }
}

/// What a report underlines for a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The field's value, or the name of its nearest ancestor that is there.
    pub span: Span,
    /// Whether the field is absent.
    pub absent: bool,
}

/// What an object is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for an object of the cluster.
    pub namespace: String,
    /// Its name, or `generateName`.
    pub name: String,
}

/// Why something could not be checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Where in the file; all zero where it is the file as a whole.
    pub span: Span,
    /// The field at fault, if it is one of an object.
    pub path: Option<Path>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where what stands at `span` may be a secret, which no report shows.
    pub secret: Option<Secret>,
}

impl Problem {
    /// A problem of a file as a whole.
    #[must_use]
    pub fn of_file(file: String, message: String) -> Self {
        Self { file, message, ..Self::default() }
    }
}

/// What came of one file.
#[derive(Clone, Debug, Default)]
pub struct FileReport {
    /// The findings, by document, position and rule.
    pub findings: Vec<Located>,
    /// What could not be checked.
    pub problems: Vec<Problem>,
    /// What is no Kubernetes object, each with its place and why it is none.
    pub skipped: Vec<String>,
    /// Patches of Kustomize, each with its place.
    pub patches: Vec<String>,
    /// The folder of the kustomization that names the file as a patch.
    pub kustomization: Option<String>,
    /// How many objects were checked.
    pub objects: usize,
    /// Objects that no policy judged.
    pub not_judged: Vec<NotJudged>,
    /// What is to be said of it whether or not anybody asks: that there is nothing in it.
    pub note: Option<String>,
    /// Namespaces of its objects whose labels a policy asked for, and of which no manifest is among the files.
    pub unknown_namespaces: BTreeSet<String>,
}

/// An object that no policy judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJudged {
    /// Its kind.
    pub kind: KindName,
    /// Its place and name, for people.
    pub name: String,
}

/// The name of a kind, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KindName {
    /// Its kind.
    pub kind: String,
    /// Its API group; empty for the core group.
    pub group: String,
}

impl FileReport {
    /// The report of a file that cannot be read.
    fn unread(file: String, span: Span, message: String) -> Self {
        Self { problems: vec![Problem { file, span, message, ..Problem::default() }], ..Self::default() }
    }
}

/// What came of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were read.
    pub files: usize,
    /// Objects that were checked.
    pub objects: usize,
    /// Findings that refuse.
    pub denied: usize,
    /// Findings that warn.
    pub warned: usize,
    /// What could not be checked.
    pub problems: usize,
    /// How many objects of which kinds no policy judged.
    pub not_judged: BTreeMap<KindName, usize>,
    /// Documents that are no Kubernetes objects.
    pub skipped: usize,
    /// Patches of Kustomize.
    pub patches: usize,
    /// Files that are skipped because they are hidden.
    pub hidden: usize,
}

impl Summary {
    fn add(&mut self, report: &FileReport) {
        self.files += 1;
        self.objects += report.objects;
        self.problems += report.problems.len();
        self.skipped += report.skipped.len();
        self.patches += report.patches.len();
        for object in &report.not_judged {
            *self.not_judged.entry(object.kind.clone()).or_default() += 1;
        }
        let denied = report.findings.iter().filter(|finding| finding.level == Level::Deny).count();
        self.denied += denied;
        self.warned += report.findings.len() - denied;
    }
}

/// Checks by one profile.
#[derive(Debug)]
pub struct Checker<'c> {
    /// The policies.
    pub profile: &'c Profile,
    /// The namespace of objects that name none.
    pub namespace: &'c str,
    /// The labels of the namespaces among the files.
    pub namespaces: KnownNamespaces,
    /// The files that are no whole objects.
    pub patches: Patches,
}

/// Labels of namespaces, from their manifests.
#[derive(Clone, Debug, Default)]
pub struct KnownNamespaces(HashMap<String, HashMap<String, String>>);

impl Namespaces for KnownNamespaces {
    fn label(&self, namespace: &str, key: &str) -> Option<&str> {
        self.0.get(namespace)?.get(key).map(String::as_str)
    }
}

impl KnownNamespaces {
    /// Reads the files once for the namespaces in them.
    #[must_use]
    pub fn among(inputs: &[Input]) -> Self {
        let found = inputs.par_iter().map(|input| {
            let mut known = HashMap::new();
            let Ok(bytes) = input.read() else { return known };
            let Ok(text) = decode(&bytes) else { return known };
            if !text.contains("Namespace") {
                return known;
            }
            for document in read(&text, Format::Detect).filter_map(Result::ok) {
                for object in objects(&document.node) {
                    let text = |keys: &[&str]| object.descend(keys).and_then(Node::as_str);
                    if text(&["kind"]) == Some("Namespace") && text(&["apiVersion"]) == Some("v1") {
                        let labels = match object.descend(&["metadata", "labels"]).map(|node| &node.data) {
                            Some(Data::Object(labels)) => &labels[..],
                            _ => &[],
                        };
                        let labels = labels
                            .iter()
                            .filter_map(|label| Some((label.key.to_string(), label.value.as_str()?.to_owned())))
                            .collect();
                        known.insert(text(&["metadata", "name"]).unwrap_or_default().to_owned(), labels);
                    }
                }
            }
            known
        });
        Self(found.reduce(HashMap::new, |mut all, some| {
            all.extend(some);
            all
        }))
    }
}

impl Checker<'_> {
    /// Checks all files, in parallel, and hands what was found to the output in the order of the files.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn run<R: Render>(&self, inputs: &[Input], render: &R, output: &mut Output<'_, R>) -> std::io::Result<Summary> {
        let mut summary = Summary::default();
        for batch in inputs.chunks(BATCH) {
            let reports: Vec<(FileReport, Rendered)> =
                batch.par_iter().map(|input| self.render(input, render)).collect();
            for (report, rendered) in reports {
                summary.add(&report);
                output.file(&report, rendered)?;
            }
        }
        Ok(summary)
    }

    /// Checks a file, and renders what was found while its text is at hand.
    fn render(&self, input: &Input, render: &impl Render) -> (FileReport, Rendered) {
        let name = input.name();
        let bytes = match input.read() {
            Ok(bytes) => bytes,
            Err(error) => {
                let report = FileReport::unread(name, Span::default(), reason(&error));
                let rendered = Rendered::of(&report, "", render);
                return (report, rendered);
            }
        };
        let (report, text) = match decode(&bytes) {
            Ok(text) => (self.check(input, &name, &text), text),
            Err(error) => {
                let span = point(error.line, error.column);
                (FileReport::unread(name, span, error.message), String::from_utf8_lossy(&bytes))
            }
        };
        let rendered = Rendered::of(&report, &text, render);
        (report, rendered)
    }

    /// Checks the text of a file.
    #[must_use]
    pub fn check(&self, input: &Input, name: &str, text: &str) -> FileReport {
        let mut report = FileReport::default();
        if let Some(help) = helm_template(input, text) {
            report.problems.push(Problem {
                file: name.to_owned(),
                message: "this is a Helm template, and no manifest until it is rendered".to_owned(),
                help: Some(help),
                ..Problem::default()
            });
            return report;
        }
        let source = Source::new(name, input.path(), text);
        if let Some(folder) = input.path().and_then(|path| self.patches.folder(path)) {
            report.kustomization = Some(folder.display().to_string());
            report.patches = vec![format!("{name}: a patch of {}", folder.display())];
            return report;
        }
        let mut template = None;
        for document in read(text, Format::Detect) {
            match document {
                Ok(document) => self.check_document(&source, &document, &mut report),
                Err(error) => report.problems.push(Problem {
                    file: name.to_owned(),
                    span: point(error.line, error.column),
                    message: error.message,
                    help: template
                        .get_or_insert_with(|| is_template(text))
                        .then(|| "it looks like a template: render it, and check the result".to_owned()),
                    ..Problem::default()
                }),
            }
        }
        if report.objects == 0 && !report.problems.is_empty() && is_json(input) && is_other_json(text) {
            report.problems.clear();
            let reason = "it is no JSON that Kubernetes reads, and has no apiVersion";
            report.skipped = vec![format!("{name}:1: no Kubernetes object: {reason}")];
        }
        if report.objects == 0
            && report.problems.is_empty()
            && report.not_judged.is_empty()
            && report.skipped.is_empty()
        {
            report.note = Some(format!("{name}: there is nothing to check in this file"));
        }
        report.findings.sort_by(|a, b| {
            let key = |of: &Located| (of.document, of.span.line, of.span.column);
            key(a).cmp(&key(b)).then_with(|| a.rule.cmp(&b.rule)).then_with(|| a.path.cmp(&b.path))
        });
        report
    }

    fn check_document(&self, source: &Source<'_>, document: &Document<'_>, report: &mut FileReport) {
        for object in objects(&document.node) {
            let object = &*object;
            match held(object, source.path) {
                Held::Nothing => {}
                Held::Other(reason) => {
                    let line = object.span.line.max(1);
                    report.skipped.push(format!("{}:{line}: no Kubernetes object: {reason}", source.name));
                }
                Held::Refused(refusal) => report.problems.push(source.refused(object, refusal)),
                Held::Object => {
                    if let Err(error) = self.judge(source, document.index, object, report) {
                        report.problems.push(source.unreadable(object, &error));
                    }
                }
            }
        }
    }

    fn judge(
        &self,
        source: &Source<'_>,
        document: usize,
        object: &Node<'_>,
        report: &mut FileReport,
    ) -> Result<(), ReadError> {
        let mut request = Request::create(object, self.namespace)?;
        let api_version = object.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
        let (group, version) = split_api_version(api_version);
        let resource = resource(group, request.kind);
        let own_namespace = object.descend(&["metadata", "namespace"]).is_some();
        let namespaced = is_namespaced(group, request.kind).unwrap_or(own_namespace);
        if !namespaced {
            // The API server gives the request for a namespace that namespace (`CreateHandler` in
            // https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/create.go).
            request.namespace = if request.is("", "Namespace") { request.name } else { "" };
        }
        let target = Target { group, version, resource: &resource, namespaced, request };
        if let Some(refusal) = piece(group, version, request.kind, object) {
            report.problems.push(source.refused(object, refusal));
            return Ok(());
        }
        let mut errors: Vec<ReadError> = Vec::new();
        // Whether or not a policy is for it: of a workload without containers none would find anything.
        if let Err(error) = require_containers(&request) {
            let help = elsewhere(object, &error.path);
            report.problems.push(Problem { help, ..source.unreadable(object, &error) });
            errors.push(error);
        }
        let mut is_judged = false;
        for policy in &self.profile.policies {
            if namespaced && policy.asks_its_namespace(&target) && !self.namespaces.0.contains_key(request.namespace) {
                report.unknown_namespaces.insert(request.namespace.to_owned());
            }
            if !policy.matches(&target, &self.namespaces) {
                continue;
            }
            is_judged = true;
            match policy.evaluate(&target) {
                Ok(findings) => report.findings.extend(findings.into_iter().map(|finding| {
                    let (nearest, whole) = object.nearest(&finding.path);
                    let span = nearest.node.span;
                    // Of what covers many lines the name says most.
                    let is_long = matches!(nearest.node.data, Data::Object(_) | Data::Array(_));
                    let shown = match nearest.key_span {
                        Some(key) if is_long => Shown { span: key, absent: !whole },
                        _ => Shown { span, absent: !whole },
                    };
                    Located {
                        policy: policy.name.clone(),
                        rule: finding.rule,
                        level: finding.level,
                        message: finding.message,
                        path: finding.path,
                        file: source.name.to_owned(),
                        document,
                        span,
                        object: ObjectName {
                            api_version: api_version.to_owned(),
                            kind: request.kind.to_owned(),
                            namespace: if namespaced { request.namespace.to_owned() } else { String::new() },
                            name: request.name.to_owned(),
                        },
                        fix: finding.fix,
                        shown,
                        secret: finding.secret.then(|| Secret::of(nearest.node)),
                    }
                })),
                // Several policies may read the field that is broken: once is enough.
                Err(EvaluationError::Object(error)) if errors.contains(&error) => {}
                Err(EvaluationError::Object(error)) => {
                    report.problems.push(source.unreadable(object, &error));
                    errors.push(error);
                }
                Err(EvaluationError::Module(error)) => report.problems.push(Problem {
                    file: source.name.to_owned(),
                    span: object.span,
                    message: format!("policy {}: {error}", policy.name),
                    ..Problem::default()
                }),
            }
        }
        if is_judged {
            report.objects += 1;
        } else if let Some(problem) = self.of_another_version(source, object, &target, api_version) {
            report.problems.push(problem);
        } else if errors.is_empty() {
            let line = object.span.line.max(1);
            report.not_judged.push(NotJudged {
                kind: KindName { kind: request.kind.to_owned(), group: group.to_owned() },
                name: format!("{}:{line}: {} {} ({api_version})", source.name, request.kind, request.name),
            });
        }
        Ok(())
    }

    /// Why no policy has judged an object though one is for its kind: its rules name other versions. An API server converts the
    /// object before its policies see it, if it takes this version at all.
    fn of_another_version(
        &self,
        source: &Source<'_>,
        object: &Node<'_>,
        target: &Target<'_>,
        api_version: &str,
    ) -> Option<Problem> {
        let kind = target.request.kind;
        let removed = removed(api_version, kind);
        let (group, _) = split_api_version(removed.map_or(api_version, |removed| removed.successor));
        let namespaced = is_namespaced(group, kind).unwrap_or(target.namespaced);
        let converted = Target { group, namespaced, ..*target };
        let policy =
            self.profile.policies.iter().find(|policy| policy.matches_converted(&converted, &self.namespaces))?;
        let (message, help) = match removed {
            Some(removed) => (
                format!(
                    "no policy can judge this {kind}: since Kubernetes {} no API server serves {api_version}",
                    removed.release
                ),
                format!("write apiVersion: {}", removed.successor),
            ),
            None => (
                format!(
                    "policy {} judges {kind} of other versions than {api_version}, to which only an API server can \
                     convert it",
                    policy.name
                ),
                "write one of the versions that its rules name, or add this one to them".to_owned(),
            ),
        };
        let refusal = Refusal { path: Path::of(&["apiVersion"]), span: None, message, help: Some(help) };
        Some(source.refused(object, refusal))
    }
}

pub(crate) fn point(line: u32, column: u32) -> Span {
    Span { line, column, end_line: line, end_column: column + 1 }
}

/// Whether it is a JSON file of a folder: much of that is written for other tools, which also read comments in it.
fn is_json(input: &Input) -> bool {
    let Input::Found(path) = input else { return false };
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Whether a text has what templates have, other than between quotes: there it is for whoever reads the object.
fn is_template(text: &str) -> bool {
    let before = text.lines().filter_map(|line| line.split_once("{{").map(|(before, _)| before));
    before.into_iter().any(|before| !before.contains(['"', '\'']))
}

/// For a template of a Helm chart, how to render it.
fn helm_template(input: &Input, text: &str) -> Option<String> {
    if !text.contains("{{") {
        return None;
    }
    let path = input.path()?;
    let templates = path.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "templates"))?;
    let chart = templates.parent()?;
    let chart = if chart.as_os_str().is_empty() { FilePath::new(".") } else { chart };
    chart.join("Chart.yaml").is_file().then(|| format!("helm template {} | gatehouse check -", chart.display()))
}
