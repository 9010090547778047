//! The command line as its users see it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Answer {
    status: i32,
    out: String,
    err: String,
}

/// Runs gatehouse in a folder, with something on its standard input.
fn gatehouse_with(folder: &Path, arguments: &[&str], input: &str) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatehouse"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gatehouse runs");
    child.stdin.take().expect("it has an input").write_all(input.as_bytes()).expect("it reads its input");
    let output = child.wait_with_output().expect("gatehouse ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
    Answer { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn gatehouse(arguments: &[&str]) -> Answer {
    gatehouse_with(&root(), arguments, "")
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder can be made");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the folder can be written");
        fs::write(path, content).expect("the folder can be written");
    }
    folder
}

/// What is printed with `--output-format json`.
fn report(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {}{}", answer.out, answer.err))
}

/// The files of findings, with the policies that found something in them.
fn found(answer: &Answer) -> Vec<(String, String)> {
    let findings = report(answer)["findings"].as_array().expect("there are findings").clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> = findings.iter().map(|of| (text(&of["file"]), text(&of["policy"]))).collect();
    found.dedup();
    found
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec:\n  containers: [{name: app, image: nginx}]\n";

/// A profile of one policy, with more for its `spec`.
fn profile(kind: &str, more: &str) -> String {
    format!(
        "apiVersion: policies.kubewarden.io/v1\nkind: {kind}\nmetadata: {{name: images, namespace: shop}}\nspec:\n  \
         module: registry://ghcr.io/gatehouse/policies/pinned-images:v0.1.0\n{more}"
    )
}

#[test]
fn pretty_output_shows_the_line_the_fault_and_the_fix() {
    let answer = gatehouse(&["check", "--profile", "herald", "examples/herald/documented/frontend"]);
    insta::assert_snapshot!("frontend", answer.out);
    insta::assert_snapshot!("frontend-summary", answer.err);
}

#[test]
fn json_output_is_one_object() {
    let answer =
        gatehouse(&["check", "--profile", "herald", "--output-format", "json", "examples/herald/documented/frontend"]);
    insta::assert_snapshot!("frontend-json", answer.out);
    let clean = gatehouse(&["check", "--profile", "herald", "--output-format", "json", "examples/herald/hardened"]);
    assert_eq!(clean.status, 0);
    insta::assert_snapshot!("clean-json", clean.out);
}

/// Whoever reads the output alone learns of every error, and of no secret.
#[test]
fn json_output_holds_the_errors() {
    let secret = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: app, image: nginx, env: [{name: PASSWORD, value: 12345678}]}]}\n";
    let files = folder(&[
        ("broken.yaml", "a: [\n"),
        ("kind.yaml", "apiVersion: apps/v1\nkind: deployment\n"),
        ("pod.yaml", POD),
        ("secret.yaml", secret),
        ("profile.yaml", "a: b\n"),
    ]);
    let run = |arguments: &[&str]| {
        let answer = gatehouse_with(files.path(), &[&["check", "--output-format", "json"], arguments].concat(), "");
        assert_eq!(answer.status, 2, "{}", answer.err);
        assert!(![&answer.out, &answer.err].iter().any(|text| text.contains("12345678")), "{}", answer.out);
        report(&answer)
    };
    let report = run(&["broken.yaml", "kind.yaml", "missing.yaml", "pod.yaml", "secret.yaml"]);
    let errors = report["errors"].as_array().expect("there are errors");
    let expected = serde_json::json!([
        {"file": "broken.yaml", "line": 1, "column": 4, "end_line": 1, "end_column": 5, "path": null,
         "message": "this bracket is never closed", "help": null},
        {"file": "kind.yaml", "line": 2, "column": 7, "end_line": 2, "end_column": 17, "path": "kind",
         "message": "Kubernetes 1.36 has no kind \"deployment\" in \"apps/v1\"", "help": "write kind: Deployment"},
        {"file": "secret.yaml", "line": 4, "column": 77, "end_line": 4, "end_column": 85,
         "path": "spec.containers[0].env[0].value",
         "message": "spec.containers[0].env[0].value: expected a string",
         "help": "YAML reads this without quotes as a number: put it in quotes"},
        {"file": "missing.yaml", "line": null, "column": null, "end_line": null, "end_column": null, "path": null,
         "message": "there is no such file or folder", "help": null},
    ]);
    assert_eq!(Value::from(errors.clone()), expected);
    assert!(report["findings"].as_array().is_some_and(|findings| findings.iter().any(|of| of["file"] == "pod.yaml")));
    assert_eq!((&report["version"], &report["summary"]["errors"]), (&1.into(), &4.into()));
    let report = run(&["--profile", "profile.yaml", "pod.yaml"]);
    assert_eq!(report["errors"][0]["message"], "it holds no ClusterAdmissionPolicy");
    assert_eq!(report["errors"][0]["file"], "profile.yaml");
}

