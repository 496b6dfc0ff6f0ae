//! `kong health`.

use std::process::ExitCode;

use anyhow::Result;

use super::{
    super::health::{check_health, kong_prefix},
    flags::KongFlags,
};

pub(super) fn execute(flags: &KongFlags) -> Result<ExitCode> {
    let settings = flags.load()?.settings;
    check_health(&settings, &kong_prefix(&settings), "Kong")
}
