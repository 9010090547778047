//! What is read of a pod and its containers' hooks.

use gatehouse_policy::Path;
use serde::Deserialize;

use crate::command::{self, Work};

pub type Pod<'r> = gatehouse_policy::Pod<'r, PodFields, ContainerFields<'r>>;
pub type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFields {
    termination_grace_period_seconds: Option<i64>,
}

impl PodFields {
    /// The seconds that the pod has to end: 30 by default (`SetDefaults_PodSpec` in `k8s.io/kubernetes/pkg/apis/core/v1`),
    /// and a negative number is 1 (`CheckGracefulDelete` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/strategy.go>).
    pub fn grace_period(&self) -> u64 {
        self.termination_grace_period_seconds.unwrap_or(30).try_into().unwrap_or(1)
    }

    /// The same for a message.
    pub fn grace_period_in_words(&self) -> String {
        let period = self.grace_period();
        match self.termination_grace_period_seconds {
            None => format!("{period} by default"),
            Some(negative @ ..0) => format!("{negative}, which counts as {period}"),
            Some(_) => period.to_string(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ContainerFields<'r> {
    pub ports: Vec<Present>,
    #[serde(borrow)]
    pub lifecycle: Lifecycle<'r>,
}

/// An object that need only be there.
#[derive(Default, Deserialize)]
pub struct Present {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Lifecycle<'r> {
    #[serde(borrow)]
    pub pre_stop: Option<Hook<'r>>,
    #[serde(borrow)]
    pub post_start: Option<Hook<'r>>,
}

/// A hook. Its `tcpSocket` is not read: the API keeps it for old manifests only, and the kubelet fails on it
/// (`LifecycleHandler` in <https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/api/core/v1/types.go>).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Hook<'r> {
    #[serde(borrow)]
    exec: Option<Exec<'r>>,
    http_get: Option<Present>,
    sleep: Option<NativeSleep>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Exec<'r> {
    #[serde(borrow)]
    command: Vec<&'r str>,
}

/// The kubelet's own sleep. 0, also where `seconds` is absent, is accepted since Kubernetes 1.33, and then it does nothing
/// (<https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/4818-allow-zero-value-for-sleep-action-of-prestop-hook>).
#[derive(Default, Deserialize)]
#[serde(default)]
struct NativeSleep {
    seconds: i64,
}

impl<'r> Hook<'r> {
    /// The command that it runs in the container.
    pub fn command(&self) -> Option<&[&'r str]> {
        self.exec.as_ref().map(|exec| &*exec.command).filter(|command| !command.is_empty())
    }

    /// What that command does, if there is one.
    pub fn work(&self) -> Option<Work> {
        self.command().map(command::work)
    }

    /// How long it takes with that work, in seconds begun: as long as it sleeps, or `otherwise` where the manifest does not tell. What does
    /// more than sleep takes no less than what does not tell at all. `None` where it does nothing. Of several handlers, which
    /// the API server refuses, the kubelet would run the first in this order.
    pub fn seconds(&self, work: Option<Work>, otherwise: u64) -> Option<u64> {
        match (work, &self.http_get, &self.sleep) {
            (Some(Work::Nothing), ..) => None,
            (Some(Work::Sleep(sleep)), ..) if sleep.only => Some(sleep.seconds()),
            (Some(Work::Sleep(sleep)), ..) => Some(sleep.seconds().max(otherwise)),
            (Some(Work::Something), ..) | (None, Some(_), _) => Some(otherwise),
            (None, None, sleep) => sleep.as_ref()?.seconds.try_into().ok().filter(|seconds| *seconds > 0),
        }
    }

    /// The field that tells it, within the hook.
    pub fn seconds_path(&self) -> Path {
        Path::of(if self.command().is_some() { &["exec", "command"] } else { &["sleep", "seconds"] })
    }
}
