//! The listeners of a Gateway.

use gatehouse_policy::glob;
use gatehouse_policy::{Members, Metadata, Path, ReadError, Report, Request};
use serde::Deserialize;

use crate::{TLS, TlsIngress};

/// A Gateway, or a `ListenerSet`, which adds listeners to one
/// (<https://gateway-api.sigs.k8s.io/reference/spec/>).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Gateway<'r> {
    #[serde(borrow)]
    metadata: Metadata<'r>,
    #[serde(borrow)]
    spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec<'r> {
    #[serde(borrow)]
    listeners: Vec<Listener<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listener<'r> {
    name: &'r str,
    protocol: &'r str,
    #[serde(borrow)]
    tls: ListenerTls<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListenerTls<'r> {
    mode: &'r str,
    certificate_refs: Vec<CertificateRef>,
    #[serde(borrow)]
    options: Members<&'r str, &'r str>,
}

/// That it is there is enough: what it refers to is the controller's to judge.
#[derive(Deserialize)]
struct CertificateRef {}

impl ListenerTls<'_> {
    /// With `Passthrough` the backend has the certificate; `options` may name one in a way of the implementation's own,
    /// and the API asks for the one or the other (`ListenerTLSConfig` in `apis/v1/gateway_types.go` of
    /// <https://github.com/kubernetes-sigs/gateway-api>).
    fn has_certificate(&self) -> bool {
        self.mode == "Passthrough" || !self.certificate_refs.is_empty() || !self.options.is_empty()
    }
}

/// The annotation by which GKE's Gateways take their certificates, in place of any in the listeners
/// (<https://cloud.google.com/kubernetes-engine/docs/how-to/secure-gateway>).
const CERTIFICATE_MAP: &str = "networking.gke.io/certmap";

pub fn judge(request: &Request<'_>, settings: &TlsIngress, report: &mut Report<'_>) -> Result<(), ReadError> {
    let gateway: Gateway<'_> = request.object.view()?;
    let has_map = gateway.metadata.annotation(CERTIFICATE_MAP).is_some();
    for (index, listener) in gateway.spec.listeners.iter().enumerate() {
        let Listener { name, protocol, tls } = listener;
        if glob::any(&settings.plain_listeners, name) {
            continue;
        }
        let at = |keys: &[&'static str]| Path::of(&["spec", "listeners"]).index(index).join(Path::of(keys));
        // The API has them in any case.
        match protocol.to_ascii_uppercase().as_str() {
            "HTTP" => {
                let message = format!(
                    "listener {name:?}: {protocol} is not encrypted, expected HTTPS; if its routes only redirect to \
                     HTTPS, name it in plainListeners"
                );
                report.add(&TLS, at(&["protocol"]), message);
            }
            "TCP" | "UDP" => {
                let message =
                    format!("listener {name:?}: {protocol} is not known to be encrypted, expected HTTPS or TLS");
                report.add(&TLS, at(&["protocol"]), message);
            }
            // The tunnel between the proxies of an Istio mesh, always over mutual TLS
            // (https://istio.io/latest/docs/ambient/architecture/hbone/).
            "HBONE" => {}
            _ if tls.has_certificate() => {}
            "HTTPS" | "TLS" if has_map => {}
            "HTTPS" | "TLS" => {
                let message =
                    format!("listener {name:?}: {protocol} without a certificate, expected tls.certificateRefs");
                report.add(&TLS, at(&["tls", "certificateRefs"]), message);
            }
            _ => {
                let message = format!(
                    "listener {name:?}: protocol {protocol:?} is not known to be encrypted, expected HTTPS or TLS"
                );
                report.add(&TLS, at(&["protocol"]), message);
            }
        }
    }
    Ok(())
}
