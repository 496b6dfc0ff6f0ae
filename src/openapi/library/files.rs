//! Access to the files that references name: regular files of bounded size inside one directory, never over a network.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use percent_encoding::percent_decode_str;

use crate::{
    file_read::FileReader,
    openapi::messages::{OUTSIDE_DIRECTORY, excerpt},
};

/// Bound on the size of one file, in bytes.
pub(super) const FILE_LIMIT: u64 = 16 << 20;
/// Bound on the size of all files together, in bytes.
pub(super) const TOTAL_LIMIT: u64 = 64 << 20;
/// Bound on the number of files.
pub(super) const COUNT_LIMIT: usize = 4096;

/// Location of a document, and the files that its references may reach.
#[derive(Clone, Debug, Default)]
pub struct LibraryLocation {
    /// The file that the document was read from.
    document: Option<PathBuf>,
    /// The base directory of its relative references, and the directory that no reference may leave.
    directories: Option<(PathBuf, PathBuf)>,
    /// The reader of the files.
    reader: FileReader,
}

impl LibraryLocation {
    /// A document that may not refer to other files.
    #[must_use]
    pub fn alone() -> Self {
        Self::default()
    }

    /// A document without a file. Relative references start from `base` and may not leave `specs`.
    #[must_use]
    pub fn text(base: impl Into<PathBuf>, specs: impl Into<PathBuf>) -> Self {
        Self { directories: Some((base.into(), specs.into())), ..Self::default() }
    }

    /// A document read from `file`. Relative references start from its directory and may not leave `specs`.
    #[must_use]
    pub fn file(file: impl Into<PathBuf>, specs: impl Into<PathBuf>) -> Self {
        let file = file.into();
        // The parent of a bare file name is the empty path, which does not exist in the file system.
        let base = file
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        Self { document: Some(file), directories: Some((base, specs.into())), reader: FileReader::default() }
    }

    /// This location, with another reader for the files that the document refers to.
    #[must_use]
    pub fn with_reader(self, reader: &FileReader) -> Self {
        Self { reader: reader.clone(), ..self }
    }
}

/// Reader of the files of one directory, with the bounds that are left.
pub(super) struct LibraryReader {
    base: PathBuf,
    specs: Option<PathBuf>,
    files: FileReader,
    bytes_left: u64,
    files_read: usize,
}

impl LibraryReader {
    pub(super) fn new(location: &LibraryLocation) -> Self {
        let (base, specs) = location.directories.clone().unwrap_or_default();
        Self {
            base: fs::canonicalize(&base).unwrap_or(base),
            specs: location.directories.is_some().then(|| fs::canonicalize(&specs).unwrap_or(specs)),
            files: location.reader.clone(),
            bytes_left: TOTAL_LIMIT,
            files_read: 0,
        }
    }

    /// The canonical path of the document itself.
    pub(super) fn document_path(location: &LibraryLocation) -> Option<PathBuf> {
        let file = location.document.as_ref()?;
        Some(fs::canonicalize(file).unwrap_or_else(|_| file.clone()))
    }

    /// Finds the file that `reference` names. The reference is relative to the file `from`; `None` stands for a
    /// document without a file.
    pub(super) fn find(&self, reference: &str, from: Option<&Path>) -> FileLookup {
        let Some(specs) = &self.specs else {
            return FileLookup::refused("this document may refer to no other file");
        };
        if let Some(scheme) = url_scheme(reference) {
            return FileLookup::refused(format!("URLs are not fetched (scheme `{}`)", excerpt(scheme)));
        }
        let name = reference.split('?').next().unwrap_or(reference);
        let Ok(name) = percent_decode_str(name).decode_utf8() else {
            return FileLookup::refused("the name of the file is not UTF-8");
        };
        if name.contains('\0') {
            return FileLookup::refused("the file name contains a NUL");
        }
        let base = from.and_then(Path::parent).unwrap_or(&self.base);
        // The path is checked before any access to the file system, so that a document cannot probe for other files.
        let path = normalize_lexically(&base.join(&*name));
        if !path.starts_with(specs) {
            return FileLookup::refused(OUTSIDE_DIRECTORY);
        }
        match fs::canonicalize(&path) {
            Ok(real) if real.starts_with(specs) => FileLookup { watched: Some(real.clone()), path: Ok(real) },
            Ok(_) => FileLookup::refused(OUTSIDE_DIRECTORY),
            Err(error) => FileLookup { watched: Some(path), path: Err(io_reason(&error)) },
        }
    }

    /// Reads a file that [`Self::find`] allowed.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        self.files_read += 1;
        if self.files_read > COUNT_LIMIT {
            return Err(format!("the document refers to more than {COUNT_LIMIT} files"));
        }
        if !fs::metadata(path).map_err(|error| io_reason(&error))?.is_file() {
            return Err(String::from("it is not a regular file"));
        }
        let bytes = self.files.read(path, FILE_LIMIT).map_err(|error| io_reason(&error))?;
        let size = bytes.len() as u64;
        if size > self.bytes_left {
            return Err(format!(
                "the files of this document are larger than {} MiB together",
                TOTAL_LIMIT >> 20
            ));
        }
        self.bytes_left -= size;
        Ok(bytes)
    }
}

/// Result of the lookup of a file.
pub(super) struct FileLookup {
    /// The path whose change may change the result.
    pub(super) watched: Option<PathBuf>,
    /// The canonical path of the file, or the reason why it cannot be read.
    pub(super) path: Result<PathBuf, String>,
}

impl FileLookup {
    fn refused(reason: impl Into<String>) -> Self {
        Self { watched: None, path: Err(reason.into()) }
    }
}

/// The scheme of a URL (RFC 3986, section 3.1), or the `//` of a URL without one.
fn url_scheme(reference: &str) -> Option<&str> {
    if reference.starts_with("//") {
        return Some("//");
    }
    let (scheme, _) = reference.split_once(':')?;
    let legal = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    legal.then_some(scheme)
}

/// The path without `.` and `..`, without access to the file system.
fn normalize_lexically(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => (),
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => String::from("there is no such file"),
        std::io::ErrorKind::PermissionDenied => String::from("reading the file is not permitted"),
        std::io::ErrorKind::FileTooLarge => error.to_string(),
        _ => error.to_string().to_lowercase(),
    }
}
