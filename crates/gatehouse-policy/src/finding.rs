//! Rules, and what they find.

use std::fmt::{self, Display};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "around")]
use crate::around::{Around, ContextError};
use crate::node::{Data, Member, Node, Span};
use crate::path::{Path, Segment};
use crate::settings::{Levels, Override};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is reported, and stops nothing.
    Warn,
    /// The request is refused; the check fails.
    Deny,
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Deny { "deny" } else { "warn" })
    }
}

/// One thing a policy looks for. Made by the [`rules!`](crate::rules) macro from a documented constant.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name within its policy: `liveness` of `required-probes/liveness`.
    pub name: &'static str,
    /// Its level where settings say nothing; `None` is off.
    pub level: Option<Level>,
    /// Its documentation, in Markdown: what it finds, why that is bad, an example. Empty inside a module, which has no
    /// reader for it.
    pub docs: &'static str,
}

/// Something a rule found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule, with its policy: `required-probes/liveness`.
    pub rule: String,
    /// How much it weighs.
    pub level: Level,
    /// Which container, which value, what was expected. May hold any text of the object: escape it where it is printed.
    pub message: String,
    /// The field at fault, present or not.
    pub path: Path,
    /// What would mend it.
    pub fix: Option<Fix>,
    /// Whether what stands at `path` is a secret: whoever prints the finding's source masks it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Where it is in a [`File`](crate::File), whose paths lead to no node.
    #[cfg(not(target_arch = "wasm32"))]
    #[serde(skip)]
    pub span: Option<Span>,
}

/// A change that removes a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// Whether the object runs as before: a fix that changes a user or a limit is not safe.
    pub safe: bool,
    /// The change, as a JSON Patch (RFC 6902) on the object as it came; empty for a file, which has `edits`.
    pub patch: Vec<Operation>,
    /// The changes of a file's text, none within another.
    #[cfg(not(target_arch = "wasm32"))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<TextEdit>,
}

/// A piece of a file's text, and what is to stand in its place.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextEdit {
    /// The piece; where it begins and ends at the same place, text is inserted there.
    #[serde(flatten)]
    pub span: Span,
    /// The new text.
    pub text: String,
}

/// An operation of a JSON Patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Adds a member or item, or replaces a member.
    Add {
        /// JSON Pointer of the new value.
        path: String,
        /// The new value.
        #[serde(deserialize_with = "Node::owned")]
        value: Node<'static>,
    },
    /// Replaces a value that is there.
    Replace {
        /// JSON Pointer of the value.
        path: String,
        /// The new value.
        #[serde(deserialize_with = "Node::owned")]
        value: Node<'static>,
    },
    /// Removes a value that is there.
    Remove {
        /// JSON Pointer of the value.
        path: String,
    },
}

/// A change to one field, from which patches are made.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Gives the field this value, making the objects above it that are absent.
    Set(Path, Node<'static>),
    /// Takes the field away.
    Remove(Path),
}

impl Edit {
    /// Gives the field at `path` a value.
    pub fn set(path: Path, value: impl Into<Node<'static>>) -> Self {
        Self::Set(path, value.into())
    }

    fn path(&self) -> &Path {
        let (Self::Set(path, _) | Self::Remove(path)) = self;
        path
    }

    /// Whether it changes something within a member of the object.
    pub(crate) fn is_within(&self, member: &str) -> bool {
        matches!(self.path().segments(), [Segment::Key(first), ..] if first == member)
    }

