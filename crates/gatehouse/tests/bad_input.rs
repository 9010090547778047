//! Whatever the input, the answer is one that helps: what, where, what was expected. Other files are checked all the same.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// The exit status, standard output and standard error of a check of files beside a good one.
fn check(files: &[(&str, &[u8])], arguments: &[&str]) -> (i32, String, String) {
    let folder = TempDir::new().expect("a temporary folder can be made");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the folder can be written");
        fs::write(path, content).expect("the folder can be written");
    }
    run(folder.path(), arguments)
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    let output = command.current_dir(folder).arg("check").args(arguments).output().expect("gatehouse runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it prints UTF-8");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A pod with a part more for its one container.
fn pod(more: &str) -> String {
    let head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: app\n    image: nginx:1.27.0\n";
    format!("{head}{more}")
}

#[test]
#[expect(clippy::format_collect, reason = "a few lines of input, written plainly")]
fn what_cannot_be_read_is_an_error_with_its_place() {
    let bomb: String =
        (1..9).map(|of| format!("a{of}: &a{of} [{}]\n", vec![format!("*a{}", of - 1); 10].join(","))).collect();
    let deep_flow = format!("a: {}", "[".repeat(100_000));
    let deep_block: String = (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let deep_json = "[".repeat(100_000);
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("malformed.yaml", b"a: {b: 1\nc: [\n".to_vec(), "2:2", "did not find expected"),
        ("malformed.json", b"{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\",,\n}".to_vec(), "2:16", "not JSON"),
        ("duplicate.yaml", pod("    image: redis\n").into(), "9:5", "the key \"image\" is there already, in line 8"),
        ("duplicate.json", b"{\"apiVersion\": 1,\n \"apiVersion\": 2}".to_vec(), "2:2", "is there already"),
        ("bomb.yaml", format!("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{bomb}").into(), "6:", "aliases"),
        ("deep-flow.yaml", deep_flow.into(), "1:", "nests deeper than 200 levels"),
        ("deep-block.yaml", deep_block.into(), "202:202", "nests deeper than 200 levels"),
        ("deep.json", deep_json.into(), "1:", "nests deeper than 200 levels"),
        ("latin1.yaml", b"apiVersion: v1\nkind: caf\xe9\n".to_vec(), "2:10", "no part of UTF-8"),
        (
            "user.yaml",
            pod("    securityContext:\n      runAsUser: \"1001\"\n").into(),
            "10:18",
            "spec.containers[0].securityContext.runAsUser: expected an integer, found the string \"1001\"",
        ),
        (
            "cpu.yaml",
            pod("    resources:\n      limits:\n        cpu: abc\n").into(),
            "11:14",
            "resources.limits.cpu: \"abc\" is no quantity",
        ),
        (
            "huge.yaml",
            pod("    resources:\n      limits:\n        cpu: 1e999\n").into(),
            "11:14",
            "\"1e999\" is out of range",
        ),
        (
            "port.yaml",
            pod("    livenessProbe:\n      tcpSocket:\n        port: true\n").into(),
            "11:15",
            "livenessProbe.tcpSocket.port: expected the number or the name of a port, found the boolean true",
        ),
        (
            "old.yaml",
            b"kind: HorizontalPodAutoscaler\napiVersion: autoscaling/v2beta1\nmetadata: {name: web}\n".to_vec(),
            "2:13",
            "since Kubernetes 1.25 no API server serves autoscaling/v2beta1",
        ),
        (
            "bom.yaml",
            b"apiVersion: v1\nkind: ConfigMap\n---\n\xef\xbb\xbfapiVersion: v1\nkind: Pod\n".to_vec(),
            "4:1",
            "a byte order mark (U+FEFF) stands before this",
        ),
        (
            "space.yaml",
            b"apiVersion: v1\nkind: ConfigMap\n--- \xc2\xa0\n".to_vec(),
            "3:5",
            "this is a space that YAML does not know, \\u{a0}",
        ),
        ("kind.yaml", b"apiVersion: v1\nkind: 5\n".to_vec(), "2:7", "kind: expected a string, found the number 5"),
    ];
    for (name, content, place, message) in cases {
        let good = pod("");
        let (status, out, err) = check(&[(name, &content), ("zz-good.yaml", good.as_bytes())], &["."]);
        assert_eq!(status, 2, "{name}: {err}");
        assert!(err.contains(message), "{name}: {err}\ndoes not say {message}");
        assert!(err.contains(&format!("{name}:{place}")), "{name}: {err}\nis not at {place}");
        assert!(out.contains("zz-good.yaml"), "{name}: the other file was not checked:\n{out}");
    }
}

