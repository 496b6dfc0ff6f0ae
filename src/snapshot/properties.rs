//! The law of what is taken over: a configuration that comes after another one becomes, to the letter, what it would
//! become by itself.

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

/// An item of the section with this number. There are few names, so that items refer to each other, and some stand
/// twice.
fn item(section: usize) -> BoxedStrategy<String> {
    let number = || 0..6_u8;
    let route =
        (prop::option::of(number()), number(), prop::option::of(0..2_u8)).prop_map(|(name, path, plugin)| {
            let name = name.map(|it| format!("name: r{it}, ")).unwrap_or_default();
            let plugin = ["", ", plugins: [{name: cors}]"][usize::from(plugin == Some(1))];
            format!("{{{name}paths: [/p{path}]{plugin}}}")
        });
    match section {
        0 => (number(), number(), prop::collection::vec(route, 0..3), 0..4_u8)
            .prop_map(|(name, host, routes, kind)| {
                let more = ["", ", enabled: false", ", tags: [x]", ", key: 1"][usize::from(kind)];
                // One in four has a mistake, but for one name only.
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
                let keys: Vec<String> = keys.iter().map(|it| format!("{{key: k{it}}}")).collect();
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

/// A new item at a place, instead of the one that is there or before it; or that one's end.
#[derive(Clone, Debug)]
struct RandomEdit {
    section: usize,
    place: prop::sample::Index,
    kind: u8,
    item: String,
}

fn edit() -> impl Strategy<Value = RandomEdit> {
    (0..SECTIONS.len(), any::<prop::sample::Index>(), 0..3_u8).prop_flat_map(|(section, place, kind)| {
        item(section).prop_map(move |item| RandomEdit { section, place, kind, item })
    })
}

impl RandomEdit {
    fn make(&self, sections: &mut ConfigSections) {
        let items = &mut sections[self.section];
        let place = self.place.index(items.len() + 1);
        match self.kind {
            0 if place < items.len() => drop(items.remove(place)),
            1 if place < items.len() => items[place].clone_from(&self.item),
            _ => items.insert(place, self.item.clone()),
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
        .map_err(|it: DiagnosticReport| it.diagnostics().to_vec())?;
    let mut made = compiler.compile(config, before, true, &FileReader::default())?;
    compiler.adopt(&mut made);
    Ok(made)
}

/// Everything that a request or the Admin API could see of a configuration.
fn seen(made: &Result<CompiledSnapshot, Vec<Diagnostic>>) -> String {
    let CompiledSnapshot { snapshot, warnings, files, .. } = match made {
        Ok(made) => made,
        Err(complaints) => return format!("{complaints:#?}"),
    };
    let Entities { services, routes, plugins, consumers, upstreams, targets, records, .. } =
        &snapshot.entities;
    let records: Vec<String> = records
        .iter()
        .map(|it| format!("{} at {}: {}", it.collection(), it.at, it.value.to_json()))
        .collect();
    let step = |it: &RouteStep| {
        let RouteStep { chain, destination, matched, https_only, grpc, metrics } = it;
        let counted = metrics.is_some();
        let MatchedRoute { route, route_record, service, service_record, .. } = &**matched;
        format!(
            "{chain:?} {destination:?} {route} {route_record:?} {service:?} {service_record:?} {https_only} {grpc} {counted}"
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
    fn what_comes_after_another_is_what_it_is_by_itself(
        first in SECTIONS.iter().enumerate().map(|(n, _)| prop::collection::vec(item(n), 0..4)).collect::<Vec<_>>(),
        steps in prop::collection::vec(prop::collection::vec(edit(), 1..3), 1..6),
    ) {
        let compiler = || SnapshotCompiler::new("specs".into(), router::RouterOptions::default());
        let mut lasting = compiler();
        let mut current = Arc::new(lasting.empty());
        let mut sections = first;
        for edits in [Vec::new()].into_iter().chain(steps) {
            for edit in edits {
                edit.make(&mut sections);
            }
            let text = text(&sections);
            let mut fresh = compiler();
            let nothing = fresh.empty();
            let alone = read(&text, &nothing, &mut fresh);
            let after = read(&text, &current, &mut lasting);
            prop_assert_eq!(seen(&after), seen(&alone), "{}", text);
            if let Ok(made) = after {
                current = Arc::new(made.snapshot);
            }
        }
    }
}

#[test]
fn what_does_not_change_is_the_same_in_memory() {
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
    let record = |it: &Snapshot, n: usize| Value::address(&it.entities.routes[n].record);
    assert_eq!(record(&third, 0), record(&second, 1));
    assert_eq!(third.entities.routes[0].at.to_string(), "services[0].routes[0]");
}
