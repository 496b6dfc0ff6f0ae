//! Audit of a mock: a request for every answer of a document, and the validation of every JSON body.

use http::Method;

use super::{Mock, MockRefusal, MockRequest, SampleMode};
use crate::{
    document::{Dialect, Value, read},
    openapi::{
        Api, DocumentNode, MediaTypeBody, MediaTypeOffers, Operation, PathTable, StatusKey,
        media_type::{JSON, essence, format_name, lowercase_essence},
        negotiate,
        sample::Sampler,
    },
};

/// One request of the audit: an operation, one of its responses, one of its media types.
#[derive(Clone, Debug)]
pub struct AuditCase<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The path of the request.
    pub path: &'a str,
    /// The requested status: the declared one, or one that only the range or the default covers.
    pub status: u16,
    /// The media type; none if the response has no body.
    pub media: Option<&'a MediaTypeBody>,
    /// Whether the media type is JSON.
    pub is_json: bool,
    /// The value of `Accept`.
    accept: String,
}

/// Origin of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditSource {
    /// An example of the document.
    Example,
    /// A sample of the schema.
    Sample,
    /// Neither: there is no media type, or it has no example and no schema.
    Empty,
}

/// Answer that is missing or not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFinding {
    /// The method and the template: `GET /pets/{id}`.
    pub operation: String,
    /// The requested status.
    pub status: u16,
    /// The requested media type; empty without one.
    pub media_type: String,
    /// The origin of the body; none if there was no answer.
    pub origin: Option<AuditSource>,
    /// The fault.
    pub reason: String,
}

/// Result of the audit of one document.
#[derive(Clone, Debug, Default)]
pub struct AnswerAudit {
    /// Number of operations.
    pub operations: usize,
    /// Number of operations with a defect.
    pub broken: usize,
    /// Number of operations that are unreachable, because another one has the same method and path.
    pub unreachable: usize,
    /// Number of JSON bodies from examples.
    pub examples: usize,
    /// Number of JSON bodies from schemas.
    pub samples: usize,
    /// Number of answers without a body, or without an example and a schema.
    pub empty: usize,
    /// Number of bodies that are not JSON.
    pub other: usize,
    /// JSON bodies that are not valid by their schema.
    pub invalid: Vec<AuditFinding>,
    /// Requests without an answer.
    pub refused: Vec<AuditFinding>,
}

/// All requests that a document answers: for every reachable operation, every response in every media type.
#[must_use]
pub fn audit_cases(api: &Api) -> Vec<AuditCase<'_>> {
    let paths = PathTable::new(&api.operations);
    let unreachable = paths.unreachable();
    let mut cases = Vec::new();
    for (n, operation) in api.operations.iter().enumerate() {
        if operation.defect.is_some() || unreachable.contains(&n) {
            continue;
        }
        let path = operation.template.split(['#', '?']).next().unwrap_or("/");
        for response in &operation.responses {
            let Some(status) = distinct_status(operation, response.status) else { continue };
            let case = |media, accept: &str| {
                let is_json = is_json_type(accept);
                AuditCase { operation, path, status, media, is_json, accept: accept.to_owned() }
            };
            if response.media.is_empty() {
                cases.push(case(None, ""));
            }
            let offers = MediaTypeOffers::new(response.media.iter().map(|media| media.media_type.as_str()));
            for (n, media) in response.media.iter().enumerate() {
                let accept = concrete_type(&media.media_type);
                // Of types that `Accept` cannot distinguish, the first one is answered.
                if negotiate(Some(accept), &offers).is_some_and(|choice| choice.offer == n) {
                    cases.push(case(Some(media), accept));
                }
            }
        }
    }
    cases
}

/// Sends all [`audit_cases`] to a mock and validates the answers.
#[must_use]
pub fn audit_answers(mock: &Mock) -> AnswerAudit {
    let api = mock.api();
    let sampler = Sampler::new(&api.library);
    let mut audit = AnswerAudit {
        operations: api.operations.len(),
        broken: api.operations.iter().filter(|operation| operation.defect.is_some()).count(),
        unreachable: PathTable::new(&api.operations).unreachable().len(),
        ..AnswerAudit::default()
    };
    for case in audit_cases(api) {
        let body = match case.answer(mock) {
            Ok(body) => body,
            Err(refusal) => {
                audit.refused.push(case.finding(None, format!("{refusal:?}")));
                continue;
            }
        };
        let origin = case.origin();
        match (origin, case.is_json) {
            (AuditSource::Empty, _) => audit.empty += 1,
            (_, false) => audit.other += 1,
            (AuditSource::Example, true) => audit.examples += 1,
            (AuditSource::Sample, true) => audit.samples += 1,
        }
        if let Some(reason) = case.find_fault(&body, &sampler) {
            audit.invalid.push(case.finding(Some(origin), reason));
        }
    }
    audit
}

