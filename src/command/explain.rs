//! `mynah explain METHOD URL`: says what would become of a request, and why.

use std::path::PathBuf;

use mynah::{
    control::ConfigSource,
    diag::plural,
    proxy::{ExplainRequest, Explanation, Proxy},
    settings::Settings,
    snapshot::SnapshotCompiler,
};

use super::{
    check::FindingsFormat,
    draw,
    run::{self, CompileOptions},
    say,
};

/// Explains a request; false if the configuration cannot be used, and why has been said.
pub(crate) fn explain(
    settings: &Settings,
    door: &ConfigSource,
    specs: PathBuf,
    question: ExplainRequest,
    format: FindingsFormat,
) -> bool {
    let control = CompileOptions::new(settings).control(SnapshotCompiler::new(specs, run::options(settings)));
    let control = control.with_source(door);
    let loaded = match control.start() {
        Ok(loaded) => loaded,
        Err(report) => {
            draw(&report);
            return false;
        }
    };
    let explanation = Proxy::new(control.live().clone(), settings).explain(&loaded.snapshot, question);
    match format {
        FindingsFormat::Json => say(explanation.to_json()),
        FindingsFormat::Text => tell(&explanation),
    }
    true
}

fn tell(explanation: &Explanation) {
    say(format_args!("request    {}", explanation.request));
    for (n, route) in explanation.routes.iter().enumerate() {
        let matched = route.matched.as_ref().map_or_else(String::new, |it| format!(", matched {it}"));
        match route.outranked_by {
            None => say(format_args!("route      {}{matched}", route.name)),
            Some(rule) => {
                let title = if n == 1 { "not" } else { "" };
                let winner = explanation.routes.first().map_or("", |it| it.name.as_str());
                say(format_args!("{title:<10} {}{matched}: {winner} wins, {rule}", route.name));
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
        say(format_args!("{title:<10} {} ({}){scope}", plugin.name, plugin.priority));
    }
    if let Some((status, reason)) = explanation.answer {
        say(format_args!("answer     {status}: {reason}"));
    }
    if let Some(upstream) = &explanation.upstream {
        say(format_args!("upstream   {}", upstream.request));
        for (name, value) in &upstream.headers {
            say(format_args!("           {name}: {value}"));
        }
    }
}
