//! Images in a folder of OCI's layout, as `skopeo copy`, `crane pull --format=oci` and `docker buildx build --output type=oci`
//! leave them (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>).

use std::fs;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest, ImageIndex, ImageManifest, MediaType};

use crate::inputs::reason;

/// The annotations that name an image: the specification's, which may be no more than a tag, and containerd's.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// How deep indexes may lie within each other.
const DEEPEST: usize = 4;

/// A file, and what is wrong with it.
type Fault = (PathBuf, String);

/// The configuration of each image, as JSON, by its names and its digest. Of an image for several platforms it is the first
/// one's: users, ports and environment are those of all.
pub(crate) fn images(folder: &Path) -> Result<Vec<(String, String)>, Fault> {
    let file = folder.join("index.json");
    let index = read(&file, |text| ImageIndex::from_reader(text))?;
    let mut found = Vec::new();
    for descriptor in index.manifests() {
        let annotations = descriptor.annotations().as_ref();
        let names = NAMES.iter().filter_map(|name| annotations?.get(*name));
        let config = config(folder, descriptor, DEEPEST)?;
        for name in names {
            found.push((name.clone(), config.clone()));
            let repository = name.rsplit_once(':').map_or(name.as_str(), |(repository, _)| repository);
            found.push((format!("{repository}@{}", descriptor.digest()), config.clone()));
        }
    }
    Ok(found)
}

fn config(folder: &Path, descriptor: &Descriptor, deepest: usize) -> Result<String, Fault> {
    let file = blob(folder, descriptor.digest());
    if *descriptor.media_type() == MediaType::ImageIndex
        || descriptor.media_type().to_string().ends_with("list.v2+json")
    {
        let index = read(&file, |text| ImageIndex::from_reader(text))?;
        let is_image = |of: &&Descriptor| of.platform().as_ref().is_none_or(|of| of.os().to_string() != "unknown");
        let first = index.manifests().iter().find(is_image);
        return match first.filter(|_| deepest > 0) {
            Some(first) => config(folder, first, deepest - 1),
            None => Err((file, "the index has no image".to_owned())),
        };
    }
    let manifest = read(&file, |text| ImageManifest::from_reader(text))?;
    let file = blob(folder, manifest.config().digest());
    fs::read_to_string(&file).map_err(|error| (file, reason(&error)))
}

fn blob(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs").join(digest.algorithm().to_string()).join(digest.digest())
}

fn read<T>(file: &Path, parse: impl FnOnce(&[u8]) -> oci_spec::Result<T>) -> Result<T, Fault> {
    let bytes = fs::read(file).map_err(|error| (file.to_owned(), reason(&error)))?;
    parse(&bytes).map_err(|error| (file.to_owned(), format!("it is no part of an OCI layout: {error}")))
}
