//! Findings that depend on what else is there: on other files, on images, on what a policy server answered before.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder can be made");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the folder can be written");
        fs::write(path, content).expect("the folder can be written");
    }
    folder
}

struct Answer {
    status: i32,
    out: String,
    err: String,
}

fn gatehouse(folder: &Path, arguments: &[&str], input: &str) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatehouse"))
        .current_dir(folder)
        .arg("check")
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

/// The findings of a check: file, line, rule.
fn found(folder: &Path, arguments: &[&str], input: &str) -> Vec<String> {
    let answer = gatehouse(folder, &[&["--output-format", "json"], arguments].concat(), input);
    let report: Value = serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{}{}", answer.out, answer.err));
    let findings = report["findings"].as_array().expect("there are findings");
    let line = |of: &Value| {
        let text = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
        format!("{}:{} {}", text("file"), of["line"], text("rule"))
    };
    findings.iter().map(line).collect()
}

/// A profile of these policies alone.
fn profile(policies: &[&str]) -> String {
    let manifest = |policy: &&str| {
        format!(
            "apiVersion: policies.kubewarden.io/v1\nkind: ClusterAdmissionPolicy\nmetadata: {{name: {policy}}}\nspec: \
             {{module: {policy}}}\n"
        )
    };
    policies.iter().map(manifest).collect::<Vec<_>>().join("---\n")
}

/// A pod with a variable of the Secret `tokens`, and an image that floats.
const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers:
  - name: app
    image: nginx:latest
    env:
    - name: TOKEN
      valueFrom: {secretKeyRef: {name: tokens, key: token}}
";

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: tokens, namespace: shop}\n";

fn with_profile(files: &[(&str, &str)]) -> TempDir {
    let profile = profile(&["pinned-images", "object-references"]);
    folder(&[files, &[("profile.yaml", &profile)]].concat())
}

#[test]
fn a_folder_is_all_there_is_and_a_file_is_not() {
    let folder = with_profile(&[("k8s/pod.yaml", POD)]);
    let profile = ["--profile", "profile.yaml"];
    let pinned = "k8s/pod.yaml:7 pinned-images/floating";
    let missing = "k8s/pod.yaml:10 object-references/secret";
    let check = |arguments: &[&str], input: &str| found(folder.path(), &[&profile, arguments].concat(), input);
    assert_eq!(check(&["k8s"], ""), [pinned, missing]);
    assert_eq!(check(&["k8s/pod.yaml"], ""), [pinned]);
    // A folder beside it that was looked at makes it all there is.
    fs::create_dir(folder.path().join("rest")).expect("the folder can be written");
    fs::write(folder.path().join("rest/other.yaml"), SECRET.replace("tokens", "others")).expect("it can be written");
    assert_eq!(check(&["k8s/pod.yaml", "--context", "rest"], ""), [pinned, missing]);
    fs::write(folder.path().join("rest/secret.yaml"), SECRET).expect("it can be written");
    assert_eq!(check(&["k8s/pod.yaml", "--context", "rest"], ""), [pinned]);
    assert_eq!(check(&["k8s", "rest"], ""), [pinned]);
    // What comes on standard input is all there is, as documents and as a list.
    let stdin = |of: &str| of.replace("k8s/pod.yaml", "<stdin>");
    assert_eq!(check(&["-"], POD), [stdin(pinned), stdin(missing)]);
    assert_eq!(check(&["-"], &format!("{POD}---\n{SECRET}")), [stdin(pinned)]);
    let items = format!("{POD}---\n{SECRET}");
    let items: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&items)
        .map(|document| serde::Deserialize::deserialize(document).expect("it is YAML"))
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    assert_eq!(check(&["-"], &list), ["<stdin>:1 pinned-images/floating"]);
}

