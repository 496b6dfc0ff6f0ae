//! `kong config`: `parse` checks a declarative configuration, `init` writes a first one.

use std::{fs::OpenOptions, io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use mynah::control::read_config;

use super::{
    super::{
        load::{CompileOptions, default_specs_folder},
        output::{print_line, print_report},
    },
    flags::KongFlags,
};

/// The configuration of `kong config init`.
const FIRST_CONFIG: &str = include_str!("first_config.yaml");

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a declarative configuration
    Parse(ConfigFileArgs),
    /// Write an example of a declarative configuration to kong.yml
    Init(InitArgs),
    /// Fail: there is no database
    #[command(name = "db_import", hide = true)]
    DbImport(ConfigFileArgs),
    /// Fail: there is no database
    #[command(name = "db_export", hide = true)]
    DbExport(InitArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFileArgs {
    file: PathBuf,
    #[command(flatten)]
    flags: KongFlags,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// File to write [default: kong.yml]
    file: Option<PathBuf>,
    #[command(flatten)]
    _flags: KongFlags,
}

impl ConfigCommand {
    pub(super) fn execute(self) -> Result<ExitCode> {
        match self {
            Self::Parse(arguments) => parse(&arguments),
            Self::Init(arguments) => init(arguments.file),
            Self::DbImport(_) | Self::DbExport(_) => bail!(
                "there is no database\nhelp: name the file by KONG_DECLARATIVE_CONFIG, or send it to /config of the Admin API; \
                 `mynah export` prints a configuration"
            ),
        }
    }
}

fn parse(arguments: &ConfigFileArgs) -> Result<ExitCode> {
    let settings = arguments.flags.load()?.settings;
    let specs = settings.specs_dir.clone().unwrap_or_else(|| default_specs_folder(&arguments.file));
    let compiled = read_config(&arguments.file)
        .and_then(|source| CompileOptions::new(&settings).compile(specs, &source));
    match compiled {
        Ok(_) => {
            print_line("parse successful");
            Ok(ExitCode::SUCCESS)
        }
        Err(report) => {
            print_report(&report);
            bail!("Failed parsing {}", arguments.file.display());
        }
    }
}

fn init(file: Option<PathBuf>) -> Result<ExitCode> {
    let file = file.unwrap_or_else(|| PathBuf::from("kong.yml"));
    let context = || format!("cannot write {}", file.display());
    // Never over a file that is there.
    let mut created = OpenOptions::new().write(true).create_new(true).open(&file).with_context(context)?;
    created.write_all(FIRST_CONFIG.as_bytes()).with_context(context)?;
    Ok(ExitCode::SUCCESS)
}
