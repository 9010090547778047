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
    let null = pod("    env: null\n    ports: ~\n  initContainers: null\n  volumes:\n");
    let (status, out, err) = check(&[("null.yaml", null.as_bytes())], &["null.yaml"]);
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("run-as-nonroot/non-root"), "{out}");
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
    let skipped = "skipped: 2 documents that are no Kubernetes objects; -v names them\n";
    assert_eq!(err, format!("{notes}{checked}{skipped}"));
    let (_, _, err) = check(files, &["-v", "."]);
    for name in ["package.json", "values.yaml"] {
        let line = format!("skipped: ./{name}:1: no Kubernetes object: it has neither apiVersion nor kind\n");
        assert!(err.contains(&line), "{name}: {err}");
    }
    let (status, _, err) = check(&[("text/readme.md", b"nothing")], &["text"]);
    assert_eq!(status, 0);
    assert!(err.starts_with("note: text: there are no manifests (.yaml, .yml, .json) in this folder\n"), "{err}");
}

/// What kubectl refuses is refused, with what was probably meant.
#[test]
fn what_no_api_server_takes_is_an_error() {
    let rest = "metadata: {name: web}\nspec: {containers: [{name: app, image: app:1.0.0}]}\n";
    for (head, place, message, help) in [
        ("apiVersion: apps/v1\nKind: Deployment\n", "2:1", "this object has no kind", "write kind in place of Kind"),
        (
            "apiversion: v1\nkind: Pod\n",
            "1:1",
            "this object has no apiVersion",
            "write apiVersion in place of apiversion",
        ),
        (
            "apiversion: v1\nKind: Pod\n",
            "1:1",
            "this object has no apiVersion",
            "write apiVersion in place of apiversion",
        ),
        ("apiVersion: v1\n", "1:13", "this object has no kind", ""),
        ("apiVersion: v1\nkind:\n", "1:13", "this object has no kind", ""),
        ("apiVersion: v1\nkind: \"\"\n", "1:13", "this object has no kind", ""),
        ("kind: CronJob\n", "1:7", "this object has no apiVersion", "write apiVersion: batch/v1"),
        ("kind: pod\n", "1:7", "this object has no apiVersion", "write apiVersion: v1"),
        (
            "apiVersion: v1\nkind: Deployment\n",
            "1:13",
            "has no kind \"Deployment\" in \"v1\"",
            "write apiVersion: apps/v1",
        ),
        ("apiVersion: apps/v1\nkind: deployment\n", "2:7", "has no kind \"deployment\"", "write kind: Deployment"),
        ("apiVersion: app/v1\nkind: Deployment\n", "1:13", "has no API group \"app\"", "write apiVersion: apps/v1"),
        ("apiVersion: batch/v1\nkind: Cronjob\n", "2:7", "has no kind \"Cronjob\"", "write kind: CronJob"),
        (
            "apiVersion: apps/v2\nkind: Deployment\n",
            "1:13",
            "has no Deployment in \"apps/v2\"",
            "write apiVersion: apps/v1",
        ),
        (
            "apiVersion: apps/v1\nkind: Rollout\n",
            "2:7",
            "has no kind \"Rollout\" in \"apps/v1\"",
            "a kind of the group argoproj.io",
        ),
        ("apiVersion: apps/v1\nkind: Application\n", "2:7", "has no kind \"Application\" in \"apps/v1\"", ""),
        ("apiVersion: argoproj/v1alpha1\nkind: Rollout\n", "1:13", "has no API group \"argoproj\"", ""),
        (
            "- apiVersion: v1\n  kind: Pod\n  metadata: {name: web}\n#",
            "1:3",
            "Kubernetes reads no bare list of objects",
            "---",
        ),
    ] {
        let text = if head.ends_with('#') { head.to_owned() } else { [head, rest].concat() };
        for arguments in [&["a.yaml"][..], &["."], &["a.yaml", "--output-format", "json"]] {
            let (status, out, err) = check(&[("a.yaml", text.as_bytes())], arguments);
            assert_eq!(status, 2, "{head}{err}");
            assert!(err.contains(&format!("a.yaml:{place}\n")), "{head}{err}\nis not at {place}");
            assert!(err.contains(message) && err.contains(help), "{head}{err}\ndoes not say {message}: {help}");
            assert!(!out.contains("\"rule\""), "{out}");
        }
    }
}

