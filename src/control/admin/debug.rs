//! `GET /debug/explain`: what would become of a request, and why.

use http::{Response, StatusCode};

use super::Admin;
use crate::{
    body::Body,
    proxy::{Proxy, Question},
    reply,
};

impl Admin {
    /// The query has `method` (GET if there is none), `url`, and a `header` for each header field.
    pub(super) fn explain(&self, query: &str) -> Response<Body> {
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let all =
            |name: &'static str| query.iter().filter(move |(it, _)| it == name).map(|(_, value)| &**value);
        let Some(url) = all("url").next() else {
            return reply::message(
                StatusCode::BAD_REQUEST,
                "url is missing: /debug/explain?method=GET&url=/path",
            );
        };
        let method = all("method").next().unwrap_or("GET");
        match Question::new(method, url, all("header")) {
            Ok(question) => {
                let live = self.control.live();
                let proxy = Proxy::new(live.clone(), &self.settings);
                let explanation = proxy.explain(&live.current(), question);
                reply::json(StatusCode::OK, explanation.to_json().to_string())
            }
            Err(message) => reply::message(StatusCode::BAD_REQUEST, &message),
        }
    }
}
