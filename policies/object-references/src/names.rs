//! What is there by name, of each kind that is looked for by its name.

use std::collections::BinaryHeap;
use std::sync::Arc;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Around, ContextError, Gather, Kind, Listed, Report, Rule, Sorted, nearest};

use crate::ask::{self, Place};
use crate::{ObjectReferences, made};

/// A kind whose objects are named by others.
pub struct Named {
    pub kind: &'static str,
    /// The rule that finds what is missing.
    rule: &'static Rule,
    /// The names of its objects in a namespace.
    names: Lookup,
    /// Those of the objects that something else there makes.
    made: Option<Lookup>,
    /// What makes them, in words.
    maker: &'static str,
    /// Names that need no object: what every namespace has, and what operators make, as globs.
    given: &'static [&'static str],
}

type Lookup = fn(&Around<'_>, &str) -> Result<Arc<Names>, ContextError>;

pub const SECRETS: Kind<Listed> = Kind::listed("v1", "Secret", &[]);
pub const CONFIG_MAPS: Kind<Listed> = Kind::listed("v1", "ConfigMap", &[]);
pub const CLAIMS: Kind<Listed> = Kind::listed("v1", "PersistentVolumeClaim", &[]);
pub const SERVICE_ACCOUNTS: Kind<Listed> = Kind::listed("v1", "ServiceAccount", &[]);

/// Secrets, with the names of those that operators make. Those of a `ServiceAccount`'s token are told by [`made::is_token`].
pub const SECRET: Named = Named {
    kind: "Secret",
    rule: &crate::SECRET,
    names: names::<0>,
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
    ],
};

/// `ConfigMaps`. Every namespace has the cluster's certificates
/// (<https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>), those of OpenShift and of Istio too.
pub const CONFIG_MAP: Named = Named {
    kind: "ConfigMap",
    rule: &crate::CONFIG_MAP,
    names: names::<1>,
    made: Some(made::config_maps),
    maker: "",
    given: &["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"],
};

/// Claims.
pub const CLAIM: Named = Named {
    kind: "PersistentVolumeClaim",
    rule: &crate::CLAIM,
    names: names::<2>,
    made: Some(made::claims),
    maker: "",
    given: &[],
};

/// Service accounts; every namespace has one
/// (<https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts>).
pub const SERVICE_ACCOUNT: Named = Named {
    kind: "ServiceAccount",
    rule: &crate::SERVICE_ACCOUNT,
    names: names::<3>,
    made: None,
    maker: "",
    given: &["default"],
};

/// Those that settings may say are provided.
pub const NAMED: &[&Named] = &[&SECRET, &CONFIG_MAP, &CLAIM, &SERVICE_ACCOUNT];

impl Named {
    /// Whether an object of that name is there, or is made, wherever that can be seen.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.iter().any(|pattern| Glob::new(*pattern).matches(name))
            || self.kind == SECRET.kind && made::is_token(name)
    }

    /// What to say where there is no object of that name.
    pub fn missing(&self, around: &Around<'_>, namespace: &str, name: &str) -> Result<Option<String>, ContextError> {
        let names = (self.names)(around, namespace)?;
        if names.have(name) {
            return Ok(None);
        }
        // Rarely asked for: in a cluster what makes an object has mostly made it.
        let made = match self.made {
            Some(made) => made(around, namespace)?,
            None => Arc::default(),
        };
        let claim = name.trim_end_matches(|last: char| last.is_ascii_digit());
        let is_made = made.have(name) || self.kind == CLAIM.kind && claim != name && made.have(claim);
        if is_made || !around.is_whole() {
            return Ok(None);
        }
        let Self { kind, maker, .. } = self;
        let near = match nearest(name, names.near(name).chain(made.near(name))) {
            Some(near) => format!("; the nearest is {near:?}"),
            None => String::new(),
        };
        Ok(Some(format!("there is no {kind} {name:?} in namespace {namespace}{maker}{near}")))
    }
}

/// What one object names of a kind, and where.
pub struct Wanted<'p> {
    pub of: &'static Named,
    names: Vec<(&'p str, Place<'p>)>,
}

impl<'p> Wanted<'p> {
    pub fn of(of: &'static Named) -> Self {
        Self { of, names: Vec::new() }
    }

    /// Adds a name; an empty one is none.
    pub fn add(&mut self, name: &'p str, place: Place<'p>) {
        if !name.is_empty() {
            self.names.push((name, place));
        }
    }

    /// Asks for each, where it is named first.
    pub fn ask(self, settings: &ObjectReferences, namespace: &str, report: &mut Report<'_>) {
        let Self { of, names } = self;
        let sorted: Sorted<'_> = names.iter().enumerate().map(|(number, (name, _))| (*name, number)).collect();
        let named = names.iter().enumerate().filter(|(number, (name, _))| sorted.first(name) == Some(*number));
        let named = named.filter(|(_, (name, _))| !of.is_given(name) && !settings.provides(of.kind, name));
        let named = named.map(|(_, (name, place))| ((*name).to_owned(), *place));
        let namespace: Arc<str> = namespace.into();
        ask::each(report, of.rule, named, move |around, name| of.missing(around, &namespace, name));
    }
}

/// Names in their order.
#[derive(Debug, Default)]
pub struct Names(Vec<String>);

impl FromIterator<String> for Names {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().collect::<BinaryHeap<_>>().into_sorted_vec())
    }
}

impl Names {
    fn at(&self, name: &str) -> usize {
        self.0.partition_point(|of| &**of < name)
    }

    pub fn have(&self, name: &str) -> bool {
        self.0.get(self.at(name)).is_some_and(|of| of == name)
    }

    /// Those that stand around a name, and are about as long. Among all of them the nearest might be another one, but a look
    /// at each for each name that is missing would take as long as there are names.
    fn near<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n str> {
        const AROUND: usize = 32;
        let at = self.at(name);
        let those = self.0.get(at.saturating_sub(AROUND)..self.0.len().min(at + AROUND)).unwrap_or_default();
        those.iter().map(|of| &**of).filter(|of| of.len().abs_diff(name.len()) <= of.len().max(3) / 3)
    }
}

/// The names of a kind's objects: which kind is its number.
struct NamesOf<const KIND: usize>(Arc<Names>);

impl<const KIND: usize> Gather for NamesOf<KIND> {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let kind = [SECRETS, CONFIG_MAPS, CLAIMS, SERVICE_ACCOUNTS][KIND];
        Ok(Self(Arc::new(list(around, &kind, Some(namespace))?)))
    }
}

fn names<const KIND: usize>(around: &Around<'_>, namespace: &str) -> Result<Arc<Names>, ContextError> {
    Ok(around.gathered::<NamesOf<KIND>>(namespace)?.0.clone())
}

/// The names of a kind's objects.
fn list(around: &Around<'_>, kind: &Kind<Listed>, namespace: Option<&str>) -> Result<Names, ContextError> {
    let mut names = Vec::new();
    around.each(kind, namespace, &mut |object| names.push(object.text(&["metadata", "name"]).to_owned()))?;
    Ok(names.into_iter().collect())
}