    /// The edit as a JSON Patch operation on an object, of which `node` is what the path's first `start` steps lead to;
    /// `None` where it changes nothing or has nothing to hold on to (an array that is too short, a field within a string).
    fn operation(&self, mut node: &Node<'_>, start: usize) -> Option<Operation> {
        let path = self.path();
        for (depth, segment) in path.segments().iter().enumerate().skip(start) {
            let next = match (&node.data, segment) {
                (Data::Object(members), Segment::Key(key)) => {
                    members.iter().find(|member| member.key == *key).map(|member| &member.value)
                }
                (Data::Array(items), Segment::Index(index)) => Some(items.get(*index)?),
                _ => return None,
            };
            let (rest, Self::Set(_, value)) = (&path.segments()[depth + 1..], self) else {
                node = next?;
                continue;
            };
            match next {
                // A null counts as absent, but a patch can only replace it.
                Some(null) if null.is_null() => {
                    return Some(Operation::Replace { path: path.pointer(depth + 1), value: nest(rest, value)? });
                }
                Some(next) => node = next,
                None => return Some(Operation::Add { path: path.pointer(depth + 1), value: nest(rest, value)? }),
            }
        }
        let whole = path.pointer(path.segments().len());
        match self {
            Self::Set(_, value) if node == value => None,
            Self::Set(_, value) => Some(Operation::Replace { path: whole, value: value.clone() }),
            Self::Remove(_) => Some(Operation::Remove { path: whole }),
        }
    }

    /// Makes the change on an object.
    pub(crate) fn apply(&self, object: &mut Node<'_>) {
        self.apply_below(object, 0);
    }

    /// Makes the change on what the path's first `start` steps lead to.
    fn apply_below(&self, node: &mut Node<'_>, start: usize) {
        match self {
            Self::Set(path, value) => {
                let mut at = node;
                for segment in &path.segments()[start..] {
                    let Some(next) = at.enter(segment) else { return };
                    at = next;
                }
                at.data = value.data.clone();
            }
            Self::Remove(path) => {
                let Some((Segment::Key(last), parents)) = path.segments()[start..].split_last() else { return };
                let mut at = node;
                for segment in parents {
                    let Some(next) = at.child(segment) else { return };
                    at = next;
                }
                if let Data::Object(members) = &mut at.data {
                    members.retain(|member| member.key != *last);
                }
            }
        }
    }
}

/// The value wrapped in the objects that lead to it.
fn nest(path: &[Segment], value: &Node<'static>) -> Option<Node<'static>> {
    path.iter().rev().try_fold(value.clone(), |value, segment| match segment {
        Segment::Key(key) => Some(Data::Object(vec![Member::new(key.clone(), value)]).into()),
        Segment::Index(_) => None,
    })
}

/// How many findings of a level a verdict lists. Nobody reads more, and whoever may write an object of 60,000 faults must
/// not have the gate describe them all.
pub const MOST_LISTED: usize = 1000;

/// Collects what a policy finds in one object.
#[derive(Debug)]
pub struct Report<'r> {
    levels: &'r Levels,
    object: &'r Node<'r>,
    found: Found,
}

/// What a policy found in one object.
#[derive(Debug, Default)]
pub(crate) struct Found {
    policy: &'static str,
    findings: Vec<Finding>,
    edits: Vec<Edit>,
    warned: Listed,
    denied: Listed,
    /// What may be a finding, once it is known what is around the object.
    #[cfg(feature = "around")]
    questions: Vec<Question>,
    /// Whether the last that was reported is a question.
    #[cfg(feature = "around")]
    asked_last: bool,
}

/// A finding that depends on what is around the object.
#[cfg(feature = "around")]
struct Question {
    rule: &'static str,
    level: Level,
    path: Kept,
    fix: Option<Box<(Fix, Vec<Edit>)>>,
    answer: Answer,
}

