//! Checks files: reads each, finds its objects, and judges them by a profile.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path as FilePath};
use std::sync::Arc;

use gatehouse_engine::{Asks, EvaluationError, Known, Outcome, Piece, Surroundings, is_namespaced, removed, resource};
use gatehouse_manifest::{Document, Format, decode, read};
use gatehouse_policy::node::{Data, Span};
use gatehouse_policy::{
    File, FileError, Finding, Fix, Host, Level, Node, Path, ReadError, Request, require_containers, split_api_version,
};
use rayon::prelude::*;
use serde::Serialize;

use crate::document::{Held, Refusal, elsewhere, held, is_other_json, objects, piece};
use crate::inputs::{Input, reason};
use crate::kustomize::Kustomizations;
use crate::late::{Queue, Spot, Waiting};
use crate::profile::{Namespaces, Profile, Target};
use crate::report::{Output, Render, Rendered, masked};
use crate::source::{LONGEST_LINE, Lines, Source};

/// How many files are judged before what was found in them is printed. It bounds the memory, whatever the number of
/// files, and is large enough to keep every core busy.
pub(crate) const BATCH: usize = 512;

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
    /// The object; `None` where it is a file that is none.
    pub object: Option<Arc<ObjectName>>,
    /// What would mend it.
    pub fix: Option<Fix>,
    /// What of the field is there to be shown, and whether all of it is.
    #[serde(skip)]
    pub shown: Shown,
    /// Where what stands at `span` is a secret, which no report shows.
    #[serde(skip)]
    pub secret: Option<Secret>,
    /// The line that is shown, without secrets, for reports that show any.
    #[serde(skip)]
    pub line: Option<String>,
}

impl Located {
    /// The order of a file's findings.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        self.place(&other.rule, &other.path, other.document, other.span)
    }

    /// How it is ordered to a finding there.
    fn place(&self, rule: &str, path: &Path, document: usize, span: Span) -> Ordering {
        let key = (self.document, self.span.line, self.span.column);
        key.cmp(&(document, span.line, span.column))
            .then_with(|| (*self.rule).cmp(rule))
            .then_with(|| self.path.cmp(path))
    }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Debug, Default)]
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
    /// Whether it is judged as it is, and holds no objects.
    pub is_other: bool,
    /// What policies ask for of its objects.
    pub pieces: Vec<Piece>,
    /// Verdicts that depend on what is in other files.
    pub(crate) waiting: Vec<Waiting>,
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
    /// Files that are judged and hold no objects.
    pub others: usize,
    /// Whether some verdict depends on what else there is, and not all of that was given.
    pub is_part: bool,
}

impl Summary {
    fn add(&mut self, report: &FileReport) {
        self.files += 1;
        self.objects += report.objects;
        self.problems += report.problems.len();
        self.skipped += report.skipped.len();
        self.patches += report.patches.len();
        self.others += usize::from(report.is_other);
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
    /// What kustomizations say of the files.
    pub kustomizations: Kustomizations,
    /// What policies ask for of the files' objects.
    pub asks: Asks,
    /// What modules are answered.
    pub known: Known,
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
    /// Checks all files, in parallel, and hands what was found to the output in the order of the files. What depends on what is
    /// around an object is judged after the last file, among them and what is there already.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn run<R: Render>(
        &self,
        inputs: &[Input],
        mut around: Arc<Surroundings>,
        render: &R,
        output: &mut Output<'_, R>,
    ) -> std::io::Result<Summary> {
        let mut summary = Summary::default();
        let mut queue = Queue::new();
        for batch in inputs.chunks(BATCH) {
            let reports: Vec<(FileReport, Rendered)> =
                batch.par_iter().map(|input| self.render(input, render)).collect();
            for (input, (mut report, rendered)) in batch.iter().zip(reports) {
                summary.add(&report);
                // Where modules have asked already, they were answered of all files, and nothing is kept of them now.
                if let Some(around) = Arc::get_mut(&mut around) {
                    for piece in std::mem::take(&mut report.pieces) {
                        around.add(piece);
                    }
                }
                if queue.is_empty() && report.waiting.is_empty() {
                    output.file(&report, rendered)?;
                } else {
                    queue.push(input.name(), report, rendered)?;
                }
            }
        }
        summary.is_part = !queue.is_empty() && !around.is_whole();
        queue.finish(self.profile, &*around, render, output, &mut summary)?;
        Ok(summary)
    }

    /// What policies ask for of the objects in files that are looked at and not judged, and what of them cannot be read.
    #[must_use]
    pub fn look(&self, inputs: &[Input]) -> (Vec<Piece>, Vec<Problem>) {
        let looked: Vec<(Vec<Piece>, Vec<Problem>)> = inputs.par_iter().map(|input| self.look_at(input)).collect();
        let (pieces, problems): (Vec<_>, Vec<_>) = looked.into_iter().unzip();
        (pieces.concat(), problems.concat())
    }

