//! Validation of requests against the document, before they are answered.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;

use super::{
    super::{EditedRequest, Exchange, Flow, HttpResponse},
    Mocking, answer, mock_profile,
};
use crate::{
    body::{Body, BodyError},
    budget::{Budget, Overloaded, WorkLimits},
    mock::{OwnedChoice, ProblemDocument, SampleMode, Violation},
};

/// The largest body that is validated, in bytes.
const MAX_BODY_BYTES: u64 = 10 << 20;
/// Bodies up to this many bytes are validated on the connection's thread first.
const MAX_INLINE_BYTES: usize = 8 << 10;
/// Work on the connection's thread: well below a millisecond.
const INLINE_LIMITS: WorkLimits =
    WorkLimits { steps: 10_000, bytes: 1 << 20, depth: 256, time: Duration::from_millis(5) };
/// Work in the pool for one request.
const POOL_LIMITS: WorkLimits =
    WorkLimits { steps: 20_000_000, bytes: 128 << 20, depth: 600, time: Duration::from_secs(2) };

/// The response to an invalid request that is still to be generated.
type PendingViolationResponse = (OwnedChoice, SampleMode);

impl Mocking {
    /// Reads the body of a request if that is needed, validates the request, and answers it.
    pub(super) fn check_request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let is_unread = matches!(exchange.body, Body::Incoming(_) | Body::Boxed(_));
        if !is_unread || !self.profile.reads_bodies() {
            return self.validate(exchange);
        }
        Flow::Later(Box::pin(async move {
            match self.buffers.read_whole(std::mem::take(&mut exchange.body), MAX_BODY_BYTES).await {
                Ok(bytes) => exchange.body = Body::full(bytes),
                Err(BodyError::TooLarge) => {
                    return Flow::Respond(mock_profile::problem_response(&ProblemDocument::too_large()));
                }
                Err(error @ (BodyError::OverLimit | BodyError::NoRoom | BodyError::ClientTimeout)) => {
                    return Flow::Respond(answer::body_error(&error));
                }
                Err(_) => return Flow::Respond(self.profile.invalid_request("the body was cut off")),
            }
            self.validate(exchange)
        }))
    }

    /// Validates a request. One with a large body, or that takes long, is validated in the pool, until its client leaves.
    fn validate<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let (method, path) = (exchange.upstream_method(), exchange.path.as_str());
        // A request without an operation gets its refusal from `answer`.
        let Ok(operation) = self.mock.find(method, path) else { return self.answer(exchange) };
        let (fields, query, scope) =
            (exchange.edited_fields(), exchange.upstream_query(), self.profile.scope);
        let body = match &exchange.body {
            Body::Full(bytes) if *method != Method::HEAD => bytes.clone(),
            _ => Bytes::new(),
        };
        if body.len() <= MAX_INLINE_BYTES {
            let message = (&*fields, query, &*body);
            let violations =
                self.mock.violations(operation, path, message, scope, &Budget::new(INLINE_LIMITS));
            if let Ok(violations) = violations {
                drop(fields);
                return self.answer_validated(exchange, operation, violations);
            }
        }
        let (mock, path, fields) = (Arc::clone(&self.mock), path.to_owned(), fields.into_owned());
        let query = query.map(str::to_owned);
        let check = move |budget: &Budget| {
            mock.violations(operation, &path, (&fields, query.as_deref(), &body), scope, budget)
        };
        Flow::Later(Box::pin(async move {
            match self.pool.run(POOL_LIMITS, check).await {
                Ok(Ok(Ok(violations))) => self.answer_validated(exchange, operation, violations),
                Ok(Ok(Err(why)) | Err(why)) => {
                    Flow::Respond(mock_profile::problem_response(&ProblemDocument::unchecked_request(why)))
                }
                Err(Overloaded) => Flow::Respond(mock_profile::overloaded_response()),
            }
        }))
    }

    /// Answers a validated request.
    fn answer_validated<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        operation: usize,
        violations: Vec<Violation>,
    ) -> Flow<'a> {
        match self.violation_response(exchange, operation, &violations) {
            Some(Ok(response)) => Flow::Respond(response),
            Some(Err((chosen, sample_mode))) => Flow::Later(Box::pin(async move {
                let answer = self.mock.make_in_pool(&self.pool, &chosen, sample_mode).await;
                Flow::Respond(match answer {
                    Ok(answer) => self.profile.respond(answer, &violations),
                    Err(error) => answer::generation_error(error),
                })
            })),
            None => self.answer(exchange),
        }
    }

    /// The response to an invalid request; none if there are no violations.
    fn violation_response(
        &self,
        exchange: &Exchange,
        operation: usize,
        violations: &[Violation],
    ) -> Option<Result<HttpResponse, PendingViolationResponse>> {
        if violations.is_empty() {
            return None;
        }
        let (method, path) = (exchange.upstream_method(), exchange.path.as_str());
        let fields = exchange.edited_fields();
        let request = EditedRequest { method, path, query: exchange.upstream_query(), fields: &fields };
        let preferences = self.profile.read_preferences(request).ok()?;
        let sample_mode = self.profile.sample_mode(SampleMode::default());
        let request = preferences.mock_request(method, path, sample_mode);
        let response = self.profile.violation_response(&self.mock, operation, violations, &request);
        Some(response.map_err(|chosen| (chosen.to_owned_choice(), sample_mode)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::test_support,
        tests::{ask, plugin},
    };

    const DOCUMENT: &str = "
openapi: 3.0.3
info: {title: t, version: v}
security: [{key: []}]
paths:
  /pets/{id}:
    post:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: limit, in: query, required: true, schema: {type: integer, maximum: 10}}
        - {name: X-Tag, in: header, schema: {type: array, items: {type: boolean}}}
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [id, name], properties: {id: {type: integer, readOnly: true}, name: {type: string}}}
      responses:
        '201': {description: made, content: {application/json: {example: made}}}
  /own:
    get:
      parameters: [{name: age, in: query, schema: {type: integer}}]
      responses:
        '200': {description: ok}
        '400': {description: wrong, content: {application/json: {example: own words}}}
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
";

    /// Checks the status, and the location and code of every violation, or else the body.
    #[track_caller]
    fn check(settings: &str, request: &str, expected: &str) {
        let plugin = plugin(DOCUMENT, settings);
        let response = test_support::access(&*plugin, &mut test_support::request(request)).unwrap();
        let status = response.status().as_u16();
        let problem = response.headers()["content-type"] == "application/problem+json";
        let text = test_support::text(response.into_body());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let found = match json["validation"].as_array() {
            Some(all) if problem => {
                let describe = |violation: &serde_json::Value| {
                    let steps: Vec<_> = violation["location"].as_array().into_iter().flatten().collect();
                    let steps: Vec<_> = steps.iter().filter_map(|step| step.as_str()).collect();
                    format!("{} {}", steps.join("."), violation["code"].to_string().trim_matches('"'))
                };
                all.iter().map(describe).collect::<Vec<_>>().join(", ")
            }
            _ => text,
        };
        assert_eq!(format!("{status} {found}"), expected, "{settings} {request}");
    }

    const KONG: &str = "validate_requests: true";
    const PRISM: &str = "profile: prism, validate_requests: true";

    #[test]
    fn a_valid_request_is_answered() {
        let good = "POST /pets/1?limit=10\nX-Key: k\nX-Tag: true,false\nContent-Type: application/json\n\n{\"name\":\"x\"}";
        check(KONG, good, "201 \"made\"");
        check(PRISM, good, "201 \"made\"");
    }

    #[test]
    fn every_violation_is_listed_with_its_location() {
        check(
            KONG,
            "POST /pets/x\nX-Key: k\nX-Tag: true,1\nContent-Type: application/json\n\n{\"name\":1}",
            "422 body.name type, header.X-Tag.1 type, query required, path.id type",
        );
        check(KONG, "POST /pets/1?limit=11\nX-Key: k\n\n", "422 body required, query.limit maximum");
        check(KONG, "POST /pets/1?limit=1\nX-Key: k\nContent-Type: text/csv\n\na", "415 body 415");
        check(KONG, "POST /pets/1?limit=1\nX-Key: k\nContent-Type: application/json\n\n{", "400 body 400");
        check(KONG, "POST /pets/1?limit=1\nContent-Type: application/json\n\n{\"name\":\"\"}", "401  401");
    }

    #[test]
    fn settings_turn_validation_off() {
        let wrong = "POST /pets/x\n\n";
        check("validate_requests: false", wrong, "201 \"made\"");
        check("random_examples: false", wrong, "201 \"made\"");
        check(
            "validate_requests: true, validate_security: false",
            wrong,
            "422 body required, query required, path.id type",
        );
        let keyed = "validate_requests: false, validate_security: true";
        check(keyed, "POST /pets/x\nX-Key: k\n\n", "201 \"made\"");
        check(keyed, wrong, "401  401");
    }

    #[test]
    fn the_prism_profile_prefers_the_documents_own_error_responses() {
        let wrong = "GET /own?age=old\nX-Key: k\n\n";
        check(PRISM, wrong, "400 \"own words\"");
        check(KONG, wrong, "422 query.age type");
    }

    #[test]
    fn the_prism_profile_reads_preferences_from_the_query() {
        let prism = "profile: prism";
        check(prism, "GET /own?__code=400\n\n", "400 \"own words\"");
        let missing = r#"404 {"type":"urn:mynah:errors#NOT_FOUND","title":"The server cannot find the requested content","status":404,"detail":"Requested status code 500 is not defined in the document."}"#;
        check(prism, "GET /own?__code=500\n\n", missing);
        check(prism, "GET /own\nX-Kong-Mocking-Status-Code: 400\n\n", "400 \"own words\"");
        check(
            "profile: kong",
            "GET /pets/1?__code=400\nX-Kong-Mocking-Status-Code: 500\n\n",
            "404 {\"message\":\"Corresponding path and method spec does not exist in API Specification\"}",
        );
    }

    /// A schema that takes as many steps as there are branches times items.
    fn large(branches: usize) -> String {
        let choices = (0..branches).map(|n| format!("{{const: {n}}},")).collect::<Vec<_>>().concat();
        format!(
            "
openapi: 3.0.3
info: {{title: t, version: v}}
paths:
  /large:
    post:
      requestBody: {{content: {{application/json: {{schema: {{items: {{oneOf: [{choices}]}}}}}}}}}}
      responses:
        '201': {{description: made, content: {{application/json: {{example: made}}}}}}
        '422': {{description: wrong, content: {{application/json: {{example: own words}}}}}}
"
        )
    }

    /// Status and body of the answer to a list of zeros.
    fn send(settings: &str, branches: usize, items: usize) -> (u16, String) {
        let list = format!("[{}0]", "0,".repeat(items));
        let request = format!("POST /large\nContent-Type: application/json\n\n{list}");
        let (status, body, _) = ask(&*plugin(&large(branches), settings), &request);
        (status, body)
    }

    #[test]
    fn large_requests_are_validated_in_the_pool() {
        assert_eq!(send(KONG, 100, 10), (201, "\"made\"".to_owned()));
        assert_eq!(send(KONG, 100, 1_000), (201, "\"made\"".to_owned()));
        assert_eq!(send(KONG, 1, 10_000), (201, "\"made\"".to_owned()));
    }

    #[test]
    fn a_request_that_is_too_complex_to_validate_is_refused() {
        for profile in [KONG, PRISM] {
            let (status, body) = send(profile, 1_000, 50_000);
            assert_eq!(status, 422, "{body}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["type"], "urn:mynah:errors#REQUEST_TOO_COMPLEX");
            assert_eq!(body["validation"][0]["code"], "budget");
        }
    }
}
