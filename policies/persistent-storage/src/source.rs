//! What volumes are made of: the member of a `PersistentVolume`'s spec, or of a pod's volume, that names the plugin.

use gatehouse_policy::{Node, Path, ReadError, Report};
use serde::Deserialize;

use crate::{IN_TREE, volume_id};

/// A type of volume whose plugin is no longer part of Kubernetes.
struct Plugin {
    /// The type's name in a manifest.
    field: &'static str,
    /// The release that came without the plugin.
    removed: &'static str,
    fate: Fate,
}

/// What becomes of volumes of such a type.
enum Fate {
    /// Kubernetes hands them to this CSI driver (`k8s.io/csi-translation-lib/plugins`).
    Migrated(&'static str),
    /// They cannot be mounted; this CSI driver is for the same storage.
    Succeeded(&'static str),
    /// They cannot be mounted.
    Gone,
    /// As [`Self::Gone`], though the plugin's code is still there.
    Disabled,
}

/// Every such type. The releases are those of the pull requests to kubernetes/kubernetes that removed the plugins, and
/// those that the API server's own warnings name for the types that are not migrated
/// (<https://github.com/kubernetes/kubernetes/blob/master/pkg/api/pod/warnings.go>,
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/api/persistentvolume/util.go>).
const PLUGINS: &[Plugin] = &[
    // https://github.com/kubernetes/kubernetes/pull/115838
    plugin("awsElasticBlockStore", "1.27", Fate::Migrated("ebs.csi.aws.com")),
    // https://github.com/kubernetes/kubernetes/pull/116301
    plugin("azureDisk", "1.27", Fate::Migrated("disk.csi.azure.com")),
    // https://github.com/kubernetes/kubernetes/pull/122576
    plugin("azureFile", "1.30", Fate::Migrated("file.csi.azure.com")),
    plugin("cephfs", "1.31", Fate::Succeeded("cephfs.csi.ceph.com")),
    // https://github.com/kubernetes/kubernetes/pull/67782
    plugin("cinder", "1.26", Fate::Migrated("cinder.csi.openstack.org")),
    plugin("flocker", "1.25", Fate::Gone),
    // https://github.com/kubernetes/kubernetes/pull/117055
    plugin("gcePersistentDisk", "1.28", Fate::Migrated("pd.csi.storage.gke.io")),
    // https://github.com/kubernetes/kubernetes/pull/136400
    plugin("gitRepo", "1.36", Fate::Disabled),
    plugin("glusterfs", "1.26", Fate::Gone),
    plugin("photonPersistentDisk", "1.16", Fate::Gone),
    // https://github.com/kubernetes/kubernetes/pull/135322
    plugin("portworxVolume", "1.36", Fate::Migrated("pxd.portworx.com")),
    plugin("quobyte", "1.25", Fate::Succeeded("csi.quobyte.com")),
    plugin("rbd", "1.31", Fate::Succeeded("rbd.csi.ceph.com")),
    plugin("scaleIO", "1.22", Fate::Succeeded("csi-vxflexos.dellemc.com")),
    plugin("storageos", "1.25", Fate::Gone),
    // https://github.com/kubernetes/kubernetes/pull/122090
    plugin("vsphereVolume", "1.30", Fate::Migrated("csi.vsphere.vmware.com")),
];

const fn plugin(field: &'static str, removed: &'static str, fate: Fate) -> Plugin {
    Plugin { field, removed, fate }
}

impl Plugin {
    fn message(&self) -> String {
        let Self { field, removed, .. } = self;
        let gone = format!("the in-tree plugin of {field} is removed since Kubernetes {removed}");
        match self.fate {
            Fate::Migrated(driver) => format!("{gone}; works only through the CSI driver {driver}"),
            Fate::Succeeded(driver) => format!("{gone}; nothing can mount it, expected the CSI driver {driver}"),
            Fate::Gone => format!("{gone}; nothing can mount it, expected another volume"),
            Fate::Disabled => format!(
                "{field} is disabled for good since Kubernetes {removed}; nothing can mount it, expected an init \
                 container that clones the repository"
            ),
        }
    }
}

/// A source that is there, whatever it says: its type is checked.
#[derive(Deserialize)]
struct Source {}

/// Judges the plugin that a volume is of, and the disk that it names.
pub fn judge(who: &str, at: &Path, volume: &Node<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    for plugin in PLUGINS {
        let Some(source) = volume.get(plugin.field) else { continue };
        let at = at.clone().key(plugin.field);
        source.view::<Source>().map_err(|error| error.below(&at))?;
        report.add(&IN_TREE, at.clone(), || format!("{who}: {}", plugin.message()));
        if let Some(id) = volume_id::of_type(plugin.field) {
            id.judge(who, &at, source, report)?;
        }
    }
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Csi<'r> {
    driver: &'r str,
}

/// Judges the disk that a `PersistentVolume` of a CSI driver names. A pod's own `csi` volume names none.
pub fn judge_csi(who: &str, at: &Path, spec: &Node<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    let Some(source) = spec.get("csi") else { return Ok(()) };
    let at = at.clone().key("csi");
    let csi: Csi<'_> = source.view().map_err(|error| error.below(&at))?;
    match volume_id::of_driver(csi.driver) {
        Some(id) => id.judge(who, &at, source, report),
        None => Ok(()),
    }
}
