//! Prometheus scrapes what it is meant to, and its alerts can fire and be understood.

mod duration;
mod endpoint;
mod escape;
mod promql;
mod rule;
mod subject;
mod template;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Context, Path, ReadError, Report, Request, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::duration::Duration;

rules! {
    /// Finds an endpoint of a ServiceMonitor or a PodMonitor that is scraped more often than `interval.min`, or less often than
    /// `interval.max`. Where it names no `interval`, or 0, it is scraped every `defaultInterval`: what the Prometheus object's
    /// `scrapeInterval` says, 30 seconds where it says nothing.
    ///
    /// ## Why
    /// What is looked at every five minutes is down for five minutes before any alert can know. What is looked at every second
    /// costs thirty times the memory and disk of what is looked at every half minute.
    ///
    /// ## Options
    /// ```yaml
    /// interval: {min: 10s, max: 1m}
    /// defaultInterval: 30s
    /// ```
    ///
    /// ## Fix
    /// Sets the interval to the bound, and a `scrapeTimeout` above that with it. Unsafe, as the series change.
    ///
    /// ## Reference
    /// <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.Endpoint>
    INTERVAL = "interval": deny;

    /// Finds an endpoint whose `scrapeTimeout` is above its `interval`, or above `defaultInterval` where it has none.
    ///
    /// ## Why
    /// The operator refuses the whole monitor, and Prometheus scrapes none of its endpoints. Only an event and the operator's
    /// log tell.
    ///
    /// ## Options
    /// `defaultInterval`
    ///
    /// ## Fix
    /// Sets the timeout to the interval. Unsafe, as what answered in time may not any more.
    ///
    /// ## Reference
    /// `CompareScrapeTimeoutToScrapeInterval` in
    /// <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/prometheus/promcfg.go>
    TIMEOUT = "timeout": deny;

    /// Finds a ServiceMonitor or a PodMonitor whose `selector` is empty. It selects every Service, or every pod, of the
    /// namespaces that `namespaceSelector` names, its own where that is absent.
    ///
    /// ## Why
    /// The next Service in the namespace is scraped too, and is reported as down where it has no metrics.
    ///
    /// ## Example
    /// ```yaml
    /// spec:
    ///   selector: {}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   selector:
    ///     matchLabels: {app: web}
    /// ```
    SELECTOR = "selector": deny;

    /// Finds an endpoint that does not say which port is scraped: in a ServiceMonitor one of `port` and `targetPort`, in a
    /// PodMonitor one of `port`, `portNumber` and the deprecated `targetPort`. One whose `relabelings` keep or drop by ports or
    /// containers, or set `__address__`, says it there. Finds a monitor without any endpoint, too.
    ///
    /// ## Why
    /// Every port that the selected Services or pods have is scraped, databases and admin ports among them, and those without
    /// metrics are reported as down.
    ///
    /// ## Reference
    /// <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMetricsEndpoint>
    ENDPOINT = "endpoint": deny;

    /// Finds a duration that Prometheus cannot read: the `interval` and `scrapeTimeout` of an endpoint, the `interval` and
    /// `query_offset` of a group, the `for` and `keep_firing_for` of a rule. The units are `y`, `w`, `d`, `h`, `m`, `s` and
    /// `ms`, each at most once, the greatest first; there are no fractions, and only `0` has no unit.
    ///
    /// ## Why
    /// The API server refuses it where the operator's CRDs are installed, and Prometheus everywhere.
    ///
    /// ## Example
    /// `90`, `1.5h`, `30m1h`
    ///
    /// ## Use instead
    /// `90s`, `1h30m`, `1h30m`
    ///
    /// ## Reference
    /// <https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations>
    DURATION = "duration": deny;

    /// Finds an alert without a label `severity`, its own or its group's, or with one that is not in `severities`. A severity
    /// that is a template is not known before the alert fires, and passes. Alerts in `signals` may have any.
    ///
    /// ## Why
    /// Alertmanager sends an alert where its labels lead. One with a severity that no route knows goes to the default
    /// receiver, which often is nobody.
    ///
    /// ## Options
    /// ```yaml
    /// severities: [critical, warning, info]
    /// signals: [Watchdog, 'DeadMan*', InfoInhibitor]
    /// ```
    SEVERITY = "severity": deny;

    /// Finds an alert without an annotation `summary`.
    ///
    /// ## Why
    /// It is what stands in the notification: without it people are woken by the name of a rule.
    ///
    /// ## Reference
    /// <https://monitoring.mixins.dev/#guidelines-for-alert-names-labels-and-annotations>
    SUMMARY = "summary": deny;

    /// Finds an alert without an annotation `description`.
    ///
    /// ## Why
    /// It says what is affected and how much: which pod, which value, since when.
    DESCRIPTION = "description": deny;

    /// Finds an alert without `for`, or with one of 0: it fires the first time that its expression is true. Alerts in `signals`
    /// and `immediate` may.
    ///
    /// ## Why
    /// One scrape that is lost, or one restart, is a notification, and its end another.
    ///
    /// ## Options
    /// ```yaml
    /// immediate: [NodeRebooted]
    /// ```
    FOR = "for": deny;

    /// Finds an expression that Prometheus cannot read, of an alert or of a recording rule: its grammar, functions with the
    /// number and types of their arguments, operators and what they can stand between, matchers and their regular expressions.
    /// And one that gives neither an instant vector nor a scalar, which no rule can be made of.
    ///
    /// What Prometheus 3.16 knows is known, also what is behind a feature flag there (functions such as `info` or
    /// `sort_by_label`, `fill` and arithmetic of durations), and `holt_winters` of version 2. Whether the Prometheus in the
    /// cluster has it is not. Variables of Grafana such as `$__rate_interval` are none of PromQL.
    ///
    /// ## Why
    /// The operator drops the whole object, all of its groups, for one expression, and goes on with the rest: alerts are gone,
    /// and nothing fires to tell. Where its own webhook is installed it refuses the object.
    ///
    /// ## Reference
    /// <https://prometheus.io/docs/prometheus/latest/querying/basics/>,
    /// `ValidateRule` in <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/operator/rules.go>
    PROMQL = "promql": deny;

    /// Finds a rule that Prometheus refuses whatever its expression: with neither `alert` nor `record`, or both; a recording
    /// rule with `for`, `keep_firing_for` or annotations, or with braces in its name; the label `__name__`; a group without a name.
    ///
    /// ## Why
    /// As for `promql`: the operator drops the whole object.
    ///
    /// ## Reference
    /// <https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/#rule>
    RULE = "rule": deny;

    /// Finds a template in a label or an annotation of an alert that Prometheus cannot read: braces and blocks that are not
    /// closed, functions and variables that do not exist. What a template would give is not looked at.
    ///
    /// ## Why
    /// As for `promql`: the operator drops the whole object.
    ///
    /// ## Example
    /// `{{ $labels.pod }`, `{{ $value | humanise }}`, `{{ $pod }}`
    ///
    /// ## Use instead
    /// `{{ $labels.pod }}`, `{{ $value | humanize }}`, `{{ $labels.pod }}`
    ///
    /// ## Reference
    /// <https://prometheus.io/docs/prometheus/latest/configuration/template_reference/>
    TEMPLATE = "template": deny;

    /// Finds a rule that its group has already, with the same name, `expr` and labels, and a group whose name another of the
    /// object has. The same alert with another expression or another severity is common, and no fault.
    ///
    /// ## Why
    /// Two alerts that are the same are one to Alertmanager: whoever changes one of them changes nothing. Of two groups with one
    /// name the operator takes neither, and drops the whole object.
    DUPLICATE = "duplicate": deny;

    /// Finds a recording rule whose name is not of the form `level:metric:operations`; the first and the last may be empty.
    ///
    /// ## Why
    /// The name says which labels are left, of which metric, and what was done with it.
    ///
    /// ## Reference
    /// <https://prometheus.io/docs/practices/rules/#naming>
    RECORD_NAME = "record-name": off;
}

