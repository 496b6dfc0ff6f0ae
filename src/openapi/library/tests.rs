//! Tests of references: resolvable, dangling and forbidden ones.

use std::{fs, os::unix, path::PathBuf, process::Command, sync::atomic::AtomicUsize};

use super::*;
use crate::document::{Dialect, read};

/// Temporary directory of one test, with a subdirectory `specs` and a secret next to it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mynah-library-{}-{n}", std::process::id()));
        fs::create_dir_all(path.join("specs/deep")).unwrap();
        let here = Self(fs::canonicalize(path).unwrap());
        here.write("secret.yaml", "x: {example: SECRET}");
        here
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn library(&self, text: &str) -> (DocumentLibrary, Vec<Diagnostic>) {
        let specs = self.0.join("specs");
        DocumentLibrary::new(value(text), &LibraryLocation::file(specs.join("root.yaml"), specs))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn value(text: &str) -> Value {
    read(text, Dialect::Specification).unwrap().value
}

fn reference(text: &str) -> DocumentNode {
    DocumentNode { value: Value::from(document::Mapping::from_iter([("$ref", Value::from(text))])), file: 0 }
}

const INSIDE: &str = r#"
openapi: 3.1.0
components:
  schemas:
    A: {const: a}
    "a/b~c d": {const: escaped}
    "50%": {const: percent}
    404: {const: numeric}
    Chain: {$ref: '#/components/schemas/Chain2'}
    Chain2: {$ref: '#/components/schemas/A'}
    Loop: {$ref: '#/components/schemas/Loop2'}
    Loop2: {$ref: '#/components/schemas/Loop'}
    Through: {$ref: '#/x-schemas'}
    Anchored: {$anchor: here, const: anchored}
    Named: {$id: 'https://example.com/named', const: named, properties: {p: {const: inside}}}
    Dynamic: {$dynamicRef: '#here'}
x-schemas: {properties: {deep: {const: deep}}}
x-list: [{const: zero}, {const: one}]
"#;

#[track_caller]
fn check(library: &DocumentLibrary, text: &str, expected: Result<&str, &str>) {
    let found = library.resolve(&reference(text)).map_err(|error| error.to_string());
    match (found, expected) {
        (Ok(node), Ok(expected)) => assert_eq!(node.text("const"), Some(expected), "{text}: {node:?}"),
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{text}: {error}"),
        (found, _) => panic!("{text}: {found:?}"),
    }
}

#[test]
fn pointers_lead_to_nodes() {
    let (library, _) = DocumentLibrary::new(value(INSIDE), &LibraryLocation::alone());
    let check = |text, expected| check(&library, text, expected);
    check("#/components/schemas/A", Ok("a"));
    check("#/components/schemas/a~1b~0c%20d", Ok("escaped"));
    check("#/components/schemas/50%25", Ok("percent"));
    check("#/components/schemas/50%", Ok("percent"));
    check("#/components/schemas/404", Ok("numeric"));
    check("#/components/schemas/Chain", Ok("a"));
    check("#/components/schemas/Through/properties/deep", Ok("deep"));
    check("#/x-list/1", Ok("one"));
    check("#here", Ok("anchored"));
    check("#/components/schemas/Dynamic", Ok("anchored"));
    check("https://example.com/named", Ok("named"));
    check("https://example.com/named#/properties/p", Ok("inside"));
    for root in ["#", ""] {
        assert_eq!(library.resolve(&reference(root)).unwrap().value, library.root().value);
    }
}

#[test]
fn the_error_of_a_reference_names_the_missing_step() {
    let (library, diagnostics) = DocumentLibrary::new(value(INSIDE), &LibraryLocation::alone());
    let check = |text, expected| check(&library, text, Err(expected));
    check("#/components/schemas/Nope", "there is no `Nope`");
    check("#/nope/schemas/A", "there is no `nope`");
    check("#/x-list/2", "there is no `2`");
    check("#/x-list/-1", "there is no `-1`");
    check("#/openapi/0", "there is no `0`");
    check("#nowhere", "there is no `nowhere`");
    check("#/components/schemas/Loop", "leads in a circle");
    check("#/components/schemas/Loop/properties", "leads in a circle");
    check("other.yaml", "it was not read with the document");
    check(&format!("#/{}", "a/".repeat(500_000)), "there is no `a`");
    let paths: Vec<_> = diagnostics.iter().map(|warning| warning.path.to_string()).collect();
    assert_eq!(paths, ["components.schemas.Loop.$ref", "components.schemas.Loop2.$ref"]);
}

#[test]
fn a_reference_must_be_a_string() {
    let (library, diagnostics) = DocumentLibrary::new(
        value("{openapi: 3.0.0, a: {$ref: 5}, properties: {$ref: {type: string}}}"),
        &LibraryLocation::alone(),
    );
    let node = library.root().get("a").unwrap();
    assert_eq!(library.resolve(&node).unwrap_err(), ReferenceError::NotText { kind: "number" });
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
}

#[test]
fn references_in_examples_are_not_reported() {
    let text = "
openapi: 3.0.0
a: {example: {b: {$ref: '#/nope'}, c: [{$ref: 'http://x.example/'}]}}
b: {enum: [{$ref: '#/nope'}], default: {$ref: '#/nope'}}
properties: {example: {$ref: '#/a'}}
";
    let (_, diagnostics) = DocumentLibrary::new(value(text), &LibraryLocation::alone());
    assert_eq!(diagnostics, []);
}

#[test]
fn other_files_are_read() {
    let directory = Directory::new();
    directory
        .write("specs/root.yaml", "openapi: 3.0.0")
        .write("specs/whole.json", r#"{"const": "whole"}"#)
        .write(
            "specs/deep/a b.yaml",
            "A: {$ref: '../whole.json'}\nB: {$ref: '../root.yaml#/C'}\nD: {const: d}\n",
        )
        .write("specs/broken.yaml", "a: [1")
        .write("specs/example.bin", "bytes");
    let (library, diagnostics) = directory.library(
        "
openapi: 3.0.0
C: {const: c}
refs:
- $ref: whole.json
- $ref: ./deep/a%20b.yaml#/A
- $ref: deep/a%20b.yaml#/B
- $ref: broken.yaml
- $ref: missing.yaml#/x
examples: {e: {externalValue: example.bin}, f: {externalValue: ../secret.yaml}}
",
    );
    let check = |text, expected| check(&library, text, expected);
    check("whole.json", Ok("whole"));
    check("./deep/a%20b.yaml#/A", Ok("whole"));
    check("deep/a%20b.yaml#/B", Ok("c"));
    check("./deep/a%20b.yaml#/D", Ok("d"));
    check("broken.yaml", Err("neither YAML nor JSON"));
    check("missing.yaml#/x", Err("there is no such file"));
    assert_eq!(library.external(0, "example.bin").unwrap(), "bytes");
    assert!(library.external(0, "../secret.yaml").is_err());
    assert!(library.external(7, "x").is_err());
    let files: Vec<_> =
        library.files().map(|path| path.strip_prefix(&directory.0).unwrap().display().to_string()).collect();
    assert_eq!(
        files,
        [
            "specs/whole.json",
            "specs/deep/a b.yaml",
            "specs/broken.yaml",
            "specs/missing.yaml",
            "specs/example.bin",
            "specs/root.yaml"
        ]
    );
    // The syntax error at its position in broken.yaml, then the references of the document that cannot be followed.
    assert_eq!(diagnostics.len(), 4, "{diagnostics:#?}");
    assert!(diagnostics.iter().all(|warning| !warning.is_error()));
    assert!(diagnostics[0].file.as_ref().is_some_and(|file| file.name.ends_with("broken.yaml")));
    let paths: Vec<_> = diagnostics[1..].iter().map(|warning| warning.path.to_string()).collect();
    assert_eq!(paths, ["examples.f.externalValue", "refs[3].$ref", "refs[4].$ref"]);
}

#[test]
fn files_outside_the_directory_are_not_read() {
    let directory = Directory::new();
    let specs = directory.0.join("specs");
    unix::fs::symlink(directory.0.join("secret.yaml"), specs.join("link.yaml")).unwrap();
    unix::fs::symlink("/dev/zero", specs.join("zero")).unwrap();
    unix::fs::symlink(&directory.0, specs.join("up")).unwrap();
    assert!(Command::new("mkfifo").arg(specs.join("fifo")).status().unwrap().success());
    let secret = directory.0.join("secret.yaml").display().to_string();
    let check = |text: &str, expected: &str| {
        let (library, diagnostics) = directory.library(&format!("openapi: 3.0.0\na: {{$ref: {text:?}}}\n"));
        let error = library.resolve(&library.root().get("a").unwrap()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert_eq!(diagnostics.len(), 1, "{text}: {diagnostics:?}");
    };
    for outside in [
        "../secret.yaml#/x",
        &secret,
        "/etc/passwd",
        "link.yaml",
        "zero",
        "/dev/zero",
        "up/secret.yaml#/x",
        "deep/../../secret.yaml",
        "%2e%2e/secret.yaml",
        "../nonexistent.yaml",
    ] {
        check(outside, "it is outside the directory");
    }
    for url in [
        "file:///etc/passwd",
        "http://127.0.0.1:19099/x.yaml#/A",
        "//127.0.0.1:19099/x.yaml",
        "https://example.com/x",
        "data:application/json,{}",
        "ftp://x",
    ] {
        check(url, "URLs are not fetched");
    }
    check("fifo", "not a regular file");
    check("deep", "not a regular file");
    check("a\0b", "NUL");
    check("%ff", "not UTF-8");
}

#[test]
fn a_file_may_not_be_too_large() {
    let directory = Directory::new();
    fs::File::create(directory.0.join("specs/big.yaml")).unwrap().set_len(files::FILE_LIMIT + 1).unwrap();
    let (library, _) = directory.library("{openapi: 3.0.0, a: {$ref: big.yaml}}");
    check(&library, "big.yaml", Err("larger than 16 MiB"));
}

#[test]
fn a_document_alone_reads_no_files() {
    let (library, diagnostics) =
        DocumentLibrary::new(value("{openapi: 3.0.0, a: {$ref: x.yaml}}"), &LibraryLocation::alone());
    check(&library, "x.yaml", Err("may refer to no other file"));
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(library.files().count(), 0);
}

#[track_caller]
fn check_schema(version: &str, schema: &str, expected: &str) {
    let text = format!(
        "{{openapi: {version}, schema: {schema}, T: {{type: object, title: t, required: [a], properties: {{a: {{}}}}}}, \
         M: {{$ref: '#/T', title: m}}, F: false, Y: true}}"
    );
    let (library, _) = DocumentLibrary::new(value(&text), &LibraryLocation::alone());
    let found = library.resolve_schema(&library.root().get("schema").unwrap()).unwrap();
    assert_eq!(found.value.to_json(), value(expected).to_json(), "{schema}");
}

#[test]
fn keywords_next_to_a_reference_apply_since_openapi_3_1() {
    let target = "{type: object, title: t, required: [a], properties: {a: {}}}";
    check_schema("3.0.3", "{$ref: '#/T', title: s}", target);
    check_schema("3.0.3", "{$ref: '#/M'}", target);
    check_schema("3.1.0", "{$ref: '#/T'}", target);
    check_schema(
        "3.1.0",
        "{$ref: '#/M', required: [a, b], properties: {b: {}}, x: 1}",
        "{type: object, title: m, required: [a, b], properties: {a: {}, b: {}}, x: 1}",
    );
    check_schema(
        "3.1.0",
        "{title: s, $ref: '#/M'}",
        "{type: object, title: s, required: [a], properties: {a: {}}}",
    );
    check_schema("3.1.0", "{$ref: '#/F', title: s}", "false");
    check_schema("3.1.0", "{$ref: '#/Y', title: s}", "{title: s}");
}
