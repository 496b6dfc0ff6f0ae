//! `rate-limiting`: limits of requests per client and second, minute, hour, day, month and year.
//! (Kong: Rate Limiting plugin, policies `local` and `redis`.)
//!
//! Windows are fixed. Counters are local to the node or shared in Redis. Requests are counted before they go upstream, so
//! that a burst cannot exceed the limit.

mod local_counters;
mod period;
mod redis_counters;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::UNIX_EPOCH,
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};

use super::{Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, setting_values};
use crate::{diag::Diagnostic, document::Value};
use local_counters::{Identifier, LimitUsage, LocalCounters};
use period::{LimitPeriod, PERIODS};
use redis_counters::RedisCounters;

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("rate-limiting", 910, settings::FIELDS, compile).checks(settings::CHECKS).per_consumer();

static LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

struct RateLimiting {
    /// The configured limits, the shortest period first.
    limits: Vec<(LimitPeriod, u64)>,
    headers: Vec<(HeaderName, HeaderName)>,
    subject: LimitSubject,
    counting: CounterPolicy,
    /// Bits of an IPv6 address that identify a client.
    ipv6_prefix: u8,
    /// Whether requests that cannot be counted are allowed.
    fault_tolerant: bool,
    hide_client_headers: bool,
    error_code: StatusCode,
    error_message: String,
}

/// Storage of the counters.
enum CounterPolicy {
    Local(Box<LocalCounters>),
    Redis(Box<RedisCounters>),
}

/// Property that identifies a client. A request without the property is identified by its address.
enum LimitSubject {
    Address,
    Consumer,
    Credential,
    Service,
    Header(HeaderName),
    Path(String),
}

/// The decision about a request, kept with it for the headers of its response.
#[derive(Clone, Debug)]
struct LimitDecision {
    allowed: bool,
    /// Remaining requests of each limit.
    remaining: Vec<u64>,
    /// The index of the limit with the fewest remaining requests.
    tightest: usize,
    /// Seconds until the window of that limit ends.
    reset: u64,
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    Ok(Arc::new(RateLimiting::new(setup)?))
}

impl RateLimiting {
    fn new(setup: &PluginSetup<'_>) -> Result<Self, Vec<Diagnostic>> {
        let text = |field| setting_values::string(setup.config, field);
        let counting = match text("policy").as_deref() {
            Some("redis") => CounterPolicy::Redis(Box::new(RedisCounters::new(setup))),
            Some("cluster") => {
                let message = "policy 'cluster' needs a database, and there is none";
                let help = "use `policy: redis`, which counts for all nodes, or `policy: local`, by which each \
                            node counts for itself: divide the limits by the number of nodes";
                return Err(vec![Diagnostic::error(setup.at.key("policy"), message).help(help)]);
            }
            _ => {
                let limits = PERIODS
                    .iter()
                    .filter(|period| setup.config.get(period.name()).is_some_and(|limit| !limit.is_null()));
                CounterPolicy::Local(Box::new(LocalCounters::new(limits.count(), &setup.resources.counters)))
            }
        };
        let limit = |period: LimitPeriod| setup.config.get(period.name()).and_then(Value::as_f64);
        let limits: Vec<(LimitPeriod, u64)> =
            PERIODS.into_iter().filter_map(|period| Some((period, whole_requests(limit(period)?)))).collect();
        let subject = match (text("limit_by").as_deref(), text("header_name"), text("path")) {
            (Some("service"), ..) => LimitSubject::Service,
            (Some("header"), Some(name), _) => {
                HeaderName::try_from(name).map(LimitSubject::Header).map_err(|_| {
                    vec![Diagnostic::error(setup.at.key("header_name"), "not the name of a header")]
                })?
            }
            (Some("path"), _, Some(path)) => LimitSubject::Path(path),
            (Some("consumer"), ..) => LimitSubject::Consumer,
            (Some("credential"), ..) => LimitSubject::Credential,
            _ => LimitSubject::Address,
        };
        let code =
            setting_values::integer(setup.config, "error_code").and_then(|number| u16::try_from(number).ok());
        Ok(Self {
            headers: limits.iter().map(|(period, _)| period.headers()).collect(),
            limits,
            subject,
            counting,
            ipv6_prefix: setup.resources.ipv6_prefix,
            fault_tolerant: setting_values::boolean(setup.config, "fault_tolerant"),
            hide_client_headers: setting_values::boolean(setup.config, "hide_client_headers"),
            error_code: code
                .and_then(|code| StatusCode::from_u16(code).ok())
                .unwrap_or(StatusCode::TOO_MANY_REQUESTS),
            error_message: text("error_message").unwrap_or_default(),
        })
    }

