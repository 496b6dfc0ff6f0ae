//! Requests that are checked before they are answered.

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

/// Bodies are read up to this many bytes.
const LIMIT: u64 = 10 << 20;
/// A body up to this many bytes may be checked at once.
const SMALL: usize = 8 << 10;
/// What may be done at once: well below a millisecond.
const AT_ONCE: WorkLimits =
    WorkLimits { steps: 10_000, bytes: 1 << 20, depth: 256, time: Duration::from_millis(5) };
/// What may be done in the pool for one request.
const IN_POOL: WorkLimits =
    WorkLimits { steps: 20_000_000, bytes: 128 << 20, depth: 600, time: Duration::from_secs(2) };

/// An answer to a request that breaks rules, still to be made.
type Objection = (OwnedChoice, SampleMode);

impl Mocking {
    /// Checks a request, and answers it if it may be answered.
    pub(super) fn check<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let unread = matches!(exchange.body, Body::Incoming(_) | Body::Boxed(_));
        if !unread || !self.manners.reads_bodies() {
            return self.checked(exchange);
        }
        Flow::Later(Box::pin(async move {
            match self.buffers.read_whole(std::mem::take(&mut exchange.body), LIMIT).await {
                Ok(bytes) => exchange.body = Body::full(bytes),
                Err(BodyError::TooLarge) => {
                    return Flow::Respond(mock_profile::respond(&ProblemDocument::too_large()));
                }
                Err(error @ (BodyError::OverLimit | BodyError::NoRoom | BodyError::ClientTimeout)) => {
                    return Flow::Respond(answer::unread(&error));
                }
                Err(_) => return Flow::Respond(self.manners.misunderstood("the body was cut off")),
            }
            self.checked(exchange)
        }))
    }

    /// Small requests are checked at once; what takes longer is checked in the pool, for as long as its client waits.
    fn checked<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let (method, path) = (exchange.upstream_method(), exchange.path.as_str());
        // What has no operation is refused with the reason, later.
        let Ok(operation) = self.mock.find(method, path) else { return self.answer(exchange) };
        let (fields, query, extent) =
            (exchange.edited_fields(), exchange.upstream_query(), self.manners.extent);
        let body = match &exchange.body {
            Body::Full(bytes) if *method != Method::HEAD => bytes.clone(),
            _ => Bytes::new(),
        };
        if body.len() <= SMALL {
            let message = (&*fields, query, &*body);
            let violations = self.mock.violations(operation, path, message, extent, &Budget::new(AT_ONCE));
            if let Ok(violations) = violations {
                drop(fields);
                return self.checked_as(exchange, operation, violations);
            }
        }
        let (mock, path, fields) = (Arc::clone(&self.mock), path.to_owned(), fields.into_owned());
        let query = query.map(str::to_owned);
        let check = move |budget: &Budget| {
            mock.violations(operation, &path, (&fields, query.as_deref(), &body), extent, budget)
        };
        Flow::Later(Box::pin(async move {
            match self.pool.run(IN_POOL, check).await {
                Ok(Ok(Ok(violations))) => self.checked_as(exchange, operation, violations),
                Ok(Ok(Err(why)) | Err(why)) => {
                    Flow::Respond(mock_profile::respond(&ProblemDocument::unchecked_request(why)))
                }
                Err(Overloaded) => Flow::Respond(mock_profile::overloaded()),
            }
        }))
    }

    /// Answers a request with these violations.
    fn checked_as<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        operation: usize,
        violations: Vec<Violation>,
    ) -> Flow<'a> {
        match self.objection(exchange, operation, &violations) {
            Some(Ok(response)) => Flow::Respond(response),
            Some(Err((chosen, sample_mode))) => Flow::Later(Box::pin(async move {
                let answer = self.mock.make_in_pool(&self.pool, &chosen, sample_mode).await;
                Flow::Respond(match answer {
                    Ok(answer) => self.manners.answer(answer, &violations),
                    Err(unmade) => answer::unmade(unmade),
                })
            })),
            None => self.answer(exchange),
        }
    }

    /// What a request gets that breaks the rules of its operation.
    fn objection(
        &self,
        exchange: &Exchange,
        operation: usize,
        violations: &[Violation],
    ) -> Option<Result<HttpResponse, Objection>> {
        if violations.is_empty() {
            return None;
        }
        let (method, path) = (exchange.upstream_method(), exchange.path.as_str());
        let fields = exchange.edited_fields();
        let request = EditedRequest { method, path, query: exchange.upstream_query(), fields: &fields };
        let steering = self.manners.steering(request).ok()?;
        let sample_mode = self.manners.sample_mode(SampleMode::default());
        let asked = steering.asked(method, path, sample_mode);
        let objection = self.manners.object(&self.mock, operation, violations, &asked);
        Some(objection.map_err(|chosen| (chosen.to_owned_choice(), sample_mode)))
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

    /// Status, and the code and place of every violation; or the body where there are none.
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
                let one = |it: &serde_json::Value| {
                    let steps: Vec<_> = it["location"].as_array().into_iter().flatten().collect();
                    let steps: Vec<_> = steps.iter().filter_map(|it| it.as_str()).collect();
                    format!("{} {}", steps.join("."), it["code"].to_string().trim_matches('"'))
                };
                all.iter().map(one).collect::<Vec<_>>().join(", ")
            }
            _ => text,
        };
        assert_eq!(format!("{status} {found}"), expected, "{settings} {request}");
    }

    const KONG: &str = "validate_requests: true";
    const PRISM: &str = "profile: prism, validate_requests: true";

    #[test]
    fn a_request_that_breaks_no_rule_is_answered() {
        let good = "POST /pets/1?limit=10\nX-Key: k\nX-Tag: true,false\nContent-Type: application/json\n\n{\"name\":\"x\"}";
        check(KONG, good, "201 \"made\"");
        check(PRISM, good, "201 \"made\"");
    }

    #[test]
    fn every_violation_is_listed_with_its_place() {
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
    fn switches_turn_checks_off() {
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
    fn in_prism_s_profile_the_document_has_the_first_word() {
        let wrong = "GET /own?age=old\nX-Key: k\n\n";
        check(PRISM, wrong, "400 \"own words\"");
        check(KONG, wrong, "422 query.age type");
    }

    #[test]
    fn a_query_steers_in_prism_s_profile() {
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
    fn what_takes_longer_is_checked_in_the_pool() {
        assert_eq!(send(KONG, 100, 10), (201, "\"made\"".to_owned()));
        assert_eq!(send(KONG, 100, 1_000), (201, "\"made\"".to_owned()));
        assert_eq!(send(KONG, 1, 10_000), (201, "\"made\"".to_owned()));
    }

    #[test]
    fn what_is_not_checked_is_refused() {
        for profile in [KONG, PRISM] {
            let (status, body) = send(profile, 1_000, 50_000);
            assert_eq!(status, 422, "{body}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["type"], "urn:mynah:errors#REQUEST_TOO_COMPLEX");
            assert_eq!(body["validation"][0]["code"], "budget");
        }
    }
}
