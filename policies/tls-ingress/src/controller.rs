//! The controllers that serve Ingresses, as far as they differ, and where each has its certificates from.

use gatehouse_policy::glob;
use gatehouse_policy::node::{Data, Node};

use crate::TlsIngress;
use crate::annotations::PREFIX;
use crate::ingress::Ingress;

use Certificate::{Only, Unless};
use Controller::{
    Alb, AppGateway, BigIp, Caddy, Gke, Istio, NetScaler, Nginx, Ngrok, Oci, OpenShift, Other, Tailscale, Traefik,
};

/// A controller that is known by its classes and annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    Nginx,
    Traefik,
    Gke,
    /// The load balancers of AWS and of Alibaba Cloud share class and annotations.
    Alb,
    AppGateway,
    OpenShift,
    Oci,
    NetScaler,
    BigIp,
    Tailscale,
    Ngrok,
    Caddy,
    Istio,
    /// One that reads the Ingress alone, as far as matters here.
    Other,
}

/// What classes are called in each controller's own documentation: alone, or with a word more before or behind,
/// `traefik-internal`. Those of ingress-nginx are a setting.
const CLASSES: &[(&str, Controller)] = &[
    ("traefik", Traefik),
    ("gce", Gke),
    ("alb", Alb),
    ("azure/application-gateway", AppGateway),
    ("azure-application-gateway", AppGateway),
    ("openshift", OpenShift),
    ("native-ic-ingress-class", Oci),
    ("citrix", NetScaler),
    ("netscaler", NetScaler),
    ("f5", BigIp),
    ("tailscale", Tailscale),
    ("ngrok", Ngrok),
    ("caddy", Caddy),
    ("istio", Istio),
    ("cilium", Other),
    ("contour", Other),
    ("haproxy", Other),
    ("kong", Other),
];

/// The controllers to which a `defaultBackend` beside rules is for the hosts of those rules, or nothing at all.
///
/// - ingress-nginx: `createServers` in
///   <https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/internal/ingress/controller/controller.go>
/// - Traefik: `loadConfigurationFromIngresses` in
///   <https://github.com/traefik/traefik/blob/master/pkg/provider/kubernetes/ingress/kubernetes.go>
/// - Azure Application Gateway: `getPathMap` in
///   <https://github.com/Azure/application-gateway-kubernetes-ingress/blob/master/pkg/appgw/requestroutingrules.go>
/// - `OpenShift` reads none: <https://github.com/openshift/route-controller-manager/blob/master/pkg/route/ingress/ingress.go>
/// - ngrok: `ingressToIR` in <https://github.com/ngrok/ngrok-operator/blob/main/pkg/managerdriver/translate_ingresses.go>
/// - Caddy reads none: <https://github.com/caddyserver/ingress/blob/main/internal/caddy/convert.go>
/// - Istio: <https://github.com/istio/istio/blob/master/pilot/pkg/config/kube/ingress/conversion.go>
const KEEP_TO_THEIR_RULES: &[Controller] = &[Nginx, Traefik, AppGateway, OpenShift, Ngrok, Caddy, Istio];

/// How an Ingress without `spec.tls` is served where its controller has a certificate all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Over HTTPS. Over HTTP clients are redirected at most.
    Only,
    /// Over HTTP too, unless this annotation has this value.
    Unless(&'static str, &'static str),
}

impl Controller {
    /// The one that a class is called after.
    fn of_class(class: &str, settings: &TlsIngress) -> Option<Self> {
        if glob::any(&settings.nginx_classes, class) {
            return Some(Nginx);
        }
        let is_after = |name: &str| {
            let (before, behind) = (class.strip_suffix(name), class.strip_prefix(name));
            before.is_some_and(|before| before.is_empty() || before.ends_with('-'))
                || behind.is_some_and(|behind| behind.starts_with('-'))
        };
        CLASSES.iter().find(|(name, _)| is_after(name)).map(|(_, controller)| *controller)
    }

