//! What modules ask of the host, and who answers
//! (<https://docs.kubewarden.io/reference/spec/host-capabilities/intro-host-capabilities>).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_policy::{ELSEWHERE, Host, Node, PARTIAL, split_api_version};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::selection::Selection;
use crate::surroundings::Surroundings;

/// Answers what modules ask of a cluster or a registry.
pub trait Answers: Send + Sync {
    /// The answer to a request, as the policy server gives it, or why there is none; `None` where such requests are not
    /// answered here.
    fn answer(&self, namespace: &str, operation: &str, payload: &[u8]) -> Option<Result<Vec<u8>, String>>;
}

thread_local! {
    static ANSWERS: RefCell<Option<Arc<dyn Answers>>> = const { RefCell::new(None) };
}

/// Lets somebody answer what modules ask in this thread meanwhile.
pub(super) fn answered_by<T>(answers: Option<Arc<dyn Answers>>, run: impl FnOnce() -> T) -> T {
    let before = ANSWERS.replace(answers);
    let result = run();
    ANSWERS.set(before);
    result
}

/// Why a call of a module to the host has no answer.
pub(super) enum Unanswered {
    /// Nobody answers such calls; what it asked for.
    Missing(String),
    /// The host's answer is an error.
    Refused(String),
}

/// Does what a module asks of the host: it is allowed to log, and to ask what somebody here knows.
pub(super) fn call(binding: &str, namespace: &str, operation: &str, payload: &[u8]) -> Result<Vec<u8>, Unanswered> {
    match (binding, namespace, operation) {
        ("kubewarden", "tracing", "log") => Ok(Vec::new()),
        ("kubewarden", ..) => {
            let answers = ANSWERS.with_borrow(Clone::clone);
            match answers.and_then(|answers| answers.answer(namespace, operation, payload)) {
                Some(answer) => answer.map_err(Unanswered::Refused),
                None => Err(Unanswered::Missing(format!("{namespace}/{operation}"))),
            }
        }
        _ => Err(Unanswered::Missing(format!("{binding}/{namespace}/{operation}"))),
    }
}

/// A request for objects, as the SDKs send it.
#[derive(Deserialize)]
struct Objects {
    api_version: String,
    kind: String,
    name: Option<String>,
    namespace: Option<String>,
    label_selector: Option<String>,
    field_selector: Option<String>,
}

impl Answers for Surroundings {
    fn answer(&self, namespace: &str, operation: &str, payload: &[u8]) -> Option<Result<Vec<u8>, String>> {
        match (namespace, operation) {
            ("kubernetes", "list_resources_by_namespace" | "list_resources_all" | "get_resource") => {
                Some(self.objects(operation, payload))
            }
            ("oci", "v1/oci_manifest_config") => {
                let image: String = serde_json::from_slice(payload).ok()?;
                let config: Value = serde_json::from_str(self.config(&image)?).ok()?;
                Some(Ok(json!({"manifest": {}, "digest": "", "config": config}).to_string().into_bytes()))
            }
            _ => None,
        }
    }
}

/// Answers the modules of Gatehouse's own policies as they are answered where they are linked in: of an image that nobody here
/// knows there is nothing to say.
#[derive(Debug)]
pub struct Own(pub Arc<Surroundings>);

impl Answers for Own {
    fn answer(&self, namespace: &str, operation: &str, payload: &[u8]) -> Option<Result<Vec<u8>, String>> {
        let answer = self.0.answer(namespace, operation, payload);
        if answer.is_none() && namespace == "oci" { Some(Ok(b"null".to_vec())) } else { answer }
    }
}

