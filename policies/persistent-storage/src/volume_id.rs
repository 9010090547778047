//! The ids that clouds give their disks.

use gatehouse_policy::{Node, Path, ReadError, Report};

use crate::VOLUME_ID;

/// How volumes of a type name their disk.
pub struct Id {
    field: &'static str,
    accepts: fn(&str) -> bool,
    /// What an id looks like, for messages.
    expected: &'static str,
}

impl Id {
    /// Judges the id that a volume's source gives. An absent one is empty, and as good as a wrong one.
    pub fn judge(&self, who: &str, at: &Path, source: &Node<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
        let Self { field, accepts, expected } = *self;
        let path = at.clone().key(field);
        let id = match source.get(field) {
            Some(id) => id.view::<&str>().map_err(|error| error.below(&path))?,
            None => "",
        };
        if !accepts(id) {
            report.add(&VOLUME_ID, path, format!("{who}: {field} is {id:?}, expected {expected}"));
        }
        Ok(())
    }
}

const EBS: &str = "vol- and 8 or 17 hexadecimal digits";
const AZURE_DISK: &str = "/subscriptions/UUID/resourceGroups/GROUP/providers/Microsoft.Compute/disks/NAME";

/// How in-tree volumes of a type name their disk; `None` for a type whose ids can be anything.
pub fn of_type(field: &str) -> Option<Id> {
    match field {
        "awsElasticBlockStore" => Some(Id { field: "volumeID", accepts: is_in_tree_ebs, expected: EBS }),
        "gcePersistentDisk" => Some(Id {
            field: "pdName",
            accepts: is_gce_name,
            expected: "up to 63 lower case letters, digits and '-', a letter first and no '-' last",
        }),
        "azureDisk" => Some(Id {
            field: "diskURI",
            accepts: |uri| is_azure_disk(uri) || is_azure_blob(uri),
            expected: "/subscriptions/UUID/resourceGroups/GROUP/providers/Microsoft.Compute/disks/NAME or the URL of a blob",
        }),
        _ => None,
    }
}

/// How the volumes of a CSI driver name their disk; `None` for a driver whose handles are not known here.
pub fn of_driver(driver: &str) -> Option<Id> {
    let (accepts, expected): (fn(&str) -> bool, _) = match driver {
        // The second is that of EKS Auto Mode.
        "ebs.csi.aws.com" | "ebs.csi.eks.amazonaws.com" => (is_ebs, EBS),
        "efs.csi.aws.com" => (is_efs, "fs- and 8 or 17 hexadecimal digits, perhaps with :PATH:ACCESSPOINT"),
        "pd.csi.storage.gke.io" => (is_gce_handle, "projects/PROJECT/zones/ZONE/disks/NAME or the same with regions"),
        "disk.csi.azure.com" => (is_azure_disk, AZURE_DISK),
        _ => return None,
    };
    Some(Id { field: "volumeHandle", accepts, expected })
}

/// An id of AWS: a prefix and 8 hexadecimal digits, or 17 since 2016
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).
fn is_aws(prefix: &str, id: &str) -> bool {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    id.strip_prefix(prefix).is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(is_digit))
}

fn is_ebs(id: &str) -> bool {
    is_aws("vol-", id)
}

/// The in-tree type takes a URL too, with the zone or nothing for its host (`KubernetesVolumeIDToEBSVolumeID` in
/// `k8s.io/csi-translation-lib/plugins/aws_ebs.go`).
fn is_in_tree_ebs(id: &str) -> bool {
    match id.strip_prefix("aws://") {
        Some(rest) => rest.split_once('/').is_some_and(|(_, path)| is_ebs(path.trim_matches('/'))),
        None => is_ebs(id),
    }
}

/// A file system, a path in it and an access point, the last two empty or left out; before them may stand of which service the
/// file system is
/// (`parseVolumeId` in <https://github.com/kubernetes-sigs/aws-efs-csi-driver/blob/master/pkg/driver/node.go>).
fn is_efs(handle: &str) -> bool {
    let service = handle.strip_prefix("s3files:").or_else(|| handle.strip_prefix("efs:"));
    let mut parts = service.unwrap_or(handle).split(':');
    parts.next().is_some_and(|id| is_aws("fs-", id))
        && parts.nth(1).is_none_or(|id| id.is_empty() || is_aws("fsap-", id))
        && parts.next().is_none()
}

/// The name of a disk (<https://cloud.google.com/compute/docs/naming-resources>).
fn is_gce_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// `VolumeIDToKey` in
/// <https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver/blob/master/pkg/common/utils.go>. Project
/// and zone may be `UNSPECIFIED`.
fn is_gce_handle(handle: &str) -> bool {
    let parts: Vec<&str> = handle.split('/').collect();
    matches!(*parts, ["projects", project, "zones" | "regions", place, "disks", name]
        if !project.is_empty() && !place.is_empty() && is_gce_name(name))
}

/// A managed disk by its resource id, whose letters' case does not matter. The CSI driver takes nothing else (`IsValidDiskURI`
/// in <https://github.com/kubernetes-sigs/azuredisk-csi-driver/blob/master/pkg/azureutils/azure_disk_utils.go>).
fn is_azure_disk(uri: &str) -> bool {
    let lower = uri.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    matches!(*parts, ["", "subscriptions", uuid, "resourcegroups", group, "providers", "microsoft.compute", "disks", name]
        if is_uuid(uuid) && !group.is_empty() && is_azure_name(name))
}

