//! What makes objects that others name: in files nothing else shows that they will be there.

use gatehouse_policy::{Around, ContextError, Kind, Listed, Node};

use crate::sorted::Sorted;
use crate::workloads::STATEFUL_SETS;

/// A kind that makes Secrets, each named by one of [`NAMES`] or [`LISTS`]; or else by the object's own name and each of
/// these ends.
struct Makes {
    kind: Kind<Listed>,
    own: &'static [&'static str],
}

const fn makes(api_version: &'static str, kind: &'static str, own: &'static [&'static str]) -> Makes {
    Makes { kind: Kind::listed(api_version, kind, FIELDS), own }
}

macro_rules! makers {
    ($($constant:ident = $api_version:literal $kind:literal, $own:expr;)+) => {
        $(pub const $constant: Kind<Listed> = Kind::listed($api_version, $kind, FIELDS);)+
        const MAKERS: &[Makes] = &[$(makes($api_version, $kind, $own)),+];
    };
}

makers! {
    // https://external-secrets.io/latest/api/externalsecret/
    EXTERNAL_SECRETS = "external-secrets.io/v1" "ExternalSecret", &[""];
    // Its predecessor: https://github.com/external-secrets/kubernetes-external-secrets
    KUBERNETES_EXTERNAL_SECRETS = "kubernetes-client.io/v1" "ExternalSecret", &[""];
    // `Unseal` in https://github.com/bitnami-labs/sealed-secrets/blob/main/pkg/apis/sealedsecrets/v1alpha1/sealedsecret_expansion.go
    SEALED_SECRETS = "bitnami.com/v1alpha1" "SealedSecret", &[""];
    // https://cert-manager.io/docs/reference/api-docs/
    CERTIFICATES = "cert-manager.io/v1" "Certificate", &[];
    // https://secrets-store-csi-driver.sigs.k8s.io/topics/sync-as-kubernetes-secret
    SECRET_PROVIDER_CLASSES = "secrets-store.csi.x-k8s.io/v1" "SecretProviderClass", &[];
    // https://developer.hashicorp.com/vault/docs/deploy/kubernetes/vso/api-reference
    VAULT_STATIC_SECRETS = "secrets.hashicorp.com/v1beta1" "VaultStaticSecret", &[];
    VAULT_DYNAMIC_SECRETS = "secrets.hashicorp.com/v1beta1" "VaultDynamicSecret", &[];
    VAULT_PKI_SECRETS = "secrets.hashicorp.com/v1beta1" "VaultPKISecret", &[];
    // https://github.com/1Password/onepassword-operator/blob/main/USAGEGUIDE.md
    ONE_PASSWORD_ITEMS = "onepassword.com/v1" "OnePasswordItem", &[""];
    // https://infisical.com/docs/integrations/platforms/kubernetes/infisical-secret-crd
    INFISICAL_SECRETS = "secrets.infisical.com/v1alpha1" "InfisicalSecret", &[];
    // https://strimzi.io/docs/operators/latest/deploying#con-securing-client-authentication-str
    KAFKA_USERS = "kafka.strimzi.io/v1beta2" "KafkaUser", &[""];
    // https://github.com/kube-object-storage/lib-bucket-provisioner/blob/master/doc/design/object-bucket-lib.md
    BUCKET_CLAIMS = "objectbucket.io/v1alpha1" "ObjectBucketClaim", &[""];
    // https://cloudnative-pg.io/documentation/current/applications/#secrets
    POSTGRES_CLUSTERS = "postgresql.cnpg.io/v1" "Cluster", &["-app", "-superuser", "-ca", "-server", "-replication"];
}

pub const INGRESSES: Kind<Listed> =
    Kind::listed("networking.k8s.io/v1", "Ingress", &["metadata.annotations", "spec.tls.secretName"]);
/// Services with their annotations, which are asked for only where a Secret is missing.
pub const ANNOTATED_SERVICES: Kind<Listed> = Kind::listed("v1", "Service", &["metadata.annotations"]);
/// <https://cert-manager.io/docs/trust/trust-manager/>: in every namespace that it selects, a `ConfigMap` of its name.
pub const BUNDLES: Kind<Listed> = Kind::listed("trust.cert-manager.io/v1alpha1", "Bundle", &[]);

/// The fields of the kinds that make Secrets which name one: each kind has some.
const NAMES: &[&[&str]] = &[
    &["spec", "secretName"],
    // An ExternalSecret's.
    &["spec", "target", "name"],
    // Vault's.
    &["spec", "destination", "name"],
    // Infisical's.
    &["spec", "managedSecretReference", "secretName"],
];
/// The lists of things that name one.
const LISTS: &[&[&str]] = &[
    &["spec", "secretObjects"],
    // Infisical's, for several.
    &["spec", "managedKubeSecretReferences"],
];
/// All of them.
const FIELDS: &[&str] = &[
    "spec.secretName",
    "spec.target.name",
    "spec.destination.name",
    "spec.managedSecretReference.secretName",
    "spec.secretObjects.secretName",
    "spec.managedKubeSecretReferences.secretName",
];

