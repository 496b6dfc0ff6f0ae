//! `proxy-cache`: responses of upstreams that are stored and sent again. (Kong: Proxy Cache plugin, strategy `memory`.)
//!
//! | file | what it holds |
//! |---|---|
//! | `settings` | the settings |
//! | `cache_key` | the key of a request |
//! | `cache_control` | directives of requests and responses |
//! | `media_type` | media types, and which of them are stored |
//! | `store` | the memory of all stored responses |
//! | `stored_response` | one stored response, and the answers made of it |
//! | `storable` | which responses are stored |
//! | `recording` | bodies that are recorded while they are sent |
//! | `flight` | requests that wait for the response to another one |

mod cache_control;
mod cache_key;
mod flight;
mod media_type;
mod recording;
mod settings;
mod storable;
mod store;
mod stored_response;
#[cfg(test)]
mod tests;

pub use cache_key::CacheKey;
pub use store::ResponseCache;
pub use stored_response::{ServedFromCache, StoredResponse};

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AGE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE},
};

use http_body::Body as _;

use self::{
    cache_control::CacheDirectives,
    flight::{FlightLead, FlightOutcome, FlightRole, FlightWait, Flights},
    settings::CachePolicy,
    store::{CacheLookup, CacheSpace},
};
use super::{Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, whole_body};
use crate::{
    body::{Body, BodyBuffers},
    reply::{self, ExitBody},
    schema::PLUGIN_PROTOCOLS,
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("proxy-cache", 100, settings::FIELDS, compile).per_consumer().protocols(&PLUGIN_PROTOCOLS);

static X_CACHE_KEY: HeaderName = HeaderName::from_static("x-cache-key");
static X_CACHE_STATUS: HeaderName = HeaderName::from_static("x-cache-status");
static KONG_DEBUG: HeaderName = HeaderName::from_static("kong-debug");

/// The largest body of a request that is part of the key, in bytes. A request with a longer one bypasses the cache.
const MAX_KEYED_BODY: usize = 1 << 20;

/// The time for which requests do not wait for each other after a response that could not be stored.
const UNCACHEABLE_TIME: Duration = Duration::from_secs(10);

struct ProxyCache {
    policy: CachePolicy,
    space: Arc<CacheSpace>,
    flights: Flights,
    /// Memory for bodies of requests.
    buffers: BodyBuffers,
}

/// What the cache had for a request. (Kong: `X-Cache-Status`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CacheStatus {
    /// Nothing.
    Miss,
    /// The response.
    Hit,
    /// A response that is not fresh enough.
    Refresh,
    /// The request or the response is not to be cached.
    Bypass,
}

/// A request that goes upstream, kept until there is a response.
struct CacheMiss {
    status: CacheStatus,
    /// The key under which the response may be stored.
    key: Option<CacheKey>,
    lead: Mutex<Option<FlightLead>>,
}

/// An answer, or what the cache has instead of one.
enum CacheAnswer {
    Hit(HttpResponse),
    Miss(CacheStatus),
    /// Nothing, and the last response could not be stored.
    Uncacheable,
}

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    Ok(Arc::new(ProxyCache {
        policy: CachePolicy::new(setup),
        space: Arc::new(setup.resources.responses.space(setup.id)),
        flights: Flights::default(),
        buffers: setup.resources.buffers.clone(),
    }))
}

impl Plugin for ProxyCache {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let directives = self.directives(exchange);
        if !self.is_cacheable(exchange, &directives) {
            return bypass(exchange);
        }
        if matches!(exchange.body, Body::Empty) {
            return self.answer(exchange, &[], &directives);
        }
        Flow::Later(Box::pin(async move {
            let body = std::mem::take(&mut exchange.body);
            exchange.body = match self.buffers.read_ahead(body, MAX_KEYED_BODY).await {
                Ok(body) => body,
                Err(error) => return Flow::Respond(whole_body::refusal(exchange, &error)),
            };
            match exchange.body.try_clone() {
                Some(Body::Full(bytes)) => self.answer(exchange, &bytes, &directives),
                Some(_) => self.answer(exchange, &[], &directives),
                None => bypass(exchange),
            }
        }))
    }

    fn stores_responses(&self) -> bool {
        true
    }

    fn store_response(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        let Some(miss) = exchange.extensions.get::<Arc<CacheMiss>>().cloned() else { return };
        // Taking it leaves nothing behind, so a poisoned lock does no harm.
        let lead = miss.lead.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut status = miss.status;
        if let Some(key) = miss.key {
            let now = Instant::now();
            match self.storable(exchange, response, now) {
                Some(plan) => self.record(key, plan, lead, response),
                None => {
                    status = CacheStatus::Bypass;
                    if let Some(lead) = lead {
                        self.space.mark_uncacheable(key, now, now + UNCACHEABLE_TIME);
                        lead.finish(FlightOutcome::NotStored);
                    }
                }
            }
        }
        self.write_headers(exchange, status, miss.key, response.headers_mut());
    }
}