impl AuditCase<'_> {
    /// Sends the request to a mock and returns the body of the answer.
    ///
    /// # Errors
    /// There is no answer.
    pub fn answer(&self, mock: &Mock) -> Result<bytes::Bytes, MockRefusal> {
        let method: &Method = &self.operation.method;
        let (status, accept) =
            (self.status.to_string(), Some(&*self.accept).filter(|accept| !accept.is_empty()));
        let (path, status, example) = (self.path, Some(&*status), None);
        let request =
            MockRequest { method, path, accept, status, example, sample_mode: SampleMode::default() };
        mock.answer(&request, &mut |_| 0).map(|answer| answer.body)
    }

    /// The origin of its body.
    #[must_use]
    pub fn origin(&self) -> AuditSource {
        match self.media {
            Some(media) if !media.examples.is_empty() => AuditSource::Example,
            Some(media) if media.schema.is_some() => AuditSource::Sample,
            _ => AuditSource::Empty,
        }
    }

    /// The schema of its body, if the media type is JSON.
    #[must_use]
    pub fn schema(&self) -> Option<&DocumentNode> {
        self.media.filter(|_| self.is_json).and_then(|media| media.schema.as_ref())
    }

    fn find_fault(&self, body: &[u8], sampler: &Sampler<'_>) -> Option<String> {
        let schema = self.schema()?;
        let value = match parse_json(body) {
            Ok(value) => value,
            Err(reason) => return Some(format!("the body is not JSON: {reason}")),
        };
        let fault = sampler.faults(schema, &value).into_iter().next()?;
        Some(if fault.at.steps().is_empty() {
            fault.message
        } else {
            format!("{}: {}", fault.at, fault.message)
        })
    }

    fn finding(&self, origin: Option<AuditSource>, reason: String) -> AuditFinding {
        let operation = format!("{} {}", self.operation.method, self.operation.template);
        AuditFinding { operation, status: self.status, media_type: self.accept.clone(), origin, reason }
    }
}

/// A code for which the operation answers with the response of this key.
fn distinct_status(operation: &Operation, key: StatusKey) -> Option<u16> {
    let mut codes = match key {
        StatusKey::Code(code) => code..=code,
        StatusKey::Range(digit) => u16::from(digit) * 100..=u16::from(digit) * 100 + 99,
        StatusKey::Default => 200..=599,
    };
    codes.find(|code| operation.response(*code).is_some_and(|response| response.status == key))
}

/// The type to request: JSON for a wildcard of the document.
fn concrete_type(media_type: &str) -> &str {
    match essence(media_type) {
        "*/*" | "application/*" => JSON,
        _ => media_type,
    }
}

fn is_json_type(media_type: &str) -> bool {
    format_name(&lowercase_essence(media_type)) == "json"
}

fn parse_json(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    // The text is JSON, which is also YAML with the same value. `read` keeps the digits of numbers.
    read(text, Dialect::Specification).map(|document| document.value).map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mock::MockOptions,
        openapi::{LibraryLocation, lower},
    };

    const DOCUMENT: &str = "
openapi: 3.0.3
paths:
  /a/{id}:
    get:
      responses:
        '200':
          description: ''
          content:
            application/json: {schema: {type: integer}, example: one}
            application/problem+json: {schema: {type: string}}
            text/plain: {example: hello}
            application/json; charset=utf-8: {example: never asked for}
        '204': {description: ''}
        2XX: {description: '', content: {'*/*': {schema: {type: object}}}}
        default: {description: '', content: {application/json: {}}}
    put: 5
  /a/{name}: {get: {responses: {}}}
";

    #[test]
    fn every_answer_is_requested_and_validated() {
        let document = read(DOCUMENT, Dialect::Specification).unwrap();
        let (api, _) = lower(document.value, &LibraryLocation::alone()).unwrap();
        let audit = audit_answers(&Mock::new(api.into(), MockOptions::default()));
        assert_eq!((audit.operations, audit.broken, audit.unreachable), (3, 1, 1));
        assert_eq!((audit.examples, audit.samples, audit.other, audit.empty), (2, 2, 1, 2));
        assert_eq!(audit.refused, []);
        let findings: Vec<_> = audit
            .invalid
            .iter()
            .map(|finding| (&*finding.operation, finding.status, &*finding.reason))
            .collect();
        let reason = "`type` asks for an integer, this is a string";
        assert_eq!(findings, [("GET /a/{id}", 200, reason)]);
    }

    #[test]
    fn ranges_and_defaults_are_requested_by_a_code_that_only_they_cover() {
        let document = read(DOCUMENT, Dialect::Specification).unwrap();
        let (api, _) = lower(document.value, &LibraryLocation::alone()).unwrap();
        let codes: Vec<u16> = audit_cases(&api).iter().map(|case| case.status).collect();
        assert_eq!(codes, [200, 200, 200, 200, 204, 201, 300]);
    }
}