    /// What the names of all its annotations start with, where they have that in common.
    fn prefix(self) -> Option<&'static str> {
        match self {
            Nginx => Some(PREFIX),
            Traefik => Some("traefik.ingress.kubernetes.io/"),
            AppGateway => Some("appgw.ingress.kubernetes.io/"),
            OpenShift => Some("route.openshift.io/"),
            _ => None,
        }
    }

    /// Whether the class says that this one serves an Ingress, as does each where there are two.
    pub fn is_named(self, ingress: &Ingress<'_>, settings: &TlsIngress) -> bool {
        let mut classes = ingress.classes().peekable();
        classes.peek().is_some() && classes.all(|class| Self::of_class(class, settings) == Some(self))
    }

    /// Whether no class says that another one serves an Ingress: the cluster decides where there is none, and a class may
    /// have any name.
    pub fn may_serve(self, ingress: &Ingress<'_>, settings: &TlsIngress) -> bool {
        ingress.classes().all(|class| Self::of_class(class, settings).is_none_or(|named| named == self))
    }

    /// Whether a class says that this one serves an Ingress, or an annotation does.
    fn is_meant(self, ingress: &Ingress<'_>, settings: &TlsIngress) -> bool {
        let has_annotation = || {
            let prefix = self.prefix();
            prefix.is_some_and(|prefix| ingress.metadata.annotations.iter().any(|(name, _)| name.starts_with(prefix)))
        };
        self.is_named(ingress, settings) || (self.may_serve(ingress, settings) && has_annotation())
    }
}

/// Whether a `defaultBackend` takes the requests for all hosts that no rule names.
pub fn default_backend_takes_all(ingress: &Ingress<'_>, settings: &TlsIngress) -> bool {
    ingress.spec.rules.is_empty()
        || !KEEP_TO_THEIR_RULES.iter().any(|controller| controller.is_meant(ingress, settings))
}

/// The controllers whose class alone says that they serve HTTPS, each with the annotation and its value by which they serve
/// HTTP too, and the value to have instead.
///
/// - Tailscale serves port 443, and may redirect there, or, by `isHTTPEndpointEnabled`, serve port 80 too:
///   `ingress.go` and `ingress-for-pg.go` in <https://github.com/tailscale/tailscale/tree/main/cmd/k8s-operator>
/// - ngrok makes each host an endpoint of HTTPS: `ingressToIR` in
///   <https://github.com/ngrok/ngrok-operator/blob/main/pkg/managerdriver/translate_ingresses.go>
/// - Caddy has certificates by ACME, and its routes match HTTPS alone: `MatcherPlugin` in
///   <https://github.com/caddyserver/ingress/blob/main/internal/caddy/ingress/matcher.go>
const BY_CLASS: &[(Controller, &str, &str, &str)] = &[
    (Tailscale, "tailscale.com/http-endpoint", "enabled", "disabled"),
    (Ngrok, "", "", ""),
    (Caddy, "caddy.ingress.kubernetes.io/disable-ssl-redirect", "true", "false"),
];

/// A controller, and what certificate it has by the annotations of an Ingress.
type Source = (Controller, fn(&Ingress<'_>) -> Option<Certificate>);

const BY_ANNOTATION: &[Source] = &[
    (Gke, gke),
    (Alb, alb),
    (AppGateway, app_gateway),
    (Traefik, traefik),
    (OpenShift, open_shift),
    (Oci, oci),
    (NetScaler, net_scaler),
    (BigIp, big_ip),
];

/// Where a controller has a certificate from without `spec.tls`: by annotations of its own, whatever the class is called
/// unless it is called after another one, or by its class alone.
pub fn certificate(ingress: &Ingress<'_>, settings: &TlsIngress) -> Option<Certificate> {
    let by_annotation = |(controller, read): &Source| {
        let certificate = read(ingress)?;
        controller.may_serve(ingress, settings).then_some(certificate)
    };
    let by_class = || {
        let (_, annotation, plain, instead) = BY_CLASS.iter().find(|(of, ..)| of.is_named(ingress, settings))?;
        Some(if value(ingress, annotation) == Some(plain) { Unless(annotation, instead) } else { Only })
    };
    BY_ANNOTATION.iter().find_map(by_annotation).or_else(by_class)
}

/// The value of an annotation, without white space around it; `None` where it is absent or empty.
fn value<'r>(ingress: &Ingress<'r>, name: &str) -> Option<&'r str> {
    ingress.metadata.annotation(name).map(str::trim).filter(|value| !value.is_empty())
}