#[test]
fn missing_and_unreadable_files_are_errors() {
    let good = pod("");
    let (status, out, err) = check(&[("good.yaml", good.as_bytes())], &["missing.yaml", "good.yaml"]);
    assert_eq!(status, 2);
    assert!(err.contains("error: missing.yaml: there is no such file or folder"), "{err}");
    assert!(out.contains("good.yaml"), "{out}");
    #[cfg(unix)]
    {
        // Even root cannot read through a link to nowhere.
        let folder = TempDir::new().expect("a temporary folder can be made");
        std::os::unix::fs::symlink("nowhere", folder.path().join("link.yaml")).expect("a link can be made");
        let (status, _, err) = run(folder.path(), &["."]);
        assert_eq!(status, 2, "{err}");
        assert!(err.contains("link.yaml"), "{err}");
    }
}

#[test]
fn wrong_values_of_the_right_type_are_findings() {
    let port = pod("    livenessProbe:\n      httpGet:\n        port: 70000\n");
    let (status, out, err) = check(&[("port.yaml", port.as_bytes())], &["port.yaml"]);
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("deny[required-probes/port]"), "{out}");
    let image = pod("").replace("nginx:1.27.0", &"a".repeat(10_000));
    let (status, out, err) = check(&[("image.yaml", image.as_bytes())], &["image.yaml", "--output-format", "json"]);
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("pinned-images/reference"), "{out}");
    assert!(out.len() < 20_000, "the image is repeated in the report");
}

#[test]
fn what_kubernetes_reads_is_read() {
    let bom = [b"\xef\xbb\xbf", pod("").as_bytes()].concat();
    let crlf = pod("").replace('\n', "\r\n");
    let cased = pod("    Image: other\n    fancy: 5\n");
    for (name, content) in
        [("bom.yaml", bom.as_slice()), ("crlf.yaml", crlf.as_bytes()), ("cased.yaml", cased.as_bytes())]
    {
        let (status, out, err) = check(&[(name, content)], &[name, "--output-format", "json"]);
        assert_eq!(status, 1, "{name}: {err}");
        assert!(out.contains("run-as-nonroot/non-root"), "{name}: {out}");
        assert!(!out.contains("pinned-images"), "{name}: {out}");
    }
    let null = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: null}\n";
    let (status, _, err) = check(&[("null.yaml", null)], &["null.yaml"]);
    assert_eq!((status, err.as_str()), (0, "checked 1 object in 1 file: nothing found\n"));
}

#[test]
fn what_is_no_object_is_counted_and_named() {
    let files: &[(&str, &[u8])] = &[
        ("comments.yaml", b"# nothing\n"),
        ("empty.yaml", b""),
        ("none.yaml", b"---\n---\n# nothing\n"),
        ("package.json", b"{\"name\": \"web\"}"),
        ("values.yaml", b"replicas: 3\n"),
    ];
    let (status, _, err) = check(files, &["."]);
    assert_eq!(status, 0);
    let nothing = |file: &str| format!("note: ./{file}: there is nothing to check in this file\n");
    let notes = nothing("comments.yaml") + &nothing("empty.yaml") + &nothing("none.yaml");
    let checked = "checked 0 objects in 5 files: there is nothing to check\n";
    assert_eq!(err, format!("{notes}{checked}2 documents are no Kubernetes objects; -v names them\n"));
    let (_, _, err) = check(files, &["-v", "."]);
    for name in ["package.json", "values.yaml"] {
        let named = err
            .lines()
            .any(|line| line.starts_with("passed over: ./") && line.contains(name) && line.contains("it has no kind"));
        assert!(named, "{name}: {err}");
    }
    let (status, _, err) = check(&[("text/readme.md", b"nothing")], &["text"]);
    assert_eq!(status, 0);
    assert!(err.starts_with("note: text: there are no manifests (.yaml, .yml, .json) in this folder\n"), "{err}");
}

#[test]
fn what_is_empty_among_objects_is_nothing() {
    let text = format!("---\n# Source: web/templates/none.yaml\n---\n{}---\n", pod(""));
    let (status, _, err) = check(&[("rendered.yaml", text.as_bytes())], &["rendered.yaml"]);
    assert_eq!(status, 1);
    assert!(err.starts_with("checked 1 object in 1 file: ") && err.lines().count() == 1, "{err}");
}

