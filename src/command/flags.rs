//! The flags of the commands that make one document of others.

use std::path::PathBuf;

use clap::Args;

use super::{check::FindingsFormat, export::OutputFormat, import::MockSource};

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// OpenAPI or Swagger documents, JSON or YAML
    #[arg(required = true, value_name = "SPEC")]
    pub(crate) specifications: Vec<PathBuf>,
    /// Mock the services, from the text of each document, or from the file in the folder of specs
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "inline")]
    pub(crate) mock: Option<MockSource>,
    /// Whether key-auth and basic-auth ask for what security schemes ask for [default: true, but false with --mock]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) security: Option<bool>,
    /// Tags of every entity, in place of those that say where it comes from
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// The folder of OpenAPI documents that plugins name
    #[arg(long, value_name = "DIR", default_value = "specs")]
    pub(crate) specs: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How the configuration is written
    #[arg(long, value_enum, default_value = "yaml")]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The configuration, YAML or JSON [default: `KONG_DECLARATIVE_CONFIG`, else ./kong.yaml or ./kong.yml]
    pub(crate) file: Option<PathBuf>,
    /// The folder of OpenAPI documents that plugins name [default: specs beside FILE]
    #[arg(long, value_name = "DIR")]
    pub(crate) specs: Option<PathBuf>,
    /// How the configuration is printed
    #[arg(long, value_enum, default_value = "yaml")]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The first configuration
    pub(crate) before: PathBuf,
    /// The second configuration
    pub(crate) after: PathBuf,
    /// The folder of OpenAPI documents that plugins name [default: specs beside each file]
    #[arg(long, value_name = "DIR")]
    pub(crate) specs: Option<PathBuf>,
    /// How the differences are printed
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: FindingsFormat,
}
