//! A Service is reachable from where it is meant to be, and from nowhere else.

mod balancer;
mod external_name;
mod node_port;
mod range;
mod sources;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Context, Members, Metadata, Node, Path, ReadError, Report, Request, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::node_port::NodePorts;
use crate::range::{Allowed, MinPrefix, Range};

rules! {
    /// Finds a Service whose type is not one of `types`. Where they are not set, every type is allowed. A Service that says
    /// no type is a `ClusterIP`.
    ///
    /// ## Why
    /// What traffic from outside comes in by, an ingress or a gateway, is mostly one team's matter: TLS, limits and logs
    /// are there. A Service of another type is a way around it.
    ///
    /// ## Options
    /// `types`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types>
    TYPE = "type": deny;

    /// Finds an address in `externalIPs` that is not within one of `externalIPs` in the settings.
    ///
    /// ## Why
    /// Every node takes what is sent to that address, whoever it belongs to, and hands it to the pods of this Service: who
    /// may write a Service can read the traffic of others to an address of their choice (CVE-2020-8554). There is no
    /// patch for it. The API's own `DenyServiceExternalIPs` admission is off by default. Addresses are judged whatever
    /// the type of the Service. Who may write `services/status` can do the same by `loadBalancer.ingress`, which is for RBAC
    /// to forbid.
    ///
    /// ## Use instead
    /// A Service of type `LoadBalancer`, whose address is given by whoever owns it.
    ///
    /// ## Options
    /// `externalIPs`
    ///
    /// ## Reference
    /// <https://github.com/kubernetes/kubernetes/issues/97076>,
    /// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#denyserviceexternalips>
    EXTERNAL_IPS = "external-ips": deny;

    /// Finds a port that is opened on every node:
    ///
    /// - by the type `NodePort`, unless `types` or `nodePorts` is set: they say then what is allowed;
    /// - by a `nodePort` outside `nodePorts`, once they are set, of a `NodePort` or a `LoadBalancer`. One that is left to
    ///   the API server is as good as outside, unless `nodePorts` takes in all that it gives by default (30000 to 32767);
    /// - by a `nodePort` beside `allocateLoadBalancerNodePorts: false`, which was to have none. The API server leaves those
    ///   open that are there already. Within `nodePorts` it is allowed.
    ///
    /// ## Why
    /// Such a port answers on each address of each node, public ones too. `loadBalancerSourceRanges` does not hold there,
    /// and nothing stands before it.
    ///
    /// The ports that a `LoadBalancer` has on the nodes by default are no finding without `nodePorts`: most load balancers
    /// need them. Nor is a number that was written told from one that was allocated: it is there already when the API server
    /// asks, for a CREATE too (`Store.create` in `apiserver/pkg/registry/generic/registry/store.go`). The port of
    /// `healthCheckNodePort` serves nothing but a count, and is not judged.
    ///
    /// ## Use instead
    /// A Service of type `ClusterIP` behind an Ingress or a Gateway, or one of type `LoadBalancer`; where the load balancer
    /// reaches pods by itself, with `allocateLoadBalancerNodePorts: false`.
    ///
    /// ## Options
    /// `nodePorts`, `types`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport>,
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#load-balancer-nodeport-allocation>
    NODE_PORT = "node-port": deny;

    /// Finds a Service of type `LoadBalancer` that is open to the world:
    ///
    /// - without `loadBalancerSourceRanges` or an annotation that limits its clients, see below;
    /// - with a range among them that takes in the world, such as `0.0.0.0/0`, or a part of it too great to belong to
    ///   anyone: one whose prefix is shorter than `minPrefix`, or several that are half of all addresses together. Ranges of
    ///   private addresses may be of any size;
    /// - with ranges for IPv4 alone where the Service has IPv6 too, or the other way around: a family without ranges is
    ///   open (`newBaseServiceInfo` in `pkg/proxy/serviceport.go`). Of which families a Service is, is only known where
    ///   `ipFamilies` or `ipFamilyPolicy` say so;
    /// - with something that is no range, which the API server refuses, or the cloud.
    ///
    /// These annotations are judged as the field is:
    ///
    /// | annotation | of | beside the field |
    /// |---|---|---|
    /// | `service.beta.kubernetes.io/load-balancer-source-ranges` | Kubernetes | ignored |
    /// | `service.beta.kubernetes.io/azure-allowed-ip-ranges`, `…/azure-allowed-service-tags` | Azure; the tag `Internet` is the world | judged too |
    /// | `service.beta.kubernetes.io/linode-loadbalancer-firewall-acl` | Akamai (Linode): its `allowList`; a `denyList` limits nobody else | judged too |
    /// | `service.beta.kubernetes.io/do-loadbalancer-allow-rules` | DigitalOcean | ignored |
    /// | `service.beta.kubernetes.io/ovh-loadbalancer-allowed-sources` | OVHcloud | ignored |
    /// | `service.beta.kubernetes.io/vultr-loadbalancer-firewall-rules` | Vultr | ignored |
    ///
    /// Lists that the cloud keeps cannot be looked into, and are believed: prefix lists of the AWS Load Balancer Controller
    /// (`service.beta.kubernetes.io/aws-load-balancer-security-group-prefix-lists`, without security groups of the Service's
    /// own), and those of Alibaba (`service.beta.kubernetes.io/alibaba-cloud-loadbalancer-acl-…`) and Huawei
    /// (`kubernetes.io/elb.acl-…`) whose type is `white`. Annotations can be changed together with a status: what was not open
    /// before is found there too.
    ///
    /// ## Why
    /// Without ranges a load balancer lets everyone in. What is meant for everyone is better served by an ingress, whose
    /// own Service is then the one that is exempt.
    ///
    /// A load balancer that an annotation or a class of its cloud makes internal is no finding. On AWS those of the AWS Load
    /// Balancer Controller are internal unless they say otherwise, those of the cloud provider itself are not. Which cloud
    /// it is cannot be seen: the annotation of each is believed. Name in `internalAnnotations` and `internalClasses` what
    /// else keeps the world out: pools of private addresses, security groups, firewalls by their ids.
    ///
    /// ## Example
    /// ```yaml
    /// spec:
    ///   type: LoadBalancer
    ///   loadBalancerSourceRanges: [0.0.0.0/0]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   type: LoadBalancer
    ///   loadBalancerSourceRanges: [198.51.100.0/24]
    /// ```
    ///
    /// ## Options
    /// `minPrefix`, `internalAnnotations`, `internalClasses`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec>,
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#internal-load-balancer>
    SOURCE_RANGES = "source-ranges": deny;

    /// Finds an `externalName` that leads to the cluster's own inside:
    ///
    /// - to a Service or pod of another namespace, or to the API server;
    /// - to a cloud's metadata service, or to the node itself (`localhost`);
    /// - to an address instead of a name.
    ///
    /// ## Why
    /// Such a Service is an alias in DNS, and whoever follows it does so with rights and reach of their own. An ingress
    /// controller that may go anywhere then fetches for anyone what only it can reach: the credentials of the node from
    /// the metadata service, or another team's Service past its NetworkPolicy. An address is no name: DNS has no answer for
    /// it, but a proxy goes there.
    ///
    /// A Service of the same namespace may be pointed at, but the API server may not. A name of two labels, such as
    /// `web.shop`, may be one in the world and is no finding.
    ///
    /// ## Use instead
    /// For an address outside, a Service without selector and an EndpointSlice; for another namespace, a route there, or a
    /// ReferenceGrant of the Gateway API.
    ///
    /// ## Options
    /// `externalNames`, `clusterDomain`. Some controllers make such aliases; those of Knative lead to its gateway:
    /// ```yaml
    /// externalNames: ["*.kourier-system.svc.cluster.local"]
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#externalname>,
    /// <https://github.com/kubernetes/kubernetes/issues/103675>
    EXTERNAL_NAME = "external-name": deny;

    /// Finds a port without name, on a Service of any type but `ExternalName`. With more than one port the API server
    /// refuses it.
    ///
    /// ## Why
    /// The `port` of a ServiceMonitor's endpoint is the name of the Service's port, and an Ingress may use it too. A name
    /// stays when the number changes.
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   ports:
    ///   - name: http
    ///     port: 80
    /// ```
    ///
    /// ## Reference
    /// <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.Endpoint>,
    /// <https://kubernetes.io/docs/concepts/services-networking/service/#multi-port-services>
    PORT_NAME = "port-name": warn;
}

