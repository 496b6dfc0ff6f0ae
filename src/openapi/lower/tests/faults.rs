//! Tests of diagnostics of documents with faults, and the operations that work in spite of them.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check_diagnostics(text: &str, expected_outline: &str, expected: &[&str]) {
    let (api, diagnostics) = lower_text(text);
    assert_eq!(outline(&api).trim(), expected_outline.trim());
    assert_eq!(diagnostics, expected);
}

#[test]
fn a_fault_is_reported_at_its_position_and_the_rest_works() {
    check_diagnostics(
        r"
openapi: 3.0.3
paths:
  /a:
    get: 5
    put: {responses: [200]}
    post: {}
    delete: {responses: {200: {$ref: '#/nowhere'}, 404: {description: d}}}
  pets: {get: {responses: {200: {description: d}}}}
  /list: [1]
  /gone: {$ref: '#/nope'}
",
        "
GET /a -> broken
PUT /a -> broken
POST /a ->
DELETE /a -> 200[] broken 404[]
GET /pets -> 200[]",
        &[
            "paths./a.delete.responses.200.$ref: `$ref: #/nowhere` leads nowhere: there is no `nowhere`",
            "paths./gone.$ref: `$ref: #/nope` leads nowhere: there is no `nope`",
            "paths./a.get: this operation cannot be answered: an operation must be a map, this is a number",
            "paths./a.put: this operation cannot be answered: `responses` must be a map, this is an array",
            "paths./a.post: this operation has no `responses`",
            "paths.pets: a path must begin with a slash; this is read as `/pets`",
            "paths./list: a path item must be a map, this is an array",
        ],
    );
    check_diagnostics(
        r#"
openapi: 3.0.3
paths:
  /a:
    get:
      parameters: [{in: query}, {name: x, in: body}, 7]
      responses:
        99999: {}
        abc: {}
        100: {}
        200:
          headers: {"X-A\r\nX-Evil": {example: v}}
          content: {"text/plain\r\nX-Evil: 1": {example: hi}, json: {}, application/json: {examples: [1]}}
"#,
        "GET /a -> 200[application/json]",
        &[
            "paths./a.get.parameters[0]: a parameter must have a `name`; this one is skipped",
            "paths./a.get.parameters[1]: `in` must be path, query, header or cookie, this is `body`; the parameter is skipped",
            "paths./a.get.parameters[2]: a parameter must have a `name`; this one is skipped",
            "paths./a.get.responses.99999: the response `99999` is skipped: only the codes from 200 to 599 can be answered",
            "paths./a.get.responses.abc: the response `abc` is skipped: a response is named by a status code, a range such as `2XX`, or `default`",
            "paths./a.get.responses.100: the response `100` is skipped: only the codes from 200 to 599 can be answered",
            "paths./a.get.responses.200.headers.X-A\r\nX-Evil: `X-A\\r\\nX-Evil` is not a valid header name",
            "paths./a.get.responses.200.content.text/plain\r\nX-Evil: 1: `text/plain\\r\\nX-Evil: 1` is not a valid media type",
            "paths./a.get.responses.200.content.json: `json` is not a valid media type",
            "paths./a.get.responses.200.content.application/json.examples: `examples` must be a map of examples, this is an array",
        ],
    );
}

#[test]
fn a_fault_behind_references_is_reported_once_at_its_own_position() {
    check_diagnostics(
        r"
openapi: 3.0.3
paths:
  /a: {get: {responses: {200: {$ref: '#/components/responses/R'}, 201: {$ref: '#/components/responses/R'}}}}
components: {responses: {R: {content: {json: {}}}}}
",
        "GET /a -> 200[] 201[]",
        &["components.responses.R.content.json: `json` is not a valid media type"],
    );
}

#[test]
fn documents_without_paths_have_no_operations() {
    for rest in ["", "paths: null", "paths: [1]", "webhooks: {a: {post: {}}}"] {
        let (api, diagnostics) = lower_text(&format!("openapi: 3.1.0\n{rest}\n"));
        assert_eq!((api.operations.len(), diagnostics.len()), (0, 1), "{rest}");
    }
    let unsupported = read("asyncapi: 3.0.0", Dialect::Specification).unwrap().value;
    assert!(lower(unsupported, &LibraryLocation::alone()).unwrap_err().is_error());
}

/// Any value, with keys of the specification, so that every part can have a wrong type.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null"),
        Just("7"),
        Just("true"),
        Just("\"x\""),
        Just("\"#/paths\""),
        Just("\"#/a/0\""),
        Just("\"other.yaml#/x\""),
        Just("\"path\""),
        Just("\"application/json\""),
    ]
    .prop_map(str::to_owned);
    let key = prop_oneof![
        Just("$ref"),
        Just("paths"),
        Just("/a/{b}"),
        Just("get"),
        Just("parameters"),
        Just("responses"),
        Just("200"),
        Just("content"),
        Just("application/json"),
        Just("examples"),
        Just("example"),
        Just("schema"),
        Just("headers"),
        Just("name"),
        Just("in"),
        Just("requestBody"),
        Just("produces"),
        Just("security"),
        Just("components"),
        Just("servers"),
        Just("url"),
        Just("$anchor"),
        Just("$id"),
        Just("value"),
        Just("externalValue"),
        Just("default"),
        Just("info"),
        Just("title"),
    ];
    leaf.prop_recursive(8, 64, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((key.clone(), inner), 0..5).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn wrong_types_everywhere_never_panic(
        version in prop_oneof![Just("\"swagger\":\"2.0\""), Just("\"openapi\":\"3.0.0\""), Just("\"openapi\":\"3.1.0\"")],
        (responses, item, rest) in (any_value(), any_value(), any_value()),
    ) {
        let text = format!(
            "{{{version},\"paths\":{{\"/x\":{item},\"/y\":{{\"get\":{{\"parameters\":[{item}],\"responses\":{{\"200\":{responses}}}}}}}}},\
             \"components\":{rest},\"produces\":{rest},\"servers\":{rest},\"securityDefinitions\":{rest}}}"
        );
        let value = read(&text, Dialect::Specification).unwrap().value;
        let (api, _) = lower(value, &LibraryLocation::alone()).unwrap();
        for media in api.operations.iter().flat_map(|operation| &operation.responses).flat_map(|response| &response.media) {
            if let Some(schema) = &media.schema {
                let _ = api.library.resolve_schema(schema);
            }
        }
    }
}