    /// The decision about a request at `now`, Unix time in seconds.
    fn decision(&self, usage: &LimitUsage, now: u64) -> LimitDecision {
        let remaining: Vec<u64> = self
            .limits
            .iter()
            .map(|&(period, limit)| limit.saturating_sub(usage.counts[period as usize]))
            .collect();
        // Among equal limits, the one with the longer period.
        let tightest =
            remaining.iter().enumerate().rev().min_by_key(|(_, left)| **left).map_or(0, |(n, _)| n);
        let reset = self.limits.get(tightest).map_or(1, |(period, _)| period.reset(now));
        LimitDecision { allowed: usage.allowed, remaining, tightest, reset }
    }

    fn identifier<'a>(&self, exchange: &'a Exchange) -> Identifier<'a> {
        let address = Identifier::Address(self.client_network(exchange.client.ip()));
        let identity = exchange.identity.as_ref();
        match &self.subject {
            LimitSubject::Path(path) if exchange.path == *path => Identifier::Text(&exchange.path),
            LimitSubject::Address | LimitSubject::Path(_) => address,
            LimitSubject::Consumer => {
                identity.map_or(address, |identity| Identifier::Text(&identity.consumer.id))
            }
            LimitSubject::Credential => {
                let credential = identity.and_then(|identity| identity.credential.as_deref());
                credential.map_or(address, |credential| Identifier::Text(&credential.id))
            }
            // Only a plugin for all requests or a Consumer sees several Services.
            LimitSubject::Service => exchange
                .matched
                .as_deref()
                .and_then(|matched| matched.service_record.get("id")?.as_str())
                .map_or(address, Identifier::Text),
            LimitSubject::Header(name) => {
                let value = exchange.upstream_field(name).and_then(|value| value.to_str().ok());
                value.filter(|value| !value.is_empty()).map_or(address, Identifier::Text)
            }
        }
    }

    /// An address with the bits cleared that do not identify a client.
    fn client_network(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V6(address) if self.ipv6_prefix < 128 && address.to_ipv4_mapped().is_none() => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.ipv6_prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
            address => address,
        }
    }

    fn write_headers(&self, decision: &LimitDecision, headers: &mut HeaderMap) {
        for (((limit, remaining), (_, value)), left) in
            self.headers.iter().zip(&self.limits).zip(&decision.remaining)
        {
            headers.insert(limit, HeaderValue::from(*value));
            headers.insert(remaining, HeaderValue::from(*left));
        }
        let at = decision.tightest;
        if let (Some((_, limit)), Some(left)) = (self.limits.get(at), decision.remaining.get(at)) {
            headers.insert(&LIMIT, HeaderValue::from(*limit));
            headers.insert(&REMAINING, HeaderValue::from(*left));
            headers.insert(&RESET, HeaderValue::from(decision.reset));
        }
        if !decision.allowed {
            headers.insert(RETRY_AFTER, HeaderValue::from(decision.reset));
        }
    }
}

impl RateLimiting {
    /// Allows or rejects a request, and keeps the decision for the headers of its response.
    fn decide<'a>(&self, exchange: &mut Exchange, usage: &LimitUsage, now: u64) -> Flow<'a> {
        exchange.extensions.insert(self.decision(usage, now));
        if usage.allowed {
            return Flow::Continue;
        }
        Flow::Respond(exchange.error(self.error_code, &self.error_message))
    }

    /// Counts a request in Redis, and decides.
    async fn decide_by_redis<'a>(
        &self,
        counters: &RedisCounters,
        exchange: &mut Exchange,
        now: u64,
    ) -> Flow<'a> {
        let request = counters.count_request(self.identifier(exchange), &self.limits, now);
        match counters.count(request, &self.limits).await {
            Ok(usage) => self.decide(exchange, &usage, now),
            Err(_) => self.decide_uncounted(exchange),
        }
    }

    /// Decides about a request that cannot be counted.
    fn decide_uncounted<'a>(&self, exchange: &Exchange) -> Flow<'a> {
        if self.fault_tolerant {
            return Flow::Continue;
        }
        let message = "An unexpected error occurred";
        Flow::Respond(exchange.error(StatusCode::INTERNAL_SERVER_ERROR, message))
    }
}

impl Plugin for RateLimiting {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        match &self.counting {
            CounterPolicy::Local(counters) => {
                match counters.count(self.identifier(exchange), &self.limits, now) {
                    Some(usage) => self.decide(exchange, &usage, now),
                    None => self.decide_uncounted(exchange),
                }
            }
            CounterPolicy::Redis(counters) => {
                Flow::Later(Box::pin(self.decide_by_redis(counters, exchange, now)))
            }
        }
    }

    fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        if self.hide_client_headers {
            return;
        }
        if let Some(decision) = exchange.extensions.get::<LimitDecision>() {
            self.write_headers(decision, response.headers_mut());
        }
    }
}

/// A limit as a whole number of requests, rounded up: a request is allowed while the count is below the limit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above zero, and casts saturate")]
fn whole_requests(limit: f64) -> u64 {
    limit.ceil() as u64
}
