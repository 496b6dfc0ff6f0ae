//! Conditions under which a response is stored.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, SET_COOKIE},
};
use http_body::Body as _;

use super::{
    ProxyCache,
    cache_control::{CacheDirectives, age_on_arrival},
    media_type::ParsedMediaType,
    stored_response::{StoredResponse, size_of_fields, stored_fields, varying_fields},
};
use crate::{
    body::StreamReset,
    budget::Reservation,
    plugin::{Exchange, HttpResponse},
};

/// Everything that is stored of a response but its body.
pub(super) struct StoragePlan {
    status: StatusCode,
    headers: HeaderMap,
    vary: Vec<(HeaderName, Vec<HeaderValue>)>,
    ttl: Duration,
    storage_ttl: Duration,
    age_on_arrival: Duration,
    arrived: Instant,
    must_revalidate: bool,
    room: Reservation,
    pub(super) max_body_bytes: usize,
}

impl ProxyCache {
    /// How a response is stored; `None` if it is not.
    pub(super) fn storable(
        &self,
        exchange: &Exchange,
        response: &HttpResponse,
        now: Instant,
    ) -> Option<StoragePlan> {
        let (policy, fields) = (&self.policy, response.headers());
        let status = response.status();
        // Parts of a resource, and statements about what the client has, are of no use for others.
        let is_partial = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
        if is_partial || status.is_informational() || !policy.codes.contains(&status.as_u16()) {
            return None;
        }
        // A cookie belongs to one client.
        if fields.contains_key(SET_COOKIE) || response.extensions().get::<StreamReset>().is_some() {
            return None;
        }
        if !self.selects_media_type(fields) {
            return None;
        }
        let mut ttl = policy.ttl;
        let directives = CacheDirectives::of(fields);
        let age_on_arrival = age_on_arrival(fields);
        if policy.cache_control {
            ttl = directives.lifetime(fields, SystemTime::now());
            let has_credentials = exchange.upstream_field(&AUTHORIZATION).is_some();
            if directives.private
                || directives.no_store
                || directives.no_cache
                || ttl <= age_on_arrival
                || has_credentials && !directives.allows_credentials()
            {
                return None;
            }
        }
        let max_body_bytes = self.space.cache().max_body_bytes();
        let least = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
        if least > max_body_bytes {
            return None;
        }
        let vary = varying_fields(exchange, fields)?;
        let headers = stored_fields(fields, exchange.upstream_method());
        let room = self.space.cache().reserve(size_of_fields(&headers, &vary))?;
        let storage_ttl = policy
            .storage_ttl
            .unwrap_or_else(|| if policy.cache_control { ttl.saturating_sub(age_on_arrival) } else { ttl });
        Some(StoragePlan {
            status,
            headers,
            vary,
            ttl,
            storage_ttl,
            age_on_arrival,
            arrived: now,
            must_revalidate: directives.must_revalidate,
            room,
            max_body_bytes,
        })
    }

    fn selects_media_type(&self, fields: &HeaderMap) -> bool {
        let mut values = fields.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let media_type = value.to_str().ok().and_then(ParsedMediaType::parse);
        media_type.is_some_and(|media_type| {
            self.policy.media_types.iter().any(|setting| setting.selects(&media_type))
        })
    }
}

impl StoragePlan {
    /// The response with its body, and the present time.
    pub(super) fn into_stored(self, body: Bytes) -> (StoredResponse, Instant) {
        let now = Instant::now();
        let age = now.saturating_duration_since(self.arrived);
        let stored = StoredResponse {
            status: self.status,
            headers: self.headers,
            body,
            stored_at: SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
            ttl: self.ttl,
            // Time passes from the arrival of the head.
            stored: self.arrived,
            age_on_arrival: self.age_on_arrival,
            expires_at: self.arrived.checked_add(self.storage_ttl).unwrap_or(now),
            must_revalidate: self.must_revalidate,
            vary: self.vary,
            _room: self.room,
        };
        (stored, now)
    }
}
