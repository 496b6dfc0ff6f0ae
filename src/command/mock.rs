//! `mynah mock`: the gateway with a mock of each OpenAPI document.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::{Result, bail};
use clap::{ArgAction, Args};
use mynah::{
    control::{ConfigSource, MockConfig, MockedDocument},
    plugin::PrismSettings,
};

use super::{flags::LogLevelFlag, gateway, load::load_settings};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct MockArgs {
    /// OpenAPI or Swagger documents, JSON or YAML; `/PREFIX=SPEC` serves a document below a prefix, and each of several
    /// documents needs a prefix of its own
    #[arg(value_name = "SPEC", required = true)]
    specifications: Vec<OsString>,
    /// Port to listen on; 0 chooses a free port
    #[arg(short, long, default_value_t = 4010)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Generate a new response from the schema for each request instead of using examples
    #[arg(short, long)]
    dynamic: bool,
    /// Seed of generated responses; the same seed generates the same responses
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Answer 500 with the reason if a response does not match its schema
    #[arg(long)]
    errors: bool,
    /// Do not validate parameters and bodies of requests
    #[arg(long)]
    no_validate: bool,
    /// Do not require the credentials that security schemes of the document require
    #[arg(long)]
    no_security: bool,
    /// Let pages of every origin read the responses
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cors: bool,
    /// Serve paths below the base path of the document, which `servers` or `basePath` gives
    #[arg(long)]
    base_path: bool,
    /// Accepted because Prism accepts it, and ignored: samples have only properties of their schema
    #[arg(long = "json-schema-faker-fillProperties", value_name = "BOOL", hide = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    fill_properties: Option<bool>,
    #[command(flatten)]
    log_level: LogLevelFlag,
}

impl MockArgs {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let overrides = [
            ("proxy_listen", Some(SocketAddr::new(self.host, self.port).to_string())),
            ("admin_listen", Some("off".to_owned())),
            ("status_listen", Some("off".to_owned())),
            ("admin_gui_listen", Some("off".to_owned())),
            ("log_level", self.log_level.log_level.clone()),
        ];
        let loaded = load_settings(overrides, None)?;
        let config = self.into_config()?;
        let folder = config.common_directory();
        gateway::serve(loaded, &ConfigSource::Mock(config), folder)
    }

    /// The documents and options of the mocks.
    fn into_config(self) -> Result<MockConfig> {
        let documents: Vec<MockedDocument> =
            self.specifications.iter().map(|argument| MockedDocument::parse(argument)).collect();
        for (n, document) in documents.iter().enumerate() {
            if documents[..n].iter().any(|other| other.prefix == document.prefix) {
                bail!(
                    "two documents are served at {}/\n\
                     help: give each a prefix of its own: mynah mock /a=a.yaml /b=b.yaml",
                    document.prefix
                );
            }
        }
        Ok(MockConfig {
            documents,
            settings: PrismSettings {
                validate_requests: !self.no_validate,
                validate_security: !self.no_security,
                dynamic: self.dynamic,
                seed: self.seed,
                report_errors: self.errors,
                cors: self.cors,
                include_base_path: self.base_path,
            },
        })
    }
}