fn is(ingress: &Ingress<'_>, name: &str, wanted: &str) -> bool {
    value(ingress, name) == Some(wanted)
}

/// `AllowHTTP` and `UseNamedTLS` in <https://github.com/kubernetes/ingress-gce/blob/master/pkg/annotations/ingress.go>;
/// <https://cloud.google.com/kubernetes-engine/docs/how-to/managed-certs>. Whether a `FrontendConfig` redirects is said by
/// that object, which is not to be seen here.
fn gke(ingress: &Ingress<'_>) -> Option<Certificate> {
    const ALLOW_HTTP: &str = "kubernetes.io/ingress.allow-http";
    value(ingress, "networking.gke.io/managed-certificates")
        .or_else(|| value(ingress, "ingress.gcp.kubernetes.io/pre-shared-cert"))?;
    let is_allowed = ingress.metadata.annotation(ALLOW_HTTP).and_then(go_bool) != Some(false);
    Some(if is_allowed { Unless(ALLOW_HTTP, "false") } else { Only })
}

/// AWS: `computeIngressListenPorts` and `buildSSLRedirectConfig` in
/// <https://github.com/kubernetes-sigs/aws-load-balancer-controller/tree/main/pkg/ingress>. Without `certificate-arn` the
/// certificate of an HTTPS port is found by the hosts. Alibaba Cloud: `ComputeIngressListenPorts` in
/// <https://github.com/kubernetes/cloud-provider-alibaba-cloud/blob/master/pkg/controller/ingress/reconcile/builder/albconfig_manager/model_builder.go>.
/// To the former `ssl-redirect` is a port, to the latter a boolean.
fn alb(ingress: &Ingress<'_>) -> Option<Certificate> {
    const SSL_REDIRECT: &str = "alb.ingress.kubernetes.io/ssl-redirect";
    let Some(listen_ports) = value(ingress, "alb.ingress.kubernetes.io/listen-ports") else {
        return value(ingress, "alb.ingress.kubernetes.io/certificate-arn").map(|_| Only);
    };
    let ports = Node::from_json(listen_ports.as_bytes()).ok()?;
    let Data::Array(entries) = &ports.data else { return None };
    let ports = || {
        let entries = entries.iter().filter_map(|entry| match &entry.data {
            Data::Object(ports) => Some(ports),
            _ => None,
        });
        entries.flatten().map(|port| (&*port.key, port.value.as_i64()))
    };
    let has = |protocol: &str| ports().any(|(of, _)| of == protocol);
    let redirect = value(ingress, SSL_REDIRECT);
    let to = redirect.and_then(|port| port.parse().ok());
    let redirects = redirect == Some("true") || ports().any(|(of, port)| of == "HTTPS" && port.is_some() && port == to);
    match (has("HTTPS"), has("HTTP")) {
        (false, _) => None,
        (true, true) if !redirects => Some(Unless(SSL_REDIRECT, "443")),
        (true, _) => Some(Only),
    }
}

/// `processIngressRuleWithTLS` in
/// <https://github.com/Azure/application-gateway-kubernetes-ingress/blob/master/pkg/appgw/ingress_rules.go>: beside the
/// certificate there is HTTP only to redirect.
fn app_gateway(ingress: &Ingress<'_>) -> Option<Certificate> {
    value(ingress, "appgw.ingress.kubernetes.io/appgw-ssl-certificate").map(|_| Only)
}

