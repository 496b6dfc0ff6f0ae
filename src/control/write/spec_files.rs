//! Files of the folder of specs: listed, read, created, replaced and removed, and never outside the folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::save::{self, SaveError};
use crate::{
    control::{
        Control,
        api_documents::{MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS, list_names},
    },
    file_read,
};

/// Longest segment of a name, in bytes: the name of its temporary file is longer, and file systems have 255.
const MAX_SEGMENT: usize = 200;

/// How often a file is replaced again because another process has saved it meanwhile or is writing it.
const MAX_ATTEMPTS: usize = 20;
/// Interval of these attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The name of a document in the folder of specs: segments of letters that every system has in names, and an ending of
/// YAML or JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpecFileName(String);

impl SpecFileName {
    /// Parses a name with slashes between its segments.
    ///
    /// # Errors
    /// The name is not one of a document inside the folder; the text says why and what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let segments: Vec<&str> = text.split('/').collect();
        for segment in &segments {
            if segment.is_empty() || segment.starts_with('.') {
                return Err("no part of the name may be empty or begin with a dot".to_owned());
            }
            if segment.chars().any(|char| char.is_control() || matches!(char, '\\' | ':')) {
                return Err("control characters, backslashes and colons are not allowed in names".to_owned());
            }
            if segment.len() > MAX_SEGMENT {
                return Err(format!("a part of the name is longer than {MAX_SEGMENT} bytes"));
            }
        }
        if segments.len() > MAX_DEPTH + 1 {
            return Err(format!("the name has more than {MAX_DEPTH} folders"));
        }
        let ending = Path::new(text).extension().and_then(|ending| ending.to_str());
        if !matches!(ending, Some("yaml" | "yml" | "json")) {
            return Err("the name must end in .yaml, .yml or .json".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name, relative to the folder.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The content of a document.
#[derive(Clone, Debug)]
pub struct SpecFile {
    /// Its text.
    pub text: String,
    /// When it was saved last.
    pub saved_at: Option<SystemTime>,
}

/// Why a file of the folder cannot be read or written.
#[derive(Debug)]
pub enum SpecFileError {
    /// There is none of this name.
    Missing,
    /// There is one of this name already.
    Exists,
    /// The name leads to something else than a document in the folder.
    NotADocument(String),
    /// Another process is writing it.
    Busy(String),
    /// The folder or the file cannot be written here.
    ReadOnly(String),
    /// The system failed.
    Failed(String),
}

impl SpecFileError {
    fn of_save(error: SaveError, path: &Path) -> Self {
        match error {
            SaveError::Changed => {
                Self::Busy(format!("another process is writing {}; try again", path.display()))
            }
            SaveError::ReadOnly(why) => Self::ReadOnly(why),
            SaveError::Failed(why) => Self::Failed(why),
        }
    }

    fn of_read(error: &io::Error, path: &Path) -> Self {
        let message = format!("{} cannot be read: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidData => Self::NotADocument(message),
            _ => Self::Failed(message),
        }
    }
}

impl Control {
    /// The names of all documents, sorted; at most `MAX_DOCUMENTS`. Blocks.
    #[must_use]
    pub fn spec_files(&self) -> Vec<SpecFileName> {
        let names = list_names(self.specs());
        let parse = |name: &PathBuf| SpecFileName::parse(&name.to_str()?.replace('\\', "/")).ok();
        let mut names: Vec<SpecFileName> = names.iter().filter_map(parse).collect();
        // Names are compared as texts from here on, where a slash is a character like others.
        names.sort();
        names
    }

    /// Reads a document. Blocks.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be read.
    pub fn read_spec_file(&self, name: &SpecFileName) -> Result<SpecFile, SpecFileError> {
        let path = self.find_spec_file(name)?.ok_or(SpecFileError::Missing)?;
        let bytes = file_read::read_unchecked(&path, MAX_BYTES)
            .map_err(|error| SpecFileError::of_read(&error, &path))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| SpecFileError::NotADocument(format!("{} is not UTF-8", path.display())))?;
        let saved_at = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        Ok(SpecFile { text, saved_at })
    }

    /// Whether there is a document of this name. Blocks.
    ///
    /// # Errors
    /// The name leads to something else.
    pub fn has_spec_file(&self, name: &SpecFileName) -> Result<bool, SpecFileError> {
        self.find_spec_file(name).map(|path| path.is_some())
    }

    /// Creates a document, and the folders in its name. Blocks.
    ///
    /// # Errors
    /// The file exists, the folder is full, or the system refused it; nothing is written.
    pub fn create_spec_file(&self, name: &SpecFileName, text: &str) -> Result<(), SpecFileError> {
        if self.find_spec_file(name)?.is_some() {
            return Err(SpecFileError::Exists);
        }
        let folder = self.specs().display();
        if list_names(self.specs()).len() >= MAX_DOCUMENTS {
            let message = format!("{folder} has {MAX_DOCUMENTS} documents already; remove some first");
            return Err(SpecFileError::NotADocument(message));
        }
        let path = self.make_parents(name)?;
        save::create(&path, text.as_bytes()).map_err(|error| match error {
            SaveError::Changed => SpecFileError::Exists,
            error => SpecFileError::of_save(error, &path),
        })
    }

    /// Replaces the text of a document. A symbolic link within the folder stays. Blocks.
    ///
    /// # Errors
    /// There is none of this name, or the system refused it; the text stays as it was.
    pub fn replace_spec_file(&self, name: &SpecFileName, text: &str) -> Result<(), SpecFileError> {
        let path = self.find_spec_file(name)?.ok_or(SpecFileError::Missing)?;
        let mut attempts = 0;
        loop {
            let old = file_read::read_unchecked(&path, MAX_REPLACED_BYTES)
                .map_err(|error| SpecFileError::of_read(&error, &path))?;
            if old == text.as_bytes() {
                return Ok(());
            }
            let saved = save::check_may_write(&path)
                .and_then(|()| save::prepare(&path, text.as_bytes()))
                .and_then(|prepared| prepared.replace(&old));
            match saved {
                Ok(()) => return Ok(()),
                Err(SaveError::Changed) if attempts < MAX_ATTEMPTS => {
                    attempts += 1;
                    file_read::block_thread(RETRY_INTERVAL);
                }
                Err(error) => return Err(SpecFileError::of_save(error, &path)),
            }
        }
    }

    /// Removes a document. Blocks.
    ///
    /// # Errors
    /// There is none of this name, or the system refused it.
    pub fn remove_spec_file(&self, name: &SpecFileName) -> Result<(), SpecFileError> {
        self.find_spec_file(name)?.ok_or(SpecFileError::Missing)?;
        let path = self.specs().join(name.as_str());
        save::remove(&path).map_err(|error| SpecFileError::of_save(error, &path))
    }

    /// Whether the configuration uses a document, itself or through another one. Blocks.
    #[must_use]
    pub fn uses_spec_file(&self, name: &SpecFileName) -> bool {
        let Ok(Some(path)) = self.find_spec_file(name) else { return false };
        let is_it = |watched: &PathBuf| fs::canonicalize(watched).is_ok_and(|watched| watched == path);
        self.watched_files().iter().any(is_it)
    }

    /// The regular file that a name leads to, symbolic links resolved; none if there is none.
    fn find_spec_file(&self, name: &SpecFileName) -> Result<Option<PathBuf>, SpecFileError> {
        let folder = self.specs();
        let path = folder.join(name.as_str());
        let real = match (fs::canonicalize(folder), fs::canonicalize(&path)) {
            (Ok(folder), Ok(real)) if real.starts_with(&folder) => real,
            (Ok(_), Ok(_)) => return Err(outside(name, folder)),
            (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                // A link that leads nowhere is not a free name.
                return match fs::symlink_metadata(&path) {
                    Ok(_) => Err(outside(name, folder)),
                    Err(_) => Ok(None),
                };
            }
            (Err(error), _) | (_, Err(error)) => return Err(SpecFileError::of_read(&error, &path)),
        };
        if !real.is_file() {
            let message = format!("{} in {} is not a regular file", name.as_str(), folder.display());
            return Err(SpecFileError::NotADocument(message));
        }
        Ok(Some(real))
    }

    /// Creates the folders of a new document; returns its path, whose folder is a real one.
    fn make_parents(&self, name: &SpecFileName) -> Result<PathBuf, SpecFileError> {
        let failed =
            |path: &Path, error: &io::Error| SpecFileError::of_save(save::save_error(path, error), path);
        let make = |path: &Path| match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, &error)),
            _ => fs::canonicalize(path).map_err(|error| failed(path, &error)),
        };
        let folder = make(self.specs())?;
        let (parents, file) = name.as_str().rsplit_once('/').unwrap_or(("", name.as_str()));
        let mut at = folder.clone();
        for segment in parents.split('/').filter(|segment| !segment.is_empty()) {
            at = make(&at.join(segment))?;
            if !at.starts_with(&folder) {
                return Err(outside(name, self.specs()));
            }
        }
        Ok(at.join(file))
    }
}

