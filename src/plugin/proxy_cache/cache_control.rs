//! Directives of Cache-Control, and the time for which a response is fresh. (RFC 9111, sections 4.2 and 5.2)

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderValue,
    header::{AGE, CACHE_CONTROL, EXPIRES},
};

/// The largest number of seconds of a directive. (RFC 9111, section 1.2.2)
const MAX_SECONDS: u64 = 1 << 31;

/// The directives of a message that a cache acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "directives are independent of each other")]
pub(super) struct CacheDirectives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) only_if_cached: bool,
    /// Times in seconds. One that cannot be read is 0, and of several the shortest counts.
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) min_fresh: Option<u64>,
    pub(super) max_stale: Option<u64>,
}

impl CacheDirectives {
    /// The directives in the fields of a message.
    pub(super) fn of(fields: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in fields.get_all(CACHE_CONTROL) {
            for directive in split(value.as_bytes()) {
                directives.add(directive);
            }
        }
        directives
    }

    fn add(&mut self, directive: &[u8]) {
        let equals = directive.iter().position(|byte| *byte == b'=');
        let (name, value) =
            equals.map_or((directive, None), |at| (&directive[..at], Some(&directive[at + 1..])));
        let shortest = |known: Option<u64>| Some(known.unwrap_or(MAX_SECONDS).min(seconds(value)));
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => self.max_age = shortest(self.max_age),
            b"s-maxage" => self.s_maxage = shortest(self.s_maxage),
            b"min-fresh" => self.min_fresh = Some(self.min_fresh.unwrap_or_default().max(seconds(value))),
            // Without a value, any age is accepted.
            b"max-stale" if value.is_none() => self.max_stale = self.max_stale.or(Some(MAX_SECONDS)),
            b"max-stale" => self.max_stale = shortest(self.max_stale),
            _ => (),
        }
    }

    /// The time for which a response is fresh from the moment when it was made. (RFC 9111, section 4.2.1)
    pub(super) fn lifetime(&self, fields: &HeaderMap, now: SystemTime) -> Duration {
        if let Some(seconds) = self.s_maxage.or(self.max_age) {
            return Duration::from_secs(seconds);
        }
        let expires = fields.get_all(EXPIRES).iter().next_back();
        let expires = expires.and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
        let lifetime = expires.and_then(|expires| expires.duration_since(now).ok());
        lifetime.unwrap_or_default().min(Duration::from_secs(MAX_SECONDS))
    }

    /// Whether a shared cache may store the response to a request with credentials. (RFC 9111, section 3.5)
    pub(super) const fn allows_credentials(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }
}

/// The time that a response had spent in other caches when it arrived. (RFC 9111, section 5.1)
pub(super) fn age_on_arrival(fields: &HeaderMap) -> Duration {
    let age = fields.get(AGE).map_or(0, |value| seconds(Some(value.as_bytes())));
    Duration::from_secs(age)
}

/// The items of a list. Commas in quoted strings do not separate.
fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    list.split(move |byte| {
        let escapes = is_quoted && !is_escaped && *byte == b'\\';
        if *byte == b'"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = escapes;
        *byte == b',' && !is_quoted
    })
}

/// A number of seconds, with or without quotes; 0 for any other text.
fn seconds(value: Option<&[u8]>) -> u64 {
    let text = value.map(<[u8]>::trim_ascii).unwrap_or_default();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    text.iter().fold(0, add).min(MAX_SECONDS)
}

/// The names in a list of header fields, in lower case.
pub(super) fn field_names(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    split(value.as_bytes()).map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, value.parse().unwrap());
        }
        fields
    }

    fn directives(values: &[&str]) -> CacheDirectives {
        let lines: Vec<_> = values.iter().map(|value| ("cache-control", *value)).collect();
        CacheDirectives::of(&fields(&lines))
    }

    #[test]
    fn directives_are_read_from_all_lines() {
        let none = CacheDirectives::default();
        assert_eq!(directives(&[]), none);
        assert_eq!(directives(&["unknown=\"no-store, private\", x"]), none);
        assert_eq!(directives(&["x=\"a\\\", no-store\""]), none);
        assert_eq!(directives(&["No-Store"]), CacheDirectives { no_store: true, ..none });
        let both = CacheDirectives { private: true, max_age: Some(60), ..none };
        assert_eq!(directives(&["private=\"set-cookie, x\", max-age=60"]), both);
        assert_eq!(directives(&["private", " max-age = \"60\" "]), both);
        assert_eq!(directives(&["max-age=60, max-age=5"]).max_age, Some(5));
        assert_eq!(directives(&["max-age=x"]).max_age, Some(0));
        assert_eq!(directives(&["max-age=-1"]).max_age, Some(0));
        assert_eq!(directives(&["max-age=99999999999999999999999"]).max_age, Some(MAX_SECONDS));
        assert_eq!(directives(&["max-stale"]).max_stale, Some(MAX_SECONDS));
        assert_eq!(directives(&["max-stale, max-stale=7"]).max_stale, Some(7));
        assert_eq!(directives(&["min-fresh=3, only-if-cached"]).min_fresh, Some(3));
    }

    #[test]
    fn a_lifetime_comes_from_the_first_of_s_maxage_max_age_and_expires() {
        let now = httpdate::parse_http_date("Tue, 01 Dec 2026 12:00:00 GMT").unwrap();
        let expires = ("expires", "Tue, 01 Dec 2026 12:00:40 GMT");
        for (lines, expected) in [
            (&[("cache-control", "s-maxage=5, max-age=60"), expires][..], 5),
            (&[("cache-control", "max-age=60"), expires], 60),
            (&[("cache-control", "public"), expires], 40),
            (&[("expires", "0")], 0),
            (&[("expires", "Tue, 01 Dec 2026 11:00:00 GMT")], 0),
            (&[], 0),
        ] {
            let fields = fields(lines);
            let lifetime = CacheDirectives::of(&fields).lifetime(&fields, now);
            assert_eq!(lifetime, Duration::from_secs(expected), "{lines:?}");
        }
    }
}
