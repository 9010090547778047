//! Storage is of the class, size and access that the team has decided on, and names a disk and a driver that there can be.

mod source;
mod storage;
mod volume_id;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::node::{Data, Node};
use gatehouse_policy::quantity::Quantity;
use gatehouse_policy::{Context, Path, ReadError, Report, Request, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::storage::{Claim, StatefulSet, Storage, Volume};

rules! {
    /// Finds a volume or claim whose storage class is not one of `classes`. Claims are PersistentVolumeClaims, a
    /// StatefulSet's `volumeClaimTemplates` and the claim templates of a pod's ephemeral volumes.
    ///
    /// A claim that names no class is a finding too: it gets the cluster's default one, and no manifest says which that
    /// is. `storageClassName: ""` is the class of volumes that have none and are made by hand. Where such volumes are
    /// wanted `classes` lists `""`, and claims say so too, whether or not they name their volume by `volumeName`. The
    /// annotation `volume.beta.kubernetes.io/storage-class` goes before the field, as it does in Kubernetes.
    ///
    /// An UPDATE is judged like a CREATE, also when a controller binds or releases what was there before this policy:
    /// run it in monitor mode first, or exempt old objects by name.
    ///
    /// ## Why
    /// The class decides on disks, encryption, backups and costs, and no claim can change it later.
    ///
    /// ## Example
    /// ```yaml
    /// kind: PersistentVolumeClaim
    /// spec:
    ///   accessModes: [ReadWriteOnce]
    ///   resources: {requests: {storage: 500Gi}}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kind: PersistentVolumeClaim
    /// spec:
    ///   storageClassName: fast-ssd
    ///   accessModes: [ReadWriteOnce]
    ///   resources: {requests: {storage: 500Gi}}
    /// ```
    ///
    /// ## Options
    /// `classes`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1>, `GetPersistentVolumeClaimClass` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/helper/helpers.go>
    CLASS = "class": deny;

    /// Finds an access mode, of a volume or claim, that is not one of `accessModes`: one finding a mode.
    /// `ReadWriteOncePod` is allowed where `ReadWriteOnce` is: it promises the volume to a single pod instead of a single
    /// node.
    ///
    /// ## Why
    /// Two nodes that write to a disk made for one destroy its file system; and a claim for `ReadWriteMany` stays pending
    /// for ever where no driver offers it.
    ///
    /// ## Options
    /// `accessModes`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes>
    ACCESS_MODE = "access-mode": deny;

    /// Finds a volume's capacity, or a claim's request or limit of storage, below `min` or above `max`. What is absent
    /// counts as 0 for `min`: the API server makes no such volume or claim. A fraction of a byte, such as `10m`, is a warning
    /// whatever the bounds, as it is to the API server.
    ///
    /// ## Why
    /// A volume can grow but never shrink, and is paid for by its size.
    ///
    /// ## Options
    /// ```yaml
    /// size: {min: 1Gi, max: 1Ti}
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#capacity>, `fractional byte value` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/api/persistentvolumeclaim/util.go>
    SIZE = "size": deny;

    /// Finds a PersistentVolume whose `persistentVolumeReclaimPolicy` is not one of `reclaimPolicies`. Absent it is
    /// `Retain`, for a volume that is made by hand.
    ///
    /// A volume that is made for a claim has the `reclaimPolicy` of its StorageClass, which is `Delete` where the class
    /// says nothing, and it is judged when the provisioner makes it: the class must say what is allowed here.
    ///
    /// ## Why
    /// With `Delete` the disk and its data go with the claim: `kubectl delete pvc` on the wrong one is final.
    ///
    /// ## Options
    /// `reclaimPolicies`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming>, `SetDefaults_PersistentVolume` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go>
    RECLAIM_POLICY = "reclaim-policy": deny;

    /// Finds a volume of a type whose plugin is removed from Kubernetes, or disabled for good (`gitRepo`). Judged are
    /// PersistentVolumes and the `volumes` of pods.
    ///
    /// ## Why
    /// The API still takes all of these types. For `awsElasticBlockStore`, `azureDisk`, `azureFile`, `cinder`,
    /// `gcePersistentDisk`, `portworxVolume` and `vsphereVolume` the in-tree plugin is removed, and the volume works only
    /// through the CSI driver that Kubernetes hands it to: without that driver no pod that uses the volume starts. Volumes
    /// of the other types are handed to nobody, and can no longer be mounted at all.
    ///
    /// ## Example
    /// ```yaml
    /// kind: PersistentVolume
    /// spec:
    ///   awsElasticBlockStore:
    ///     volumeID: vol-0a1b2c3d4e5f60718
    ///     fsType: ext4
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kind: PersistentVolume
    /// spec:
    ///   csi:
    ///     driver: ebs.csi.aws.com
    ///     volumeHandle: vol-0a1b2c3d4e5f60718
    ///     fsType: ext4
    /// ```
    ///
    /// What a volume is made of cannot be changed: a PersistentVolume must be made anew. Set its reclaim policy to
    /// `Retain` before.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/storage/volumes/#volume-types>
    IN_TREE = "in-tree": warn;

    /// Finds a volume that names its disk by what cannot be an id in its cloud. What an id is:
    ///
    /// - `awsElasticBlockStore` and the CSI drivers `ebs.csi.aws.com` and `ebs.csi.eks.amazonaws.com`: `vol-` and 8 or 17
    ///   hexadecimal digits. Only the in-tree type takes `aws://ZONE/` before it.
    /// - `efs.csi.aws.com`: `fs-` and 8 or 17 hexadecimal digits, then `:PATH`, `::ACCESSPOINT`, `:PATH:ACCESSPOINT` or
    ///   nothing. An access point is `fsap-` and as many digits. `efs:` or `s3files:` may stand before it all.
    /// - `gcePersistentDisk`: a name of up to 63 lower case letters, digits and `-`, a letter first and no `-` last.
    /// - `pd.csi.storage.gke.io`: `projects/PROJECT/zones/ZONE/disks/NAME` or `projects/PROJECT/regions/REGION/disks/NAME`.
    /// - `azureDisk` and `disk.csi.azure.com`:
    ///   `/subscriptions/UUID/resourceGroups/GROUP/providers/Microsoft.Compute/disks/NAME`. The in-tree type also takes the
    ///   URL of a blob.
    ///
    /// Handles of other CSI drivers are not judged.
    ///
    /// ## Why
    /// Nobody looks at the id until a pod needs the volume. Then the pod hangs in `ContainerCreating`, and with it the
    /// rollout.
    ///
    /// ## Example
    /// ```yaml
    /// csi:
    ///   driver: ebs.csi.aws.com
    ///   volumeHandle: vol-0a1b2c3d4e5f6g7h8
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// csi:
    ///   driver: ebs.csi.aws.com
    ///   volumeHandle: vol-0a1b2c3d4e5f60718
    /// ```
    ///
    /// ## Reference
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>,
    /// <https://cloud.google.com/compute/docs/naming-resources>,
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
    VOLUME_ID = "volume-id": deny;
}

/// The settings of persistent-storage. What is not set is not judged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PersistentStorage {
    /// The storage classes that volumes and claims may have, as globs. `""` is that of volumes without a class. None:
    /// classes are not judged.
    pub classes: Vec<Glob>,
    /// The access modes that volumes may offer and claims may ask for. `ReadWriteOnce` brings `ReadWriteOncePod` with it.
    /// None: access modes are not judged.
    pub access_modes: Vec<AccessMode>,
    /// Bounds of the size of volumes and claims.
    pub size: Bounds,
    /// What may become of a `PersistentVolume` when its claim is deleted. None: it is not judged.
    pub reclaim_policies: Vec<ReclaimPolicy>,
}

