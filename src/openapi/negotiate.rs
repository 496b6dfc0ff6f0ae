//! Which of several media types a client wants: proactive negotiation by `Accept` (RFC 9110, section 12.5.1).
//!
//! What is offered is prepared at load; a request allocates nothing.

/// The media types that an answer may have, prepared for comparison.
#[derive(Clone, Debug, Default)]
pub struct MediaTypeOffers {
    offers: Vec<MediaTypeOffer>,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedType<'a> {
    /// The position of the offer.
    pub offer: usize,
    /// For an offer such as `*/*` or `image/*`: the type that the client asked for, if it named one. It is legal
    /// as the value of a header.
    pub concrete: Option<&'a str>,
}

#[derive(Clone, Debug)]
struct MediaTypeOffer {
    /// `type/subtype` in lower case, if it is one that a client can name.
    name: Option<String>,
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

/// More ranges than this in one `Accept` are not read.
const RANGES: usize = 100;

/// How well an offer meets a range by its parameters, its type, the half of it, or at all.
const EXACT: u16 = 3;
const HALF: u16 = 2;
const ANY: u16 = 1;

impl MediaTypeOffers {
    /// Prepares media types, wildcards among them, in the order of the document.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a str>) -> Self {
        Self { offers: types.into_iter().map(MediaTypeOffer::new).collect() }
    }

    /// The media types, for a client that accepts none of them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.offers.iter().map(|offer| format!("{}/{}", offer.kind, offer.subtype)).collect()
    }

    /// The first offer that a whole Accept field names, which has neither a second range nor parameters: nothing fits
    /// better. Most clients ask so, and reading the field costs more than the rest of an answer.
    fn named(&self, accept: &str) -> Option<usize> {
        let is_named = |name: &String| name.eq_ignore_ascii_case(accept);
        self.offers.iter().position(|offer| offer.name.as_ref().is_some_and(is_named))
    }

    /// What a client gets that wants nothing in particular: JSON, then `*/*`, then what stands first.
    fn unasked(&self) -> Option<usize> {
        (0..self.offers.len()).max_by_key(|n| (self.offers[*n].rank(), std::cmp::Reverse(*n)))
    }
}

impl MediaTypeOffer {
    fn new(media_type: &str) -> Self {
        let mut parts = split(media_type, ';');
        let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, subtype) = name.split_once('/').unwrap_or((&name, ""));
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), unquoted(value).to_ascii_lowercase()))
            .collect();
        let is_concrete = kind != "*" && subtype != "*" && is_token(kind) && is_token(subtype);
        let (kind, subtype) = (kind.to_owned(), subtype.to_owned());
        Self { name: is_concrete.then_some(name), kind, subtype, parameters }
    }

    /// The order where a client has no preference.
    fn rank(&self) -> u8 {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("application", "json") => 2,
            ("*", "*") => 1,
            _ => 0,
        }
    }

    fn is_wildcard(&self) -> bool {
        self.subtype == "*"
    }

    /// How well this concrete type meets a range; 0 if it does not.
    fn fit(&self, range: &AcceptRange<'_>, strict: bool) -> u16 {
        if range.kind == "*" {
            return ANY;
        }
        if !range.kind.eq_ignore_ascii_case(&self.kind) {
            return 0;
        }
        if range.subtype == "*" {
            return HALF;
        }
        if !range.subtype.eq_ignore_ascii_case(&self.subtype) {
            return 0;
        }
        if !strict {
            return EXACT;
        }
        let mut fit = EXACT;
        for (name, value) in range.parameters() {
            let has = |(mine, own_value): &(String, String)| {
                mine.eq_ignore_ascii_case(name) && own_value.eq_ignore_ascii_case(value)
            };
            if !self.parameters.iter().any(has) {
                return 0;
            }
            fit = fit.saturating_add(1);
        }
        fit
    }
}

/// Chooses among `offers` by the value of `Accept`; several such headers are one, joined by commas.
///
/// The highest quality wins, then the most specific range, then document order. A client without preference (no
/// `Accept`, an empty one, or `*/*`) gets JSON, then `*/*`, then the first. Where nothing fits, parameters other
/// than `q` are ignored. `None` if nothing is acceptable even then.
#[must_use]
pub fn negotiate<'a>(accept: Option<&'a str>, offers: &MediaTypeOffers) -> Option<NegotiatedType<'a>> {
    let accept = accept.unwrap_or_default();
    if let Some(offer) = offers.named(accept) {
        return Some(NegotiatedType { offer, concrete: None });
    }
    if ranges(accept).next().is_none() {
        return offers.unasked().map(|offer| NegotiatedType { offer, concrete: None });
    }
    choose(accept, offers, true).or_else(|| choose(accept, offers, false))
}

