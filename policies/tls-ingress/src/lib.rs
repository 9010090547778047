//! What comes in from outside comes in over TLS.

mod annotations;
mod bound;
mod controller;
mod gateway;
mod hosts;
mod ingress;
mod issuer;
mod networks;
mod nginx;
mod tls;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Context, Members, Path, ReadError, Report, Request, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::bound::Allowed;

rules! {
    /// Finds an Ingress without TLS, and a listener of a Gateway or ListenerSet that is not encrypted: its protocol is neither
    /// HTTPS nor TLS, or it has no certificate.
    ///
    /// ## Why
    /// Without TLS whoever sits on the way reads and changes what passes.
    ///
    /// An Ingress has TLS by `spec.tls`, or by its controller, where annotations or the class say that it has a certificate from
    /// elsewhere and that HTTP is not served beside HTTPS, but for a redirect:
    ///
    /// | controller | certificate | not served over HTTP |
    /// |---|---|---|
    /// | GKE | `networking.gke.io/managed-certificates` or `ingress.gcp.kubernetes.io/pre-shared-cert` | `kubernetes.io/ingress.allow-http: "false"` |
    /// | AWS and Alibaba Cloud (ALB) | `alb.ingress.kubernetes.io/certificate-arn`, or `HTTPS` in `listen-ports` | no `HTTP` in `listen-ports`, or `ssl-redirect` |
    /// | Azure Application Gateway | `appgw.ingress.kubernetes.io/appgw-ssl-certificate` | always |
    /// | Traefik | `traefik.ingress.kubernetes.io/router.tls: "true"`, or `router.entrypoints: websecure` | no other entry point |
    /// | OpenShift | `route.openshift.io/termination` | always |
    /// | Oracle Cloud | `oci-native-ingress.oraclecloud.com/certificate-ocid` | always |
    /// | NetScaler | `ingress.citrix.com/preconfigured-certkey` | no `ingress.citrix.com/insecure-termination: allow` |
    /// | F5 BIG-IP | `virtual-server.f5.com/clientssl` | `ingress.kubernetes.io/allow-http: "false"` or `ssl-redirect: "true"` |
    /// | Tailscale | the class | no `tailscale.com/http-endpoint: enabled` |
    /// | ngrok | the class | always |
    /// | Caddy | the class | no `caddy.ingress.kubernetes.io/disable-ssl-redirect: "true"` |
    ///
    /// Annotations count unless the class is called after another controller. What other objects say cannot be seen: a
    /// FrontendConfig of GKE that redirects, IngressClassParams of AWS with a certificate.
    ///
    /// A canary of ingress-nginx, by its class and the annotation `canary`, shares the server of the Ingress that it stands
    /// beside, and with it the TLS. `ssl-passthrough` counts for nothing: whether the controller allows it cannot be seen.
    /// For the HTTP-01 challenge cert-manager makes an Ingress without TLS for a while: let it pass by
    /// `exempt: {names: ["cm-acme-http-solver-*"]}`, or use DNS-01.
    ///
    /// An HTTP listener may be there only to redirect to HTTPS. Whether it does is said by the HTTPRoutes that attach to
    /// it later, not by the Gateway: name such listeners in `plainListeners`, and with them those of TCP and UDP whose
    /// traffic is encrypted by other means. A TLS listener is content with the mode `Passthrough`, or with `tls.options`
    /// in place of `tls.certificateRefs`. HBONE, the tunnel of Istio's mesh, is encrypted as it is.
    ///
    /// ## Example
    /// ```yaml
    /// spec:
    ///   rules:
    ///   - host: shop.example.com
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   tls:
    ///   - hosts: [shop.example.com]
    ///     secretName: shop-tls
    ///   rules:
    ///   - host: shop.example.com
    /// ```
    ///
    /// ## Options
    /// `plainListeners`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/#tls>,
    /// <https://gateway-api.sigs.k8s.io/guides/user-guides/tls/>
    TLS = "tls": deny;

    /// Finds the host of a rule that no entry of `spec.tls` covers, and a host that ingress-nginx serves by the annotation
    /// `server-alias`. A wildcard, `*.example.com`, covers one label and no more: `shop.example.com`, but neither
    /// `example.com` nor `a.shop.example.com`. An entry without hosts covers all. An alias that is a regular expression is
    /// covered where there is TLS for any other host than those of the rules.
    ///
    /// ## Why
    /// Such a host is served in the clear, or with the controller's own certificate, which no client trusts.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>
    HOST_COVERAGE = "host-coverage": deny;

    /// Finds an entry of `spec.tls` without `secretName`; and where an annotation asks cert-manager for certificates, entries
    /// with the same one.
    ///
    /// ## Why
    /// Without a certificate of its own the host gets the controller's, which no client trusts. cert-manager makes no
    /// certificate for an entry without `secretName`, and none for the whole Ingress where two entries share one.
    ///
    /// Controllers that have the certificate from elsewhere, as listed at `tls`, need no secret.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/#tls>, <https://cert-manager.io/docs/usage/ingress/>
    SECRET_NAME = "secret-name": deny;

    /// Finds a rule without host, an entry of `spec.tls` without hosts, and a `defaultBackend`.
    ///
    /// ## Why
    /// It takes the requests for every host that nobody else serves, those of other teams' mistyped ones too.
    ///
    /// A `defaultBackend` beside rules is for the hosts of these alone, or for nothing, with ingress-nginx, Traefik, Azure
    /// Application Gateway, OpenShift, ngrok, Caddy and Istio: by the class, or by annotations of the first four where the class
    /// says nothing. An Ingress of Tailscale has an address of its own, where it takes nobody's requests.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-rules>
    HOSTLESS = "hostless": deny;

    /// Finds a host in `spec.tls` that no rule serves. Every host is served where a rule has none or a `defaultBackend`
    /// takes what is left (see `hostless`); ingress-nginx also serves those of `server-alias`, and with
    /// `from-to-www-redirect` each host with and without `www.`.
    ///
    /// ## Why
    /// It is in the certificate, its DNS may point here, and whoever asks for it gets an error: mostly a rule was
    /// forgotten. And a certificate by an HTTP-01 challenge is issued only once all of its names lead here.
    UNUSED_HOST = "unused-host": warn;

    /// Finds an Ingress whose redirect from HTTP to HTTPS is switched off by `ssl-redirect`; with `explicitRedirect` also
    /// one where neither `ssl-redirect` nor `force-ssl-redirect` switches it on.
    ///
    /// ## Why
    /// A host that answers over HTTP too hands its cookies to whoever listens. ingress-nginx redirects by itself where
    /// there is TLS, but its ConfigMap can turn that default around.
    ///
    /// As the controller reads them: a value that is no boolean counts as absent; without `spec.tls`, `ssl-redirect` does
    /// nothing. A canary takes all this from the Ingress that it stands beside, and is not judged.
    ///
    /// ## Fix
    /// Beside `spec.tls`, sets `ssl-redirect` to `"true"`. Safe where that is the controller's default anyway; not safe
    /// where it was switched off: HTTP clients are redirected from then on.
    ///
    /// ## Options
    /// `explicitRedirect`, `nginxClasses`
    ///
    /// ## Reference
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#server-side-https-enforcement-through-redirect>
    HTTPS_REDIRECT = "https-redirect": deny;

    /// Finds, once `issuers` is set, an Ingress where neither `cert-manager.io/cluster-issuer` nor `cert-manager.io/issuer`
    /// is there, or one of them names an issuer that is not one of `issuers`, or the first stands beside the second, beside
    /// `cert-manager.io/issuer-kind` or beside `cert-manager.io/issuer-group`.
    ///
    /// ## Why
    /// Certificates that someone made by hand expire unseen, and those of a test issuer are trusted by nobody.
    /// `kubernetes.io/tls-acme` is not enough: which issuer it means is not to be seen. For annotations that exclude each other
    /// cert-manager issues nothing.
    ///
    /// ## Options
    /// `issuers`
    ///
    /// ## Reference
    /// <https://cert-manager.io/docs/usage/ingress/#supported-annotations>
    ISSUER = "issuer": deny;

    /// Finds, with `rateLimit`, an Ingress where none of `limit-rps`, `limit-rpm` and `limit-connections` of ingress-nginx
    /// is a number above 0, or where `limit-allowlist` (`limit-whitelist`) exempts every public address of IPv4 or of IPv6.
    ///
    /// ## Why
    /// A single client can take all there is. To the controller 0 is no limit, nor is a value that is no number. A canary
    /// takes its limits from the Ingress that it stands beside, and is not judged. `allowlist-source-range`
    /// (`whitelist-source-range`) is another matter: it says who may come at all, and exempts nobody.
    ///
    /// ## Options
    /// `rateLimit`, `nginxClasses`
    ///
    /// ## Reference
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#rate-limiting>
    RATE_LIMIT = "rate-limit": deny;

    /// Finds an annotation `nginx.ingress.kubernetes.io/…` that the controller does not have.
    ///
    /// ## Why
    /// It is passed over without a word: whoever wrote it believes to be protected, and is not. For the first three of an
    /// Ingress the annotations that may have been meant are named.
    ///
    /// ## Example
    /// ```yaml
    /// metadata:
    ///   annotations:
    ///     nginx.ingress.kubernetes.io/rate-limit: "100"
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// metadata:
    ///   annotations:
    ///     nginx.ingress.kubernetes.io/limit-rps: "100"
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/>
    UNKNOWN_ANNOTATION = "unknown-annotation": warn;

    /// Finds the deprecated annotation `kubernetes.io/ingress.class`; beside `spec.ingressClassName` it is refused.
    ///
    /// ## Why
    /// It never was part of the API, and nothing checks that such a class exists. Beside `ingressClassName` it is left to
    /// the controller which of the two counts; where they differ, the API server refuses to create the Ingress.
    ///
    /// ## Fix
    /// Removes the annotation and sets `ingressClassName` to its value. Not safe: the field refers to an IngressClass of
    /// that name, and without one no controller serves the Ingress. Where `ingressClassName` is set already, only removes
    /// the annotation; that is safe where both are the same.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/#deprecated-annotation>
    CLASS = "class": warn;

    /// Finds a path of an Ingress for ingress-nginx with characters other than letters, digits, `.`, `_`, `-` and `/`, or
    /// without a `/` at its start, whose `pathType` is not `ImplementationSpecific`.
    ///
    /// ## Why
    /// Since version 1.12 the controller refuses it (`strict-validate-path-type`): to `Prefix` and `Exact` a pattern is but
    /// a literal text.
    ///
    /// ## Fix
    /// Sets `ImplementationSpecific`. Safe for a `Prefix` that ends in `/`, or that `use-regex` or `rewrite-target` make a
    /// pattern, where to ingress-nginx both are the same. Otherwise more paths match then: `/~user` takes in `/~username`.
    ///
    /// ## Options
    /// `nginxClasses`
    ///
    /// ## Reference
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/#strict-validate-path-type>
    PATH_TYPE = "path-type": deny;

    /// Finds an annotation of ingress-nginx whose name ends in `-snippet`.
    ///
    /// ## Why
    /// Its text becomes part of nginx's configuration: whoever may write an Ingress can read every secret that the
    /// controller can read, and take over its pod (CVE-2021-25742).
    ///
    /// ## Reference
    /// <https://github.com/kubernetes/ingress-nginx/issues/7837>
    SNIPPET = "snippet": deny;

    /// Finds an annotation whose value is outside what `annotations` allows for it. One that is absent is no finding.
    ///
    /// ## Why
    /// One team's generous upload limit or timeout takes workers and buffers that all teams share.
    ///
    /// Sizes are read as nginx does: `1m` is `1024k`. Where 0 stands for "no limit", as in `proxy-body-size`, it is above
    /// every `max`. What is neither a number nor a size is outside every bound.
    ///
    /// ## Options
    /// ```yaml
    /// annotations:
    ///   nginx.ingress.kubernetes.io/proxy-body-size: {max: 50m}
    ///   nginx.ingress.kubernetes.io/proxy-read-timeout: {min: 5, max: 300}
    ///   nginx.ingress.kubernetes.io/backend-protocol: {patterns: [HTTP, GRPC*]}
    /// ```
    ANNOTATION = "annotation": deny;
}

