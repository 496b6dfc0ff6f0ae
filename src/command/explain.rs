//! `mynah explain`: how the gateway would handle a request.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use mynah::{
    diag::plural,
    proxy::{ExplainRequest, Explanation, GatewayAnswer, Proxy},
    snapshot::SnapshotCompiler,
};

use super::{
    flags::{ConfigFlag, OutputFormatFlag, SpecsFlag, path_value},
    load::{CompileOptions, load_settings, required_source, router_options, specs_folder},
    output::{OutputFormat, print_line, print_report},
};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Method of the request, such as GET
    method: String,
    /// URL of the request as a client sends it, or its path
    url: String,
    /// Header field of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    #[command(flatten)]
    config: ConfigFlag,
    #[command(flatten)]
    specs: SpecsFlag,
    #[command(flatten)]
    output: OutputFormatFlag,
}

impl ExplainArgs {
    /// Explains a request; fails if the configuration cannot be loaded.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let overrides = [
            ("declarative_config", path_value(self.config.config)),
            ("specs_dir", path_value(self.specs.specs)),
        ];
        let settings = load_settings(overrides, None)?.settings;
        let source = required_source(&settings)?;
        let specs = specs_folder(&settings, &source);
        let headers = self.headers.iter().map(String::as_str);
        let request = ExplainRequest::new(&self.method, &self.url, headers).map_err(anyhow::Error::msg)?;
        let compiler = SnapshotCompiler::new(specs, router_options(&settings));
        let control = CompileOptions::new(&settings).control(compiler).with_source(&source);
        let loaded = match control.start() {
            Ok(loaded) => loaded,
            Err(report) => {
                print_report(&report);
                return Ok(ExitCode::FAILURE);
            }
        };
        let explanation = Proxy::new(control.live().clone(), &settings).explain(&loaded.snapshot, request);
        match self.output.format {
            OutputFormat::Json => print_line(explanation.to_json()),
            OutputFormat::Text => print_explanation(&explanation),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_explanation(explanation: &Explanation) {
    print_line(format_args!("request    {}", explanation.request));
    for (n, route) in explanation.routes.iter().enumerate() {
        let matched = route.matched.as_ref().map_or_else(String::new, |by| format!(", matched {by}"));
        match route.outranked_by {
            None => print_line(format_args!("route      {}{matched}", route.name)),
            Some(rule) => {
                let title = if n == 1 { "not" } else { "" };
                let winner = explanation.routes.first().map_or("", |route| route.name.as_str());
                print_line(format_args!("{title:<10} {}{matched}: {winner} wins, {rule}", route.name));
            }
        }
    }
    for (n, plugin) in explanation.plugins.iter().enumerate() {
        let title = if n == 0 { "plugins" } else { "" };
        let scope = match (plugin.runs_for_all, plugin.consumers) {
            (true, 0) => String::new(),
            (true, n) => format!(", another one for {}", plural(n, "consumer")),
            (false, n) => format!(", for {} only", plural(n, "consumer")),
        };
        print_line(format_args!("{title:<10} {} ({}){scope}", plugin.name, plugin.priority));
    }
    if let Some(GatewayAnswer { status, reason, .. }) = &explanation.answer {
        print_line(format_args!("answer     {status}: {reason}"));
    }
    if let Some(upstream) = &explanation.upstream {
        print_line(format_args!("upstream   {}", upstream.request));
        for (name, value) in &upstream.headers {
            print_line(format_args!("           {name}: {value}"));
        }
    }
}
