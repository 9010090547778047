//! What a module's answer means.

use gatehouse_policy::module::{CONTEXT_ERROR_ANNOTATION, ERROR_ANNOTATION, FINDINGS_ANNOTATION};
use gatehouse_policy::{Finding, Fix, Level, Node, PatchOperation, Path, ReadError, Segment};
use kubewarden_policy_sdk::response::ValidationResponse;
use serde::Deserialize;

/// How many of the fields that a policy would change are named.
const NAMED_CHANGES: usize = 3;

/// Why a policy made with the kit has no verdict.
pub(super) enum Refusal {
    /// The object cannot be read.
    Object(ReadError),
    /// It was not told what is around the object.
    Context(String),
}

/// What a policy made with the kit says of an object, to the letter what it says where it is linked in: its answer
/// carries it in annotations. `None` for another's answer, and for one that has nothing to say.
pub(super) fn from_kit(response: &ValidationResponse) -> Option<Result<Vec<Finding>, Refusal>> {
    let annotation = |name| response.audit_annotations.as_ref()?.get(name);
    if let Some(reason) = annotation(CONTEXT_ERROR_ANNOTATION).filter(|_| !response.accepted) {
        return Some(Err(Refusal::Context(reason.clone())));
    }
    if let Some(error) = annotation(ERROR_ANNOTATION).filter(|_| !response.accepted) {
        let error: AnnotatedError = serde_json::from_str(error).ok()?;
        let path = in_object(&error.path.parse().ok()?);
        return Some(Err(Refusal::Object(ReadError { path, reason: error.reason })));
    }
    let findings: Vec<AnnotatedFinding> = serde_json::from_str(annotation(FINDINGS_ANNOTATION)?).ok()?;
    let findings: Vec<Finding> = findings.into_iter().map(AnnotatedFinding::finding).collect::<Option<_>>()?;
    let is_refusal = findings.iter().any(|finding| finding.level == Level::Deny);
    (is_refusal != response.accepted).then_some(Ok(findings))
}

/// What any other policy says: one finding at deny level for a refusal, one at warn level for each warning, and one for a
/// change that it would make. That one has the change as its fix, which is not safe: nobody knows why it is made. All are
/// about the whole object: no field is named in an answer.
pub(super) fn from_any(policy: &str, response: ValidationResponse, object: &Node<'_>) -> Vec<Finding> {
    let finding = |level, message| Finding {
        rule: policy.to_owned(),
        level,
        message,
        path: Path::root(),
        fix: None,
        secret: false,
        span: None,
    };
    let warnings = response.warnings.unwrap_or_default().into_iter().map(|warning| finding(Level::Warn, warning));
    if !response.accepted {
        let message = response.message.filter(|message| !message.trim().is_empty());
        let message = message.unwrap_or_else(|| "the policy refuses the object and does not say why".to_owned());
        return [finding(Level::Deny, message)].into_iter().chain(warnings).collect();
    }
    let change = response.mutated_object.filter(|_| !object.is_null()).and_then(|mutated| {
        let patch = patch(&json_patch::diff(&object.to_value(), &mutated))?;
        let message = format!("the policy would change {}", fields(&patch)?);
        Some(Finding { fix: Some(Fix { safe: false, patch, edits: Vec::new() }), ..finding(Level::Warn, message) })
    });
    change.into_iter().chain(warnings).collect()
}

/// The same patch in the kit's words.
fn patch(patch: &json_patch::Patch) -> Option<Vec<PatchOperation>> {
    serde_json::from_value(serde_json::to_value(patch).ok()?).ok()
}

/// The fields that a patch changes; `None` if it changes nothing.
fn fields(patch: &[PatchOperation]) -> Option<String> {
    let fields: Vec<&str> = patch
        .iter()
        .take(NAMED_CHANGES)
        .map(|operation| match operation {
            PatchOperation::Add { path, .. }
            | PatchOperation::Replace { path, .. }
            | PatchOperation::Remove { path } => path.as_str(),
        })
        .collect();
    match patch.len().saturating_sub(NAMED_CHANGES) {
        _ if fields.is_empty() => None,
        0 => Some(fields.join(", ")),
        more => Some(format!("{} and {more} more", fields.join(", "))),
    }
}

/// A path within the payload as one within the object.
fn in_object(path: &Path) -> Path {
    let object = Path::of(&["request", "object"]);
    let steps = path.segments().strip_prefix(object.segments()).unwrap_or(path.segments());
    steps.iter().fold(Path::root(), |path, step| match step {
        Segment::Key(key) => path.key(key.clone()),
        Segment::Index(index) => path.index(*index),
    })
}

#[derive(Deserialize)]
struct AnnotatedError {
    path: String,
    reason: String,
}

#[derive(Deserialize)]
struct AnnotatedFinding {
    rule: String,
    level: Level,
    message: String,
    path: String,
    fix: Option<Fix>,
    #[serde(default)]
    secret: bool,
}

impl AnnotatedFinding {
    fn finding(self) -> Option<Finding> {
        let Self { rule, level, message, path, fix, secret } = self;
        Some(Finding { rule, level, message, path: path.parse().ok()?, fix, secret, span: None })
    }
}
