//! Tests of documents of each version: an outline of the API that each becomes.

mod faults;

use std::fmt::Write;

use super::*;
use crate::{
    document::{Dialect, read},
    openapi::{MediaTypeBody, Operation, ResponseSpec, StatusKey, api::Parameter},
};

fn lower_text(text: &str) -> (Api, Vec<String>) {
    let value = read(text, Dialect::Specification).unwrap().value;
    let (api, diagnostics) = lower(value, &LibraryLocation::alone()).unwrap();
    assert!(diagnostics.iter().all(|diagnostic| !diagnostic.is_error()));
    (
        api,
        diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.path, diagnostic.message)).collect(),
    )
}

/// One line per operation: its parameters, its body, its responses.
fn outline(api: &Api) -> String {
    let mut out = String::new();
    for operation in &api.operations {
        writeln!(out, "{}", operation_line(operation)).unwrap();
    }
    out
}

fn operation_line(operation: &Operation) -> String {
    let mut line = format!("{} {}", operation.method, operation.template);
    for parameter in &operation.parameters {
        line.push_str(&format_parameter(parameter));
    }
    if let Some(body) = &operation.request_body {
        let required = if body.required { "*" } else { "" };
        write!(line, " body{required}{}", format_media(&body.media)).unwrap();
    }
    line.push_str(" ->");
    for response in &operation.responses {
        line.push_str(&format_response(response));
    }
    if operation.defect.is_some() {
        line.push_str(" broken");
    }
    line
}

fn format_parameter(parameter: &Parameter) -> String {
    let required = if parameter.required { "*" } else { "" };
    let explode = if parameter.explode { "+" } else { "" };
    let name = &parameter.name;
    format!(" {name}{required}:{:?}/{:?}{explode}", parameter.location, parameter.style)
}

fn format_response(response: &ResponseSpec) -> String {
    let status = match response.status {
        StatusKey::Code(code) => code.to_string(),
        StatusKey::Range(digit) => format!("{digit}XX"),
        StatusKey::Default => "default".to_owned(),
    };
    let mut text = format!(" {status}{}", format_media(&response.media));
    for header in &response.headers {
        let example = header.example.as_ref().map(|node| node.value.to_json()).unwrap_or_default();
        write!(text, " {}={example}", header.name).unwrap();
    }
    if response.defect.is_some() {
        text.push_str(" broken");
    }
    text
}

/// `[application/json schema =1 name=2]`
fn format_media(list: &[MediaTypeBody]) -> String {
    let each = |media: &MediaTypeBody| {
        let mut text = media.media_type.clone();
        if media.schema.is_some() {
            text.push_str(" schema");
        }
        for example in &media.examples {
            let key = example.key.as_deref().unwrap_or_default();
            write!(text, " {key}={}", example.value.value.to_json()).unwrap();
        }
        text
    };
    format!("[{}]", list.iter().map(each).collect::<Vec<_>>().join(", "))
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let (api, diagnostics) = lower_text(text);
    assert_eq!(outline(&api).trim(), expected.trim());
    assert_eq!(diagnostics, [""; 0]);
}

/// As [`check`], for `paths` of an OpenAPI 3.0 document.
#[track_caller]
fn check_v3(paths: &str, expected: &str) {
    check(&format!("openapi: 3.0.3\npaths:\n{paths}"), expected);
}

