//! Every answer that a document can give, asked for one by one and held against its schema.

use http::Method;

use super::{Mock, MockRefusal, MockRequest, SampleMode};
use crate::{
    document::{Dialect, Value, read},
    openapi::{
        Api, DocumentNode, MediaTypeBody, MediaTypeOffers, Operation, PathTable, StatusKey, negotiate,
        sample::Sampler,
    },
};

/// One question: an operation, one of its responses, one of its media types.
#[derive(Clone, Debug)]
pub struct AuditCase<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The path to ask for.
    pub path: &'a str,
    /// The status to ask for: the declared one, or one that only the range or the default is for.
    pub status: u16,
    /// The media type; none if the response has no body.
    pub media: Option<&'a MediaTypeBody>,
    /// Whether its bodies are JSON.
    pub json: bool,
    /// The type to ask for.
    accept: String,
}

/// Where a body comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditSource {
    /// An example of the document.
    Example,
    /// A sample of the schema.
    Sample,
    /// Nothing: no media type, or one without example and schema.
    Empty,
}

/// An answer that is not as its document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFinding {
    /// The method and the template: `GET /pets/{id}`.
    pub operation: String,
    /// The status that was asked for.
    pub status: u16,
    /// The media type that was asked for; empty if none was.
    pub media_type: String,
    /// Where the body comes from; none if there was no answer.
    pub origin: Option<AuditSource>,
    /// What is wrong.
    pub reason: String,
}

/// What became of all questions to one document.
#[derive(Clone, Debug, Default)]
pub struct AnswerAudit {
    /// Operations of the document.
    pub operations: usize,
    /// Operations that cannot be understood.
    pub broken: usize,
    /// Operations that are never found because another one has their place.
    pub unreachable: usize,
    /// JSON bodies from examples.
    pub examples: usize,
    /// JSON bodies from schemas.
    pub samples: usize,
    /// Answers without a body, or without anything that says what is in it.
    pub empty: usize,
    /// Bodies that are not JSON.
    pub other: usize,
    /// JSON bodies that break their schema.
    pub invalid: Vec<AuditFinding>,
    /// Questions that got no answer.
    pub refused: Vec<AuditFinding>,
}

/// All questions that a document has an answer to: of every operation that can be found, every response in every
/// media type.
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
            let Some(status) = asked_status(operation, response.status) else { continue };
            let case = |media, accept: &str| {
                let json = is_json(accept);
                AuditCase { operation, path, status, media, json, accept: accept.to_owned() }
            };
            if response.media.is_empty() {
                cases.push(case(None, ""));
            }
            let offers = MediaTypeOffers::new(response.media.iter().map(|media| media.media_type.as_str()));
            for (n, media) in response.media.iter().enumerate() {
                let accept = concrete(&media.media_type);
                // Of types that no client can tell apart the first one answers.
                if negotiate(Some(accept), &offers).is_some_and(|choice| choice.offer == n) {
                    cases.push(case(Some(media), accept));
                }
            }
        }
    }
    cases
}

/// Asks a document for all that it can answer.
#[must_use]
pub fn audit_answers(mock: &Mock) -> AnswerAudit {
    let api = mock.api();
    let sampler = Sampler::new(&api.library);
    let mut survey = AnswerAudit {
        operations: api.operations.len(),
        broken: api.operations.iter().filter(|operation| operation.defect.is_some()).count(),
        unreachable: PathTable::new(&api.operations).unreachable().len(),
        ..AnswerAudit::default()
    };
    for case in audit_cases(api) {
        let body = match case.answer(mock) {
            Ok(body) => body,
            Err(refusal) => {
                survey.refused.push(case.flaw(None, format!("{refusal:?}")));
                continue;
            }
        };
        let origin = case.origin();
        match (origin, case.json) {
            (AuditSource::Empty, _) => survey.empty += 1,
            (_, false) => survey.other += 1,
            (AuditSource::Example, true) => survey.examples += 1,
            (AuditSource::Sample, true) => survey.samples += 1,
        }
        if let Some(reason) = case.fault(&body, &sampler) {
            survey.invalid.push(case.flaw(Some(origin), reason));
        }
    }
    survey
}

