//! Reading of regular files that no process is writing.
//!
//! A part of a YAML file is often valid YAML, and may lack the plugin that protects a route. So every file of a
//! configuration is read here, and a file that is open for writing is not read.
//!
//! | state of the file (`mynah_lease`) | what is read |
//! |---|---|
//! | not open for writing | the file; a process that opens it for writing meanwhile waits, or is detected |
//! | open for writing | nothing: [`FileReader::unfinished`] |
//! | unknown (another user's file, a network file system) | the file, once it has not changed for [`SETTLE_TIME`] and no visible process has it open for writing ([`FileReader::is_unproven`]) |

mod processes;

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File, Metadata, OpenOptions},
    hash::{DefaultHasher, Hasher as _},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mynah_lease::LeaseState;

/// The error about a document outside the folder of specs.
pub const OUTSIDE_SPECS: &str = "it is outside the folder of specs";

/// The time for which a file in an unknown state has to be unchanged.
pub const SETTLE_TIME: Duration = Duration::from_millis(250);

/// The first and the longest pause between two attempts to read a file that is being written.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));

/// Reader for the files of one load, which records the files that were not read. Clones share the record.
#[derive(Clone, Debug, Default)]
pub struct FileReader {
    record: Arc<Mutex<ReadRecord>>,
    /// Whether a writer has not closed its file yet, according to events of the file system.
    writing: Option<Arc<AtomicBool>>,
    /// A known text, for which [`SETTLE_TIME`] does not apply.
    expected: Option<Arc<dyn Text>>,
    #[cfg(test)]
    without_leases: bool,
}

/// A shared text.
pub trait Text: AsRef<[u8]> + fmt::Debug + Send + Sync {}

impl<T: AsRef<[u8]> + fmt::Debug + Send + Sync> Text for T {}

#[derive(Debug, Default)]
struct ReadRecord {
    unfinished: Option<UnfinishedFile>,
    unproven: bool,
    /// Hashes of the texts that were read.
    hashes: HashMap<PathBuf, u64>,
}

/// A file that was not read because it is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedFile {
    /// The file.
    pub path: PathBuf,
    /// The reason, and when the file will be read.
    pub why: &'static str,
}

/// Reasons why a file is not read yet.
const OPEN: &str =
    "another process has it open for writing, so that it may be incomplete; it is read once it is closed";
const CHANGING: &str = "it was changed a moment ago, and the system does not say whether its writer is done; it is read once it is unchanged";

impl FileReader {
    /// Sets the flag for events of the file system.
    #[must_use]
    pub fn with_write_events(self, writing: Arc<AtomicBool>) -> Self {
        Self { writing: Some(writing), ..self }
    }

    /// Sets a known text, which may be read at once.
    #[must_use]
    pub fn with_known_text(self, text: Arc<dyn Text>) -> Self {
        Self { expected: Some(text), ..self }
    }

    /// Treats every file as in an unknown state.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn without_leases(self) -> Self {
        Self { without_leases: true, ..self }
    }

    /// Reads a whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// If it cannot be read, is not a regular file, is larger, or is being written ([`ErrorKind::WouldBlock`]).
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let result = self.read_once(path, limit);
        let mut record = self.lock();
        match &result {
            Ok(bytes) => drop(record.hashes.insert(path.to_owned(), text_hash(bytes))),
            Err(_) => drop(record.hashes.remove(path)),
        }
        result
    }

    /// Reads a file and hashes its text; `None` if it cannot be read.
    #[must_use]
    pub fn hash(&self, path: &Path, limit: u64) -> Option<u64> {
        self.read(path, limit).ok().map(|bytes| text_hash(&bytes))
    }

    /// The hash of the text that was last read of a file; `None` if it was not read.
    #[must_use]
    pub fn hash_read(&self, path: &Path) -> Option<u64> {
        self.lock().hashes.get(path).copied()
    }

    fn read_once(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() > limit {
            return Err(too_large(limit));
        }
        #[cfg(test)]
        if self.without_leases {
            return self.read_unproven(path, &file, &metadata, limit);
        }
        match mynah_lease::request_lease(&file) {
            LeaseState::OpenForWriting => Err(self.record_unfinished(path, OPEN)),
            LeaseState::Leased(lease) => {
                let bytes = read_all(&file, &metadata, limit)?;
                if lease.is_intact() { Ok(bytes) } else { Err(self.record_unfinished(path, OPEN)) }
            }
            LeaseState::Unknown(_) => self.read_unproven(path, &file, &metadata, limit),
        }
    }

    fn read_unproven(
        &self,
        path: &Path,
        file: &File,
        metadata: &Metadata,
        limit: u64,
    ) -> io::Result<Vec<u8>> {
        let is_writing = self.writing.as_ref().is_some_and(|writing| writing.load(Ordering::Acquire));
        if is_writing || processes::have_open_for_writing(metadata) {
            return Err(self.record_unfinished(path, OPEN));
        }
        let bytes = read_all(file, metadata, limit)?;
        let is_expected = self.expected.as_ref().is_some_and(|text| (**text).as_ref() == bytes);
        let now = file.metadata()?;
        let is_same = now.len() == metadata.len() && now.modified().ok() == metadata.modified().ok();
        // A time in the future is that of another clock, and is ignored.
        let age = now.modified().ok().and_then(|time| time.elapsed().ok());
        if !is_expected && (!is_same || age.is_some_and(|age| age < SETTLE_TIME)) {
            return Err(self.record_unfinished(path, CHANGING));
        }
        self.lock().unproven = true;
        Ok(bytes)
    }

    /// Records that a file is being written.
    fn record_unfinished(&self, path: &Path, why: &'static str) -> io::Error {
        self.lock().unfinished.get_or_insert(UnfinishedFile { path: path.to_owned(), why });
        io::Error::new(ErrorKind::WouldBlock, why)
    }

    /// The first file that was not read because it is being written. The result of the others must not be used then.
    #[must_use]
    pub fn unfinished(&self) -> Option<UnfinishedFile> {
        self.lock().unfinished.clone()
    }

    /// Whether a file in an unknown state was read.
    #[must_use]
    pub fn is_unproven(&self) -> bool {
        self.lock().unproven
    }

    fn lock(&self) -> MutexGuard<'_, ReadRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of a text, for comparisons within the process.