/// The settings of monitoring.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Monitoring {
    /// What the time between two scrapes may be. What is absent bounds nothing.
    interval: Interval,
    /// The time between two scrapes where an endpoint says nothing: the `scrapeInterval` of the Prometheus object. Default: 30s.
    default_interval: Duration,
    /// What the severity of an alert may be. Default: anything.
    severities: Vec<String>,
    /// Alerts that are there for Alertmanager and not for people, as globs of their names: one that always fires, to show that
    /// alerts get through, and those that hold others back. Default: `Watchdog`, `DeadMan*`, `InfoInhibitor`.
    signals: Vec<Glob>,
    /// Alerts that may fire at once, as globs of their names.
    immediate: Vec<Glob>,
}

/// The least and the most that a time may be.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Interval {
    /// The least, such as `10s`.
    min: Option<Duration>,
    /// The most, such as `1m`.
    max: Option<Duration>,
}

impl Interval {
    /// What is within the bounds and nearest to a time: itself where it is.
    fn nearest(self, time: Duration) -> Duration {
        let most = self.max.map_or(time, |max| time.min(max));
        self.min.map_or(most, |min| most.max(min))
    }
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            interval: Interval::default(),
            default_interval: Duration::HALF_A_MINUTE,
            severities: Vec::new(),
            signals: ["Watchdog", "DeadMan*", "InfoInhibitor"].map(Glob::new).into(),
            immediate: Vec::new(),
        }
    }
}

