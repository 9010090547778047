//! The cases of the policies: what is judged, and what must be said of it, as data beside each policy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};

use gatehouse_engine::{Asks, POLICIES, Surroundings};
use gatehouse_manifest::Format;
use gatehouse_policy::node::{Data, Member, Places};
use gatehouse_policy::{
    Configured, File, FileError, Finding, Level, Node, Policy, ReadError, Request, ReviewError, TextEdit, module,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// The settings of cases that have none of their own.
    #[serde(default)]
    settings: Value,
    /// Holds YAML anchors.
    #[serde(default, rename = "templates")]
    _templates: Value,
    cases: Vec<Case>,
}

/// One case: an object, a request or a file, and exactly what the policy says of it; or settings that are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The policy's settings.
    #[serde(default)]
    pub settings: Option<Value>,
    object: Option<Value>,
    request: Option<Value>,
    /// The objects among which it is judged, all there are; without it nothing is known of any.
    around: Option<Vec<Value>>,
    /// A file that is no Kubernetes object.
    pub file: Option<CaseOfFile>,
    /// What is found, in any order.
    pub findings: Option<Vec<Expected>>,
    /// The object once all fixes are applied; of a file its text.
    pub fixed: Option<Value>,
    /// Why the object or the file cannot be read.
    pub error: Option<ExpectedError>,
    /// Why the settings are refused.
    pub invalid: Option<ExpectedError>,
}

/// A file that a case judges.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseOfFile {
    name: String,
    /// What it holds.
    pub text: String,
    /// The files that it may name, by their paths from its folder.
    #[serde(default)]
    beside: BTreeMap<String, String>,
}

/// A finding as a case expects it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    rule: String,
    level: Level,
    /// The path; of a finding in a file it may be left out where the line is told.
    path: Option<String>,
    /// The line in a file.
    line: Option<u32>,
    /// Part of the message.
    #[serde(default)]
    message: String,
    fix: Option<Safety>,
    patch: Option<Value>,
}

/// Whether a fix is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Safety {
    Safe,
    Unsafe,
}

/// An error as a case expects it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    #[serde(default)]
    path: String,
    /// The line in a file.
    line: Option<u32>,
    /// Part of the reason.
    reason: String,
}

impl ExpectedError {
    /// Compares.
    ///
    /// # Errors
    /// The difference.
    pub fn compare(&self, error: &ReadError) -> Result<(), String> {
        if error.path.to_string() == self.path && error.reason.contains(&self.reason) {
            return Ok(());
        }
        Err(format!("expected the error {}: …{}…\nfound {error}", self.path, self.reason))
    }

    /// Compares with why a file cannot be judged.
    ///
    /// # Errors
    /// The difference.
    pub fn compare_file(&self, error: &FileError) -> Result<(), String> {
        if self.line.is_none_or(|line| line == error.span.line) && error.message.contains(&self.reason) {
            return Ok(());
        }
        Err(format!("expected the error …{}… in line {:?}\nfound {error:?}", self.reason, self.line))
    }
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).parent().map(FilePath::to_owned).unwrap_or_default()
}

/// Every case of every policy, with the file that holds it.
///
/// # Panics
/// Where a file of cases cannot be read: that is a failed test.
#[must_use]
pub fn all_cases() -> Vec<(&'static Policy, String, Case)> {
    let mut found = Vec::new();
    for policy in POLICIES {
        let folder = root().join("policies").join(policy.name).join("tests");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            for case in read_cases(file) {
                found.push((*policy, stem.clone(), case));
            }
        }
    }
    found
}

