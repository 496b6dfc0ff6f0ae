//! Fuzz target: a text as a `kong.yaml` is a configuration, or is refused with diagnostics that can be rendered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::{
    config::{DeclarativeFormat, parse},
    diag::{RenderStyle, SourceFile},
    plugin::{BundledPlugins, EnabledPlugins},
};

/// All plugins, and routes that are expressions.
const PLUGINS: BundledPlugins = BundledPlugins { expressions: true, enabled: EnabledPlugins::ALL };

fuzz_target!(|text: &str| {
    let source = SourceFile::new("kong.yaml", text);
    if let Err(report) = parse(&source, DeclarativeFormat::Environment, &PLUGINS, 0) {
        assert!(!report.is_empty());
        let _ = report.draw(RenderStyle::Plain);
    }
});
