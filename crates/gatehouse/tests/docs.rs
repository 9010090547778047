//! The page of each policy is made of what the policy says of itself: its rules' documentation, the schema of its settings,
//! and its cases, each as the checker prints it. `make docs` writes the pages.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use gatehouse_engine::POLICIES;
use gatehouse_policy::{Policy, Rule, TextEdit};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};

/// A file of cases, as far as examples are made of it. YAML's own values keep the order of the fields.
#[derive(Deserialize)]
struct CaseFile {
    #[serde(default)]
    settings: Value,
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    settings: Option<Value>,
    object: Option<Value>,
    file: Option<CaseOfFile>,
    around: Option<Vec<Value>>,
    #[serde(default)]
    findings: Vec<Expected>,
}

/// A file that is no object.
#[derive(Clone, Deserialize)]
struct CaseOfFile {
    name: String,
    text: String,
}

#[derive(Clone, Deserialize)]
struct Expected {
    rule: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cases(policy: &Policy) -> Vec<Case> {
    let folder = root().join("policies").join(policy.name).join("tests");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a policy has cases")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("cases can be read");
        let mut document: Value = serde_yaml_ng::from_str(&text).expect("cases are YAML");
        document.apply_merge().expect("merge keys have objects");
        let file: CaseFile = serde_yaml_ng::from_value(document).expect("cases are cases");
        for mut case in file.cases {
            case.settings.get_or_insert_with(|| file.settings.clone());
            all.push(case);
        }
    }
    all
}

/// The object with its fields in the order in which people write them: what merge keys brought comes last, wherever it
/// belongs.
fn ordered(value: &Value) -> Value {
    const FIRST: [&str; 5] = ["apiVersion", "kind", "metadata", "name", "namespace"];
    match value {
        Value::Sequence(items) => items.iter().map(ordered).collect::<Vec<_>>().into(),
        Value::Mapping(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (key.clone(), ordered(value))).collect();
            let place = |key: &Value| FIRST.iter().position(|first| Some(*first) == key.as_str());
            members.sort_by_key(|(key, _)| place(key).unwrap_or(FIRST.len()));
            members.into_iter().collect::<Mapping>().into()
        }
        other => other.clone(),
    }
}

/// What the checker makes of an object.
struct Shown {
    printed: String,
    findings: Vec<Json>,
}

/// Where a policy's module is.
fn module(metadata: &Json) -> String {
    let annotation = |name: &str| metadata["annotations"][name].as_str().unwrap_or_default();
    let version = annotation("io.kubewarden.policy.version");
    format!("registry://{}:v{version}", annotation("io.kubewarden.policy.ociUrl"))
}

/// What an example shows: an object's manifest, or a file that is none.
struct Subject<'c> {
    name: &'c str,
    /// The language that its text is in.
    language: &'c str,
    text: String,
    /// The manifests of what is around the object; `None` where that is not known.
    around: Option<String>,
}

impl<'c> Subject<'c> {
    fn of(case: &'c Case) -> Option<Self> {
        if let Some(CaseOfFile { name, text }) = &case.file {
            let name = name.rsplit('/').next()?;
            let is_nginx = Path::new(name).extension().is_some_and(|extension| extension == "conf");
            let language = if is_nginx { "nginx" } else { "dockerfile" };
            return Some(Self { name, language, text: format!("{}\n", text.trim_end()), around: None });
        }
        let object = case.object.as_ref().filter(|object| object.get("kind").is_some())?;
        let yaml = |object: &Value| serde_yaml_ng::to_string(&ordered(object)).expect("an object is YAML");
        let around = match &case.around {
            // Images are in no manifest.
            Some(around) if around.iter().any(|object| object.get("kind").is_none()) => return None,
            around => around.as_ref().map(|around| around.iter().map(yaml).collect::<Vec<_>>().join("---\n")),
        };
        Some(Self { name: "manifest.yaml", language: "yaml", text: yaml(object), around })
    }

    fn is_object(&self) -> bool {
        self.language == "yaml"
    }

    /// The text with the fixes of findings.
    fn fixed(&self, findings: &[&Json]) -> Option<String> {
        let fixes = findings.iter().map(|finding| &finding["fix"]);
        let edits: Vec<TextEdit> = fixes
            .clone()
            .filter_map(|fix| serde_json::from_value::<Vec<TextEdit>>(fix["edits"].clone()).ok())
            .flatten()
            .collect();
        if !edits.is_empty() {
            return Some(format!("{}\n", edited(&self.text, edits).trim_end()));
        }
        let operations: Vec<&Json> = fixes.filter_map(|fix| fix["patch"].as_array()).flatten().collect();
        let mut object: Value = serde_yaml_ng::from_str(&self.text).ok().filter(|_| !operations.is_empty())?;
        for operation in operations {
            apply(&mut object, operation);
        }
        serde_yaml_ng::to_string(&object).ok()
    }
}

