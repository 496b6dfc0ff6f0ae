//! Requests that are checked before they are answered.

use http::Method;

use super::{
    super::{EditedRequest, Exchange, Flow, Response},
    Mocking, answer, manners,
};
use crate::{
    body::{Body, BodyError},
    mock::{Detached, Making, Problem, Violation},
};

/// Bodies are read up to this many bytes.
const LIMIT: u64 = 10 << 20;

/// An answer to a request that breaks rules, still to be made, and the rules.
type Objection = (Detached, Making, Vec<Violation>);

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
                    return Flow::Respond(manners::respond(&Problem::too_large()));
                }
                Err(error @ (BodyError::OverLimit | BodyError::NoRoom | BodyError::ClientTimeout)) => {
                    return Flow::Respond(answer::unread(&error));
                }
                Err(_) => return Flow::Respond(self.manners.misunderstood("the body was cut off")),
            }
            self.checked(exchange)
        }))
    }

    fn checked<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        match self.objection(exchange) {
            Some(Ok(response)) => Flow::Respond(response),
            Some(Err((chosen, making, violations))) => Flow::Later(Box::pin(async move {
                let answer = self.mock.make_later(&self.pool, &chosen, making).await;
                Flow::Respond(match answer {
                    Ok(answer) => self.manners.answer(answer, &violations),
                    Err(unmade) => answer::unmade(unmade),
                })
            })),
            None => self.answer(exchange),
        }
    }

    /// What a request gets that breaks the rules of its operation.
    fn objection(&self, exchange: &Exchange) -> Option<Result<Response, Objection>> {
        let (method, path) = (exchange.upstream_method(), exchange.path.as_str());
        let fields = exchange.edited_fields();
        let query = exchange.upstream_query();
        let request = EditedRequest { method, path, query, fields: &fields };
        // What has no operation is refused with the reason, later.
        let operation = self.mock.find(method, path).ok()?;
        let body: &[u8] = match &exchange.body {
            Body::Full(bytes) if *method != Method::HEAD => bytes,
            _ => &[],
        };
        let message = (&*fields, query, body);
        let violations = self.mock.violations(operation, path, message, self.manners.extent);
        if violations.is_empty() {
            return None;
        }
        let steering = self.manners.steering(request).ok()?;
        let making = self.manners.making(Making::default());
        let asked = steering.asked(method, path, making);
        let objection = self.manners.object(&self.mock, operation, &violations, &asked);
        Some(objection.map_err(|chosen| (chosen.detached(), making, violations)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{super::trial, tests::plugin};

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
        let response = trial::access(&*plugin, &mut trial::request(request)).unwrap();
        let status = response.status().as_u16();
        let problem = response.headers()["content-type"] == "application/problem+json";
        let text = trial::text(response.into_body());
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
}