    fn look_at(&self, input: &Input) -> (Vec<Piece>, Vec<Problem>) {
        let (name, mut pieces, mut problems) = (input.name(), Vec::new(), Vec::new());
        let problem = |span, message| Problem { file: name.clone(), span, message, ..Problem::default() };
        let bytes = match input.read() {
            Ok(bytes) => bytes,
            Err(error) => return (pieces, vec![problem(Span::default(), reason(&error))]),
        };
        let text = match decode(&bytes) {
            Ok(text) => text,
            Err(error) => return (pieces, vec![problem(point(error.line, error.column), error.message)]),
        };
        let is_patch = input.path().is_some_and(|path| self.kustomizations.folder(path).is_some());
        if is_patch || helm_template(input, &text).is_some() {
            return (pieces, problems);
        }
        for document in read(&text, Format::Detect) {
            match document {
                Ok(document) => {
                    for object in objects(&document.node) {
                        let Ok(request) = Request::create(&object, self.namespace) else { continue };
                        let target = target(request);
                        if piece(target.group, target.version, request.kind, &object).is_none() {
                            pieces.extend(self.kept(&target));
                        }
                    }
                }
                Err(error) => problems.push(problem(point(error.line, error.column), error.message)),
            }
        }
        if is_json(input) && is_other_json(&text) {
            problems.clear();
        }
        (pieces, problems)
    }

    /// What policies ask for of an object.
    fn kept(&self, target: &Target<'_>) -> Option<Piece> {
        let Target { group, request, namespaced, .. } = target;
        let namespace = if *namespaced { request.namespace } else { "" };
        self.asks.keep(group, request.kind, namespace, request.object)
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
        let other = input.path().filter(|path| self.profile.judges_file(path));
        let (mut report, text) = match decode(&bytes) {
            Ok(text) => match other {
                Some(path) => (self.check_other(path, &name, &text), text),
                None => (self.check(input, &name, &text), text),
            },
            Err(error) => {
                let span = point(error.line, error.column);
                (FileReport::unread(name, span, error.message), String::from_utf8_lossy(&bytes))
            }
        };
        report.is_other = other.is_some();
        report.order();
        if render.shows_source() {
            report.show(&text);
        }
        let rendered = Rendered::of(&report, &text, render);
        (report, rendered)
    }

