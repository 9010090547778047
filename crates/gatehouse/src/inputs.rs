//! Which files are checked.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use ignore::{DirEntry, Error, WalkBuilder};

/// The name that standard input has in reports.
pub const STDIN: &str = "<stdin>";

/// Something to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// What can be read but once, and has been: standard input, given as `-`, and pipes.
    Stream {
        /// Where it came from; `None` for standard input.
        path: Option<PathBuf>,
        /// What it held.
        bytes: Vec<u8>,
    },
    /// A file that was named.
    File(PathBuf),
    /// A file that was found in a folder, where more than manifests may be.
    Found(PathBuf),
}

impl Input {
    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> String {
        self.path().map_or_else(|| STDIN.to_owned(), |path| path.display().to_string())
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Stream { path, .. } => path.as_deref(),
            Self::File(path) | Self::Found(path) => Some(path),
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Stream { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Self::File(path) | Self::Found(path) => fs::read(path).map(Cow::Owned),
        }
    }
}

/// What was named on the command line, searched.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What to check: as named, folders in the order of their files' names; nothing twice.
    pub inputs: Vec<Input>,
    /// Folders that hold no manifests.
    pub empty: Vec<PathBuf>,
    /// Files in folders that may hold manifests and are passed over, as their names or those of folders above them start
    /// with a dot.
    pub hidden: Vec<PathBuf>,
    /// What cannot be read, and why.
    pub errors: Vec<(PathBuf, String)>,
    /// Whether a folder was searched.
    has_folder: bool,
}

impl Inputs {
    /// Whether they are all there is, as far as anybody can tell: a folder, or what comes on standard input. A few files that
    /// are named may refer to others that are not.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.has_folder || self.inputs.iter().any(|input| input.path().is_none())
    }

    /// Searches files, folders (recursively, without what `.gitignore` excludes or is hidden) and `-`. Of folders manifests are
    /// taken, and the files for which `is_judged`.
    #[must_use]
    pub fn search(paths: &[PathBuf], is_judged: &dyn Fn(&Path) -> bool) -> Self {
        let mut found = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                let mut bytes = Vec::new();
                match io::stdin().lock().read_to_end(&mut bytes) {
                    Ok(_) => found.inputs.push(Input::Stream { path: None, bytes }),
                    Err(error) => found.errors.push((STDIN.into(), reason(&error))),
                }
                continue;
            }
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => found.search_folder(path, is_judged),
                Ok(metadata) if metadata.is_file() => found.inputs.push(Input::File(path.clone())),
                Ok(_) => match fs::read(path) {
                    Ok(bytes) => found.inputs.push(Input::Stream { path: Some(path.clone()), bytes }),
                    Err(error) => found.errors.push((path.clone(), reason(&error))),
                },
                Err(error) => found.errors.push((path.clone(), reason(&error))),
            }
        }
        // Within one path nothing is found twice.
        if paths.len() > 1 {
            let mut seen = std::collections::HashSet::new();
            found.inputs.retain(|input| seen.insert(input.path().map(Path::to_owned)));
        }
        found
    }

    fn search_folder(&mut self, folder: &Path, is_judged: &dyn Fn(&Path) -> bool) {
        self.has_folder = true;
        let mut files = Vec::new();
        let mut walk = WalkBuilder::new(folder);
        // What git keeps for itself is nobody's manifest. Of what excludes files only the one is honoured that all who have
        // the folder have too.
        walk.require_git(false)
            .ignore(false)
            .git_global(false)
            .git_exclude(false)
            .hidden(false)
            .filter_entry(|entry| entry.file_name() != ".git");
        for entry in walk.build() {
            match entry {
                Ok(entry)
                    if entry.file_type().is_some_and(|kind| !kind.is_dir())
                        && (is_manifest(entry.path()) || is_judged(entry.path())) =>
                {
                    let found = if is_hidden(&entry) { &mut self.hidden } else { &mut files };
                    found.push(entry.into_path());
                }
                Ok(_) => {}
                Err(error) => {
                    let place = place_of(&error).unwrap_or(folder);
                    let steps = place.strip_prefix(folder).unwrap_or(place).iter();
                    if !steps.into_iter().any(has_dot) {
                        let reason = error.io_error().map_or_else(|| error.to_string(), reason);
                        self.errors.push((place.to_owned(), reason));
                    }
                }
            }
        }
        if files.is_empty() {
            self.empty.push(folder.to_owned());
        }
        files.sort();
        self.inputs.extend(files.into_iter().map(Input::Found));
    }
}

/// Whether the name of an entry, or of a folder between it and the one that is searched, starts with a dot.
fn is_hidden(entry: &DirEntry) -> bool {
    entry.path().iter().rev().take(entry.depth()).any(has_dot)
}

fn has_dot(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The file or folder that an error of the search is about.
fn place_of(error: &Error) -> Option<&Path> {
    match error {
        Error::WithPath { path, .. } => Some(path),
        Error::WithDepth { err, .. } | Error::WithLineNumber { err, .. } => place_of(err),
        _ => None,
    }
}

/// Whether a file in a folder may hold manifests, by its name.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|kind| extension.eq_ignore_ascii_case(kind)))
}

/// What the system says of a file, in our words where it is common.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read (permission denied)".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}
