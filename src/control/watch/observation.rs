//! What a file says, as a hash, and how it looks from outside.

use std::{
    fs::{self, Metadata},
    hash::{DefaultHasher, Hasher as _},
    io::{self, Read as _},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{control::config_source::MOST_BYTES, file_read};

/// What a file says: the hash and the length of its text, or none if there is nothing to be read. A folder says the names
/// in it.
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

/// How a file looks from outside (of a folder: which names are in it): as long as this is the same, its content most likely is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct FileStamp {
    length: u64,
    modified: Option<SystemTime>,
    /// The time of the last change of any kind, which no program can set (`ctime`).
    changed: Option<SystemTime>,
    identity: FileIdentity,
}

impl FileStamp {
    /// Looks at what the path leads to; none if it leads nowhere.
    pub(in crate::control) fn look(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        if metadata.is_dir() { Some(Self::of_folder(path, &metadata)) } else { Some(Self::of(&metadata)) }
    }

    /// Whether it is the same file, and nobody has written it, as far as that can be told; its permissions may be others.
    pub(in crate::control) fn is_of_the_same_file(&self, other: &Self) -> bool {
        let facts = |it: &Self| (it.length, it.modified, it.identity);
        facts(self) == facts(other)
    }

    /// What happens to hidden files in a folder changes its times, and means nothing.
    fn of_folder(path: &Path, metadata: &Metadata) -> Self {
        let names = names(path).ok().and_then(|FileContent(names)| names).unwrap_or_default();
        Self { length: names.0, modified: None, changed: None, identity: FileIdentity::of(metadata) }
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            changed: changed(metadata),
            identity: FileIdentity::of(metadata),
        }
    }

    /// Whether the file was written or replaced after this time, as far as clocks can tell.
    pub(super) fn is_younger_than(&self, time: SystemTime) -> bool {
        self.modified.into_iter().chain(self.changed).any(|it| it > time)
    }
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity(u64, u64);

impl FileIdentity {
    /// Looks at what the path leads to; none if it leads nowhere.
    pub(super) fn look(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let created = metadata.created().ok().and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
        let created = created.unwrap_or_default();
        Self(created.as_secs(), u64::from(created.subsec_nanos()))
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt as _;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanoseconds = u64::try_from(metadata.ctime_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<SystemTime> {
    None
}

/// A file as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileObservation {
    pub(super) stamp: Option<FileStamp>,
    pub(super) content: FileContent,
}

impl FileObservation {
    /// Reads the file or the folder that the path leads to. What is neither (a pipe) says nothing.
    pub(super) fn make(path: &Path) -> Self {
        let absent = || Self { stamp: FileStamp::look(path), content: FileContent::ABSENT };
        let metadata = fs::metadata(path);
        if metadata.as_ref().is_ok_and(Metadata::is_dir) {
            let content = names(path).unwrap_or(FileContent::ABSENT);
            return Self { stamp: FileStamp::look(path), content };
        }
        let read = || -> io::Result<Self> {
            let file = file_read::open(path)?;
            // The stamp is taken first, so that a text which changes while it is read is read again.
            let facts = file.metadata()?;
            let stamp = Some(FileStamp::of(&facts));
            if facts.len() > MOST_BYTES {
                return Ok(Self { stamp, content: FileContent(Some((0, facts.len()))) });
            }
            Ok(Self { stamp, content: FileContent::read(file.take(MOST_BYTES))? })
        };
        read().unwrap_or_else(|_| absent())
    }
}

/// The names in a folder; hidden ones are for tools.
fn names(folder: &Path) -> io::Result<FileContent> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_encoded_bytes();
        if !name.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable();
    FileContent::read(&*names.join(&0))
}
