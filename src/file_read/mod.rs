//! FILES: whole contents of regular files that no process is writing.
//!
//! Half of a YAML file is often a valid one, which says less than its author does: the plugin that guards a route may
//! stand in the other half. So every file that a load reads is read here, and one that is open for writing is not read.
//!
//! | what the system says (`mynah_lease`) | what is read |
//! |---|---|
//! | open for writing nowhere | the file, and whoever begins to write it meanwhile waits for us, or is noticed |
//! | open for writing | nothing: [`FileReader::unfinished`] |
//! | it cannot be told (another user's file, a network file system) | the file, once it has not changed for [`SETTLED`] and no process that we may look at has it open for writing ([`FileReader::unproven`]) |

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

/// A file of which it cannot be told whether it is being written has to be unchanged for so long.
pub const SETTLED: Duration = Duration::from_millis(250);

/// The first and the longest pause between two looks at a file that is being written.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));

/// Reads the files of one load, and notes those that are not to be relied on. Clones share their notes.
#[derive(Clone, Debug, Default)]
pub struct FileReader {
    notes: Arc<Mutex<Notes>>,
    /// Whether events of the file system say that a writer has not closed its file yet.
    writing: Option<Arc<AtomicBool>>,
    /// A text that is no news: it need not be unchanged for a while.
    expected: Option<Arc<dyn Text>>,
    #[cfg(test)]
    without_leases: bool,
}

/// A text that is kept elsewhere.
pub trait Text: AsRef<[u8]> + fmt::Debug + Send + Sync {}

impl<T: AsRef<[u8]> + fmt::Debug + Send + Sync> Text for T {}

#[derive(Debug, Default)]
struct Notes {
    unfinished: Option<Unfinished>,
    unproven: bool,
    /// The hashes of what was read.
    hashes: HashMap<PathBuf, u64>,
}

/// A file that was not read, because it is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The file.
    pub path: PathBuf,
    /// Why that is so.
    pub why: &'static str,
}

/// Why a file is not read yet, and what to do about it.
const OPEN: &str =
    "another process has it open for writing, so that it may be incomplete; it is read once it is closed";
const CHANGING: &str = "it was changed a moment ago, and the system does not say whether its writer is done; it is read once it is unchanged";

impl FileReader {
    /// The same, listening to what events of the file system say.
    #[must_use]
    pub fn listening(self, writing: Arc<AtomicBool>) -> Self {
        Self { writing: Some(writing), ..self }
    }

    /// The same, knowing a text that is no news.
    #[must_use]
    pub fn expecting(self, text: Arc<dyn Text>) -> Self {
        Self { expected: Some(text), ..self }
    }

    /// The same where the system cannot tell who has a file open.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn without_leases(self) -> Self {
        Self { without_leases: true, ..self }
    }

    /// Reads a whole file of at most so many bytes.
    ///
    /// # Errors
    /// It cannot be read, is no regular file, is larger, or is being written ([`ErrorKind::WouldBlock`]); the message
    /// says which.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let result = self.read_once(path, most);
        let mut notes = self.lock();
        match &result {
            Ok(bytes) => drop(notes.hashes.insert(path.to_owned(), text_hash(bytes))),
            Err(_) => drop(notes.hashes.remove(path)),
        }
        result
    }

    /// Reads a file for the hash of what it says; none if it cannot be read.
    #[must_use]
    pub fn hash(&self, path: &Path, most: u64) -> Option<u64> {
        self.read(path, most).ok().map(|bytes| text_hash(&bytes))
    }

    /// The hash of what was last read of a file; none if it was not read.
    #[must_use]
    pub fn hash_read(&self, path: &Path) -> Option<u64> {
        self.lock().hashes.get(path).copied()
    }

    fn read_once(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = open(path)?;
        let facts = file.metadata()?;
        if facts.len() > most {
            return Err(too_large(most));
        }
        #[cfg(test)]
        if self.without_leases {
            return self.read_unproven(path, &file, &facts, most);
        }
        match mynah_lease::request_lease(&file) {
            LeaseState::OpenForWriting => Err(self.note(path, OPEN)),
            LeaseState::Leased(lease) => {
                let bytes = whole(&file, &facts, most)?;
                if lease.is_intact() { Ok(bytes) } else { Err(self.note(path, OPEN)) }
            }
            LeaseState::Unknown(_) => self.read_unproven(path, &file, &facts, most),
        }
    }

    fn read_unproven(&self, path: &Path, file: &File, facts: &Metadata, most: u64) -> io::Result<Vec<u8>> {
        let is_writing = self.writing.as_ref().is_some_and(|it| it.load(Ordering::Acquire));
        if is_writing || processes::have_open_for_writing(facts) {
            return Err(self.note(path, OPEN));
        }
        let bytes = whole(file, facts, most)?;
        let is_expected = self.expected.as_ref().is_some_and(|it| (**it).as_ref() == bytes);
        let now = file.metadata()?;
        let is_same = now.len() == facts.len() && now.modified().ok() == facts.modified().ok();
        // A time that is yet to come is one of another clock, and says nothing.
        let age = now.modified().ok().and_then(|it| it.elapsed().ok());
        if !is_expected && (!is_same || age.is_some_and(|it| it < SETTLED)) {
            return Err(self.note(path, CHANGING));
        }
        self.lock().unproven = true;
        Ok(bytes)
    }

    /// Notes that a file is being written.
    fn note(&self, path: &Path, why: &'static str) -> io::Error {
        self.lock().unfinished.get_or_insert(Unfinished { path: path.to_owned(), why });
        io::Error::new(ErrorKind::WouldBlock, why)
    }

    /// The first file that was not read because it is being written: whatever was made of the others is not to be used.
    #[must_use]
    pub fn unfinished(&self) -> Option<Unfinished> {
        self.lock().unfinished.clone()
    }

    /// Whether a file was read of which the system did not say that nobody is writing it.
    #[must_use]
    pub fn is_unproven(&self) -> bool {
        self.lock().unproven
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of a text, to know it again while the process lives.
#[must_use]
pub fn text_hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

/// Makes an attempt with a reader, and again with a new one for as long as a file is being written, but not longer than
/// `patience`. It blocks the thread.
pub fn patiently<T>(
    patience: Duration,
    mut attempt: impl FnMut(&FileReader) -> T,
) -> (T, Option<Unfinished>) {
    let begin = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let reader = FileReader::default();
        let result = attempt(&reader);
        match reader.unfinished() {
            Some(_) if begin.elapsed() < patience => wait(pause),
            unfinished => return (result, unfinished),
        }
        pause = (2 * pause).min(PAUSES.1);
    }
}

