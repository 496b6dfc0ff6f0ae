//! Property test of incremental loads: a configuration that is loaded after another one compiles to exactly the same as if
//! it is loaded alone.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    config::{ConfigReader, DeclarativeFormat},
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document::Value,
    file_read::FileReader,
    plugin::{BundledPlugins, EnabledPlugins},
};

/// The items of each section of a configuration.
type ConfigSections = Vec<Vec<String>>;

const SECTIONS: [&str; 7] =
    ["services", "routes", "plugins", "consumers", "upstreams", "targets", "basicauth_credentials"];

fn text(sections: &ConfigSections) -> String {
    let sections = SECTIONS.iter().zip(sections).filter(|(_, items)| !items.is_empty());
    let sections = sections.map(|(name, items)| format!("{name}:\n- {}\n", items.join("\n- ")));
    format!("_format_version: \"3.0\"\n{}", sections.collect::<String>())
}

/// A random item of the section with this number. There are few names, so that items refer to each other, and some
/// occur twice.
fn item(section: usize) -> BoxedStrategy<String> {
    let number = || 0..6_u8;
    let route =
        (prop::option::of(number()), number(), prop::option::of(0..2_u8)).prop_map(|(name, path, plugin)| {
            let name = name.map(|number| format!("name: r{number}, ")).unwrap_or_default();
            let plugin = ["", ", plugins: [{name: cors}]"][usize::from(plugin == Some(1))];
            format!("{{{name}paths: [/p{path}]{plugin}}}")
        });
    match section {
        0 => (number(), number(), prop::collection::vec(route, 0..3), 0..4_u8)
            .prop_map(|(name, host, routes, kind)| {
                let more = ["", ", enabled: false", ", tags: [x]", ", key: 1"][usize::from(kind)];
                // One in four has an error, but only for one name.
                let more = if kind == 3 && name > 0 { "" } else { more };
                format!("{{name: s{name}, host: u{host}, routes: [{}]{more}}}", routes.join(", "))
            })
            .boxed(),
        1 => (number(), number())
            .prop_map(|(name, to)| format!("{{name: t{name}, paths: [/t], service: s{to}}}"))
            .boxed(),
        2 => (0..3_u8, number())
            .prop_map(|(kind, to)| match kind {
                0 => format!("{{name: key-auth, service: s{to}}}"),
                1 => format!("{{name: correlation-id, route: t{to}, config: {{header_name: x-{to}}}}}"),
                _ => format!("{{name: request-termination, consumer: c{to}}}"),
            })
            .boxed(),
        3 => (number(), prop::collection::vec(number(), 0..2))
            .prop_map(|(name, keys)| {
                let keys: Vec<String> = keys.iter().map(|key| format!("{{key: k{key}}}")).collect();
                format!("{{username: c{name}, keyauth_credentials: [{}]}}", keys.join(", "))
            })
            .boxed(),
        4 => number().prop_map(|name| format!("{{name: u{name}}}")).boxed(),
        5 => (number(), number())
            .prop_map(|(to, port)| format!("{{upstream: u{to}, target: \"a.test:{port}\"}}"))
            .boxed(),
        _ => (number(), number())
            .prop_map(|(name, to)| format!("{{username: b{name}, password: p, consumer: c{to}}}"))
            .boxed(),
    }
}

/// Random edit of a section: removes an item, replaces it, or inserts one before it.
#[derive(Clone, Debug)]
struct RandomEdit {
    section: usize,
    index: prop::sample::Index,
    kind: u8,
    item: String,
}

fn edit() -> impl Strategy<Value = RandomEdit> {
    (0..SECTIONS.len(), any::<prop::sample::Index>(), 0..3_u8).prop_flat_map(|(section, index, kind)| {
        item(section).prop_map(move |item| RandomEdit { section, index, kind, item })
    })
}

impl RandomEdit {
    fn apply(&self, sections: &mut ConfigSections) {
        let items = &mut sections[self.section];
        let index = self.index.index(items.len() + 1);
        match self.kind {
            0 if index < items.len() => drop(items.remove(index)),
            1 if index < items.len() => items[index].clone_from(&self.item),
            _ => items.insert(index, self.item.clone()),
        }
    }
}