fn choose<'a>(accept: &'a str, offers: &MediaTypeOffers, strict: bool) -> Option<NegotiatedType<'a>> {
    let mut best: Option<((u16, u16, u8), NegotiatedType<'a>)> = None;
    for (n, offer) in offers.offers.iter().enumerate() {
        let met =
            if offer.is_wildcard() { meet_wildcard(accept, offer) } else { meet(accept, offer, strict) };
        let Some((quality, fit, concrete)) = met else { continue };
        let score = (quality, fit, if fit == ANY { offer.rank() } else { 0 });
        if best.is_none_or(|(known, _)| score > known) {
            best = Some((score, NegotiatedType { offer: n, concrete }));
        }
    }
    best.map(|(_, choice)| choice)
}

/// The quality that a concrete offer has: that of the most specific range that it meets.
fn meet<'a>(accept: &str, offer: &MediaTypeOffer, strict: bool) -> Option<(u16, u16, Option<&'a str>)> {
    let mut best = (0, 0);
    for range in ranges(accept) {
        let fit = offer.fit(&range, strict);
        if fit > best.1 {
            best = (range.quality, fit);
        }
    }
    (best.0 > 0).then_some((best.0, best.1, None))
}

/// The quality that a wildcard offer has: that of the best range that it can become.
fn meet_wildcard<'a>(accept: &'a str, offer: &MediaTypeOffer) -> Option<(u16, u16, Option<&'a str>)> {
    let widest = if offer.kind == "*" { ANY } else { HALF };
    let mut best: Option<((u16, bool), u16, Option<&'a str>)> = None;
    for range in ranges(accept).filter(|range| range.quality > 0) {
        let fit = match range.kind {
            "*" => ANY,
            kind if offer.kind == "*" || kind.eq_ignore_ascii_case(&offer.kind) => widest,
            _ => continue,
        };
        let concrete = (range.subtype != "*").then_some(range.name);
        let score = (range.quality, concrete.is_some());
        if best.is_none_or(|(known, ..)| score > known) {
            best = Some((score, fit, concrete));
        }
    }
    best.map(|((quality, _), fit, concrete)| (quality, fit, concrete))
}

/// One element of `Accept`.
struct AcceptRange<'a> {
    name: &'a str,
    kind: &'a str,
    subtype: &'a str,
    /// What stands behind the name.
    rest: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> AcceptRange<'a> {
    /// `None` for what is no range; such an element says nothing.
    fn new(element: &'a str) -> Option<Self> {
        let name = split(element, ';').next()?;
        let rest = &element[name.len()..];
        let name = name.trim();
        // Some clients of old say `*` for everything.
        let (kind, subtype) = if name == "*" { ("*", "*") } else { name.split_once('/')? };
        if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
            return None;
        }
        let quality = pairs(rest).find(|(name, _)| name.eq_ignore_ascii_case("q"));
        let quality = quality.map_or(1000, |(_, value)| quality_of(value));
        Some(Self { name, kind, subtype, rest, quality })
    }

    /// The parameters of the type; what follows `q` is none of them.
    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        pairs(self.rest).take_while(|(name, _)| !name.eq_ignore_ascii_case("q"))
    }
}

fn ranges(accept: &str) -> impl Iterator<Item = AcceptRange<'_>> {
    split(accept, ',').take(RANGES).filter_map(AcceptRange::new)
}

fn pairs(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    split(rest, ';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim(), unquoted(value)))
}

/// A quality in thousandths; what cannot be read counts as 1.
fn quality_of(text: &str) -> u16 {
    let Ok(number) = text.parse::<f32>() else { return 1000 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000; NaN is 0"
    )]
    let thousandths = (number.clamp(0.0, 1.0) * 1000.0).round() as u16;
    thousandths
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// Splits at a separator, but not inside a quoted string (RFC 9110, section 5.6.4).
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => (),
        }
        c == separator && !quoted
    })
}

/// The type without its parameters.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a text is a media type with legal parameters, and so legal as the value of a header.
pub(super) fn is_media_type(text: &str) -> bool {
    let legal = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let name = essence(text).split_once('/');
    legal && name.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype) && kind != "*")
}

