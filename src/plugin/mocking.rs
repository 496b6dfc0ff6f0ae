//! `mocking`: answers from an OpenAPI document in the upstream's place.
//! (Kong: Mocking plugin; where its documentation is silent, `docs/mocking.md` says what is done here.)

use std::{path::Path as FilePath, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::ACCEPT};
use rand::RngExt;
use serde::Deserialize;

use super::{Def, Exchange, Flow, Plugin, Response, Setup, text_hash};
use crate::{
    body::Body,
    diag::{Diagnostic, Source},
    document::{self, Dialect, Document, Path, Value},
    mock::{Answer, Asked, Making, Mock, Options, Refusal},
    openapi::{self, Api, Location},
    reply,
    schema::{Complaint, Field, Kind, Rule, Settings},
};

pub(super) const DEF: Def = Def {
    name: "mocking",
    priority: -1,
    per_consumer: true,
    settings: Settings { fields: FIELDS, checks: &[one_document, delays_in_order] },
    compile,
};

const STATUS_CODES: &Field = &Field::item(Kind::Integer).rules(&[Rule::Between(100.0, 599.0)]);

const FIELDS: &[Field] = &[
    Field::new("api_specification", Kind::String),
    Field::new("api_specification_filename", Kind::String),
    Field::new("random_delay", Kind::Boolean).default("false"),
    Field::new("max_delay_time", Kind::Number).default("1").rules(&[Rule::Between(0.0, 3600.0)]),
    Field::new("min_delay_time", Kind::Number).default("0.001").rules(&[Rule::Between(0.0, 3600.0)]),
    Field::new("random_examples", Kind::Boolean).default("false"),
    Field::new("included_status_codes", Kind::Array(STATUS_CODES)),
    Field::new("random_status_code", Kind::Boolean).default("false"),
    Field::new("include_base_path", Kind::Boolean).default("false"),
    Field::new("custom_base_path", Kind::String),
];

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are Kong's, each a setting of its own")]
struct Config {
    api_specification: Option<String>,
    api_specification_filename: Option<String>,
    random_delay: bool,
    max_delay_time: f64,
    min_delay_time: f64,
    random_examples: bool,
    included_status_codes: Option<Vec<u16>>,
    random_status_code: bool,
    include_base_path: bool,
    custom_base_path: Option<String>,
}

fn one_document(config: &Value) -> Option<Complaint> {
    let given = |key| config.get(key).is_some_and(|it| !it.is_null());
    match (given("api_specification"), given("api_specification_filename")) {
        (false, false) => Some(
            Complaint::record("at least one of these fields must be non-empty: 'api_specification', 'api_specification_filename'")
                .help("write the OpenAPI document as a text, or the name of a file in the folder of specs"),
        ),
        (true, true) => Some(
            Complaint::field("api_specification_filename", "only one of these fields may be set: 'api_specification', 'api_specification_filename'")
                .help("remove the one that is not meant"),
        ),
        _ => None,
    }
}

fn delays_in_order(config: &Value) -> Option<Complaint> {
    let seconds = |key| config.get(key).and_then(Value::as_f64).unwrap_or_default();
    (seconds("min_delay_time") > seconds("max_delay_time")).then(|| {
        Complaint::field("min_delay_time", "should not be greater than max_delay_time")
            .help("both are seconds")
    })
}

fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let config = Config::deserialize(serde_json::Value::from(setup.config))
        .map_err(|error| vec![Diagnostic::error(setup.at.clone(), error.to_string())])?;
    let api = match (&config.api_specification, &config.api_specification_filename) {
        (Some(text), _) => inline(text, setup)?,
        (None, Some(name)) => file(name, setup)?,
        (None, None) => return Err(vec![Diagnostic::error(setup.at.clone(), "required field missing")]),
    };
    let options = Options {
        included_status_codes: config.included_status_codes.unwrap_or_default(),
        random_status_code: config.random_status_code,
        random_examples: config.random_examples,
        include_base_path: config.include_base_path,
        custom_base_path: config.custom_base_path,
    };
    let random_delay = config.random_delay.then_some((config.min_delay_time, config.max_delay_time));
    Ok(Arc::new(Mocking { mock: Mock::new(Arc::new(api), options), random_delay }))
}

