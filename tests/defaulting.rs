//! Absent means the API's default: a manifest gets the verdict that it gets once the API server has filled in what it
//! leaves out (<https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go>).

use gatehouse_policy::image::Reference;
use gatehouse_policy::{Finding, pod_spec_path, split_api_version};
use gatehouse_tests::{all_cases, create, manifests, profile_settings, review};
use serde_json::{Map, Value, json};

/// Fills in what the API server would. Only fields that a policy may read are worth the words; `false` where the object
/// is no workload or so broken that the server would not come to defaulting it.
fn default(object: &mut Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, version) = split_api_version(&api_version);
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        && default_spec(group, version, &kind, spec)
    {
        return true;
    }
    let Some(path) = pod_spec_path(group, &kind) else { return false };
    let Some(spec) = object.pointer_mut(&format!("/{}", path.join("/"))) else { return false };
    let Some(spec) = spec.as_object_mut() else { return false };
    // How requests and limits of pods and their containers default each other is a chapter of its own.
    if spec.get("resources").is_some_and(|resources| !resources.is_null()) {
        return false;
    }
    absent(spec, "terminationGracePeriodSeconds", json!(30));
    absent(spec, "securityContext", json!({}));
    if !matches!(&*kind, "Job" | "CronJob") {
        absent(spec, "restartPolicy", json!("Always"));
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                default_container(container, kind == "Pod");
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut) {
            let policy = pull_policy(image.get("reference"));
            absent(image, "pullPolicy", policy);
        }
    }
    true
}

/// What is not in the pod; `true` where the object has none.
fn default_spec(group: &str, version: &str, kind: &str, spec: &mut Map<String, Value>) -> bool {
    match (group, kind) {
        ("", "Service") => {
            absent(spec, "type", json!("ClusterIP"));
            absent(spec, "sessionAffinity", json!("None"));
            for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(port) = port.as_object_mut() {
                    absent(port, "protocol", json!("TCP"));
                    let number = port.get("port").cloned().unwrap_or_default();
                    absent(port, "targetPort", number);
                }
            }
        }
        ("", "PersistentVolume") => {
            absent(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            absent(spec, "volumeMode", json!("Filesystem"));
        }
        ("", "PersistentVolumeClaim") => absent(spec, "volumeMode", json!("Filesystem")),
        ("autoscaling", "HorizontalPodAutoscaler") => default_autoscaler(version, spec),
        ("apps", "Deployment") => {
            absent(spec, "replicas", json!(1));
            let strategy = spec.entry("strategy").or_insert_with(|| json!({}));
            default_strategy(strategy, json!({"maxUnavailable": "25%", "maxSurge": "25%"}));
        }
        ("apps", "DaemonSet") => {
            let strategy = spec.entry("updateStrategy").or_insert_with(|| json!({}));
            default_strategy(strategy, json!({"maxUnavailable": 1, "maxSurge": 0}));
        }
        ("apps", "StatefulSet") => {
            absent(spec, "replicas", json!(1));
            let strategy = spec.entry("updateStrategy").or_insert_with(|| json!({}));
            default_strategy(strategy, json!({"partition": 0}));
        }
        ("", "ReplicationController") | ("apps", "ReplicaSet") => absent(spec, "replicas", json!(1)),
        ("", "LimitRange") => {
            for item in spec.get_mut("limits").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(item) =
                    item.as_object_mut().filter(|item| item.get("type").is_some_and(|of| of == "Container"))
                {
                    default_limits(item);
                }
            }
        }
        _ => {}
    }
    matches!(
        (group, kind),
        ("", "Service" | "PersistentVolume" | "PersistentVolumeClaim" | "LimitRange")
            | ("autoscaling", "HorizontalPodAutoscaler")
    )
}

/// An item of a `LimitRange` for containers.
fn default_limits(item: &mut Map<String, Value>) {
    for (field, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let amounts = item.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
        absent(item, field, json!({}));
        for (name, amount) in amounts {
            if let Some(field) = item.get_mut(field).and_then(Value::as_object_mut) {
                absent(field, &name, amount);
            }
        }
    }
}

fn default_strategy(strategy: &mut Value, rolling: Value) {
    if strategy.is_null() {
        *strategy = json!({});
    }
    let Some(strategy) = strategy.as_object_mut() else { return };
    if strategy.get("type").is_some_and(|kind| kind == "") {
        strategy.remove("type");
    }
    absent(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] != "RollingUpdate" {
        return;
    }
    absent(strategy, "rollingUpdate", json!({}));
    if let (Some(update), Value::Object(fields)) = (strategy["rollingUpdate"].as_object_mut(), rolling) {
        for (field, value) in fields {
            absent(update, &field, value);
        }
    }
}

