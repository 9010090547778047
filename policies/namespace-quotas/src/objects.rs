//! Objects that quotas count: Services by their ports too, others by themselves.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Around, ContextError, Gather, Kind, Listed};

use crate::kinds::number;

pub const SERVICES: Kind<Listed> =
    Kind::listed("v1", "Service", &["spec.allocateLoadBalancerNodePorts", "spec.ports.nodePort", "spec.type"]);
pub const CONFIG_MAPS: Kind<Listed> = Kind::listed("v1", "ConfigMap", NAME);
pub const SECRETS: Kind<Listed> = Kind::listed("v1", "Secret", NAME);
pub const RESOURCE_QUOTAS: Kind<Listed> = Kind::listed("v1", "ResourceQuota", NAME);

/// Nothing but how many there are is of interest.
const NAME: &[&str] = &["metadata.name"];

/// How many objects of a kind there are in a namespace.
pub fn how_many(around: &Around<'_>, kind: &Kind<Listed>, namespace: &str) -> Result<usize, ContextError> {
    let mut number = 0;
    around.each(kind, Some(namespace), &mut |_| number += 1)?;
    Ok(number)
}

/// How many `ConfigMap`s a namespace has.
pub struct ConfigMaps(pub usize);

/// How many Secrets it has.
pub struct Secrets(pub usize);

impl Gather for ConfigMaps {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        how_many(around, &CONFIG_MAPS, namespace).map(Self)
    }
}

impl Gather for Secrets {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        how_many(around, &SECRETS, namespace).map(Self)
    }
}

/// How many Services it has, and what of them quotas count.
#[derive(Default)]
pub struct Services {
    pub number: usize,
    pub load_balancers: usize,
    pub node_ports: usize,
}

impl Gather for Services {
    /// As `Usage` of <https://github.com/kubernetes/kubernetes/blob/master/pkg/quota/v1/evaluator/core/services.go>.
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let mut all = Self::default();
        around.each(&SERVICES, Some(namespace), &mut |service| {
            all.number += 1;
            let ports = service.items(&["spec", "ports"]);
            let kind = service.text(&["spec", "type"]);
            let allocates = service.descend(&["spec", "allocateLoadBalancerNodePorts"]).map(|node| &node.data);
            let allocates = !matches!(allocates, Some(Data::Bool(false)));
            all.load_balancers += usize::from(kind == "LoadBalancer");
            for port in ports {
                let has_port = match kind {
                    "LoadBalancer" => allocates || number(port, &["nodePort"]).is_some_and(|port| port != 0),
                    kind => kind == "NodePort",
                };
                all.node_ports += usize::from(has_port);
            }
        })?;
        Ok(all)
    }
}