#[test]
fn what_is_looked_at_is_not_judged_and_must_be_readable() {
    let folder = with_profile(&[("pod.yaml", POD), ("rest/pod.yaml", POD), ("rest/broken.yaml", "a: {b: 1\nc: [\n")]);
    let arguments = ["--profile", "profile.yaml", "pod.yaml", "--context", "rest"];
    let answer = gatehouse(folder.path(), &arguments, "");
    assert_eq!(answer.status, 2, "{}", answer.err);
    assert!(
        answer.err.contains("rest/broken.yaml:2:2: while parsing a flow mapping, did not find expected"),
        "{}",
        answer.err
    );
    assert!(answer.err.contains("checked 1 object in 1 file: 1 denied, 1 warning"), "{}", answer.err);
}

#[test]
fn late_findings_come_in_their_place() {
    let pods = format!("{POD}---\n{}", POD.replace("web", "api"));
    let folder = with_profile(&[("a.yaml", &pods), ("b.yaml", POD), ("c.yaml", &SECRET.replace("tokens", "token"))]);
    let lines = found(folder.path(), &["--profile", "profile.yaml", "."], "");
    let expected = [
        "./a.yaml:7 pinned-images/floating",
        "./a.yaml:10 object-references/secret",
        "./a.yaml:18 pinned-images/floating",
        "./a.yaml:21 object-references/secret",
        "./b.yaml:7 pinned-images/floating",
        "./b.yaml:10 object-references/secret",
    ];
    assert_eq!(lines, expected);
    let answer = gatehouse(folder.path(), &["--profile", "profile.yaml", "."], "");
    insta::assert_snapshot!("late", answer.out);
}

#[test]
fn many_files_wait_in_order() {
    let files: Vec<(String, String)> =
        (0..1200).map(|number| (format!("{number:04}.yaml"), POD.replace("tokens", &format!("t{number}")))).collect();
    let mut named: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let secret = SECRET.replace("tokens", "t7");
    named.push(("secret.yaml", &secret));
    let folder = with_profile(&named);
    let lines = found(folder.path(), &["--profile", "profile.yaml", "."], "");
    let expected: Vec<String> = (0..1200)
        .flat_map(|number| {
            let missing = (number != 7).then(|| format!("./{number:04}.yaml:10 object-references/secret"));
            [Some(format!("./{number:04}.yaml:7 pinned-images/floating")), missing].into_iter().flatten()
        })
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_namespace_is_known_by_its_manifest() {
    let policies = profile(&["namespace-quotas"]);
    let folder = folder(&[("profile.yaml", &policies), ("pod.yaml", POD)]);
    let check = || found(folder.path(), &["--profile", "profile.yaml", "."], "");
    assert_eq!(check(), Vec::<String>::new());
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    fs::write(folder.path().join("namespace.yaml"), namespace).expect("it can be written");
    assert_eq!(check(), ["./pod.yaml:3 namespace-quotas/limit-range", "./pod.yaml:3 namespace-quotas/quota"]);
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: a, namespace: shop}\nspec: {hard: {pods: 5}}\n";
    fs::write(folder.path().join("quota.yaml"), quota).expect("it can be written");
    assert_eq!(check(), ["./pod.yaml:3 namespace-quotas/limit-range"]);
}

#[test]
fn what_kustomize_generates_is_there() {
    let kustomization = "resources: [pod.yaml]\nsecretGenerator:\n- name: tokens\n  literals: [token=a]\n";
    let folder = with_profile(&[("pod.yaml", POD), ("kustomization.yaml", kustomization)]);
    let lines = found(folder.path(), &["--profile", "profile.yaml", "."], "");
    assert_eq!(lines, ["./pod.yaml:7 pinned-images/floating"]);
}

