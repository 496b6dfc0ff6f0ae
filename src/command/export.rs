//! `mynah export`: a configuration in full, with all defaults.

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use clap::Args;
use mynah::export::export;

use super::{
    flags::{ConfigArgument, ConfigFormatFlag, SpecsFlag, path_value},
    load::{CompileOptions, load_settings, required_source, specs_folder},
    output::{print_line, print_report},
};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    specs: SpecsFlag,
    #[command(flatten)]
    output: ConfigFormatFlag,
}

impl ExportArgs {
    /// Prints the configuration; fails if it cannot be loaded.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let overrides = [
            ("declarative_config", path_value(self.config.file)),
            ("specs_dir", path_value(self.specs.specs)),
        ];
        let settings = load_settings(overrides, None)?.settings;
        let source = required_source(&settings)?;
        let specs = specs_folder(&settings, &source);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let options = CompileOptions::new(&settings);
        match source.read().and_then(|text| options.compile(specs, &text)) {
            Ok(compiled) => {
                let document = export(&compiled.snapshot.entities, now);
                print_line(self.output.format.text(&document).trim_end_matches('\n'));
                Ok(ExitCode::SUCCESS)
            }
            Err(report) => {
                print_report(&report);
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
