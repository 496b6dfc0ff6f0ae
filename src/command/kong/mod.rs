//! Command line of Kong: the commands that entrypoints, charts, compose files and scripts call as `kong`.
//!
//! The binary has it under the name `kong` (a link), and as `mynah kong`. Words and exit codes are those of Kong where
//! something waits for them.

mod check;
mod config;
mod flags;
mod health;
mod migrations;
mod prepare;
mod reload;
mod start;
mod stop;
mod version;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::{
    check::CheckFileArgs, config::ConfigCommand, flags::KongFlags, migrations::MigrationsArgs,
    start::StartArgs, stop::QuitArgs, version::VersionArgs,
};

/// mynah with the command line of Kong
#[derive(Debug, Parser)]
#[command(name = "kong", arg_required_else_help = true)]
pub(crate) struct KongCli {
    #[command(subcommand)]
    command: KongCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KongCommand {
    /// Start the gateway in the background; in the foreground with `nginx_daemon = off`, and as the first process of a
    /// container
    Start(StartArgs),
    /// Run the gateway in the foreground
    DockerStart(StartArgs),
    /// Stop the gateway, and start it again
    Restart(StartArgs),
    /// Load the configuration again
    Reload(KongFlags),
    /// Stop the gateway when its requests have finished
    Quit(QuitArgs),
    /// Stop the gateway at once
    Stop(KongFlags),
    /// Check that the gateway runs
    Health(KongFlags),
    /// Print the version of Kong that is implemented
    Version(VersionArgs),
    /// Check the settings
    Check(CheckFileArgs),
    /// Check declarative configurations, or write a first one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Create the folders of the process
    Prepare(KongFlags),
    /// Do nothing: there is no database
    Migrations(MigrationsArgs),
}

impl KongCli {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        self.command.execute()
    }
}

impl KongCommand {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        match self {
            Self::Start(arguments) => arguments.start(),
            Self::DockerStart(arguments) => arguments.serve(),
            Self::Restart(arguments) => arguments.restart(),
            Self::Reload(flags) => reload::execute(&flags),
            Self::Quit(arguments) => arguments.execute(),
            Self::Stop(flags) => stop::execute(&flags),
            Self::Health(flags) => health::execute(&flags),
            Self::Version(arguments) => Ok(arguments.execute()),
            Self::Check(arguments) => arguments.execute(),
            Self::Config(command) => command.execute(),
            Self::Prepare(flags) => prepare::execute(&flags),
            Self::Migrations(arguments) => Ok(arguments.execute()),
        }
    }
}