/// A folder in OCI's layout with one image.
fn layout(folder: &Path, reference: &str, config: &Value) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("the folder can be written");
    let digest = |number: u8| format!("{number:064x}");
    let describe = |number: u8, kind: &str| json!({"mediaType": format!("application/vnd.oci.image.{kind}.v1+json"), "size": 1, "digest": format!("sha256:{}", digest(number))});
    let manifest = json!({"schemaVersion": 2, "config": describe(1, "config"), "layers": []});
    let mut entry = describe(2, "manifest");
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": reference});
    for (file, value) in [
        (
            blobs.join(digest(1)),
            json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": config}),
        ),
        (blobs.join(digest(2)), manifest),
        (folder.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]})),
        (folder.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"})),
    ] {
        fs::write(file, value.to_string()).expect("the folder can be written");
    }
}

#[test]
fn images_are_looked_into_where_they_are_at_hand() {
    let folder = folder(&[("pod.yaml", POD), ("profile.yaml", &profile(&["image-config"]))]);
    let arguments = ["--profile", "profile.yaml", "pod.yaml", "--oci-layout", "images"];
    assert_eq!(found(folder.path(), &arguments[..3], ""), Vec::<String>::new());
    layout(&folder.path().join("images"), "docker.io/library/nginx:latest", &json!({"User": "root"}));
    assert_eq!(found(folder.path(), &arguments, ""), ["pod.yaml:7 image-config/user"]);
    layout(&folder.path().join("images"), "docker.io/library/nginx:latest", &json!({"User": "101"}));
    assert_eq!(found(folder.path(), &arguments, ""), Vec::<String>::new());
    fs::write(folder.path().join("images/index.json"), "{").expect("it can be written");
    let answer = gatehouse(folder.path(), &arguments, "");
    assert_eq!(answer.status, 2);
    assert!(answer.err.contains("images/index.json: it is no part of an OCI layout"), "{}", answer.err);
}

const DOCKERFILE: &str = "FROM alpine:3.20.3\nWORKDIR /app\nCOPY server .\nUSER 1001\nCMD [\"server\"]\n";