/// The names of the Secrets that are made in a namespace.
pub fn secrets(around: &Around<'_>, namespace: &str) -> Result<Sorted, ContextError> {
    let mut made = Vec::new();
    for Makes { kind, own } in MAKERS {
        around.each(kind, Some(namespace), &mut |object| {
            let lists = LISTS.iter().flat_map(|list| object.items(list)).map(|item| item.text(&["secretName"]));
            let names = NAMES.iter().map(|field| object.text(field)).chain(lists).filter(|name| !name.is_empty());
            let before = made.len();
            made.extend(names.map(str::to_owned));
            if made.len() == before {
                made.extend(own.iter().map(|end| [object.text(&["metadata", "name"]), end].concat()));
            }
        })?;
    }
    around.each(&INGRESSES, Some(namespace), &mut |ingress| {
        if asks_issuer(ingress) {
            let tls = ingress.items(&["spec", "tls"]).iter();
            made.extend(tls.map(|tls| tls.text(&["secretName"]).to_owned()));
        }
    })?;
    around.each(&ANNOTATED_SERVICES, Some(namespace), &mut |service| {
        made.extend(SERVING_CERT.iter().map(|name| service.text(&["metadata", "annotations", name]).to_owned()));
    })?;
    Ok(made.into_iter().map(|name| (name, 0)).collect())
}

/// Annotations of a Service that name the Secret which `OpenShift` makes for it
/// (<https://docs.redhat.com/en/documentation/openshift_container_platform/latest/html/security_and_compliance/configuring-certificates>).
const SERVING_CERT: &[&str] =
    &["service.beta.openshift.io/serving-cert-secret-name", "service.alpha.openshift.io/serving-cert-secret-name"];

/// Whether the Secrets in an Ingress' `tls` are made for it: by cert-manager (`hasShimAnnotation` in
/// <https://github.com/cert-manager/cert-manager/blob/master/pkg/controller/certificate-shim/sync.go>), or by the add-on of
/// AKS (<https://learn.microsoft.com/en-us/azure/aks/app-routing-dns-ssl>).
pub fn asks_issuer(ingress: &Node<'_>) -> bool {
    let annotation = |name| ingress.descend(&["metadata", "annotations", name]);
    ISSUERS.iter().any(|name| annotation(name).is_some())
        // `strconv.ParseBool`.
        || matches!(
            annotation("kubernetes.io/tls-acme").and_then(Node::as_str),
            Some("1" | "t" | "T" | "TRUE" | "true" | "True")
        )
}

const ISSUERS: &[&str] =
    &["cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.azure.com/tls-cert-keyvault-uri"];

/// Whether a Secret of that name is the token of a `ServiceAccount`, as every one had before Kubernetes 1.24, or its
/// credentials for the registry of `OpenShift`: the name ends in what `SafeEncodeString` makes of numbers
/// (<https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go>).
pub fn is_token(name: &str) -> bool {
    let is_random =
        |end: &str| end.len() == 5 && end.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
    let Some((start, end)) = name.rsplit_once('-') else { return false };
    is_random(end) && (start.ends_with("-token") || start.ends_with("-dockercfg"))
}

/// The names of the `ConfigMaps` that are made in a namespace.
pub fn config_maps(around: &Around<'_>, namespace: &str) -> Result<Sorted, ContextError> {
    let mut made = Vec::new();
    for (kind, namespace) in [(BUNDLES, None), (BUCKET_CLAIMS, Some(namespace))] {
        around.each(&kind, namespace, &mut |of| made.push(of.text(&["metadata", "name"]).to_owned()))?;
    }
    Ok(made.into_iter().map(|name| (name, 0)).collect())
}

/// How the names of the claims start that `StatefulSets` make, each of which ends in a pod's number (`getPersistentVolumeClaimName`
/// in <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/statefulset/stateful_set_utils.go>).
pub fn claims(around: &Around<'_>, namespace: &str) -> Result<Sorted, ContextError> {
    let mut made = Vec::new();
    around.each(&STATEFUL_SETS, Some(namespace), &mut |set| {
        let name = |of: &Node<'_>| of.text(&["metadata", "name"]).to_owned();
        let templates = set.items(&["spec", "volumeClaimTemplates"]).iter();
        made.extend(templates.map(|template| [&*name(template), "-", &*name(set), "-"].concat()));
    })?;
    Ok(made.into_iter().map(|name| (name, 0)).collect())
}