/// What is written for other tools is no manifest, wherever it stands.
#[test]
fn what_other_tools_read_is_skipped() {
    for (name, text) in [
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("Chart.yaml", "apiVersion: v2\nname: {{ .Name }}\n".replace("{{ .Name }}", "web").as_str()),
        ("chart.yml", "apiVersion: v1\nname: web\nversion: 1.0\n"),
        ("index.yaml", "apiVersion: v1\nentries: {web: []}\ngenerated: \"2024-01-01\"\n"),
        ("datasources.yaml", "apiVersion: 1\ndatasources: []\n"),
        ("verify.yml", "apiVersion: v1\nallOf: [{kind: pubKey, key: a}]\n"),
        ("aks.json", "{\"apiVersion\": \"vlabs\", \"properties\": {}}"),
        ("devfile.yaml", "apiVersion: 1.0.0\nmetadata: {generateName: web-}\n"),
        ("notes.yaml", "apiVersion: release-notes/v2\nkind: feature\narea: networking\n"),
        ("skaffold.yaml", "apiVersion: skaffold/v4beta6\nkind: Config\nmetadata: {name: web}\n"),
        ("api.json", "{\"kind\": \"discovery#restDescription\", \"name\": \"run\"}"),
        ("review.json", "{\"kind\": {\"group\": \"\", \"kind\": \"Pod\"}, \"operation\": \"CREATE\"}"),
        ("drone.yml", "kind: pipeline\ntype: docker\nname: default\n"),
        ("kustomization.yaml", "kind: Kustomization\nresources: [pod.yaml]\n"),
        ("kustomize.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Component\n"),
        ("kubeconfig.yaml", "apiVersion: v1\nkind: Config\nclusters: []\nusers: []\n"),
        ("kind.yaml", "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n"),
        ("audit.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n"),
        ("kubelet.yaml", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"),
        ("text.yaml", "just a text\n"),
        ("patch.yaml", "- {op: add, path: /spec/replicas, value: 3}\n"),
    ] {
        let (status, _, err) = check(&[(name, text.as_bytes())], &[".", "-v"]);
        assert_eq!(status, 0, "{name}: {err}");
        assert!(err.starts_with(&format!("skipped: ./{name}:1: no Kubernetes object: ")), "{name}: {err}");
        assert!(err.ends_with("\nskipped: 1 document that is no Kubernetes object\n"), "{name}: {err}");
    }
}

/// What YAML makes of a value without quotes is said, and what to write; and so is what quotes make of one.
#[test]
fn a_value_with_the_wrong_quotes_is_explained() {
    let labels = |value: &str| pod("").replace("  name: a\n", &format!("  name: {value}\n"));
    for (text, help) in [
        (labels("yes"), "help: YAML reads yes without quotes as the boolean true: write \"yes\"\n"),
        (labels("Off # c"), "help: YAML reads Off without quotes as the boolean false: write \"Off\"\n"),
        (labels("1.20"), "help: YAML reads 1.20 without quotes as the number 1.2: write \"1.20\"\n"),
        (labels("0755"), "help: YAML reads 0755 without quotes as the number 493 (octal): write \"0755\"\n"),
        (labels("0o17"), "help: YAML reads 0o17 without quotes as the number 15 (octal): write \"0o17\"\n"),
        (labels("0x1F"), "help: YAML reads 0x1F without quotes as the number 31 (hexadecimal): write \"0x1F\"\n"),
        (labels("08"), "help: YAML reads 08 without quotes as the number 8: write \"08\"\n"),
        (labels("1_000"), "help: YAML reads 1_000 without quotes as the number 1000: write \"1_000\"\n"),
        (labels("1e3"), "help: YAML reads 1e3 without quotes as the number 1000: write \"1e3\"\n"),
        (labels("42"), "help: YAML reads 42 without quotes as a number: write \"42\"\n"),
        (
            pod("    env: [{name: A, value: yes}]\n"),
            "help: YAML reads this without quotes as a boolean: put it in quotes\n",
        ),
        (pod("    args: [-n, 0755]\n"), "help: YAML reads this without quotes as a number: put it in quotes\n"),
        (pod("    securityContext: {runAsUser: \"1001\"}\n"), "help: the quotes make it a string: write 1001\n"),
        (pod("    securityContext: {runAsNonRoot: 'true'}\n"), "help: the quotes make it a string: write true\n"),
        (
            "{\"apiVersion\": \"v1\", \"kind\": 5}".to_owned(),
            "help: YAML reads 5 without quotes as a number: write \"5\"\n",
        ),
    ] {
        let (status, _, err) = check(&[("a.yaml", text.as_bytes())], &["a.yaml"]);
        assert_eq!(status, 2, "{text}{err}");
        assert!(err.contains(help), "{text}{err}\ndoes not say {help}");
    }
    for text in [
        labels("[yes]"),
        labels("!!bool \"yes\""),
        pod("    securityContext: {runAsUser: \"a\"}\n"),
        pod("    securityContext: {runAsUser: \"0x1F\"}\n"),
        pod("    securityContext: {runAsUser: one}\n"),
        pod("    securityContext: {runAsUser: 1.5}\n"),
        pod("    securityContext: {runAsNonRoot: \"yes\"}\n"),
        labels("&a yes").replace("kind: Pod", "x: &b yes\nkind: *b"),
    ] {
        let (status, _, err) = check(&[("a.yaml", text.as_bytes())], &["a.yaml"]);
        assert_eq!(status, 2, "{text}{err}");
        assert!(!err.contains("help: "), "{text}{err}");
    }
}

/// What a file holds decides how it is read, as kubectl has it, and not its name.
#[test]
fn a_json_file_is_read_as_kubectl_reads_it() {
    let json = "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {\"containers\": [{\"name\": \"app\", \"image\": \"nginx\"}]}}";
    for text in [
        pod(""),
        format!("# a comment\n---\n{}", pod("")),
        json.replacen('{', "{ # a comment\n", 1),
        json.replace("\"nginx\"", "nginx,"),
        format!("{json}\n{json}"),
        format!("{json}\n---\n{json}"),
    ] {
        let (status, out, err) = check(&[("pod.json", text.as_bytes())], &["."]);
        assert_eq!(status, 1, "{text}{err}");
        assert!(out.contains("deny[run-as-nonroot/non-root]"), "{text}{out}");
    }
    for text in [
        json.replacen('{', "{ // a comment\n", 1),
        json.replacen('{', "{\"kind\": \"Pod\",", 1),
        format!("{json}\n{json}\n{}", pod("")),
        format!("// a comment\n[{json}]"),
        json.replacen("\"v1\",", "\"v1\" /* a comment */,,", 1),
    ] {
        let (status, _, err) = check(&[("pod.json", text.as_bytes())], &["."]);
        assert_eq!(status, 2, "{text}{err}");
    }
}

#[test]
fn json_that_is_plainly_for_another_tool_is_skipped() {
    let tsconfig = "// see \"apiVersion\": of the server\n{\n  \"extends\": \"a//b\", /* { */\n  \"nested\": {\"apiVersion\": 1,},\n}\n";
    for text in [tsconfig, "[\n\t\"a\" // b\n]\n", "{\"a\": 1, // {{\n \"a\": 2}\n"] {
        let (status, _, err) = check(&[("web/tsconfig.json", text.as_bytes())], &["."]);
        assert_eq!(status, 0, "{text}{err}");
        assert!(err.ends_with("\nskipped: 1 document that is no Kubernetes object; -v names it\n"), "{err}");
        // What is named is meant to be checked, and so is what is no JSON.
        let (status, _, err) = check(&[("web/tsconfig.json", text.as_bytes())], &["web/tsconfig.json"]);
        assert_eq!(status, 2, "{text}{err}");
        let (status, _, err) = check(&[("web/tsconfig.yaml", text.as_bytes())], &["."]);
        assert_eq!(status, 2, "{text}{err}");
    }
    let (status, _, err) = check(&[("web/package.json", b"{\"name\": \"web\", \"files\": [")], &["."]);
    assert_eq!(status, 2, "{err}");
}

/// An object of no policy is neither an error nor a pass.
#[test]
#[expect(clippy::format_collect, reason = "a few lines of input, written plainly")]
fn what_no_policy_judges_is_counted_by_kind() {
    let rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: app}]}}}\n";
    let others = [
        ("v1", "ServiceAccount"),
        ("v1", "ServiceAccount"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("policy/v1beta1", "PodSecurityPolicy"),
        ("example.org/v1", "Policy"),
        ("example.org/v1", "Policy"),
        ("example.org/v1", "Policy"),
    ];
    let others: String = others
        .iter()
        .map(|(version, kind)| format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n"))
        .collect();
    let profile = "apiVersion: policies.kubewarden.io/v1\nkind: ClusterAdmissionPolicy\nmetadata: {name: images}\nspec:\n  module: pinned-images\n  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]\n";
    let all = [rollout, &others].concat();
    let files: &[(&str, &[u8])] = &[("p/profile.yaml", profile.as_bytes()), ("k8s/all.yaml", all.as_bytes())];
    let (status, _, err) = check(files, &["k8s", "--profile", "p"]);
    assert_eq!(status, 0, "{err}");
    let expected = "checked 0 objects in 1 file: no policy judged anything\nnot judged by any policy: 3 Policies \
                    (example.org), 2 ServiceAccounts, 1 PodSecurityPolicy, 1 Role, 1 Rollout (argoproj.io); -v names them\n";
    assert_eq!(err, expected);
    let (_, _, err) = check(files, &["k8s", "--profile", "p", "-v"]);
    assert!(err.starts_with("not judged: k8s/all.yaml:1: Rollout web (argoproj.io/v1alpha1)\n"), "{err}");
    assert_eq!(err.matches("not judged: k8s/all.yaml:").count(), 8, "{err}");
    let (_, out, _) = check(files, &["k8s", "--profile", "p", "--output-format", "json"]);
    assert!(out.contains("{\"kind\":\"Rollout\",\"group\":\"argoproj.io\",\"objects\":1}"), "{out}");
    assert!(out.contains("\"objects\":0,") && out.contains("\"notJudged\":8,"), "{out}");
    // Beside what is judged it is said as well, and of many kinds not all.
    let many: String = (0..12).map(|of| format!("---\napiVersion: example.org/v1\nkind: Kind{of:02}\n")).collect();
    let text = [pod(""), many].concat();
    let files: &[(&str, &[u8])] = &[("p/profile.yaml", profile.as_bytes()), ("k8s/all.yaml", text.as_bytes())];
    let (_, _, err) = check(files, &["k8s", "--profile", "p"]);
    assert!(
        err.starts_with(
            "checked 1 object in 1 file: nothing found\nnot judged by any policy: 1 Kind00 (example.org), "
        ),
        "{err}"
    );
    assert!(err.ends_with("1 Kind07 (example.org), 4 of 4 other kinds; -v names them\n"), "{err}");
}

/// Nothing of a workload without containers would be judged, whether or not a policy is for it.
#[test]
fn a_workload_without_containers_is_an_error() {
    let workload = |api_version: &str, kind: &str, spec: &str| {
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: web}}\n{spec}\n")
    };
    let profile = "apiVersion: policies.kubewarden.io/v1\nkind: ClusterAdmissionPolicy\nmetadata: {name: images}\nspec:\n  module: tls-ingress\n";
    let app = "containers: [{name: app, image: app:1.0.0}]";
    for (text, path, place) in [
        (workload("v1", "Pod", &format!("specs: {{{app}}}")), "spec.containers", "1:1"),
        (workload("v1", "Pod", "spec: {containers: []}"), "spec.containers", "4:20"),
        (workload("v1", "Pod", "spec: {containers: null}"), "spec.containers", "4:20"),
        (workload("v1", "Pod", "spec: {initContainers: [{name: a}]}"), "spec.containers", "4:7"),
        (
            workload("apps/v1", "Deployment", &format!("spec: {{template: {{spec: {{}}}}, {app}}}")),
            "spec.template.spec.containers",
            "4:25",
        ),
        (workload("apps/v1", "StatefulSet", &format!("spec: {{{app}}}")), "spec.template.spec.containers", "4:7"),
        (
            workload("batch/v1", "CronJob", &format!("spec: {{jobTemplate: {{spec: {{{app}}}}}}}")),
            "spec.jobTemplate.spec.template.spec.containers",
            "4:28",
        ),
        (
            workload("argoproj.io/v1alpha1", "Rollout", "spec: {template: {spec: {}}}"),
            "spec.template.spec.containers",
            "4:25",
        ),
    ] {
        for profile_name in ["baseline", "p"] {
            let files: &[(&str, &[u8])] = &[("p/profile.yaml", profile.as_bytes()), ("k8s/a.yaml", text.as_bytes())];
            let (status, _, err) = check(files, &["k8s", "--profile", profile_name]);
            assert_eq!(status, 2, "{text}{err}");
            assert!(
                err.starts_with(&format!("error: {path}: a pod needs at least one container, found none\n")),
                "{text}{err}"
            );
            assert!(err.contains(&format!("a.yaml:{place}\n")), "{text}{err}");
            assert_eq!(err.matches("error: ").count(), 1, "{err}");
            assert!(!err.contains("not judged"), "{err}");
        }
    }
    for (text, help) in [
        (workload("v1", "Pod", &format!("specs: {{{app}}}")), "write spec in place of specs"),
        (workload("v1", "Pod", "spec: {container: [{name: a}]}"), "write containers in place of spec.container"),
        (
            workload("apps/v1", "DaemonSet", &format!("spec: {{selector: {{}}, template: {{{app}}}}}")),
            "move spec.template.containers to spec.template.spec.containers",
        ),
        (
            workload("apps/v1", "Deployment", &format!("spec: {{template: {{spec: {{}}}}, {app}}}")),
            "move spec.containers to spec.template.spec.containers",
        ),
        (
            workload(
                "batch/v1",
                "CronJob",
                &format!("spec: {{jobTemplate: {{spec: {{tmplate: {{spec: {{{app}}}}}}}}}}}"),
            ),
            "write template in place of spec.jobTemplate.spec.tmplate",
        ),
    ] {
        let (_, _, err) = check(&[("a.yaml", text.as_bytes())], &["a.yaml"]);
        assert!(err.contains(&format!("= help: {help}\n")), "{text}{err}");
    }
    // A Rollout may have its pods in a Deployment.
    let elsewhere = workload(
        "argoproj.io/v1alpha1",
        "Rollout",
        "spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}}",
    );
    let (status, _, err) = check(&[("a.yaml", elsewhere.as_bytes())], &["a.yaml"]);
    assert_eq!(status, 0, "{err}");
}

