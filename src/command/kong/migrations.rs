//! `kong migrations`: nothing to do, and no error, so that jobs of charts and compose files end well.

use std::process::ExitCode;

use clap::Args;

use super::super::output::print_line;

#[derive(Debug, Args)]
pub(crate) struct MigrationsArgs {
    /// Any command and flags of Kong's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _command: Vec<String>,
}

impl MigrationsArgs {
    #[expect(clippy::unused_self, reason = "every command is executed alike")]
    pub(super) fn execute(self) -> ExitCode {
        print_line("no migrations: there is no database");
        ExitCode::SUCCESS
    }
}
