//! The modules say what the linked-in policies say, byte for byte: on every case, every real admission review and every
//! manifest in the repository. They answer whatever they are sent, and never trap.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehouse_engine::POLICIES;
use gatehouse_engine::wasm::{Answers, Cache, Module, Modules, Own};
use gatehouse_policy::module::{ERROR_ANNOTATION, FINDINGS_ANNOTATION, validate_among, validate_settings};
use gatehouse_policy::{Finding, Node, Policy, Request};
use gatehouse_tests::{all_cases, create, manifests, profile_settings, review, reviews, root, surroundings};
use serde_json::{Value, json};

/// Every policy with its module, as `make modules` built it.
fn modules() -> Vec<(&'static Policy, Module)> {
    let folder = std::env::var_os("GATEHOUSE_MODULES").map_or_else(|| root().join("target/modules"), PathBuf::from);
    let compiler = Modules::new(&Cache::User, Duration::from_mins(1)).expect("the engine starts");
    let load = |policy: &&'static Policy| {
        let path = folder.join(policy.name).with_extension("wasm");
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `make modules`", path.display()));
        (*policy, compiler.load(policy.name, &bytes).unwrap_or_else(|error| panic!("{error}")))
    };
    POLICIES.iter().map(load).collect()
}

fn payload(request: &Value, settings: &Value) -> Vec<u8> {
    json!({"request": request, "settings": settings}).to_string().into_bytes()
}

/// Answers no question twice: a policy is to ask once for each kind and namespace.
struct AskedOnce {
    host: Own,
    asked: Mutex<HashSet<(String, Vec<u8>)>>,
}

impl Answers for AskedOnce {
    fn answer(&self, namespace: &str, operation: &str, payload: &[u8]) -> Option<Result<Vec<u8>, String>> {
        let question = (format!("{namespace}/{operation}"), payload.to_vec());
        let is_new = self.asked.lock().expect("no test panics while it asks").insert(question);
        assert!(is_new, "{namespace}/{operation} is asked twice: {}", String::from_utf8_lossy(payload));
        self.host.answer(namespace, operation, payload)
    }
}

/// A host that has no answer.
struct Silent;

const SILENCE: &str = "the API server is not reachable";

impl Answers for Silent {
    fn answer(&self, _: &str, _: &str, _: &[u8]) -> Option<Result<Vec<u8>, String>> {
        Some(Err(SILENCE.to_owned()))
    }
}

/// Both answers to the same payload, with their JSON annotations as they stand.
fn same_answer(policy: &Policy, module: &Module, payload: &[u8]) -> Value {
    let sent: Value = serde_json::from_slice(payload).unwrap_or_default();
    let host = Arc::new(surroundings(policy, &sent["request"]));
    let native = validate_among(policy, payload, &*host).expect("it answers");
    let native: Value = serde_json::from_slice(&native).expect("in JSON");
    let asked = Arc::new(AskedOnce { host: Own(host), asked: Mutex::default() });
    let answers: Arc<dyn Answers> = Arc::clone(&asked) as _;
    let answer = module.call_among("validate", payload, &answers);
    let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", policy.name));
    let wasm: Value = serde_json::from_slice(&answer).expect("a module answers in JSON");
    assert_eq!(native, wasm, "{} on {}", policy.name, String::from_utf8_lossy(payload));
    wasm
}

#[test]
fn modules_say_what_linked_in_policies_say() {
    let modules = modules();
    for (policy, file, case) in all_cases() {
        let (_, module) = modules.iter().find(|(of, _)| of.name == policy.name).expect("every policy has a module");
        let settings = case.settings();
        let native = validate_settings(policy, settings.to_string().as_bytes()).expect("it answers");
        let wasm = module.call("validate_settings", settings.to_string().as_bytes()).expect("it answers");
        assert_eq!(String::from_utf8_lossy(&native), String::from_utf8_lossy(&wasm), "{file}: {}", case.name);
        if let Some(request) = case.request() {
            same_answer(policy, module, &payload(&request, &settings));
        }
    }
    for (policy, module) in &modules {
        let herald = profile_settings("herald", policy.name);
        for settings in [herald, json!({})] {
            for (_, review) in reviews() {
                same_answer(policy, module, &payload(&review["request"], &settings));
            }
            for (_, object) in manifests() {
                same_answer(policy, module, &payload(&create(&object), &settings));
            }
        }
    }
}