/// The path of a question. In the checker there are as many questions as references in all files together, and they wait until
/// the last is read: as text a path is a quarter as large.
#[cfg(feature = "around")]
#[derive(Debug)]
struct Kept(#[cfg(target_arch = "wasm32")] Path, #[cfg(not(target_arch = "wasm32"))] Box<str>);

#[cfg(feature = "around")]
impl Kept {
    #[cfg(target_arch = "wasm32")]
    fn of(path: &Path) -> Self {
        Self(path.clone())
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn of(path: &Path) -> Self {
        Self(path.to_string().into())
    }

    fn path(&self) -> Path {
        #[cfg(target_arch = "wasm32")]
        let path = self.0.clone();
        #[cfg(not(target_arch = "wasm32"))]
        let path = self.0.parse().unwrap_or_else(|_| Path::root());
        path
    }
}

/// The message of the finding, or `None` where there is none.
#[cfg(feature = "around")]
type Answer = Box<dyn FnOnce(&Around<'_>) -> Result<Option<String>, ContextError> + Send>;

#[cfg(feature = "around")]
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rule, self.path.path())
    }
}

/// The findings of one level.
#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    /// How many there are, listed or not.
    number: usize,
    /// Which of all findings is the last one listed.
    last: usize,
}

/// What a finding says: a text, or a closure that makes it once it is known to be listed. Closures are for findings that one
/// object may bring by the thousand.
pub trait Message {
    /// The text.
    fn text(self) -> String;
}

/// Where a finding is: a path, or a closure that makes it, as for [`Message`]; in a [`File`](crate::File) a path with its
/// span.
pub trait Place {
    /// The path.
    fn path(self) -> Path;

    /// The place in the file, where the path leads to no node.
    fn span(&self) -> Option<Span>
    where
        Self: Sized,
    {
        None
    }
}

impl Place for (Path, Span) {
    fn path(self) -> Path {
        self.0
    }

    fn span(&self) -> Option<Span> {
        Some(self.1)
    }
}

impl Place for Path {
    fn path(self) -> Path {
        self
    }
}

impl<F: FnOnce() -> Path> Place for F {
    fn path(self) -> Path {
        self()
    }
}

impl Message for String {
    fn text(self) -> String {
        self
    }
}

impl Message for &str {
    fn text(self) -> String {
        self.to_owned()
    }
}

impl<F: FnOnce() -> String> Message for F {
    fn text(self) -> String {
        self()
    }
}

impl<'r> Report<'r> {
    pub(crate) fn new(policy: &'static str, levels: &'r Levels, object: &'r Node<'r>) -> Self {
        Self { levels, object, found: Found { policy, ..Found::default() } }
    }

    /// The level at which a rule reports, `None` if it is off.
    #[must_use]
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        self.level_or(rule, rule.level)
    }

    fn level_or(&self, rule: &Rule, default: Option<Level>) -> Option<Level> {
        match self.levels.get(rule.name) {
            None => default,
            Some(Override::Off) => None,
            Some(Override::Warn) => Some(Level::Warn),
            Some(Override::Deny) => Some(Level::Deny),
        }
    }

    /// Reports a finding at the rule's level.
    pub fn add(&mut self, rule: &Rule, place: impl Place, message: impl Message) -> Added<'_> {
        let level = self.level(rule);
        if !self.found.lists(level) {
            return Added { report: None };
        }
        self.push(level, rule, place, message.text())
    }

    /// Reports a case of the rule that weighs differently, unless settings fix the rule's level (or it is off).
    pub fn add_as(&mut self, level: Level, rule: &Rule, place: impl Place, message: impl Message) -> Added<'_> {
        let level = self.level_or(rule, rule.level.and(Some(level)));
        if !self.found.lists(level) {
            return Added { report: None };
        }
        self.push(level, rule, place, message.text())
    }

    /// Reports a case of the rule at a level that a setting of the policy's own gives it, unless the rule is off.
    pub fn add_set(&mut self, level: Level, rule: &Rule, place: impl Place, message: impl Message) -> Added<'_> {
        let level = self.level(rule).and(Some(level));
        if !self.found.lists(level) {
            return Added { report: None };
        }
        self.push(level, rule, place, message.text())
    }

    /// Whether it denies more than it lists. Nothing that is found now changes the verdict: who looks at much may stop.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.denied.number > MOST_LISTED
    }

    fn push(&mut self, level: Option<Level>, rule: &Rule, place: impl Place, message: String) -> Added<'_> {
        let Some(level) = level else { return Added { report: None } };
        let finding = self.finding(level, rule, place, message);
        self.found.findings.push(finding);
        #[cfg(feature = "around")]
        {
            self.found.asked_last = false;
        }
        Added { report: Some(self) }
    }

    fn finding(&self, level: Level, rule: &Rule, place: impl Place, message: String) -> Finding {
        Finding {
            rule: format!("{}/{}", self.found.policy, rule.name),
            level,
            message,
            fix: None,
            secret: false,
            #[cfg(not(target_arch = "wasm32"))]
            span: place.span(),
            path: place.path(),
        }
    }

    pub(crate) fn found(self) -> Found {
        self.found
    }
}

