//! Kept configuration: what a configuration is made from, independent of the folders that it came from.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    LiveText,
    relative_path::{goes_down, inside},
};
use crate::{
    config::DeclarativeFormat,
    control::config_source::MAX_CONFIG_BYTES,
    diag::SourceFile,
    file_read::{OUTSIDE_SPECS, read_unchecked, text_hash},
};

/// A configuration that was kept.
#[derive(Clone, Debug)]
pub struct KeptConfig {
    /// When it was kept.
    pub saved_at: SystemTime,
    /// Its text.
    pub source: Arc<SourceFile>,
    /// The format of the text.
    pub format: DeclarativeFormat,
    /// Whether entities with errors were kept out of it.
    pub has_quarantine: bool,
    /// The documents that it names.
    pub documents: Vec<KeptDocument>,
}

/// A document in the folder of documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDocument {
    /// Its path in the folder.
    pub path: PathBuf,
    /// Its path with symbolic links resolved, if that is another one: references begin there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<PathBuf>,
    /// Its text.
    pub text: String,
}

/// A text of a configuration as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct StoredText {
    name: String,
    text: String,
}

/// A configuration as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredConfig {
    /// Unix time in seconds.
    saved_at: u64,
    format: String,
    has_quarantine: bool,
    name: String,
    /// The text, or the texts of several files.
    texts: Vec<StoredText>,
    is_several: bool,
    documents: Vec<KeptDocument>,
}

/// The names of formats.
const FORMATS: [(DeclarativeFormat, &str); 3] = [
    (DeclarativeFormat::Kong, "kong"),
    (DeclarativeFormat::Deck, "deck"),
    (DeclarativeFormat::Environment, "environment"),
];

impl KeptConfig {
    /// Collects what the live configuration was compiled from. Blocks.
    ///
    /// # Errors
    /// A document cannot be read, or is no longer the one that the configuration was compiled from.
    pub(super) fn new(live: &LiveText, now: SystemTime) -> io::Result<Self> {
        let mut documents: Vec<KeptDocument> = Vec::new();
        let mut bytes_left = MAX_CONFIG_BYTES;
        for (path, hash) in &live.files {
            // A reference may lead to no file.
            if *hash == 0 && !path.exists() {
                continue;
            }
            let document = read_document(path, *hash, &live.specs, bytes_left)?;
            if documents.iter().all(|known| known.path != document.path) {
                bytes_left = bytes_left.saturating_sub(document.text.len() as u64);
                documents.push(document);
            }
        }
        let LiveText { source, format, has_quarantine, .. } = live.clone();
        Ok(Self { saved_at: now, source, format, has_quarantine, documents })
    }

    /// Writes the documents to a folder that exists. Blocks.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn unpack_documents(&self, folder: &Path) -> io::Result<()> {
        for KeptDocument { path, link, text } in &self.documents {
            let real = folder.join(link.as_ref().unwrap_or(path));
            for parent in [&real, &folder.join(path)].into_iter().filter_map(|path| path.parent()) {
                fs::create_dir_all(parent)?;
            }
            fs::write(&real, text)?;
            if link.is_some() {
                std::os::unix::fs::symlink(fs::canonicalize(&real)?, folder.join(path))?;
            }
        }
        Ok(())
    }

    pub(super) fn to_stored(&self) -> StoredConfig {
        let Self { saved_at, source, format, has_quarantine, documents } = self;
        let stored = |file: &SourceFile| StoredText { name: file.name.clone(), text: file.text.clone() };
        let is_several = !source.parts.is_empty();
        let texts = if is_several {
            source.parts.iter().map(|part| stored(part)).collect()
        } else {
            vec![stored(source)]
        };
        let format = FORMATS.iter().find(|(known, _)| known == format).map_or("", |(_, name)| name);
        StoredConfig {
            saved_at: saved_at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            format: format.to_owned(),
            has_quarantine: *has_quarantine,
            name: source.name.clone(),
            texts,
            is_several,
            documents: documents.clone(),
        }
    }

    /// `None` if the parts do not fit together.
    pub(super) fn from_stored(stored: StoredConfig) -> Option<Self> {
        let StoredConfig { saved_at, format, has_quarantine, name, texts, is_several, documents } = stored;
        let (format, _) = FORMATS.into_iter().find(|(_, known)| *known == format)?;
        let paths = documents.iter().flat_map(|document| [Some(&document.path), document.link.as_ref()]);
        if !paths.flatten().all(|path| goes_down(path)) {
            return None;
        }
        let mut parts: Vec<Arc<SourceFile>> =
            texts.into_iter().map(|StoredText { name, text }| SourceFile::new(name, text)).collect();
        let source = if is_several { SourceFile::of_parts(name, parts) } else { parts.pop()? };
        let saved_at = UNIX_EPOCH.checked_add(Duration::from_secs(saved_at))?;
        Some(Self { saved_at, source, format, has_quarantine, documents })
    }
}

fn read_document(path: &Path, hash: u64, specs: &Path, bytes_left: u64) -> io::Result<KeptDocument> {
    let context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let real = path.canonicalize().map_err(context)?;
    let folder = specs.canonicalize().map_err(context)?;
    let outside = || context(io::Error::other(OUTSIDE_SPECS));
    let real_path = inside(&real, &folder).ok_or_else(outside)?;
    let written = inside(path, specs).or_else(|| inside(path, &folder)).ok_or_else(outside)?;
    let bytes = read_unchecked(&real, bytes_left).map_err(context)?;
    if text_hash(&bytes) != hash {
        return Err(context(io::Error::other("it has changed since it was loaded")));
    }
    let text = String::from_utf8(bytes).map_err(|_| context(io::Error::other("it is not UTF-8")))?;
    let link = (written != real_path).then_some(real_path);
    Ok(KeptDocument { path: written, link, text })
}
