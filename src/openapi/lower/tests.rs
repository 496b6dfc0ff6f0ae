//! What each dialect becomes, as an outline of the Api, and what is complained about.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::{
    document::{Dialect, read},
    openapi::{Media, Operation, Response, StatusKey, api::Parameter},
};

fn lowered(text: &str) -> (Api, Vec<String>) {
    let value = read(text, Dialect::Specification).unwrap().value;
    let (api, complaints) = lower(value, &Location::alone()).unwrap();
    assert!(complaints.iter().all(|it| !it.is_error()));
    (api, complaints.iter().map(|it| format!("{}: {}", it.path, it.message)).collect())
}

/// One line for each operation: its parameters, its body, its responses.
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
        line.push_str(&parameter_words(parameter));
    }
    if let Some(body) = &operation.request_body {
        let star = if body.required { "*" } else { "" };
        write!(line, " body{star}{}", media_words(&body.media)).unwrap();
    }
    line.push_str(" ->");
    for response in &operation.responses {
        line.push_str(&response_words(response));
    }
    if operation.broken.is_some() {
        line.push_str(" broken");
    }
    line
}

fn parameter_words(parameter: &Parameter) -> String {
    let star = if parameter.required { "*" } else { "" };
    let explode = if parameter.explode { "+" } else { "" };
    let name = &parameter.name;
    format!(" {name}{star}:{:?}/{:?}{explode}", parameter.location, parameter.style)
}

fn response_words(response: &Response) -> String {
    let status = match response.status {
        StatusKey::Code(code) => code.to_string(),
        StatusKey::Range(digit) => format!("{digit}XX"),
        StatusKey::Default => "default".to_owned(),
    };
    let mut words = format!(" {status}{}", media_words(&response.media));
    for header in &response.headers {
        let example = header.example.as_ref().map(|it| it.value.to_json()).unwrap_or_default();
        write!(words, " {}={example}", header.name).unwrap();
    }
    if response.broken.is_some() {
        words.push_str(" broken");
    }
    words
}

/// `[application/json schema =1 name=2]`
fn media_words(list: &[Media]) -> String {
    let each = |media: &Media| {
        let mut words = media.media_type.clone();
        if media.schema.is_some() {
            words.push_str(" schema");
        }
        for example in &media.examples {
            let key = example.key.as_deref().unwrap_or_default();
            write!(words, " {key}={}", example.value.value.to_json()).unwrap();
        }
        words
    };
    format!("[{}]", list.iter().map(each).collect::<Vec<_>>().join(", "))
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let (api, complaints) = lowered(text);
    assert_eq!(outline(&api).trim(), expected.trim());
    assert_eq!(complaints, [""; 0]);
}

/// The same for `paths` of an OpenAPI 3.0 document.
#[track_caller]
fn check_v3(paths: &str, expected: &str) {
    check(&format!("openapi: 3.0.3\npaths:\n{paths}"), expected);
}

#[track_caller]
fn check_complaints(text: &str, outlined: &str, expected: &[&str]) {
    let (api, complaints) = lowered(text);
    assert_eq!(outline(&api).trim(), outlined.trim());
    assert_eq!(complaints, expected);
}

#[test]
fn responses_of_openapi_3() {
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
        r#"
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
"#,
        "GET /a -> 200[] x-total=12 x-more=\"a\" x-content=\"c\"",
    );
}

#[test]
fn examples_of_openapi_3() {
    check(
        r##"
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
"##,
        r##"GET /a -> 200[application/json ={"id":1} Ron={"id":20} 10=[] Ref={"n":1} Inner={"n":1} Literal={"$ref":"#/nowhere"}]"##,
    );
}

#[test]
fn parameters_of_openapi_3() {
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
fn path_items_tolerate_what_they_do_not_know() {
    check(
        r##"
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
"##,
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
fn swagger_2() {
    check(
        r##"
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
"##,
        "
GET /vans -> 200[application/json =[1], application/xml =\"<a/>\"] 201[application/json schema, application/xml schema] \
202[application/json schema, application/xml schema =\"x\", text/plain schema =\"t\"] 203[] 204[] x-rate=7
POST /vans ids:Query/Form+ tabs:Query/TabDelimited csv:Query/Form X-Trace:Header/Simple body*[text/csv schema] -> 201[application/json schema]
PUT /vans body[application/json schema] -> 201[]",
    );
}

#[test]
fn forms_of_swagger_2() {
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
    let (api, _) = lowered(text);
    let media = &api.operations[0].request_body.as_ref().unwrap().media[0];
    assert_eq!(
        media.schema.as_ref().unwrap().value.to_json(),
        r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"}}},"required":["a"]}"#
    );
    assert_eq!(media.encoding.as_ref().unwrap().value.to_json(), r#"{"b":{"style":"form","explode":true}}"#);
}

#[test]
fn what_an_operation_is_called_and_asks_for() {
    let (api, _) = lowered(
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
    assert_eq!(put.security.iter().map(|it| it.schemes.len()).collect::<Vec<_>>(), [0, 2]);
    assert!(post.security.is_empty());
    let kinds: Vec<_> = api.security_schemes.iter().map(|it| format!("{} {:?}", it.name, it.kind)).collect();
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

#[test]
fn faults_are_named_at_their_place_and_the_rest_works() {
    check_complaints(
        r##"
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
"##,
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
            "paths./a.put: this operation cannot be answered: `responses` must be a map, this is a array",
            "paths./a.post: this operation has no `responses`",
            "paths.pets: a path must begin with a slash; this is taken as `/pets`",
            "paths./list: a path item must be a map, this is a array",
        ],
    );
    check_complaints(
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
            "paths./a.get.responses.200.headers.X-A\r\nX-Evil: `X-A\\r\\nX-Evil` is no name of a header",
            "paths./a.get.responses.200.content.text/plain\r\nX-Evil: 1: `text/plain\\r\\nX-Evil: 1` is no media type",
            "paths./a.get.responses.200.content.json: `json` is no media type",
            "paths./a.get.responses.200.content.application/json.examples: `examples` must be a map of examples, this is a array",
        ],
    );
}

#[test]
fn a_fault_behind_references_is_named_once_where_it_is() {
    check_complaints(
        r##"
openapi: 3.0.3
paths:
  /a: {get: {responses: {200: {$ref: '#/components/responses/R'}, 201: {$ref: '#/components/responses/R'}}}}
components: {responses: {R: {content: {json: {}}}}}
"##,
        "GET /a -> 200[] 201[]",
        &["components.responses.R.content.json: `json` is no media type"],
    );
}

#[test]
fn documents_without_paths_have_no_operations() {
    for rest in ["", "paths: null", "paths: [1]", "webhooks: {a: {post: {}}}"] {
        let (api, complaints) = lowered(&format!("openapi: 3.1.0\n{rest}\n"));
        assert_eq!((api.operations.len(), complaints.len()), (0, 1), "{rest}");
    }
    let none = read("asyncapi: 3.0.0", Dialect::Specification).unwrap().value;
    assert!(lower(none, &Location::alone()).unwrap_err().is_error());
}

/// Any value, with the words of the specification as keys, so that wrong types stand everywhere.
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
        let (api, _) = lower(value, &Location::alone()).unwrap();
        for media in api.operations.iter().flat_map(|it| &it.responses).flat_map(|it| &it.media) {
            if let Some(schema) = &media.schema {
                let _ = api.library.resolve_schema(schema);
            }
        }
    }
}
