//! `kong prepare`: the folders of the process.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

use super::{super::health::kong_prefix, flags::KongFlags};

pub(super) fn execute(flags: &KongFlags) -> Result<ExitCode> {
    create_folders(&kong_prefix(&flags.load()?.settings))?;
    Ok(ExitCode::SUCCESS)
}

/// Creates the folders of logs and pid files.
pub(super) fn create_folders(prefix: &Path) -> Result<()> {
    for name in ["logs", "pids"] {
        let folder = prefix.join(name);
        fs::create_dir_all(&folder).with_context(|| {
            format!("cannot create {}; name another folder by --prefix or KONG_PREFIX", folder.display())
        })?;
    }
    Ok(())
}
