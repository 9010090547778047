//! Where a Service says whom its load balancer lets in: the field, and the annotations of clouds.

use std::borrow::Cow;

use gatehouse_policy::{Node, Path};
use serde::Deserialize;

use crate::range::Range;
use crate::{Service, at};

/// The annotation that named the ranges before the field did. It counts where the field is empty, and the API server checks
/// it alike (`GetLoadBalancerSourceRanges` in `pkg/api/service/util.go` of <https://github.com/kubernetes/kubernetes>).
const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Both are allowed together, and all else is not. What stands in the field beside the ranges is an error there, whichever it
/// is (`NewAccessControl` in
/// <https://github.com/kubernetes-sigs/cloud-provider-azure/blob/master/pkg/provider/loadbalancer/accesscontrol.go>,
/// <https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer/>).
const AZURE_RANGES: &str = "service.beta.kubernetes.io/azure-allowed-ip-ranges";
const AZURE_TAGS: &str = "service.beta.kubernetes.io/azure-allowed-service-tags";

/// The tag of every address outside of the virtual network
/// (<https://learn.microsoft.com/azure/virtual-network/service-tags-overview>).
const AZURE_WORLD: &str = "Internet";

/// Rules such as `ip:1.2.3.4,cidr:2.3.0.0/16`, which the field goes before
/// (<https://github.com/digitalocean/digitalocean-cloud-controller-manager/blob/master/docs/controllers/services/annotations.md>).
const DIGITAL_OCEAN: &str = "service.beta.kubernetes.io/do-loadbalancer-allow-rules";

/// Ranges and addresses, as before the field
/// (<https://help.ovhcloud.com/csm/en-public-cloud-kubernetes-expose-applications-using-load-balancer>).
const OVH: &str = "service.beta.kubernetes.io/ovh-loadbalancer-allowed-sources";

/// Rules such as `198.51.100.0/24,80;cloudflare,443`
/// (<https://github.com/vultr/vultr-cloud-controller-manager/blob/master/docs/load-balancers.md>).
const VULTR: &str = "service.beta.kubernetes.io/vultr-loadbalancer-firewall-rules";

/// An object with an `allowList` or a `denyList`, never both
/// (<https://github.com/linode/linode-cloud-controller-manager/blob/main/docs/configuration/firewall.md>).
const LINODE: &str = "service.beta.kubernetes.io/linode-loadbalancer-firewall-acl";

/// Lists of ranges that AWS keeps. With security groups of its own a load balancer has no use for them
/// (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/#lb-security-group-prefix-lists>).
const AWS_LISTS: &str = "service.beta.kubernetes.io/aws-load-balancer-security-group-prefix-lists";
const AWS_GROUPS: &str = "service.beta.kubernetes.io/aws-load-balancer-security-groups";

/// Lists that the cloud keeps: whether there is one, which, and whether it names who is let in or who is not. Of
/// Alibaba (<https://github.com/kubernetes/cloud-provider-alibaba-cloud/blob/master/docs/usage.md>) and Huawei
/// (<https://support.huaweicloud.com/intl/en-us/usermanual-cce/cce_10_0831.html>).
const KEPT_LISTS: &[[&str; 3]] = &[
    [
        "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-acl-status",
        "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-acl-id",
        "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-acl-type",
    ],
    ["kubernetes.io/elb.acl-status", "kubernetes.io/elb.acl-id", "kubernetes.io/elb.acl-type"],
];

/// Whom a load balancer lets in.
#[derive(Default)]
pub struct Sources<'r> {
    pub all: Vec<Source<'r>>,
    /// Whether anything says so, be it a list that the cloud keeps.
    pub are_limited: bool,
    /// Where only what is listed of a family limits that family.
    pub by_family: Option<Path>,
}

/// One of those that it lets in.
pub struct Source<'r> {
    /// As it is written.
    pub text: Cow<'r, str>,
    pub path: Path,
    pub is: Is,
}

/// What a text stands for.
pub enum Is {
    Range(Range),
    World,
    /// Addresses that the cloud knows, and not all there are.
    Limited,
    /// None that the API server, or the cloud, can read.
    NoRange,
    /// Nor a list of them.
    NoList,
}

impl Is {
    fn range(range: Option<Range>) -> Self {
        range.map_or(Self::NoRange, Self::Range)
    }

