//! Observation of a file: a hash of its content, and the stamp of its metadata.

use std::{
    fs::{self, Metadata},
    hash::{DefaultHasher, Hasher as _},
    io::{self, Read as _},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{control::config_source::MAX_CONFIG_BYTES, file_read};

/// Content of a file: hash and length of its text, or `None` if it cannot be read. The content of a directory is the
/// names in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileContent(Option<(u64, u64)>);

impl FileContent {
    pub(super) const ABSENT: Self = Self(None);

    fn read(mut file: impl io::Read) -> io::Result<Self> {
        let mut hasher = DefaultHasher::new();
        let mut length = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Self(Some((hasher.finish(), length)))),
                Ok(read) => {
                    hasher.write(buffer.get(..read).unwrap_or_default());
                    length += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self::read(text.as_bytes()).unwrap()
    }
}

/// Stamp of a file: its metadata, or the names in a directory. As long as the stamp is the same, the content most
/// likely is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct FileStamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Time of the last change of any kind (`ctime`), which programs cannot set.
    changed: Option<SystemTime>,
    identity: FileIdentity,
}

impl FileStamp {
    /// Takes the stamp of the file that the path leads to; `None` if there is none.
    pub(in crate::control) fn take(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        if metadata.is_dir() { Some(Self::of_directory(path, &metadata)) } else { Some(Self::of(&metadata)) }
    }

    /// Whether this is the same file without a write in between, as far as metadata shows; permissions may differ.
    pub(in crate::control) fn is_same_file(&self, other: &Self) -> bool {
        let compared_fields = |stamp: &Self| (stamp.length, stamp.modified, stamp.identity);
        compared_fields(self) == compared_fields(other)
    }

    /// Changes of hidden files alter the times of a directory, so the times are left out.
    fn of_directory(path: &Path, metadata: &Metadata) -> Self {
        let names_hash = hash_names(path).ok().and_then(|FileContent(content)| content).unwrap_or_default();
        Self { length: names_hash.0, modified: None, changed: None, identity: FileIdentity::of(metadata) }
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            changed: change_time(metadata),
            identity: FileIdentity::of(metadata),
        }
    }

    /// Whether the file was written or replaced after this time, as far as clocks are exact.
    pub(super) fn is_younger_than(&self, time: SystemTime) -> bool {
        self.modified.into_iter().chain(self.changed).any(|changed| changed > time)
    }
}

/// Identity of a file, whatever its name (device and inode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity(u64, u64);

impl FileIdentity {
    /// Identity of the file that the path leads to; `None` if there is none.
    pub(super) fn take(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let created =
            metadata.created().ok().and_then(|duration| duration.duration_since(SystemTime::UNIX_EPOCH).ok());
        let created = created.unwrap_or_default();
        Self(created.as_secs(), u64::from(created.subsec_nanos()))
    }
}

#[cfg(unix)]
fn change_time(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt as _;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanoseconds = u64::try_from(metadata.ctime_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

#[cfg(not(unix))]
fn change_time(_: &Metadata) -> Option<SystemTime> {
    None
}

/// A file as it was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileObservation {
    pub(super) stamp: Option<FileStamp>,
    pub(super) content: FileContent,
}

impl FileObservation {
    /// Reads the file or directory that the path leads to. Anything else (a pipe) counts as absent.
    pub(super) fn read(path: &Path) -> Self {
        let absent = || Self { stamp: FileStamp::take(path), content: FileContent::ABSENT };
        let metadata = fs::metadata(path);
        if metadata.as_ref().is_ok_and(Metadata::is_dir) {
            let content = hash_names(path).unwrap_or(FileContent::ABSENT);
            return Self { stamp: FileStamp::take(path), content };
        }
        let read = || -> io::Result<Self> {
            let file = file_read::open(path)?;
            // The stamp is taken first, so that a text that changes while it is read is read again.
            let metadata = file.metadata()?;
            let stamp = Some(FileStamp::of(&metadata));
            if metadata.len() > MAX_CONFIG_BYTES {
                return Ok(Self { stamp, content: FileContent(Some((0, metadata.len()))) });
            }
            Ok(Self { stamp, content: FileContent::read(file.take(MAX_CONFIG_BYTES))? })
        };
        read().unwrap_or_else(|_| absent())
    }
}

/// The names in a directory, without hidden files.
fn hash_names(directory: &Path) -> io::Result<FileContent> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().into_encoded_bytes();
        if !name.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable();
    FileContent::read(&*names.join(&0))
}