/// What is laid over an object is not judged as if it were the object, wherever its kustomization is.
#[test]
fn patches_of_kustomize_are_skipped() {
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: app, image: app:1}]}}}\n";
    let kustomization = "resources: [../base, whole.yaml]\npatches:\n- path: patches/a.yaml\n- {path: c.json, target: {kind: Deployment}}\n- patch: |-\n    - {op: remove, path: /spec}\n- path: missing.yaml\n- path: whole.yaml\npatchesStrategicMerge:\n- ../shared/b.yml\n- |-\n  kind: Pod\n";
    let whole = pod("");
    let files: &[(&str, &[u8])] = &[
        ("overlay/kustomization.yaml", kustomization.as_bytes()),
        ("overlay/patches/a.yaml", patch.as_bytes()),
        ("overlay/c.json", b"[{\"op\": \"add\", \"path\": \"/spec/replicas\", \"value\": 3}]"),
        ("shared/b.yml", patch.as_bytes()),
        ("overlay/whole.yaml", whole.as_bytes()),
        ("overlay/patches/other.yaml", whole.as_bytes()),
    ];
    let (status, out, err) = check(files, &["."]);
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("/overlay/whole.yaml:") && out.contains("/other.yaml:"), "{out}");
    assert!(!out.contains("a.yaml:") && !out.contains("b.yml:"), "{out}");
    let note = "note: the patches of ./overlay are no whole objects: kubectl kustomize ./overlay | gatehouse check -\n";
    assert!(err.starts_with(&format!("{note}checked 2 objects in 6 files: ")), "{err}");
    let skipped = "\nskipped: 1 document that is no Kubernetes object, 3 patches of Kustomize; -v names them\n";
    assert!(err.ends_with(skipped), "{err}");
    // From below the kustomization, and by name.
    for arguments in [&["overlay/patches/a.yaml"], &["overlay/patches"]] {
        let (_, out, err) = check(files, &[arguments, &["-v"][..]].concat());
        assert!(err.starts_with("skipped: overlay/patches/a.yaml: a patch of overlay\n"), "{err}");
        assert!(err.contains("kubectl kustomize overlay | gatehouse check -\n"), "{err}");
        assert!(!out.contains("a.yaml:"), "{out}");
    }
    // Without a kustomization it is an object.
    let (status, _, err) = check(&[("patches/a.yaml", patch.as_bytes())], &["."]);
    assert!(status == 1 && err.starts_with("checked 1 object in 1 file: "), "{err}");
}

