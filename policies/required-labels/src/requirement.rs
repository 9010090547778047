//! What a team requires of labels or annotations.

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{Level, Path, ReadError, Request};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pattern::Pattern;
use crate::syntax;

/// Labels, or annotations, that objects of some kinds must have. Every condition on the value that is there must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Requirement {
    /// The keys, with their prefixes: `app`, `app.kubernetes.io/name`. Each is required.
    pub keys: Vec<String>,
    /// The kinds of objects, as globs: `Deployment` of whatever API group, `apps/Deployment` or `apps/*` of one group,
    /// `/Service` of the core group, `*` for all. The resources of other kinds than this policy's metadata names must be
    /// added to the `rules` that it is installed with.
    pub kinds: Vec<Glob>,
    /// Where they must be. Default: `object`.
    pub place: On,
    /// Whether they may be absent, so that only a value that is there is judged. Default: false.
    pub optional: bool,
    /// The values that are allowed. None: any but the empty one.
    pub values: Vec<String>,
    /// A regular expression that the whole value must match. It may have `.`, classes such as `[a-z0-9]`, `\d`, `\w` and
    /// `\s` (of ASCII), groups, `|`, `?`, `*`, `+`, `{2,3}`, `^`, `$`, `\b`, and `(?i)` for letters of either case; neither
    /// look-around nor back-references.
    pub pattern: Option<Pattern>,
    /// The key of another label (of annotations: of another annotation) beside it, which must have the same value.
    pub equals: Option<String>,
    /// Whether a label of the object must have the value that its pod template, or a Service's selector, has for the same
    /// key, if any. An object with several pod templates is compared with none. Default: false.
    pub match_selector: bool,
    /// The level of what is found: `deny` or `warn`. Default: that of the rule.
    pub level: Option<Level>,
}

/// Where a label must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// On the object itself.
    #[default]
    Object,
    /// On the pods: every pod template of a workload, or a Pod itself.
    Template,
    /// On both.
    Both,
}

impl Requirement {
    /// Whether the request's object is of a kind that it names.
    pub fn concerns(&self, request: &Request<'_>) -> bool {
        glob::any(&self.kinds, request.kind) || glob::any(&self.kinds, &format!("{}/{}", request.group, request.kind))
    }

    /// Finds what no object could meet, what asks for nothing, and what contradicts itself.
    pub fn validate(&self, of_labels: bool) -> Result<(), ReadError> {
        let error = |path, reason: &str| Err(ReadError { path, reason: reason.to_owned() });
        if self.keys.is_empty() {
            return error(Path::of(&["keys"]), "expected at least one key");
        }
        if self.kinds.is_empty() {
            return error(Path::of(&["kinds"]), "expected at least one kind, such as Deployment, or * for all");
        }
        for (index, key) in self.keys.iter().enumerate() {
            if let Some(fault) = syntax::key_fault(key, of_labels) {
                return error(Path::of(&["keys"]).index(index), fault);
            }
        }
        if let Some(other) = &self.equals {
            if let Some(fault) = syntax::key_fault(other, of_labels) {
                return error(Path::of(&["equals"]), fault);
            }
            if self.keys.contains(other) {
                return error(Path::of(&["equals"]), "it is one of keys, and so always equal to itself");
            }
        }
        for (index, value) in self.values.iter().enumerate() {
            if of_labels && !syntax::is_value(value) {
                return error(Path::of(&["values"]).index(index), "a label cannot have this value");
            }
            if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(value)) {
                return error(Path::of(&["values"]).index(index), "it does not match pattern");
            }
        }
        if self.match_selector && !of_labels {
            return error(Path::of(&["matchSelector"]), "selectors know labels alone");
        }
        if self.match_selector && self.place == On::Template {
            return error(
                Path::of(&["matchSelector"]),
                "it compares the object with its pod template, expected place: object",
            );
        }
        if self.optional && self.takes_any() && self.equals.is_none() && !self.match_selector {
            return error(
                Path::of(&["optional"]),
                "nothing is required: expected values, pattern, equals or matchSelector",
            );
        }
        Ok(())
    }

    /// Whether neither a list nor a pattern says what the value may be.
    pub fn takes_any(&self) -> bool {
        self.values.is_empty() && self.pattern.is_none()
    }

    /// Whether the list and the pattern allow a value.
    pub fn allows(&self, value: &str) -> bool {
        (self.values.is_empty() || self.values.iter().any(|of| of == value))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(value))
    }

    /// What the list, or else the pattern, allows.
    pub fn allowed(&self) -> String {
        match &self.pattern {
            _ if !self.values.is_empty() => {
                let quoted: Vec<String> = self.values.iter().map(|value| format!("{value:?}")).collect();
                quoted.join(" or ")
            }
            Some(pattern) => format!("a match of {:?}", pattern.as_str()),
            None => "a value".to_owned(),
        }
    }
}