impl AuditCase<'_> {
    /// The body that a mock answers.
    ///
    /// # Errors
    /// There is no answer.
    pub fn answer(&self, mock: &Mock) -> Result<bytes::Bytes, MockRefusal> {
        let method: &Method = &self.operation.method;
        let (status, accept) =
            (self.status.to_string(), Some(&*self.accept).filter(|accept| !accept.is_empty()));
        let (path, status, example) = (self.path, Some(&*status), None);
        let asked = MockRequest { method, path, accept, status, example, sample_mode: SampleMode::default() };
        mock.answer(&asked, &mut |_| 0).map(|answer| answer.body)
    }

    /// Where its body comes from.
    #[must_use]
    pub fn origin(&self) -> AuditSource {
        match self.media {
            Some(media) if !media.examples.is_empty() => AuditSource::Example,
            Some(media) if media.schema.is_some() => AuditSource::Sample,
            _ => AuditSource::Empty,
        }
    }

    /// The schema that a JSON body of it has to fit.
    #[must_use]
    pub fn schema(&self) -> Option<&DocumentNode> {
        self.media.filter(|_| self.json).and_then(|media| media.schema.as_ref())
    }

    fn fault(&self, body: &[u8], sampler: &Sampler<'_>) -> Option<String> {
        let schema = self.schema()?;
        let said = match json(body) {
            Ok(said) => said,
            Err(reason) => return Some(format!("the body is not JSON: {reason}")),
        };
        let fault = sampler.faults(schema, &said).into_iter().next()?;
        Some(if fault.at.steps().is_empty() {
            fault.message
        } else {
            format!("{}: {}", fault.at, fault.message)
        })
    }

    fn flaw(&self, origin: Option<AuditSource>, reason: String) -> AuditFinding {
        let operation = format!("{} {}", self.operation.method, self.operation.template);
        AuditFinding { operation, status: self.status, media_type: self.accept.clone(), origin, reason }
    }
}

/// A code that this response, and no other one, is for.
fn asked_status(operation: &Operation, key: StatusKey) -> Option<u16> {
    let codes = match key {
        StatusKey::Code(code) => code..=code,
        StatusKey::Range(digit) => u16::from(digit) * 100..=u16::from(digit) * 100 + 99,
        StatusKey::Default => 200..=599,
    };
    let mut codes = codes;
    codes.find(|code| operation.response(*code).is_some_and(|response| response.status == key))
}

/// The type to ask for: JSON where the document has a wildcard.
fn concrete(media_type: &str) -> &str {
    match media_type.split(';').next().unwrap_or_default().trim() {
        "*/*" | "application/*" => "application/json",
        _ => media_type,
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.split_once('/').map_or(&*essence, |(_, subtype)| subtype);
    subtype.rsplit('+').next() == Some("json")
}

fn json(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    // A scalar on its own begins like YAML, which takes plain words for what they look like, as JSON does.
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
    fn every_answer_is_asked_for_and_judged() {
        let document = read(DOCUMENT, Dialect::Specification).unwrap();
        let (api, _) = lower(document.value, &LibraryLocation::alone()).unwrap();
        let survey = audit_answers(&Mock::new(api.into(), MockOptions::default()));
        assert_eq!((survey.operations, survey.broken, survey.unreachable), (3, 1, 1));
        assert_eq!((survey.examples, survey.samples, survey.other, survey.empty), (2, 2, 1, 2));
        assert_eq!(survey.refused, []);
        let violations: Vec<_> = survey
            .invalid
            .iter()
            .map(|finding| (&*finding.operation, finding.status, &*finding.reason))
            .collect();
        let reason = "`type` asks for an integer, this is a string";
        assert_eq!(violations, [("GET /a/{id}", 200, reason)]);
    }

    #[test]
    fn ranges_and_defaults_are_asked_for_by_a_code_of_their_own() {
        let document = read(DOCUMENT, Dialect::Specification).unwrap();
        let (api, _) = lower(document.value, &LibraryLocation::alone()).unwrap();
        let codes: Vec<u16> = audit_cases(&api).iter().map(|case| case.status).collect();
        assert_eq!(codes, [200, 200, 200, 200, 204, 201, 300]);
    }
}