#[must_use]
pub fn text_hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

/// Calls `attempt` with a reader, and again with a new one while a file is being written, at most for `timeout`. Blocks the
/// thread.
pub fn retry_while_unfinished<T>(
    timeout: Duration,
    mut attempt: impl FnMut(&FileReader) -> T,
) -> (T, Option<UnfinishedFile>) {
    let began = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let reader = FileReader::default();
        let result = attempt(&reader);
        match reader.unfinished() {
            Some(_) if began.elapsed() < timeout => block_thread(pause),
            unfinished => return (result, unfinished),
        }
        pause = (2 * pause).min(PAUSES.1);
    }
}

/// Sleeps; blocks the thread.
#[expect(clippy::disallowed_methods, reason = "callers have threads of their own")]
pub fn block_thread(time: Duration) {
    std::thread::sleep(time);
}

/// Opens a regular file for reading. Any other file is not opened, or without blocking if it replaces a regular file
/// meanwhile.
///
/// # Errors
/// If it cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    check_regular(&fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // The flags are bits, whose type is signed in the system's interface.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    let file = options.read(true).open(path)?;
    // Another file may have replaced it meanwhile.
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a whole file of at most `limit` bytes, whether or not it is being written.
///
/// # Errors
/// If it cannot be read, is not a regular file, or is larger.
pub fn read_unchecked(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    read_all(&file, &metadata, limit)
}

/// Checks that a file is regular.
fn check_regular(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is no regular file but {}", kind_name(kind))))
}

#[cfg(unix)]
fn kind_name(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match () {
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "something else",
    }
}

#[cfg(not(unix))]
fn kind_name(_: fs::FileType) -> &'static str {
    "something else"
}

fn read_all(file: &File, metadata: &Metadata, limit: u64) -> io::Result<Vec<u8>> {
    // The length was checked before, so that the capacity is bounded.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {} MiB", limit >> 20))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct TestFolder(PathBuf);

    impl TestFolder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mynah-read-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, text: &str) -> PathBuf {
            let path = self.0.join("file");
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for TestFolder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const LIMIT: u64 = 1 << 20;

    #[test]
    fn a_file_is_read_once_it_is_not_open_for_writing() {
        let folder = TestFolder::new("writers");
        let path = folder.file("");
        for leases in [true, false] {
            let reader = || {
                let reader = FileReader::default();
                if leases { reader } else { reader.without_leases() }
            };
            let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
            writer.write_all(b"half").unwrap();
            // Another process that opens and closes the file does not make it complete.
            drop(OpenOptions::new().append(true).open(&path).unwrap());
            let first = reader();
            assert_eq!(first.read(&path, LIMIT).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(first.unfinished(), Some(UnfinishedFile { path: path.clone(), why: OPEN }));
            writer.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            drop(writer);
            let second = reader();
            assert!(second.read(&path, LIMIT).unwrap().ends_with(b"half"));
            assert_eq!((second.unfinished(), second.is_unproven()), (None, !leases));
        }
    }

    #[test]
    fn a_file_in_an_unknown_state_has_to_be_unchanged_for_a_while() {
        let folder = TestFolder::new("unproven");
        let path = folder.file("text");
        let reader = FileReader::default().without_leases();
        assert_eq!(reader.read(&path, LIMIT).unwrap_err().to_string(), CHANGING);
        let expecting = FileReader::default().without_leases().with_known_text(Arc::new("text"));
        assert_eq!(expecting.read(&path, LIMIT).unwrap(), b"text");
        let writing = Arc::new(AtomicBool::new(true));
        let listening = FileReader::default()
            .without_leases()
            .with_known_text(Arc::new("text"))
            .with_write_events(writing.clone());
        assert_eq!(listening.read(&path, LIMIT).unwrap_err().to_string(), OPEN);
        writing.store(false, Ordering::Release);
        assert_eq!(listening.read(&path, LIMIT).unwrap(), b"text");
    }

    #[test]
    fn files_that_are_not_regular_or_too_large_are_errors() {
        let folder = TestFolder::new("kinds");
        let reader = FileReader::default();
        let fails = |path: &Path| reader.read(path, 3).unwrap_err().to_string();
        assert_eq!(fails(&folder.0), "it is a directory");
        assert_eq!(fails(Path::new("/dev/zero")), "it is no regular file but a device");
        let fifo = folder.0.join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert_eq!(fails(&fifo), "it is no regular file but a FIFO");
        let socket = folder.0.join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(fails(&socket), "it is no regular file but a socket");
        let large = folder.file("");
        File::options().write(true).open(&large).unwrap().set_len(10 << 30).unwrap();
        assert_eq!(reader.read(&large, LIMIT).unwrap_err().to_string(), "it is larger than 1 MiB");
        assert!(reader.unfinished().is_none());
    }
}
