//! Processes that have a file open for writing, as far as we may look at them.

use std::{
    fs::{self, Metadata},
    path::Path,
};

/// Whether a process that we may look at has the file open for writing. Those of other users, and those that this
/// container does not show, may have it open all the same.
#[cfg(target_os = "linux")]
pub(super) fn have_open_for_writing(facts: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = (facts.dev(), facts.ino());
    let is_it = |link: &Path| {
        // The permissions of the link are those of the descriptor. (proc_pid_fd(5))
        fs::symlink_metadata(link).is_ok_and(|it| it.mode() & 0o200 != 0)
            && fs::read_link(link).is_ok_and(|it| it.is_absolute())
            && fs::metadata(link).is_ok_and(|it| (it.dev(), it.ino()) == identity)
    };
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut descriptors = processes
        .filter(|it| is_process(&it.file_name()))
        .flat_map(|it| fs::read_dir(it.path().join("fd")).into_iter().flatten().flatten());
    descriptors.any(|it| is_it(&it.path()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn have_open_for_writing(_: &Metadata) -> bool {
    false
}