#[test]
fn policies_and_rules_explain_themselves() {
    let table = gatehouse(&["policies"]);
    for policy in gatehouse_engine::POLICIES {
        assert!(table.out.lines().any(|line| line == policy.name), "{} is not listed", policy.name);
        for rule in policy.rules {
            let name = format!("{}/{}", policy.name, rule.name);
            let page = gatehouse(&["explain", &name]);
            assert_eq!(page.status, 0);
            assert!(page.out.starts_with(&format!("# {name}\n\nLevel: ")), "{}", page.out);
            assert!(rule.docs.trim().starts_with("Finds"), "{name}: documentation starts with what it finds");
        }
    }
    let unknown = gatehouse(&["explain", "livenes"]);
    assert_eq!(
        (unknown.status, unknown.err.as_str()),
        (2, "error: there is no rule \"livenes\"; did you mean \"liveness\"?\n")
    );
    insta::assert_snapshot!("explain", gatehouse(&["explain", "required-probes/liveness"]).out);
}

#[test]
fn standard_input_is_read() {
    let answer = gatehouse_with(&root(), &["check", "--output-format", "json", "-"], POD);
    assert_eq!(answer.status, 1, "{}", answer.err);
    assert!(found(&answer).iter().all(|(file, _)| file == "<stdin>"));
}

#[test]
fn folders_are_searched_and_gitignore_is_honoured() {
    let files = [
        ("a/one.yaml", POD),
        ("a/b/two.YML", POD),
        ("a/notes.txt", POD),
        ("a/out/three.yaml", POD),
        ("a/.gitignore", "out/\n"),
    ];
    let folder = folder(&files);
    let answer = gatehouse_with(folder.path(), &["check", "--output-format", "json", "a", "a/one.yaml"], "");
    let mut files: Vec<_> = found(&answer).into_iter().map(|(file, _)| file).collect();
    files.dedup();
    assert_eq!(files, ["a/b/two.YML", "a/one.yaml"], "{}", answer.err);
    assert!(answer.err.starts_with("checked 2 objects in 2 files: "), "{}", answer.err);
}

#[test]
fn lists_are_their_items() {
    let item = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: app, image: nginx}]}}";
    let text =
        format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n- apiVersion: v1\n  kind: PodList\n  items: [{item}]\n");
    let answer = gatehouse_with(&root(), &["check", "--output-format", "json", "-"], &text);
    let report = report(&answer);
    let tags = report["findings"]
        .as_array()
        .expect("there are findings")
        .iter()
        .filter(|finding| finding["rule"] == "pinned-images/tag");
    let places: Vec<_> = tags.map(|finding| (finding["line"].clone(), finding["path"].clone())).collect();
    let path = Value::from("spec.containers[0].image");
    assert_eq!(places, [(4.into(), path.clone()), (7.into(), path)]);
    assert!(answer.err.starts_with("checked 2 objects"), "{}", answer.err);
}