/// A text with edits, none within another.
fn edited(text: &str, mut edits: Vec<TextEdit>) -> String {
    let offset = |line: u32, column: u32| {
        let start: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
        let rest = &text[start..];
        start + rest.char_indices().nth(column as usize - 1).map_or(rest.len(), |(at, _)| at)
    };
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.span.line, edit.span.column)));
    let mut changed = text.to_owned();
    for TextEdit { span, text } in edits {
        changed.replace_range(offset(span.line, span.column)..offset(span.end_line, span.end_column), &text);
    }
    changed
}

/// Runs the checker; `None` where it cannot read the object: cases need not hold for a manifest on paper.
fn check(policy: &Policy, settings: &Value, subject: &Subject<'_>) -> Option<Shown> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let metadata: Json = serde_json::from_str(policy.metadata).expect("metadata is JSON");
    let profile = serde_json::json!({
        "apiVersion": "policies.kubewarden.io/v1", "kind": "ClusterAdmissionPolicy", "metadata": {"name": policy.name},
        "spec": {
            "module": module(&metadata),
            "rules": metadata["rules"],
            "settings": if settings.is_null() { serde_json::json!({}) } else { serde_json::to_value(settings).expect("JSON") },
        },
    });
    fs::write(folder.path().join("profile.yaml"), profile.to_string()).expect("the folder can be written");
    fs::write(folder.path().join(subject.name), &subject.text).expect("the folder can be written");
    let run = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.current_dir(folder.path()).env("NO_COLOR", "1");
        command.args(["check", "--profile", "profile.yaml", "--output-format", format, subject.name]);
        if let Some(around) = &subject.around {
            fs::create_dir_all(folder.path().join("around")).expect("the folder can be written");
            fs::write(folder.path().join("around/around.yaml"), around).expect("the folder can be written");
            // In a cluster every namespace is known.
            let object: Value = serde_yaml_ng::from_str(&subject.text).expect("it was YAML before");
            let namespace = object.get("metadata").and_then(|metadata| metadata.get("namespace"));
            let name = namespace.and_then(Value::as_str).unwrap_or("default");
            let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
            fs::write(folder.path().join("around/namespace.yaml"), namespace).expect("the folder can be written");
            command.args(["--context", "around"]);
        }
        let output = command.output().expect("gatehouse runs");
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        (output.status.code() != Some(2)).then_some(printed)
    };
    let printed = run("pretty")?;
    let report: Json = serde_json::from_str(&run("json")?).expect("it prints JSON");
    let findings = serde_json::from_value(report["findings"].clone()).expect("there are findings");
    Some(Shown { printed, findings })
}

/// The smallest object of the cases that has this rule's finding, where it can with nothing else and with a fix.
fn example(policy: &Policy, rule: &Rule, cases: &[Case]) -> Option<String> {
    let is_rule = |expected: &Expected| expected.rule.rsplit('/').next() == Some(rule.name);
    let mut candidates: Vec<(Subject<'_>, &Value)> = cases
        .iter()
        .filter(|case| case.findings.iter().any(is_rule))
        .filter_map(|case| Some((Subject::of(case)?, case.settings.as_ref().unwrap_or(&Value::Null))))
        .collect();
    // What is short and usual shows most.
    let weight = |Subject { text, around, .. }: &Subject<'_>, settings: &Value| {
        let settings = serde_yaml_ng::to_string(settings).unwrap_or_default();
        let odd = text.contains("null") || (rule.level.is_some() && settings.contains("rules:"));
        text.len() + around.as_ref().map_or(0, String::len) + 3 * settings.len() + if odd { 10_000 } else { 0 }
    };
    candidates.sort_by_cached_key(|(subject, settings)| weight(subject, settings));
    let full = format!("{}/{}", policy.name, rule.name);
    // A file only where no object shows it.
    let (objects, files): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(subject, _)| subject.is_object());
    let shown: Vec<_> = objects
        .into_iter()
        .take(24)
        .chain(files.into_iter().take(24))
        .filter_map(|(subject, settings)| {
            let shown = check(policy, settings, &subject)?;
            let alone = shown.findings.iter().all(|finding| finding["rule"] == full.as_str());
            let fixed =
                shown.findings.iter().any(|finding| finding["rule"] == full.as_str() && finding["fix"].is_object());
            let found = shown.findings.iter().any(|finding| finding["rule"] == full.as_str());
            let few = shown.findings.len() <= 2;
            found.then_some(((subject.is_object(), fixed, alone, few), subject, settings, shown))
        })
        .collect();
    let (_, subject, settings, shown) = shown.into_iter().rev().max_by_key(|(merits, ..)| *merits)?;
    let mut page = String::new();
    let is_set = settings.as_mapping().is_some_and(|settings| !settings.is_empty());
    if is_set {
        let settings = serde_yaml_ng::to_string(settings).expect("settings are YAML");
        let _ = writeln!(page, "With the settings\n\n```yaml\n{settings}```\n\nof");
    } else {
        page.push_str("Of\n");
    }
    let (language, text) = (subject.language, &subject.text);
    let _ = writeln!(page, "\n```{language}\n{text}```\n");
    match subject.around.as_deref() {
        Some("") => page.push_str("and nothing around it, it says\n\n"),
        Some(around) => drop(writeln!(page, "among\n\n```yaml\n{around}```\n\nit says\n")),
        None => page.push_str("it says\n\n"),
    }
    let marker = format!("[{full}]");
    let blocks: Vec<&str> =
        shown.printed.split("\n\n").map(str::trim_end).filter(|block| block.contains(&marker)).collect();
    let _ = writeln!(page, "```text\n{}\n```\n", blocks.join("\n\n"));
    let found: Vec<&Json> = shown.findings.iter().filter(|finding| finding["rule"] == full.as_str()).collect();
    if let Some(fixed) = subject.fixed(&found) {
        let _ = writeln!(page, "and fixed it is\n\n```{language}\n{fixed}```\n");
    }
    Some(page)
}