/// A lone piece of a workload is no workload: whatever it lacks may be in what it is laid over.
#[test]
fn a_piece_of_a_workload_is_an_error() {
    let of = |api_version: &str, kind: &str, spec: &str| {
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: web}}\nspec: {spec}\n")
    };
    let piece = |kind| {
        format!("this is a piece of a {kind}, such as a patch of Kustomize: spec.selector and every image are missing")
    };
    for (kind, spec) in [
        ("Deployment", "{template: {spec: {containers: [{name: api, resources: {limits: {memory: 1Gi}}}]}}}"),
        ("StatefulSet", "{template: {spec: {initContainers: [{name: api}], containers: [{name: b, env: []}]}}}"),
        ("DaemonSet", "{template: {metadata: {annotations: {a: b}}}}"),
        ("Deployment", "{replicas: 3}"),
        ("Deployment", "{template: {spec: {containers: []}}}"),
    ] {
        let (status, out, err) = check(&[("a.yaml", of("apps/v1", kind, spec).as_bytes())], &["a.yaml"]);
        assert_eq!((status, out.as_str()), (2, ""), "{spec}{err}");
        assert!(err.starts_with(&format!("error: {}\n", piece(kind))), "{spec}{err}");
        assert!(
            err.contains("help: render it and check the result: kubectl kustomize FOLDER | gatehouse check -"),
            "{err}"
        );
    }
    for (api_version, kind, spec) in [
        ("apps/v1", "Deployment", "{selector: {matchLabels: {a: b}}, template: {spec: {containers: [{name: api}]}}}"),
        ("apps/v1", "Deployment", "{template: {spec: {containers: [{name: api}, {name: b, image: b}]}}}"),
        (
            "apps/v1",
            "Deployment",
            "{template: {spec: {initContainers: [{name: api, image: b}], containers: [{name: b}]}}}",
        ),
        ("v1", "Pod", "{containers: [{name: api}]}"),
        ("batch/v1", "Job", "{template: {spec: {containers: [{name: api}]}}}"),
        ("argoproj.io/v1alpha1", "Rollout", "{template: {spec: {containers: [{name: api}]}}}"),
    ] {
        let (_, _, err) = check(&[("a.yaml", of(api_version, kind, spec).as_bytes())], &["a.yaml"]);
        assert!(!err.contains("this is a piece"), "{spec}{err}");
    }
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
    assert!(err.ends_with("\nskipped: 2 hidden files; -v names them\n"), "{err}");
    let (_, _, err) = check(files, &["k8s", "-v"]);
    for name in ["k8s/.github/pod.yaml", "k8s/.pod.yaml"] {
        assert!(err.contains(&format!("skipped: {name}: it is hidden\n")), "{err}");
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
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("\"findings\": [],\n") && out.len() < 1000, "{out}");
    assert!(err.starts_with("checked 2"), "{err}");
}