/// Largest file that is replaced, in bytes: it may be larger than one that is written here.
const MAX_REPLACED_BYTES: u64 = 64 << 20;

fn outside(name: &SpecFileName, folder: &Path) -> SpecFileError {
    let folder = folder.display();
    let message = format!("{} is a link that leads out of {folder}; change it on the disk", name.as_str());
    SpecFileError::NotADocument(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_documents_inside_the_folder() {
        for (text, expected) in [
            ("stock.yaml", true),
            ("deep/er/stock-0.1.json", true),
            ("a b.yml", true),
            ("Ü.yaml", true),
            ("", false),
            ("stock", false),
            ("stock.txt", false),
            ("stock.YAML", false),
            (".yaml", false),
            ("../stock.yaml", false),
            ("a/../../stock.yaml", false),
            ("./stock.yaml", false),
            ("/etc/stock.yaml", false),
            ("a//stock.yaml", false),
            (".hidden/stock.yaml", false),
            ("a\\b.yaml", false),
            ("c:stock.yaml", false),
            ("a\0.yaml", false),
            ("a\n.yaml", false),
            ("1/2/3/4/5.yaml", true),
            ("1/2/3/4/5/6.yaml", false),
        ] {
            assert_eq!(SpecFileName::parse(text).is_ok(), expected, "{text:?}");
        }
        let long = format!("{}.yaml", "x".repeat(MAX_SEGMENT));
        assert!(SpecFileName::parse(&long).is_err());
    }
}
