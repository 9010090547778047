//! What an Ingress is, its class and the values of its annotations.

use gatehouse_policy::{Edit, Level, Metadata, Path, ReadError, Report, Request};
use serde::Deserialize;

use crate::annotations::{self, PREFIX};
use crate::{ANNOTATION, CLASS, TlsIngress, issuer, nginx, tls};

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
    pub default_backend: Option<Backend>,
    #[serde(borrow)]
    pub tls: Vec<Tls<'r>>,
    #[serde(borrow)]
    pub rules: Vec<IngressRule<'r>>,
}

/// That it is there is all that counts.
#[derive(Deserialize)]
pub struct Backend {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tls<'r> {
    #[serde(borrow)]
    pub hosts: Vec<&'r str>,
    pub secret_name: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct IngressRule<'r> {
    pub host: &'r str,
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

pub fn judge(request: &Request<'_>, settings: &TlsIngress, report: &mut Report<'_>) -> Result<(), ReadError> {
    if request.subresource == "status" {
        return judge_status(request, settings, report);
    }
    let ingress: Ingress<'_> = request.object.view()?;
    tls::judge(&ingress, settings, report);
    judge_annotations(&ingress, settings, true, report);
    nginx::judge_paths(&ingress, settings, report);
    Ok(())
}

/// A request for the status of an Ingress changes its annotations too. It cannot change its spec, whatever it says of it: the
/// one that is there is put back (`ingressStatusStrategy.PrepareForUpdate` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/networking/ingress/strategy.go>). So only what
/// annotations say is judged, and only where they change: a controller that reports its addresses is not to be held up by
/// what others wrote. The status of a Gateway or a `ListenerSet` brings nothing else along (`statusStrategy.PrepareForUpdate`
/// in
/// <https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiextensions-apiserver/pkg/registry/customresource/status_strategy.go>).
fn judge_status(request: &Request<'_>, settings: &TlsIngress, report: &mut Report<'_>) -> Result<(), ReadError> {
    let old: Ingress<'_> = request.old_object.unwrap_or(request.object).view()?;
    let new: Annotated<'_> = request.object.view()?;
    // The API server writes both in the order of their names.
    if request.old_object.is_some() && old.metadata.annotations == new.metadata.annotations {
        return Ok(());
    }
    let was_encrypted = tls::plain(&old, settings).is_none();
    let ingress = Ingress { metadata: new.metadata, spec: old.spec };
    if was_encrypted {
        tls::judge_encryption(&ingress, settings, report);
    }
    tls::judge_aliases(&ingress, settings, report);
    judge_annotations(&ingress, settings, false, report);
    Ok(())
}

/// The part of an Ingress that a request for its status can change, as far as it is judged.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotated<'r> {
    #[serde(borrow)]
    metadata: Metadata<'r>,
}

/// Judges what annotations say. Where the spec cannot be changed, nothing can move into it.
fn judge_annotations(ingress: &Ingress<'_>, settings: &TlsIngress, has_spec: bool, report: &mut Report<'_>) {
    judge_class(ingress, has_spec, report);
    issuer::judge(ingress, settings, report);
    nginx::judge_annotations(ingress, settings, report);
    judge_values(ingress, settings, report);
}

impl<'r> Ingress<'r> {
    /// The annotations of ingress-nginx, their names without the prefix.
    pub fn nginx_annotations(&self) -> impl Iterator<Item = &'r str> {
        self.metadata.annotations.iter().filter_map(|(name, _)| name.strip_prefix(PREFIX))
    }

    /// The classes that its field and its annotation name.
    pub fn classes(&self) -> impl Iterator<Item = &'r str> {
        let annotation = self.metadata.annotation(CLASS_ANNOTATION).unwrap_or_default();
        [self.spec.ingress_class_name, annotation].into_iter().filter(|class| !class.is_empty())
    }
}

fn judge_class(ingress: &Ingress<'_>, has_spec: bool, report: &mut Report<'_>) {
    let Some(class) = ingress.metadata.annotation(CLASS_ANNOTATION) else { return };
    let field = ingress.spec.ingress_class_name;
    let remove = Edit::Remove(Path::of_annotation(CLASS_ANNOTATION));
    if field.is_empty() {
        let message =
            format!("the annotation {CLASS_ANNOTATION} is deprecated, expected spec.ingressClassName: {class:?}");
        let added = report.add(&CLASS, Path::of_annotation(CLASS_ANNOTATION), message);
        if has_spec && is_class_name(class) {
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

fn judge_values(ingress: &Ingress<'_>, settings: &TlsIngress, report: &mut Report<'_>) {
    for (name, allowed) in settings.annotations.iter() {
        let Some(value) = ingress.metadata.annotation(name) else { continue };
        if let Some(what) = allowed.fault(value, annotations::is_unlimited_at_zero(name)) {
            report.add(
                &ANNOTATION,
                Path::of_annotation(name.to_owned()),
                format!("{name} is {value:?}{what}, expected {allowed}"),
            );
        }
    }
}
