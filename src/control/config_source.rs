//! Source of a configuration (a file, several files, a text, OpenAPI documents), and how its text is read.

use std::{
    fmt, io,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{MockConfig, config_files, live_config::UNFINISHED_HELP};
use crate::{
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document::NodePath,
    file_read::{FileReader, retry_while_unfinished},
};

/// Largest configuration that is read, in bytes.
pub(super) const MAX_CONFIG_BYTES: u64 = 256 << 20;

/// How long a command or a write waits for a file that another process is writing.
pub(super) const UNFINISHED_WAIT: Duration = Duration::from_secs(3);

/// Reads a configuration for a command. Waits up to `UNFINISHED_WAIT` for a file that is being written.
///
/// # Errors
/// A file cannot be read or is not UTF-8; the report says why and what to do.
pub fn read_config(path: &FilePath) -> Result<Arc<SourceFile>, DiagnosticReport> {
    retry_while_unfinished(UNFINISHED_WAIT, |reader| read_config_with(reader, path)).0
}

/// Reads a configuration: one file, the files of a directory, or the files that a pattern matches.
///
/// # Errors
/// A file cannot be read or is not UTF-8; the report says why and what to do.
fn read_config_with(reader: &FileReader, path: &FilePath) -> Result<Arc<SourceFile>, DiagnosticReport> {
    match config_files::list_files(path) {
        None => read_file(reader, path),
        Some(files) if files.is_empty() => {
            let diagnostic = Diagnostic::error(
                NodePath::root(),
                "no configuration file found: the directory holds none, or the pattern matches no file",
            )
            .help("add files whose names end with .yaml, .yml or .json");
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
    let bytes = match reader.read(path, MAX_CONFIG_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::NotFound => "name a file that exists, or copy kong.yaml.example to kong.yaml",
                io::ErrorKind::PermissionDenied => "allow the user that mynah runs as to read it",
                io::ErrorKind::IsADirectory => "name the file inside it",
                io::ErrorKind::WouldBlock => UNFINISHED_HELP,
                io::ErrorKind::FileTooLarge => "split the file: no setting raises this limit",
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
                format!("not UTF-8: no character begins at byte {at}, on line {line}"),
                "save the file as UTF-8",
            ))
        }
    }
}

/// Source of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file, a directory or a pattern; watched for changes.
    File(PathBuf),
    /// The text of `KONG_DECLARATIVE_CONFIG_STRING`.
    Text(String),
    /// OpenAPI documents that are mocked as a whole; watched for changes.
    Mock(MockConfig),
    /// An empty configuration, until the Admin API loads one.
    Empty,
}

impl ConfigSource {
    /// Reads the text for a command. Waits up to `UNFINISHED_WAIT` for a file that is being written.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(&self) -> Result<Arc<SourceFile>, DiagnosticReport> {
        retry_while_unfinished(UNFINISHED_WAIT, |reader| self.open(reader)).0
    }

    /// Reads the text once.
    ///
    /// # Errors
    /// As [`read_config`].
    pub fn open(&self, reader: &FileReader) -> Result<Arc<SourceFile>, DiagnosticReport> {
        match self {
            Self::File(path) => read_config_with(reader, path),
            Self::Text(text) => Ok(SourceFile::new("KONG_DECLARATIVE_CONFIG_STRING", &**text)),
            Self::Mock(mock) => {
                // The plugin reads the documents again, relative to their directory; here they only have to be
                // readable.
                for document in &mock.documents {
                    read_config_with(reader, &document.file)?;
                }
                Ok(mock.to_configuration())
            }
            Self::Empty => Ok(Self::empty_text("(empty)")),
        }
    }

    /// The text of a configuration that declares nothing.
    pub(super) fn empty_text(name: &str) -> Arc<SourceFile> {
        SourceFile::new(name, "_format_version: \"3.0\"\n")
    }

    /// The files to watch: the single file, or all files of the directory or pattern and the directory itself, so
    /// that new files are noticed.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(file) = self.file() else { return Vec::new() };
        match config_files::list_files(file).zip(config_files::watched_directory(file)) {
            None => vec![file.to_owned()],
            Some((files, folder)) => files.into_iter().chain([folder.to_owned()]).collect(),
        }
    }

    /// The file to watch; `None` if the source is not a file.
    #[must_use]
    pub fn file(&self) -> Option<&FilePath> {
        match self {
            Self::File(path) => Some(path),
            // The snapshot compiler reports the other documents, since the plugins name them.
            Self::Mock(mock) => mock.documents.first().map(|document| document.file.as_path()),
            Self::Text(_) | Self::Empty => None,
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Mock(mock) => mock.fmt(f),
            Self::Text(_) => f.write_str("KONG_DECLARATIVE_CONFIG_STRING"),
            Self::Empty => f.write_str("an empty configuration"),
        }
    }
}
