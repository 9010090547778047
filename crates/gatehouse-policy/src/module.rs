//! A policy as a Kubewarden module: the waPC guest functions
//! (<https://docs.kubewarden.io/reference/spec/intro-spec>).

use kubewarden_policy_sdk::metadata::ProtocolVersion;
use kubewarden_policy_sdk::settings::SettingsValidationResponse;
use serde::Serialize;

use crate::finding::{Finding, Level, Verdict};
use crate::node::{Data, Node};
use crate::path::Path;
use crate::policy::{Configured, Policy};
use crate::request::Request;
use crate::view::ReadError;

/// What a guest function answers.
pub type CallResult = wapc_guest::CallResult;

/// The audit annotation that holds every finding as JSON.
pub const FINDINGS_ANNOTATION: &str = "findings";

/// The audit annotation that holds why a request could not be judged, as JSON: the field's `path` and the `reason`.
pub const ERROR_ANNOTATION: &str = "error";

/// The status of a request that a policy refuses.
const FORBIDDEN: u16 = 403;
/// The status of a request that cannot be judged.
const BAD_REQUEST: u16 = 400;

/// API clients cut warnings at 256 characters, so the policies leave them some room.
/// (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response>)
const LONGEST_WARNING: usize = 256;

/// The answer to `validate`, as Kubewarden reads it
/// (<https://docs.kubewarden.io/reference/spec/validating-policies>). The SDK's own brings the code of maps into every
/// module, an eighth of its size.
#[derive(Serialize)]
struct Answer<'r> {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutated_object: Option<Node<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<Node<'static>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<String>>,
}

/// Registers the guest functions of a module.
pub fn register(validate: fn(&[u8]) -> CallResult, validate_settings: fn(&[u8]) -> CallResult) {
    wapc_guest::register_function("validate", validate);
    wapc_guest::register_function("validate_settings", validate_settings);
    wapc_guest::register_function("protocol_version", |_| answer(&ProtocolVersion::default()));
}

fn answer(response: &impl Serialize) -> CallResult {
    Ok(serde_json::to_vec(response)?)
}

/// Judges the payload of Kubewarden's `validate`: the `AdmissionReview`'s `request` and the policy's `settings`. Whatever
/// the payload, the answer is a verdict, never a trap.
pub fn validate(policy: &Policy, payload: &[u8]) -> CallResult {
    // The object is the payload's `request.object`.
    match Node::nested(payload, 2) {
        Ok(payload) => answer(&respond(policy, &payload).unwrap_or_else(|error| unreadable(policy, &error))),
        Err(error) => answer(&unreadable(policy, &error)),
    }
}

/// Judges the payload of Kubewarden's `validate_settings`.
pub fn validate_settings(policy: &Policy, payload: &[u8]) -> CallResult {
    let settings = Node::from_json(payload).and_then(|node| policy.configure(&node));
    answer(&match settings {
        Ok(_) => SettingsValidationResponse { valid: true, message: None },
        Err(error) => {
            let message = format!("{}: settings are not valid: {error}", policy.name);
            SettingsValidationResponse { valid: false, message: Some(printable(&message)) }
        }
    })
}

fn respond<'p>(policy: &Policy, payload: &'p Node<'p>) -> Result<Answer<'p>, ReadError> {
    if !matches!(payload.data, Data::Object(_)) {
        return Err(ReadError::new("expected an object with a request and settings"));
    }
    let null = Node::from(Data::Null);
    let configured = policy
        .configure(payload.get("settings").unwrap_or(&null))
        .map_err(|error| error.below(&Path::of(&["settings"])))?;
    let Some(request) = payload.get("request") else {
        return Err(ReadError { path: Path::of(&["request"]), reason: "it is required".to_owned() });
    };
    let in_request = |error: ReadError| error.below(&Path::of(&["request"]));
    let request = Request::read(request).map_err(in_request)?;
    let in_object = |error: ReadError| in_request(error.below(&Path::of(&["object"])));
    let verdict = configured.review(&request).map_err(in_object)?;
    if configured.fixes() && !verdict.edits.is_empty() {
        return mend(&configured, &request, verdict).map_err(in_object);
    }
    Ok(response(&verdict, None))
}

/// Applies every fix, and judges what comes of it: the request is refused only for what is left. A fix may be possible
/// only once another is made, hence the rounds; no policy needs more than two.
fn mend<'r>(configured: &Configured, request: &Request<'r>, verdict: Verdict) -> Result<Answer<'r>, ReadError> {
    const ROUNDS: usize = 4;
    let mut object = request.object.clone();
    let mut left = verdict;
    for _ in 0..ROUNDS {
        for edit in &left.edits {
            edit.apply(&mut object);
        }
        left = configured.review(&Request { object: &object, ..*request })?;
        if left.edits.is_empty() {
            break;
        }
    }
    if left.findings.iter().any(|finding| finding.level == Level::Deny) {
        return Ok(response(&left, None));
    }
    Ok(response(&left, Some(object)))
}

fn response<'r>(verdict: &Verdict, mutated_object: Option<Node<'r>>) -> Answer<'r> {
    let of = |level: Level| verdict.findings.iter().filter(move |finding| finding.level == level);
    let refusal: Vec<String> = of(Level::Deny).map(line).collect();
    let warnings: Vec<String> = of(Level::Warn).map(|finding| shortened(line(finding))).collect();
    let annotation = (!verdict.findings.is_empty())
        .then(|| serde_json::to_string(&verdict.findings).ok())
        .flatten()
        .map(|json| [(FINDINGS_ANNOTATION, json.into())].into_iter().collect());
    Answer {
        accepted: refusal.is_empty(),
        code: (!refusal.is_empty()).then_some(FORBIDDEN),
        message: (!refusal.is_empty()).then(|| refusal.join("; ")),
        mutated_object,
        audit_annotations: annotation,
        warnings: (!warnings.is_empty()).then_some(warnings),
    }
}

/// A finding in one line: what, where, by which rule.
fn line(finding: &Finding) -> String {
    printable(&format!("{} ({}) [{}]", finding.message, finding.path, finding.rule))
}

fn unreadable(policy: &Policy, error: &ReadError) -> Answer<'static> {
    Answer {
        accepted: false,
        message: Some(printable(&format!("{}: the request cannot be judged: {error}", policy.name))),
        code: Some(BAD_REQUEST),
        mutated_object: None,
        audit_annotations: serde_json::to_string(error)
            .ok()
            .map(|json| [(ERROR_ANNOTATION, json.into())].into_iter().collect()),
        warnings: None,
    }
}

/// A text without control characters: names and values come from whoever writes objects, and a terminal or a CI log
/// obeys what it is sent.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            printable.push(character);
        } else {
            printable.extend(character.escape_default());
        }
    }
    printable
}

/// Whether a terminal shows a character and does nothing else.
#[must_use]
pub fn is_printable(character: char) -> bool {
    !character.is_control() && !is_bidirectional(character)
}

/// Characters that make a terminal show text in another order than it has (CVE-2021-42574), and line separators.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST_WARNING - 1) {
        Some((end, _)) if text.len() > LONGEST_WARNING => format!("{}…", &text[..end]),
        _ => text,
    }
}
