//! What is there by name, of each kind that is looked for by its name.

use std::sync::{Arc, OnceLock};

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Around, ContextError, Gather, Kind, Listed, Report, Rule};

use crate::ask::{self, Named, Place};
use crate::picked::{self, SERVICES};
use crate::sorted::{Sorted, hint};
use crate::workloads::{
    CLONE_SETS, DEPLOYMENT_CONFIGS, DEPLOYMENTS, KRUISE_STATEFUL_SETS, REPLICA_SETS, REPLICATION_CONTROLLERS, ROLLOUTS,
    STATEFUL_SETS,
};
use crate::{
    CLAIM as CLAIM_RULE, CONFIG_MAP as CONFIG_MAP_RULE, INGRESS_BACKEND, ObjectReferences, SCALE_TARGET,
    SECRET as SECRET_RULE, SERVICE_ACCOUNT as SERVICE_ACCOUNT_RULE, made,
};

/// A kind whose objects are named by others.
pub struct Sort {
    /// Which of all it is.
    number: usize,
    asked: &'static Kind<Listed>,
    /// The rule that finds what is missing.
    rule: &'static Rule,
    /// Names that something else makes, and what that is in a message.
    made: Option<Made>,
    maker: &'static str,
    /// Names that need no object: what every namespace has, and what operators make, as globs.
    given: &'static [&'static str],
}

type Made = fn(&Around<'_>, &str) -> Result<Sorted, ContextError>;

pub const SECRETS: Kind<Listed> = Kind::listed("v1", "Secret", &[]);
pub const CONFIG_MAPS: Kind<Listed> = Kind::listed("v1", "ConfigMap", &[]);
pub const CLAIMS: Kind<Listed> = Kind::listed("v1", "PersistentVolumeClaim", &[]);
pub const SERVICE_ACCOUNTS: Kind<Listed> = Kind::listed("v1", "ServiceAccount", &[]);

/// Secrets, with the names of those that operators make. Those of a `ServiceAccount`'s token are told by [`made::is_token`].
pub const SECRET: Sort = Sort {
    number: 0,
    asked: &SECRETS,
    rule: &SECRET_RULE,
    made: Some(made::secrets),
    maker: ", and nothing that makes it",
    given: &[
        "sh.helm.release.v1.*",
        // https://github.com/zalando/postgres-operator/blob/master/docs/reference/operator_parameters.md
        "*.credentials.postgresql.acid.zalan.do",
        // https://access.crunchydata.com/documentation/postgres-operator/latest/architecture/user-management
        "*-pguser-*",
        // https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/managed-credentials-eck
        "*-es-elastic-user",
        "*-http-certs-public",
        "*-http-certs-internal",
        // https://strimzi.io/docs/operators/latest/deploying
        "*-cluster-ca-cert",
        "*-clients-ca-cert",
        // https://github.com/rook/rook/blob/master/pkg/operator/ceph/cluster/mon/config.go
        "rook-ceph-mon",
        // https://argo-cd.readthedocs.io/en/stable/faq/#how-to-rotate-redis-secret
        "argocd-redis",
        "argocd-initial-admin-secret",
        // Many operators make the certificates of their webhooks themselves:
        // https://github.com/open-policy-agent/cert-controller
        "*webhook*cert*",
    ],
};

/// `ConfigMaps`. Every namespace has the cluster's certificates
/// (<https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>), those of `OpenShift` and of Istio too; kubeadm and
/// an operator make the last ones.
pub const CONFIG_MAP: Sort = Sort {
    number: 1,
    asked: &CONFIG_MAPS,
    rule: &CONFIG_MAP_RULE,
    made: Some(made::config_maps),
    maker: "",
    given: &[
        "kube-root-ca.crt",
        "openshift-service-ca.crt",
        "istio-ca-root-cert",
        "kubeadm-config",
        "kube-proxy",
        "rook-ceph-mon-endpoints",
    ],
};

/// Claims. Those that are made lack the number at their ends.
pub const CLAIM: Sort =
    Sort { number: 2, asked: &CLAIMS, rule: &CLAIM_RULE, made: Some(made::claims), maker: "", given: &[] };

/// Service accounts; every namespace has one
/// (<https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts>).
pub const SERVICE_ACCOUNT: Sort = Sort {
    number: 3,
    asked: &SERVICE_ACCOUNTS,
    rule: &SERVICE_ACCOUNT_RULE,
    made: None,
    maker: "",
    given: &["default"],
};

/// Services: those that operators make.
pub const SERVICE: Sort = Sort {
    number: 4,
    asked: &SERVICES,
    rule: &INGRESS_BACKEND,
    made: None,
    maker: "",
    given: &[
        // https://github.com/prometheus-operator/prometheus-operator/blob/main/Documentation/platform/exposing-prometheus-and-alertmanager.md
        "alertmanager-operated",
        "prometheus-operated",
        "thanos-ruler-operated",
        // https://cert-manager.io/docs/configuration/acme/http01/
        "cm-acme-http-solver-*",
        // https://www.elastic.co/docs/deploy-manage/deploy/cloud-on-k8s/accessing-services
        "*-agent-http",
        "*-apm-http",
        "*-ems-http",
        "*-ent-http",
        "*-es-http",
        "*-kb-http",
        // https://rook.io/docs/rook/latest/Storage-Configuration/Monitoring/ceph-dashboard/
        "rook-ceph-mgr-dashboard",
    ],
};

const fn scaled(number: usize, asked: &'static Kind<Listed>) -> Sort {
    Sort { number, asked, rule: &SCALE_TARGET, made: None, maker: "", given: &[] }
}

/// The kinds that autoscalers scale.
pub const SCALED: &[Sort] = &[
    scaled(5, &DEPLOYMENTS),
    scaled(6, &STATEFUL_SETS),
    scaled(7, &REPLICA_SETS),
    scaled(8, &REPLICATION_CONTROLLERS),
    scaled(9, &ROLLOUTS),
    scaled(10, &DEPLOYMENT_CONFIGS),
    scaled(11, &CLONE_SETS),
    scaled(12, &KRUISE_STATEFUL_SETS),
];

/// How many there are.
const NUMBER: usize = 5 + SCALED.len();

/// Those that pods name.
pub const OF_PODS: &[&Sort] = &[&SECRET, &CONFIG_MAP, &CLAIM, &SERVICE_ACCOUNT];

/// The kinds that settings may say are provided.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    let others = OF_PODS.iter().copied().chain([&SERVICE]);
    others.chain(SCALED).map(Sort::kind)
}