#[test]
fn a_host_that_does_not_answer_is_no_pass() {
    let silent: Arc<dyn Answers> = Arc::new(Silent);
    for (policy, module) in modules().into_iter().filter(|(policy, _)| policy.looks_around()) {
        // A rollout is then judged as if nothing were around it.
        let mut refused = policy.name == "rollout";
        for (_, file, case) in all_cases().into_iter().filter(|(of, ..)| of.name == policy.name) {
            let (Some(request), Some(expected)) = (case.request(), &case.findings) else { continue };
            if request["around"].is_null() || expected.is_empty() {
                continue;
            }
            let ask = |settings: &Value| -> Value {
                let answer = module.call_among("validate", &payload(&request, settings), &silent);
                serde_json::from_slice(&answer.expect("it answers")).expect("in JSON")
            };
            let mut settings = case.settings();
            let answer = ask(&settings);
            let name = format!("{}/{file}: {}", policy.name, case.name);
            if answer["code"] != json!(500) {
                // What the object itself tells is found without asking.
                let findings = answer["audit_annotations"][FINDINGS_ANNOTATION].as_str().unwrap_or_default();
                assert!(policy.name == "rollout" || !findings.is_empty(), "{name}: {answer}");
                continue;
            }
            refused = true;
            assert_eq!(answer["accepted"], json!(false), "{name}");
            assert!(answer["message"].as_str().unwrap_or_default().contains(SILENCE), "{name}: {answer}");
            settings["onContextError"] = json!("warn");
            let answer = ask(&settings);
            assert_ne!(answer["code"], json!(500), "{name}: {answer}");
            let warnings = answer["warnings"].to_string();
            assert!(warnings.contains("is not known") && warnings.contains("context]"), "{name}: {answer}");
        }
        assert!(refused, "{} refuses nothing", policy.name);
    }
}

