//! `kong check`: whether the settings are valid.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use super::{super::output::print_line, flags::KongFlags};

#[derive(Debug, Args)]
pub(crate) struct CheckFileArgs {
    /// File of settings [default: /etc/kong/kong.conf, else /etc/kong.conf, if it exists]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: KongFlags,
}

impl CheckFileArgs {
    pub(super) fn execute(mut self) -> Result<ExitCode> {
        if self.file.is_some() {
            self.flags.conf = self.file;
        }
        for warning in self.flags.load()?.warnings {
            eprintln!("warning: {warning}");
        }
        match self.flags.conf {
            Some(file) => print_line(format_args!("configuration at {} is valid", file.display())),
            None => print_line("configuration is valid"),
        }
        Ok(ExitCode::SUCCESS)
    }
}
