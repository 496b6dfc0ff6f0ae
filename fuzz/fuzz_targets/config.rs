//! Any bytes as a `kong.yaml`: they are a configuration, or refused with places that exist.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::{
    config::parse,
    diag::{SourceFile, RenderStyle},
    plugin::{BundledPlugins, EnabledPlugins},
};

fuzz_target!(|text: &str| {
    let source = SourceFile::new("kong.yaml", text);
    if let Err(report) = parse(&source, &BundledPlugins { expressions: true, enabled: EnabledPlugins::ALL }, 0) {
        assert!(!report.is_empty());
        let _ = report.draw(RenderStyle::Plain);
    }
});