#[test]
fn a_profile_decides_which_objects_are_judged() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: front}}\n";
    let every = "  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]\n";
    let selects = |more: &str| format!("{every}{more}");
    let judged = |kind: &str, spec: &str| {
        let files = [
            ("profile.yaml", profile(kind, spec)),
            ("k8s/pod.yaml", POD.to_owned()),
            ("k8s/namespace.yaml", namespace.to_owned()),
        ];
        let files: Vec<_> = files.iter().map(|(name, content)| (*name, content.as_str())).collect();
        let folder = folder(&files);
        let answer = gatehouse_with(
            folder.path(),
            &["check", "--profile", "profile.yaml", "--output-format", "json", "k8s"],
            "",
        );
        assert!(answer.status < 2, "{}", answer.err);
        !found(&answer).is_empty()
    };
    for (spec, expected) in [
        (String::new(), true),
        (every.to_owned(), true),
        (every.replace("[pods]", "['*']"), true),
        (every.replace("[pods]", "['pods/*']"), false),
        (every.replace("[pods]", "[deployments]"), false),
        (every.replace("['']", "[apps]"), false),
        (every.replace("[v1]", "[v2]") + "  matchPolicy: Exact\n", false),
        (every.replace("CREATE", "UPDATE"), false),
        (every.replace("CREATE", "'*'"), true),
        (every.replace("operations", "scope: Cluster, operations"), false),
        (every.replace("operations", "scope: Namespaced, operations"), true),
        (selects("  namespaceSelector: {matchLabels: {tier: front}}\n"), true),
        (selects("  namespaceSelector: {matchLabels: {tier: back}}\n"), false),
        (selects("  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}\n"), true),
        (selects("  objectSelector: {matchExpressions: [{key: app, operator: Exists}]}\n"), false),
        (selects("  objectSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}\n"), true),
    ] {
        assert_eq!(judged("ClusterAdmissionPolicy", &spec), expected, "{spec}");
    }
    assert!(judged("AdmissionPolicy", every));
    assert!(!judged("AdmissionPolicy", &every.replace("pods", "services")));
}

/// An API server would convert the object for the policy, which nobody does here: that is no pass.
#[test]
fn an_object_of_another_version_than_the_rules_name_is_not_passed() {
    let rules = "  rules: [{apiGroups: [autoscaling], apiVersions: [v2], resources: [horizontalpodautoscalers], operations: [CREATE]}]\n";
    let object =
        "kind: HorizontalPodAutoscaler\napiVersion: autoscaling/v1\nmetadata: {name: web}\nspec: {maxReplicas: 3}\n";
    let files = folder(&[("profile.yaml", &profile("ClusterAdmissionPolicy", rules)), ("hpa.yaml", object)]);
    let answer = gatehouse_with(files.path(), &["check", "--profile", "profile.yaml", "hpa.yaml"], "");
    assert_eq!(answer.status, 2, "{}", answer.err);
    assert!(answer.err.contains("of other versions than autoscaling/v1"), "{}", answer.err);
}

/// What comes by a pipe is read once, and still searched for namespaces first.
#[test]
fn namespaces_are_found_in_standard_input() {
    let rules = "  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]\n  namespaceSelector: {matchLabels: {tier: front}}\n";
    let files = folder(&[("profile.yaml", &profile("ClusterAdmissionPolicy", rules))]);
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: front}}\n";
    let input = format!("{POD}{namespace}");
    let answer = gatehouse_with(files.path(), &["check", "--profile", "profile.yaml", "-"], &input);
    assert_eq!(answer.status, 1, "{}", answer.err);
    assert!(!answer.err.contains("note: "), "{}", answer.err);
    let answer = gatehouse_with(files.path(), &["check", "--profile", "profile.yaml", "-"], POD);
    assert_eq!(answer.status, 0, "{}", answer.err);
    let bare = format!("{POD}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n");
    let unlabelled = gatehouse_with(files.path(), &["check", "--profile", "profile.yaml", "-"], &bare);
    assert!(unlabelled.status == 0 && !unlabelled.err.contains("note: "), "{}", unlabelled.err);
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n";
    let unasked = gatehouse_with(files.path(), &["check", "--profile", "profile.yaml", "-"], other);
    assert!(unasked.status == 0 && !unasked.err.contains("note: "), "{}", unasked.err);
    let note = "note: the namespace shop is not among the files: to namespaceSelectors it has no labels\n";
    assert!(answer.err.starts_with(note), "{}", answer.err);
}

