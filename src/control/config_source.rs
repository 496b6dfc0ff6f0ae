//! Where a configuration comes from, and its text.

use std::{
    fmt, io,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{MockConfig, config_files};
use crate::{
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document::NodePath,
    file_read::{FileReader, patiently},
};

/// A text larger than this is refused before it is read: a configuration is not.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// A command waits so long for a file that is being written.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reads the file of a configuration, or its files, for a command: one that is being written is waited for.
///
/// # Errors
/// As [`read_by`].
pub fn read_config(path: &FilePath) -> Result<Arc<SourceFile>, DiagnosticReport> {
    patiently(PATIENCE, |reader| read_by(reader, path)).0
}

/// Reads the file of a configuration, or its files: those of a folder, or all that a pattern is for.
///
/// # Errors
/// One cannot be read, or is no text; the report says why and what to do.
fn read_by(reader: &FileReader, path: &FilePath) -> Result<Arc<SourceFile>, DiagnosticReport> {
    match config_files::list_files(path) {
        None => read_file(reader, path),
        Some(files) if files.is_empty() => {
            let diagnostic = Diagnostic::error(
                NodePath::root(),
                "no configuration is in here: it is a directory without one, or a pattern for no file",
            )
            .help("put files into it whose names end with .yaml, .yml or .json");
            Err(DiagnosticReport::new(SourceFile::new(path.display().to_string(), ""), vec![diagnostic]))
        }
        Some(files) => {
            let parts = files.iter().map(|file| read_file(reader, file)).collect::<Result<Vec<_>, _>>()?;
            Ok(SourceFile::of_parts(path.display().to_string(), parts))
        }
    }
}

fn read_file(reader: &FileReader, path: &FilePath) -> Result<Arc<SourceFile>, DiagnosticReport> {
    let name = path.display().to_string();
    let fail = |message: String, help: &str| {
        let diagnostic = Diagnostic::error(NodePath::root(), message).help(help);
        DiagnosticReport::new(SourceFile::new(&*name, ""), vec![diagnostic])
    };
    let bytes = match reader.read(path, MOST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::NotFound => "name a file that exists, or copy kong.yaml.example to kong.yaml",
                io::ErrorKind::PermissionDenied => "allow the user that mynah runs as to read it",
                io::ErrorKind::IsADirectory => "name the file inside it",
                io::ErrorKind::WouldBlock => "close the file, or put a complete one in its place by a rename",
                io::ErrorKind::FileTooLarge => "split it: the limit is not one of a setting",
                _ => "check the file",
            };
            return Err(fail(format!("cannot read the configuration: {error}"), help));
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile::new(name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
            Err(fail(
                format!("not UTF-8: byte {at}, on line {line}, begins no character"),
                "save the file as UTF-8",
            ))
        }
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file; it is watched.
    File(PathBuf),
    /// A text, from `KONG_DECLARATIVE_CONFIG_STRING`.
    Text(String),
    /// OpenAPI documents, to be mocked as a whole; they are watched.
    Mock(MockConfig),
    /// Nothing: empty until the Admin API brings one.
    Nothing,
}

impl ConfigSource {
    /// The text behind it, for a command: a file that is being written is waited for.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(&self) -> Result<Arc<SourceFile>, DiagnosticReport> {
        patiently(PATIENCE, |reader| self.open(reader)).0
    }

    /// The text behind it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(&self, reader: &FileReader) -> Result<Arc<SourceFile>, DiagnosticReport> {
        match self {
            Self::File(path) => read_by(reader, path),
            Self::Text(text) => Ok(SourceFile::new("KONG_DECLARATIVE_CONFIG_STRING", &**text)),
            Self::Mock(mocked) => {
                // The plugin reads them again, from inside their folder; here they only have to be readable.
                for document in &mocked.documents {
                    read_by(reader, &document.file)?;
                }
                Ok(mocked.configuration())
            }
            Self::Nothing => Ok(SourceFile::new("(empty)", "_format_version: \"3.0\"\n")),
        }
    }

    /// The files to watch: the one, or all that its folder or pattern stands for now, and the folder itself.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(file) = self.file() else { return Vec::new() };
        match config_files::list_files(file).zip(config_files::watched_folder(file)) {
            None => vec![file.to_owned()],
            Some((files, folder)) => files.into_iter().chain([folder.to_owned()]).collect(),
        }
    }

    /// The file to watch, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&FilePath> {
        match self {
            Self::File(path) => Some(path),
            // The others are files that the plugins name.
            Self::Mock(mocked) => mocked.documents.first().map(|it| it.file.as_path()),
            Self::Text(_) | Self::Nothing => None,
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Mock(mocked) => mocked.fmt(f),
            Self::Text(_) => f.write_str("KONG_DECLARATIVE_CONFIG_STRING"),
            Self::Nothing => f.write_str("an empty configuration"),
        }
    }
}