/// Of version v1 the behaviour and all metrics but one are annotations, which the server leaves alone.
fn default_autoscaler(version: &str, spec: &mut Map<String, Value>) {
    absent(spec, "minReplicas", json!(1));
    if version == "v1" {
        return;
    }
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert(
            "metrics".to_owned(),
            json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]),
        );
    }
    let Some(behavior) = spec.get_mut("behavior").and_then(Value::as_object_mut) else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let up = json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, percent]);
    for (direction, policies) in [("scaleUp", up), ("scaleDown", json!([percent]))] {
        absent(behavior, direction, json!({}));
        let Some(rules) = behavior[direction].as_object_mut() else { continue };
        absent(rules, "selectPolicy", json!("Max"));
        absent(rules, "policies", policies);
        if direction == "scaleUp" {
            absent(rules, "stabilizationWindowSeconds", json!(0));
        }
    }
}

fn default_container(container: &mut Map<String, Value>, in_pod: bool) {
    let policy = pull_policy(container.get("image"));
    absent(container, "imagePullPolicy", policy);
    absent(container, "resources", json!({}));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            absent(port, "protocol", json!("TCP"));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) {
            for (field, value) in
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
            {
                if probe.get(field).is_some_and(|value| value == 0) {
                    probe.remove(field);
                }
                absent(probe, field, json!(value));
            }
            if let Some(http) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
                absent(http, "path", json!("/"));
                absent(http, "scheme", json!("HTTP"));
            }
        }
    }
    // Only in pods: a template's requests are filled in when its pods are made.
    let limits = container["resources"]["limits"].as_object().cloned().unwrap_or_default();
    if in_pod && !limits.is_empty() && container["resources"].is_object() {
        let requests = &mut container["resources"]["requests"];
        if requests.is_null() {
            *requests = json!({});
        }
        for (name, limit) in limits {
            if let Some(requests) = requests.as_object_mut() {
                absent(requests, &name, limit);
            }
        }
    }
}

fn absent(object: &mut Map<String, Value>, field: &str, value: Value) {
    let entry = object.entry(field).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value;
    }
}

fn pull_policy(image: Option<&Value>) -> Value {
    let image = image.and_then(Value::as_str).unwrap_or_default();
    let latest = Reference::parse(image)
        .is_ok_and(|reference| reference.tag().map_or(reference.digest().is_none(), |tag| tag == "latest"));
    json!(if latest { "Always" } else { "IfNotPresent" })
}

fn verdict(findings: Vec<Finding>) -> Vec<(String, String, String)> {
    let mut verdict: Vec<_> =
        findings.into_iter().map(|of| (of.rule, of.level.to_string(), of.path.to_string())).collect();
    verdict.sort();
    verdict
}

#[test]
fn defaulting_changes_no_verdict() {
    let mut compared = 0;
    for (policy, file, case) in all_cases() {
        if case.findings.is_none() {
            continue;
        }
        let Some(request) = case.request() else { continue };
        let mut defaulted = request.clone();
        if !default(&mut defaulted["object"]) {
            continue;
        }
        // What is there already has its defaults.
        if defaulted["oldObject"].is_object() {
            default(&mut defaulted["oldObject"]);
        }
        let settings = case.settings();
        let raw = verdict(review(policy, &settings, &request).expect("the case is read"));
        let full = verdict(review(policy, &settings, &defaulted).expect("the defaulted object is read"));
        assert_eq!(raw, full, "{}/{file}: {}", policy.name, case.name);
        compared += 1;
    }
    for (path, object) in manifests() {
        let mut defaulted = object.clone();
        if !default(&mut defaulted) {
            continue;
        }
        for policy in gatehouse_engine::POLICIES {
            let settings = profile_settings("herald", policy.name);
            let raw = verdict(review(policy, &settings, &create(&object)).expect("the example is read"));
            let full = verdict(review(policy, &settings, &create(&defaulted)).expect("the defaulted example is read"));
            assert_eq!(raw, full, "{} on {}", policy.name, path.display());
            compared += 1;
        }
    }
    assert!(compared > 1000, "only {compared} objects were compared");
}