/// As kubectl reads them: whatever has items is a list, and they may leave out what the list says.
#[test]
fn items_have_what_their_list_says() {
    let pod = "{metadata: {name: web}, spec: {containers: [{name: app, image: nginx}]}}";
    let full = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: app, image: nginx}]}}";
    for text in [
        format!("apiVersion: v1\nkind: PodList\nitems: [{pod}]\n"),
        format!("apiVersion: v1\nkind: Pod\nitems: [{full}]\n"),
        format!("apiVersion: v1\nkind: List\nitems: [{{apiVersion: v1, kind: PodList, items: [{pod}]}}]\n"),
    ] {
        let answer = gatehouse_with(&root(), &["check", "--output-format", "json", "-"], &text);
        assert_eq!(answer.status, 1, "{text}{}", answer.err);
        assert!(answer.err.starts_with("checked 1 object in 1 file"), "{text}{}", answer.err);
    }
}

#[test]
fn what_only_one_machine_ignores_is_not_ignored() {
    let files = folder(&[("a/pod.yaml", POD), ("a/.ignore", "*.yaml\n")]);
    let answer = gatehouse_with(files.path(), &["check", "a"], "");
    assert_eq!(answer.status, 1, "{}", answer.err);
}

/// Neither a lone carriage return nor an alias brings a secret into a report.
#[test]
fn secrets_are_masked_wherever_they_are_written() {
    for text in [
        "# one\rapiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: c\n    image: nginx\n    env: [{name: DB_PASSWORD, value: hunter2s3cr3t}]\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: c, image: nginx, env: [{name: X, value: &p hunter2s3cr3t}, {name: DB_PASSWORD, value: *p}]}\n",
        "{\"apiVersion\": \"v1\",\r\"kind\": \"Pod\", \"spec\": {\"containers\": [{\"name\": \"c\", \"image\": \"nginx\",\n\"env\": [{\"name\": \"DB_PASSWORD\", \"value\": \"hunter2s3cr3t\"}]}]}}",
    ] {
        let files = folder(&[("pod.yaml", text)]);
        let answer = gatehouse_with(files.path(), &["check", "."], "");
        assert_eq!(answer.status, 1, "{}", answer.err);
        assert!(answer.out.contains("secret-env/literal"), "{}", answer.out);
        assert!(!answer.out.contains("hunter2s3cr3t"), "{}", answer.out);
    }
}

#[test]
fn a_policy_in_monitor_mode_warns() {
    let folder =
        folder(&[("profile/images.yaml", &profile("ClusterAdmissionPolicy", "  mode: monitor\n")), ("pod.yaml", POD)]);
    let answer = gatehouse_with(folder.path(), &["check", "--profile", "profile", "pod.yaml"], "");
    assert_eq!(answer.status, 0, "{}", answer.err);
    assert!(answer.out.contains("warn[pinned-images/tag]"), "{}", answer.out);
}

