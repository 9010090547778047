//! What a pod holds that no second one can hold at the same time.

use std::collections::BinaryHeap;
use std::fmt::{self, Display};

use gatehouse_policy::Members;
use gatehouse_policy::glob::{self, Glob};
use serde::Deserialize as View;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Folders of the node itself, which pods look into rather than keep their own in.
const SYSTEM: &[&str] = &["/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/usr", "/var/log", "/var/run"];

/// Names of GPUs as resources (<https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/>). Those that pods share have
/// names of their own, such as `nvidia.com/gpu.shared`.
const GPUS: &[&str] = &["amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe", "nvidia.com/gpu"];

/// A thing that one pod holds.
pub enum Held<'r> {
    Claim(&'r str),
    Disk(&'r str),
    HostPath(&'r str),
    HostPort(i32),
    Gpu(&'r str),
}

impl Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(name) => write!(f, "the claim {name}"),
            Self::Disk(volume) => write!(f, "the disk of volume {volume}"),
            Self::HostPath(path) => write!(f, "the hostPath {path}"),
            Self::HostPort(port) => write!(f, "the hostPort {port}"),
            Self::Gpu(resource) => write!(f, "the {resource}"),
        }
    }
}

/// What a pod's spec says of what its pods hold.
#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
pub struct Holdings<'r> {
    host_network: bool,
    #[serde(borrow)]
    containers: Vec<Container<'r>>,
    #[serde(borrow)]
    init_containers: Vec<Container<'r>>,
    #[serde(borrow)]
    volumes: Vec<Volume<'r>>,
}

impl<'r> Holdings<'r> {
    /// A port of the node that a pod takes, if any: two such pods are never on one node. An init container has ended by then,
    /// unless it is a sidecar (`GetHostPorts` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/util/utils.go>). In the network of the node every
    /// port of a container is one of the node (`SetDefaults_Pod` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go>).
    pub fn host_port(&self) -> Option<i32> {
        let sidecars = self.init_containers.iter().filter(|container| container.restart_policy == "Always");
        let ports = sidecars.chain(&self.containers).flat_map(|container| &container.ports);
        let on_node = |port: &ContainerPort| {
            if port.host_port == 0 && self.host_network { port.container_port } else { port.host_port }
        };
        ports.map(on_node).find(|port| *port > 0)
    }

    /// What a pod holds, if anything. Of a claim only the name is in sight: it counts as one that a single node can hold,
    /// unless it is among those that are shared. What is only read may be either, so it is for the caller to say.
    pub fn held(&self, shared_claims: &[Glob], also_read: bool) -> Option<Held<'r>> {
        self.volumes
            .iter()
            .find_map(|volume| volume.held(shared_claims, also_read))
            .or_else(|| self.host_path())
            .or_else(|| self.host_port().map(Held::HostPort))
            .or_else(|| self.gpu().map(Held::Gpu))
    }

    /// A folder of the node that a container writes into.
    fn host_path(&self) -> Option<Held<'r>> {
        let containers = self.init_containers.iter().chain(&self.containers);
        let mounts = containers.flat_map(|container| &container.volume_mounts).filter(|mount| !mount.read_only);
        let written = mounts.map(|mount| mount.name).collect::<BinaryHeap<_>>().into_sorted_vec();
        let is_written = |volume: &&Volume<'r>| written.binary_search(&volume.name).is_ok();
        let paths = self.volumes.iter().filter(is_written).filter_map(|volume| volume.host_path.as_ref());
        paths.filter(|of| of.is_own()).map(|of| Held::HostPath(of.path)).next()
    }

    fn gpu(&self) -> Option<&'r str> {
        let containers = self.init_containers.iter().chain(&self.containers);
        let mut limits = containers.flat_map(|container| container.resources.limits.iter());
        let is_gpu = |name: &str| GPUS.contains(&name) || name.starts_with("nvidia.com/mig-");
        limits.find(|(name, amount)| is_gpu(name) && amount.0).map(|(name, _)| *name)
    }
}

