//! Texts for the formats of OpenAPI and JSON Schema: fixed ones, in the ranges that RFC 2606, 5737 and 3849 set
//! aside for examples.

use super::{pattern::LengthBounds, seeded_rng::SeededRng};
use crate::base64_codec;

/// What the fixed texts may be varied by.
pub(super) struct StringConstraints<'a> {
    pub(super) lengths: LengthBounds,
    /// Zero for the text itself, else for a text unlike those of other turns.
    pub(super) turn: u32,
    /// For what is to be unlike everything else; another text for every place.
    pub(super) dice: &'a mut SeededRng,
    /// Whether the fixed texts are to be left for random ones.
    pub(super) random: bool,
}

/// A text of the format; `None` if the format is unknown, or has none of that length.
pub(super) fn text(format: &str, wish: &mut StringConstraints<'_>) -> Option<String> {
    let turn = if wish.random { wish.turn.wrapping_add(small(wish.dice.below(900))) } else { wish.turn };
    let many = if turn == 0 { String::new() } else { (turn + 1).to_string() };
    let text = match format {
        "date-time" | "datetime" => return instant(turn, wish.lengths),
        "date" => date(turn),
        "time" => format!("{:02}:15:22Z", (14 + turn) % 24),
        "duration" => format!("P{}DT2H", turn + 1),
        "uuid" | "guid" => return Some(uuid(wish.dice)).filter(|it| wish.lengths.allow(it)),
        "idn-email" => {
            let people = [("пользователь", "@пример.ру"), ("user", "@example.com"), ("a", "@b.co")];
            return padded(&people, &many, wish.lengths);
        }
        "email" => {
            return padded(&[("user", "@example.com"), ("a", "@b.co")], &many, wish.lengths);
        }
        "hostname" | "idn-hostname" => return hostname(&many, wish.lengths),
        "uri" | "url" | "iri" => {
            return padded(&[("https://example.com/", ""), ("a:", "")], &many, wish.lengths);
        }
        "uri-reference" | "iri-reference" => {
            return padded(&[("/items/", ""), ("", "")], &(turn + 1).to_string(), wish.lengths);
        }
        "uri-template" => {
            return padded(&[("https://example.com/items", "/{id}"), ("a", "{id}")], &many, wish.lengths);
        }
        "ipv4" | "ip" => format!("192.0.2.{}", 1 + turn % 254),
        "ipv6" => format!("2001:db8::{:x}", 1 + turn % 0xffff),
        "json-pointer" => return padded(&[("/items/", ""), ("/", "")], &turn.to_string(), wish.lengths),
        "relative-json-pointer" => return padded(&[("1/items", ""), ("1/", "")], &many, wish.lengths),
        "regex" => return padded(&[("^[a-z]+", "$"), ("a", "")], &many, wish.lengths),
        "byte" | "base64" => return base64(&many, wish.lengths),
        "password" => return padded(&[("pa$$word", ""), ("pass", ""), ("p", "")], &many, wish.lengths),
        "phone" | "phone-number" | "tel" => format!("+1202555{:04}", (143 + turn) % 10_000),
        "slug" => return padded(&[("sample-slug", ""), ("slug", ""), ("a", "")], &many, wish.lengths),
        "currency" => (*["USD", "EUR", "GBP", "JPY"].get(turn as usize % 4)?).to_owned(),
        "country" | "country-code" => (*["US", "DE", "GB", "JP"].get(turn as usize % 4)?).to_owned(),
        "semver" => format!("1.{turn}.0"),
        "ulid" => format!("01ARZ3NDEKTSV4RRFFQ69G{:04}", 5000 + turn % 5000),
        "int32" | "int64" | "uint32" | "uint64" => (u64::from(turn) + 1).to_string(),
        "float" | "double" | "decimal" => format!("{}.5", turn + 1),
        _ => return None,
    };
    wish.lengths.allow(&text).then_some(text)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// RFC 3339, section 5.6; a longer one has fractions of a second.
fn instant(turn: u32, lengths: LengthBounds) -> Option<String> {
    let text = format!("{}T14:15:22Z", date(turn));
    if lengths.allow(&text) {
        return Some(text);
    }
    let places = lengths.least.checked_sub(text.len() + 1)?.clamp(1, 30);
    let text = format!("{}T14:15:22.{}Z", date(turn), "0".repeat(places));
    lengths.allow(&text).then_some(text)
}

/// One of the days from 2019-08-24 on; every month has the days used here.
fn date(turn: u32) -> String {
    let month = 7 + (turn + 23) / 28;
    format!("{:04}-{:02}-{:02}", 2019 + month / 12 % 1000, month % 12 + 1, (turn + 23) % 28 + 1)
}

/// A UUID of version 4 by its looks (RFC 9562, section 5.4).
fn uuid(dice: &mut SeededRng) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&dice.next().to_be_bytes());
    bytes[8..].copy_from_slice(&dice.next().to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The first of the forms that is short enough, its start made as long as need be.
fn padded(forms: &[(&str, &str)], middle: &str, lengths: LengthBounds) -> Option<String> {
    let length = |(start, end): &(&str, &str)| start.len() + middle.len() + end.len();
    let form = forms.iter().find(|form| length(form) <= lengths.most)?;
    let padding = lengths.least.saturating_sub(length(form));
    let (start, end) = form;
    // The local part of an address has 64 characters at most (RFC 5321, section 4.5.3.1.1).
    if end.starts_with('@') && padding > 55 {
        let room = |it: usize| it.saturating_sub(start.len() + middle.len() + 1);
        let host = hostname("", LengthBounds { least: room(lengths.least), most: room(lengths.most) })?;
        return Some(format!("{start}{middle}@{host}"));
    }
    Some(format!("{start}{middle}{}{end}", "a".repeat(padding)))
}

/// Labels have 63 characters at most (RFC 1035, section 2.3.4).
fn hostname(middle: &str, lengths: LengthBounds) -> Option<String> {
    let tail = format!("example{middle}.com");
    if tail.len() > lengths.most {
        return (lengths.most > middle.len() && lengths.least <= lengths.most)
            .then(|| format!("a{middle}"))
            .map(|it| if it.len() < lengths.least { it + &"a".repeat(lengths.least) } else { it })
            .map(|it| it.chars().take(lengths.most).collect());
    }
    let mut padding = lengths.least.saturating_sub(tail.len());
    let mut out = tail;
    while padding > 0 {
        // A label and its dot; never a dot alone.
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
fn base64(middle: &str, lengths: LengthBounds) -> Option<String> {
    let plain = format!("string{middle}");
    let groups = lengths.least.div_ceil(4).max(plain.len().div_ceil(3)).min(lengths.most / 4);
    if groups == 0 {
        return (lengths.least == 0).then(String::new);
    }
    let bytes: Vec<u8> = plain.bytes().cycle().take(groups * 3).collect();
    let bytes = if plain.len().div_ceil(3) == groups { plain.as_bytes() } else { &bytes };
    Some(base64_codec::encode(bytes)).filter(|it| lengths.allow(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::sample::fits::fits;

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
    fn texts_are_of_their_format_and_differ() {
        for format in FORMATS {
            let all: Vec<String> = (0..400)
                .map(|turn| {
                    let lengths = LengthBounds { least: 0, most: usize::MAX };
                    let wish = &mut StringConstraints {
                        lengths,
                        turn,
                        dice: &mut SeededRng::new(turn.into()),
                        random: false,
                    };
                    text(format, wish).unwrap()
                })
                .collect();
            let schema = serde_json::json!({"type": "string", "format": format});
            let oracle = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
            for it in &all {
                assert!(oracle.is_valid(&serde_json::json!(it)), "{format} {it}");
                assert!(fits(format, it), "{format} {it}");
            }
            assert_ne!(all[0], all[1], "{format}");
        }
    }

    #[test]
    fn lengths_are_kept_or_nothing_is_said() {
        for format in FORMATS {
            let schema = serde_json::json!({"type": "string", "format": format});
            let oracle = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
            for (least, most) in [(0, 1), (0, 3), (0, 8), (0, 12), (24, 24), (30, 40), (75, 90), (200, 240)] {
                let lengths = LengthBounds { least, most };
                let wish =
                    &mut StringConstraints { lengths, turn: 0, dice: &mut SeededRng::new(1), random: false };
                if let Some(it) = text(format, wish) {
                    assert!(lengths.allow(&it), "{format} {lengths:?} {it}");
                    assert!(oracle.is_valid(&serde_json::json!(it)), "{format} {lengths:?} {it}");
                }
            }
        }
    }
}