/// Waits, and blocks the thread.
#[expect(clippy::disallowed_methods, reason = "who calls this has a thread of its own")]
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Opens a regular file for reading. What is not one is not opened at all, or else in a way that waits for nothing.
///
/// # Errors
/// It cannot be opened, or is something else; the message says what.
pub fn open(path: &Path) -> io::Result<File> {
    regular(&fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // The bits of the flags fit into the type that the system has for them.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    let file = options.read(true).open(path)?;
    // Something else may have taken its place meanwhile.
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a whole file of at most so many bytes as it is now, complete or not.
///
/// # Errors
/// It cannot be read, is no regular file, or is larger.
pub fn as_it_is(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let facts = file.metadata()?;
    whole(&file, &facts, most)
}

/// Says what a file is that is not a regular one.
fn regular(facts: &Metadata) -> io::Result<()> {
    let kind = facts.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is no regular file but {}", special(kind))))
}

#[cfg(unix)]
fn special(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match () {
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "something else",
    }
}

#[cfg(not(unix))]
fn special(_: fs::FileType) -> &'static str {
    "something else"
}

fn whole(file: &File, facts: &Metadata, most: u64) -> io::Result<Vec<u8>> {
    // No file is larger than memory that was found for it: the length was looked at before.
    let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or_default());
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(most)) } else { Ok(bytes) }
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {} MiB", most >> 20))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
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

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MANY: u64 = 1 << 20;

    #[test]
    fn a_file_is_read_once_it_is_open_for_writing_nowhere() {
        let folder = Folder::new("writers");
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
            assert_eq!(first.read(&path, MANY).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(first.unfinished(), Some(Unfinished { path: path.clone(), why: OPEN }));
            writer.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            drop(writer);
            let second = reader();
            assert!(second.read(&path, MANY).unwrap().ends_with(b"half"));
            assert_eq!((second.unfinished(), second.is_unproven()), (None, !leases));
        }
    }

    #[test]
    fn where_it_cannot_be_told_a_file_has_to_be_unchanged_for_a_while() {
        let folder = Folder::new("unproven");
        let path = folder.file("text");
        let reader = FileReader::default().without_leases();
        assert_eq!(reader.read(&path, MANY).unwrap_err().to_string(), CHANGING);
        let expecting = FileReader::default().without_leases().expecting(Arc::new("text"));
        assert_eq!(expecting.read(&path, MANY).unwrap(), b"text");
        let writing = Arc::new(AtomicBool::new(true));
        let listening =
            FileReader::default().without_leases().expecting(Arc::new("text")).listening(writing.clone());
        assert_eq!(listening.read(&path, MANY).unwrap_err().to_string(), OPEN);
        writing.store(false, Ordering::Release);
        assert_eq!(listening.read(&path, MANY).unwrap(), b"text");
    }

    #[test]
    fn what_is_no_file_of_a_bounded_size_is_named_and_not_waited_for() {
        let folder = Folder::new("kinds");
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
        assert_eq!(reader.read(&large, MANY).unwrap_err().to_string(), "it is larger than 1 MiB");
        assert!(reader.unfinished().is_none());
    }
}