fn read(
    text: &str,
    before: &Snapshot,
    compiler: &mut SnapshotCompiler,
) -> Result<CompiledSnapshot, Vec<Diagnostic>> {
    let reader = ConfigReader {
        format: DeclarativeFormat::Deck,
        plugins: &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
        now: 0,
        before: Some((&before.entities, &before.origin)),
        layout: false,
        known: None,
    };
    let config = reader
        .parse(&SourceFile::new("kong.yaml", text))
        .map_err(|report: DiagnosticReport| report.diagnostics().to_vec())?;
    let mut compiled = compiler.compile(config, before, true, &FileReader::default())?;
    compiler.adopt(&mut compiled);
    Ok(compiled)
}

/// Everything of a configuration that a request or the Admin API can observe, as text.
fn observable_state(compiled: &Result<CompiledSnapshot, Vec<Diagnostic>>) -> String {
    let CompiledSnapshot { snapshot, warnings, files, .. } = match compiled {
        Ok(compiled) => compiled,
        Err(diagnostics) => return format!("{diagnostics:#?}"),
    };
    let Entities { services, routes, plugins, consumers, upstreams, targets, records, .. } =
        &snapshot.entities;
    let records: Vec<String> = records
        .iter()
        .map(|record| format!("{} at {}: {}", record.collection(), record.at, record.value.to_json()))
        .collect();
    let step = |step: &RouteStep| {
        let RouteStep { chain, destination, matched, https_only, grpc, metrics } = step;
        let has_metrics = metrics.is_some();
        let MatchedRoute { route, route_record, service, service_record, .. } = &**matched;
        format!(
            "{chain:?} {destination:?} {route} {route_record:?} {service:?} {service_record:?} {https_only} {grpc} {has_metrics}"
        )
    };
    let steps: Vec<String> = snapshot.steps.iter().map(step).collect();
    let entities =
        format!("{services:#?} {routes:#?} {plugins:#?} {consumers:#?} {upstreams:#?} {targets:#?}");
    let Snapshot { hash, router, destinations, global, origin, .. } = snapshot;
    let document = origin.document.to_json();
    format!(
        "{records:#?} {entities} {steps:#?} {router:#?} {destinations:#?} {global:?} {hash} {warnings:#?} {files:?} {document}"
    )
}

proptest! {
    #[test]
    fn a_configuration_after_another_compiles_as_it_does_alone(
        first in SECTIONS.iter().enumerate().map(|(n, _)| prop::collection::vec(item(n), 0..4)).collect::<Vec<_>>(),
        steps in prop::collection::vec(prop::collection::vec(edit(), 1..3), 1..6),
    ) {
        let compiler = || SnapshotCompiler::new("specs".into(), router::RouterOptions::default());
        let mut lasting = compiler();
        let mut current = Arc::new(lasting.empty());
        let mut sections = first;
        for edits in [Vec::new()].into_iter().chain(steps) {
            for edit in edits {
                edit.apply(&mut sections);
            }
            let text = text(&sections);
            let mut fresh = compiler();
            let empty = fresh.empty();
            let alone = read(&text, &empty, &mut fresh);
            let after = read(&text, &current, &mut lasting);
            prop_assert_eq!(observable_state(&after), observable_state(&alone), "{}", text);
            if let Ok(compiled) = after {
                current = Arc::new(compiled.snapshot);
            }
        }
    }
}

#[test]
fn unchanged_parts_are_shared_in_memory() {
    let mut compiler = SnapshotCompiler::new("specs".into(), router::RouterOptions::default());
    let service = |n: usize, path: &str| {
        format!("- {{name: s{n}, host: h, routes: [{{name: r{n}, paths: [/{path}]}}]}}\n")
    };
    let text = |services: &[String]| format!("_format_version: \"3.0\"\nservices:\n{}", services.concat());
    let all: Vec<String> = (0..4).map(|n| service(n, "x")).collect();
    let empty = compiler.empty();
    let first = read(&text(&all), &empty, &mut compiler).unwrap().snapshot;
    let mut changed = all;
    changed[1] = service(1, "y");
    let second = read(&text(&changed), &first, &mut compiler).unwrap().snapshot;
    for (n, is_same) in [true, false, true, true].into_iter().enumerate() {
        assert_eq!(Arc::ptr_eq(&first.entities.routes[n], &second.entities.routes[n]), is_same, "{n}");
        assert!(Arc::ptr_eq(&first.destinations[n], &second.destinations[n]), "{n}");
    }
    let third = read(&text(&changed[1..]), &second, &mut compiler).unwrap().snapshot;
    let record = |snapshot: &Snapshot, n: usize| Value::address(&snapshot.entities.routes[n].record);
    assert_eq!(record(&third, 0), record(&second, 1));
    assert_eq!(third.entities.routes[0].at.to_string(), "services[0].routes[0]");
}
