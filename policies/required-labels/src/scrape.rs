//! The annotations by which Prometheus finds what to scrape, as the usual relabelling reads them
//! (`kubernetes-pods` and `kubernetes-service-endpoints` in
//! <https://github.com/prometheus-community/helm-charts/blob/main/charts/prometheus/values.yaml>).

use gatehouse_policy::{Edit, Exempt, Level, Path, Port, ReadError, Report, Request, pod_templates};
use serde::de::IgnoredAny;

use crate::SCRAPE;
use crate::view::{self, Map};

/// Judges them where something is to be scraped.
pub fn judge(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if report.level(&SCRAPE).is_none() {
        return Ok(());
    }
    if request.is("", "Service") {
        let all = Map::read(request.object, ANNOTATIONS)?;
        // Whoever writes a status need not answer for what was there before.
        if !request.subresource.is_empty()
            && let Some(old) = request.old_object
        {
            let old = Map::read(old, ANNOTATIONS)?;
            if NAMES.iter().all(|name| old.get(name) == all.get(name)) {
                return Ok(());
            }
        }
        let mut annotations = Annotations { who: "Service", all, path: Path::root(), report };
        return if annotations.judge_scrape() { annotations.judge_service(request) } else { Ok(()) };
    }
    // Neither can be written by a status.
    if !request.subresource.is_empty() {
        return Ok(());
    }
    // Read once, and only where they count. What a container declares counts whether or not the container is exempt.
    let mut pods: Option<Vec<Pod<'_>>> = None;
    let mut specs = 0..;
    for (path, template) in pod_templates(request)? {
        let all = Map::read(template, ANNOTATIONS).map_err(|error| error.below(&path))?;
        let spec = template.get("spec").and_then(|_| specs.next());
        let mut annotations = Annotations { who: "pod", all, path, report };
        if !annotations.judge_scrape() {
            continue;
        }
        let pods = match &mut pods {
            Some(pods) => pods,
            pods => pods.insert(Pod::read(request, &Exempt::default())?),
        };
        if let Some(pod) = spec.and_then(|spec| pods.get(spec)) {
            annotations.judge_pod(pod);
        }
    }
    Ok(())
}

type Pod<'r> = gatehouse_policy::Pod<'r, IgnoredAny, Container<'r>>;

const ANNOTATIONS: &[&str] = &["metadata", "annotations"];

const SCRAPE_IT: &str = "prometheus.io/scrape";
const PORT: &str = "prometheus.io/port";
const PATH: &str = "prometheus.io/path";
const SCHEME: &str = "prometheus.io/scheme";
const NAMES: [&str; 4] = [SCRAPE_IT, PORT, PATH, SCHEME];

/// Where a Service has its ports.
const PORTS: &[&str] = &["spec", "ports"];

const A_NUMBER: &str = "a number from 1 to 65535";

struct Annotations<'a, 'r> {
    who: &'static str,
    all: Map<'a>,
    /// Where what has them is.
    path: Path,
    report: &'a mut Report<'r>,
}

