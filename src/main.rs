//! The command line: flags become settings, settings become a gateway. Only this file decides exit codes.

mod command;

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Result, bail};
use clap::{ArgAction, Args, Parser, Subcommand};
use mynah::{
    control::{ConfigSource, MockConfig, MockedDocument},
    plugin::PrismSettings,
    proxy::ExplainRequest,
    settings::{Settings, SettingsError},
};

use command::{
    check::FindingsFormat,
    diff::DiffFailed,
    flags::{DiffArgs, ExportArgs, ImportArgs},
    import::ImportOptions,
    lint::LintOptions,
    run::{self, CompileOptions},
};

/// The system's would keep what a replaced Snapshot and closed connections have left.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A DB-less, Kong-compatible API gateway that mocks what is not built yet.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground; it reloads whenever the file changes
    ///
    /// Settings are taken from flags, then from KONG_* in the environment, then from kong.conf, then from defaults.
    Run(RunArgs),
    /// Check configurations: exit code 0, or 1 and everything that is wrong
    Check(CheckArgs),
    /// Say what would become of a request, and why: routes, plugins, what the upstream gets; nothing is sent
    Explain(ExplainArgs),
    /// Serve OpenAPI documents as mocks; it reloads whenever one of them changes
    ///
    /// Requests are checked by the document; what is wrong with them is answered as application/problem+json, or by
    /// the document's own 401, 415, 422 or 400. A request chooses its answer by `Prefer: code=404, example=cat,
    /// dynamic=true`, by __code=404&__example=cat&__dynamic=true in its query, or by X-Kong-Mocking-* headers.
    /// Flags are those of Prism where it has them.
    Mock(MockArgs),
    /// Check OpenAPI documents: exit code 0, or 1 and everything that is wrong
    Lint(LintArgs),
    /// Turn OpenAPI documents into a configuration: a service for each, a route for each operation
    ///
    /// Names, tags, paths and x-kong-... extensions are those of the public converters. What cannot be said in a
    /// configuration is told on stderr.
    Import(ImportArgs),
    /// Print a JSON Schema of configurations, for editors
    Schema,
    /// Print a configuration with all defaults, entity by entity; it can be loaded again, by Kong too
    Export(ExportArgs),
    /// Say what is different between two configurations: exit code 0 for nothing, 1 for something, 2 for trouble
    Diff(DiffArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The configuration, YAML or JSON [default: `KONG_DECLARATIVE_CONFIG`, else ./kong.yaml or ./kong.yml]
    file: Option<PathBuf>,
    /// The folder of OpenAPI documents that plugins name [default: specs beside FILE]
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// Where the proxy listens, in Kong's notation [default: 0.0.0.0:8000, 0.0.0.0:8443 http2 ssl]
    #[arg(long, value_name = "LISTEN")]
    proxy_listen: Option<String>,
    /// Where the Admin API listens, or `off` [default: 127.0.0.1:8001, 127.0.0.1:8444 http2 ssl]
    #[arg(long, value_name = "LISTEN")]
    admin_listen: Option<String>,
    /// Where /status is served to strangers [default: off]
    #[arg(long, value_name = "LISTEN")]
    status_listen: Option<String>,
    /// debug, info, notice, warn, error, crit, alert or emerg [default: notice]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// A kong.conf with settings [default: /etc/kong/kong.conf, else /etc/kong.conf, if there is one]
    #[arg(short, long, value_name = "FILE")]
    conf: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The configurations, YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The folder of OpenAPI documents that plugins name [default: specs beside each FILE]
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// How the findings are printed
    #[arg(long, value_enum, default_value = "text")]
    format: FindingsFormat,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// The method, such as GET
    method: String,
    /// The URL that a client would ask for, or a path alone
    url: String,
    /// A header field of the request, as curl takes it
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The configuration, YAML or JSON [default: `KONG_DECLARATIVE_CONFIG`, else ./kong.yaml or ./kong.yml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of OpenAPI documents that plugins name [default: specs beside FILE]
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// How the explanation is printed
    #[arg(long, value_enum, default_value = "text")]
    format: FindingsFormat,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct MockArgs {
    /// OpenAPI or Swagger documents, JSON or YAML; /PREFIX=SPEC serves one below a prefix, so that there may be several
    #[arg(value_name = "SPEC", required = true)]
    specifications: Vec<OsString>,
    /// The port to listen on
    #[arg(short, long, default_value_t = 4010)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Answer with samples of the schemas that are new every time, not with examples
    #[arg(short, long)]
    dynamic: bool,
    /// Vary samples: the same number, the same samples
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Answer 500 where an answer breaks its own schema, and say why
    #[arg(long)]
    errors: bool,
    /// Do not check parameters and bodies of requests
    #[arg(long)]
    no_validate: bool,
    /// Do not ask for what the document's security schemes ask for
    #[arg(long)]
    no_security: bool,
    /// Whether pages of every origin may read the answers
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cors: bool,
    /// Serve paths below the base path of the document: `servers`, or `basePath`
    #[arg(long)]
    base_path: bool,
    /// Accepted for Prism's sake: samples have no properties but those of their schema
    #[arg(long = "json-schema-faker-fillProperties", value_name = "BOOL", hide = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    fill_properties: Option<bool>,
    /// debug, info, notice, warn, error, crit, alert or emerg [default: notice]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Debug, Args)]
struct LintArgs {
    /// The OpenAPI or Swagger documents, JSON or YAML
    #[arg(required_unless_present = "bulk", value_name = "SPEC")]
    specifications: Vec<PathBuf>,
    /// Also hold each to the letter of its specification
    #[arg(long)]
    strict: bool,
    /// Exit code 1 for warnings, too
    #[arg(long)]
    deny_warnings: bool,
    /// Ask every document of a folder for all its answers, and print a table of what came
    #[arg(long, value_name = "DIR", conflicts_with_all = ["specifications", "strict", "deny_warnings"])]
    bulk: Option<PathBuf>,
    /// How the findings are printed
    #[arg(long, value_enum, default_value = "text")]
    format: FindingsFormat,
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<DiffFailed>() => ExitCode::from(2),
        Err(error) => {
            // Wrong settings are a list, and each of them says that it is an error.
            let prefix = if error.is::<SettingsError>() { "" } else { "error: " };
            eprintln!("{prefix}{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<bool> {
    match command {
        Command::Run(flags) => {
            let overrides = [
                ("proxy_listen", flags.proxy_listen),
                ("admin_listen", flags.admin_listen),
                ("status_listen", flags.status_listen),
                ("log_level", flags.log_level),
                ("declarative_config", flags.file.map(|file| file.display().to_string())),
                ("specs_dir", flags.specs.map(|folder| folder.display().to_string())),
            ];
            let (mut settings, warnings) = settings(overrides, flags.conf.as_deref())?;
            let door = door(&settings)?;
            settings.declarative_config = door.file().map(PathBuf::from);
            let specs = specs(&settings, &door);
            run::run(settings, &door, specs, &warnings)
        }
        Command::Mock(flags) => {
            let listen = SocketAddr::new(flags.host, flags.port).to_string();
            let overrides = [
                ("proxy_listen", Some(listen)),
                ("admin_listen", Some("off".to_owned())),
                ("status_listen", Some("off".to_owned())),
                ("log_level", flags.log_level.clone()),
            ];
            let (settings, warnings) = settings(overrides, None)?;
            let mocked = flags.mocked()?;
            let folder = mocked.folder();
            run::run(settings, &ConfigSource::Mock(mocked), folder, &warnings)
        }
        Command::Explain(flags) => {
            let overrides = [
                ("declarative_config", flags.config.map(|file| file.display().to_string())),
                ("specs_dir", flags.specs.map(|folder| folder.display().to_string())),
            ];
            let (settings, _) = settings(overrides, None)?;
            let door = door(&settings)?;
            let specs = specs(&settings, &door);
            let headers = flags.headers.iter().map(String::as_str);
            let question =
                ExplainRequest::new(&flags.method, &flags.url, headers).map_err(anyhow::Error::msg)?;
            Ok(command::explain::explain(&settings, &door, specs, question, flags.format))
        }
        Command::Check(flags) => {
            let (settings, _) = settings([], None)?;
            let reading = CompileOptions::new(&settings);
            Ok(command::check::check(&flags.files, flags.specs.as_deref(), reading, flags.format))
        }
        Command::Lint(flags) => {
            if let Some(place) = &flags.bulk {
                return command::bulk::bulk(place, flags.format);
            }
            let demands = LintOptions { strict: flags.strict, deny_warnings: flags.deny_warnings };
            Ok(command::lint::lint(&flags.specifications, demands, flags.format))
        }
        Command::Import(flags) => flags.import(),
        Command::Schema => {
            command::schema::schema();
            Ok(true)
        }
        Command::Export(flags) => flags.export(),
        Command::Diff(flags) => flags.diff(),
    }
}

impl ImportArgs {
    fn import(self) -> Result<bool> {
        let (settings, _) = settings([], None)?;
        let wishes = ImportOptions {
            security: self.security.unwrap_or(self.mock.is_none()),
            mock: self.mock,
            tags: self.tags,
            specs: self.specs,
            output: self.output,
            notation: self.format,
        };
        command::import::import(&self.specifications, wishes, run::options(&settings))
    }
}

impl ExportArgs {
    fn export(self) -> Result<bool> {
        let overrides = [
            ("declarative_config", self.file.map(|file| file.display().to_string())),
            ("specs_dir", self.specs.map(|folder| folder.display().to_string())),
        ];
        let (settings, _) = settings(overrides, None)?;
        let door = door(&settings)?;
        let specs = specs(&settings, &door);
        Ok(command::export::export(&door, specs, CompileOptions::new(&settings), self.format))
    }
}

impl DiffArgs {
    fn diff(&self) -> Result<bool> {
        let (settings, _) = settings([], None)?;
        let files = [&*self.before, &*self.after];
        let reading = CompileOptions::new(&settings);
        let same = command::diff::diff(files, self.specs.as_deref(), reading, self.format);
        same.ok_or_else(|| DiffFailed.into())
    }
}

impl MockArgs {
    /// What is to be served.
    fn mocked(self) -> Result<MockConfig> {
        let documents: Vec<MockedDocument> =
            self.specifications.iter().map(|it| MockedDocument::parse(it)).collect();
        for (n, document) in documents.iter().enumerate() {
            if documents[..n].iter().any(|it| it.prefix == document.prefix) {
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

/// The settings of the process, and what is to be said about them.
fn settings<const N: usize>(
    overrides: [(&'static str, Option<String>); N],
    conf: Option<&std::path::Path>,
) -> Result<(Settings, Vec<String>)> {
    let given: Vec<(&str, String)> =
        overrides.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let loaded = Settings::load(&given, std::env::vars(), conf)?;
    Ok((loaded.settings, loaded.warnings))
}

/// The folder of the files that plugins name.
fn specs(settings: &Settings, door: &ConfigSource) -> PathBuf {
    let beside = door.file().map(run::specs_beside);
    settings.specs_dir.clone().or(beside).unwrap_or_else(|| PathBuf::from("specs"))
}

/// Where the configuration comes from.
fn door(settings: &Settings) -> Result<ConfigSource> {
    if let Some(file) = &settings.declarative_config {
        return Ok(ConfigSource::File(file.clone()));
    }
    if let Some(text) = &settings.declarative_config_string {
        return Ok(ConfigSource::Text(text.clone()));
    }
    let usual = ["kong.yaml", "kong.yml"].map(PathBuf::from).into_iter().find(|file| file.exists());
    match usual {
        Some(file) => Ok(ConfigSource::File(file)),
        None => bail!(
            "no configuration: there is no ./kong.yaml and no ./kong.yml\n\
             help: name one (mynah run FILE), set KONG_DECLARATIVE_CONFIG, or copy kong.yaml.example to kong.yaml"
        ),
    }
}
