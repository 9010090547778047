//! The TLS and the hosts of an Ingress, its class and its issuer.

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{Edit, Level, Metadata, Path, ReadError, Report, Request};
use serde::Deserialize;

use crate::annotations::PREFIX;
use crate::{ANNOTATION, CLASS, HOST_COVERAGE, HOSTLESS, ISSUER, SECRET_NAME, TLS, UNUSED_HOST};
use crate::{TlsIngress, nginx};

/// What is read of an Ingress.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Ingress<'r> {
    #[serde(borrow)]
    pub metadata: Metadata<'r>,
    #[serde(borrow)]
    pub spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec<'r> {
    ingress_class_name: &'r str,
    default_backend: Option<Backend>,
    #[serde(borrow)]
    pub tls: Vec<Tls<'r>>,
    #[serde(borrow)]
    pub rules: Vec<IngressRule<'r>>,
}

/// That it is there is all that counts.
#[derive(Deserialize)]
struct Backend {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tls<'r> {
    #[serde(borrow)]
    hosts: Vec<&'r str>,
    secret_name: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct IngressRule<'r> {
    host: &'r str,
    #[serde(borrow)]
    pub http: Http<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Http<'r> {
    #[serde(borrow)]
    pub paths: Vec<HttpPath<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpPath<'r> {
    pub path: &'r str,
    pub path_type: &'r str,
}

/// The annotation that named an Ingress' class before `ingressClassName` did.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The annotations that make cert-manager issue certificates for an Ingress
/// (<https://cert-manager.io/docs/usage/ingress/#supported-annotations>).
const ISSUER_ANNOTATIONS: &[&str; 2] = &["cert-manager.io/cluster-issuer", "cert-manager.io/issuer"];

pub fn judge(request: &Request<'_>, settings: &TlsIngress, report: &mut Report<'_>) -> Result<(), ReadError> {
    let ingress: Ingress<'_> = request.object.view()?;
    if ingress.spec.tls.is_empty() && !nginx::is_canary(&ingress, settings) {
        report.add(&TLS, Path::of(&["spec", "tls"]), "the Ingress has no TLS, expected spec.tls with its hosts");
    }
    judge_tls(&ingress, report);
    judge_rules(&ingress, report);
    judge_class(&ingress, report);
    judge_issuer(&ingress, settings, report);
    nginx::judge(&ingress, settings, report);
    judge_annotations(&ingress, settings, report);
    Ok(())
}

impl<'r> Ingress<'r> {
    /// The annotations of ingress-nginx, their names without the prefix.
    pub fn nginx_annotations(&self) -> impl Iterator<Item = &'r str> {
        self.metadata.annotations.iter().filter_map(|(name, _)| name.strip_prefix(PREFIX))
    }

    /// The classes that its field and its annotation name.
    fn classes(&self) -> impl Iterator<Item = &'r str> {
        let annotation = self.metadata.annotation(CLASS_ANNOTATION).unwrap_or_default();
        [self.spec.ingress_class_name, annotation].into_iter().filter(|class| !class.is_empty())
    }

    /// Whether ingress-nginx serves it, or may do so: without a class the cluster's default decides.
    pub fn may_be_nginx(&self, settings: &TlsIngress) -> bool {
        let mut classes = self.classes().peekable();
        classes.peek().is_none()
            || self.nginx_annotations().next().is_some()
            || classes.any(|class| glob::any(&settings.nginx_classes, class))
    }

    /// The class that it names, where it names one alone.
    pub fn class(&self) -> Option<&'r str> {
        let mut classes = self.classes();
        let first = classes.next()?;
        classes.all(|class| class == first).then_some(first)
    }

    /// Whether it takes the requests for all hosts: then each is served.
    fn takes_every_host(&self) -> bool {
        self.spec.default_backend.is_some() || self.spec.rules.iter().any(|rule| rule.host.is_empty())
    }
}

impl Tls<'_> {
    /// Without hosts it stands for all that the controller serves (`IngressTLS` in
    /// <https://kubernetes.io/docs/reference/kubernetes-api/networking/ingress-v1/>).
    fn covers(&self, host: &str) -> bool {
        self.is_hostless() || self.hosts.iter().any(|name| covers(name, host))
    }

    fn is_hostless(&self) -> bool {
        self.hosts.iter().all(|host| host.is_empty())
    }
}

/// Whether a name, which may start with a wildcard for one label, is or takes in a host, which may do so too
/// (<https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>). Names of hosts have no case.
pub fn covers(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(suffix), Some((label, rest))) => !label.is_empty() && suffix.eq_ignore_ascii_case(rest),
        _ => false,
    }
}

fn judge_tls(ingress: &Ingress<'_>, report: &mut Report<'_>) {
    let has_issuer =
        ISSUER_ANNOTATIONS.iter().any(|name| ingress.metadata.annotation(name).is_some_and(|name| !name.is_empty()));
    for (index, tls) in ingress.spec.tls.iter().enumerate() {
        let at = |key| Path::of(&["spec", "tls"]).index(index).key(key);
        if tls.secret_name.is_empty() && !has_issuer {
            report.add(
                &SECRET_NAME,
                at("secretName"),
                "the TLS entry has no secretName, expected that of its certificate",
            );
        }
        if tls.is_hostless() {
            report.add(
                &HOSTLESS,
                at("hosts"),
                "the TLS entry has no hosts and stands for all, expected the hosts it is for",
            );
            continue;
        }
        for (position, host) in tls.hosts.iter().enumerate() {
            if !is_served(ingress, host) {
                let message = format!("host {host:?} has TLS, but no rule serves it");
                report.add(&UNUSED_HOST, at("hosts").index(position), message);
            }
        }
    }
}