impl<'a> Annotations<'a, '_> {
    /// The value of an annotation. An empty one is as good as absent: the usual expressions do not match it.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.all.get(name).filter(|value| !value.is_empty())
    }

    /// Reports an annotation, with the value that mends it.
    fn add(&mut self, level: Level, name: &'static str, message: String, mended: Option<String>) {
        let path = self.path.clone().join(Path::of(ANNOTATIONS)).key(name);
        let added = self.report.add_as(level, &SCRAPE, path.clone(), message);
        if let Some(value) = mended {
            added.unsafe_fix([Edit::set(path, value)]);
        }
    }

    fn refuse(&mut self, name: &'static str, value: &str, expected: &str, mended: Option<String>) {
        self.add(Level::Deny, name, self.message(name, value, expected), mended);
    }

    fn message(&self, name: &str, value: &str, expected: &str) -> String {
        format!("{}: {name} is {}, expected {expected}", self.who, view::shown(value))
    }

    /// Judges all that needs no ports, and says whether somebody wants it scraped. Only `true` is kept; whoever writes a no in
    /// other words gets what they want.
    fn judge_scrape(&mut self) -> bool {
        let is_one_of = |value: &str, words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
        let Some(value) = self.get(SCRAPE_IT) else { return false };
        if is_one_of(value, &["false", "no", "n", "f", "off", "0"]) {
            return false;
        }
        if value != "true" {
            let is_yes = is_one_of(value.trim(), &["true", "yes", "y", "t", "on", "1"]);
            self.refuse(SCRAPE_IT, value, "\"true\" or \"false\"", is_yes.then(|| "true".to_owned()));
        }
        self.judge_path_and_scheme();
        true
    }

    fn judge_path_and_scheme(&mut self) {
        if let Some(value) = self.get(PATH) {
            let has_parameters = value.bytes().any(|byte| matches!(byte, b'?' | b'#'));
            if !value.starts_with('/') {
                // What has a colon is a whole URL, or who knows what.
                let mended = (!has_parameters && !value.contains(':')).then(|| format!("/{value}"));
                self.refuse(PATH, value, "a path that starts with \"/\"", mended);
            } else if has_parameters {
                // Prometheus would ask for `%3F`.
                self.refuse(PATH, value, "a path alone, and prometheus.io/param_NAME", None);
            }
        }
        if let Some(value) = self.get(SCHEME).filter(|value| !matches!(*value, "http" | "https")) {
            self.refuse(SCHEME, value, "\"http\" or \"https\"", None);
        }
    }

    fn judge_pod(&mut self, pod: &Pod<'_>) {
        let declared =
            || pod.long_running().flat_map(|container| &container.ports).filter(|port| is_tcp(port.protocol));
        let numbers: Vec<i32> = declared().map(|port| port.container_port).collect();
        let Some(value) = self.get(PORT) else {
            if numbers.is_empty() {
                let message = "pod: is to be scraped, but neither prometheus.io/port nor a TCP port of a container says \
                               where, expected a port";
                self.add(Level::Deny, PORT, message.to_owned(), None);
            }
            return;
        };
        match number(value) {
            Some(number) if numbers.is_empty() || numbers.contains(&number) => {}
            Some(_) => {
                let expected = format!("a TCP port that a container declares: {}", listed(&numbers));
                self.add(Level::Warn, PORT, self.message(PORT, value, &expected), None);
            }
            None => {
                let named = declared().find(|port| port.name == value);
                self.refuse(PORT, value, A_NUMBER, named.map(|port| port.container_port.to_string()));
            }
        }
    }

    fn judge_service(&mut self, request: &Request<'_>) -> Result<(), ReadError> {
        let Some(value) = self.get(PORT) else { return Ok(()) };
        let Some(number) = number(value) else {
            self.refuse(PORT, value, A_NUMBER, None);
            return Ok(());
        };
        let Some(ports) = request.object.within(PORTS)? else { return Ok(()) };
        let ports: Vec<Served<'_>> = ports.view().map_err(|error| error.below(&Path::of(PORTS)))?;
        let mut numbers = Vec::new();
        for port in ports.iter().filter(|port| is_tcp(port.protocol)) {
            match port.target_port {
                // Absent, 0 or empty, it is the Service's own.
                Port::Number(0) | Port::Name("") => numbers.push(port.port),
                Port::Number(target) => numbers.push(target),
                // What it stands for is known to the pods alone.
                Port::Name(_) => return Ok(()),
            }
        }
        if !numbers.is_empty() && !numbers.contains(&number) {
            let expected = format!("a TCP port that the Service leads to: {}", listed(&numbers));
            self.add(Level::Warn, PORT, self.message(PORT, value, &expected), None);
        }
        Ok(())
    }
}

/// A port's number as the usual expression, `\d+`, takes it.
fn number(text: &str) -> Option<i32> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse::<u16>().ok().filter(|number| *number > 0).map(i32::from)
}

/// Numbers for a message, each once; of very many the first.
fn listed(numbers: &[i32]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<i32> = Vec::new();
    let mut rest = "";
    for number in numbers {
        if shown.contains(number) {
            continue;
        }
        if shown.len() == SHOWN {
            rest = " and so on";
            break;
        }
        shown.push(*number);
    }
    let words: Vec<String> = shown.iter().map(ToString::to_string).collect();
    words.join(" or ") + rest
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Container<'r> {
    #[serde(borrow)]
    ports: Vec<Declared<'r>>,
}

/// A port that a container declares.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Declared<'r> {
    name: &'r str,
    container_port: i32,
    protocol: &'r str,
}

/// A port that a Service serves.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Served<'r> {
    port: i32,
    protocol: &'r str,
    #[serde(borrow)]
    target_port: Port<'r>,
}

/// TCP is the default.
fn is_tcp(protocol: &str) -> bool {
    matches!(protocol, "" | "TCP")
}