/// The settings of tls-ingress.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TlsIngress {
    /// The issuers of cert-manager that an Ingress may have its certificates from, as globs. None: issuers are not judged.
    issuers: Vec<Glob>,
    /// Whether the redirect to HTTPS must be switched on by an annotation. Default: false.
    explicit_redirect: bool,
    /// Whether requests or connections must be limited by an annotation of ingress-nginx. Default: false.
    rate_limit: bool,
    /// What the values of annotations may be, by the annotation's whole name.
    annotations: Members<String, Allowed>,
    /// The ingress classes that ingress-nginx serves, as globs. The rules `https-redirect`, `rate-limit` and `path-type`
    /// judge an Ingress of such a class, of no class, or with an annotation of ingress-nginx and a class that is not called
    /// after another controller. Default: every class with `nginx` in its name.
    nginx_classes: Vec<Glob>,
    /// The listeners of Gateways that need no TLS, as globs of their names: HTTP listeners whose routes do nothing but
    /// redirect to HTTPS, and those with an encryption of their own.
    plain_listeners: Vec<Glob>,
}

impl Default for TlsIngress {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            explicit_redirect: false,
            rate_limit: false,
            annotations: Members::default(),
            nginx_classes: vec![Glob::new("*nginx*")],
            plain_listeners: Vec::new(),
        }
    }
}

