//! Proactive negotiation of the media type by `Accept` (RFC 9110, section 12.5.1).
//!
//! Offers are prepared at load; negotiation allocates nothing.

use super::media_type::is_token;

/// The media types that a response may have, prepared for comparison.
#[derive(Clone, Debug, Default)]
pub struct MediaTypeOffers {
    offers: Vec<MediaTypeOffer>,
}

/// The result of a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedType<'a> {
    /// The index of the offer.
    pub offer: usize,
    /// For an offer such as `*/*` or `image/*`: the media type that the client named, if it named one. It is a valid
    /// header value.
    pub concrete: Option<&'a str>,
}

#[derive(Clone, Debug)]
struct MediaTypeOffer {
    /// `type/subtype` in lower case; none for a wildcard and for a type that is not valid.
    name: Option<String>,
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

/// Bound on the ranges of one `Accept`; the rest is not read.
const MAX_RANGES: usize = 100;

/// Specificity of a match: of type and subtype (one more for each parameter), of the type alone, of `*/*`.
const TYPE_AND_SUBTYPE: u16 = 3;
const TYPE_ONLY: u16 = 2;
const ANY_TYPE: u16 = 1;

impl MediaTypeOffers {
    /// Prepares media types, which may be wildcards, in the order of the document.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a str>) -> Self {
        Self { offers: types.into_iter().map(MediaTypeOffer::new).collect() }
    }

    /// The names of the media types, for the message to a client that accepts none of them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.offers.iter().map(|offer| format!("{}/{}", offer.kind, offer.subtype)).collect()
    }

    /// The first offer whose name is the whole Accept field, so that the field has one range without parameters. No
    /// other offer can be a better match. Most clients send such a field, and parsing it costs more than the rest of
    /// a response.
    fn find_exact(&self, accept: &str) -> Option<usize> {
        let is_named = |name: &String| name.eq_ignore_ascii_case(accept);
        self.offers.iter().position(|offer| offer.name.as_ref().is_some_and(is_named))
    }

    /// The offer for a client without a preference: JSON, then `*/*`, then the first.
    fn default_offer(&self) -> Option<usize> {
        (0..self.offers.len()).max_by_key(|n| (self.offers[*n].default_rank(), std::cmp::Reverse(*n)))
    }
}

impl MediaTypeOffer {
    fn new(media_type: &str) -> Self {
        let mut parts = split(media_type, ';');
        let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, subtype) = name.split_once('/').unwrap_or((&name, ""));
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), unquote(value).to_ascii_lowercase()))
            .collect();
        let is_concrete = kind != "*" && subtype != "*" && is_token(kind) && is_token(subtype);
        let (kind, subtype) = (kind.to_owned(), subtype.to_owned());
        Self { name: is_concrete.then_some(name), kind, subtype, parameters }
    }

    /// Priority for a client without a preference.
    fn default_rank(&self) -> u8 {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("application", "json") => 2,
            ("*", "*") => 1,
            _ => 0,
        }
    }

    fn is_wildcard(&self) -> bool {
        self.subtype == "*"
    }

    /// Specificity of the match of this concrete type with a range; 0 if they do not match.
    fn specificity(&self, range: &AcceptRange<'_>, strict: bool) -> u16 {
        if range.kind == "*" {
            return ANY_TYPE;
        }
        if !range.kind.eq_ignore_ascii_case(&self.kind) {
            return 0;
        }
        if range.subtype == "*" {
            return TYPE_ONLY;
        }
        if !range.subtype.eq_ignore_ascii_case(&self.subtype) {
            return 0;
        }
        if !strict {
            return TYPE_AND_SUBTYPE;
        }
        let mut specificity = TYPE_AND_SUBTYPE;
        for (name, value) in range.parameters() {
            let has = |(own_name, own_value): &(String, String)| {
                own_name.eq_ignore_ascii_case(name) && own_value.eq_ignore_ascii_case(value)
            };
            if !self.parameters.iter().any(has) {
                return 0;
            }
            specificity = specificity.saturating_add(1);
        }
        specificity
    }
}

