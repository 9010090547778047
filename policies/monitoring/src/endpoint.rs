//! What is scraped: the endpoints of a `ServiceMonitor` or a `PodMonitor`
//! (<https://github.com/prometheus-operator/prometheus-operator/tree/main/pkg/apis/monitoring/v1>).

use gatehouse_policy::{Edit, Members, Path, Port, ReadError, Report, Request};
use serde::Deserialize;

use crate::duration::Duration;
use crate::subject::Subject;
use crate::{ENDPOINT, INTERVAL, Monitoring, SELECTOR, TIMEOUT};

#[derive(Default, Deserialize)]
#[serde(default)]
struct View<'r> {
    #[serde(borrow)]
    spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec<'r> {
    #[serde(borrow)]
    selector: Selector<'r>,
    #[serde(borrow)]
    endpoints: Vec<Endpoint<'r>>,
    #[serde(borrow)]
    pod_metrics_endpoints: Vec<Endpoint<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector<'r> {
    #[serde(borrow)]
    match_labels: Members<&'r str, &'r str>,
    match_expressions: Vec<Requirement>,
}

/// That it is there is enough.
#[derive(Deserialize)]
struct Requirement {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint<'r> {
    port: &'r str,
    #[serde(borrow)]
    target_port: Port<'r>,
    /// A `PodMonitor` alone has it.
    port_number: i32,
    interval: &'r str,
    scrape_timeout: &'r str,
    #[serde(borrow)]
    relabelings: Vec<Relabeling<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Relabeling<'r> {
    action: &'r str,
    target_label: &'r str,
    source_labels: Vec<&'r str>,
}

impl Relabeling<'_> {
    /// Whether it may say which ports are scraped: by another address, or by what it keeps of all ports.
    fn selects_port(&self) -> bool {
        let is_of_port = |label: &&str| {
            ["port", "container"]
                .iter()
                .any(|part| label.as_bytes().windows(part.len()).any(|of| of == part.as_bytes()))
        };
        self.target_label == "__address__"
            || self.action.eq_ignore_ascii_case("keepequal")
            || (["keep", "drop"].iter().any(|action| self.action.eq_ignore_ascii_case(action))
                && self.source_labels.iter().any(is_of_port))
    }
}

impl Endpoint<'_> {
    /// Whether it says which port is scraped. A name of nothing and a 0 are as none (`generateServiceMonitorConfig` and
    /// `generatePodMonitorConfig` in
    /// <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/prometheus/promcfg.go>).
    fn has_port(&self, is_pod_monitor: bool) -> bool {
        !self.port.is_empty()
            || !matches!(self.target_port, Port::Number(0) | Port::Name(""))
            || (is_pod_monitor && self.port_number != 0)
            || self.relabelings.iter().any(Relabeling::selects_port)
    }
}

/// Judges a `ServiceMonitor` or a `PodMonitor`.
pub fn judge(request: &Request<'_>, settings: &Monitoring, report: &mut Report<'_>) -> Result<(), ReadError> {
    let view: View<'_> = request.object.view()?;
    let is_pod_monitor = request.kind == "PodMonitor";
    let selector = &view.spec.selector;
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        let (selected, kind) = if is_pod_monitor { ("pod", "PodMonitor") } else { ("Service", "ServiceMonitor") };
        let message = format!("{kind}: selector is empty and selects every {selected}, expected labels");
        report.add(&SELECTOR, Path::of(&["spec", "selector"]), message);
    }
    let (endpoints, field, ports) = if is_pod_monitor {
        (&view.spec.pod_metrics_endpoints, "podMetricsEndpoints", "port or portNumber")
    } else {
        (&view.spec.endpoints, "endpoints", "port or targetPort")
    };
    let list = || Path::of(&["spec", field]);
    if endpoints.is_empty() {
        let message = format!("{}: {field} is empty, so that nothing is scraped, expected at least one", request.kind);
        report.add(&ENDPOINT, list(), message);
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        if report.is_full() {
            break;
        }
        let path = || list().index(index);
        let mut subject = Subject { report, path: &path, kind: "endpoint", name: endpoint.port };
        if !endpoint.has_port(is_pod_monitor) {
            let message = format_args!("has no {ports}, so that every port is scraped, expected one");
            subject.add(&ENDPOINT, &["port"], message);
        }
        judge_times(endpoint, settings, &mut subject);
    }
    Ok(())
}

/// Judges how often an endpoint is scraped, and how long that may take.
fn judge_times(endpoint: &Endpoint<'_>, settings: &Monitoring, subject: &mut Subject<'_, '_>) {
    let fields = [("interval", endpoint.interval), ("scrapeTimeout", endpoint.scrape_timeout)];
    let [Ok(interval), Ok(timeout)] = fields.map(|(field, text)| subject.duration(field, text)) else { return };
    let default = settings.default_interval;
    // To Prometheus an interval of 0 is as none; the operator compares with 0.
    let effective = interval.filter(|interval| !interval.is_zero()).unwrap_or(default);
    let compared = interval.unwrap_or(default);
    let is_bounded = subject.report.level(&INTERVAL).is_some();
    let bound = if is_bounded { settings.interval.nearest(effective) } else { effective };
    let is_long = timeout.is_some_and(|timeout| timeout > compared);
    if bound == effective && !is_long {
        return;
    }
    let set = |field: &'static str, time: Duration, subject: &Subject<'_, '_>| {
        Edit::set(subject.at(&[field]), time.to_string())
    };
    let mut within = vec![set("interval", bound, subject)];
    if timeout.is_some_and(|timeout| timeout > bound) {
        within.push(set("scrapeTimeout", bound, subject));
    }
    if bound != effective {
        let source = if interval == Some(effective) { "" } else { ", the default" };
        let side = if bound < effective { "at most" } else { "at least" };
        let message = format_args!("interval is {effective}{source}, expected {side} {bound}");
        subject.add(&INTERVAL, &["interval"], message).unsafe_fix(within.clone());
    }
    if let Some(timeout) = timeout.filter(|_| is_long) {
        let source = if interval.is_some() { "" } else { ", the default" };
        // A longer interval is long enough for more; else the timeout fits both the interval as it is and one that is mended.
        let is_mended = bound != effective && bound > compared;
        let fix = if is_mended { within } else { vec![set("scrapeTimeout", compared.min(bound), subject)] };
        let message = format_args!("scrapeTimeout is {timeout}, expected at most its interval, {compared}{source}");
        subject.add(&TIMEOUT, &["scrapeTimeout"], message).unsafe_fix(fix);
    }
}