#[test]
fn a_bad_profile_is_an_error_with_its_place() {
    for (text, message) in [
        ("a: b\n".to_owned(), "it holds no ClusterAdmissionPolicy"),
        (
            profile("ClusterAdmissionPolicyGroup", ""),
            "line 2, column 7: expected a ClusterAdmissionPolicy or an AdmissionPolicy",
        ),
        (
            profile("ClusterAdmissionPolicy", "  setting: {pullPolicy: Always}\n"),
            "spec.setting: there is no such field; did you mean \"settings\"?",
        ),
        (profile("ClusterAdmissionPolicy", "  rules: []\n"), "spec.rules: expected at least one"),
        (
            profile(
                "ClusterAdmissionPolicy",
                "  rules: [{apiGroup: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]\n",
            ),
            "spec.rules[0].apiGroups: expected at least one",
        ),
        (
            profile(
                "ClusterAdmissionPolicy",
                "  rules: [{apiGroups: [''], apiVersions: [v1], resources: [Pods], operations: [CREATE]}]\n",
            ),
            "spec.rules[0].resources: expected plural names",
        ),
        (
            profile(
                "ClusterAdmissionPolicy",
                "  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [create]}]\n",
            ),
            "spec.rules[0].operations: expected some of CREATE",
        ),
        (
            profile("ClusterAdmissionPolicy", "  settings: {pullPolice: Always}\n"),
            "pullPolice: there is no such field; did you mean \"pullPolicy\"?",
        ),
        (
            profile("ClusterAdmissionPolicy", "  settings: {rules: {tags: deny}}\n"),
            "rules.tags: the policy has no such rule; did you mean \"tag\"?",
        ),
        (profile("ClusterAdmissionPolicy", "  mode: watch\n"), "spec.mode: expected protect or monitor"),
        (
            profile("ClusterAdmissionPolicy", "  matchConditions: [{name: a, expression: 'true'}]\n"),
            "spec.matchConditions: they are not evaluated yet (\"a\")",
        ),
        (
            profile("ClusterAdmissionPolicy", "  surprise: 1\n"),
            "line 6, column 13: policy images: spec.surprise: there is no such field\n",
        ),
        (
            profile("ClusterAdmissionPolicy", "") + "settings: {pullPolicy: Always}\n",
            "policy images: settings: there is no such field\n",
        ),
        (
            profile("AdmissionPolicy", "  namespaceSelector: {}\n"),
            "spec.namespaceSelector: an AdmissionPolicy has no such field, only a ClusterAdmissionPolicy",
        ),
        (
            profile(
                "ClusterAdmissionPolicy",
                "  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE], namespaces: [a]}]\n",
            ),
            "policy images: spec.rules[0].namespaces: there is no such field",
        ),
        (profile("ClusterAdmissionPolicy", "  matchPolicy: exact\n"), "spec.matchPolicy: expected Equivalent or Exact"),
        (profile("ClusterAdmissionPolicy", "  failurePolicy: fail\n"), "spec.failurePolicy: expected Fail or Ignore"),
        (
            profile("ClusterAdmissionPolicy", "  mutating: false\n  settings: {fix: true}\n"),
            "line 7, column 19: policy images: spec.settings.fix: it is true and spec.mutating is false: a policy server \
             would refuse every object that the policy fixes; set mutating: true, or remove fix",
        ),
        (
            profile("AdmissionPolicy", "  settings: {fix: true}\n"),
            "spec.settings.fix: it is true and spec.mutating is not set",
        ),
        (profile("ClusterAdmissionPolicy", "  mutating: \"true\"\n"), "spec.mutating: expected true or false"),
        (
            profile("ClusterAdmissionPolicy", "")
                .replace("ghcr.io/gatehouse/policies/pinned-images", "ghcr.io/other/policy"),
            "is neither a policy of Gatehouse nor a .wasm file",
        ),
        (profile("ClusterAdmissionPolicy", "  rules: 5\n"), "spec.rules: expected an array"),
        ("a: [\n".to_owned(), "line 1, column 4: this bracket is never closed"),
    ] {
        let folder = folder(&[("profile.yaml", &text), ("pod.yaml", POD)]);
        let answer = gatehouse_with(folder.path(), &["check", "--profile", "profile.yaml", "pod.yaml"], "");
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{text}");
        assert!(
            answer.err.starts_with("error: profile profile.yaml: ") && answer.err.contains(message),
            "{}\ndoes not say {message}",
            answer.err
        );
    }
    let unknown = gatehouse(&["check", "--profile", "harald", "examples"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("the built-in profiles are baseline, strict, herald"), "{}", unknown.err);
}

/// What a cluster takes, the checker takes.
#[test]
fn all_fields_of_a_policy_may_stand_in_a_profile() {
    let common = "  policyServer: default\n  mode: protect\n  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE], \
                  scope: '*'}]\n  failurePolicy: Fail\n  mutating: true\n  backgroundAudit: true\n  matchPolicy: Equivalent\n  matchConditions: []\n  \
                  objectSelector: {}\n  sideEffects: None\n  timeoutSeconds: 10\n  timeoutEvalSeconds: 2\n  message: no\n  settings: {fix: true}\n";
    let of_cluster =
        "  namespaceSelector: {}\n  contextAwareResources: []\n  allowInsideAdmissionControllerNamespace: true\n";
    for (kind, spec) in
        [("AdmissionPolicy", common.to_owned()), ("ClusterAdmissionPolicy", [common, of_cluster].concat())]
    {
        let files = folder(&[("profile.yaml", &(profile(kind, &spec) + "status: {}\n")), ("pod.yaml", POD)]);
        let answer = gatehouse_with(files.path(), &["check", "--profile", "profile.yaml", "pod.yaml"], "");
        assert_eq!(answer.status, 1, "{}", answer.err);
    }
}

#[test]
fn colour_is_for_terminals_only() {
    let answer = gatehouse(&["check", "examples/herald/documented/frontend"]);
    assert!(!answer.out.contains('\u{1b}') && !answer.err.contains('\u{1b}'));
}

#[test]
fn the_readme_shows_true_output() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let documented = gatehouse(&["check", "--profile", "herald", "examples/herald/documented"]);
    let hardened = gatehouse(&["check", "--profile", "herald", "examples/herald/hardened"]);
    let printed = [documented.out, documented.err, hardened.out, hardened.err].concat();
    let mut compared = 0;
    for block in readme.split("```text\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        // A line of three dots stands for what is left out.
        for part in block.split("...\n") {
            assert!(printed.contains(part.trim()), "README.md shows what is not printed:\n{part}");
            compared += 1;
        }
    }
    assert!(compared >= 3, "README.md shows only {compared} pieces of output");
}

