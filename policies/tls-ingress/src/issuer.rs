//! The certificates that cert-manager makes for an Ingress.

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{Path, Report};

use crate::controller::go_bool;
use crate::ingress::Ingress;
use crate::{ISSUER, TlsIngress, nginx};

const CLUSTER_ISSUER: &str = "cert-manager.io/cluster-issuer";
const ISSUER_OF_NAMESPACE: &str = "cert-manager.io/issuer";

/// The annotations beside which `cert-manager.io/cluster-issuer` may not be set: with both, cert-manager issues nothing
/// (`issuerForIngressLike` in
/// <https://github.com/cert-manager/cert-manager/blob/master/pkg/controller/certificate-shim/sync.go>).
const EXCLUDED: &[(&str, &str)] = &[
    (ISSUER_OF_NAMESPACE, "expected one of them"),
    ("cert-manager.io/issuer-kind", "expected cert-manager.io/issuer beside it instead"),
    ("cert-manager.io/issuer-group", "expected cert-manager.io/issuer beside it instead"),
];

/// Whether cert-manager is asked for certificates (`hasShimAnnotation`, there).
pub fn is_asked(ingress: &Ingress<'_>) -> bool {
    let annotation = |name| ingress.metadata.annotation(name);
    annotation(CLUSTER_ISSUER).is_some()
        || annotation(ISSUER_OF_NAMESPACE).is_some()
        || annotation("kubernetes.io/tls-acme").and_then(go_bool) == Some(true)
}

pub fn judge(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    if settings.issuers.is_empty() {
        return;
    }
    let names: Vec<&str> = settings.issuers.iter().map(Glob::as_str).collect();
    let expected = names.join(" or ");
    let (mut is_named, mut is_faulty) = (false, false);
    for annotation in [CLUSTER_ISSUER, ISSUER_OF_NAMESPACE] {
        let Some(issuer) = ingress.metadata.annotation(annotation) else { continue };
        is_named = true;
        if issuer.is_empty() || !glob::any(&settings.issuers, issuer) {
            is_faulty = true;
            let message = if issuer.is_empty() {
                format!("{annotation} has no value, for which cert-manager issues nothing, expected {expected}")
            } else {
                format!("{annotation} is {issuer:?}, expected {expected}")
            };
            report.add(&ISSUER, Path::of_annotation(annotation), message);
        }
    }
    // The certificate of a canary is that of the Ingress beside it.
    if !is_named && !nginx::is_canary(ingress, settings) {
        let message = format!("neither {CLUSTER_ISSUER} nor {ISSUER_OF_NAMESPACE} is set, expected {expected}");
        report.add(&ISSUER, Path::of_annotation(CLUSTER_ISSUER), message);
    }
    if is_faulty || ingress.metadata.annotation(CLUSTER_ISSUER).is_none() {
        return;
    }
    for (annotation, instead) in EXCLUDED {
        if ingress.metadata.annotation(annotation).is_some() {
            let message = format!(
                "{CLUSTER_ISSUER} and {annotation} are both set, for which cert-manager issues nothing, {instead}"
            );
            report.add(&ISSUER, Path::of_annotation(*annotation), message);
        }
    }
}
