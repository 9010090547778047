//! What an object names is there, in its namespace: among the manifests that are checked together, or in the cluster.

mod ask;
mod made;
mod names;
mod pod;
mod read;
mod scale;
mod workloads;

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{
    Context, HORIZONTAL_POD_AUTOSCALERS, Members, Path, ReadError, Report, Request, SCALED_OBJECTS, Settings, policy,
    rules, suggestion,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::made::{
    ANNOTATED_SERVICES, BUCKET_CLAIMS, BUNDLES, CERTIFICATES, EXTERNAL_SECRETS, INFISICAL_SECRETS, INGRESSES,
    KAFKA_USERS, KUBERNETES_EXTERNAL_SECRETS, ONE_PASSWORD_ITEMS, POSTGRES_CLUSTERS, SEALED_SECRETS,
    SECRET_PROVIDER_CLASSES, VAULT_DYNAMIC_SECRETS, VAULT_PKI_SECRETS, VAULT_STATIC_SECRETS,
};
use crate::names::{CLAIMS, CONFIG_MAPS, NAMED, SECRETS, SERVICE_ACCOUNTS};
use crate::workloads::STATEFUL_SETS;

rules! {
    /// Finds a workload with `replicas` that an autoscaler scales: a HorizontalPodAutoscaler, or a ScaledObject of KEDA.
    FIXED_REPLICAS = "fixed-replicas": warn;

    /// Finds a Secret that a pod needs and that is not there.
    SECRET = "secret": warn;

    /// Finds a ConfigMap that a pod needs and that is not there.
    CONFIG_MAP = "config-map": warn;

    /// Finds a claim that a pod needs and that is not there.
    CLAIM = "claim": warn;

    /// Finds a pod of a ServiceAccount that is not there.
    SERVICE_ACCOUNT = "service-account": warn;
}

/// The settings of object-references.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectReferences {
    /// Names that come from elsewhere, by kind, as globs: `{Secret: [regcred, "*-tls"]}`. `*` is any run of characters, `?`
    /// any one.
    provided: Members<String, Vec<Glob>>,
}

impl Settings for ObjectReferences {
    fn validate(&self) -> Result<(), ReadError> {
        let known: Vec<&str> = NAMED.iter().map(|of| of.kind).collect();
        match self.provided.iter().find(|(kind, _)| !known.contains(&&**kind)) {
            Some((kind, _)) => Err(ReadError {
                path: Path::of(&["provided"]).key(kind.clone()),
                reason: format!("no object of this kind is looked for by its name; {}", suggestion(kind, &known)),
            }),
            None => Ok(()),
        }
    }
}

impl ObjectReferences {
    fn provides(&self, kind: &str, name: &str) -> bool {
        self.provided.get(kind).is_some_and(|names| glob::any(names, name))
    }
}

policy!(
    ObjectReferences,
    review,
    subresources: ["ephemeralcontainers"],
    asks: [
        SECRETS, CONFIG_MAPS, CLAIMS, SERVICE_ACCOUNTS, ANNOTATED_SERVICES, STATEFUL_SETS, HORIZONTAL_POD_AUTOSCALERS, SCALED_OBJECTS,
        EXTERNAL_SECRETS, KUBERNETES_EXTERNAL_SECRETS, SEALED_SECRETS, CERTIFICATES, SECRET_PROVIDER_CLASSES,
        VAULT_STATIC_SECRETS, VAULT_DYNAMIC_SECRETS, VAULT_PKI_SECRETS, ONE_PASSWORD_ITEMS, INFISICAL_SECRETS, KAFKA_USERS,
        BUCKET_CLAIMS, POSTGRES_CLUSTERS, INGRESSES, BUNDLES,
    ],
);

fn review(
    request: &Request<'_>,
    context: &Context<'_, ObjectReferences>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    match (request.group, request.kind) {
        // What its pods need is made with them: its service accounts, the certificates of its webhooks.
        ("operators.coreos.com", "ClusterServiceVersion") => Ok(()),
        _ => pod::judge(request, context, report),
    }
}