#[cfg(feature = "wasm")]
mod wasm {
    use super::*;

    /// The folder of the modules, as `make modules` fills it.
    fn modules() -> String {
        let folder = std::env::var_os("GATEHOUSE_MODULES").map_or_else(|| root().join("target/modules"), PathBuf::from);
        assert!(folder.is_dir(), "{} is not there: run `make modules`", folder.display());
        folder.display().to_string()
    }

    #[test]
    fn both_engines_print_the_same() {
        for profile in ["herald", "baseline"] {
            let arguments = ["check", "--profile", profile, "--output-format", "json", "examples"];
            let native = gatehouse(&arguments);
            let wasm = gatehouse(&[&arguments[..], &["--engine", "wasm", "--modules", &modules()]].concat());
            assert_eq!((native.status, native.out, native.err), (wasm.status, wasm.out, wasm.err));
        }
    }

    #[test]
    fn a_module_judges_alone_by_its_settings() {
        let module = format!("{}/run-as-nonroot.wasm", modules());
        let folder = folder(&[("pod.yaml", POD), ("settings.yaml", "users: [1001]\n"), ("bad.yaml", "user: [1001]\n")]);
        let check = |more: &[&str]| {
            gatehouse_with(
                folder.path(),
                &[&["check", "--policy", &module, "--output-format", "json", "pod.yaml"], more].concat(),
                "",
            )
        };
        let rules = |answer: &Answer| answer.out.matches("\"rule\"").count();
        assert_eq!(rules(&check(&[])), 1);
        assert_eq!(rules(&check(&["--settings", "settings.yaml"])), 2);
        let refused = check(&["--settings", "bad.yaml"]);
        assert_eq!(refused.status, 2);
        assert!(
            refused.err.contains("did you mean \\\"users\\\"?") || refused.err.contains("did you mean \"users\"?"),
            "{}",
            refused.err
        );
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        let folder = folder(&[("pod.yaml", POD), ("text.wasm", "not wasm")]);
        let answer = gatehouse_with(folder.path(), &["check", "--policy", "text.wasm", "pod.yaml"], "");
        assert_eq!(answer.status, 2);
        assert!(answer.err.contains("not a WebAssembly module"), "{}", answer.err);
        let absent = gatehouse_with(folder.path(), &["check", "--engine", "wasm", "--modules", ".", "pod.yaml"], "");
        assert_eq!(absent.status, 2);
        assert!(absent.err.contains("build it with `make modules`"), "{}", absent.err);
    }
}