/// Whether a host in `spec.tls` leads anywhere.
fn is_served(ingress: &Ingress<'_>, host: &str) -> bool {
    let by = |served: &str| covers(served, host) || covers(host, served);
    ingress.takes_every_host()
        || ingress.spec.rules.iter().any(|rule| by(rule.host) || nginx::redirects_www(ingress, rule.host, &by))
        || nginx::aliases(ingress).any(|alias| alias.starts_with('~') || by(alias))
}

fn judge_rules(ingress: &Ingress<'_>, report: &mut Report<'_>) {
    let spec = &ingress.spec;
    for (index, rule) in spec.rules.iter().enumerate() {
        let at = || Path::of(&["spec", "rules"]).index(index).key("host");
        if rule.host.is_empty() {
            report.add(
                &HOSTLESS,
                at(),
                "the rule has no host and takes the requests for all, expected the host it serves",
            );
        } else if !spec.tls.is_empty() && !spec.tls.iter().any(|tls| tls.covers(rule.host)) {
            report.add(&HOST_COVERAGE, at(), format!("host {:?}: no TLS entry covers it", rule.host));
        }
    }
    if spec.default_backend.is_some() && spec.rules.is_empty() {
        let message = "the defaultBackend takes the requests for all hosts, expected rules with the hosts it serves";
        report.add(&HOSTLESS, Path::of(&["spec", "defaultBackend"]), message);
    }
}

fn judge_class(ingress: &Ingress<'_>, report: &mut Report<'_>) {
    let Some(class) = ingress.metadata.annotation(CLASS_ANNOTATION) else { return };
    let field = ingress.spec.ingress_class_name;
    let remove = Edit::Remove(Path::of_annotation(CLASS_ANNOTATION));
    if field.is_empty() {
        let message =
            format!("the annotation {CLASS_ANNOTATION} is deprecated, expected spec.ingressClassName: {class:?}");
        let added = report.add(&CLASS, Path::of_annotation(CLASS_ANNOTATION), message);
        if is_class_name(class) {
            added.unsafe_fix([remove, Edit::set(Path::of(&["spec", "ingressClassName"]), class)]);
        }
        return;
    }
    let message = format!(
        "the deprecated annotation {CLASS_ANNOTATION} is {class:?} beside spec.ingressClassName {field:?}, expected the \
         latter alone"
    );
    let added = report.add_as(Level::Deny, &CLASS, Path::of_annotation(CLASS_ANNOTATION), message);
    if class == field {
        added.safe_fix([remove]);
    } else {
        added.unsafe_fix([remove]);
    }
}

/// Whether the API server takes it for `ingressClassName`: a DNS subdomain
/// (`ValidateIngressClassName` in `pkg/apis/networking/validation/validation.go` of <https://github.com/kubernetes/kubernetes>).
fn is_class_name(class: &str) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(is_alphanumeric)
            && bytes.last().is_some_and(is_alphanumeric)
            && bytes.iter().all(|byte| is_alphanumeric(byte) || *byte == b'-')
    };
    class.len() <= 253 && class.split('.').all(is_label)
}

fn judge_issuer(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    if settings.issuers.is_empty() {
        return;
    }
    let names: Vec<&str> = settings.issuers.iter().map(Glob::as_str).collect();
    let expected = names.join(" or ");
    let (mut found, mut faulty) = (0, false);
    for annotation in ISSUER_ANNOTATIONS {
        let Some(issuer) = ingress.metadata.annotation(annotation) else { continue };
        found += 1;
        if !glob::any(&settings.issuers, issuer) {
            faulty = true;
            report.add(
                &ISSUER,
                Path::of_annotation(*annotation),
                format!("{annotation} is {issuer:?}, expected {expected}"),
            );
        }
    }
    let [first, second] = ISSUER_ANNOTATIONS;
    // The certificate of a canary is that of the Ingress beside it.
    if found == 0 && !nginx::is_canary(ingress, settings) {
        let message = format!("neither {first} nor {second} is set, expected {expected}");
        report.add(&ISSUER, Path::of_annotation(*first), message);
    } else if found > 1 && !faulty {
        // `issuerForIngressLike` in
        // https://github.com/cert-manager/cert-manager/blob/master/pkg/controller/certificate-shim/sync.go
        let message = format!("{first} and {second} are both set, for which cert-manager issues nothing, expected one");
        report.add(&ISSUER, Path::of_annotation(*second), message);
    }
}

fn judge_annotations(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    for (name, allowed) in settings.annotations.iter() {
        let Some(value) = ingress.metadata.annotation(name) else { continue };
        if let Some(what) = allowed.fault(value, crate::annotations::is_unlimited_at_zero(name)) {
            report.add(
                &ANNOTATION,
                Path::of_annotation(name.to_owned()),
                format!("{name} is {value:?}{what}, expected {allowed}"),
            );
        }
    }
}