impl Settings for Monitoring {
    fn validate(&self) -> Result<(), ReadError> {
        let error = |path: &[&'static str], reason: String| Err(ReadError { path: Path::of(path), reason });
        if let (Some(min), Some(max)) = (self.interval.min, self.interval.max)
            && min > max
        {
            return error(&["interval", "min"], format!("{min} is above max, which is {max}"));
        }
        if self.interval.max.is_some_and(Duration::is_zero) {
            return error(&["interval", "max"], "expected more than 0".to_owned());
        }
        if self.default_interval.is_zero() {
            return error(&["defaultInterval"], "expected more than 0".to_owned());
        }
        Ok(())
    }
}

policy!(Monitoring, review);

fn review(request: &Request<'_>, context: &Context<'_, Monitoring>, report: &mut Report<'_>) -> Result<(), ReadError> {
    match (request.group, request.kind) {
        ("monitoring.coreos.com", "ServiceMonitor" | "PodMonitor") => {
            endpoint::judge(request, context.settings, report)
        }
        ("monitoring.coreos.com", "PrometheusRule") => rule::judge(request, context.settings, report),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use gatehouse_policy::{Finding, MOST_LISTED, Node, Request};

    use super::POLICY;
    use crate::promql::{self, Type};
    use crate::template;

    fn findings(rules: &str) -> Vec<Finding> {
        let object = format!(
            r#"{{"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
            "metadata": {{"name": "web"}}, "spec": {{"groups": [{{"name": "web", "rules": [{rules}]}}]}}}}"#
        );
        let object = Node::from_json(object.as_bytes()).unwrap();
        let policy = POLICY.configure(&Node::empty()).unwrap();
        policy.review(&Request::create(&object, "shop").unwrap()).unwrap().findings
    }

    /// A module has a stack of a megabyte.
    fn with_little_stack(test: fn()) {
        thread::Builder::new().stack_size(1 << 20).spawn(test).unwrap().join().unwrap();
    }

    #[test]
    fn what_nests_deep_needs_no_stack() {
        with_little_stack(|| {
            const DEEP: usize = 100_000;
            for (before, after) in
                [("(", ")"), ("abs(", ")"), ("sum by (x) (", ")"), ("-", ""), ("2 ^ ", ""), ("a or (b and ", ")")]
            {
                let nested = |depth: usize| format!("{}a{}", before.repeat(depth), after.repeat(depth));
                assert_eq!(promql::check(&nested(4_000)), Ok(Type::Vector), "{before}");
                let deep = nested(DEEP);
                let wrong = promql::check(&deep).unwrap_err().wrong.to_string();
                assert_eq!(wrong, "more than 10000 brackets and signs within each other, which is not read on");
            }
            for chain in ["a + ", "a == ", "a or b and c * ", "rate(a[5m]) / "] {
                assert_eq!(promql::check(&(chain.repeat(DEEP) + "a")), Ok(Type::Vector), "{chain}");
            }
            let brackets = |depth| format!("a[{}5m{}]", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(promql::check(&brackets(4_000)), Ok(Type::Matrix));
            assert!(promql::check(&brackets(DEEP)).is_err());
            let groups = format!("a{{b=~'{}{}'}}", "(".repeat(DEEP), ")".repeat(DEEP));
            assert_eq!(promql::check(&groups), Ok(Type::Vector));
            let parentheses = |depth| format!("{{{{ {}1{} }}}}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(template::check(&parentheses(4_000)), Ok(()));
            assert!(template::check(&parentheses(DEEP)).is_err());
            let blocks = "{{ if . }}".repeat(DEEP) + &"{{ end }}".repeat(DEEP);
            assert_eq!(template::check(&blocks), Ok(()));
            let chained = "{{ if . }}".to_owned() + &"{{ else if . }}".repeat(DEEP) + "{{ end }}";
            assert_eq!(template::check(&chained), Ok(()));
        });
    }

    /// As many of each as fit into an object: who compares each with each takes minutes here.
    #[test]
    fn the_largest_object_takes_no_time() {
        let list = |number: usize, item: &dyn Fn(usize) -> String| (0..number).map(item).collect::<Vec<_>>().join(", ");
        let different = list(40_000, &|number| format!(r#"{{"record": "a:b{number}:c", "expr": "a"}}"#));
        assert_eq!(findings(&different), []);
        let same = list(40_000, &|_| r#"{"record": "a:b:c", "expr": "a"}"#.to_owned());
        assert_eq!(findings(&same).len(), MOST_LISTED);
        let labels = list(100_000, &|number| format!("l{number}"));
        let others = list(100_000, &|number| format!("m{number}"));
        assert_eq!(promql::check(&format!("a * on ({labels}) group_left ({others}) b")), Ok(Type::Vector));
        assert!(promql::check(&format!("a * on ({labels}) group_left (l99999) b")).is_err());
        let matchers = "b=~'[[:alpha:]]{3}(a|b)*',".repeat(50_000);
        assert_eq!(promql::check(&format!("a{{{matchers}}}")), Ok(Type::Vector));
        for open in ["[[:", "(?P<", "\\Q", "[", "{1,", "(a|", "\\p{"] {
            let _ = promql::check(&format!("a{{b=~`{}`}}", open.repeat(200_000)));
        }
        for open in ["a{", "a[", "'\\x41", "fill ", "sum by (", "a offset ", "a @ ", "a # \n", "a[5m:", "1e", "0x", "."]
        {
            let _ = promql::check(&open.repeat(200_000));
        }
        for open in [
            "{{",
            "{{/*",
            "{{ ",
            "{{ $x := 1 }}{{ $y }}",
            "{{ range . }}{{ break }}",
            "{{ `",
            "{{ \"",
            "{{- ",
            "{{ 1 -}} ",
        ] {
            let _ = template::check(&open.repeat(100_000));
        }
    }
}