#[test]
fn files_that_are_no_objects_are_found_by_their_names() {
    let profile = profile(&["image-config"]);
    let root = DOCKERFILE.replace("USER 1001", "USER root");
    let folder = folder(&[
        ("profile.yaml", &profile),
        ("app/Dockerfile", &root),
        ("app/web.Dockerfile", &root),
        ("app/Dockerfile.dev", &root),
        ("app/Containerfile", &root),
        ("app/notes.txt", &root),
        ("app/Dockerfile.yaml", "a: 1\n"),
    ]);
    let arguments = ["--profile", "profile.yaml", "app"];
    let users: Vec<String> =
        found(folder.path(), &arguments, "").into_iter().filter(|line| line.ends_with("image-config/user")).collect();
    let expected = ["Containerfile", "Dockerfile", "Dockerfile.dev", "web.Dockerfile"]
        .map(|name| format!("app/{name}:4 image-config/user"));
    assert_eq!(users, expected);
    let answer = gatehouse(folder.path(), &[&arguments[..], &["--output-format", "json"]].concat(), "");
    let report: Value = serde_json::from_str(&answer.out).expect("it is JSON");
    assert_eq!(report["findings"][0]["object"], Value::Null);
    assert!(answer.err.contains("and 4 files of other kinds"), "{}", answer.err);
    // With no policy for them they are not looked at.
    let answer = gatehouse(folder.path(), &["--profile", "profile.yaml", "profile.yaml"], "");
    assert!(!answer.err.contains("other kind"), "{}", answer.err);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_its_place_and_the_others_are_checked() {
    let profile = profile(&["image-config"]);
    let root = DOCKERFILE.replace("USER 1001", "USER root");
    for (broken, place, said) in [
        (b"FROM alpine:3.20.3\nFROMM x\n".to_vec(), "Dockerfile:2:1", ""),
        (b"FROM alpine:3.20.3\nRUN caf\xe9\n".to_vec(), "Dockerfile:2:8", "no part of UTF-8"),
        (vec![b'#'; 50 << 20], "Dockerfile:1:1", "it has 50 MB; files of this kind are read up to 16 MB"),
    ] {
        let folder = folder(&[("profile.yaml", &profile), ("z.Dockerfile", &root)]);
        fs::write(folder.path().join("Dockerfile"), broken).expect("it can be written");
        let answer = gatehouse(folder.path(), &["--profile", "profile.yaml", ".", "--output-format", "json"], "");
        assert_eq!(answer.status, 2, "{}", answer.err);
        assert!(answer.err.contains(place) && answer.err.contains(said), "{}", answer.err);
        assert!(answer.out.contains("\"file\":\"./z.Dockerfile\""), "{}", answer.out);
    }
}

#[cfg(feature = "wasm")]
mod wasm {
    use super::*;

    fn modules() -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/modules");
        std::env::var("GATEHOUSE_MODULES").unwrap_or_else(|_| folder.display().to_string())
    }

    #[test]
    fn modules_are_answered_of_the_same_set() {
        let folder = with_profile(&[("k8s/pod.yaml", POD), ("k8s/other.yaml", &POD.replace("tokens", "token"))]);
        fs::write(folder.path().join("secret.yaml"), SECRET).expect("it can be written");
        let modules = modules();
        for arguments in [&["k8s"][..], &["k8s/pod.yaml"], &["."], &["k8s/other.yaml", "--context", "secret.yaml"]] {
            let arguments = [&["--profile", "profile.yaml"], arguments].concat();
            let native = found(folder.path(), &arguments, "");
            let wasm =
                found(folder.path(), &[&arguments[..], &["--engine", "wasm", "--modules", &modules]].concat(), "");
            assert_eq!(native, wasm, "{arguments:?}");
            assert!(!native.is_empty(), "{arguments:?}");
        }
    }

    #[test]
    fn a_recording_answers_what_modules_ask() {
        let module = format!("{}/object-references.wasm", modules());
        let exchange = |kind: &str, api_version: &str, fields: &[&str], items: &str| {
            let request = format!(
                "!KubernetesListResourceNamespace\napi_version: {api_version}\nkind: {kind}\nnamespace: shop\n\
                 label_selector: null\nfield_selector: null\nfield_masks:\n- {}\n",
                fields.join("\n- ")
            );
            json!({"type": "Exchange", "request": request, "response": {"type": "Success", "payload": items}})
        };
        let policy = gatehouse_engine::policy("object-references").expect("it is a policy");
        let recording = |items: &str| {
            let exchanges: Vec<Value> = policy
                .asks
                .iter()
                .map(|asked| {
                    let mut fields = asked.fields();
                    fields.extend(["metadata.name", "metadata.namespace"].map(str::to_owned));
                    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                    let items = if asked.kind == "Secret" { items } else { r#"{"items": []}"# };
                    exchange(asked.kind, asked.api_version, &fields, items)
                })
                .collect();
            serde_yaml_ng::to_string(&exchanges).expect("it is data")
        };
        let folder = folder(&[
            ("pod.yaml", POD),
            ("there.yaml", &recording(r#"{"items": [{"metadata": {"name": "tokens"}}]}"#)),
            ("none.yaml", &recording(r#"{"items": []}"#)),
            ("broken.yaml", "a: 1\n"),
            ("empty.yaml", "[]\n"),
        ]);
        let check = |replay: &str| gatehouse(folder.path(), &["--policy", &module, "--replay", replay, "pod.yaml"], "");
        assert_eq!(check("there.yaml").status, 0, "{}", check("there.yaml").err);
        let none = check("none.yaml");
        assert!(none.out.contains("object-references/secret"), "{}{}", none.out, none.err);
        for (replay, said) in
            [("broken.yaml", "no recording of kwctl"), ("empty.yaml", "the recording has no answer to")]
        {
            let answer = check(replay);
            assert_eq!(answer.status, 2, "{}", answer.err);
            assert!(answer.err.contains(said), "{}", answer.err);
        }
    }
}