/// An unmanaged disk by the URL of its blob, as the in-tree type takes it
/// (`validateAzureDisk` in `k8s.io/kubernetes/pkg/apis/core/validation/validation.go`). Which of the two goes with the
/// volume's `kind` is the API server's to say.
fn is_azure_blob(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    matches!(*parts, ["http:" | "https:", "", host, _, ..] if !host.is_empty() && !lower.ends_with('/'))
}

/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftcompute>
fn is_azure_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=80).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is_id: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for id in good {
            assert!(is_id(id), "{id}");
        }
        for id in bad {
            assert!(!is_id(id), "{id}");
        }
    }

    #[test]
    fn ebs() {
        let both = ["vol-0a1b2c3d", "vol-0a1b2c3d4e5f60718"];
        let neither =
            ["", "vol-", "vol-0a1b2c3", "vol-0a1b2c3d4", "vol-0a1b2c3d4e5f6g7h8", "vol-0A1B2C3D", "VOL-0a1b2c3d"];
        check(is_ebs, &both, &neither);
        check(is_in_tree_ebs, &both, &neither);
        let urls = ["aws://us-east-1a/vol-0a1b2c3d", "aws:///vol-0a1b2c3d4e5f60718", "aws://eu-west-1b//vol-0a1b2c3d/"];
        check(is_ebs, &[], &urls);
        let wrong =
            ["aws://vol-0a1b2c3d", "aws://us-east-1a/", "aws:/us-east-1a/vol-0a1b2c3d", "aws://a/b/vol-0a1b2c3d"];
        check(is_in_tree_ebs, &urls, &wrong);
    }

    #[test]
    fn efs() {
        let good = [
            "fs-0a1b2c3d",
            "fs-0a1b2c3d4e5f60718",
            "fs-0a1b2c3d:/data",
            "fs-0a1b2c3d::",
            "fs-0a1b2c3d:/data:",
            "fs-0a1b2c3d::fsap-0a1b2c3d4e5f60718",
            "fs-0a1b2c3d:/data:fsap-0a1b2c3d4e5f60718",
            "efs:fs-0a1b2c3d4e5f60718",
            "s3files:fs-0a1b2c3d4e5f60718",
            "s3files:fs-0a1b2c3d4e5f60718::fsap-0a1b2c3d4e5f60718",
        ];
        let bad = [
            "",
            "fs-",
            "fs-0a1b2c3x",
            "fsap-0a1b2c3d4e5f60718",
            "efs:s3files:fs-0a1b2c3d",
            "fs-0a1b2c3d:/data:/more",
            "fs-0a1b2c3d::fsap-0a1b2c3d4e5f60718:more",
            "fs-0a1b2c3d.efs.us-east-1.amazonaws.com",
        ];
        check(is_efs, &good, &bad);
    }

    #[test]
    fn gce() {
        let longest = format!("a{}", "b".repeat(62));
        check(
            is_gce_name,
            &["a", "my-data-disk", "pvc-0259a8b1-e797", &longest],
            &["", "-a", "a-", "1a", "My-disk", "my_disk", "zones/z/disks/a", &format!("{longest}b")],
        );
        let good = [
            "projects/herald/zones/europe-west1-b/disks/data",
            "projects/herald/regions/europe-west1/disks/data",
            "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/data",
            "projects/example.com:herald/zones/z/disks/data",
        ];
        let bad = [
            "",
            "data",
            "projects/herald/zones/europe-west1-b/disks/Data",
            "projects/herald/zones/europe-west1-b/disks/",
            "projects//zones/europe-west1-b/disks/data",
            "projects/herald/zones//disks/data",
            "projects/herald/places/p/disks/data",
            "projects/herald/zones/z/instances/data",
            "/projects/herald/zones/z/disks/data",
            "projects/herald/zones/z/disks/data/",
        ];
        check(is_gce_handle, &good, &bad);
    }

    #[test]
    fn azure() {
        let start = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590";
        let good = [
            format!("{start}/resourceGroups/rg/providers/Microsoft.Compute/disks/data_1.vhd"),
            format!("{start}/resourcegroups/MC_rg (x)/providers/microsoft.compute/disks/data").to_uppercase(),
        ];
        let blob = "https://account.blob.core.windows.net/vhds/data.vhd";
        let no_blobs = [
            "https://account.blob.core.windows.net",
            "https://account.blob.core.windows.net/",
            "https:///vhds/data.vhd",
        ];
        check(is_azure_blob, &[blob], &no_blobs);
        let bad = [
            String::new(),
            "data".to_owned(),
            blob.to_owned(),
            format!("{start}x/resourceGroups/rg/providers/Microsoft.Compute/disks/data"),
            "/subscriptions/{sub}/resourceGroups/rg/providers/Microsoft.Compute/disks/data".to_owned(),
            format!("{start}/resourceGroups/rg/providers/Microsoft.Compute/disks/"),
            format!("{start}/resourceGroups/rg/providers/Microsoft.Compute/disks/a b"),
            format!("{start}/resourceGroups//providers/Microsoft.Compute/disks/data"),
            format!("{start}/resourceGroups/rg/providers/Microsoft.Compute/snapshots/data"),
            format!("{}/resourceGroups/rg/providers/Microsoft.Compute/disks/data", &start[1..]),
        ];
        check(is_azure_disk, &good.each_ref().map(String::as_str), &bad.each_ref().map(String::as_str));
    }
}
