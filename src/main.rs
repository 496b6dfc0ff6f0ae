//! The command line: parses flags and dispatches to the commands.

mod command;

use std::{ffi::OsStr, path::Path, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use mynah::settings::SettingsError;

use command::{
    check::CheckArgs,
    diff::DiffArgs,
    explain::ExplainArgs,
    export::ExportArgs,
    health::HealthArgs,
    import::ImportArgs,
    kong::{KongCli, KongCommand},
    lint::LintArgs,
    mock::MockArgs,
    run::RunArgs,
    schema,
};

/// The system's allocator would keep the memory of replaced Snapshots and closed connections.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// API gateway, compatible with Kong, without a database; mocks APIs from OpenAPI documents
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    ///
    /// Runs in the foreground until SIGTERM, SIGINT or SIGQUIT, and reloads the configuration when its file changes and
    /// on SIGHUP. A configuration with errors is reported and not loaded.
    ///
    /// The value of a setting is the first of: flag, KONG_* environment variable, kong.conf, default.
    Run(RunArgs),
    /// Check configurations
    ///
    /// Prints all errors and warnings. Exit codes: 0 no errors, 1 errors.
    Check(CheckArgs),
    /// Show how the gateway would handle a request
    ///
    /// Prints the route that matches and why, the plugins that run, and the request that the upstream would get. Sends
    /// nothing.
    Explain(ExplainArgs),
    /// Serve mocks of OpenAPI documents
    ///
    /// Runs in the foreground, and reloads a document when its file changes.
    ///
    /// Requests are validated against the document. An invalid request gets the document's own 401, 415, 422 or 400
    /// response, or an application/problem+json response if the document has none.
    ///
    /// A request selects its response by the header `Prefer: code=404, example=cat, dynamic=true`, by the query
    /// __code=404&__example=cat&__dynamic=true, or by X-Kong-Mocking-* headers. Flags have Prism's names where Prism has
    /// them.
    Mock(MockArgs),
    /// Check OpenAPI documents
    ///
    /// Prints all errors and warnings. Exit codes: 0 no errors, 1 errors.
    Lint(LintArgs),
    /// Convert OpenAPI documents to a configuration
    ///
    /// Writes a service for each document and a route for each operation. Names, tags, paths and x-kong-* extensions
    /// follow the public converters (decK, Inso). What a configuration cannot express is reported on stderr.
    Import(ImportArgs),
    /// Print the JSON Schema of configurations, for editors
    Schema,
    /// Print a configuration in full, with all defaults
    ///
    /// Prints every entity with its id. The output includes credentials. mynah and Kong can load it.
    Export(ExportArgs),
    /// Compare two configurations
    ///
    /// Exit codes: 0 no differences, 1 differences, 2 a configuration cannot be loaded.
    Diff(DiffArgs),
    /// Check that a gateway runs
    ///
    /// By the pid file in the folder of the setting `prefix`, else by a connection to a listener of the settings. Exit codes:
    /// 0 it runs, 1 it does not.
    Health(HealthArgs),
    /// The command line of Kong; a link to this binary with the name `kong` has it, too
    #[command(subcommand)]
    Kong(KongCommand),
}

fn main() -> ExitCode {
    let result = if is_called_kong() { KongCli::parse().execute() } else { execute(Cli::parse().command) };
    result.unwrap_or_else(|error| {
        // Invalid settings are a list in which each entry begins with `error: `.
        let prefix = if error.is::<SettingsError>() { "" } else { "error: " };
        eprintln!("{prefix}{error:#}");
        ExitCode::FAILURE
    })
}

/// Whether the binary was called by a link with the name `kong`.
fn is_called_kong() -> bool {
    std::env::args_os().next().is_some_and(|name| Path::new(&name).file_name() == Some(OsStr::new("kong")))
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(arguments) => arguments.execute(),
        Command::Check(arguments) => arguments.execute(),
        Command::Explain(arguments) => arguments.execute(),
        Command::Mock(arguments) => arguments.execute(),
        Command::Lint(arguments) => arguments.execute(),
        Command::Import(arguments) => arguments.execute(),
        Command::Schema => Ok(schema::execute()),
        Command::Export(arguments) => arguments.execute(),
        Command::Diff(arguments) => arguments.execute(),
        Command::Health(arguments) => arguments.execute(),
        Command::Kong(command) => command.execute(),
    }
}
