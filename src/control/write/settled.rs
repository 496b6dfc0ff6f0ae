//! A file that somebody else has saved, once they are done: who writes into it bit by bit has it half done in between,
//! and half of a YAML file is often a valid one.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    control::read,
    diag::{Report, Source},
};

/// Nobody has written it for so long.
const QUIET: Duration = Duration::from_millis(50);
/// Who writes on and on is read in between after this long.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a file says when nobody has written it for a while.
///
/// # Errors
/// It cannot be read.
pub(super) fn settled(file: &Path) -> Result<Arc<Source>, Report> {
    settled_for(file, QUIET, PATIENCE)
}

fn settled_for(file: &Path, quiet: Duration, patience: Duration) -> Result<Arc<Source>, Report> {
    let begin = Instant::now();
    loop {
        let read = read(file);
        // A clock that was set back tells nothing.
        let age = fs::metadata(file).and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
        let is_quiet = age.is_none_or(|it| it >= quiet) && read.is_ok();
        if is_quiet || begin.elapsed() >= patience {
            return read;
        }
        wait(quiet / 5);
    }
}

#[expect(clippy::disallowed_methods, reason = "writes have a thread of their own")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn who_writes_bit_by_bit_is_waited_for() {
        let file = std::env::temp_dir().join(format!("mynah-settled-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..20 {
                    wait(Duration::from_millis(5));
                    write!(fs::OpenOptions::new().append(true).open(&file).unwrap(), "{n} ").unwrap();
                }
            });
            let text =
                settled_for(&file, Duration::from_secs(1), Duration::from_secs(30)).unwrap().text.clone();
            assert!(text.ends_with("19 "), "{text}");
        });
        fs::remove_file(&file).unwrap();
        assert!(settled_for(&file, Duration::from_millis(1), Duration::from_millis(20)).is_err());
    }
}