#[test]
fn responses_of_openapi_3_are_read() {
    check_v3(
        r#"
  /a:
    get:
      responses:
        default: {description: any}
        404: {content: {application/json: {example: null}}}
        "2xx": {content: {text/plain: {schema: {type: string}}, "*/*": {}, image/*: {}}}
        x-note: {}
"#,
        "GET /a -> default[] 404[application/json =null] 2XX[text/plain schema, */*, image/*]",
    );
    check_v3(
        r"
  /a:
    get:
      responses:
        200:
          headers:
            X-Total: {schema: {type: integer}, example: 12}
            X-More: {examples: {one: {value: a}, two: {value: b}}}
            X-Content: {content: {text/plain: {example: c}}}
            Content-Type: {example: nonsense}
            Transfer-Encoding: {example: chunked}
          content: {}
",
        "GET /a -> 200[] x-total=12 x-more=\"a\" x-content=\"c\"",
    );
}

#[test]
fn examples_of_openapi_3_are_read() {
    check(
        r"
openapi: 3.0.3
paths:
  /a:
    get:
      responses:
        200:
          content:
            application/json:
              examples:
                Ron: {value: {id: 20}}
                10: {value: []}
                Ref: {$ref: '#/components/examples/One'}
                Inner: {value: {$ref: '#/components/examples/One'}}
                Literal: {value: {$ref: '#/nowhere'}}
              example: {id: 1}
components: {examples: {One: {value: {n: 1}}}}
",
        r##"GET /a -> 200[application/json ={"id":1} Ron={"id":20} 10=[] Ref={"n":1} Inner={"n":1} Literal={"$ref":"#/nowhere"}]"##,
    );
}

#[test]
fn parameters_of_openapi_3_are_read() {
    check_v3(
        r"
  /a/{id}:
    parameters:
    - {name: id, in: path, schema: {type: string}}
    - {name: q, in: query, required: true, schema: {}}
    get:
      parameters:
      - {name: q, in: query, style: deepObject, schema: {}}
      - {name: h, in: header, schema: {}}
      - {name: c, in: cookie, explode: false, schema: {}}
      - {name: m, in: query, content: {application/json: {schema: {}}}}
      responses: {200: {description: d}}
    post:
      requestBody: {required: true, content: {application/json: {schema: {}}, application/xml: {example: x}}}
      responses: {201: {description: d}}
",
        "
GET /a/{id} q:Query/DeepObject h:Header/Simple c:Cookie/Form m:Query/Form+ id*:Path/Simple -> 200[]
POST /a/{id} id*:Path/Simple q*:Query/Form+ body*[application/json schema, application/xml =\"x\"] -> 201[]",
    );
}

#[test]
fn unknown_members_of_path_items_are_ignored() {
    check(
        r"
openapi: 3.0.3
paths:
  x-note: {get: 1}
  /item:
    summary: words
    x-anything: {a: 1}
    servers: [{url: /elsewhere}]
    get: {responses: {200: {description: d}}}
    HEAD: {responses: {200: {description: d}}}
    query: {responses: {200: {description: d}}}
  /shared: {$ref: '#/components/x-paths/Shared', post: {responses: {201: {description: d}}}}
components: {x-paths: {Shared: {get: {responses: {200: {$ref: '#/components/responses/200'}}}}}, responses: {200: {description: d}}}
",
        "
GET /item -> 200[]
HEAD /item -> 200[]
POST /shared -> 201[]
GET /shared -> 200[]",
    );
    check(
        "
openapi: 3.2.0
paths:
  /q:
    query: {responses: {200: {description: d}}}
    additionalOperations: {COPY: {responses: {200: {description: d}}}}
",
        "QUERY /q -> 200[]\nCOPY /q -> 200[]",
    );
}

#[test]
fn swagger_2_is_read() {
    check(
        r#"
swagger: "2.0"
produces: [application/json, application/xml]
consumes: [text/csv]
paths:
  /vans:
    get:
      responses:
        200: {examples: {application/xml: <a/>, application/json: [1]}}
        201: {schema: {$ref: '#/definitions/Van'}}
        202: {schema: {}, examples: {text/plain: t, "application/xml; charset=utf-8": x}}
        203: {description: d}
        204: {$ref: '#/responses/Gone'}
    post:
      produces: []
      parameters:
      - {name: van, in: body, required: true, schema: {}}
      - {name: ids, in: query, type: array, collectionFormat: multi, items: {type: string}}
      - {name: tabs, in: query, type: array, collectionFormat: tsv, items: {type: string}}
      - {name: csv, in: query, type: array, items: {type: string}}
      - {$ref: '#/parameters/trace'}
      responses: {201: {schema: {}}}
    put:
      consumes: [application/json]
      parameters: [{name: van, in: body, schema: {}}]
      responses: {201: {description: d}}
definitions: {Van: {type: object}}
parameters: {trace: {name: X-Trace, in: header, type: string}}
responses: {Gone: {headers: {X-Rate: {type: integer, default: 42, x-example: 7}}}}
"#,
        "
GET /vans -> 200[application/json =[1], application/xml =\"<a/>\"] 201[application/json schema, application/xml schema] \
202[application/json schema, application/xml schema =\"x\", text/plain schema =\"t\"] 203[] 204[] x-rate=7
POST /vans ids:Query/Form+ tabs:Query/TabDelimited csv:Query/Form X-Trace:Header/Simple body*[text/csv schema] -> 201[application/json schema]
PUT /vans body[application/json schema] -> 201[]",
    );
}

#[test]
fn forms_of_swagger_2_are_bodies() {
    let text = r#"
swagger: "2.0"
paths:
  /f:
    post:
      parameters:
      - {name: a, in: formData, type: string, required: true}
      - {name: b, in: formData, type: array, collectionFormat: multi, items: {type: integer}}
      responses: {200: {description: d}}
    put:
      parameters: [{name: upload, in: formData, type: file}]
      responses: {200: {description: d}}
"#;
    check(
        text,
        "
POST /f body*[application/x-www-form-urlencoded schema] -> 200[]
PUT /f body[multipart/form-data schema] -> 200[]",
    );
    let (api, _) = lower_text(text);
    let media = &api.operations[0].request_body.as_ref().unwrap().media[0];
    assert_eq!(
        media.schema.as_ref().unwrap().value.to_json(),
        r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"}}},"required":["a"]}"#
    );
    assert_eq!(media.encoding.as_ref().unwrap().value.to_json(), r#"{"b":{"style":"form","explode":true}}"#);
}

#[test]
fn operations_have_names_extensions_and_security_requirements() {
    let (api, _) = lower_text(
        r"
openapi: 3.0.3
info: {title: Depot}
servers: [{url: /v1}]
security: [{key: []}]
paths:
  /a:
    get: {operationId: one, deprecated: true, x-mynah-live: 50, x-other: 1, responses: {200: {}}}
    put: {security: [{}, {oauth: [read], key: []}], responses: {200: {}}}
    post: {security: [], responses: {200: {}}}
components:
  securitySchemes:
    key: {type: apiKey, in: query, name: k}
    oauth: {type: oauth2}
    basic: {type: http, scheme: Basic}
    odd: {type: magic}
",
    );
    assert_eq!((api.title.as_str(), api.base_paths.as_slice()), ("Depot", &["/v1".to_owned()][..]));
    let [get, put, post] = api.operations.as_slice() else { panic!() };
    assert_eq!((get.operation_id.as_deref(), get.deprecated), (Some("one"), true));
    assert_eq!(get.path.to_string(), "paths./a.get");
    assert_eq!(get.extensions.len(), 1);
    assert_eq!(get.security.len(), 1);
    assert_eq!(put.security.iter().map(|requirement| requirement.schemes.len()).collect::<Vec<_>>(), [0, 2]);
    assert!(post.security.is_empty());
    let kinds: Vec<_> =
        api.security_schemes.iter().map(|scheme| format!("{} {:?}", scheme.name, scheme.kind)).collect();
    assert_eq!(
        kinds,
        [
            r#"key ApiKey { location: Query, name: "k" }"#,
            "oauth OAuth2",
            r#"basic Http { scheme: "basic" }"#,
            "odd Unknown"
        ]
    );
}