fn read_cases(file: &FilePath) -> Vec<Case> {
    let broken = |error: &dyn std::fmt::Display| -> ! { panic!("{}: {error}", file.display()) };
    let text = fs::read_to_string(file).unwrap_or_else(|error| broken(&error));
    let mut document: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| broken(&error));
    document.apply_merge().unwrap_or_else(|error| broken(&error));
    let file: CaseFile = serde_yaml_ng::from_value(document).unwrap_or_else(|error| broken(&error));
    let defaults = file.settings;
    let with_defaults = |mut case: Case| {
        case.settings.get_or_insert_with(|| defaults.clone());
        case
    };
    file.cases.into_iter().map(with_defaults).collect()
}

impl Case {
    /// The policy's settings as JSON.
    #[must_use]
    pub fn settings(&self) -> Value {
        self.settings.clone().unwrap_or_default()
    }

    /// The `AdmissionRequest` that the case judges: its own, or the CREATE of its object. `None` for a case of settings. What is
    /// around the object stands beside it as `around`, where [`surroundings`] finds it.
    #[must_use]
    pub fn request(&self) -> Option<Value> {
        let mut request = match &self.request {
            Some(request) => request.clone(),
            None => self.object.as_ref().map(create)?,
        };
        if let Some(around) = &self.around {
            request["around"] = json!(around);
        }
        Some(request)
    }
}

/// What is around the object of a case's request: nothing that anybody knew, or all there is, objects and images (`{image:
/// nginx:1.27.3, config: {User: "101"}}`).
///
/// # Panics
/// Where the policy asks for no such object.
#[must_use]
pub fn surroundings(policy: &Policy, request: &Value) -> Surroundings {
    let mut asks = Asks::default();
    policy.asks.iter().for_each(|asked| asks.add(asked));
    let around = request["around"].as_array();
    let mut surroundings = if around.is_some() { Surroundings::of_cluster() } else { Surroundings::default() };
    for object in around.into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(image) = object["image"].as_str() {
            surroundings.add_image(image, json!({"config": object["config"]}).to_string());
            continue;
        }
        let api_version = text(&object["apiVersion"]);
        let (group, _) = gatehouse_policy::split_api_version(&api_version);
        let json = object.to_string();
        let node = Node::from_json(json.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let namespace = text(&object["metadata"]["namespace"]);
        let piece = asks.keep(group, &text(&object["kind"]), &namespace, &node);
        let piece =
            piece.unwrap_or_else(|| panic!("{} does not ask for {} {}", policy.name, api_version, object["kind"]));
        surroundings.add(piece);
    }
    surroundings
}

/// The request that creates an object.
#[must_use]
pub fn create(object: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let api_version = text(&object["apiVersion"]);
    let (group, version) = gatehouse_policy::split_api_version(&api_version);
    json!({
        "uid": "", "operation": "CREATE", "object": object,
        "kind": {"group": group, "version": version, "kind": text(&object["kind"])},
        "name": text(&object["metadata"]["name"]), "namespace": text(&object["metadata"]["namespace"]),
    })
}

