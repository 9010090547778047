//! The ports that a Service opens on every node.

use gatehouse_policy::Report;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{LOAD_BALANCER, NODE_PORT, NODE_PORT_TYPE, Service, ServiceExposure, ServicePort, at};

/// A range of ports.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct NodePorts {
    /// The least port.
    pub min: u16,
    /// The greatest port.
    pub max: u16,
}

impl NodePorts {
    fn contains(self, port: i32) -> bool {
        i32::from(self.min) <= port && port <= i32::from(self.max)
    }

    /// Whether it takes in whatever the API server allocates by default (`--service-node-port-range` in
    /// <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>).
    fn takes_in_all(self) -> bool {
        self.contains(30000) && self.contains(32767)
    }
}

pub fn judge(service: &Service<'_>, settings: &ServiceExposure, report: &mut Report<'_>) {
    let kind = service.kind();
    let allocates = match kind {
        NODE_PORT_TYPE => true,
        LOAD_BALANCER => service.spec.allocate_load_balancer_node_ports != Some(false),
        // No other type has any, and the API server refuses them.
        _ => return,
    };
    if kind == NODE_PORT_TYPE && settings.types.is_empty() && settings.node_ports.is_none() {
        let message = "service: NodePort opens a port on every node, expected ClusterIP or LoadBalancer";
        report.add(&NODE_PORT, at("type"), message);
    }
    for (index, ServicePort { port, node_port, .. }) in service.spec.ports.iter().enumerate() {
        let what = match (*node_port, settings.node_ports) {
            (0, Some(allowed)) if allocates && !allowed.takes_in_all() => {
                format!("is left to the API server, expected one from {} to {}", allowed.min, allowed.max)
            }
            (0, _) => continue,
            (number, Some(allowed)) if !allowed.contains(number) => {
                format!("is {number}, expected one from {} to {}", allowed.min, allowed.max)
            }
            (number, None) if !allocates => {
                format!("is {number} beside allocateLoadBalancerNodePorts false, expected none")
            }
            _ => continue,
        };
        report.add(&NODE_PORT, at("ports").index(index).key("nodePort"), || format!("port {port}: nodePort {what}"));
    }
}
