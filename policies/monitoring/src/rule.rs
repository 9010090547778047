//! What is computed of what was scraped: the rules of a `PrometheusRule`
//! (<https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/apis/monitoring/v1/prometheusrule_types.go>).
//! The operator has Prometheus' own code check them, and drops the whole object for one that is wrong (`ValidateRule` in
//! <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/operator/rules.go>, `Validate` in
//! <https://github.com/prometheus/prometheus/blob/main/model/rulefmt/rulefmt.go>).

use std::fmt::{self, Display};

use gatehouse_policy::{Members, Path, ReadError, Report, Request, Sorted, glob};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::duration::Duration;
use crate::promql::{self, Fault, Type};
use crate::subject::Subject;
use crate::{
    DESCRIPTION, DUPLICATE, FOR, Monitoring, PROMQL, RECORD_NAME, RULE, SEVERITY, SUMMARY, TEMPLATE, template,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct View<'r> {
    #[serde(borrow)]
    spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec<'r> {
    #[serde(borrow)]
    groups: Vec<Group<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group<'r> {
    name: &'r str,
    interval: &'r str,
    query_offset: &'r str,
    #[serde(borrow)]
    labels: Texts<'r>,
    #[serde(borrow)]
    rules: Vec<Rule<'r>>,
}

type Texts<'r> = Members<&'r str, &'r str>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rule<'r> {
    alert: &'r str,
    record: &'r str,
    #[serde(borrow)]
    expr: Expression<'r>,
    r#for: &'r str,
    keep_firing_for: &'r str,
    #[serde(borrow)]
    labels: Texts<'r>,
    #[serde(borrow)]
    annotations: Texts<'r>,
}

/// The API's `IntOrString`.
#[derive(Clone, Copy, Default)]
enum Expression<'r> {
    #[default]
    Absent,
    Number(i32),
    Text(&'r str),
}

impl<'de: 'r, 'r> Deserialize<'de> for Expression<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExpressionVisitor;

        impl<'de> Visitor<'de> for ExpressionVisitor {
            type Value = Expression<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an integer")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                let number = i32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
                Ok(Expression::Number(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Expression::Text(text))
            }
        }

        deserializer.deserialize_any(ExpressionVisitor)
    }
}

impl Rule<'_> {
    /// What it is, and its name.
    fn name(&self) -> (&'static str, &str) {
        match (self.alert, self.record) {
            ("", "") => ("rule", ""),
            ("", record) => ("record", record),
            (alert, _) => ("alert", alert),
        }
    }

    /// A text that two rules have alike that are the same but for what people read of them.
    fn identity(&self) -> String {
        let labels: Vec<_> = self.labels.iter().collect();
        let mut text = [self.alert, "\0", self.record, "\0"].concat();
        match self.expr {
            Expression::Absent => {}
            Expression::Number(number) => text.push_str(&number.to_string()),
            Expression::Text(expression) => text.push_str(expression.trim_ascii()),
        }
        let names: Sorted<'_> = labels.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
        for (name, place) in names.iter() {
            let value = labels.get(*place).map_or("", |(_, value)| value);
            text.extend(["\0", name, "\0", value]);
        }
        text
    }
}

/// Judges a `PrometheusRule`.
pub fn judge(request: &Request<'_>, settings: &Monitoring, report: &mut Report<'_>) -> Result<(), ReadError> {
    let view: View<'_> = request.object.view()?;
    let groups = &view.spec.groups;
    let at = |group: usize| Path::of(&["spec", "groups"]).index(group);
    let with_name = groups.iter().enumerate().filter(|(_, group)| !group.name.is_empty());
    let names: Sorted<'_> = with_name.map(|(place, group)| (group.name, place)).collect();
    for (place, group) in groups.iter().enumerate() {
        if report.is_full() {
            return Ok(());
        }
        let path = || at(place);
        let mut subject = Subject { report: &mut *report, path: &path, kind: "group", name: group.name };
        if group.name.is_empty() {
            subject.add(&RULE, &["name"], format_args!("has no name, expected one"));
        } else if names.first(group.name) != Some(place) {
            subject.add(&DUPLICATE, &["name"], format_args!("there is another of that name, expected one"));
        }
        for (field, text) in [("interval", group.interval), ("query_offset", group.query_offset)] {
            let _ = subject.duration(field, text);
        }
        let duplicates = duplicates(group);
        for (place, rule) in group.rules.iter().enumerate() {
            if report.is_full() {
                return Ok(());
            }
            let path = || path().key("rules").index(place);
            let (kind, name) = rule.name();
            let mut subject = Subject { report: &mut *report, path: &path, kind, name };
            judge_rule(rule, &mut subject);
            judge_expression(rule.expr, &mut subject);
            if kind == "alert" {
                judge_alert(rule, group, settings, &mut subject);
            }
            if let Some(Some(first)) = duplicates.get(place) {
                let message = format_args!("rules[{first}] of the group is the same, with its expr and labels");
                subject.add(&DUPLICATE, &[], message);
            }
        }
    }
    Ok(())
}