impl Sort {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        self.asked.asked().kind
    }

    /// Whether it is of an API group. Where none is said, it may be any of Kubernetes' own.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        let asked = self.asked.asked();
        let is_own = matches!(asked.group(), "" | "apps") && matches!(group, "" | "extensions");
        asked.kind == kind && (asked.group() == group || is_own)
    }

    /// Whether an object of that name need not be seen, or there is none: what stands there is put in by something else.
    fn is_given(&self, name: &str) -> bool {
        !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
            || self.given.iter().any(|pattern| Glob::new(*pattern).matches(name))
            || self.number == SECRET.number && made::is_token(name)
    }

    /// What to say where there is no object of that name.
    fn missing(&self, around: &Around<'_>, namespace: &str, name: &str) -> Result<Option<String>, ContextError> {
        let lists = around.gathered::<Lists>(namespace)?;
        let names = lists.get(0, self.number, &|| {
            // Their ports are asked for, too: once is enough.
            if self.number == SERVICE.number {
                picked::service_names(around, namespace)
            } else {
                names(around, self.asked, namespace)
            }
        })?;
        if names.get(name).is_some() || self.is_given(name) {
            return Ok(None);
        }
        // Rarely asked for: in a cluster what makes an object has mostly made it.
        let made = match self.made {
            Some(made) => lists.get(1, self.number, &|| made(around, namespace))?,
            None => Arc::default(),
        };
        let claim = name.trim_end_matches(|last: char| last.is_ascii_digit());
        let is_made = if self.number == CLAIM.number {
            claim != name && made.get(claim).is_some()
        } else {
            made.get(name).is_some()
        };
        if is_made || !around.is_whole() {
            return Ok(None);
        }
        let mut near = names.near(name);
        near.extend(made.near(name));
        let (kind, maker, near) = (self.kind(), self.maker, hint(name, near));
        Ok(Some(format!("there is no {kind} {name:?} in namespace {namespace}{maker}{near}")))
    }
}

/// What one object names of a kind, and where.
pub struct Wanted<'p> {
    pub of: &'static Sort,
    named: Vec<(Named<'p>, Place<'p>)>,
}

impl<'p> Wanted<'p> {
    pub fn of(of: &'static Sort) -> Self {
        Self { of, named: Vec::new() }
    }

    /// Adds a name; an empty one is none.
    pub fn add(&mut self, name: &'p str, place: Place<'p>) {
        if !name.is_empty() {
            self.named.push((Named { name, ..Named::default() }, place));
        }
    }

    /// Asks for each that is not provided.
    pub fn ask(self, settings: &ObjectReferences, namespace: &str, report: &mut Report<'_>) {
        let Self { of, mut named } = self;
        named.retain(|(named, _)| !settings.provides(of.kind(), named.name));
        let namespace = namespace.to_owned();
        ask::each(report, of.rule, &named, move |around, thing| of.missing(around, &namespace, &thing.name));
    }
}

/// The names of a kind's objects.
pub fn names(around: &Around<'_>, kind: &Kind<Listed>, namespace: &str) -> Result<Sorted, ContextError> {
    let mut names = Vec::new();
    let each =
        &mut |object: &gatehouse_policy::Node<'_>| names.push((object.text(&["metadata", "name"]).to_owned(), 0));
    around.each(kind, Some(namespace), each)?;
    Ok(Sorted::of(names))
}

/// Of a namespace the names of each kind's objects, and of those that are made, each once it is asked for.
#[derive(Default)]
struct Lists([[List; NUMBER]; 2]);

type List = OnceLock<Result<Arc<Sorted>, ContextError>>;

impl Gather for Lists {
    fn gather(_: &Around<'_>, _: &str) -> Result<Self, ContextError> {
        Ok(Self::default())
    }
}

impl Lists {
    fn get(
        &self,
        sort: usize,
        number: usize,
        read: &dyn Fn() -> Result<Sorted, ContextError>,
    ) -> Result<Arc<Sorted>, ContextError> {
        match self.0.get(sort).and_then(|lists| lists.get(number)) {
            Some(list) => list.get_or_init(|| read().map(Arc::new)).clone(),
            None => Ok(Arc::default()),
        }
    }
}
