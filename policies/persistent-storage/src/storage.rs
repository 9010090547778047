//! What volumes and claims have in common: a class, access modes and a size.

use gatehouse_policy::quantity::Quantity;
use gatehouse_policy::{Level, Metadata, Path, Report, glob};
use serde::Deserialize;

use crate::{ACCESS_MODE, AccessMode, CLASS, PersistentStorage, RECLAIM_POLICY, ReclaimPolicy, SIZE};

/// The annotation that named the class before there was a field, and still goes before it
/// (`v1.BetaStorageClassAnnotation` in `k8s.io/api/core/v1/types.go`).
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Volume<'r> {
    #[serde(borrow)]
    metadata: Metadata<'r>,
    spec: VolumeSpec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct VolumeSpec<'r> {
    storage_class_name: &'r str,
    #[serde(borrow)]
    access_modes: Vec<&'r str>,
    capacity: Amounts,
    persistent_volume_reclaim_policy: &'r str,
}

/// A claim, or the template of one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Claim<'r> {
    #[serde(borrow)]
    pub metadata: Metadata<'r>,
    spec: ClaimSpec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimSpec<'r> {
    storage_class_name: Option<&'r str>,
    #[serde(borrow)]
    access_modes: Vec<&'r str>,
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: Amounts,
    limits: Amounts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Amounts {
    storage: Option<Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct StatefulSet<'r> {
    #[serde(borrow)]
    pub spec: StatefulSetSpec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatefulSetSpec<'r> {
    #[serde(borrow)]
    pub volume_claim_templates: Vec<Claim<'r>>,
}

/// A volume, a claim or a claim's template: who is judged, where it is, and by what.
pub struct Storage<'s> {
    pub who: String,
    pub path: Path,
    pub settings: &'s PersistentStorage,
}

impl Storage<'_> {
    pub fn judge_volume(&self, volume: &Volume<'_>, report: &mut Report<'_>) {
        let spec = &volume.spec;
        // A volume without a class is one of the class "" (`GetPersistentVolumeClass` in
        // `k8s.io/kubernetes/pkg/apis/core/v1/helper`).
        self.judge_class(&volume.metadata, Some(spec.storage_class_name), report);
        self.judge_access_modes(&spec.access_modes, report);
        self.judge_size(&["spec", "capacity", "storage"], "capacity", spec.capacity.storage.as_ref(), report);
        self.judge_reclaim_policy(spec.persistent_volume_reclaim_policy, report);
    }

    pub fn judge_claim(&self, claim: &Claim<'_>, report: &mut Report<'_>) {
        let Resources { requests, limits } = &claim.spec.resources;
        self.judge_class(&claim.metadata, claim.spec.storage_class_name, report);
        self.judge_access_modes(&claim.spec.access_modes, report);
        self.judge_size(&["spec", "resources", "requests", "storage"], "request", requests.storage.as_ref(), report);
        if let Some(limit) = &limits.storage {
            self.judge_size(&["spec", "resources", "limits", "storage"], "limit", Some(limit), report);
        }
    }

    fn at(&self, fields: &[&'static str]) -> Path {
        self.path.clone().join(Path::of(fields))
    }

    fn judge_class(&self, metadata: &Metadata<'_>, named: Option<&str>, report: &mut Report<'_>) {
        let classes = &self.settings.classes;
        if classes.is_empty() {
            return;
        }
        let (path, class) = match metadata.annotations.get(CLASS_ANNOTATION) {
            Some(class) => (self.at(&["metadata", "annotations", CLASS_ANNOTATION]), Some(*class)),
            None => (self.at(&["spec", "storageClassName"]), named),
        };
        let found = match class {
            Some(class) if glob::any(classes, class) => return,
            Some("") => "storage class is \"\", which is none".to_owned(),
            Some(class) => format!("storage class is {class:?}"),
            None => "no storage class is named, the cluster's default one applies".to_owned(),
        };
        let expected = one_of(classes.iter().map(glob::Glob::as_str));
        report.add(&CLASS, path, || format!("{}: {found}, expected {expected}", self.who));
    }

    fn judge_access_modes(&self, modes: &[&str], report: &mut Report<'_>) {
        let allowed = &self.settings.access_modes;
        for (index, mode) in modes.iter().enumerate() {
            if allowed.is_empty() || allowed.iter().any(|allowed| allowed.allows(mode)) {
                continue;
            }
            let expected = one_of(allowed.iter().copied().map(AccessMode::name));
            let message = || format!("{}: access mode is {mode:?}, expected {expected}", self.who);
            report.add(&ACCESS_MODE, self.at(&["spec", "accessModes"]).index(index), message);
        }
    }

    fn judge_size(&self, field: &[&'static str], what: &str, size: Option<&Quantity>, report: &mut Report<'_>) {
        let (level, expected) = match (size, &self.settings.size.min, &self.settings.size.max) {
            (None, Some(min), _) => (Level::Deny, format!("at least {min}")),
            (Some(size), Some(min), _) if size < min => (Level::Deny, format!("at least {min}")),
            (Some(size), _, Some(max)) if size > max => (Level::Deny, format!("at most {max}")),
            (Some(size), ..) if size.nanos() % NANOS_PER_BYTE != 0 => {
                (Level::Warn, "whole bytes, such as 10Gi".to_owned())
            }
            _ => return,
        };
        let found = size.map_or_else(|| "not set".to_owned(), ToString::to_string);
        let message = || format!("{}: storage {what} is {found}, expected {expected}", self.who);
        report.add_as(level, &SIZE, self.at(field), message);
    }

    fn judge_reclaim_policy(&self, policy: &str, report: &mut Report<'_>) {
        let allowed = &self.settings.reclaim_policies;
        let effective = if policy.is_empty() { ReclaimPolicy::Retain.name() } else { policy };
        if allowed.is_empty() || allowed.iter().any(|allowed| allowed.name() == effective) {
            return;
        }
        let absent = if policy.is_empty() { " by default" } else { "" };
        let expected = one_of(allowed.iter().copied().map(ReclaimPolicy::name));
        let message = format!("{}: reclaim policy is {effective:?}{absent}, expected {expected}", self.who);
        report.add(&RECLAIM_POLICY, self.at(&["spec", "persistentVolumeReclaimPolicy"]), message);
    }
}

const NANOS_PER_BYTE: i128 = 1_000_000_000;

/// What is allowed, as a message has it.
fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.map(|name| if name.is_empty() { "\"\"" } else { name }).collect();
    names.join(" or ")
}