/// Chooses among `offers` by the value of `Accept`; the caller joins several such headers with commas.
///
/// The highest quality wins, then the most specific range, then document order. A client without preference (no
/// `Accept`, an empty one, or `*/*`) gets JSON, then `*/*`, then the first. If no offer matches, parameters
/// other than `q` are ignored. `None` if no offer is acceptable even then.
#[must_use]
pub fn negotiate<'a>(accept: Option<&'a str>, offers: &MediaTypeOffers) -> Option<NegotiatedType<'a>> {
    let accept = accept.unwrap_or_default();
    if let Some(offer) = offers.find_exact(accept) {
        return Some(NegotiatedType { offer, concrete: None });
    }
    if ranges(accept).next().is_none() {
        return offers.default_offer().map(|offer| NegotiatedType { offer, concrete: None });
    }
    choose(accept, offers, true).or_else(|| choose(accept, offers, false))
}

fn choose<'a>(accept: &'a str, offers: &MediaTypeOffers, strict: bool) -> Option<NegotiatedType<'a>> {
    let mut best: Option<((u16, u16, u8), NegotiatedType<'a>)> = None;
    for (n, offer) in offers.offers.iter().enumerate() {
        let matched = if offer.is_wildcard() {
            match_wildcard(accept, offer)
        } else {
            match_concrete(accept, offer, strict)
        };
        let Some((quality, specificity, concrete)) = matched else { continue };
        let score = (quality, specificity, if specificity == ANY_TYPE { offer.default_rank() } else { 0 });
        if best.is_none_or(|(known, _)| score > known) {
            best = Some((score, NegotiatedType { offer: n, concrete }));
        }
    }
    best.map(|(_, choice)| choice)
}

/// Quality and specificity of a concrete offer: those of the most specific range that matches.
fn match_concrete<'a>(
    accept: &str,
    offer: &MediaTypeOffer,
    strict: bool,
) -> Option<(u16, u16, Option<&'a str>)> {
    let mut best = (0, 0);
    for range in ranges(accept) {
        let specificity = offer.specificity(&range, strict);
        if specificity > best.1 {
            best = (range.quality, specificity);
        }
    }
    (best.0 > 0).then_some((best.0, best.1, None))
}

/// Quality and specificity of a wildcard offer: those of the best range that the wildcard covers.
fn match_wildcard<'a>(accept: &'a str, offer: &MediaTypeOffer) -> Option<(u16, u16, Option<&'a str>)> {
    let widest = if offer.kind == "*" { ANY_TYPE } else { TYPE_ONLY };
    let mut best: Option<((u16, bool), u16, Option<&'a str>)> = None;
    for range in ranges(accept).filter(|range| range.quality > 0) {
        let specificity = match range.kind {
            "*" => ANY_TYPE,
            kind if offer.kind == "*" || kind.eq_ignore_ascii_case(&offer.kind) => widest,
            _ => continue,
        };
        let concrete = (range.subtype != "*").then_some(range.name);
        let score = (range.quality, concrete.is_some());
        if best.is_none_or(|(known, ..)| score > known) {
            best = Some((score, specificity, concrete));
        }
    }
    best.map(|((quality, _), specificity, concrete)| (quality, specificity, concrete))
}

/// One element of `Accept`.
struct AcceptRange<'a> {
    name: &'a str,
    kind: &'a str,
    subtype: &'a str,
    /// The parameters, which follow the name.
    rest: &'a str,
    /// The quality in thousandths.
    quality: u16,
}

impl<'a> AcceptRange<'a> {
    /// Parses an element; `None` for one that is not a range, which has no effect.
    fn parse(element: &'a str) -> Option<Self> {
        let name = split(element, ';').next()?;
        let rest = &element[name.len()..];
        let name = name.trim();
        // Some old clients send `*` for `*/*`.
        let (kind, subtype) = if name == "*" { ("*", "*") } else { name.split_once('/')? };
        if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
            return None;
        }
        let quality = pairs(rest).find(|(name, _)| name.eq_ignore_ascii_case("q"));
        let quality = quality.map_or(1000, |(_, value)| parse_quality(value));
        Some(Self { name, kind, subtype, rest, quality })
    }

    /// The parameters of the media type: those before `q` (RFC 9110, section 12.5.1).
    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        pairs(self.rest).take_while(|(name, _)| !name.eq_ignore_ascii_case("q"))
    }
}

fn ranges(accept: &str) -> impl Iterator<Item = AcceptRange<'_>> {
    split(accept, ',').take(MAX_RANGES).filter_map(AcceptRange::parse)
}

