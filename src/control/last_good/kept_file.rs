//! File of a kept configuration: a line with the version, a JSON text, and a line with the checksum of both.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use ring::digest::{Context, SHA256, digest};

use super::kept_config::{KeptConfig, StoredConfig};
use crate::file_read::read_unchecked;

const HEADER: &[u8] = b"mynah last good configuration, version 1\n";

/// Begins the last line.
const CHECKSUM: &[u8] = b"\nsha256 ";

/// Largest file that is written or read, in bytes: that of the largest configuration and its documents, as JSON.
const MAX_FILE_BYTES: u64 = 640 << 20;

/// Replaces the file. It is complete on the disk before it takes its name.
///
/// # Errors
/// The system refuses it, or the configuration is too large.
pub(super) fn write(path: &Path, kept: &KeptConfig) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Two processes may share a prefix for a moment, when one takes over from the other.
    let unnamed = path.with_extension(format!("new.{}", std::process::id()));
    let written = write_new(&unnamed, kept).and_then(|()| fs::rename(&unnamed, path));
    if written.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&unnamed);
    }
    written?;
    // Not every file system can flush a folder; then a power failure may bring the older file back.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_new(path: &Path, kept: &KeptConfig) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    // The text may hold secrets.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut file = ChecksumWriter { file: BufWriter::new(file), sum: Context::new(&SHA256), bytes: 0 };
    file.write_all(HEADER)?;
    serde_json::to_writer(&mut file, &kept.to_stored())?;
    let sum = hexadecimal(file.sum.finish().as_ref());
    file.file.write_all(&[CHECKSUM, sum.as_bytes(), b"\n"].concat())?;
    file.file.into_inner()?.sync_all()
}

/// Reads the file.
///
/// # Errors
/// It cannot be read, is damaged, or is of another version.
pub(super) fn read(path: &Path) -> io::Result<KeptConfig> {
    let damaged = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let bytes = read_unchecked(path, MAX_FILE_BYTES)?;
    let json = bytes.strip_prefix(HEADER).ok_or_else(|| {
        damaged("it is no configuration that this version has kept: its first line is another one")
    })?;
    let end = json.len().checked_sub(CHECKSUM.len() + 64 + 1);
    let (json, trailer) =
        end.and_then(|end| json.split_at_checked(end)).ok_or_else(|| damaged("it is cut off"))?;
    let sum =
        trailer.strip_prefix(CHECKSUM).ok_or_else(|| damaged("it is cut off: its last line is missing"))?;
    let sum = sum.strip_suffix(b"\n").unwrap_or(sum);
    let text = &bytes[..HEADER.len() + json.len()];
    if hexadecimal(digest(&SHA256, text).as_ref()).as_bytes() != sum {
        return Err(damaged("it is damaged: its checksum is another one"));
    }
    let stored: StoredConfig = serde_json::from_slice(json)?;
    KeptConfig::from_stored(stored).ok_or_else(|| damaged("it is damaged: its parts do not fit together"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes to a file, and sums up what it writes.
struct ChecksumWriter {
    file: BufWriter<File>,
    sum: Context,
    bytes: u64,
}

impl Write for ChecksumWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_FILE_BYTES {
            let message = format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        self.sum.update(bytes);
        self.file.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
