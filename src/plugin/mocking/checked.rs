//! Requests that are checked before they are answered.

use http::Method;

use super::{
    super::{Exchange, Flow, Response, whole_body},
    Mocking, manners,
    steer::Steering,
};
use crate::{
    body::Body,
    mock::{Making, Problem},
};

/// Bodies are read up to this many bytes.
const LIMIT: u64 = 10 << 20;

impl Mocking {
    /// Checks a request, and answers it if it may be answered.
    pub(super) fn check<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let unread = matches!(exchange.body, Body::Incoming(_) | Body::Boxed(_));
        if !unread || !self.manners.reads_bodies() {
            return self.checked(exchange);
        }
        Flow::Later(Box::pin(async move {
            match whole_body::read(std::mem::take(&mut exchange.body), LIMIT).await {
                Ok(bytes) => exchange.body = Body::full(bytes),
                Err(whole_body::Unread::TooLarge) => {
                    return Flow::Respond(manners::respond(&Problem::too_large()));
                }
                Err(whole_body::Unread::Broken) => {
                    return Flow::Respond(self.manners.misunderstood("the body was cut off"));
                }
            }
            self.checked(exchange)
        }))
    }

    fn checked<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        match self.objection(exchange) {
            Some(response) => Flow::Respond(response),
            None => self.answer(exchange),
        }
    }

    /// What a request gets that breaks the rules of its operation.
    fn objection(&self, exchange: &Exchange) -> Option<Response> {
        let head = &exchange.head;
        let path = exchange.path.as_str();
        // What has no operation is refused with the reason, later.
        let operation = self.mock.find(&head.method, path).ok()?;
        let body: &[u8] = match &exchange.body {
            Body::Full(bytes) if head.method != Method::HEAD => bytes,
            _ => &[],
        };
        let request = (&head.headers, head.uri.query(), body);
        let violations = self.mock.violations(operation, path, request, self.manners.extent);
        if violations.is_empty() {
            return None;
        }
        let mut steering = Steering::read(&head.headers).ok()?;
        self.manners.steer(&mut steering, exchange).ok()?;
        let making = self.manners.making(Making::default());
        let asked = steering.asked(&head.method, path, making);
        Some(self.manners.object(&self.mock, operation, &violations, &asked))
    }
}
