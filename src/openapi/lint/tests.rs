//! Tests of diagnostics of documents with one fault each.

use crate::{
    diag::{DiagnosticReport, SourceFile},
    document::{Dialect, read},
    openapi::LibraryLocation,
};

/// Checks the diagnostics of a document, as `line severity: message`.
#[track_caller]
fn check(text: &str, is_strict: bool, expected: &[&str]) {
    let value = read(text, Dialect::Specification).unwrap().value;
    let (_, found) = super::lint(value, &LibraryLocation::alone(), is_strict).unwrap();
    let report = DiagnosticReport::new(SourceFile::new("document.yaml", text), found);
    let lines: Vec<String> = report
        .diagnostics()
        .iter()
        .map(|diagnostic| {
            let severity = if diagnostic.is_error() { "error" } else { "warning" };
            format!("{} {severity}: {}", report.position(diagnostic).line, diagnostic.message)
        })
        .collect();
    assert_eq!(lines, expected);
}

#[track_caller]
fn check_v3(rest: &str, expected: &[&str]) {
    check(&format!("openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\n{rest}"), false, expected);
}

#[test]
fn a_correct_document_has_no_diagnostics() {
    for file in ["specs/petstore-3.0.json", "specs/stock-0.1.json", "tests/documents/uspto-3.0.yaml"] {
        let value = read(&std::fs::read_to_string(file).unwrap(), Dialect::Specification).unwrap().value;
        let (_, found) = super::lint(value, &LibraryLocation::alone(), false).unwrap();
        assert_eq!(found, [], "{file}");
    }
}

#[test]
fn examples_of_bodies_are_checked_against_their_schema() {
    check_v3(
        "\
paths:
  /pets:
    post:
      requestBody:
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Pet'}
            example: {name: 5}
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Pet'}
              examples:
                good: {value: {id: 1, name: Tom}}
                poor: {value: {name: Tom}}
                text: {value: '{\"id\": 1, \"name\": \"Tom\"}'}
                shared: {$ref: '#/components/examples/Cat'}
            application/xml:
              schema: {$ref: '#/components/schemas/Pet'}
              example: <Pet/>
components:
  examples:
    Cat:
      value:
        id: one
        name: Cat
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string}
",
        &[
            "10 error: this example breaks its schema: `type` asks for a string, this is a number",
            "19 error: this example breaks its schema: the required `id` is missing",
            "20 warning: this example is JSON in a string, where the schema asks for the value itself",
            "29 error: this example breaks its schema: `type` asks for an integer, this is a string",
        ],
    );
}

#[test]
fn examples_of_schemas_parameters_and_headers_are_checked_against_their_schema() {
    check_v3(
        "\
paths:
  /pets:
    get:
      parameters:
        - {name: n, in: query, schema: {type: integer}, example: x}
        - {name: m, in: query, schema: {type: integer, maximum: 3, example: 4}}
        - name: filter
          in: query
          content: {application/json: {schema: {type: array}, example: {}}}
      responses:
        '200':
          description: ok
          headers:
            X-Count: {schema: {type: integer}, example: many}
components:
  schemas:
    Id: {type: string, format: uuid, example: 5, default: none}
    List: {type: array, items: {type: string, enum: [a, b], example: c}}
",
        &[
            "7 error: this example breaks its schema: `type` asks for an integer, this is a string",
            "8 error: this example breaks its schema: `maximum: 3` does not hold for 4",
            "11 error: this example breaks its schema: `type` asks for an array, this is an object",
            "16 error: this example breaks its schema: `type` asks for an integer, this is a string",
            "19 error: this example breaks its schema: `type` asks for a string, this is a number",
            "19 warning: this default breaks its schema: `format: \"uuid\"` does not hold for \"none\"",
            "20 error: this example breaks its schema: \"c\" is none of the values of `enum`: [\"a\",\"b\"]",
        ],
    );
}

#[test]
fn examples_of_swagger_2_are_checked() {
    check(
        "\
swagger: '2.0'
info: {title: t, version: '1'}
paths:
  /pets:
    get:
      parameters:
        - {name: n, in: query, type: integer, x-example: x}
        - {name: b, in: body, schema: {type: object, example: []}}
      responses:
        '200':
          description: ok
          schema: {type: object}
          examples:
            application/json: [1]
            text/plain: one
          headers:
            X-Count: {type: integer, default: many}
",
        false,
        &[
            "7 error: this example breaks its schema: `type` asks for an integer, this is a string",
            "8 error: this example breaks its schema: `type` asks for an object, this is an array",
            "17 warning: this default breaks its schema: `type` asks for an integer, this is a string",
            "14 error: this example breaks its schema: `type` asks for an object, this is an array",
        ],
    );
}

