//! What is computed of what was scraped: the rules of a `PrometheusRule`
//! (<https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/apis/monitoring/v1/prometheusrule_types.go>).
//! The operator has Prometheus' own code check them, and drops the whole object for one that is wrong (`ValidateRule` in
//! <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/operator/rules.go>, `Validate` in
//! <https://github.com/prometheus/prometheus/blob/main/model/rulefmt/rulefmt.go>).

use std::fmt;

use gatehouse_policy::{Members, Path, ReadError, Report, Request, Sorted, glob};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::duration::Duration;
use crate::promql::Type;
use crate::{
    DESCRIPTION, DUPLICATE, FOR, Monitoring, PROMQL, RECORD_NAME, RULE, SEVERITY, SUMMARY, TEMPLATE, duration, promql,
    template,
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
    /// What it is called in messages.
    fn name(&self) -> String {
        match (self.alert, self.record) {
            ("", "") => "rule".to_owned(),
            ("", record) => format!("record {record}"),
            (alert, _) => format!("alert {alert}"),
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
    let names: Sorted<'_> = groups.iter().enumerate().map(|(place, group)| (group.name, place)).collect();
    for (place, group) in groups.iter().enumerate() {
        let path = || at(place);
        if names.first(group.name) != Some(place) {
            let message = || format!("group {}: there is another of that name, expected one", group.name);
            report.add(&DUPLICATE, || path().key("name"), message);
        }
        for (field, text) in [("interval", group.interval), ("query_offset", group.query_offset)] {
            let _ = duration(text, || format!("group {}", group.name), || path().key(field), field, report);
        }
        for (place, rule) in group.rules.iter().enumerate() {
            if report.is_full() {
                return Ok(());
            }
            let path = || path().key("rules").index(place);
            judge_rule(rule, &path, report);
            if !rule.alert.is_empty() {
                judge_alert(rule, group, &path, settings, report);
            }
        }
        judge_duplicates(group, &path, report);
    }
    Ok(())
}

/// What holds for every rule.
fn judge_rule(rule: &Rule<'_>, path: &impl Fn() -> Path, report: &mut Report<'_>) {
    let refuse = |report: &mut Report<'_>, field: &'static str, what: &str| {
        let place = || if field.is_empty() { path() } else { path().key(field) };
        report.add(&RULE, place, || format!("{}: {what}", rule.name()));
    };
    match (rule.alert, rule.record) {
        ("", "") => refuse(report, "", "has neither alert nor record, expected one of them"),
        ("", record) => {
            for (field, text) in [("for", rule.r#for), ("keep_firing_for", rule.keep_firing_for)] {
                if !matches!(text, "" | "0" | "0s") {
                    refuse(report, field, &format!("has {field}, which is for alerts alone"));
                }
            }
            if !rule.annotations.is_empty() {
                refuse(report, "annotations", "has annotations, which are for alerts alone");
            }
            if record.contains(['{', '}']) {
                refuse(report, "record", "has braces in its name, expected the name of a metric");
            }
            if !is_level_metric_operations(record) {
                let message = || format!("record {record}: expected a name of the form level:metric:operations");
                report.add(&RECORD_NAME, || path().key("record"), message);
            }
        }
        (_, "") => {}
        _ => refuse(report, "record", "has both alert and record, expected one of them"),
    }
    if rule.labels.get("__name__").is_some() {
        refuse(report, "labels", "has the label __name__, which is the name of the series");
    }
    for (field, text) in [("for", rule.r#for), ("keep_firing_for", rule.keep_firing_for)] {
        let _ = duration(text, || rule.name(), || path().key(field), field, report);
    }
    let expression = match rule.expr {
        Expression::Number(_) => return,
        Expression::Text(text) => text,
        Expression::Absent => "",
    };
    let wrong = match promql::check(expression) {
        Ok(Type::Scalar | Type::Vector) => return,
        Ok(found) => Err(found),
        Err(fault) => Ok(fault),
    };
    let message = || match wrong {
        _ if expression.is_empty() => format!("{}: has no expr, expected one", rule.name()),
        Ok(fault) => {
            let place = place(expression, fault.at);
            format!("{}: Prometheus cannot read expr: {} ({place})", rule.name(), fault.wrong)
        }
        Err(found) => {
            format!("{}: expr gives {found}, expected an instant vector or a scalar", rule.name())
        }
    };
    report.add(&PROMQL, || path().key("expr"), message);
}

/// A place in an expression, as people count.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!("line {line}, column {column}")
}

/// `job:http_requests:rate5m`, of which the level and the operations may be nothing
/// (<https://prometheus.io/docs/practices/rules/#naming>).
fn is_level_metric_operations(name: &str) -> bool {
    let mut parts = name.split(':');
    matches!((parts.next(), parts.next(), parts.next(), parts.next()), (Some(_), Some(metric), Some(_), None) if !metric.is_empty())
}

/// What holds for alerts.
fn judge_alert(
    rule: &Rule<'_>,
    group: &Group<'_>,
    path: &impl Fn() -> Path,
    settings: &Monitoring,
    report: &mut Report<'_>,
) {
    let alert = rule.alert;
    let is_signal = glob::any(&settings.signals, alert);
    // A label of the rule hides that of its group, even where it is empty.
    let severity = rule.labels.get("severity").or_else(|| group.labels.get("severity")).copied().unwrap_or_default();
    let severities = &settings.severities;
    let is_known = severities.is_empty() || severities.iter().any(|known| known == severity);
    // What a template makes of it is not known.
    if severity.is_empty() || (!is_known && !is_signal && !severity.contains("{{")) {
        let message = || {
            let expected =
                if severities.is_empty() { "one".to_owned() } else { format!("one of {}", severities.join(", ")) };
            if severity.is_empty() {
                format!("alert {alert}: has no label severity, expected {expected}")
            } else {
                format!("alert {alert}: severity is {severity:?}, expected {expected}")
            }
        };
        report.add(&SEVERITY, || path().key("labels").key("severity"), message);
    }
    for (rule_of, name) in [(&SUMMARY, "summary"), (&DESCRIPTION, "description")] {
        if rule.annotations.get(name).is_none_or(|text| text.trim_ascii().is_empty()) {
            let message = || format!("alert {alert}: has no annotation {name}, expected one");
            report.add(rule_of, || path().key("annotations").key(name), message);
        }
    }
    let may_be_immediate = is_signal || glob::any(&settings.immediate, alert);
    let is_immediate = rule.r#for.is_empty() || Duration::parse(rule.r#for).is_some_and(Duration::is_zero);
    if is_immediate && !may_be_immediate {
        let message = || format!("alert {alert}: has no for, so that it fires at once, expected one such as 5m");
        report.add(&FOR, || path().key("for"), message);
    }
    for (field, texts) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
        for (name, text) in texts.iter() {
            if report.is_full() {
                return;
            }
            if let Err(wrong) = template::check(text) {
                let message = || format!("alert {alert}: Prometheus cannot read the template in {name}: {wrong}");
                report.add(&TEMPLATE, || path().key(field).key((*name).to_owned()), message);
            }
        }
    }
}

/// Finds the rules of a group that are there already.
fn judge_duplicates(group: &Group<'_>, path: &impl Fn() -> Path, report: &mut Report<'_>) {
    if group.rules.len() < 2 || report.level(&DUPLICATE).is_none() {
        return;
    }
    let identities: Vec<String> = group.rules.iter().map(Rule::identity).collect();
    let sorted: Sorted<'_> = identities.iter().enumerate().map(|(place, identity)| (&**identity, place)).collect();
    for (place, (rule, identity)) in group.rules.iter().zip(&identities).enumerate() {
        let Some(first) = sorted.first(identity).filter(|first| *first < place) else { continue };
        let message = || {
            let group = group.name;
            format!(
                "{}: is the same as rule {first} of group {group}, with its expr and labels, expected one",
                rule.name()
            )
        };
        report.add(&DUPLICATE, || path().key("rules").index(place), message);
    }
}
