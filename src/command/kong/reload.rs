//! `kong reload`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::{super::output::print_line, flags::KongFlags};

pub(super) fn execute(flags: &KongFlags) -> Result<ExitCode> {
    flags.running()?.signal(Signal::HUP).context("cannot signal the gateway")?;
    print_line("Kong reloaded");
    Ok(ExitCode::SUCCESS)
}
