//! Patches of Kustomize: pieces of objects, which say nothing alone. What they make of an object is known when they are laid
//! over it, as `kubectl kustomize` does.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use gatehouse_manifest::{Format, decode, read};
use gatehouse_policy::Node;
use gatehouse_policy::node::Data;

use crate::document::KUSTOMIZATION;
use crate::inputs::Input;

/// The files that are patches, each with the folder whose kustomization names it.
#[derive(Clone, Debug, Default)]
pub struct Patches(HashMap<PathBuf, PathBuf>);

impl Patches {
    /// Reads the kustomizations of the folders of files and of those above them, up to the repository's
    /// (<https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>).
    #[must_use]
    pub fn of(inputs: &[Input]) -> Self {
        let mut seen = HashSet::new();
        let mut patches = HashMap::new();
        let mut resources = HashSet::new();
        for folder in inputs.iter().filter_map(|input| input.path()?.parent()) {
            for folder in upwards(folder) {
                if !seen.insert(folder.clone()) {
                    break;
                }
                for name in KUSTOMIZATION {
                    let Ok(bytes) = fs::read(folder.join(name)) else { continue };
                    let named = named(&bytes);
                    let files = |paths: &[String]| -> Vec<PathBuf> {
                        paths.iter().filter_map(|path| folder.join(path).canonicalize().ok()).collect()
                    };
                    patches.extend(files(&named.patches).into_iter().map(|file| (file, folder.clone())));
                    resources.extend(files(&named.resources));
                }
                if folder.join(".git").exists() {
                    break;
                }
            }
        }
        patches.retain(|file, _| !resources.contains(file));
        Self(patches)
    }

    /// The folder whose kustomization names a file as a patch.
    pub(crate) fn folder(&self, file: &FilePath) -> Option<&FilePath> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&file.canonicalize().ok()?).map(PathBuf::as_path)
    }
}

/// A folder and those above it, as far as possible by the names by which it was given.
fn upwards(folder: &FilePath) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = folder
        .ancestors()
        .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
        .collect();
    if folder.is_relative()
        && !folder.starts_with("..")
        && let Ok(here) = std::env::current_dir()
    {
        folders.extend(here.ancestors().skip(1).map(FilePath::to_owned));
    }
    folders
}

/// What a kustomization names.
#[derive(Default)]
struct Named {
    patches: Vec<String>,
    resources: Vec<String>,
}

fn named(bytes: &[u8]) -> Named {
    let mut named = Named::default();
    let Ok(text) = decode(bytes) else { return named };
    for document in read(&text, Format::Detect).filter_map(Result::ok) {
        let items = |field: &str| match document.node.get(field).map(|field| &field.data) {
            Some(Data::Array(items)) => &items[..],
            _ => &[],
        };
        let text = |node: &Node<'_>| node.as_str().map(str::to_owned);
        named.resources.extend(items("resources").iter().filter_map(text));
        for field in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
            // A patch is a file, or else the patch itself.
            let paths = items(field).iter().filter_map(|item| text(item.get("path").unwrap_or(item)));
            named.patches.extend(paths.filter(|path| !path.contains('\n')));
        }
    }
    named
}