    /// Checks a file that holds no objects.
    fn check_other(&self, path: &FilePath, name: &str, text: &str) -> FileReport {
        let mut report = FileReport::default();
        if text.len() > LARGEST {
            let message =
                format!("it has {} MB; files of this kind are read up to {} MB", text.len() >> 20, LARGEST >> 20);
            return FileReport::unread(name.to_owned(), point(1, 1), message);
        }
        let folder = path.parent().unwrap_or(FilePath::new(""));
        let read = |named: &str| {
            let named = FilePath::new(named);
            let is_within = named.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            let file = folder.join(named);
            let is_small = std::fs::metadata(&file).is_ok_and(|file| file.is_file() && file.len() <= LARGEST as u64);
            if is_within && is_small { std::fs::read_to_string(file).ok() } else { None }
        };
        let file = File { name, text, read: &read };
        for policy in self.profile.policies.iter().filter(|policy| policy.judges_file(path)) {
            match policy.evaluate_file(&file) {
                Ok(findings) => report.findings.extend(findings.into_iter().map(|finding| {
                    let span = finding.span.unwrap_or(point(1, 1));
                    let secret = finding.secret.then(Secret::default);
                    let shown = Shown { span, absent: false };
                    located(policy.name.clone(), finding, name, 0, None, (span, shown, secret))
                })),
                // Several policies may read it: once is enough.
                Err(FileError { span, message }) => {
                    if report.problems.iter().all(|problem| problem.span != span || problem.message != message) {
                        report.problems.push(Problem { file: name.to_owned(), span, message, ..Problem::default() });
                    }
                }
            }
        }
        report
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
        if let Some(folder) = input.path().and_then(|path| self.kustomizations.folder(path)) {
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
        let target = target(Request::create(object, self.namespace)?);
        let &Target { group, version, namespaced, request, .. } = &target;
        let api_version = object.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
        if let Some(refusal) = piece(group, version, request.kind, object) {
            report.problems.push(source.refused(object, refusal));
            return Ok(());
        }
        report.pieces.extend(self.kept(&target));
        let mut name = None;
        let mut object_name = || {
            let make = || {
                Arc::new(ObjectName {
                    api_version: api_version.to_owned(),
                    kind: request.kind.to_owned(),
                    namespace: if namespaced { request.namespace.to_owned() } else { String::new() },
                    name: request.name.to_owned(),
                })
            };
            Arc::clone(name.get_or_insert_with(make))
        };
        let mut errors: Vec<ReadError> = Vec::new();
        // Whether or not a policy is for it: of a workload without containers none would find anything.
        if let Err(error) = require_containers(&request) {
            let help = elsewhere(object, &error.path);
            report.problems.push(Problem { help, ..source.unreadable(object, &error) });
            errors.push(error);
        }
        let mut is_judged = false;
        for (index, policy) in self.profile.policies.iter().enumerate() {
            if namespaced && policy.asks_its_namespace(&target) && !self.namespaces.0.contains_key(request.namespace) {
                report.unknown_namespaces.insert(request.namespace.to_owned());
            }
            if !policy.matches(&target, &self.namespaces) {
                continue;
            }
            is_judged = true;
            match policy.evaluate(&target, &self.known) {
                Ok(Outcome::Findings(findings)) => report.findings.extend(findings.into_iter().map(|finding| {
                    let (span, shown) = place(object, &finding.path);
                    let secret = finding.secret.then(|| Secret::of(object.nearest(&finding.path).0.node));
                    let place = (span, shown, secret);
                    located(policy.name.clone(), finding, source.name, document, Some(object_name()), place)
                })),
                Ok(Outcome::Pending(pending)) => {
                    let spots = pending.possible().map(|(_, path)| {
                        let (span, shown) = place(object, &path);
                        Spot { span, shown, line: None, before: 0 }
                    });
                    report.waiting.push(Waiting {
                        policy: u32::try_from(index).unwrap_or(u32::MAX),
                        document: u32::try_from(document).unwrap_or(u32::MAX),
                        spots: spots.collect(),
                        pending: Box::new(pending),
                        object: object_name(),
                    });
                }
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
        let converted = Target { group, namespaced, ..target.clone() };
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

/// An object with what decides which policies judge it.
fn target(mut request: Request<'_>) -> Target<'_> {
    let object = request.object;
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
    Target { group, version, resource, namespaced, request }
}

/// The largest file that is read as something other than objects, in bytes.
const LARGEST: usize = 16 << 20;

/// Where a finding is: its place, what is underlined for it, and what must not be shown of it.
type Place = (Span, Shown, Option<Secret>);

fn place(object: &Node<'_>, path: &Path) -> (Span, Shown) {
    let (nearest, whole) = object.nearest(path);
    let span = nearest.node.span;
    // Of what covers many lines the name says most.
    let is_long = matches!(nearest.node.data, Data::Object(_) | Data::Array(_));
    let shown = match nearest.key_span {
        Some(key) if is_long => Shown { span: key, absent: !whole },
        _ => Shown { span, absent: !whole },
    };
    (span, shown)
}

fn located(
    policy: String,
    finding: Finding,
    file: &str,
    document: usize,
    object: Option<Arc<ObjectName>>,
    (span, shown, secret): Place,
) -> Located {
    let Finding { rule, level, message, path, fix, .. } = finding;
    let file = file.to_owned();
    Located { policy, rule, level, message, path, file, document, span, object, fix, shown, secret, line: None }
}

impl FileReport {
    /// Whether there is nothing to be printed of it but findings.
    pub(crate) fn says_nothing(&self) -> bool {
        let lists = [&self.skipped, &self.patches];
        lists.iter().all(|list| list.is_empty())
            && self.not_judged.is_empty()
            && self.note.is_none()
            && self.kustomization.is_none()
            && self.unknown_namespaces.is_empty()
    }

    /// Orders the findings, and finds where among them those are that may come.
    fn order(&mut self) {
        self.findings.sort_by(Located::order);
        let certain = &self.findings;
        if certain.is_empty() {
            return;
        }
        for waiting in &mut self.waiting {
            let document = usize::try_from(waiting.document).unwrap_or(usize::MAX);
            for (spot, (rule, path)) in waiting.spots.iter_mut().zip(waiting.pending.possible()) {
                let before = certain.partition_point(|of| of.place(&rule, &path, document, spot.span).is_lt());
                spot.before = u32::try_from(before).unwrap_or(u32::MAX);
            }
        }
    }

    /// Keeps the lines that are shown for findings, and for those that may come.
    fn show(&mut self, text: &str) {
        if self.findings.is_empty() && self.waiting.is_empty() {
            return;
        }
        let text = masked(text, self);
        let lines = Lines::new(&text);
        let line = |shown: &Shown| lines.line(shown.span.line).filter(|line| line.len() <= LONGEST_LINE);
        for finding in &mut self.findings {
            finding.line = line(&finding.shown).map(str::to_owned);
        }
        for waiting in &mut self.waiting {
            for spot in &mut waiting.spots {
                spot.line = line(&spot.shown).map(Into::into);
            }
        }
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