impl Surroundings {
    fn objects(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, String> {
        let request: Objects = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        let (group, _) = split_api_version(&request.api_version);
        let found = self.select(group, &request.kind, request.namespace.as_deref());
        if operation == "get_resource" {
            let Objects { api_version, kind, namespace, .. } = &request;
            let name = request.name.as_deref().unwrap_or_default();
            let mut found = found.filter(|(of, _)| *of == name);
            return found.next().map(|(_, json)| json.as_bytes().to_vec()).ok_or_else(|| {
                format!("Cannot find {api_version}/{kind} named '{name}' inside of namespace '{namespace:?}'")
            });
        }
        let text = |selector: &Option<String>| selector.clone().unwrap_or_default();
        let selection = Selection::parse(&text(&request.label_selector), &text(&request.field_selector))?;
        let mut items = Vec::new();
        for (_, json) in found {
            let object = Node::from_json(json.as_bytes()).map_err(|error| error.to_string())?;
            if selection.selects(&object) {
                items.push(json);
            }
        }
        let items = items.join(",");
        // What is there beside the files that were given nobody knows: the list is not complete.
        let knows = request.namespace.as_deref().is_none_or(|namespace| self.knows(namespace));
        let more = match (self.is_whole(), knows) {
            (false, _) => PARTIAL,
            (true, false) => ELSEWHERE,
            (true, true) => "",
        };
        let metadata = if more.is_empty() { String::new() } else { format!(r#""continue":"{more}""#) };
        Ok(format!(r#"{{"apiVersion":"v1","kind":"List","metadata":{{{metadata}}},"items":[{items}]}}"#).into_bytes())
    }
}

/// A recording of what a policy asked and a host answered, as `kwctl run --record-host-capabilities-interactions` writes it
/// (<https://docs.kubewarden.io/reference/kwctl-cli>). Each exchange answers the request that it was recorded with, and those
/// with the same request one after the other, the last again and again.
#[derive(Debug)]
pub struct Replay(Mutex<Vec<(Recorded, Responses)>>);

/// The answers to a request, in the order in which they were given.
type Responses = VecDeque<Result<String, String>>;

/// A request as it was recorded: its name and its parameters.
type Recorded = (String, Value);

#[derive(Deserialize)]
struct Exchange {
    request: String,
    response: Response,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Response {
    Success { payload: String },
    Error { message: String },
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    /// Where it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let exchanges: Vec<Exchange> =
            serde_yaml_ng::from_str(text).map_err(|error| format!("it is no recording of kwctl: {error}"))?;
        let mut recorded: Vec<(Recorded, Responses)> = Vec::new();
        for (index, Exchange { request, response }) in exchanges.into_iter().enumerate() {
            let broken = |reason: String| format!("request {index} of the recording: {reason}");
            let request = match serde_yaml_ng::from_str(&request).map_err(|error| broken(error.to_string()))? {
                serde_yaml_ng::Value::Tagged(tagged) => {
                    let parameters = serde_json::to_value(&tagged.value).map_err(|error| broken(error.to_string()))?;
                    (tagged.tag.to_string().trim_start_matches('!').to_owned(), without_nulls(parameters))
                }
                _ => return Err(broken("expected a tag, such as !KubernetesGetResource".to_owned())),
            };
            let response = match response {
                Response::Success { payload } => Ok(payload),
                Response::Error { message } => Err(message),
            };
            match recorded.iter_mut().find(|(known, _)| *known == request) {
                Some((_, responses)) => responses.push_back(response),
                None => recorded.push((request, VecDeque::from([response]))),
            }
        }
        Ok(Self(Mutex::new(recorded)))
    }
}

impl Answers for Replay {
    fn answer(&self, namespace: &str, operation: &str, payload: &[u8]) -> Option<Result<Vec<u8>, String>> {
        let sent: Value = serde_json::from_slice(payload).ok()?;
        let request = recorded(namespace, operation, sent)?;
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, responses)) = recorded.iter_mut().find(|(known, _)| *known == request) else {
            let (name, parameters) = request;
            return Some(Err(format!("the recording has no answer to {name} {parameters}")));
        };
        let response = if responses.len() > 1 { responses.pop_front() } else { responses.front().cloned() };
        response.map(|response| response.map(String::into_bytes))
    }
}

/// A request as recordings name it (`CallbackRequestType` in
/// <https://github.com/kubewarden/kubewarden-controller/blob/main/crates/policy-evaluator/src/callback_requests.rs>).
fn recorded(namespace: &str, operation: &str, sent: Value) -> Option<Recorded> {
    let image = |name: &str, sent| Some((name.to_owned(), json!({"image": sent})));
    let same = |name: &str, sent| Some((name.to_owned(), without_nulls(sent)));
    match (namespace, operation) {
        ("kubernetes", "list_resources_by_namespace") => same("KubernetesListResourceNamespace", sent),
        ("kubernetes", "list_resources_all") => same("KubernetesListResourceAll", sent),
        ("kubernetes", "get_resource") => same("KubernetesGetResource", sent),
        ("kubernetes", "can_i") => same("KubernetesCanI", can_i(sent)),
        ("oci", "v1/oci_manifest_config") => image("OciManifestAndConfig", sent),
        ("oci", "v1/oci_manifest") => image("OciManifest", sent),
        ("oci", "v1/manifest_digest") => image("OciManifestDigest", sent),
        ("net", "v1/dns_lookup_host") => Some(("DNSLookupHost".to_owned(), json!({"host": sent}))),
        ("crypto", "v1/is_certificate_trusted") => same("CryptoIsCertificateTrusted", json!({"request": sent})),
        _ => None,
    }
}

/// The request of `can_i` holds the review beside `disable_cache`, which the recording repeats.
fn can_i(sent: Value) -> Value {
    let disable_cache = sent.get("disable_cache").cloned().unwrap_or(Value::Bool(false));
    let review = sent.get("subject_access_review").cloned().unwrap_or(sent);
    json!({"request": review, "disable_cache": disable_cache})
}

/// What is null and what is absent is the same in a recording, which may be of an older version than the module. The order in
/// which field masks come says nothing.
fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, value| !value.is_null());
        if let Some(Value::Array(masks)) = members.get_mut("field_masks") {
            masks.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replays_what_was_recorded() {
        let recording = "
- type: Exchange
  request: |
    !KubernetesGetResource
    api_version: v1
    kind: Namespace
    name: shop
    namespace: null
    disable_cache: false
  response: {type: Success, payload: '{\"metadata\": {\"name\": \"shop\"}}'}
- type: Exchange
  request: \"!OciManifestDigest\\nimage: busybox\\n\"
  response: {type: Error, message: no such image}
";
        let replay = Replay::read(recording).unwrap();
        let ask = |namespace: &str, operation: &str, payload: Value| {
            let answer = replay.answer(namespace, operation, payload.to_string().as_bytes()).unwrap();
            answer.map(|answer| String::from_utf8(answer).unwrap())
        };
        let get = |name: &str| json!({"api_version": "v1", "kind": "Namespace", "name": name, "disable_cache": false});
        for _ in 0..2 {
            let shop = ask("kubernetes", "get_resource", get("shop"));
            assert_eq!(shop.as_deref(), Ok(r#"{"metadata": {"name": "shop"}}"#));
        }
        assert!(ask("kubernetes", "get_resource", get("bank")).unwrap_err().contains("no answer"));
        assert_eq!(ask("oci", "v1/manifest_digest", json!("busybox")).unwrap_err(), "no such image");
        assert!(replay.answer("oci", "v2/verify", b"{}").is_none());
        for broken in ["a: 1", "- 1", "- {request: 'a: 1', response: {type: Error, message: a}}"] {
            assert!(Replay::read(broken).is_err(), "{broken}");
        }
    }
}