#[cfg(feature = "around")]
impl Report<'_> {
    /// Reports a finding that depends on what is around the object, at the rule's level: `answer` is called once that is known,
    /// in the checker after the last file, and returns the finding's message, or `None` where there is none. It keeps of the
    /// object what it needs, and no more.
    pub fn add_if(
        &mut self,
        rule: &Rule,
        place: impl Place,
        answer: impl FnOnce(&Around<'_>) -> Result<Option<String>, ContextError> + Send + 'static,
    ) -> Added<'_> {
        let Some(level) = self.level(rule) else { return Added { report: None } };
        self.ask(level, rule, place, Box::new(answer))
    }

    /// As [`Self::add_if`], for a case of the rule that weighs differently: as [`Self::add_as`].
    pub fn add_if_as(
        &mut self,
        level: Level,
        rule: &Rule,
        place: impl Place,
        answer: impl FnOnce(&Around<'_>) -> Result<Option<String>, ContextError> + Send + 'static,
    ) -> Added<'_> {
        let Some(level) = self.level_or(rule, rule.level.and(Some(level))) else { return Added { report: None } };
        self.ask(level, rule, place, Box::new(answer))
    }

    fn ask(&mut self, level: Level, rule: &Rule, place: impl Place, answer: Answer) -> Added<'_> {
        let path = Kept::of(&place.path());
        self.found.questions.push(Question { rule: rule.name, level, path, fix: None, answer });
        self.found.asked_last = true;
        Added { report: Some(self) }
    }
}

impl Found {
    /// Counts a finding, and says whether it is to be listed.
    fn lists(&mut self, level: Option<Level>) -> bool {
        let listed = match level {
            None => return false,
            Some(Level::Warn) => &mut self.warned,
            Some(Level::Deny) => &mut self.denied,
        };
        listed.number += 1;
        if listed.number <= MOST_LISTED {
            listed.last = self.findings.len();
        }
        listed.number <= MOST_LISTED
    }

    pub(crate) fn finish(mut self) -> Verdict {
        for listed in [self.warned, self.denied] {
            let more = listed.number.saturating_sub(MOST_LISTED);
            if let Some(last) = self.findings.get_mut(listed.last).filter(|_| more > 0) {
                last.message = format!("{}; at least {more} more at this level are not listed", last.message);
            }
        }
        Verdict { findings: self.findings, edits: self.edits }
    }
}

#[cfg(feature = "around")]
impl Found {
    /// Whether all is found, whatever is around the object.
    pub(crate) fn is_certain(&self) -> bool {
        self.questions.is_empty()
    }

    /// The rule and the path of what is found, and of what may be.
    pub(crate) fn possible(&self) -> impl Iterator<Item = (String, Path)> {
        let policy = self.policy;
        let questions = self.questions.iter();
        let asked = questions.map(move |question| (format!("{policy}/{}", question.rule), question.path.path()));
        self.findings.iter().map(|finding| (finding.rule.clone(), finding.path.clone())).chain(asked)
    }

