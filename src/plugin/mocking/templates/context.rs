//! What a template can see: the request, a new UUID, and the time.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::Value as Seen;

use super::super::request_rng::RequestRng;
use crate::{document::Value, plugin::EditedRequest};

/// What the templates of one answer can see.
pub(in super::super) struct TemplateContext<'a, 'd> {
    request: Seen,
    now: String,
    dice: &'a mut RequestRng<'d>,
}

impl<'a, 'd> TemplateContext<'a, 'd> {
    /// Of a request: its head, the values of its path, and its body.
    pub(in super::super) fn new(
        request: EditedRequest<'_>,
        path: Vec<(&str, String)>,
        body: &[u8],
        now: SystemTime,
        dice: &'a mut RequestRng<'d>,
    ) -> Self {
        let query = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
        // The first of several counts.
        let query: Vec<_> = query.map(|(name, value)| (name.into_owned(), Seen::from(&*value))).collect();
        let headers = request.fields.keys().filter_map(|name| {
            let value = request.fields.get(name)?;
            Some((name.to_string(), Seen::from(&*String::from_utf8_lossy(value.as_bytes()))))
        });
        let request = Seen::from_pairs([
            ("method", Seen::from(request.method.as_str())),
            ("path", Seen::from_pairs(path.into_iter().map(|(name, it)| (name.to_owned(), Seen::from(it))))),
            ("query", Seen::from_pairs(query.into_iter().rev())),
            ("headers", Seen::from_pairs(headers)),
            ("body", body_of(body)),
        ]);
        Self { request, now: rfc_3339(now), dice }
    }

    /// What the next text sees: each has a UUID of its own.
    pub(super) fn next(&mut self) -> Seen {
        let (high, low) = (self.dice.bits(), self.dice.bits());
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Seen::from_pairs([
            ("request", self.request.clone()),
            ("uuid", Seen::from(uuid.to_string())),
            ("now", Seen::from(self.now.as_str())),
        ])
    }
}

/// A body that is JSON is what it says; any other one is its text.
fn body_of(body: &[u8]) -> Seen {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => seen(&Value::from(&value)),
        Err(_) => Seen::from(&*String::from_utf8_lossy(body)),
    }
}

/// As deep as JSON is read, which its reader bounds.
fn seen(value: &Value) -> Seen {
    match value {
        Value::Null => Seen::from(()),
        Value::Bool(it) => Seen::from(*it),
        Value::String(text) => Seen::from(&**text),
        Value::Number(number) => {
            number.as_str().parse::<i64>().map_or_else(|_| Seen::from(number.as_f64()), Seen::from)
        }
        Value::Sequence(items) => items.iter().map(seen).collect::<Vec<_>>().into(),
        Value::Mapping(members) => {
            Seen::from_pairs(members.iter().map(|(key, value)| (key.to_owned(), seen(value))))
        }
    }
}

/// A time in UTC, such as `2019-08-24T14:15:22Z`. (RFC 3339, section 5.6)
fn rfc_3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with their leap day; eras of 400 of them are all alike.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_566_656_122, "2019-08-24T14:15:22Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc_3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