/// One operation of a JSON Patch on YAML, whose fields keep their order: a removed one leaves no gap.
fn apply(object: &mut Value, operation: &Json) {
    let pointer = operation["path"].as_str().expect("an operation has a path");
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let (last, parents) = steps.split_last().expect("an operation is on a field");
    let mut at = object;
    for step in parents {
        at = match at {
            Value::Sequence(items) => &mut items[step.parse::<usize>().expect("an index")],
            other => other.get_mut(step.as_str()).expect("the parent is there"),
        };
    }
    let value = || serde_yaml_ng::to_value(&operation["value"]).expect("JSON is YAML");
    match (operation["op"].as_str(), at) {
        (Some("remove"), Value::Mapping(members)) => drop(members.shift_remove(last.as_str())),
        (Some("add" | "replace"), Value::Mapping(members)) => drop(members.insert(last.as_str().into(), value())),
        (Some("replace"), Value::Sequence(items)) => items[last.parse::<usize>().expect("an index")] = value(),
        (op, at) => panic!("no example of {op:?} on {at:?} can be shown yet"),
    }
}

fn title(text: &str) -> String {
    let docs: Vec<&str> = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    docs.join("\n").trim().replace("\n## ", "\n#### ")
}

fn level(rule: &Rule) -> String {
    rule.level.map_or_else(|| "off".to_owned(), |level| level.to_string())
}

fn page(policy: &Policy) -> String {
    let metadata: Json = serde_json::from_str(policy.metadata).expect("metadata is JSON");
    let annotation = |name: &str| metadata["annotations"][name].as_str().unwrap_or_default().to_owned();
    let mut page = format!("<!-- Made by `make docs` of policies/{}. -->\n\n# {}\n\n", policy.name, policy.name);
    let _ = writeln!(page, "{}.\n", annotation("io.kubewarden.policy.description"));
    let names = metadata["files"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let files = if names.is_empty() { String::new() } else { format!("; in the checker also {}", names.join(", ")) };
    let _ = writeln!(page, "Judges: {}{files}.", annotation("io.artifacthub.resources"));
    let _ = writeln!(page, "Module: `{}`.\n\n## Rules\n", module(&metadata));
    page.push_str("| rule | level |\n|---|---|\n");
    for rule in policy.rules {
        let _ = writeln!(page, "| [{0}](#{0}) | {1} |", rule.name, level(rule));
    }
    let cases = cases(policy);
    for rule in policy.rules {
        let _ = writeln!(page, "\n### {}\n\nLevel: {}\n\n{}\n", rule.name, level(rule), title(rule.docs));
        let example = example(policy, rule, &cases);
        let example = example.unwrap_or_else(|| panic!("{}/{} has no case to show", policy.name, rule.name));
        let _ = write!(page, "#### What it says\n\n{}\n", example.trim_end());
    }
    page.push_str("\n## Settings\n\n| setting | type | meaning |\n|---|---|---|\n");
    let schema = policy.settings_schema();
    settings(&schema, &schema, "", &mut page);
    page
}

/// A row for each field of a schema, those of objects below them.
fn settings(root: &Json, schema: &Json, prefix: &str, page: &mut String) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let inner = resolved(root, field);
        let name = format!("{prefix}{name}");
        let description = [field, inner].iter().find_map(|of| of["description"].as_str()).unwrap_or_default();
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {} | {description} |", kind(root, inner));
        let (below, separator) = match (inner.get("items"), inner.get("additionalProperties")) {
            (Some(items), _) => (resolved(root, items), "[]."),
            (_, Some(members)) if members.is_object() => (resolved(root, members), ".*."),
            _ => (inner, "."),
        };
        settings(root, below, &format!("{name}{separator}"), page);
        for alternative in below["oneOf"].as_array().or(below["anyOf"].as_array()).into_iter().flatten() {
            settings(root, resolved(root, alternative), &format!("{name}{separator}"), page);
        }
    }
}