    /// What is found, now that it is known what is around the object, and which of [`Self::possible`] each finding is. Where
    /// it is not to be known what is around the object, `warns` has that said in a warning, which is none of them.
    pub(crate) fn settle(mut self, around: &Around<'_>, warns: bool) -> Result<(Verdict, Vec<usize>), ContextError> {
        let mut unknown: Vec<ContextError> = Vec::new();
        let certain = self.findings.len();
        let mut numbers: Vec<usize> = (0..certain).collect();
        for (number, question) in std::mem::take(&mut self.questions).into_iter().enumerate() {
            let Question { rule, level, path, fix, answer } = question;
            match answer(around) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    if self.lists(Some(level)) {
                        let (fix, edits) = fix.map(|fix| *fix).unzip();
                        self.findings.push(Finding {
                            rule: format!("{}/{rule}", self.policy),
                            level,
                            message,
                            path: path.path(),
                            fix,
                            secret: false,
                            #[cfg(not(target_arch = "wasm32"))]
                            span: None,
                        });
                        self.edits.extend(edits.into_iter().flatten());
                        numbers.push(certain + number);
                    }
                }
                Err(error) if !warns => return Err(error),
                Err(error) if unknown.contains(&error) => {}
                Err(error) => unknown.push(error),
            }
        }
        for error in unknown {
            if self.lists(Some(Level::Warn)) {
                self.findings.push(Finding {
                    rule: format!("{}/context", self.policy),
                    level: Level::Warn,
                    message: format!("what is around this object is not known: {error}"),
                    path: Path::root(),
                    fix: None,
                    secret: false,
                    #[cfg(not(target_arch = "wasm32"))]
                    span: None,
                });
            }
        }
        Ok((self.finish(), numbers))
    }
}

/// A finding just reported, to which a fix can be given.
#[derive(Debug)]
pub struct Added<'f> {
    report: Option<&'f mut dyn Mend>,
}

impl Added<'_> {
    /// Whether the finding is listed: only then is a fix worth the search for it.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.report.is_some()
    }

    /// What stands at the finding's path is a secret, which must not be shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        if let Some(report) = &mut self.report {
            report.hide();
        }
        self
    }

    /// A fix after which the object runs as before.
    pub fn safe_fix(self, edits: impl IntoIterator<Item = Edit>) {
        self.fix(true, edits);
    }

    /// A fix that changes what runs.
    pub fn unsafe_fix(self, edits: impl IntoIterator<Item = Edit>) {
        self.fix(false, edits);
    }

    fn fix(self, safe: bool, edits: impl IntoIterator<Item = Edit>) {
        if let Some(report) = self.report {
            report.mend(safe, edits.into_iter().collect());
        }
    }

    /// A fix of a file's text; `safe` where what comes of the file runs as before.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn text_fix(self, safe: bool, edits: impl IntoIterator<Item = TextEdit>) {
        if let Some(report) = self.report {
            report.rewrite(Fix { safe, patch: Vec::new(), edits: edits.into_iter().collect() });
        }
    }
}

/// What [`Added`] needs of a report, whatever the report borrows.
trait Mend: fmt::Debug {
    fn mend(&mut self, safe: bool, edits: Vec<Edit>);
    fn hide(&mut self);
    #[cfg(not(target_arch = "wasm32"))]
    fn rewrite(&mut self, fix: Fix);
}