/// What a policy says of a request natively: its findings, or why it cannot be judged.
///
/// # Errors
/// As [`gatehouse_policy::Configured::review`].
///
/// # Panics
/// Where the settings are refused or the request is no `AdmissionRequest`: a case that means that says so.
pub fn review(policy: &Policy, settings: &Value, request: &Value) -> Result<Vec<Finding>, ReadError> {
    let surroundings = surroundings(policy, request);
    let (settings, request) = (settings.to_string(), request.to_string());
    let settings = Node::from_json(settings.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let request = Node::from_json(request.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let configured = policy.configure(&settings).unwrap_or_else(|error| panic!("the settings are refused: {error}"));
    let request = Request::read(&request).map_err(|error| ReadError {
        // Cases name the field within the object, wherever the request's reader stumbled over it.
        path: gatehouse_policy::Path::root(),
        reason: error.to_string(),
    })?;
    let verdict = configured.review_among(&request, &surroundings);
    verdict.map(|verdict| verdict.findings).map_err(|error| match error {
        ReviewError::Object(error) => error,
        ReviewError::Context(error) => ReadError::new(error.to_string()),
    })
}

/// What a policy says of a file that holds `text` and is named and surrounded as the case's.
///
/// # Errors
/// As [`Configured::review_file`].
///
/// # Panics
/// Where the settings are refused.
pub fn review_file(
    policy: &Policy,
    settings: &Value,
    file: &CaseOfFile,
    text: &str,
) -> Result<Vec<Finding>, FileError> {
    let settings = settings.to_string();
    let settings = Node::from_json(settings.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let configured = policy.configure(&settings).unwrap_or_else(|error| panic!("the settings are refused: {error}"));
    configured.review_file(&File { name: &file.name, text, read: &|name| file.beside.get(name).cloned() })
}

/// Compares what was found with what a case expects, in any order.
///
/// # Errors
/// Every difference.
pub fn compare(policy: &Policy, expected: &[Expected], found: &[Finding]) -> Result<(), String> {
    let mut left: Vec<&Finding> = found.iter().collect();
    let mut differences = Vec::new();
    for expected in expected {
        match left.iter().position(|finding| expected.matches(policy, finding)) {
            Some(position) => drop(left.remove(position)),
            None => differences.push(format!("missing: {expected:?}")),
        }
    }
    for finding in left {
        differences.push(format!("unexpected: {}", json!(finding)));
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

impl Expected {
    fn matches(&self, policy: &Policy, finding: &Finding) -> bool {
        let safety = finding.fix.as_ref().map(|fix| if fix.safe { Safety::Safe } else { Safety::Unsafe });
        let patch = || finding.fix.as_ref().map(|fix| json!(fix.patch));
        let rule = finding.rule.strip_prefix(policy.name).and_then(|rule| rule.strip_prefix('/'));
        rule == Some(self.rule.strip_prefix(policy.name).and_then(|r| r.strip_prefix('/')).unwrap_or(&self.rule))
            && self.level == finding.level
            && self.is_at(finding)
            && finding.message.contains(&self.message)
            && (self.fix == safety || (self.fix.is_none() && self.patch.is_some()))
            && (self.patch.is_none() || self.patch == patch())
    }
}

impl Expected {
    fn is_at(&self, finding: &Finding) -> bool {
        let line = finding.span.map(|span| span.line);
        match &self.path {
            Some(path) => *path == finding.path.to_string() && (self.line.is_none() || self.line == line),
            None => self.line.is_some() && self.line == line,
        }
    }
}

/// Applies a finding's fix to a file's text.
///
/// # Errors
/// Where an edit is at a place that the text does not have, or two of them overlap.
pub fn apply_to_text(finding: &Finding, text: &str) -> Result<String, String> {
    let mut edits: Vec<&TextEdit> = finding.fix.iter().flat_map(|fix| &fix.edits).collect();
    edits.sort_by_key(|edit| (edit.span.line, edit.span.column));
    let (mut changed, mut end) = (String::new(), 0);
    for edit in edits {
        let places = [(edit.span.line, edit.span.column), (edit.span.end_line, edit.span.end_column)];
        let [Some(from), Some(to)] = places.map(|(line, column)| offset(text, line, column)) else {
            return Err(format!("the text has no such place: {}", json!(edit)));
        };
        if from < end || to < from {
            return Err(format!("the edit overlaps another: {}", json!(edit)));
        }
        changed.extend([&text[end..from], &edit.text]);
        end = to;
    }
    Ok(changed + &text[end..])
}

/// Where a line's column begins.
fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(before) => text.match_indices('\n').nth(before as usize)?.0 + 1,
    };
    let line = text[start..].split_inclusive('\n').next().unwrap_or_default();
    let mut ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    Some(start + ends.nth(column.checked_sub(1)? as usize)?)
}

/// Applies a finding's fix to the request's object.
///
/// # Errors
/// Where the patch does not apply: it must always.
pub fn apply(finding: &Finding, request: &mut Value) -> Result<(), String> {
    let Some(fix) = &finding.fix else { return Ok(()) };
    let patch: json_patch::Patch = serde_json::from_value(json!(fix.patch)).map_err(|error| error.to_string())?;
    json_patch::patch(&mut request["object"], &patch).map_err(|error| format!("{error}: {}", json!(fix)))
}

/// Applies fixes one after another, judging anew in between, until none is left.
///
/// # Errors
/// Where a patch does not apply, or fixing does not come to an end.
pub fn fix_all(policy: &Policy, settings: &Value, mut request: Value) -> Result<Value, String> {
    for _ in 0..100 {
        let findings = review(policy, settings, &request).map_err(|error| error.to_string())?;
        match findings.iter().find(|finding| finding.fix.is_some()) {
            Some(finding) => apply(finding, &mut request)?,
            None => return Ok(request),
        }
    }
    Err("after a hundred fixes there are still some".to_owned())
}

/// Feeds both readers with bytes: that of manifests, and that of requests which the modules have. Whatever is read is
/// judged by every policy.
///
/// # Panics
/// Where a reader or a policy does: that is what fuzzing looks for. Also where a module's answer is no JSON.
pub fn feed(bytes: &[u8]) {
    let null = Node::from(Data::Null);
    if let Ok(text) = gatehouse_manifest::decode(bytes) {
        for format in [Format::Detect, Format::Yaml, Format::Json] {
            for document in gatehouse_manifest::read(&text, format).filter_map(Result::ok) {
                judge(&document.node, &null);
                for item in items(&document.node) {
                    judge(item, &null);
                }
            }
        }
    }
    for policy in POLICIES {
        if let Ok(text) = std::str::from_utf8(bytes) {
            feed_file(&configured(policy, &null), text);
        }
        for answer in [module::validate(policy, bytes), module::validate_settings(policy, bytes)] {
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", policy.name));
            serde_json::from_slice::<Value>(&answer).unwrap_or_else(|error| panic!("{}: {error}", policy.name));
        }
    }
}

/// Has a policy judge a file which, whatever other it names, finds itself.
fn feed_file(policy: &Configured, text: &str) {
    let file = File { name: "file", text, read: &|_| Some(text.to_owned()) };
    for finding in policy.review_file(&file).unwrap_or_default() {
        std::hint::black_box(apply_to_text(&finding, text).unwrap_or_else(|error| panic!("{error}")));
    }
}

fn configured(policy: &Policy, settings: &Node<'_>) -> Configured {
    policy.configure(settings).unwrap_or_else(|error| panic!("{}: {error}", policy.name))
}

/// How long every policy takes to judge an object of which one array or object is made `times` as long, natively. `None`
/// where the bytes are no object, or hold nothing that `which` could stand for.
#[must_use]
pub fn judged_in(bytes: &[u8], which: usize, times: usize) -> Option<Duration> {
    let text = gatehouse_manifest::decode(bytes).ok()?;
    let document = gatehouse_manifest::read(&text, Format::Detect).next()?.ok()?;
    let mut object = document.node;
    let lists = lists(&object);
    lengthen(&mut object, which.checked_rem(lists)?, &mut 0, times);
    let start = Instant::now();
    judge(&object, &Node::from(Data::Null));
    Some(start.elapsed())
}

/// How many arrays and objects there are in a node that hold something.
fn lists(node: &Node<'_>) -> usize {
    match &node.data {
        Data::Array(items) if !items.is_empty() => 1 + items.iter().map(lists).sum::<usize>(),
        Data::Object(members) if !members.is_empty() => 1 + members.iter().map(|of| lists(&of.value)).sum::<usize>(),
        _ => 0,
    }
}

/// Repeats what the array or object number `which` holds; names and texts get numbers, so that none is there twice.
fn lengthen(node: &mut Node<'_>, which: usize, seen: &mut usize, times: usize) {
    match &mut node.data {
        Data::Array(items) if !items.is_empty() => {
            *seen += 1;
            if *seen - 1 == which {
                let first = items.clone();
                items.extend((1..times).flat_map(|time| first.iter().map(move |item| numbered(item, time))));
            } else {
                for item in items {
                    lengthen(item, which, seen, times);
                }
            }
        }
        Data::Object(members) if !members.is_empty() => {
            *seen += 1;
            if *seen - 1 == which {
                let first = members.clone();
                members.extend((1..times).flat_map(|time| {
                    first.iter().map(move |member| Member {
                        key: format!("{}{time}", member.key).into(),
                        value: numbered(&member.value, time),
                        ..*member
                    })
                }));
            } else {
                for member in members {
                    lengthen(&mut member.value, which, seen, times);
                }
            }
        }
        _ => {}
    }
}

fn numbered<'a>(node: &Node<'a>, time: usize) -> Node<'a> {
    let data = match &node.data {
        Data::String(text) => Data::String(format!("{text}{time}").into()),
        Data::Array(items) => Data::Array(items.iter().map(|item| numbered(item, time)).collect()),
        Data::Object(members) => Data::Object(
            members.iter().map(|member| Member { value: numbered(&member.value, time), ..member.clone() }).collect(),
        ),
        other => other.clone(),
    };
    data.into()
}

fn items<'n, 'a>(node: &'n Node<'a>) -> &'n [Node<'a>] {
    match node.get("items").map(|items| &items.data) {
        Some(Data::Array(items)) => items,
        _ => &[],
    }
}

