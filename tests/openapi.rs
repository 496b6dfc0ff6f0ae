//! Tests of published and hostile documents: each becomes an `Api` or is refused with a message.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use mynah::{
    document::{Dialect, Value, read},
    openapi::{Api, LibraryLocation, PathLookup, PathTable, lower},
};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Lowers a file; returns the numbers of operations, of operations with a defect, and of diagnostics.
fn counts(file: &Path, specs: &Path) -> (usize, usize, usize) {
    let value = read(&fs::read_to_string(file).unwrap(), Dialect::Specification).unwrap().value;
    let (api, diagnostics) = lower(value, &LibraryLocation::file(file, specs)).unwrap();
    check_operations(&api);
    let defects = api.operations.iter().filter(|operation| operation.defect.is_some()).count();
    (api.operations.len(), defects, diagnostics.len())
}

/// Checks that every operation is found by its own path, and that every schema can be resolved.
fn check_operations(api: &Api) {
    let paths = PathTable::new(&api.operations);
    for (n, operation) in api.operations.iter().enumerate() {
        if paths.unreachable().contains(&n) || operation.defect.is_some() {
            continue;
        }
        let found = paths.find(&operation.method, operation.template.split(['#', '?']).next().unwrap());
        assert!(matches!(found, PathLookup::Match(_)), "{} {}", operation.method, operation.template);
        for media in operation.responses.iter().flat_map(|response| &response.media) {
            if let Some(schema) = &media.schema {
                api.library.resolve_schema(schema).unwrap();
            }
        }
    }
}

#[track_caller]
fn check(file: &str, operations: usize, diagnostics: usize) {
    let file = repository().join(file);
    assert_eq!(
        counts(&file, &repository().join("tests/documents")),
        (operations, 0, diagnostics),
        "{}",
        file.display()
    );
}

#[test]
fn published_documents_have_no_defects() {
    check("specs/stock-0.1.json", 2, 0);
    check("specs/petstore-3.0.json", 20, 0);
    check("tests/documents/petstore-expanded-2.0.yaml", 4, 0);
    check("tests/documents/separate-2.0/spec/swagger.json", 4, 0);
    check("tests/documents/azure-mysql-3.0.json", 2, 0);
    check("tests/documents/import-io-3.0.json", 1, 0);
    check("tests/documents/openuv-3.0.json", 3, 0);
    check("tests/documents/uspto-3.0.yaml", 3, 0);
    check("tests/documents/tictactoe-3.1.yaml", 3, 0);
    check("tests/documents/urlbox-3.1.json", 1, 0);
    check("tests/documents/webscraping-3.1.json", 4, 0);
}

/// The documents of the directory that `MYNAH_DOCUMENTS` names.
#[test]
fn other_documents_have_no_defects() {
    let Some(directory) = std::env::var_os("MYNAH_DOCUMENTS").map(PathBuf::from) else { return };
    for entry in fs::read_dir(&directory).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "json" || extension == "yaml") {
            let (_, defects, _) = counts(&file, &directory);
            assert_eq!(defects, 0, "{}", file.display());
        }
    }
}

#[test]
fn the_stock_document_of_the_tutorial_is_read() {
    let text = fs::read_to_string(repository().join("specs/stock-0.1.json")).unwrap();
    let value = read(&text, Dialect::Specification).unwrap().value;
    let (api, diagnostics) = lower(value, &LibraryLocation::alone()).unwrap();
    assert_eq!(diagnostics, []);
    let historical =
        api.operations.iter().find(|operation| operation.template == "/stock/historical").unwrap();
    let media = &historical.response(200).unwrap().media;
    assert_eq!(media.iter().map(|media| media.media_type.as_str()).collect::<Vec<_>>(), ["application/json"]);
    assert_eq!(media[0].examples[0].value.value.to_json().len(), 279);
    assert!(
        historical.parameters.iter().any(|parameter| &*parameter.name == "tickers" && parameter.required)
    );
}

const HEAD: &str = "openapi: 3.0.3\npaths: {/x: {get: {responses: {'200': {content: {application/json: {schema: \
                    {$ref: '#/components/schemas/A'}}}}}}}}\ncomponents:\n  schemas:\n";

/// Checks that a hostile document takes bounded work and has the given number of diagnostics; `usize::MAX` if it cannot
/// be read at all.
#[track_caller]
fn check_hostile(schemas: &str, diagnostics: usize) {
    let Ok(document) = read(&format!("{HEAD}{schemas}"), Dialect::Specification) else {
        assert_eq!(diagnostics, usize::MAX, "the document was not read");
        return;
    };
    let (api, found) = lower(document.value, &LibraryLocation::alone()).unwrap();
    assert_eq!(found.len(), diagnostics, "{found:#?}");
    assert_eq!(api.operations.len(), 1);
    let schema = api.operations[0].responses[0].media[0].schema.as_ref().unwrap();
    let _ = api.library.resolve_schema(schema);
}

#[test]
fn hostile_documents_are_bounded() {
    check_hostile("    A: {$ref: '#/components/schemas/A'}\n", 1);
    check_hostile("    A: {$ref: '#/components/schemas/B'}\n    B: {$ref: '#/components/schemas/A'}\n", 2);
    check_hostile("    B: {type: string}\n", 1);
    check_hostile("    A: {$ref: 5}\n", 2);
    check_hostile("    A: {$ref: 'http://127.0.0.1:9/x.yaml'}\n", 2);
    check_hostile(
        "    A: {type: object, required: [c], properties: {c: {$ref: '#/components/schemas/A'}}}\n",
        0,
    );
    check_hostile(
        "    A: {properties: {a: {$ref: '#'}, b: {$ref: ''}, c: {$ref: '#/a~2b'}, d: {$ref: '#/%zz'}}}\n",
        2,
    );
    let nested = format!("    A: {}{{}}{}\n", "{items: ".repeat(5000), "}".repeat(5000));
    check_hostile(&nested, usize::MAX);
    let next = "{$ref: '#/components/schemas/";
    let chain = lines(5000, |n| format!("    S{n}: {next}S{}'}}", n + 1));
    // Only references with too many hops to the end have diagnostics, whose number is bounded.
    check_hostile(&format!("    A: {next}S0'}}\n{chain}    S5000: {{}}\n"), 101);
    let doubling = lines(24, |n| format!("    L{n}: {{allOf: [{next}L{0}'}}, {next}L{0}'}}]}}", n + 1));
    check_hostile(&format!("    A: {next}L0'}}\n{doubling}    L24: {{}}\n"), 0);
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        writeln!(text, "{}", line(n)).unwrap();
        text
    })
}

#[test]
fn lookups_among_twenty_thousand_paths_are_as_fast_as_among_one() {
    let items = lines(20_000, |n| format!("  /p{n}/{{id}}: {{get: {{responses: {{'200': {{}}}}}}}}"));
    let value: Value =
        read(&format!("openapi: 3.0.3\npaths:\n{items}"), Dialect::Specification).unwrap().value;
    let (api, _) = lower(value, &LibraryLocation::alone()).unwrap();
    let paths = PathTable::new(&api.operations);
    let PathLookup::Match(found) = paths.find(&http::Method::GET, "/p19999/1") else { panic!() };
    assert_eq!(found.operation, 19_999);
}