/// Whether a text is `*/*`.
pub(super) fn is_wildcard(text: &str) -> bool {
    essence(text) == "*/*" && text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(accept: Option<&str>, offers: &[&str], expected: Option<&str>) {
        let choice = negotiate(accept, &MediaTypeOffers::new(offers.iter().copied()));
        assert_eq!(choice.map(|choice| offers[choice.offer]), expected, "{accept:?} of {offers:?}");
    }

    #[track_caller]
    fn concrete(accept: &str, offers: &[&str], expected: (usize, Option<&str>)) {
        let choice = negotiate(Some(accept), &MediaTypeOffers::new(offers.iter().copied())).unwrap();
        assert_eq!((choice.offer, choice.concrete), expected, "{accept} of {offers:?}");
    }

    const FOUR: &[&str] =
        &["text/plain", "application/json", "application/xml", "application/vnd.depot.v2+json"];

    #[test]
    fn no_preference_means_json_then_anything_then_the_first() {
        for accept in [None, Some(""), Some("*/*"), Some("*"), Some("  ,"), Some("nonsense"), Some("*/xml")] {
            check(accept, FOUR, Some("application/json"));
            check(accept, &["text/plain", "*/*"], Some("*/*"));
            check(accept, &["text/plain", "text/html"], Some("text/plain"));
            check(
                accept,
                &["text/plain", "application/json; charset=utf-8"],
                Some("application/json; charset=utf-8"),
            );
            check(accept, &[], None);
        }
    }

    #[test]
    fn quality_then_specificity_then_document_order() {
        check(Some("application/json;q=0, */*;q=0.1"), FOUR, Some("text/plain"));
        check(Some("application/vnd.depot.v2+json"), FOUR, Some("application/vnd.depot.v2+json"));
        check(Some("text/plain;q=0.5, application/xml;q=0.6"), FOUR, Some("application/xml"));
        check(Some("text/html, application/*;q=0.8, */*;q=0.1"), FOUR, Some("application/json"));
        check(Some("application/xml, */*"), FOUR, Some("application/xml"));
        check(Some("application/*, text/plain"), FOUR, Some("text/plain"));
        check(Some("application/xml, text/plain"), FOUR, Some("text/plain"));
        check(Some("TEXT/Plain"), FOUR, Some("text/plain"));
        check(Some("text/*;q=.9,*/*;q=.2"), FOUR, Some("text/plain"));
        check(Some("application/json, */*;q=0.1"), &["application/hal+json"], Some("application/hal+json"));
    }

    #[test]
    fn nothing_acceptable_is_nothing() {
        check(Some("image/png"), FOUR, None);
        check(Some("*/*;q=0"), FOUR, None);
        check(Some("application/json;q=0"), &["application/json"], None);
        check(Some("application/json;q=0, */*"), &["application/json"], None);
        check(Some("application/json"), &["application/problem+json"], None);
    }

    #[test]
    fn parameters_count_first_and_are_ignored_then() {
        let versions = &["application/json;version=1", "application/json; version=2"];
        check(Some("application/json;version=2"), versions, Some("application/json; version=2"));
        check(Some("application/json; Version=\"2\""), versions, Some("application/json; version=2"));
        check(Some("application/json;version=3"), versions, Some("application/json;version=1"));
        check(Some("application/json; version=1"), &["application/json"], Some("application/json"));
        check(
            Some("application/json"),
            &["application/json; charset=utf-8"],
            Some("application/json; charset=utf-8"),
        );
        check(Some("application/json;q=0.4;level=9"), &["application/json"], Some("application/json"));
        check(
            Some("text/plain;a=\"x,y;z\\\"\";q=0, text/html"),
            &["text/plain", "text/html"],
            Some("text/html"),
        );
    }

    #[test]
    fn wildcard_offers_become_what_is_asked_for() {
        concrete("image/png", &["image/*"], (0, Some("image/png")));
        concrete("image/png;q=0.5, image/webp;q=0.9;x=1", &["image/*"], (0, Some("image/webp")));
        concrete("text/csv, */*;q=0.1", &["application/json", "*/*"], (1, Some("text/csv")));
        concrete("application/json", &["*/*", "application/json"], (1, None));
        concrete("*/*", &["*/*"], (0, None));
        concrete("image/*", &["image/*"], (0, None));
        check(Some("text/plain"), &["image/*"], None);
    }

    #[test]
    fn media_types_are_recognised() {
        for legal in ["application/json", "application/json; charset=utf-8", "image/*", "a/b;c=\"d e\""] {
            assert!(is_media_type(legal), "{legal}");
        }
        for other in
            ["", "json", "text/", "/x", "text/plain\r\nX-Evil: 1", "a/b/c d", "*/*", "*/x", "é/x", "a/b;é=1"]
        {
            assert!(!is_media_type(other), "{other}");
        }
        assert!(is_wildcard("*/*") && !is_wildcard("*/*;\n"));
    }

    proptest! {
        #[test]
        fn a_field_that_names_an_offer_is_answered_as_if_it_had_been_read(
            types in prop::collection::vec("(a|\\*|b c)/(x|y|\\*|x,y)(;v=1)?", 1..5),
            accept in "(a|A|\\*)/(x|y|X|\\*)",
        ) {
            let offers = MediaTypeOffers::new(types.iter().map(String::as_str));
            let read = choose(&accept, &offers, true).or_else(|| choose(&accept, &offers, false));
            if let Some(offer) = offers.named(&accept) {
                prop_assert_eq!(read, Some(NegotiatedType { offer, concrete: None }));
            }
        }

        #[test]
        fn a_choice_is_an_offer_whose_type_is_legal(accept in "[a-z*/;,=q.0-9 \"\\\\]{0,60}") {
            let offers = MediaTypeOffers::new(["a/b", "a/*", "*/*", "application/json;q=a"]);
            if let Some(choice) = negotiate(Some(&accept), &offers) {
                prop_assert!(choice.offer < 4);
                prop_assert!(choice.concrete.is_none_or(is_media_type));
            }
        }
    }
}