/// What is a secret is neither in a message nor in the source that is shown: not for its own finding, nor for another's on
/// the same line.
#[test]
fn secrets_are_masked() {
    let files = folder(&[
        (
            "block.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: app\n    image: nginx\n    env:\n    \
             - name: DB_PASSWORD\n      value: correct-horse\n    args:\n    - |\n      export A=1\n      psql \
             postgres://herald:correct-horse@db/herald\n",
        ),
        (
            "flow.yaml",
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: app, image: nginx, env: [{name: \
             DB_PASSWORD, value: correct-horse}]}]}}\n",
        ),
        (
            "map.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"a\"}, \"data\": {\"key\": \
             \"-----BEGIN PRIVATE KEY-----\\ncorrecthorsecorrecthorsecorrecthorsecorrecthorse\\n-----END PRIVATE KEY-----\"}}",
        ),
    ]);
    for format in ["pretty", "json"] {
        let answer = gatehouse_with(files.path(), &["check", "--output-format", format, "."], "");
        assert_eq!(answer.status, 1, "{}", answer.err);
        for rule in ["secret-env/literal", "secret-env/credentials", "secret-env/token", "pinned-images/tag"] {
            assert!(answer.out.contains(rule), "{rule} is not found: {}", answer.out);
        }
        let shown = answer.out.to_lowercase();
        assert!(!shown.contains("correct") && !shown.contains("horse"), "{format}: {}", answer.out);
    }
}

/// An `env` as other tools write it is an error, and none of its lines is shown; nor is a command's text.
#[test]
fn secrets_in_the_wrong_place_are_masked() {
    let head =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: app\n    image: app:1.0.0\n";
    for (part, error) in [
        ("    env:\n      DB_PASSWORD: horse\n", "env: expected an array"),
        ("    env: [DB_PASSWORD=horse]\n", "env[0]: expected an object"),
        ("    env: [{name: [horse]}]\n", "env[0].name: expected a string"),
        ("    env: [{name: A, valueFrom: horse}]\n", "env[0].valueFrom: expected an object"),
        (
            "    lifecycle: {preStop: {exec: {command: \"curl -u user:horse http://x\"}}}\n",
            "command: expected an array",
        ),
    ] {
        let pod = [head, part].concat();
        let files = folder(&[("pod.yaml", &pod)]);
        let answer = gatehouse_with(files.path(), &["check", "."], "");
        assert_eq!(answer.status, 2, "{part}");
        assert!(answer.err.contains(error), "{part}: {}", answer.err);
        assert!(![answer.out, answer.err].concat().contains("horse"), "{part}");
    }
}

/// A password of digits without quotes is a number, and so an error: neither it nor its line shows the digits.
#[test]
fn a_secret_of_the_wrong_type_is_masked() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: app, env: [{name: DB_PASSWORD, \
               value: 12345678}]}]}\n";
    let files = folder(&[("pod.yaml", pod)]);
    let answer = gatehouse_with(files.path(), &["check", "."], "");
    assert_eq!(answer.status, 2);
    assert!(answer.err.contains("env[0].value: expected a string"), "{}", answer.err);
    let shown = [answer.out, answer.err].concat();
    assert!(shown.contains("********") && !shown.contains("12345678"), "{shown}");
}
