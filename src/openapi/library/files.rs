//! The files that references may reach: inside one directory, regular, of bounded size, and never over a network.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use percent_encoding::percent_decode_str;

use crate::{file_read::FileReader, openapi::version::brief};

/// How large one file may be, in bytes.
pub(super) const FILE_LIMIT: u64 = 16 << 20;
/// How large all files together may be, in bytes.
pub(super) const TOTAL_LIMIT: u64 = 64 << 20;
/// How many files there may be.
pub(super) const COUNT_LIMIT: usize = 4096;

/// Where a document stands, and what its references may reach.
#[derive(Clone, Debug, Default)]
pub struct LibraryLocation {
    /// The file that the document was read from.
    document: Option<PathBuf>,
    /// The directory that its relative references start from, and the one that none may leave.
    directories: Option<(PathBuf, PathBuf)>,
    /// Reads the files that are referred to.
    reader: FileReader,
}

impl LibraryLocation {
    /// A document that may refer to nothing but itself.
    #[must_use]
    pub fn alone() -> Self {
        Self::default()
    }

    /// A document without a file: its relative references start from `base` and may not leave `specs`.
    #[must_use]
    pub fn text(base: impl Into<PathBuf>, specs: impl Into<PathBuf>) -> Self {
        Self { directories: Some((base.into(), specs.into())), ..Self::default() }
    }

    /// A document read from `file`: relative references start from its directory and may not leave `specs`.
    #[must_use]
    pub fn file(file: impl Into<PathBuf>, specs: impl Into<PathBuf>) -> Self {
        let file = file.into();
        // The parent of a bare name is the empty path, which the file system does not know.
        let base = file
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        Self { document: Some(file), directories: Some((base, specs.into())), reader: FileReader::default() }
    }

    /// The same; what it refers to is read by this reader.
    #[must_use]
    pub fn with_reader(self, reader: &FileReader) -> Self {
        Self { reader: reader.clone(), ..self }
    }
}

/// The files of one directory, as far as they were asked for.
pub(super) struct LibraryReader {
    base: PathBuf,
    specs: Option<PathBuf>,
    files: FileReader,
    left: u64,
    count: usize,
}

impl LibraryReader {
    pub(super) fn new(location: &LibraryLocation) -> Self {
        let (base, specs) = location.directories.clone().unwrap_or_default();
        Self {
            base: fs::canonicalize(&base).unwrap_or(base),
            specs: location.directories.is_some().then(|| fs::canonicalize(&specs).unwrap_or(specs)),
            files: location.reader.clone(),
            left: TOTAL_LIMIT,
            count: 0,
        }
    }

    /// The file of the document itself, as [`Self::find`] names it.
    pub(super) fn document(location: &LibraryLocation) -> Option<PathBuf> {
        let file = location.document.as_ref()?;
        Some(fs::canonicalize(file).unwrap_or_else(|_| file.clone()))
    }

    /// Finds the file that `reference` names, seen from a file of the library (`None`: from the document without
    /// one). Answers the path to watch, and the path to read.
    pub(super) fn find(&self, reference: &str, from: Option<&Path>) -> FileLookup {
        let Some(specs) = &self.specs else {
            return FileLookup::refused("this document may refer to no other file");
        };
        if let Some(scheme) = scheme(reference) {
            return FileLookup::refused(format!("URLs are not fetched, and this is one ({})", brief(scheme)));
        }
        let name = reference.split('?').next().unwrap_or(reference);
        let Ok(name) = percent_decode_str(name).decode_utf8() else {
            return FileLookup::refused("the name of the file is not UTF-8");
        };
        if name.contains('\0') {
            return FileLookup::refused("no file name has a NUL in it");
        }
        let base = from.and_then(Path::parent).unwrap_or(&self.base);
        // Decided on the words alone first, so that nothing is learnt about files elsewhere.
        let path = lexical(&base.join(&*name));
        if !path.starts_with(specs) {
            return FileLookup::refused("it leaves the directory that documents may refer to");
        }
        match fs::canonicalize(&path) {
            Ok(real) if real.starts_with(specs) => FileLookup { watched: Some(real.clone()), real: Ok(real) },
            Ok(_) => FileLookup::refused("it leaves the directory that documents may refer to"),
            Err(error) => FileLookup { watched: Some(path), real: Err(reason(&error)) },
        }
    }

    /// Reads a file that [`Self::find`] allowed.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        self.count += 1;
        if self.count > COUNT_LIMIT {
            return Err(format!("the document refers to more than {COUNT_LIMIT} files"));
        }
        if !fs::metadata(path).map_err(|error| reason(&error))?.is_file() {
            return Err(String::from("it is not a regular file"));
        }
        let bytes = self.files.read(path, FILE_LIMIT).map_err(|error| reason(&error))?;
        let size = bytes.len() as u64;
        if size > self.left {
            return Err(format!(
                "the files of this document are larger than {} MiB together",
                TOTAL_LIMIT >> 20
            ));
        }
        self.left -= size;
        Ok(bytes)
    }
}

/// What became of a reference to a file.
pub(super) struct FileLookup {
    /// The path whose change may change the outcome.
    pub(super) watched: Option<PathBuf>,
    /// The file to read, or why there is none.
    pub(super) real: Result<PathBuf, String>,
}

impl FileLookup {
    fn refused(reason: impl Into<String>) -> Self {
        Self { watched: None, real: Err(reason.into()) }
    }
}

/// The scheme of a URL (RFC 3986, section 3.1), or the `//` of one that leaves it out.
fn scheme(reference: &str) -> Option<&str> {
    if reference.starts_with("//") {
        return Some("//");
    }
    let (scheme, _) = reference.split_once(':')?;
    let legal = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    legal.then_some(scheme)
}

/// The path without `.` and `..`, by its words alone.
fn lexical(path: &Path) -> PathBuf {
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

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => String::from("there is no such file"),
        std::io::ErrorKind::PermissionDenied => String::from("reading the file is not permitted"),
        std::io::ErrorKind::FileTooLarge => error.to_string(),
        _ => error.to_string().to_lowercase(),
    }
}
