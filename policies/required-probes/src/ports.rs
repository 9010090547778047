//! The ports that containers declare.

use gatehouse_policy::Port;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ContainerPort<'r> {
    name: &'r str,
    #[serde(rename = "containerPort")]
    number: i32,
    protocol: &'r str,
}

impl<'r> ContainerPort<'r> {
    /// Its name, if it has one.
    pub fn name(&self) -> Option<Port<'r>> {
        Some(self.name).filter(|name| !name.is_empty()).map(Port::Name)
    }

    /// Its number, if it is one of TCP, the default (`SetDefaults_PodSpec` and its like in
    /// `k8s.io/kubernetes/pkg/apis/core/v1`).
    pub fn tcp_number(&self) -> Option<Port<'r>> {
        self.is_tcp().then_some(Port::Number(self.number))
    }

    fn is_tcp(&self) -> bool {
        !matches!(self.protocol, "UDP" | "SCTP")
    }
}

/// The number of the port that has a name, whatever its protocol: the kubelet does not look at it (`findPortByName` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/probe/util.go>).
pub fn number_of(name: &str, ports: &[ContainerPort<'_>]) -> Option<i32> {
    ports.iter().find(|port| !name.is_empty() && port.name == name).map(|port| port.number)
}

/// What is read of every container for its ports, exempt or not: all share the pod's network.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Declaring<'r> {
    restart_policy: &'r str,
    #[serde(borrow)]
    ports: Vec<ContainerPort<'r>>,
}

/// The numbers that a pod's containers declare for TCP, in order.
pub struct TcpPorts(Vec<i32>);

impl TcpPorts {
    /// Those of the containers that run as long as the pod: of the init containers only the sidecars.
    pub fn of(containers: &[Declaring<'_>], init_containers: &[Declaring<'_>]) -> Self {
        let sidecars = init_containers.iter().filter(|of| of.restart_policy == "Always");
        let ports = containers.iter().chain(sidecars).flat_map(|of| &of.ports).filter(|port| port.is_tcp());
        let mut numbers: Vec<i32> = ports.map(|port| port.number).collect();
        numbers.sort_unstable();
        Self(numbers)
    }

    pub fn contains(&self, number: i32) -> bool {
        self.0.binary_search(&number).is_ok()
    }
}