impl Settings for TlsIngress {
    fn validate(&self) -> Result<(), ReadError> {
        for (name, allowed) in self.annotations.iter() {
            allowed.validate().map_err(|error| error.below(&Path::of(&["annotations"]).key(name.clone())))?;
        }
        Ok(())
    }
}

policy!(TlsIngress, review, subresources: ["status"]);

fn review(request: &Request<'_>, context: &Context<'_, TlsIngress>, report: &mut Report<'_>) -> Result<(), ReadError> {
    const GATEWAYS: &[(&str, &str)] = &[
        ("gateway.networking.k8s.io", "Gateway"),
        ("gateway.networking.k8s.io", "ListenerSet"),
        ("gateway.networking.x-k8s.io", "XListenerSet"),
    ];
    if request.is("networking.k8s.io", "Ingress") {
        ingress::judge(request, context.settings, report)
    } else if request.subresource.is_empty() && GATEWAYS.contains(&(request.group, request.kind)) {
        gateway::judge(request, context.settings, report)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use gatehouse_policy::{MOST_LISTED, Node, Request};

    use super::POLICY;

    fn findings(annotations: &str, tls: &str, rules: &str) -> usize {
        let object = format!(
            r#"{{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {{"name": "web", "annotations": {{{annotations}}}}}, "spec": {{"tls": [{tls}], "rules": [{rules}]}}}}"#
        );
        let object = Node::from_json(object.as_bytes()).unwrap();
        let settings = r#"{"rateLimit": true, "issuers": ["ours"]}"#;
        let policy = POLICY.configure(&Node::from_json(settings.as_bytes()).unwrap()).unwrap();
        policy.review(&Request::create(&object, "shop").unwrap()).unwrap().findings.len()
    }

    /// As many hosts, entries, paths and annotations as fit into an object: who compares each with each takes minutes here.
    #[test]
    fn the_largest_ingress_takes_no_time() {
        let (mut tls, mut rules, mut aliases, mut paths, mut annotations) =
            <(String, String, String, String, String)>::default();
        for number in 0..16_000 {
            let comma = if number == 0 { "" } else { ", " };
            write!(tls, r#"{comma}{{"hosts": ["h{number}.example.com"], "secretName": "s{number}"}}"#).unwrap();
            write!(rules, r#"{comma}{{"host": "r{number}.example.com"}}"#).unwrap();
            write!(aliases, "{comma}a{number}.example.com").unwrap();
            write!(paths, r#"{comma}{{"path": "/~{number}", "pathType": "Prefix"}}"#).unwrap();
            write!(annotations, r#"{comma}"nginx.ingress.kubernetes.io/proxy-read-timout-{number}": "1""#).unwrap();
        }
        let aliases = format!(r#""nginx.ingress.kubernetes.io/server-alias": "{aliases}""#);
        // All TLS hosts are unused, a warning each; all hosts and aliases are uncovered, a denial each.
        assert_eq!(findings(&aliases, &tls, &rules), 2 * MOST_LISTED);
        let rules = format!(r#"{{"host": "h0.example.com", "http": {{"paths": [{paths}]}}}}"#);
        let tls = r#"{"hosts": ["h0.example.com"], "secretName": "s"}"#;
        // All annotations are unknown, a warning each; all paths are of the wrong type, a denial each.
        assert_eq!(findings(&annotations, tls, &rules), 2 * MOST_LISTED);
    }
}
