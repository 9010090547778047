//! What is read of a container and its probes, as the API server defaults it.

use std::fmt::{self, Display};

use gatehouse_policy::Port;
use schemars::JsonSchema;
use serde::de::IgnoredAny;

use crate::ports::{ContainerPort, Declaring, number_of};

/// What is read of a workload as a whole.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub struct Scaled {
    pub spec: Replicas,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub struct Replicas {
    pub replicas: Option<i32>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFields<'r> {
    pub termination_grace_period_seconds: Option<i64>,
    #[serde(borrow)]
    pub containers: Vec<Declaring<'r>>,
    #[serde(borrow)]
    pub init_containers: Vec<Declaring<'r>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerFields<'r> {
    #[serde(borrow)]
    pub ports: Vec<ContainerPort<'r>>,
    #[serde(borrow)]
    pub liveness_probe: Option<Probe<'r>>,
    #[serde(borrow)]
    pub readiness_probe: Option<Probe<'r>>,
    #[serde(borrow)]
    pub startup_probe: Option<Probe<'r>>,
    restart_policy: &'r str,
    restart_policy_rules: Vec<IgnoredAny>,
}

impl ContainerFields<'_> {
    /// Whether it ends by itself and nobody connects to it: it is restarted at most until it succeeds, declares no port,
    /// and has no probe that a Service heeds or that connects to a port. What `restartPolicyRules` restart cannot be told.
    pub fn is_seen_to_end(&self) -> bool {
        let probes = [&self.liveness_probe, &self.startup_probe].into_iter().flatten();
        matches!(self.restart_policy, "Never" | "OnFailure")
            && self.restart_policy_rules.is_empty()
            && self.ports.is_empty()
            && self.readiness_probe.is_none()
            && probes.flat_map(Probe::ports).next().is_none()
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe<'r> {
    #[serde(borrow)]
    exec: Option<Exec<'r>>,
    #[serde(borrow)]
    http_get: Option<HttpGet<'r>>,
    #[serde(borrow)]
    tcp_socket: Option<TcpSocket<'r>>,
    #[serde(borrow)]
    grpc: Option<Grpc<'r>>,
    initial_delay_seconds: i32,
    period_seconds: i32,
    timeout_seconds: i32,
    success_threshold: i32,
    failure_threshold: i32,
    termination_grace_period_seconds: Option<i64>,
}

#[derive(Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Exec<'r> {
    #[serde(borrow)]
    command: Vec<&'r str>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HttpGet<'r> {
    host: &'r str,
    #[serde(borrow)]
    port: Port<'r>,
    path: &'r str,
    scheme: &'r str,
    #[serde(borrow)]
    http_headers: Vec<Header<'r>>,
}

#[derive(Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Header<'r> {
    name: &'r str,
    value: &'r str,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct TcpSocket<'r> {
    host: &'r str,
    #[serde(borrow)]
    port: Port<'r>,
}

#[derive(Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Grpc<'r> {
    port: i32,
    service: &'r str,
}

impl<'r> Probe<'r> {
    /// Whether it has anything to do: the API server refuses a probe without a handler, and an `exec` without a command
    /// (`validateHandler` in `k8s.io/kubernetes/pkg/apis/core/validation`).
    pub fn checks_something(&self) -> bool {
        let runs = self.exec.as_ref().is_some_and(|exec| !exec.command.is_empty());
        runs || self.http_get.is_some() || self.tcp_socket.is_some() || self.grpc.is_some()
    }