/// What holds for every rule.
fn judge_rule(rule: &Rule<'_>, subject: &mut Subject<'_, '_>) {
    let times = [("for", rule.r#for), ("keep_firing_for", rule.keep_firing_for)];
    let times = times.map(|(field, text)| (field, subject.duration(field, text)));
    match (rule.alert, rule.record) {
        ("", "") => {
            subject.add(&RULE, &[], format_args!("has neither alert nor record, expected one of them"));
        }
        ("", record) => {
            for (field, time) in times {
                if time.is_ok_and(|time| time.is_some_and(|time| !time.is_zero())) {
                    subject.add(&RULE, &[field], format_args!("has {field}, which is for alerts alone"));
                }
            }
            if !rule.annotations.is_empty() {
                let message = format_args!("has annotations, which are for alerts alone");
                subject.add(&RULE, &["annotations"], message);
            }
            if record.bytes().any(|byte| matches!(byte, b'{' | b'}')) {
                let message = format_args!("has braces in its name, expected the name of a metric");
                subject.add(&RULE, &["record"], message);
            }
            if !is_level_metric_operations(record) {
                subject.add(
                    &RECORD_NAME,
                    &["record"],
                    format_args!("expected a name of the form level:metric:operations"),
                );
            }
        }
        (_, "") => {}
        _ => {
            subject.add(&RULE, &["record"], format_args!("has both alert and record, expected one of them"));
        }
    }
    if rule.labels.get("__name__").is_some() {
        let message = format_args!("has the label __name__, which is the name of the series");
        subject.add(&RULE, &["labels", "__name__"], message);
    }
}

fn judge_expression(expression: Expression<'_>, subject: &mut Subject<'_, '_>) {
    let text = match expression {
        Expression::Number(_) => return,
        Expression::Text(text) => text,
        Expression::Absent => "",
    };
    match promql::check(text) {
        Ok(Type::Scalar | Type::Vector) => {}
        Ok(found) => {
            let message = format_args!("expr gives {found}, expected an instant vector or a scalar");
            subject.add(&PROMQL, &["expr"], message);
        }
        Err(_) if text.is_empty() => {
            subject.add(&PROMQL, &["expr"], format_args!("has no expr, expected one"));
        }
        Err(Fault { at, wrong }) => {
            let (line, column) = place(text, at);
            let message = format_args!("Prometheus cannot read expr: {wrong} (line {line}, column {column})");
            subject.add(&PROMQL, &["expr"], message);
        }
    }
}

/// A place in an expression, as people count.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (line, column)
}

/// `job:http_requests:rate5m`, of which the level and the operations may be nothing
/// (<https://prometheus.io/docs/practices/rules/#naming>).
fn is_level_metric_operations(name: &str) -> bool {
    let mut parts = name.split(':');
    matches!((parts.next(), parts.next(), parts.next(), parts.next()), (Some(_), Some(metric), Some(_), None) if !metric.is_empty())
}

/// What holds for alerts.
fn judge_alert(rule: &Rule<'_>, group: &Group<'_>, settings: &Monitoring, subject: &mut Subject<'_, '_>) {
    let is_signal = glob::any(&settings.signals, rule.alert);
    // A label of the rule hides that of its group, even where it is empty.
    let severity = rule.labels.get("severity").or_else(|| group.labels.get("severity")).copied().unwrap_or_default();
    let expected = OneOf(&settings.severities);
    if severity.is_empty() {
        let message = format_args!("has no label severity, expected {expected}");
        subject.add(&SEVERITY, &["labels", "severity"], message);
    } else if !is_signal && !expected.has(severity) && template::first_action(severity).is_none() {
        let message = format_args!("severity is {severity:?}, expected {expected}");
        subject.add(&SEVERITY, &["labels", "severity"], message);
    }
    for (rule_of, name) in [(&SUMMARY, "summary"), (&DESCRIPTION, "description")] {
        if rule.annotations.get(name).is_none_or(|text| text.trim_ascii().is_empty()) {
            subject.add(rule_of, &["annotations", name], format_args!("has no annotation {name}, expected one"));
        }
    }
    let is_immediate = rule.r#for.is_empty() || Duration::parse(rule.r#for).is_some_and(Duration::is_zero);
    if is_immediate && !is_signal && !glob::any(&settings.immediate, rule.alert) {
        subject.add(&FOR, &["for"], format_args!("has no for and fires at once, expected one such as 5m"));
    }
    for (field, texts) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
        for (name, text) in texts.iter() {
            if subject.report.is_full() {
                return;
            }
            if let Err(wrong) = template::check(text) {
                let message = format_args!("Prometheus cannot read the template in {name}: {wrong}");
                subject.add(&TEMPLATE, &[field, name], message);
            }
        }
    }
}

/// What a severity may be.
struct OneOf<'s>(&'s [String]);

impl OneOf<'_> {
    fn has(&self, severity: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|known| known == severity)
    }
}

impl Display for OneOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one")?;
        for (place, severity) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { " of " } else { ", " })?;
            f.write_str(severity)?;
        }
        Ok(())
    }
}

/// For each rule of a group the first that is the same. Rules without a name are wrong as they are.
fn duplicates(group: &Group<'_>) -> Vec<Option<usize>> {
    if group.rules.len() < 2 {
        return Vec::new();
    }
    let identity = |rule: &Rule<'_>| if rule.name().1.is_empty() { String::new() } else { rule.identity() };
    let identities: Vec<String> = group.rules.iter().map(identity).collect();
    let named = identities.iter().enumerate().filter(|(_, identity)| !identity.is_empty());
    let sorted: Sorted<'_> = named.map(|(place, identity)| (&**identity, place)).collect();
    let first = |(place, identity): (usize, &String)| sorted.first(identity).filter(|first| *first < place);
    identities.iter().enumerate().map(first).collect()
}