impl Mend for Report<'_> {
    fn mend(&mut self, safe: bool, edits: Vec<Edit>) {
        let Some(patch) = patch(self.object, &edits) else { return };
        let fix = Fix {
            safe,
            patch,
            #[cfg(not(target_arch = "wasm32"))]
            edits: Vec::new(),
        };
        #[cfg(feature = "around")]
        if self.found.asked_last {
            if let Some(question) = self.found.questions.last_mut() {
                question.fix = Some(Box::new((fix, edits)));
            }
            return;
        }
        if let Some(finding) = self.found.findings.last_mut() {
            finding.fix = Some(fix);
            self.found.edits.extend(edits);
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn rewrite(&mut self, fix: Fix) {
        if let Some(finding) = self.found.findings.last_mut() {
            finding.fix = Some(fix);
        }
    }

    fn hide(&mut self) {
        if let Some(finding) = self.found.findings.last_mut() {
            finding.secret = true;
        }
    }
}

/// The edits as one JSON Patch, each operation on what those before it made: two edits may need the same absent parent.
/// `None` where one of them is no operation. What was made is kept beside the object, which may be large.
fn patch(object: &Node<'_>, edits: &[Edit]) -> Option<Vec<Operation>> {
    let mut patch = Vec::new();
    // What stands where something was set; nothing where something was removed.
    let mut made: Vec<(&[Segment], Option<Node<'static>>)> = Vec::new();
    for edit in edits {
        let way = edit.path().segments();
        let operation = match (made.iter_mut().rfind(|(place, _)| way.starts_with(place)), edit) {
            (Some((place, Some(node))), _) => {
                let operation = edit.operation(node, place.len())?;
                edit.apply_below(node, place.len());
                operation
            }
            (Some((place, None)), Edit::Set(whole, value)) => {
                Operation::Add { path: whole.pointer(place.len()), value: nest(&way[place.len()..], value)? }
            }
            (Some((_, None)), Edit::Remove(_)) => return None,
            (None, _) => edit.operation(object, 0)?,
        };
        let (Operation::Add { path, .. } | Operation::Replace { path, .. } | Operation::Remove { path }) = &operation;
        let value = match &operation {
            Operation::Add { value, .. } | Operation::Replace { value, .. } => Some(value.clone()),
            Operation::Remove { .. } => None,
        };
        made.push((&way[..path.matches('/').count()], value));
        patch.push(operation);
    }
    (!patch.is_empty()).then_some(patch)
}

/// What a policy says of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Every finding, in the order of the policy's rules.
    pub findings: Vec<Finding>,
    /// The changes of all fixes together, save those that the API server would refuse.
    pub edits: Vec<Edit>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_thousand_findings_of_a_level_are_listed_and_the_rest_is_counted() {
        const RULE: Rule = Rule { name: "a", level: Some(Level::Deny), docs: "" };
        let (levels, object) = (Levels::new(), Node::empty());
        let mut report = Report::new("test", &levels, &object);
        for number in 0..MOST_LISTED + 7 {
            report.add_as(Level::Warn, &RULE, Path::root(), move || number.to_string());
        }
        report.add(&RULE, Path::root(), "the only denial");
        let findings = report.found().finish().findings;
        assert_eq!(findings.len(), MOST_LISTED + 1);
        let said = |index: usize| &*findings[index].message;
        assert_eq!([said(0), said(MOST_LISTED - 1)], ["0", "999; at least 7 more at this level are not listed"]);
        assert_eq!((said(MOST_LISTED), findings[MOST_LISTED].level), ("the only denial", Level::Deny));
    }

    #[test]
    fn edits_below_one_absent_parent_keep_each_other() {
        let object = Node::from_json(br#"{"kind": "Pod"}"#).unwrap();
        let edits = [Edit::set(Path::of(&["spec", "a"]), 1), Edit::set(Path::of(&["spec", "b"]), 2)];
        let expected =
            json!([{"op": "add", "path": "/spec", "value": {"a": 1}}, {"op": "add", "path": "/spec/b", "value": 2}]);
        assert_eq!(json!(patch(&object, &edits)), expected);
        let edits = [Edit::set(Path::of(&["spec", "a/b", "c"]), 1), Edit::set(Path::of(&["spec", "a/b", "d", "e"]), 2)];
        let expected = json!([
            {"op": "add", "path": "/spec", "value": {"a/b": {"c": 1}}},
            {"op": "add", "path": "/spec/a~1b/d", "value": {"e": 2}},
        ]);
        assert_eq!(json!(patch(&object, &edits)), expected);
    }
}
