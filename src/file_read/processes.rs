//! Check of other processes for files that are open for writing.

use std::{
    fs::{self, Metadata},
    path::Path,
};

/// Whether a visible process has the file open for writing. Processes of other users, and of other containers, are not
/// visible.
#[cfg(target_os = "linux")]
pub(super) fn have_open_for_writing(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = (metadata.dev(), metadata.ino());
    let is_writer = |link: &Path| {
        // The permissions of the link are those of the descriptor. (proc_pid_fd(5))
        fs::symlink_metadata(link).is_ok_and(|link| link.mode() & 0o200 != 0)
            && fs::read_link(link).is_ok_and(|target| target.is_absolute())
            && fs::metadata(link).is_ok_and(|file| (file.dev(), file.ino()) == identity)
    };
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut descriptors = processes
        .filter(|entry| is_process(&entry.file_name()))
        .flat_map(|process| fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten());
    descriptors.any(|descriptor| is_writer(&descriptor.path()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn have_open_for_writing(_: &Metadata) -> bool {
    false
}
