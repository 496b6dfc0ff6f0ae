//! `/debug`: explanation of how a request would be handled, and the log level. (Kong: Admin API, "Set node log
//! level".)

use std::time::Duration;

use http::{Response, StatusCode};

use super::AdminApi;
use crate::{
    body::Body,
    proxy::{ExplainRequest, Proxy},
    reply,
    settings::LogLevel,
};

/// How long a changed log level lasts if the request has no `timeout`.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

impl AdminApi {
    /// Reports the log level.
    pub(super) fn log_level(&self) -> Response<Body> {
        reply::message(StatusCode::OK, &format!("log level: {}", self.log_level.level().name()))
    }

    /// Sets the log level for `timeout` seconds; permanently if that is 0.
    pub(super) fn set_log_level(&self, word: &str, query: &str) -> Response<Body> {
        if !self.settings.admin_writes {
            return Self::refuse_cluster_log_level();
        }
        let bad_request = |message: &str| reply::message(StatusCode::BAD_REQUEST, message);
        let Some(level) = LogLevel::named(word) else {
            return bad_request(&format!("unknown log level: {word}"));
        };
        let timeout = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "timeout");
        let time = match timeout.map(|(_, value)| value.parse::<u32>()) {
            None => DEFAULT_TIMEOUT,
            Some(Ok(seconds)) => Duration::from_secs(seconds.into()),
            Some(Err(_)) => return bad_request("timeout must be a whole number of seconds, from 0"),
        };
        if self.log_level.set(level, Some(time).filter(|time| !time.is_zero())) {
            reply::message(StatusCode::OK, "log level changed")
        } else {
            reply::message(StatusCode::OK, &format!("log level is already {word}"))
        }
    }

    /// Refuses to change the log level of a cluster, which does not exist here.
    pub(super) fn refuse_cluster_log_level() -> Response<Body> {
        let message = "cannot change log level when not using a database";
        reply::message(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// Explains a request. The query has `method` (GET by default), `url`, and a `header` for each header field.
    pub(super) fn explain(&self, query: &str) -> Response<Body> {
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let values =
            |name: &'static str| query.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value);
        let Some(url) = values("url").next() else {
            return reply::message(
                StatusCode::BAD_REQUEST,
                "url is missing: /debug/explain?method=GET&url=/path",
            );
        };
        let method = values("method").next().unwrap_or("GET");
        match ExplainRequest::new(method, url, values("header")) {
            Ok(request) => {
                let live = self.control.live();
                let proxy = Proxy::new(live.clone(), &self.settings);
                let explanation = proxy.explain(&live.current(), request);
                reply::json(StatusCode::OK, explanation.to_json().to_string())
            }
            Err(message) => reply::message(StatusCode::BAD_REQUEST, &message),
        }
    }
}
