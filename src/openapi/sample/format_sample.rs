//! Samples of the formats of OpenAPI and JSON Schema, with the names and addresses that RFC 2606, 5737 and 3849 reserve for
//! examples.

use super::{pattern_sample::LengthBounds, seeded_rng::SeededRng};
use crate::base64_codec;

/// Constraints of a text, and the source of its variations.
pub(super) struct StringConstraints<'a> {
    pub(super) lengths: LengthBounds,
    /// Zero for the fixed text; each other number gives a different text.
    pub(super) variant: u32,
    /// Random numbers for texts that must be unique, such as UUIDs; different for each place.
    pub(super) rng: &'a mut SeededRng,
    /// Whether texts are random.
    pub(super) random: bool,
}

/// A text of the format; `None` if the format is unknown or has no text of that length.
pub(super) fn text(format: &str, constraints: &mut StringConstraints<'_>) -> Option<String> {
    let variant = if constraints.random {
        constraints.variant.wrapping_add(to_u32(constraints.rng.below(900)))
    } else {
        constraints.variant
    };
    let suffix = if variant == 0 { String::new() } else { (variant + 1).to_string() };
    let text = match format {
        "date-time" | "datetime" => return instant(variant, constraints.lengths),
        "date" => date(variant),
        "time" => format!("{:02}:15:22Z", (14 + variant) % 24),
        "duration" => format!("P{}DT2H", variant + 1),
        "uuid" | "guid" => return Some(uuid(constraints.rng)).filter(|text| constraints.lengths.allow(text)),
        "idn-email" => {
            let people = [("пользователь", "@пример.ру"), ("user", "@example.com"), ("a", "@b.co")];
            return padded(&people, &suffix, constraints.lengths);
        }
        "email" => {
            return padded(&[("user", "@example.com"), ("a", "@b.co")], &suffix, constraints.lengths);
        }
        "hostname" | "idn-hostname" => return hostname(&suffix, constraints.lengths),
        "uri" | "url" | "iri" => {
            return padded(&[("https://example.com/", ""), ("a:", "")], &suffix, constraints.lengths);
        }
        "uri-reference" | "iri-reference" => {
            return padded(&[("/items/", ""), ("", "")], &(variant + 1).to_string(), constraints.lengths);
        }
        "uri-template" => {
            return padded(
                &[("https://example.com/items", "/{id}"), ("a", "{id}")],
                &suffix,
                constraints.lengths,
            );
        }
        "ipv4" | "ip" => format!("192.0.2.{}", 1 + variant % 254),
        "ipv6" => format!("2001:db8::{:x}", 1 + variant % 0xffff),
        "json-pointer" => {
            return padded(&[("/items/", ""), ("/", "")], &variant.to_string(), constraints.lengths);
        }
        "relative-json-pointer" => {
            return padded(&[("1/items", ""), ("1/", "")], &suffix, constraints.lengths);
        }
        "regex" => return padded(&[("^[a-z]+", "$"), ("a", "")], &suffix, constraints.lengths),
        "byte" | "base64" => return base64(&suffix, constraints.lengths),
        "password" => {
            return padded(&[("pa$$word", ""), ("pass", ""), ("p", "")], &suffix, constraints.lengths);
        }
        "phone" | "phone-number" | "tel" => format!("+1202555{:04}", (143 + variant) % 10_000),
        "slug" => {
            return padded(&[("sample-slug", ""), ("slug", ""), ("a", "")], &suffix, constraints.lengths);
        }
        "currency" => (*["USD", "EUR", "GBP", "JPY"].get(variant as usize % 4)?).to_owned(),
        "country" | "country-code" => (*["US", "DE", "GB", "JP"].get(variant as usize % 4)?).to_owned(),
        "semver" => format!("1.{variant}.0"),
        "ulid" => format!("01ARZ3NDEKTSV4RRFFQ69G{:04}", 5000 + variant % 5000),
        "int32" | "int64" | "uint32" | "uint64" => (u64::from(variant) + 1).to_string(),
        "float" | "double" | "decimal" => format!("{}.5", variant + 1),
        _ => return None,
    };
    constraints.lengths.allow(&text).then_some(text)
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// A date and time (RFC 3339, section 5.6); a longer one has fractions of a second.
fn instant(variant: u32, lengths: LengthBounds) -> Option<String> {
    let text = format!("{}T14:15:22Z", date(variant));
    if lengths.allow(&text) {
        return Some(text);
    }
    let places = lengths.min.checked_sub(text.len() + 1)?.clamp(1, 30);
    let text = format!("{}T14:15:22.{}Z", date(variant), "0".repeat(places));
    lengths.allow(&text).then_some(text)
}

/// A date that follows 2019-08-24, counted in months of 28 days, so that every month has the day.
fn date(variant: u32) -> String {
    let month = 7 + (variant + 23) / 28;
    format!("{:04}-{:02}-{:02}", 2019 + month / 12 % 1000, month % 12 + 1, (variant + 23) % 28 + 1)
}

/// A UUID of version 4 (RFC 9562, section 5.4).
fn uuid(rng: &mut SeededRng) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&rng.next().to_be_bytes());
    bytes[8..].copy_from_slice(&rng.next().to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The first of the forms that is short enough, with its start padded to the minimum length.
fn padded(forms: &[(&str, &str)], suffix: &str, lengths: LengthBounds) -> Option<String> {
    let length = |(start, end): &(&str, &str)| start.len() + suffix.len() + end.len();
    let form = forms.iter().find(|form| length(form) <= lengths.max)?;
    let padding = lengths.min.saturating_sub(length(form));
    let (start, end) = form;
    // The local part of an address has 64 characters at most (RFC 5321, section 4.5.3.1.1).
    if end.starts_with('@') && padding > 55 {
        let room = |length: usize| length.saturating_sub(start.len() + suffix.len() + 1);
        let host = hostname("", LengthBounds { min: room(lengths.min), max: room(lengths.max) })?;
        return Some(format!("{start}{suffix}@{host}"));
    }
    Some(format!("{start}{suffix}{}{end}", "a".repeat(padding)))
}

/// A host name; labels have 63 characters at most (RFC 1035, section 2.3.4).
fn hostname(suffix: &str, lengths: LengthBounds) -> Option<String> {
    let tail = format!("example{suffix}.com");
    if tail.len() > lengths.max {
        return (lengths.max > suffix.len() && lengths.min <= lengths.max)
            .then(|| format!("a{suffix}"))
            .map(|host| if host.len() < lengths.min { host + &"a".repeat(lengths.min) } else { host })
            .map(|host| host.chars().take(lengths.max).collect());
    }
    let mut padding = lengths.min.saturating_sub(tail.len());
    let mut out = tail;
    while padding > 0 {
        // A label and its dot; one character would be a dot without a label.
        let mut label = padding.min(64);
        if padding - label == 1 {
            label -= 1;
        }
        let label = label.max(2);
        out = format!("{}.{out}", "a".repeat(label - 1));
        padding = padding.saturating_sub(label);
    }
    lengths.allow(&out).then_some(out)
}

/// Base64 of a short text (RFC 4648, section 4); its lengths are multiples of four.
fn base64(suffix: &str, lengths: LengthBounds) -> Option<String> {
    let plain = format!("string{suffix}");
    let groups = lengths.min.div_ceil(4).max(plain.len().div_ceil(3)).min(lengths.max / 4);
    if groups == 0 {
        return (lengths.min == 0).then(String::new);
    }
    let bytes: Vec<u8> = plain.bytes().cycle().take(groups * 3).collect();
    let bytes = if plain.len().div_ceil(3) == groups { plain.as_bytes() } else { &bytes };
    Some(base64_codec::encode(bytes)).filter(|text| lengths.allow(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::sample::format_check::has_format;

    const FORMATS: [&str; 19] = [
        "date-time",
        "date",
        "time",
        "duration",
        "uuid",
        "email",
        "hostname",
        "uri",
        "iri",
        "uri-reference",
        "ipv4",
        "ipv6",
        "json-pointer",
        "relative-json-pointer",
        "regex",
        "byte",
        "password",
        "uri-template",
        "semver",
    ];

    #[test]
    fn texts_have_their_format_and_differ() {
        for format in FORMATS {
            let all: Vec<String> = (0..400)
                .map(|variant| {
                    let lengths = LengthBounds { min: 0, max: usize::MAX };
                    let constraints = &mut StringConstraints {
                        lengths,
                        variant,
                        rng: &mut SeededRng::new(variant.into()),
                        random: false,
                    };
                    text(format, constraints).unwrap()
                })
                .collect();
            let schema = serde_json::json!({"type": "string", "format": format});
            let oracle = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
            for sample in &all {
                assert!(oracle.is_valid(&serde_json::json!(sample)), "{format} {sample}");
                assert!(has_format(format, sample), "{format} {sample}");
            }
            assert_ne!(all[0], all[1], "{format}");
        }
    }

    #[test]
    fn texts_are_within_bounds_of_length_or_missing() {
        for format in FORMATS {
            let schema = serde_json::json!({"type": "string", "format": format});
            let oracle = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
            for (min, max) in [(0, 1), (0, 3), (0, 8), (0, 12), (24, 24), (30, 40), (75, 90), (200, 240)] {
                let lengths = LengthBounds { min, max };
                let constraints = &mut StringConstraints {
                    lengths,
                    variant: 0,
                    rng: &mut SeededRng::new(1),
                    random: false,
                };
                if let Some(sample) = text(format, constraints) {
                    assert!(lengths.allow(&sample), "{format} {lengths:?} {sample}");
                    assert!(oracle.is_valid(&serde_json::json!(sample)), "{format} {lengths:?} {sample}");
                }
            }
        }
    }
}
