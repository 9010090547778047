//! What kustomizations say of the files around them: which are patches, pieces of objects that say nothing until `kubectl
//! kustomize` lays them over one, and which objects are generated.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use gatehouse_engine::Piece;
use gatehouse_manifest::{Format, decode, read};
use gatehouse_policy::Node;
use gatehouse_policy::node::Data;

use crate::document::KUSTOMIZATION;
use crate::inputs::Input;

/// What kustomizations say of the files that are checked.
#[derive(Clone, Debug, Default)]
pub struct Kustomizations {
    /// The files that are patches, each with the folder whose kustomization names it.
    patches: HashMap<PathBuf, PathBuf>,
    /// The Secrets and `ConfigMap`s that are generated, by kind and name. In which namespace is decided elsewhere.
    generated: BTreeSet<(&'static str, String)>,
}

impl Kustomizations {
    /// Reads the kustomizations of the folders of files and of those above them, up to the repository's
    /// (<https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>).
    #[must_use]
    pub fn of(inputs: &[Input]) -> Self {
        let mut seen = HashSet::new();
        let mut patches = HashMap::new();
        let mut resources = HashSet::new();
        let mut generated = BTreeSet::new();
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
                    generated.extend(named.generated);
                }
                if folder.join(".git").exists() {
                    break;
                }
            }
        }
        patches.retain(|file, _| !resources.contains(file));
        Self { patches, generated }
    }

    /// What kustomizations generate.
    pub(crate) fn generated(&self) -> impl Iterator<Item = Piece> {
        self.generated.iter().map(|(kind, name)| Piece::made(kind, None, name))
    }

    /// The folder whose kustomization names a file as a patch.
    pub(crate) fn folder(&self, file: &FilePath) -> Option<&FilePath> {
        if self.patches.is_empty() {
            return None;
        }
        self.patches.get(&file.canonicalize().ok()?).map(PathBuf::as_path)
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
    generated: Vec<(&'static str, String)>,
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
        for (field, kind) in [("secretGenerator", "Secret"), ("configMapGenerator", "ConfigMap")] {
            let generated = items(field).iter().filter_map(|item| Some((kind, text(item.get("name")?)?)));
            named.generated.extend(generated);
        }
        for field in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
            // A patch is a file, or else the patch itself.
            let paths = items(field).iter().filter_map(|item| text(item.get("path").unwrap_or(item)));
            named.patches.extend(paths.filter(|path| !path.contains('\n')));
        }
    }
    named
}
