//! What the host makes of modules: good, foreign, broken and hostile ones, most of them a few lines of WebAssembly text.
#![cfg(feature = "wasm")]

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use gatehouse_engine::wasm::{Cache, Fault, Module, ModuleError, Modules, ReviewError, TIMEOUT, payload};
use gatehouse_policy::{Finding, Level, Node, Operation, Request};
use serde_json::{Value, json};

const POD: &str =
    r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": {}}"#;

/// A policy that runs `body` for `validate`, with `$answer` at hand: a function that answers with `text`.
fn policy(text: &str, body: &str) -> Vec<u8> {
    module("", text, body)
}

fn module(items: &str, text: &str, body: &str) -> Vec<u8> {
    let quoted = text.bytes().map(|byte| format!("\\{byte:02x}")).collect::<Vec<_>>().concat();
    let length = text.len();
    let wat = format!(
        r#"(module
            (import "wapc" "__guest_response" (func $respond (param i32 i32)))
            (import "wapc" "__guest_error" (func $fail (param i32 i32)))
            (import "wapc" "__guest_request" (func $request (param i32 i32)))
            (import "wapc" "__host_call" (func $host (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global $called (mut i32) (i32.const 0))
            (data (i32.const 0) "\"v1\"")
            (data (i32.const 16) "{{\"valid\":true}}")
            (data (i32.const 64) "kubewardentracinglogkubernetesget_resource")
            (data (i32.const 128) "{quoted}")
            {items}
            (func $answer (result i32)
                (call $respond (i32.const 128) (i32.const {length}))
                (i32.const 1))
            (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
                (if (i32.eq (local.get $operation) (i32.const 16)) ;; protocol_version
                    (then (call $respond (i32.const 0) (i32.const 4)) (return (i32.const 1))))
                (if (i32.eq (local.get $operation) (i32.const 17)) ;; validate_settings
                    (then (call $respond (i32.const 16) (i32.const 14)) (return (i32.const 1))))
                {body}))"#
    );
    assemble(&wat)
}

fn assemble(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"))
}

fn modules() -> Modules {
    Modules::new(&Cache::Off, TIMEOUT).unwrap()
}

fn refused(bytes: &[u8]) -> Fault {
    modules().load("under test", bytes).unwrap_err().fault
}

fn review(module: &Module, object: &str) -> Result<Vec<Finding>, ReviewError> {
    let object = Node::from_json(object.as_bytes()).unwrap();
    let configured = module.configure(&Node::empty()).unwrap();
    configured.review(&Request::create(&object, "default").unwrap(), None)
}

/// What the host says of a policy that accepts every object, or would, did it get that far.
fn fault(body: &str) -> Fault {
    let module = modules().load("under test", &policy(r#"{"accepted":true}"#, body)).unwrap();
    match review(&module, POD) {
        Err(ReviewError::Module(ModuleError { fault, .. })) => fault,
        other => panic!("expected the module to fail: {other:?}"),
    }
}

/// What is found where a policy answers with this.
fn findings(answer: &Value) -> Vec<Finding> {
    let module = modules().load("under test", &policy(&answer.to_string(), "(call $answer)")).unwrap();
    review(&module, POD).unwrap()
}

#[test]
fn refuses_what_is_no_module() {
    for bytes in [&b""[..], b"(module)", b"<!DOCTYPE html>", b"\0asm", b"\0asm\x01\0\0\0garbage", b"\0asm\x0d\0\x01\0"]
    {
        assert!(matches!(refused(bytes), Fault::NotWasm(_)), "{bytes:?}: {:?}", refused(bytes));
    }
}

#[test]
fn refuses_modules_that_are_no_policies() {
    assert!(matches!(refused(&assemble("(module)")), Fault::NotWapc(_)));
    let other_call = r#"(module (func (export "__guest_call")))"#;
    assert!(matches!(refused(&assemble(other_call)), Fault::Error(reason) if reason.contains("__guest_call")));
    let rego =
        module(r#"(@custom "io.kubewarden.metadata" "{\"executionMode\":\"gatekeeper\"}")"#, "", "(call $answer)");
    assert_eq!(refused(&rego), Fault::NotWapc("its execution mode is gatekeeper".to_owned()));
    let foreign =
        r#"(module (import "env" "f" (func)) (func (export "__guest_call") (param i32 i32) (result i32) unreachable))"#;
    assert!(matches!(refused(&assemble(foreign)), Fault::Import(reason) if reason.contains("env::f")));
    let mute = r#"(module (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    assert_eq!(refused(&assemble(mute)), Fault::Error("No error message OR response set for call success".to_owned()));
    let newer = r#"(module
        (import "wapc" "__guest_response" (func $respond (param i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\"v2\"")
        (func (export "__guest_call") (param i32 i32) (result i32)
            (call $respond (i32.const 0) (i32.const 4)) (i32.const 1)))"#;
    assert!(matches!(refused(&assemble(newer)), Fault::Answer(reason) if reason.contains("v2")));
}

#[test]
fn reads_metadata() {
    let without = policy("", "(call $answer)");
    assert_eq!(modules().load("under test", &without).unwrap().metadata(), None);
    let with = module(r#"(@custom "io.kubewarden.metadata" "{\"mutating\":true}")"#, "", "(call $answer)");
    assert_eq!(modules().load("under test", &with).unwrap().metadata(), Some(&json!({"mutating": true})));
    let broken = module(r#"(@custom "io.kubewarden.metadata" "mutating: true")"#, "", "(call $answer)");
    assert!(matches!(refused(&broken), Fault::Answer(reason) if reason.contains("metadata")));
}

#[test]
fn says_that_a_module_crashed() {
    assert_eq!(fault("unreachable"), Fault::Trap("wasm trap: wasm `unreachable` instruction executed".to_owned()));
    let never_ready = module(r#"(func (export "wapc_init") unreachable)"#, "", "(call $answer)");
    assert!(matches!(refused(&never_ready), Fault::Trap(reason) if reason.contains("unreachable")));
}

#[test]
fn never_calls_an_instance_again_that_crashed() {
    let body = "
        (if (global.get $called) (then (return (call $answer))))
        (global.set $called (i32.const 1))
        unreachable";
    let module = modules().load("under test", &policy(r#"{"accepted":true}"#, body)).unwrap();
    for _ in 0..3 {
        assert!(matches!(review(&module, POD), Err(ReviewError::Module(_))));
    }
}

#[test]
fn stops_a_module_that_does_not_end() {
    let modules = Modules::new(&Cache::Off, Duration::from_millis(100)).unwrap();
    let endless = "(loop $again (br $again)) unreachable";
    let module = modules.load("under test", &policy("", endless)).unwrap();
    let start = Instant::now();
    let error = review(&module, POD).unwrap_err();
    assert_eq!(error.to_string(), "under test: it was stopped: it ran for longer than a policy may");
    assert!(start.elapsed() < Duration::from_secs(2));
    let never_ready = self::module(r#"(func (export "wapc_init") (loop $again (br $again)))"#, "", "(call $answer)");
    assert_eq!(modules.load("under test", &never_ready).unwrap_err().fault, Fault::Timeout);
}

#[test]
fn keeps_a_module_within_its_memory() {
    for body in [
        "(call $respond (i32.const 65530) (i32.const 7)) (i32.const 1)",
        "(call $respond (i32.const -1) (i32.const -1)) (i32.const 1)",
        "(call $request (i32.const 65536) (i32.const 1024)) (i32.const 1)",
        "(call $request (i32.const 1024) (i32.const -1)) (i32.const 1)",
    ] {
        let fault = fault(body);
        assert!(matches!(fault, Fault::Trap(_) | Fault::Error(_)), "{body}: {fault:?}");
    }
    let init = r#"(func (export "wapc_init") (call $respond (i32.const -1) (i32.const -1)))"#;
    assert!(matches!(refused(&module(init, "", "(call $answer)")), Fault::Trap(_)));
}

#[test]
fn says_what_a_module_asked_for_and_cannot_have() {
    let ask = "(drop (call $host
        (i32.const 64) (i32.const 10) (i32.const 84) (i32.const 10) (i32.const 94) (i32.const 12) (i32.const 0) (i32.const 0)))";
    for body in [format!("{ask} (call $answer)"), format!("{ask} unreachable")] {
        let fault = fault(&body);
        assert_eq!(fault, Fault::Capability("kubernetes/get_resource".to_owned()));
        assert!(fault.to_string().contains("contextAwareResources"));
    }
    let log = "(drop (call $host
        (i32.const 64) (i32.const 10) (i32.const 74) (i32.const 7) (i32.const 81) (i32.const 3) (i32.const 0) (i32.const 0)))
        (call $answer)";
    let module = modules().load("under test", &policy(r#"{"accepted":true}"#, log)).unwrap();
    assert_eq!(review(&module, POD), Ok(Vec::new()));
}

#[test]
fn an_answer_that_is_none_is_an_error() {
    let bad = modules().load("under test", &policy("yes", "(call $answer)")).unwrap();
    assert!(matches!(review(&bad, POD), Err(ReviewError::Module(ModuleError { fault: Fault::Answer(_), .. }))));
    let error = modules()
        .load("\u{1b}[31m", &policy("no\u{1b}[0m", "(call $fail (i32.const 128) (i32.const 6)) (i32.const 0)"));
    let text = review(&error.unwrap(), POD).unwrap_err().to_string();
    assert_eq!(text, r"\u{1b}[31m: it failed: no\u{1b}[0m");
}

#[test]
fn understands_what_other_policies_answer() {
    assert_eq!(findings(&json!({"accepted": true})), []);
    let told = |answer| -> Vec<(Level, String)> {
        let findings = findings(&answer);
        assert!(findings.iter().all(|finding| finding.rule == "under test" && finding.path.segments().is_empty()));
        findings.into_iter().map(|finding| (finding.level, finding.message)).collect()
    };
    assert_eq!(
        told(
            json!({"accepted": false, "message": "no", "code": 400, "warnings": ["old"], "audit_annotations": {"findings": "3"}})
        ),
        [(Level::Deny, "no".to_owned()), (Level::Warn, "old".to_owned())]
    );
    assert_eq!(told(json!({"accepted": false, "message": " "}))[0].0, Level::Deny);
    // An annotation that says less than the refusal is not believed.
    assert_eq!(
        told(json!({"accepted": false, "message": "no", "audit_annotations": {"findings": "[]"}})),
        [(Level::Deny, "no".to_owned())]
    );
}

#[test]
fn offers_what_another_policy_would_change_as_a_fix() {
    let mut mutated: Value = serde_json::from_str(POD).unwrap();
    assert_eq!(findings(&json!({"accepted": true, "mutated_object": mutated})), []);
    mutated["metadata"]["labels"] = json!({"team": "shop"});
    let findings = findings(&json!({"accepted": true, "mutated_object": mutated}));
    let expected = json!([{
        "rule": "under test",
        "level": "warn",
        "message": "the policy would change /metadata/labels",
        "path": "",
        "fix": {"safe": false, "patch": [{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]}
    }]);
    assert_eq!(serde_json::to_value(findings).unwrap(), expected);
}

#[test]
fn asks_as_the_api_server_does() {
    let object = Node::from_json(POD.as_bytes()).unwrap();
    let request = Request { subresource: "ephemeralcontainers", ..Request::create(&object, "").unwrap() };
    let asked: Value = serde_json::from_slice(&payload(&request, r#"{"a":1}"#).unwrap()).unwrap();
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    let expected = json!({
        "request": {
            "uid": "00000000-0000-0000-0000-000000000000",
            "kind": kind,
            "resource": resource,
            "subResource": "ephemeralcontainers",
            "requestKind": kind,
            "requestResource": resource,
            "requestSubResource": "ephemeralcontainers",
            "name": "web",
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "gatehouse", "groups": ["system:authenticated"]},
            "object": object.to_value(),
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"}
        },
        "settings": {"a": 1}
    });
    assert_eq!(asked, expected);
    let absent = Node::from_json(b"null").unwrap();
    let delete = Request {
        operation: Operation::Delete,
        object: &absent,
        old_object: Some(&object),
        ..Request::create(&object, "").unwrap()
    };
    let asked: Value = serde_json::from_slice(&payload(&delete, "{}").unwrap()).unwrap();
    assert_eq!(asked["request"].get("object"), None);
    assert_eq!(asked["request"]["kind"]["version"], "v1");
    let unnamed = br#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generateName": "web-"}}"#;
    let unnamed = Node::from_json(unnamed).unwrap();
    let asked = payload(&Request::create(&unnamed, "").unwrap(), "{}").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&asked).unwrap()["request"].get("name"), None);
}

#[test]
fn keeps_compiled_modules_where_it_is_told() {
    let folder = std::env::temp_dir().join(format!("gatehouse-cache-{}", std::process::id()));
    let bytes = policy(r#"{"accepted":true}"#, "(call $answer)");
    for _ in 0..2 {
        let modules = Modules::new(&Cache::Folder(folder.clone()), TIMEOUT).unwrap();
        assert_eq!(review(&modules.load("under test", &bytes).unwrap(), POD), Ok(Vec::new()));
    }
    assert!(folder.read_dir().unwrap().next().is_some());
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Modules::new(&Cache::Folder(file), TIMEOUT).unwrap_err().fault, Fault::Engine(_)));
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn threads_share_a_module() {
    let refusal = json!({"accepted": false, "message": "no"}).to_string();
    let module = modules().load("under test", &policy(&refusal, "(call $answer)")).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(review(&module, POD).unwrap().len(), 1);
                }
            });
        }
    });
}

/// Modules of the policies, where they have been built.
fn built(policy: &str) -> Option<Vec<u8>> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read(workspace.join(format!("target/modules/{policy}.wasm"))).ok()
}

#[test]
fn a_module_says_what_the_linked_in_policy_says() {
    let (Some(bytes), Some(policy)) = (built("run-as-nonroot"), gatehouse_engine::policy("run-as-nonroot")) else {
        eprintln!("target/modules/run-as-nonroot.wasm has not been built: nothing is compared");
        return;
    };
    let module = modules().load(policy.name, &bytes).unwrap();
    assert_eq!(module.metadata(), serde_json::from_str(policy.metadata).ok().as_ref());
    let objects = [
        POD,
        r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {
            "securityContext": {"runAsUser": 0, "supplementalGroups": [0, 7]},
            "containers": [{"name": "a\u001b\"ü", "ports": [{"containerPort": 80}]},
                {"name": "b", "securityContext": {"runAsNonRoot": false, "runAsUser": 1}}]}}}}"#,
        r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "a",
            "securityContext": {"runAsUser": "root"}}]}}"#,
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}"#,
    ];
    let settings = [
        "null",
        "{}",
        r#"{"users": [1000], "groups": [1000, "2000-2999"], "fix": true}"#,
        r#"{"rules": {"non-root": "warn", "user": "off"}, "exempt": {"containers": ["a*"]}}"#,
    ];
    for settings in settings {
        let settings = Node::from_json(settings.as_bytes()).unwrap();
        let native = policy.configure(&settings).unwrap();
        let wasm = module.configure(&settings).unwrap();
        for object in objects {
            let object = Node::from_json(object.as_bytes()).unwrap();
            let request = Request::create(&object, "default").unwrap();
            let native = native.review(&request).map(|verdict| verdict.findings).map_err(ReviewError::Object);
            assert_eq!(wasm.review(&request, None), native, "{settings:?} {object:?}");
        }
    }
    let wrong = Node::from_json(br#"{"users": [0]}"#).unwrap();
    let native = policy.configure(&wrong).unwrap_err();
    let Fault::Settings(message) = module.configure(&wrong).unwrap_err().fault else { panic!("not a refusal") };
    assert!(message.ends_with(&native.to_string()), "{message}");
}