/// The schema that a reference leads to; of what may be null, the other.
fn resolved<'s>(root: &'s Json, schema: &'s Json) -> &'s Json {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return resolved(root, &root["$defs"][name]);
    }
    let alternatives = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    match alternatives.iter().filter(|of| of["type"] != "null").collect::<Vec<_>>().as_slice() {
        [only] => resolved(root, only),
        _ => schema,
    }
}

/// The type of a value in words.
fn kind(root: &Json, schema: &Json) -> String {
    let schema = resolved(root, schema);
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(root, items));
    }
    if let Some(members) = schema.get("additionalProperties").filter(|members| members.is_object()) {
        return format!("map to {}", kind(root, members));
    }
    let words = |list: &Json| {
        let words = list.as_array().into_iter().flatten().filter_map(Json::as_str);
        words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    if schema["enum"].is_array() {
        return words(&schema["enum"]);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(alternatives) = schema[choice].as_array() {
            let mut kinds: Vec<String> = alternatives
                .iter()
                .map(|of| of["const"].as_str().map_or_else(|| kind(root, of), |word| format!("`{word}`")))
                .collect();
            kinds.dedup();
            return kinds.join(", ");
        }
    }
    match &schema["type"] {
        Json::String(kind) => kind.clone(),
        Json::Array(kinds) => {
            let kinds: Vec<_> = kinds.iter().filter_map(Json::as_str).filter(|kind| *kind != "null").collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

#[test]
fn pages_are_current() {
    let folder = root().join("docs/policies");
    for policy in POLICIES {
        let file = folder.join(policy.name).with_extension("md");
        let wanted = page(policy);
        if std::env::var_os("GATEHOUSE_UPDATE").is_some() {
            fs::create_dir_all(&folder).expect("docs/ can be written");
            fs::write(&file, &wanted).expect("docs/ can be written");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(found == wanted, "{} is not current: run `make docs`", file.display());
    }
    let index = fs::read_to_string(folder.join("README.md")).expect("the policies have an index page");
    for entry in fs::read_dir(&folder).expect("docs/policies can be read") {
        let name = entry.expect("docs/policies can be read").file_name().display().to_string();
        let is_policy = POLICIES.iter().any(|policy| format!("{}.md", policy.name) == name);
        assert!(is_policy || name == "README.md", "docs/policies/{name} is no policy");
        assert!(name == "README.md" || index.contains(&format!("({name})")), "the index page lacks {name}");
    }
}

/// What the order of fields is worth: the example stays the manifest that people write.
#[test]
fn fixes_keep_the_order_of_fields() {
    let mut object: Value = serde_yaml_ng::from_str("{b: 1, a: {y: 1, x: 2}, c: [{d: 1}]}").expect("it is YAML");
    for operation in [
        serde_json::json!({"op": "remove", "path": "/a/y"}),
        serde_json::json!({"op": "add", "path": "/a/z~1w", "value": 3}),
        serde_json::json!({"op": "replace", "path": "/c/0/d", "value": 4}),
    ] {
        apply(&mut object, &operation);
    }
    let expected = "b: 1\na:\n  x: 2\n  z/w: 3\nc:\n- d: 4\n";
    assert_eq!(serde_yaml_ng::to_string(&object).expect("it is YAML"), expected);
    assert!(object.as_mapping().is_some_and(|members: &Mapping| members.len() == 3));
}

/// What the documentation shows as settings can be pasted into a policy's manifest.
#[test]
fn documented_options_are_settings() {
    let mut shown = 0;
    for policy in POLICIES {
        for rule in policy.rules {
            let Some((_, options)) = rule.docs.split_once("## Options") else { continue };
            let options = options.split("## ").next().unwrap_or_default();
            for block in options.split("```yaml").skip(1) {
                let text: String = block.split("```").next().unwrap_or_default().replace("\n ", "\n");
                let document = gatehouse_manifest::read(&text, gatehouse_manifest::Format::Detect).next();
                let document = document.expect("there is something").expect("it is YAML");
                let configured = policy.configure(&document.node);
                assert!(configured.is_ok(), "{}/{}: {}\n{text}", policy.name, rule.name, configured.unwrap_err());
                shown += 1;
            }
        }
    }
    assert!(shown >= 4, "only {shown} are shown");
}
