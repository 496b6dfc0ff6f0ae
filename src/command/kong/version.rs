//! `kong version`.

use std::process::ExitCode;

use clap::Args;
use mynah::control::admin::KONG_VERSION;

use super::{super::output::print_line, flags::KongFlags};

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Print the version of mynah, too
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    _flags: KongFlags,
}

impl VersionArgs {
    pub(super) fn execute(self) -> ExitCode {
        if self.all {
            print_line(format_args!("Kong: {KONG_VERSION}\nmynah: {}", env!("CARGO_PKG_VERSION")));
        } else {
            print_line(KONG_VERSION);
        }
        ExitCode::SUCCESS
    }
}
