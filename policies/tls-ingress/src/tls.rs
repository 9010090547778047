//! The TLS of an Ingress, and its hosts.

use gatehouse_policy::{Path, Report};

use crate::annotations::PREFIX;
use crate::controller::{self, Certificate, Controller};
use crate::hosts::{Hosts, Names};
use crate::ingress::{Ingress, Tls};
use crate::nginx::SERVER_ALIAS;
use crate::{HOST_COVERAGE, HOSTLESS, SECRET_NAME, TLS, TlsIngress, UNUSED_HOST, issuer, nginx};

pub fn judge(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    judge_encryption(ingress, settings, report);
    judge_secrets(ingress, settings, report);
    judge_tls_hosts(ingress, settings, report);
    judge_rules(ingress, settings, report);
    judge_aliases(ingress, settings, report);
}

/// Why clients need not come in over TLS, as far as the Ingress says: the field to mend, and what is wrong.
pub fn plain(ingress: &Ingress<'_>, settings: &TlsIngress) -> Option<(Path, String)> {
    if !ingress.spec.tls.is_empty() || nginx::is_canary(ingress, settings) {
        return None;
    }
    match controller::certificate(ingress, settings) {
        Some(Certificate::Only) => None,
        Some(Certificate::Unless(annotation, expected)) => {
            let message = format!("the Ingress is served over HTTP beside HTTPS, expected {annotation}: {expected:?}");
            Some((Path::of_annotation(annotation), message))
        }
        None => {
            let message = "the Ingress has no TLS, expected spec.tls with its hosts";
            Some((Path::of(&["spec", "tls"]), message.to_owned()))
        }
    }
}

pub fn judge_encryption(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    if let Some((path, message)) = plain(ingress, settings) {
        report.add(&TLS, path, message);
    }
}

impl Tls<'_> {
    /// Without hosts it stands for all that the controller serves (`IngressTLS` in
    /// <https://kubernetes.io/docs/reference/kubernetes-api/networking/ingress-v1/>).
    fn is_hostless(&self) -> bool {
        self.hosts.iter().all(|host| host.is_empty())
    }
}

fn judge_secrets(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    let needs_none = controller::certificate(ingress, settings).is_some();
    let names = || ingress.spec.tls.iter().map(|tls| tls.secret_name).filter(|name| !name.is_empty());
    let used: Option<Names<'_>> = issuer::is_asked(ingress).then(|| names().collect());
    for (index, tls) in ingress.spec.tls.iter().enumerate() {
        let at = || Path::of(&["spec", "tls"]).index(index).key("secretName");
        let name = tls.secret_name;
        if name.is_empty() && !needs_none {
            let message = "the TLS entry has no secretName, expected that of its certificate";
            report.add(&SECRET_NAME, at(), message);
        } else if used.as_ref().is_some_and(|used| used.hold_twice(name)) {
            let message = format!(
                "secretName {name:?} is that of another TLS entry too, for which cert-manager issues nothing, expected \
                 one entry with all the hosts, or a secret for each"
            );
            report.add(&SECRET_NAME, at(), message);
        }
    }
}

fn judge_tls_hosts(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    let www = nginx::www_hosts(ingress, settings);
    let served = served(ingress, &www, settings);
    // Few have wildcards, and only those ask what is below them.
    let has_wildcard = ingress.spec.tls.iter().flat_map(|tls| &tls.hosts).any(|host| host.starts_with("*."));
    let parents = served.as_ref().filter(|_| has_wildcard).map(Hosts::parents);
    let takes_in_one = |host: &str| parents.as_ref().zip(host.strip_prefix("*.")).is_some_and(|(of, own)| of.hold(own));
    for (index, tls) in ingress.spec.tls.iter().enumerate() {
        let at = || Path::of(&["spec", "tls"]).index(index).key("hosts");
        if tls.is_hostless() {
            report.add(&HOSTLESS, at(), "the TLS entry has no hosts and stands for all, expected the hosts it is for");
            continue;
        }
        let Some(served) = &served else { continue };
        for (position, host) in tls.hosts.iter().enumerate() {
            if served.cover(host) || takes_in_one(host) {
                continue;
            }
            let message = format!("host {host:?} has TLS, but no rule serves it");
            report.add(&UNUSED_HOST, at().index(position), message);
        }
    }
}

