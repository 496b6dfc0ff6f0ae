//! `/debug`: what would become of a request, and why; how much is logged.
//! (Kong: Admin API, "Set node log level".)

use std::time::Duration;

use http::{Response, StatusCode};

use super::AdminApi;
use crate::{
    body::Body,
    proxy::{ExplainRequest, Proxy},
    reply,
    settings::LogLevel,
};

/// How long another log level holds, unless the request says it.
const USUAL: Duration = Duration::from_mins(1);

impl AdminApi {
    /// The log level.
    pub(super) fn log_level(&self) -> Response<Body> {
        reply::message(StatusCode::OK, &format!("log level: {}", self.verbosity.level().name()))
    }

    /// Another log level, for `timeout` seconds; for good if they are 0.
    pub(super) fn set_log_level(&self, word: &str, query: &str) -> Response<Body> {
        if !self.settings.admin_writes {
            return Self::no_log_level();
        }
        let bad = |message: &str| reply::message(StatusCode::BAD_REQUEST, message);
        let Some(level) = LogLevel::named(word) else { return bad(&format!("unknown log level: {word}")) };
        let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "timeout");
        let time = match given.map(|(_, value)| value.parse::<u32>()) {
            None => USUAL,
            Some(Ok(seconds)) => Duration::from_secs(seconds.into()),
            Some(Err(_)) => return bad("timeout must be a whole number of seconds, from 0"),
        };
        if self.verbosity.set(level, Some(time).filter(|it| !it.is_zero())) {
            reply::message(StatusCode::OK, "log level changed")
        } else {
            reply::message(StatusCode::OK, &format!("log level is already {word}"))
        }
    }

    /// The log level of a cluster, which there is not.
    pub(super) fn no_log_level() -> Response<Body> {
        let message = "cannot change log level when not using a database";
        reply::message(StatusCode::METHOD_NOT_ALLOWED, message)
    }

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
        match ExplainRequest::new(method, url, all("header")) {
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