    /// The ports it connects to, each with the handler's name and the host, which is empty for the pod itself.
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, &'r str, Port<'r>)> {
        let http_get = self.http_get.as_ref().map(|http_get| ("httpGet", http_get.host, http_get.port));
        let tcp_socket = self.tcp_socket.as_ref().map(|tcp_socket| ("tcpSocket", tcp_socket.host, tcp_socket.port));
        let grpc = self.grpc.as_ref().map(|grpc| ("grpc", "", Port::Number(grpc.port)));
        [http_get, tcp_socket, grpc].into_iter().flatten()
    }

    /// What it checks, to be compared: ports by number, path and scheme as `SetDefaults_HTTPGetAction` in
    /// `k8s.io/kubernetes/pkg/apis/core/v1` defaults them.
    pub fn check<'p>(&'p self, ports: &'p [ContainerPort<'r>]) -> impl PartialEq + use<'p, 'r> {
        let or = |text: &'r str, default: &'static str| if text.is_empty() { default } else { text };
        let http_get = self.http_get.as_ref().map(|HttpGet { host, port, path, scheme, http_headers }| {
            (*host, resolve(*port, ports), or(path, "/"), or(scheme, "HTTP"), http_headers)
        });
        let tcp_socket = self.tcp_socket.as_ref().map(|TcpSocket { host, port }| (*host, resolve(*port, ports)));
        (&self.exec, http_get, tcp_socket, &self.grpc)
    }

    /// Its timings, 0 and absent as `SetDefaults_Probe` in `k8s.io/kubernetes/pkg/apis/core/v1` defaults them. A grace
    /// period of its own comes before the pod's
    /// (<https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#probe-level-terminationgraceperiodseconds>).
    pub fn timings(&self, grace_period_of_pod: i64) -> Timings<Timing> {
        let or = |own: i32, default: i64| match own {
            0 => Timing { value: default, is_default: true },
            own => Timing { value: own.into(), is_default: false },
        };
        let grace_period = self.termination_grace_period_seconds;
        Timings {
            initial_delay_seconds: or(self.initial_delay_seconds, 0),
            period_seconds: or(self.period_seconds, 10),
            timeout_seconds: or(self.timeout_seconds, 1),
            success_threshold: or(self.success_threshold, 1),
            failure_threshold: or(self.failure_threshold, 3),
            termination_grace_period_seconds: Timing {
                value: grace_period.unwrap_or(grace_period_of_pod),
                is_default: grace_period.is_none(),
            },
        }
    }
}

/// The timings of a probe.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "Timings")]
pub struct Timings<T: Default> {
    /// Seconds from the container's start to the first check; 0 where absent.
    pub initial_delay_seconds: T,
    /// Seconds from one check to the next; 10 where absent.
    pub period_seconds: T,
    /// Seconds after which a check counts as failed; 1 where absent.
    pub timeout_seconds: T,
    /// Checks that must fail in a row; 3 where absent.
    pub failure_threshold: T,
    /// Checks that must succeed in a row after one failed; 1 where absent. For liveness and startup the API server
    /// accepts nothing else.
    pub success_threshold: T,
    /// Seconds that the container has to end once the probe has failed; the pod's where absent. Not for readiness, which
    /// ends nothing.
    pub termination_grace_period_seconds: T,
}

impl<T: Default> Timings<T> {
    /// Each with the name of its field.
    pub fn each(&self) -> [(&'static str, &T); 6] {
        [
            ("initialDelaySeconds", &self.initial_delay_seconds),
            ("periodSeconds", &self.period_seconds),
            ("timeoutSeconds", &self.timeout_seconds),
            ("failureThreshold", &self.failure_threshold),
            ("successThreshold", &self.success_threshold),
            ("terminationGracePeriodSeconds", &self.termination_grace_period_seconds),
        ]
    }
}

/// A timing in effect.
#[derive(Clone, Copy, Default)]
pub struct Timing {
    pub value: i64,
    is_default: bool,
}

impl Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value, if self.is_default { " by default" } else { "" })
    }
}

/// A port by its number; a name that the container does not declare stays as it is.
fn resolve<'r>(port: Port<'r>, ports: &[ContainerPort<'_>]) -> Port<'r> {
    let Port::Name(name) = port else { return port };
    number_of(name, ports).map_or(port, Port::Number)
}