/// A document that stands in `kong.yaml` itself: what is wrong with it is shown on its very line there.
fn inline(text: &str, setup: &Setup<'_>) -> Result<Api, Vec<Diagnostic>> {
    let at = setup.at.key("api_specification").inside();
    let document = document::read(text, Dialect::Specification)
        .map_err(|error| vec![Diagnostic::syntax(at.clone(), &error)])?;
    let moved = |mut diagnostic: Diagnostic| {
        if diagnostic.file.is_none() {
            diagnostic.path = below(&at, &diagnostic.path);
        }
        diagnostic
    };
    lower(document, &Location::text(setup.specs, setup.specs), setup, &moved)
}

/// A document of its own, in the folder of specs, which no name may leave.
fn file(name: &str, setup: &Setup<'_>) -> Result<Api, Vec<Diagnostic>> {
    let at = setup.at.key("api_specification_filename");
    let refuse = |message: String, help: String| vec![Diagnostic::error(at.clone(), message).help(help)];
    let path = setup.specs.join(name);
    // Noted even if it cannot be read: once it can be, the plugin can be made.
    let note = |hash| setup.files.borrow_mut().push((path.clone(), hash));
    note(0);
    let bytes = read_inside(&path, setup.specs).map_err(|error| {
        let folder = setup.specs.display();
        refuse(format!("cannot read '{name}': {error}"), format!("the name is that of a file in {folder}"))
    })?;
    if let Some(noted) = setup.files.borrow_mut().last_mut() {
        noted.1 = text_hash(&bytes);
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| refuse(format!("'{name}' is not UTF-8"), "save the file as UTF-8".to_owned()))?;
    let source = Source::new(path.display().to_string(), text);
    let in_file = |mut diagnostic: Diagnostic| {
        if diagnostic.file.is_none() {
            diagnostic.file = Some(source.clone());
        }
        diagnostic
    };
    let document = document::read(&source.text, Dialect::Specification)
        .map_err(|error| vec![in_file(Diagnostic::syntax(Path::root(), &error))])?;
    lower(document, &Location::file(&path, setup.specs), setup, &in_file)
}

fn lower(
    document: Document,
    location: &Location,
    setup: &Setup<'_>,
    placed: &dyn Fn(Diagnostic) -> Diagnostic,
) -> Result<Api, Vec<Diagnostic>> {
    let mut warnings = setup.warnings.borrow_mut();
    for path in document.duplicates {
        let message = "this key stands twice in one mapping; the last one counts";
        warnings.push(placed(Diagnostic::warning(path, message).key()));
    }
    let (api, complaints) = openapi::lower(document.value, location).map_err(|error| vec![placed(error)])?;
    warnings.extend(complaints.into_iter().map(placed));
    let known = api.library.files().map(|path| (path.to_owned(), super::file_hash(path).unwrap_or_default()));
    setup.files.borrow_mut().extend(known);
    Ok(api)
}

/// The same node, in a document that stands inside another one.
fn below(outer: &Path, inner: &Path) -> Path {
    inner.steps().iter().fold(outer.clone(), |path, step| match step {
        document::Step::Key(key) => path.key(key),
        document::Step::Index(n) => path.index(*n),
        document::Step::Inside => path.inside(),
    })
}

/// Reads a file whose real place is inside a folder.
fn read_inside(path: &FilePath, folder: &FilePath) -> std::io::Result<Vec<u8>> {
    let (path, folder) = (path.canonicalize()?, folder.canonicalize()?);
    if !path.starts_with(&folder) {
        return Err(std::io::Error::other("it is outside the folder of specs"));
    }
    if !path.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    std::fs::read(path)
}

struct Mocking {
    mock: Mock,
    /// Seconds, from and to.
    random_delay: Option<(f64, f64)>,
}