/// The hosts that lead somewhere; `None` where each of them does.
fn served<'h>(ingress: &Ingress<'h>, www: &'h [String], settings: &TlsIngress) -> Option<Hosts<'h>> {
    let hosts = || ingress.spec.rules.iter().map(|rule| rule.host);
    let aliases = || nginx::aliases(ingress, settings);
    let takes_every_host = ingress.spec.default_backend.is_some()
        && controller::default_backend_takes_all(ingress, settings)
        || hosts().any(str::is_empty)
        || aliases().any(nginx::is_pattern);
    (!takes_every_host).then(|| hosts().chain(aliases()).chain(www.iter().map(String::as_str)).collect())
}

fn judge_rules(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    let spec = &ingress.spec;
    // Each Ingress of Tailscale is a machine of its own, which takes the requests for no other's hosts.
    let has_own_address = Controller::Tailscale.is_named(ingress, settings);
    let covered = covered(ingress, settings);
    for (index, rule) in spec.rules.iter().enumerate() {
        let at = || Path::of(&["spec", "rules"]).index(index).key("host");
        if !rule.host.is_empty() {
            if covered.as_ref().is_some_and(|covered| !covered.cover(rule.host)) {
                report.add(&HOST_COVERAGE, at(), format!("host {:?}: no TLS entry covers it", rule.host));
            }
        } else if !has_own_address {
            let message = "the rule has no host and takes the requests for all, expected the host it serves";
            report.add(&HOSTLESS, at(), message);
        }
    }
    if spec.default_backend.is_some() && !has_own_address && controller::default_backend_takes_all(ingress, settings) {
        let beside = if spec.rules.is_empty() { "" } else { " that no rule names" };
        let message = format!(
            "the defaultBackend takes the requests for all hosts{beside}, expected rules with the hosts it serves"
        );
        report.add(&HOSTLESS, Path::of(&["spec", "defaultBackend"]), message);
    }
}

/// The hosts with TLS; `None` where all have it, or none is asked to.
fn covered<'r>(ingress: &Ingress<'r>, settings: &TlsIngress) -> Option<Hosts<'r>> {
    let tls = &ingress.spec.tls;
    let are_all =
        tls.is_empty() || tls.iter().any(Tls::is_hostless) || controller::certificate(ingress, settings).is_some();
    (!are_all).then(|| tls.iter().flat_map(|tls| &tls.hosts).copied().collect())
}

/// Judges the further hosts that ingress-nginx serves: each has the certificate of its server where that is for it too, and
/// otherwise the controller's own (`configureCertificates` in
/// <https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/internal/ingress/controller/nginx.go>).
pub fn judge_aliases(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    let mut aliases = nginx::aliases(ingress, settings).peekable();
    let Some(covered) = covered(ingress, settings).filter(|_| aliases.peek().is_some()) else { return };
    // Which hosts a pattern takes is not to be seen: it is enough that there is TLS for others than those of the rules.
    let rules: Hosts<'_> = ingress.spec.rules.iter().map(|rule| rule.host).collect();
    let mut tls = ingress.spec.tls.iter().flat_map(|tls| &tls.hosts);
    let covers_others = covered.have_wildcard() || tls.any(|host| !rules.cover(host));
    for alias in aliases {
        let is_covered = if nginx::is_pattern(alias) { covers_others } else { covered.cover(alias) };
        if !is_covered {
            let message = format!("{alias:?} in {SERVER_ALIAS}: no TLS entry covers it");
            report.add(&HOST_COVERAGE, Path::of_annotation([PREFIX, SERVER_ALIAS].concat()), message);
        }
    }
}
