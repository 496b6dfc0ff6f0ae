//! `http-log`: a log entry for each request, sent to a server over HTTP. (Kong: HTTP Log plugin.)

mod endpoint;
mod settings;
#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};

use self::endpoint::LogEndpoint;
use super::{
    Plugin, PluginDef, PluginResult, PluginSetup, RequestRecord,
    custom_fields::{self, CustomFields},
    delivery::{BatchSink, DeliveryQueue},
    setting_values,
};
use crate::{
    body::Body,
    diag::Diagnostic,
    document::Value,
    schema::PLUGIN_PROTOCOLS,
    upstream::{ConnectionPool, PoolSettings, UpstreamOrigin, UpstreamTimeouts},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("http-log", 12, settings::FIELDS, compile)
    .checks(custom_fields::CHECKS)
    .per_consumer()
    .protocols(&PLUGIN_PROTOCOLS);

struct HttpLog {
    queue: DeliveryQueue<LogServer>,
    fields: CustomFields,
}

/// A log without an endpoint: the setting refers to a variable or vault that is empty.
struct DisabledLog;

impl Plugin for DisabledLog {}

/// The server that entries are sent to.
struct LogServer {
    name: String,
    origin: UpstreamOrigin,
    target: String,
    method: Method,
    fields: HeaderMap,
    limits: UpstreamTimeouts,
    pool: ConnectionPool,
    /// Whether batches have one entry, which is sent without a list around it.
    sends_single_entries: bool,
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let config = setup.config;
    let queue = settings::queue(config, setup);
    let url = setting_values::string(config, "http_endpoint").unwrap_or_default();
    if url.is_empty() {
        // A reference that has no value, for which there is a warning. Requests are served without this log.
        return Ok(Arc::new(DisabledLog));
    }
    let invalid = |field: &str, message: String| vec![Diagnostic::error(setup.at.key(field), message)];
    let endpoint = LogEndpoint::parse(&url).map_err(|why| invalid("http_endpoint", why.to_owned()))?;
    let timeout = settings::milliseconds(config, "timeout");
    let pool =
        PoolSettings { idle_timeout: settings::milliseconds(config, "keepalive"), ..PoolSettings::default() };
    let method = setting_values::string(config, "method")
        .and_then(|method| method.parse().ok())
        .unwrap_or(Method::POST);
    let server = LogServer {
        name: format!("http-log to {}", endpoint.display_url),
        origin: endpoint.origin,
        target: endpoint.target,
        method,
        fields: request_fields(config, endpoint.fields, setup)?,
        limits: UpstreamTimeouts { connect: timeout, write: timeout, read: timeout, retries: 0 },
        pool: ConnectionPool::new(pool),
        sends_single_entries: queue.max_batch_size == 1,
    };
    let fields = CustomFields::compile(DEF.name, setup)?;
    let queue = DeliveryQueue::new(server, queue, &setup.resources.deliveries);
    Ok(Arc::new(HttpLog { queue, fields }))
}

/// The header fields of each request to the server.
fn request_fields(
    config: &Value,
    mut fields: HeaderMap,
    setup: &PluginSetup<'_>,
) -> Result<HeaderMap, Vec<Diagnostic>> {
    let content_type =
        setting_values::string(config, "content_type").and_then(|text| HeaderValue::try_from(text).ok());
    fields.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
    let mut wrong = Vec::new();
    for (name, value) in config.get("headers").into_iter().flat_map(Value::entries) {
        let read = (HeaderName::try_from(name), HeaderValue::try_from(value.as_str().unwrap_or_default()));
        if let (Ok(name), Ok(value)) = read {
            fields.insert(name, value);
        } else {
            let at = setup.at.key("headers").key(name);
            wrong.push(Diagnostic::error(at, "this cannot be the name or the value of a header"));
        }
    }
    if wrong.is_empty() { Ok(fields) } else { Err(wrong) }
}

impl Plugin for HttpLog {
    fn logs(&self) -> bool {
        true
    }

    fn log(&self, record: &RequestRecord) {
        self.queue.push(self.fields.entry(record));
    }
}

impl BatchSink for LogServer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn deliver<'a>(
        &'a self,
        batch: &'a [Bytes],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let mut request = Request::new(Body::full(self.body(batch)));
            *request.method_mut() = self.method.clone();
            *request.uri_mut() = self.target.parse().unwrap_or_default();
            *request.headers_mut() = self.fields.clone();
            let answer = self.pool.send(&self.origin, &self.limits, request).await;
            let answer = answer.map_err(|failure| failure.to_string())?;
            let status = answer.response.status();
            // A connection can be reused once the response was read to its end.
            let rest = answer.response.into_body();
            let read =
                http_body_util::BodyExt::collect(http_body_util::Limited::new(rest, MAX_RESPONSE_BYTES));
            drop(read.await);
            if status.is_success() { Ok(()) } else { Err(format!("the server answers {status}")) }
        })
    }
}

/// The limit of a response that is read, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

impl LogServer {
    /// The body of a request: one entry, or a list.
    fn body(&self, batch: &[Bytes]) -> Bytes {
        match batch {
            [one] if self.sends_single_entries => one.clone(),
            _ => {
                let mut list =
                    Vec::with_capacity(batch.iter().map(|entry| entry.len() + 1).sum::<usize>() + 2);
                for (n, entry) in batch.iter().enumerate() {
                    list.push(if n == 0 { b'[' } else { b',' });
                    list.extend_from_slice(entry);
                }
                list.push(b']');
                list.into()
            }
        }
    }
}

/// A duration; the longest one if the number is negative, too large or not a number.
fn duration(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(Duration::MAX)
}