/// Who may mount a volume (<https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// One node, to read and write.
    ReadWriteOnce,
    /// Many nodes, to read.
    ReadOnlyMany,
    /// Many nodes, to read and write.
    ReadWriteMany,
    /// One pod, to read and write.
    ReadWriteOncePod,
}

impl AccessMode {
    fn name(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadOnlyMany => "ReadOnlyMany",
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }

    fn allows(self, mode: &str) -> bool {
        self.name() == mode || (self == Self::ReadWriteOnce && mode == Self::ReadWriteOncePod.name())
    }
}

/// What becomes of a volume when its claim is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// It stays as it is.
    Retain,
    /// It is deleted, with the disk that it stands for.
    Delete,
    /// It is emptied for the next claim: deprecated, and only for NFS and host paths.
    Recycle,
}

impl ReclaimPolicy {
    fn name(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
            Self::Recycle => "Recycle",
        }
    }
}

/// The least and the most.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bounds {
    /// The least; any where absent.
    pub min: Option<Quantity>,
    /// The most; any where absent.
    pub max: Option<Quantity>,
}

impl Settings for PersistentStorage {
    fn validate(&self) -> Result<(), ReadError> {
        if let (Some(min), Some(max)) = (&self.size.min, &self.size.max)
            && min > max
        {
            let reason = format!("{min} is above max, which is {max}");
            return Err(ReadError { path: Path::of(&["size", "min"]), reason });
        }
        Ok(())
    }
}