#[test]
fn a_review_is_judged_as_its_manifest() {
    let mut compared = 0;
    for policy in POLICIES {
        let settings = profile_settings("herald", policy.name);
        for (name, sent) in reviews() {
            let request = &sent["request"];
            if request["operation"] != "CREATE" {
                continue;
            }
            // kubectl leaves the manifest as it was applied in an annotation.
            let applied =
                &request["object"]["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
            let Some(applied) = applied.as_str() else { continue };
            let manifest: Value = serde_json::from_str(applied).expect("kubectl writes JSON");
            let found = review(policy, &settings, request).expect("a real review can be read");
            let expected = review(policy, &settings, &create(&manifest)).expect("a real manifest can be read");
            // The server's LimitRange had filled in what Herald's fluent-bit and others lack: resources are as sent.
            if policy.name == "resource-limits" && name.contains("pod-") {
                continue;
            }
            // The server has dropped the keys that Herald's RedisCluster has in the wrong place.
            if policy.name == "redis-cluster" && name.contains("rediscluster") {
                continue;
            }
            // Messages may tell a value that is written from the same one that is the default.
            let verdict = |findings: &[Finding]| -> Vec<_> {
                findings.iter().map(|of| (of.rule.clone(), of.level, of.path.clone())).collect()
            };
            assert_eq!(verdict(&found), verdict(&expected), "{} on {name}", policy.name);
            compared += 1;
        }
    }
    assert!(compared > 40, "only {compared} reviews were compared");
}

#[test]
fn what_cannot_be_judged_is_refused_with_a_reason() {
    let deep = format!("{{\"request\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let request = |object: Value| {
        let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
        json!({"request": {"operation": "CREATE", "kind": kind, "object": object}}).to_string()
    };
    let payloads = [
        (String::new(), "not JSON"),
        ("{}".to_owned(), "request: it is required"),
        ("[]".to_owned(), "expected an object"),
        ("null".to_owned(), "expected an object"),
        ("{".to_owned(), "not JSON"),
        (deep, "nests deeper"),
        (r#"{"request":5}"#.to_owned(), "request: expected an object, found the number 5"),
        (r#"{"request":{}}"#.to_owned(), "request.operation: expected CREATE"),
        (r#"{"request":{"operation":"CREATE"}}"#.to_owned(), "request.kind: it is required"),
        (request(Value::Null), "request.object: it is required"),
        (request(json!([1])), "request.object: expected an object"),
        (r#"{"settings":5,"request":{}}"#.to_owned(), "settings: expected an object, found the number 5"),
        (
            r#"{"settings":{"rules":{"nonsense":"deny"}}}"#.to_owned(),
            "settings.rules.nonsense: the policy has no such rule",
        ),
        (
            r#"{"settings":{"exempts":{}}}"#.to_owned(),
            "settings.exempts: there is no such field; did you mean \"exempt\"?",
        ),
        (r#"{"settings":{"fix":"yes"}}"#.to_owned(), "settings.fix: expected true or false"),
    ];
    for (policy, module) in modules() {
        for (payload, reason) in &payloads {
            let answer = same_answer(policy, &module, payload.as_bytes());
            assert_eq!(answer["accepted"], json!(false), "{}: {payload:.80}", policy.name);
            assert_eq!(answer["code"], json!(400), "{}: {payload:.80}", policy.name);
            let message = answer["message"].as_str().unwrap_or_default();
            assert!(message.contains(reason), "{}: {message}\ndoes not say: {reason}", policy.name);
            assert!(answer["audit_annotations"][ERROR_ANNOTATION].is_string(), "{answer}");
        }
    }
}

#[test]
fn a_module_that_fixes_refuses_only_for_the_rest() {
    let mut mended = 0;
    for (policy, module) in modules() {
        for (_, object) in manifests() {
            let mut settings = profile_settings("herald", policy.name);
            settings["fix"] = json!(true);
            let request = create(&object);
            let answer = same_answer(policy, &module, &payload(&request, &settings));
            let findings = review(policy, &settings, &request).expect("a manifest can be read");
            let has_rest =
                findings.iter().any(|finding| finding.fix.is_none() && finding.level == gatehouse_policy::Level::Deny);
            assert_eq!(answer["accepted"], json!(!has_rest), "{}: {answer}", policy.name);
            if !answer["mutated_object"].is_null() {
                mended += 1;
                let again = create(&answer["mutated_object"]);
                let left = review(policy, &settings, &again).expect("a mended manifest can be read");
                assert!(left.iter().all(|finding| finding.fix.is_none()), "{}: {left:?}", policy.name);
            }
        }
    }
    assert!(mended > 2, "only {mended} objects were mended");
}

/// How large a module may be.
const MOST_BYTES: u64 = 250_000;

/// Those that read a language of its own may be larger.
const LARGER: &[(&str, u64)] =
    &[("monitoring", 300_000), ("nginx-config", 350_000), ("image-config", 350_000), ("rollout", 256_000)];

#[test]
fn modules_are_small_and_carry_their_metadata() {
    for (policy, module) in modules() {
        let metadata = module.metadata().unwrap_or_else(|| panic!("{} has no metadata", policy.name));
        let native: Value = serde_json::from_str(policy.metadata).expect("metadata is JSON");
        assert_eq!(*metadata, native);
        assert_eq!(metadata["protocolVersion"], json!("v1"));
        let version = module.call("protocol_version", b"").expect("it answers");
        assert_eq!(String::from_utf8_lossy(&version), "\"v1\"");
        let folder = std::env::var_os("GATEHOUSE_MODULES").map_or_else(|| root().join("target/modules"), PathBuf::from);
        let size = fs::metadata(folder.join(policy.name).with_extension("wasm")).expect("it was read before").len();
        let most = LARGER.iter().find(|(name, _)| *name == policy.name).map_or(MOST_BYTES, |(_, most)| *most);
        assert!(size <= most, "{} has {size} bytes, expected at most {most}", policy.name);
    }
}

#[test]
fn an_annotation_holds_the_findings() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a\u{1b}[31m\n::error::b"}]}});
    for (policy, module) in modules().into_iter().filter(|(policy, _)| policy.name == "run-as-nonroot") {
        let answer = same_answer(policy, &module, &payload(&create(&pod), &json!({})));
        assert_eq!(answer["code"], json!(403));
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(!message.chars().any(char::is_control), "{message:?}");
        let annotation = answer["audit_annotations"][FINDINGS_ANNOTATION].as_str().unwrap_or_default();
        let findings = review(policy, &json!({}), &create(&pod)).expect("the pod can be read");
        assert_eq!(annotation, serde_json::to_string(&findings).expect("findings are data"));
    }
}

#[test]
fn real_reviews_are_judged_by_operation_and_subresource() {
    let judged = |name: &str, policy: &str, settings: Value| -> Vec<String> {
        let path = root().join("tests/data/reviews").join(format!("{name}.validating.json"));
        let sent = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let node = Node::from_json(&sent).expect("a review is JSON");
        let request = Request::read(node.get("request").expect("a review has a request")).expect("it can be read");
        let settings = settings.to_string();
        let settings = Node::from_json(settings.as_bytes()).expect("it is JSON");
        let policy = gatehouse_engine::policy(policy).expect("it is a policy").configure(&settings).expect("accepted");
        let verdict = policy.review(&request).expect("a real review can be read");
        verdict.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.path)).collect()
    };
    // A DELETE and an UPDATE of what is being deleted pass unseen; a CREATE with a deletionTimestamp in its file does not.
    for passed in ["delete-pod-dying", "delete-pod-win", "delete-pod-win-2"] {
        assert_eq!(judged(passed, "run-as-nonroot", json!({})), Vec::<String>::new(), "{passed}");
    }
    assert!(!judged("create-pod-dying", "run-as-nonroot", json!({})).is_empty());
    // The server had wiped the deletionTimestamp: this UPDATE is of a pod that lives.
    assert!(!judged("update-pod-dying", "run-as-nonroot", json!({})).is_empty());
    // kubectl debug is judged by its own container alone.
    let debug = judged("update-pod-ephemeralcontainers-plain", "run-as-nonroot", json!({"users": [1001]}));
    assert!(
        !debug.is_empty() && debug.iter().all(|finding| finding.contains("spec.ephemeralContainers[0]")),
        "{debug:?}"
    );
    // An in-place resize concerns resources alone.
    assert!(judged("update-pod-resize-plain", "run-as-nonroot", json!({})).is_empty());
    assert!(judged("update-pod-resize-plain", "pinned-images", json!({})).is_empty());
    // A scale request is for no workload's pod.
    assert!(judged("update-scale-scale-herald-frontend", "run-as-nonroot", json!({})).is_empty());
    let windows = judged("create-pod-win", "run-as-nonroot", json!({"users": [1001]}));
    assert_eq!(windows, ["run-as-nonroot/user spec.containers[0].securityContext.windowsOptions.runAsUserName"]);
}