/// Every policy's findings on an object, each with its place.
fn judge(object: &Node<'_>, settings: &Node<'_>) {
    let Ok(request) = Request::create(object, "default") else { return };
    let mut places = Places::of(object);
    for policy in POLICIES {
        for finding in configured(policy, settings).review(&request).map(|verdict| verdict.findings).unwrap_or_default()
        {
            std::hint::black_box(places.nearest(&finding.path));
            std::hint::black_box(json!(finding).to_string());
        }
    }
}

/// Every real admission review, with its file's name.
///
/// # Panics
/// Where they cannot be read.
#[must_use]
pub fn reviews() -> Vec<(String, Value)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let review = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), review)
    };
    files(&root().join("tests/data/reviews"), "json").into_iter().map(read).collect()
}

/// Every object of every example, with its file.
///
/// # Panics
/// Where they cannot be read.
#[must_use]
pub fn manifests() -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for path in files(&root().join("examples"), "yaml") {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push((path.clone(), object));
        }
    }
    found
}

/// The files of a folder, however deep, that have an extension, in the order of their names.
///
/// # Panics
/// Where the folder cannot be read.
#[must_use]
pub fn files(folder: &FilePath, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
    found
}

/// The profiles that are built in.
pub const PROFILES: &[&str] = &["baseline", "strict", "herald"];

/// The manifests of a built-in profile.
///
/// # Panics
/// Where it cannot be read.
#[must_use]
pub fn profile_manifests(profile: &str) -> Vec<Value> {
    let path = root().join("profiles").join(profile).with_extension("yaml");
    let broken = |error: &dyn std::fmt::Display| -> ! { panic!("{}: {error}", path.display()) };
    let text = fs::read_to_string(&path).unwrap_or_else(|error| broken(&error));
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).unwrap_or_else(|error| broken(&error))).collect()
}

/// The settings that a built-in profile gives a policy; none where it does not have it.
///
/// # Panics
/// Where the profile cannot be read.
#[must_use]
pub fn profile_settings(profile: &str, policy: &str) -> Value {
    let manifest = profile_manifests(profile).into_iter().find(|manifest| manifest["metadata"]["name"] == policy);
    let settings = manifest.map(|manifest| manifest["spec"]["settings"].clone());
    settings.filter(|settings| !settings.is_null()).unwrap_or_else(|| json!({}))
}
