//! Keys of stored responses: a digest of all parts of a request that a response may depend on.

use std::fmt;

use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use ring::digest::{Context, SHA256};

use super::settings::CachePolicy;
use crate::plugin::Exchange;

/// The key of a stored response: SHA-256. Shown in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of a request with this body.
    ///
    /// Two requests have the same key only if all parts of both are the same: every part is written with its length in
    /// front. Parts are those of the upstream request, so that credentials that a plugin has removed do not count.
    pub(super) fn of(exchange: &Exchange, body: &[u8], policy: &CachePolicy) -> Self {
        let mut digest = KeyDigest(Context::new(&SHA256));
        digest.add_optional(exchange.identity.as_ref().map(|identity| identity.consumer.id.as_bytes()));
        digest.add_optional(exchange.matched.as_ref().map(|matched| &matched.route.as_bytes()[..]));
        digest.add(exchange.upstream_method().as_str().as_bytes());
        digest.add(&[u8::from(exchange.tls)]);
        let head = exchange.head();
        digest.add(&head.host().as_bytes().to_ascii_lowercase());
        digest.add_optional(exchange.upstream.host().map(http::HeaderValue::as_bytes));
        digest.add_path(head.path(), policy);
        match exchange.upstream.path() {
            Some(path) => digest.add_path(path, policy),
            None => digest.add_optional(None),
        }
        digest.add_query(exchange.upstream_query().unwrap_or_default(), policy);
        for name in policy.vary_headers.iter().chain([&AUTHORIZATION]) {
            let values: Vec<_> = exchange.upstream_values(name).collect();
            digest.add_count(values.len());
            for value in values {
                digest.add(value.as_bytes());
            }
        }
        digest.add(body);
        Self(digest.finish())
    }

    /// Reads a key as it is shown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (n, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({self})")
    }
}

struct KeyDigest(Context);

impl KeyDigest {
    fn add_count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn add(&mut self, part: &[u8]) {
        self.add_count(part.len());
        self.0.update(part);
    }

    fn add_optional(&mut self, part: Option<&[u8]>) {
        self.add_count(usize::from(part.is_some()));
        if let Some(part) = part {
            self.add(part);
        }
    }

    fn add_path(&mut self, path: &str, policy: &CachePolicy) {
        if policy.ignore_uri_case {
            self.add(path.to_ascii_lowercase().as_bytes());
        } else {
            self.add(path.as_bytes());
        }
    }

    /// Adds the parameters that responses depend on. Those of different names may come in any order.
    fn add_query(&mut self, query: &str, policy: &CachePolicy) {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let name = |pair: &'_ str| pair.split('=').next().unwrap_or_default().to_owned();
        let is_relevant = |pair: &&str| {
            let all = &policy.vary_query_params;
            let name = name(pair).replace('+', " ");
            all.is_empty() || all.iter().any(|one| *one == percent_decode_str(&name).decode_utf8_lossy())
        };
        let mut pairs: Vec<&str> = pairs.filter(is_relevant).collect();
        pairs.sort_by_cached_key(|pair| name(pair));
        self.add_count(pairs.len());
        for pair in pairs {
            self.add(pair.as_bytes());
        }
    }

    fn finish(self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.finish().as_ref());
        key
    }
}
