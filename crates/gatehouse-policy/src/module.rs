//! A policy as a Kubewarden module: the waPC guest functions
//! (<https://docs.kubewarden.io/reference/spec/intro-spec>).

use kubewarden_policy_sdk::metadata::ProtocolVersion;
use kubewarden_policy_sdk::settings::SettingsValidationResponse;
use serde::Serialize;

#[cfg(feature = "around")]
use crate::around::{ContextError, Host};
use crate::finding::{Finding, Level, Verdict};
use crate::node::{Data, Node};
use crate::path::Path;
#[cfg(feature = "around")]
use crate::policy::ReviewError;
use crate::policy::{Configured, Policy};
use crate::request::Request;
use crate::view::ReadError;

/// What a guest function answers.
pub type CallResult = wapc_guest::CallResult;

/// The audit annotation that holds every finding as JSON.
pub const FINDINGS_ANNOTATION: &str = "findings";

/// The audit annotation that holds why a request could not be judged, as JSON: the field's `path` and the `reason`.
pub const ERROR_ANNOTATION: &str = "error";

/// The audit annotation that says why it is not known what is around the object.
#[cfg(feature = "around")]
pub const CONTEXT_ERROR_ANNOTATION: &str = "context-error";

/// The status of a request that a policy refuses.
const FORBIDDEN: u16 = 403;
/// The status of a request that cannot be judged.
const BAD_REQUEST: u16 = 400;
/// The status of a request that cannot be judged for want of an answer about what is around its object.
#[cfg(feature = "around")]
const INTERNAL_ERROR: u16 = 500;

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
    #[cfg(all(feature = "around", target_arch = "wasm32"))]
    let host = &crate::cluster::Cluster::default();
    #[cfg(all(feature = "around", not(target_arch = "wasm32")))]
    let host = &crate::around::Nothing;
    #[cfg(not(feature = "around"))]
    let host = ();
    judge(policy, payload, host)
}

/// As [`validate`], among what a host has.
#[cfg(feature = "around")]
pub fn validate_among(policy: &Policy, payload: &[u8], host: &dyn Host) -> CallResult {
    judge(policy, payload, host)
}

#[cfg(feature = "around")]
type Asked<'h> = &'h dyn Host;
#[cfg(not(feature = "around"))]
type Asked<'h> = ();

/// Why there is no verdict on a payload.
enum Failure {
    /// It cannot be read.
    Unreadable(ReadError),
    /// What is around its object is not to be known.
    #[cfg(feature = "around")]
    Unknown(ContextError),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

fn judge(policy: &Policy, payload: &[u8], host: Asked<'_>) -> CallResult {
    // The object is the payload's `request.object`.
    match Node::nested(payload, 2) {
        Ok(payload) => answer(&respond(policy, &payload, host).unwrap_or_else(|failure| refusal(policy, &failure))),
        Err(error) => answer(&refusal(policy, &error.into())),
    }
}

fn review(configured: &Configured, request: &Request<'_>, host: Asked<'_>) -> Result<Verdict, Failure> {
    let in_object = |error: ReadError| error.below(&Path::of(&["request", "object"]));
    #[cfg(feature = "around")]
    let verdict = configured.review_among(request, host).map_err(|error| match error {
        ReviewError::Object(error) => Failure::Unreadable(in_object(error)),
        ReviewError::Context(error) => Failure::Unknown(error),
    });
    #[cfg(not(feature = "around"))]
    let verdict = {
        let () = host;
        configured.review(request).map_err(|error| Failure::Unreadable(in_object(error)))
    };
    verdict
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

fn respond<'p>(policy: &Policy, payload: &'p Node<'p>, host: Asked<'_>) -> Result<Answer<'p>, Failure> {
    if !matches!(payload.data, Data::Object(_)) {
        return Err(ReadError::new("expected an object with a request and settings").into());
    }
    let null = Node::from(Data::Null);
    let configured = policy
        .configure(payload.get("settings").unwrap_or(&null))
        .map_err(|error| error.below(&Path::of(&["settings"])))?;
    let Some(request) = payload.get("request") else {
        return Err(ReadError { path: Path::of(&["request"]), reason: "it is required".to_owned() }.into());
    };
    let in_request = |error: ReadError| error.below(&Path::of(&["request"]));
    let request = Request::read(request).map_err(in_request)?;
    let verdict = review(&configured, &request, host)?;
    if configured.fixes() && !verdict.edits.is_empty() {
        return mend(&configured, &request, verdict, host);
    }
    Ok(response(&verdict, None))
}

/// Applies every fix, and judges what comes of it: the request is refused only for what is left. A fix may be possible
/// only once another is made, hence the rounds; no policy needs more than two.
fn mend<'r>(
    configured: &Configured,
    request: &Request<'r>,
    verdict: Verdict,
    host: Asked<'_>,
) -> Result<Answer<'r>, Failure> {
    const ROUNDS: usize = 4;
    let mut object = request.object.clone();
    let mut left = verdict;
    for _ in 0..ROUNDS {
        for edit in &left.edits {
            edit.apply(&mut object);
        }
        left = review(configured, &Request { object: &object, ..*request }, host)?;
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

fn refusal(policy: &Policy, failure: &Failure) -> Answer<'static> {
    match failure {
        Failure::Unreadable(error) => {
            let message = format!("{}: the request cannot be judged: {error}", policy.name);
            refused(BAD_REQUEST, &message, ERROR_ANNOTATION, serde_json::to_string(error).ok())
        }
        #[cfg(feature = "around")]
        Failure::Unknown(error) => {
            let message = format!("{}: what is around this object is not known: {error}", policy.name);
            refused(INTERNAL_ERROR, &message, CONTEXT_ERROR_ANNOTATION, Some(error.to_string()))
        }
    }
}

fn refused(code: u16, message: &str, annotation: &'static str, value: Option<String>) -> Answer<'static> {
    Answer {
        accepted: false,
        message: Some(printable(message)),
        code: Some(code),
        mutated_object: None,
        audit_annotations: value.map(|value| [(annotation, value.into())].into_iter().collect()),
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