fn pairs(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    split(rest, ';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim(), unquote(value)))
}

/// A quality in thousandths; an invalid one counts as 1.
fn parse_quality(text: &str) -> u16 {
    let Ok(number) = text.parse::<f32>() else { return 1000 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000; NaN is 0"
    )]
    let thousandths = (number.clamp(0.0, 1.0) * 1000.0).round() as u16;
    thousandths
}

fn unquote(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// Splits at a separator outside of quoted strings (RFC 9110, section 5.6.4).
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::openapi::media_type::is_media_type;

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

    const FOUR_TYPES: &[&str] =
        &["text/plain", "application/json", "application/xml", "application/vnd.depot.v2+json"];

    #[test]
    fn a_client_without_preference_gets_json_then_a_wildcard_then_the_first_offer() {
        for accept in [None, Some(""), Some("*/*"), Some("*"), Some("  ,"), Some("nonsense"), Some("*/xml")] {
            check(accept, FOUR_TYPES, Some("application/json"));
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
    fn quality_decides_then_specificity_then_document_order() {
        check(Some("application/json;q=0, */*;q=0.1"), FOUR_TYPES, Some("text/plain"));
        check(Some("application/vnd.depot.v2+json"), FOUR_TYPES, Some("application/vnd.depot.v2+json"));
        check(Some("text/plain;q=0.5, application/xml;q=0.6"), FOUR_TYPES, Some("application/xml"));
        check(Some("text/html, application/*;q=0.8, */*;q=0.1"), FOUR_TYPES, Some("application/json"));
        check(Some("application/xml, */*"), FOUR_TYPES, Some("application/xml"));
        check(Some("application/*, text/plain"), FOUR_TYPES, Some("text/plain"));
        check(Some("application/xml, text/plain"), FOUR_TYPES, Some("text/plain"));
        check(Some("TEXT/Plain"), FOUR_TYPES, Some("text/plain"));
        check(Some("text/*;q=.9,*/*;q=.2"), FOUR_TYPES, Some("text/plain"));
        check(Some("application/json, */*;q=0.1"), &["application/hal+json"], Some("application/hal+json"));
    }

    #[test]
    fn there_is_no_choice_if_no_offer_is_acceptable() {
        check(Some("image/png"), FOUR_TYPES, None);
        check(Some("*/*;q=0"), FOUR_TYPES, None);
        check(Some("application/json;q=0"), &["application/json"], None);
        check(Some("application/json;q=0, */*"), &["application/json"], None);
        check(Some("application/json"), &["application/problem+json"], None);
    }

    #[test]
    fn parameters_are_ignored_only_if_no_offer_matches_them() {
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
    fn wildcard_offers_become_the_type_that_the_client_names() {
        concrete("image/png", &["image/*"], (0, Some("image/png")));
        concrete("image/png;q=0.5, image/webp;q=0.9;x=1", &["image/*"], (0, Some("image/webp")));
        concrete("text/csv, */*;q=0.1", &["application/json", "*/*"], (1, Some("text/csv")));
        concrete("application/json", &["*/*", "application/json"], (1, None));
        concrete("*/*", &["*/*"], (0, None));
        concrete("image/*", &["image/*"], (0, None));
        check(Some("text/plain"), &["image/*"], None);
    }

    proptest! {
        #[test]
        fn the_exact_match_agrees_with_the_parsed_field(
            types in prop::collection::vec("(a|\\*|b c)/(x|y|\\*|x,y)(;v=1)?", 1..5),
            accept in "(a|A|\\*)/(x|y|X|\\*)",
        ) {
            let offers = MediaTypeOffers::new(types.iter().map(String::as_str));
            let read = choose(&accept, &offers, true).or_else(|| choose(&accept, &offers, false));
            if let Some(offer) = offers.find_exact(&accept) {
                prop_assert_eq!(read, Some(NegotiatedType { offer, concrete: None }));
            }
        }

        #[test]
        fn the_concrete_type_of_a_choice_is_a_valid_media_type(accept in "[a-z*/;,=q.0-9 \"\\\\]{0,60}") {
            let offers = MediaTypeOffers::new(["a/b", "a/*", "*/*", "application/json;q=a"]);
            if let Some(choice) = negotiate(Some(&accept), &offers) {
                prop_assert!(choice.offer < 4);
                prop_assert!(choice.concrete.is_none_or(is_media_type));
            }
        }
    }
}