#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
struct Container<'r> {
    restart_policy: &'r str,
    ports: Vec<ContainerPort>,
    #[serde(borrow)]
    volume_mounts: Vec<VolumeMount<'r>>,
    #[serde(borrow)]
    resources: ResourceRequirements<'r>,
}

#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
struct ContainerPort {
    container_port: i32,
    host_port: i32,
}

#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
struct VolumeMount<'r> {
    name: &'r str,
    read_only: bool,
}

#[derive(Default, View)]
#[serde(default)]
struct ResourceRequirements<'r> {
    #[serde(borrow)]
    limits: Members<&'r str, IsAny>,
}

/// Whether an amount is more than none: all that counts of it.
struct IsAny(bool);

impl<'de> Deserialize<'de> for IsAny {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;

        impl Visitor<'_> for AmountVisitor {
            type Value = IsAny;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount")
            }

            fn visit_unit<E: de::Error>(self) -> Result<IsAny, E> {
                Ok(IsAny(false))
            }

            fn visit_u64<E: de::Error>(self, amount: u64) -> Result<IsAny, E> {
                Ok(IsAny(amount > 0))
            }

            fn visit_i64<E: de::Error>(self, amount: i64) -> Result<IsAny, E> {
                Ok(IsAny(amount > 0))
            }

            fn visit_f64<E: de::Error>(self, amount: f64) -> Result<IsAny, E> {
                Ok(IsAny(amount > 0.0))
            }

            fn visit_str<E: de::Error>(self, amount: &str) -> Result<IsAny, E> {
                Ok(IsAny(amount.bytes().any(|digit| matches!(digit, b'1'..=b'9'))))
            }
        }

        deserializer.deserialize_any(AmountVisitor)
    }
}

/// The volumes that a single pod or node can hold; those of the other kinds are shared, or are each pod's own.
#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
struct Volume<'r> {
    name: &'r str,
    #[serde(borrow)]
    persistent_volume_claim: Option<PersistentVolumeClaim<'r>>,
    #[serde(borrow)]
    host_path: Option<HostPath<'r>>,
    aws_elastic_block_store: Option<Disk>,
    azure_disk: Option<Disk>,
    cinder: Option<Disk>,
    fc: Option<Disk>,
    gce_persistent_disk: Option<Disk>,
    iscsi: Option<Disk>,
    rbd: Option<Disk>,
    #[serde(rename = "vsphereVolume")]
    vsphere: Option<Disk>,
}

impl<'r> Volume<'r> {
    /// The claim or the disk that it is.
    fn held(&self, shared_claims: &[Glob], also_read: bool) -> Option<Held<'r>> {
        let counts = |read_only: bool| also_read || !read_only;
        if let Some(claim) = &self.persistent_volume_claim {
            let is_shared = glob::any(shared_claims, claim.claim_name);
            return (counts(claim.read_only) && !is_shared).then_some(Held::Claim(claim.claim_name));
        }
        let disks = [
            &self.aws_elastic_block_store,
            &self.azure_disk,
            &self.cinder,
            &self.fc,
            &self.gce_persistent_disk,
            &self.iscsi,
            &self.rbd,
            &self.vsphere,
        ];
        disks.into_iter().flatten().any(|disk| counts(disk.read_only)).then_some(Held::Disk(self.name))
    }
}

#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
struct PersistentVolumeClaim<'r> {
    claim_name: &'r str,
    read_only: bool,
}

#[derive(Default, View)]
#[serde(default, rename_all = "camelCase")]
struct Disk {
    read_only: bool,
}

#[derive(Default, View)]
#[serde(default)]
struct HostPath<'r> {
    path: &'r str,
    r#type: &'r str,
}

impl HostPath<'_> {
    /// Whether pods keep their own there: it is neither a socket or device, which many use, nor the node's.
    fn is_own(&self) -> bool {
        let is_below = |folder: &&str| {
            self.path.strip_prefix(*folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !matches!(self.r#type, "Socket" | "CharDevice" | "BlockDevice") && !SYSTEM.iter().any(is_below)
    }
}