fn bypass<'a>(exchange: &mut Exchange) -> Flow<'a> {
    let miss = CacheMiss { status: CacheStatus::Bypass, key: None, lead: Mutex::default() };
    exchange.extensions.insert(Arc::new(miss));
    Flow::Continue
}

impl ProxyCache {
    /// The directives of a request; none if they do not count.
    fn directives(&self, exchange: &Exchange) -> CacheDirectives {
        if self.policy.cache_control {
            CacheDirectives::of(exchange.head().fields())
        } else {
            CacheDirectives::default()
        }
    }

    fn is_cacheable(&self, exchange: &Exchange, directives: &CacheDirectives) -> bool {
        let fields = exchange.head().fields();
        self.policy.methods.contains(exchange.upstream_method())
            && !directives.no_store
            && !directives.no_cache
            && !exchange.head().asks_for_websocket()
            // Only the origin knows whether these hold. (RFC 9111, section 4.3.2)
            && !fields.contains_key(IF_MATCH)
            && !fields.contains_key(IF_UNMODIFIED_SINCE)
            // Parts are not stored, and the whole is not what was asked for. (RFC 9110, section 14.2)
            && !fields.contains_key(RANGE)
    }

    /// Answers a request from the cache, or lets it go upstream, at once or after the response to another one.
    fn answer<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        body: &[u8],
        directives: &CacheDirectives,
    ) -> Flow<'a> {
        let key = CacheKey::of(exchange, body, &self.policy);
        let status = match self.look_up(exchange, key, directives) {
            CacheAnswer::Hit(response) => return Flow::Respond(response),
            _ if directives.only_if_cached => {
                let mut response =
                    reply::exit(&exchange.error_request(), StatusCode::GATEWAY_TIMEOUT, ExitBody::Empty);
                if self.policy.shows_key {
                    insert_key(response.headers_mut(), key);
                }
                return Flow::Respond(response);
            }
            CacheAnswer::Uncacheable => return go_upstream(exchange, key, CacheStatus::Miss, None),
            CacheAnswer::Miss(status) => status,
        };
        if is_conditional(exchange.head().fields()) {
            return go_upstream(exchange, key, status, None);
        }
        match self.flights.join(key) {
            FlightRole::Alone => go_upstream(exchange, key, status, None),
            FlightRole::Lead(lead) => self.lead(exchange, key, directives, status, lead),
            FlightRole::Wait(wait) => {
                let directives = *directives;
                Flow::Later(Box::pin(self.wait(exchange, key, directives, status, wait)))
            }
        }
    }

    /// Goes upstream for others, too, unless the response was stored a moment ago.
    fn lead<'a>(
        &self,
        exchange: &mut Exchange,
        key: CacheKey,
        directives: &CacheDirectives,
        status: CacheStatus,
        lead: FlightLead,
    ) -> Flow<'a> {
        match self.look_up(exchange, key, directives) {
            CacheAnswer::Hit(response) => {
                lead.finish(FlightOutcome::Stored);
                Flow::Respond(response)
            }
            _ => go_upstream(exchange, key, status, Some(lead)),
        }
    }

    /// Waits for the response to another request.
    async fn wait<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        key: CacheKey,
        directives: CacheDirectives,
        status: CacheStatus,
        mut wait: FlightWait,
    ) -> Flow<'a> {
        let deadline = wait.deadline();
        loop {
            match wait.outcome().await {
                FlightOutcome::Stored => {
                    return match self.look_up(exchange, key, &directives) {
                        CacheAnswer::Hit(response) => Flow::Respond(response),
                        _ => go_upstream(exchange, key, status, None),
                    };
                }
                FlightOutcome::Abandoned if deadline > tokio::time::Instant::now() => {
                    match self.flights.join(key) {
                        FlightRole::Wait(next) => wait = next.until(deadline),
                        FlightRole::Lead(lead) => {
                            return self.lead(exchange, key, &directives, status, lead);
                        }
                        FlightRole::Alone => return go_upstream(exchange, key, status, None),
                    }
                }
                _ => return go_upstream(exchange, key, status, None),
            }
        }
    }

    fn look_up(&self, exchange: &Exchange, key: CacheKey, directives: &CacheDirectives) -> CacheAnswer {
        let now = Instant::now();
        match self.space.find(key, now, |stored| stored.answers(exchange)) {
            CacheLookup::Stored(stored) if stored.is_accepted(directives, self.policy.cache_control, now) => {
                let mut response = stored.response(exchange);
                if self.policy.shows_age || is_debugged(exchange) {
                    let age = HeaderValue::from(stored.age(now).as_secs());
                    response.headers_mut().insert(AGE, age);
                }
                self.write_headers(exchange, CacheStatus::Hit, Some(key), response.headers_mut());
                CacheAnswer::Hit(response)
            }
            CacheLookup::Stored(_) => CacheAnswer::Miss(CacheStatus::Refresh),
            CacheLookup::Absent => CacheAnswer::Miss(CacheStatus::Miss),
            CacheLookup::Uncacheable => CacheAnswer::Uncacheable,
        }
    }

    /// Writes the fields that tell what the cache did.
    fn write_headers(
        &self,
        exchange: &Exchange,
        status: CacheStatus,
        key: Option<CacheKey>,
        headers: &mut HeaderMap,
    ) {
        let shows_all = is_debugged(exchange);
        if let Some(key) = key.filter(|_| shows_all || self.policy.shows_key) {
            insert_key(headers, key);
        }
        if shows_all || self.policy.shows_status {
            headers.insert(&X_CACHE_STATUS, status.value());
        }
    }

    /// Stores a response; its body is read while it is sent.
    fn record(
        &self,
        key: CacheKey,
        plan: storable::StoragePlan,
        lead: Option<FlightLead>,
        response: &mut HttpResponse,
    ) {
        let cache = self.space.cache();
        let space = Arc::clone(&self.space);
        let body = std::mem::take(response.body_mut());
        let limit = plan.max_body_bytes;
        let store = move |body: Option<Bytes>| match body {
            Some(body) => {
                let (stored, now) = plan.into_stored(body);
                space.store(key, stored, now);
                FlightOutcome::Stored
            }
            None => {
                let now = Instant::now();
                space.mark_uncacheable(key, now, now + UNCACHEABLE_TIME);
                FlightOutcome::NotStored
            }
        };
        let whole = match &body {
            ended if ended.is_end_stream() => Some(Bytes::new()),
            Body::Full(bytes) => {
                let mut buffer = cache.new_buffer(bytes.len());
                cache.append(&mut buffer, bytes).then(|| buffer.into_bytes())
            }
            _ => {
                *response.body_mut() = recording::record(body, (cache.clone(), limit), lead, store);
                return;
            }
        };
        *response.body_mut() = body;
        let outcome = store(whole);
        if let Some(lead) = lead {
            lead.finish(outcome);
        }
    }
}

impl CacheStatus {
    const fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Miss => "Miss",
            Self::Hit => "Hit",
            Self::Refresh => "Refresh",
            Self::Bypass => "Bypass",
        })
    }
}

fn go_upstream<'a>(
    exchange: &mut Exchange,
    key: CacheKey,
    status: CacheStatus,
    lead: Option<FlightLead>,
) -> Flow<'a> {
    let miss = CacheMiss { status, key: Some(key), lead: Mutex::new(lead) };
    exchange.extensions.insert(Arc::new(miss));
    Flow::Continue
}

fn insert_key(headers: &mut HeaderMap, key: CacheKey) {
    // Hexadecimal digits are always a valid value.
    if let Ok(value) = HeaderValue::try_from(key.to_string()) {
        headers.insert(&X_CACHE_KEY, value);
    }
}

/// Whether the response to a request may be something else than the whole resource.
fn is_conditional(fields: &HeaderMap) -> bool {
    [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| fields.contains_key(name))
}

/// Whether all fields about the cache are shown, whatever the settings say.
fn is_debugged(exchange: &Exchange) -> bool {
    exchange.head().field(&KONG_DEBUG).is_some()
}