/// A router with TLS answers nothing else
/// (<https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress/>). Names have no case; `router.tls`
/// is off with any value but `true` or none (`metadata.add` in
/// <https://github.com/traefik/paerser/blob/master/parser/nodes_metadata.go>). The entry point `websecure` of the
/// documentation and of the Helm chart has TLS by itself.
fn traefik(ingress: &Ingress<'_>) -> Option<Certificate> {
    const ENTRY_POINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";
    const TLS: &str = "traefik.ingress.kubernetes.io/router.tls";
    let mut is_on = None;
    let mut has_options = false;
    let mut entry_points = "";
    for (name, value) in ingress.metadata.annotations.iter() {
        let Some((start, end)) = name.split_at_checked(TLS.len()) else { continue };
        if start.eq_ignore_ascii_case(TLS) {
            match end.as_bytes().first() {
                None => is_on = Some(value.is_empty() || value.eq_ignore_ascii_case("true")),
                Some(b'.') => has_options = true,
                Some(_) => {}
            }
        } else if name.eq_ignore_ascii_case(ENTRY_POINTS) {
            entry_points = value;
        }
    }
    let is_secure = |entry_point: &str| entry_point.trim() == "websecure";
    if is_on.unwrap_or(has_options) || entry_points.split(',').all(is_secure) {
        Some(Only)
    } else {
        entry_points.split(',').any(is_secure).then_some(Unless(ENTRY_POINTS, "websecure"))
    }
}

/// `tlsConfigForIngress` in
/// <https://github.com/openshift/route-controller-manager/blob/master/pkg/route/ingress/ingress.go>: over HTTP each route
/// redirects.
fn open_shift(ingress: &Ingress<'_>) -> Option<Certificate> {
    let termination = ingress.metadata.annotation("route.openshift.io/termination");
    termination.filter(|termination| ["edge", "passthrough", "reencrypt"].contains(termination)).map(|_| Only)
}

/// `DetermineListenerPort` in
/// <https://github.com/oracle/oci-native-ingress-controller/blob/main/pkg/util/util.go>: with the certificate all hosts are
/// served over HTTPS alone, save that TCP passes through as it comes.
fn oci(ingress: &Ingress<'_>) -> Option<Certificate> {
    value(ingress, "oci-native-ingress.oraclecloud.com/certificate-ocid")?;
    (!is(ingress, "oci-native-ingress.oraclecloud.com/protocol", "TCP")).then_some(Only)
}

/// <https://github.com/netscaler/netscaler-k8s-ingress-controller/blob/master/docs/configure/annotations.md>: HTTP is
/// dropped unless it is allowed.
fn net_scaler(ingress: &Ingress<'_>) -> Option<Certificate> {
    const INSECURE: &str = "ingress.citrix.com/insecure-termination";
    value(ingress, "ingress.citrix.com/preconfigured-certkey")?;
    Some(if is(ingress, INSECURE, "allow") { Unless(INSECURE, "redirect") } else { Only })
}

/// <https://github.com/F5Networks/k8s-bigip-ctlr/tree/master/docs/config_examples/ingress/networkingV1>.
fn big_ip(ingress: &Ingress<'_>) -> Option<Certificate> {
    const ALLOW_HTTP: &str = "ingress.kubernetes.io/allow-http";
    value(ingress, "virtual-server.f5.com/clientssl")?;
    let is_encrypted = is(ingress, ALLOW_HTTP, "false") || is(ingress, "ingress.kubernetes.io/ssl-redirect", "true");
    Some(if is_encrypted { Only } else { Unless(ALLOW_HTTP, "false") })
}

/// A boolean as Go reads it (<https://pkg.go.dev/strconv#ParseBool>).
pub fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