#[test]
fn what_is_hidden_is_counted_and_named() {
    let manifest = pod("");
    let files: &[(&str, &[u8])] = &[
        ("k8s/.github/pod.yaml", manifest.as_bytes()),
        ("k8s/.pod.yaml", manifest.as_bytes()),
        ("k8s/.git/pod.yaml", manifest.as_bytes()),
        ("k8s/.notes.txt", b"nothing"),
    ];
    let (status, _, err) = check(files, &["k8s"]);
    assert_eq!(status, 0);
    assert!(err.ends_with("2 hidden files are passed over; -v names them\n"), "{err}");
    let (_, _, err) = check(files, &["k8s", "-v"]);
    for name in ["k8s/.github/pod.yaml", "k8s/.pod.yaml"] {
        assert!(err.contains(&format!("passed over: {name}: it is hidden\n")), "{err}");
    }
    // What is named is checked, wherever it is.
    let (status, _, err) = check(files, &["k8s/.github", "k8s/.pod.yaml"]);
    assert_eq!(status, 1);
    assert!(err.starts_with("checked 2 objects in 2 files: "), "{err}");
}

#[test]
fn a_helm_template_is_to_be_rendered_first() {
    let files: &[(&str, &[u8])] = &[
        ("chart/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("chart/templates/pod.yaml", b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n"),
    ];
    let (status, _, err) = check(files, &["chart"]);
    assert_eq!(status, 2);
    assert!(err.contains("this is a Helm template, and no manifest until it is rendered"), "{err}");
    assert!(err.contains("helm template chart | gatehouse check -"), "{err}");
}

#[test]
fn braces_outside_quotes_are_a_template() {
    let broken = |name: &str| format!("a: {name}\n b: [\n");
    let said = "it looks like a template: render it, and check the result";
    for (name, is_template) in [("{{ .name }}", true), ("'{{ .name }}'", false), ("\"{{ .name }}\"", false)] {
        let (status, _, err) = check(&[("a.yaml", broken(name).as_bytes())], &["a.yaml"]);
        assert_eq!((status, err.contains(said)), (2, is_template), "{name}: {err}");
    }
}

#[test]
fn nothing_in_a_manifest_reaches_the_terminal_unescaped() {
    let evil = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\e[31m\"}\nspec: {containers: [{name: \"x\\n::error::b\\e[0m\\u202e\"}]}\n";
    let (_, out, err) = check(&[("evil.yaml", evil.as_bytes())], &["evil.yaml"]);
    for text in [&out, &err] {
        assert!(
            !text.chars().any(|character| (character.is_control() && character != '\n') || character == '\u{202e}'),
            "{text:?}"
        );
        assert!(!text.lines().any(|line| line.starts_with("::")), "{text}");
    }
}

/// A hundred times as many errors take no ten thousand times as long.
#[test]
fn many_broken_documents_are_read_in_one_pass() {
    let broken = "a: [\n---\n".repeat(20_000);
    let (status, _, err) = check(&[("broken.yaml", broken.as_bytes())], &["broken.yaml"]);
    assert_eq!(status, 2);
    assert!(err.contains("20000 that could not be checked"), "{}", err.len());
}

#[test]
fn a_large_file_is_checked_within_a_few_times_its_size() {
    let document = pod("    env:\n    - {name: A, value: some text of a certain length that is not looked at}\n");
    let large = format!("{document}---\n").repeat(50_000_000 / (document.len() + 4));
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join("large.yaml"), &large).expect("the folder can be written");
    let (status, _, err) = run(folder.path(), &["large.yaml", "--output-format", "json", "--profile", "quiet.yaml"]);
    // The profile is not there: that is said before anything is read.
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("profile quiet.yaml: there is no such file or folder"), "{err}");
    let quiet = "apiVersion: policies.kubewarden.io/v1\nkind: ClusterAdmissionPolicy\nmetadata: {name: quiet}\nspec:\n  \
        module: tls-ingress\n  rules: [{apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*']}]\n";
    fs::write(folder.path().join("quiet.yaml"), quiet).expect("the folder can be written");
    let (status, out, err) = run(folder.path(), &["large.yaml", "--output-format", "json", "--profile", "quiet.yaml"]);
    assert_eq!((status, out.as_str()), (0, "[]\n"), "{err}");
    assert!(err.starts_with("checked 2"), "{err}");
}