policy!(PersistentStorage, review);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields<'r>, ContainerFields>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodFields<'r> {
    #[serde(borrow)]
    volumes: Vec<PodVolume<'r>>,
}

#[derive(Default, Deserialize)]
struct ContainerFields {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodVolume<'r> {
    name: &'r str,
    #[serde(borrow)]
    ephemeral: Ephemeral<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ephemeral<'r> {
    #[serde(borrow)]
    volume_claim_template: Option<Claim<'r>>,
}

fn review(
    request: &Request<'_>,
    context: &Context<'_, PersistentStorage>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let settings = context.settings;
    if request.is("", "PersistentVolume") {
        let volume: Volume<'_> = request.object.view()?;
        let storage = Storage { who: "PersistentVolume".to_owned(), path: Path::root(), settings };
        storage.judge_volume(&volume, report);
        if let Some(spec) = request.object.get("spec") {
            source::judge(&storage.who, &Path::of(&["spec"]), spec, report)?;
            source::judge_csi(&storage.who, &Path::of(&["spec"]), spec, report)?;
        }
        return Ok(());
    }
    if request.is("", "PersistentVolumeClaim") {
        let claim: Claim<'_> = request.object.view()?;
        let storage = Storage { who: "PersistentVolumeClaim".to_owned(), path: Path::root(), settings };
        storage.judge_claim(&claim, report);
        return Ok(());
    }
    if request.is("apps", "StatefulSet") {
        let set: StatefulSet<'_> = request.object.view()?;
        for (index, template) in set.spec.volume_claim_templates.iter().enumerate() {
            let path = Path::of(&["spec", "volumeClaimTemplates"]).index(index);
            let storage = Storage { who: named("claim template", template.metadata.name, &path), path, settings };
            storage.judge_claim(template, report);
        }
    }
    for pod in Pod::read(request, context.exempt)? {
        for (index, (volume, node)) in pod.volumes.iter().zip(volume_nodes(&pod)).enumerate() {
            let path = pod.at(&["volumes"]).index(index);
            let who = named("volume", volume.name, &path);
            source::judge(&who, &path, node, report)?;
            if let Some(template) = &volume.ephemeral.volume_claim_template {
                let path = path.key("ephemeral").key("volumeClaimTemplate");
                Storage { who, path, settings }.judge_claim(template, report);
            }
        }
    }
    Ok(())
}

/// `volume data`; one without a name is told by its path.
fn named(sort: &str, name: &str, path: &Path) -> String {
    if name.is_empty() { format!("{sort} {path}") } else { format!("{sort} {name}") }
}

/// The volumes of a pod as they stand: a volume's type is the name of a member.
fn volume_nodes<'r>(pod: &Pod<'r>) -> &'r [Node<'r>] {
    match pod.node().get("volumes").map(|volumes| &volumes.data) {
        Some(Data::Array(nodes)) => nodes,
        _ => &[],
    }
}