#[test]
fn references_that_lead_nowhere_or_in_a_circle_are_errors() {
    check_v3(
        "\
paths:
  /a:
    get:
      responses:
        '200': {$ref: '#/components/responses/None'}
components:
  schemas:
    A: {$ref: '#/components/schemas/B'}
    B: {$ref: '#/components/schemas/A'}
",
        &[
            "7 error: `$ref: #/components/responses/None` leads nowhere: there is no `responses`",
            "10 error: `$ref: #/components/schemas/B` leads in a circle, or through too many others",
            "11 error: `$ref: #/components/schemas/A` leads in a circle, or through too many others",
        ],
    );
}

#[test]
fn schemas_that_no_value_satisfies_are_warnings() {
    check_v3(
        "\
paths:
  /a:
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Loop'}}}}
        '201':
          description: ok
          content:
            application/json:
              schema: {type: integer, minimum: 5, maximum: 3}
components:
  schemas:
    Loop: {type: object, required: [next], properties: {next: {$ref: '#/components/schemas/Loop'}}}
",
        &[
            "7 warning: no value was found that fits this schema",
            "12 warning: no value was found that fits this schema",
        ],
    );
}

#[test]
fn unreachable_operations_and_repeated_operation_ids_are_errors() {
    check_v3(
        "\
paths:
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: one, responses: {'200': {description: ok}}}
  /pets/{name}:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    get: {operationId: two, responses: {'200': {description: ok}}}
    put: {operationId: one, responses: {'200': {description: ok}}}
",
        &[
            "9 error: this operation is never found: `GET /pets/{id}` has the same path",
            "10 error: `operationId: one` is not unique: `GET /pets/{id}` has it, too",
        ],
    );
}

#[test]
fn templates_and_parameters_that_do_not_agree_are_reported() {
    check_v3(
        "\
paths:
  /pets/{id}/{id}/{kind}.{ext}:
    parameters: [{$ref: '#/components/parameters/Id'}, {name: kind, in: path, schema: {type: string}}]
    get:
      parameters:
        - {name: q, in: query, schema: {type: string}}
        - {name: name, in: path, schema: {type: string}}
      responses: {'200': {description: ok}}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string}}
",
        &[
            "4 warning: the path contains `{id}` twice",
            "6 error: the path has `{ext}`, but no parameter `ext` is declared",
            "9 error: the path parameter `name` does not occur in the path `/pets/{id}/{id}/{kind}.{ext}`",
        ],
    );
}

#[test]
fn missing_descriptions_are_errors_in_the_strict_mode_only() {
    let text = "\
swagger: '2.0'
info: {title: t, version: '1'}
paths:
  /a: {get: {responses: {'200': {}}}}
";
    check(text, false, &[]);
    check(text, true, &["4 error: a response must have a `description`"]);
    let later = text.replace("swagger: '2.0'", "openapi: 3.2.0");
    check(&later, true, &[]);
    let strict =
        text.replace("swagger: '2.0'", "openapi: 3.0.0").replace("info: {title: t, version: '1'}", "info: 5");
    let value = read(&strict, Dialect::Specification).unwrap().value;
    let (_, found) = super::lint(value, &LibraryLocation::alone(), true).unwrap();
    assert!(found[0].message.starts_with("not strictly OpenAPI 3.0: "), "{found:?}");
}

#[test]
fn the_lint_of_hostile_documents_is_bounded() {
    let layer = |n: u32| {
        let next = format!("{{$ref: '#/components/schemas/L{}'}}", n + 1);
        format!("    L{n}: {{allOf: [{next}, {next}], example: 1}}\n")
    };
    let doubling = (0..24).map(layer).collect::<Vec<_>>().concat();
    let text = format!(
        "openapi: 3.0.3\npaths: {{}}\ncomponents:\n  schemas:\n{doubling}    L24: {{type: string}}\n"
    );
    let value = read(&text, Dialect::Specification).unwrap().value;
    let (_, found) = super::lint(value, &LibraryLocation::alone(), false).unwrap();
    assert!(found.len() <= 25, "{found:?}");
}