/// The settings of service-exposure.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceExposure {
    /// The types that a Service may have. None: any.
    types: Vec<ServiceType>,
    /// The addresses that `externalIPs` may have, each an address or a range: `198.51.100.7`, `2001:db8::/64`. Default:
    /// none.
    #[serde(rename = "externalIPs")]
    #[schemars(with = "Vec<String>")]
    external_ips: Vec<Allowed>,
    /// The ports that may be opened on nodes.
    node_ports: Option<NodePorts>,
    /// What a range of public addresses must at least have for a prefix not to be taken for the world.
    min_prefix: MinPrefix,
    /// Annotations that keep the world from a load balancer, each with its values as globs, beside those of the clouds
    /// that the policy knows: `metallb.io/address-pool: [private*]`.
    internal_annotations: Members<String, Vec<Glob>>,
    /// Values of `loadBalancerClass`, as globs, whose load balancers are not open to the world.
    internal_classes: Vec<Glob>,
    /// Names that an `externalName` may have although the rule `external-name` would find them, as globs.
    external_names: Vec<Glob>,
    /// The cluster's own domain. Default: `cluster.local`.
    cluster_domain: String,
}

impl Default for ServiceExposure {
    fn default() -> Self {
        Self {
            types: Vec::new(),
            external_ips: Vec::new(),
            node_ports: None,
            min_prefix: MinPrefix::default(),
            internal_annotations: Members::default(),
            internal_classes: Vec::new(),
            external_names: Vec::new(),
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}

/// A type of Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
enum ServiceType {
    /// Reachable within the cluster.
    ClusterIP,
    /// Reachable on every node.
    NodePort,
    /// Reachable through a load balancer.
    LoadBalancer,
    /// An alias for a name outside.
    ExternalName,
}

impl ServiceType {
    fn name(self) -> &'static str {
        match self {
            Self::ClusterIP => CLUSTER_IP,
            Self::NodePort => NODE_PORT_TYPE,
            Self::LoadBalancer => LOAD_BALANCER,
            Self::ExternalName => EXTERNAL_NAME_TYPE,
        }
    }
}

const CLUSTER_IP: &str = "ClusterIP";
const NODE_PORT_TYPE: &str = "NodePort";
const LOAD_BALANCER: &str = "LoadBalancer";
const EXTERNAL_NAME_TYPE: &str = "ExternalName";

impl Settings for ServiceExposure {
    fn validate(&self) -> Result<(), ReadError> {
        let error =
            |path: &[&'static str], reason: &str| Err(ReadError { path: Path::of(path), reason: reason.to_owned() });
        if self.node_ports.is_some_and(|ports| ports.min == 0) {
            return error(&["nodePorts", "min"], "expected at least 1: 0 is no port");
        }
        if self.node_ports.is_some_and(|ports| ports.min > ports.max) {
            return error(&["nodePorts"], "min is above max");
        }
        if self.min_prefix.ipv4 > 32 {
            return error(&["minPrefix", "ipv4"], "expected at most 32");
        }
        if self.min_prefix.ipv6 > 128 {
            return error(&["minPrefix", "ipv6"], "expected at most 128");
        }
        if let Some((name, _)) = self.internal_annotations.iter().find(|(_, values)| values.is_empty()) {
            let path = Path::of(&["internalAnnotations"]).key(name.clone());
            return Err(ReadError { path, reason: "expected at least one value; any is \"*\"".to_owned() });
        }
        if self.cluster_domain.trim_matches('.').is_empty() {
            return error(&["clusterDomain"], "expected a domain, such as cluster.local");
        }
        Ok(())
    }
}

policy!(ServiceExposure, review, subresources: ["status"]);

/// What is read of a Service.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Service<'r> {
    #[serde(borrow)]
    metadata: Metadata<'r>,
    #[serde(borrow)]
    spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec<'r> {
    r#type: &'r str,
    #[serde(borrow)]
    ports: Vec<ServicePort<'r>>,
    #[serde(borrow, rename = "externalIPs")]
    external_ips: Vec<&'r str>,
    external_name: &'r str,
    #[serde(borrow)]
    load_balancer_source_ranges: Vec<&'r str>,
    load_balancer_class: &'r str,
    allocate_load_balancer_node_ports: Option<bool>,
    #[serde(borrow)]
    ip_families: Vec<&'r str>,
    ip_family_policy: &'r str,
    #[serde(borrow, rename = "clusterIPs")]
    cluster_ips: Vec<&'r str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServicePort<'r> {
    name: &'r str,
    port: i32,
    node_port: i32,
}

impl<'r> Service<'r> {
    /// Its type, a `ClusterIP` by default (`SetDefaults_Service` in `pkg/apis/core/v1/defaults.go`).
    fn kind(&self) -> &'r str {
        if self.spec.r#type.is_empty() { CLUSTER_IP } else { self.spec.r#type }
    }
}

fn review(
    request: &Request<'_>,
    context: &Context<'_, ServiceExposure>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    if !request.is("", "Service") {
        return Ok(());
    }
    let settings = context.settings;
    let service: Service<'_> = request.object.view()?;
    if !request.subresource.is_empty() {
        // What is written by it beside the status are the annotations.
        let before: Option<Service<'_>> = request.old_object.map(Node::view).transpose()?;
        if service.kind() == LOAD_BALANCER {
            balancer::judge(&service, before.as_ref(), settings, report);
        }
        return Ok(());
    }
    judge_type(&service, settings, report);
    judge_external_ips(&service, settings, report);
    node_port::judge(&service, settings, report);
    match service.kind() {
        LOAD_BALANCER => balancer::judge(&service, None, settings, report),
        EXTERNAL_NAME_TYPE => external_name::judge(service.spec.external_name, request.namespace, settings, report),
        _ => {}
    }
    judge_port_names(&service, report);
    Ok(())
}

