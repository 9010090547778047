//! The volumes that the operator makes for a cluster.

use gatehouse_policy::{Path, Report, glob};

use crate::cluster::{Claim, Spec};
use crate::{RedisCluster, STORAGE_CLASS};

pub fn judge(spec: &Spec<'_>, settings: &RedisCluster, report: &mut Report<'_>) {
    let Some(storage) = &spec.storage else { return };
    let node_conf = storage.node_conf_volume_claim_template.as_ref().filter(|_| storage.node_conf_volume);
    for (field, claim) in
        [("volumeClaimTemplate", storage.volume_claim_template.as_ref()), ("nodeConfVolumeClaimTemplate", node_conf)]
    {
        if let Some(claim) = claim {
            judge_claim(field, claim, settings, report);
        }
    }
}

/// The operator makes claims of the template's spec, and annotations of its own (`createPVCTemplate`): the field alone
/// decides.
fn judge_claim(field: &'static str, claim: &Claim<'_>, settings: &RedisCluster, report: &mut Report<'_>) {
    let classes = &settings.classes;
    let found = match claim.spec.storage_class_name {
        _ if classes.is_empty() => return,
        Some(class) if glob::any(classes, class) => return,
        Some(class) => format!("storage class is {class:?}"),
        None => "no storage class is named, the cluster's default one applies".to_owned(),
    };
    let expected: Vec<&str> =
        classes.iter().map(|class| if class.as_str().is_empty() { "\"\"" } else { class.as_str() }).collect();
    let path = Path::of(&["spec", "storage", field, "spec", "storageClassName"]);
    report.add(&STORAGE_CLASS, path, || format!("{field}: {found}, expected {}", expected.join(" or ")));
}