    /// The API server passes over white space, and those who read the ranges after it do so too.
    fn cidr(text: &str) -> Self {
        Self::range(Range::cidr(text.trim()))
    }

    fn cidr_or_address(text: &str) -> Self {
        Self::range(Range::cidr(text.trim()).or_else(|| Range::address(text.trim())))
    }
}

impl<'r> Sources<'r> {
    /// Reads the field and the annotations of all clouds: which cloud it is cannot be seen.
    pub fn of(service: &Service<'r>) -> Self {
        let mut sources = Self::default();
        let field = &service.spec.load_balancer_source_ranges;
        let annotation = |name: &str| service.metadata.annotation(name).filter(|text| !text.trim().is_empty());
        if field.is_empty() {
            sources.add_list(annotation(RANGES), RANGES, ',', Is::cidr);
            sources.by_family = sources.are_limited.then(|| Path::of_annotation(RANGES));
        } else {
            for (index, text) in field.iter().enumerate() {
                sources.add(*text, at("loadBalancerSourceRanges").index(index), Is::cidr(text));
            }
            sources.by_family = Some(at("loadBalancerSourceRanges"));
        }
        let of_kubernetes = sources.all.len();
        sources.add_list(annotation(AZURE_RANGES), AZURE_RANGES, ',', Is::cidr);
        sources.add_list(annotation(AZURE_TAGS), AZURE_TAGS, ',', |tag| {
            if tag.trim().eq_ignore_ascii_case(AZURE_WORLD) { Is::World } else { Is::Limited }
        });
        if let Some(text) = annotation(LINODE) {
            sources.add_linode(text);
        }
        if field.is_empty() {
            sources.add_list(annotation(DIGITAL_OCEAN), DIGITAL_OCEAN, ',', |rule| match rule.trim().split_once(':') {
                Some(("ip", address)) => Is::range(Range::address(address)),
                Some(("cidr", range)) => Is::cidr(range),
                _ => Is::NoRange,
            });
            sources.add_list(annotation(OVH), OVH, ',', Is::cidr_or_address);
            sources.add_list(annotation(VULTR), VULTR, ';', |rule| match rule.split_once(',') {
                Some((source, _)) if source.trim() == "cloudflare" => Is::Limited,
                Some((source, _)) => Is::cidr_or_address(source),
                None => Is::NoRange,
            });
        }
        if sources.all.len() > of_kubernetes {
            sources.by_family = None;
        }
        let is_kept = |[status, id, sort]: &[&str; 3]| {
            annotation(status) == Some("on") && annotation(id).is_some() && annotation(sort) == Some("white")
        };
        if annotation(AWS_LISTS).is_some() && annotation(AWS_GROUPS).is_none() || KEPT_LISTS.iter().any(is_kept) {
            sources.are_limited = true;
        }
        sources
    }

    fn add(&mut self, text: impl Into<Cow<'r, str>>, path: Path, is: Is) {
        self.are_limited = true;
        self.all.push(Source { text: text.into(), path, is });
    }

    fn add_list(&mut self, list: Option<&'r str>, name: &'static str, separator: char, read: fn(&str) -> Is) {
        for text in list.into_iter().flat_map(|list| list.split(separator)) {
            self.add(text, Path::of_annotation(name), read(text));
        }
    }

    /// A list of those who are not let in lets in all others.
    fn add_linode(&mut self, text: &'r str) {
        let firewall = Node::from_json(text.as_bytes()).ok();
        let view = firewall.as_ref().and_then(|firewall| firewall.view::<Firewall<'_>>().ok());
        match view.map(|firewall| (firewall.allow_list, firewall.deny_list)) {
            Some((Some(allowed), None)) => {
                self.are_limited = true;
                for text in allowed.ipv4.into_iter().chain(allowed.ipv6) {
                    self.add(text.to_owned(), Path::of_annotation(LINODE), Is::cidr_or_address(text));
                }
            }
            Some((None, Some(_))) => {}
            _ => self.add(text, Path::of_annotation(LINODE), Is::NoList),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Firewall<'r> {
    #[serde(borrow)]
    allow_list: Option<Addresses<'r>>,
    #[serde(borrow)]
    deny_list: Option<Addresses<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Addresses<'r> {
    #[serde(borrow)]
    ipv4: Vec<&'r str>,
    #[serde(borrow)]
    ipv6: Vec<&'r str>,
}