/// Where a field of the spec is.
fn at(field: &'static str) -> Path {
    Path::of(&["spec", field])
}

fn judge_type(service: &Service<'_>, settings: &ServiceExposure, report: &mut Report<'_>) {
    let kind = service.kind();
    let names: Vec<&str> = settings.types.iter().map(|allowed| allowed.name()).collect();
    if !names.is_empty() && !names.contains(&kind) {
        let message = format!("service: type is {kind:?}, expected {}", names.join(" or "));
        report.add(&TYPE, at("type"), message);
    }
}

fn judge_external_ips(service: &Service<'_>, settings: &ServiceExposure, report: &mut Report<'_>) {
    for (index, text) in service.spec.external_ips.iter().enumerate() {
        let address = Range::address(text);
        if address.is_some_and(|address| settings.external_ips.iter().any(|allowed| allowed.contains(&address))) {
            continue;
        }
        let allowed: Vec<&str> = settings.external_ips.iter().map(Allowed::as_str).collect();
        let expected = if allowed.is_empty() { "none".to_owned() } else { format!("one of {}", allowed.join(", ")) };
        let message = || format!("service: {text:?} is taken over on every node (CVE-2020-8554), expected {expected}");
        report.add(&EXTERNAL_IPS, at("externalIPs").index(index), message);
    }
}

fn judge_port_names(service: &Service<'_>, report: &mut Report<'_>) {
    if service.kind() == EXTERNAL_NAME_TYPE {
        return;
    }
    for (index, ServicePort { name, port, .. }) in service.spec.ports.iter().enumerate() {
        if name.is_empty() {
            let message = || format!("port {port} has no name, expected one: the `port` of a ServiceMonitor is a name");
            report.add(&PORT_NAME, at("ports").index(index).key("name"), message);
        }
    }
}