const STATUS_CODE: HeaderName = HeaderName::from_static("x-kong-mocking-status-code");
const EXAMPLE_ID: HeaderName = HeaderName::from_static("x-kong-mocking-example-id");
const DELAY: HeaderName = HeaderName::from_static("x-kong-mocking-delay");
const PLUGIN: HeaderName = HeaderName::from_static("x-kong-mocking-plugin");

impl Plugin for Mocking {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let headers = &exchange.head.headers;
        let Some(delay) = self.delay(headers) else {
            let message =
                "Invalid value for X-Kong-Mocking-Delay. The delay value should between 0 and 10000ms";
            return Flow::Respond(reply::message(StatusCode::BAD_REQUEST, message));
        };
        let response = self.respond(exchange);
        if delay.is_zero() {
            return Flow::Respond(response);
        }
        Flow::Later(Box::pin(async move {
            tokio::time::sleep(delay).await;
            Flow::Respond(response)
        }))
    }
}

impl Mocking {
    /// How long to wait; none if the header asks for what may not be asked.
    fn delay(&self, headers: &HeaderMap) -> Option<Duration> {
        if let Some(value) = headers.get(DELAY) {
            let milliseconds: u64 = value
                .to_str()
                .ok()
                .filter(|text| text.bytes().all(|it| it.is_ascii_digit()))?
                .parse()
                .ok()?;
            return (milliseconds <= 10_000).then(|| Duration::from_millis(milliseconds));
        }
        let Some((from, to)) = self.random_delay else { return Some(Duration::ZERO) };
        Some(Duration::from_secs_f64(rand::rng().random_range(from..=to)))
    }

    fn respond(&self, exchange: &Exchange) -> Response {
        let headers = &exchange.head.headers;
        let accept = accept(headers);
        let asked = Asked {
            method: &exchange.head.method,
            path: &exchange.path,
            accept: accept.as_deref(),
            status: headers.get(STATUS_CODE).and_then(|it| it.to_str().ok()),
            example: headers.get(EXAMPLE_ID).and_then(|it| it.to_str().ok()),
            making: Making::default(),
        };
        match self.mock.answer(&asked, &mut |below| rand::rng().random_range(0..below)) {
            Ok(Answer { status, headers, body }) => {
                let without_body = matches!(status.as_u16(), 204 | 304);
                let mut response = Response::new(if without_body { Body::Empty } else { Body::full(body) });
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response.headers_mut().insert(PLUGIN, HeaderValue::from_static("true"));
                response
            }
            Err(refusal) => refuse(&refusal),
        }
    }
}

/// `Accept`, several lines joined.
fn accept(headers: &HeaderMap) -> Option<std::borrow::Cow<'_, str>> {
    let mut lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let first = lines.next()?;
    let rest: Vec<&str> = lines.collect();
    if rest.is_empty() {
        return Some(first.into());
    }
    Some(format!("{first},{}", rest.join(",")).into())
}

/// The messages are those of Kong's public documentation where it has some.
fn refuse(refusal: &Refusal) -> Response {
    let (status, message) = match refusal {
        Refusal::NotFound | Refusal::MethodNotAllowed(_) => (
            StatusCode::NOT_FOUND,
            "Corresponding path and method spec does not exist in API Specification".to_owned(),
        ),
        Refusal::Broken(reason) => (
            StatusCode::NOT_IMPLEMENTED,
            format!("this operation of the API Specification cannot be used: {reason}"),
        ),
        Refusal::NoSuchStatus(code) => {
            (StatusCode::BAD_REQUEST, format!("could not find the status code '{code}'"))
        }
        Refusal::NothingIncluded(defined) => (
            StatusCode::NOT_FOUND,
            format!(
                "none of included_status_codes is defined for this operation; defined are: {}",
                defined.join(", ")
            ),
        ),
        Refusal::NoSuchExample(id) => {
            (StatusCode::BAD_REQUEST, format!("could not find the example id '{id}'"))
        }
        Refusal::NotAcceptable(types) => (
            StatusCode::NOT_ACCEPTABLE,
            format!("none of the accepted media types is available; available are: {}", types.join(", ")),
        ),
    };
    reply::message(status, &message)
}
