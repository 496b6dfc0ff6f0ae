//! Strings, numbers and booleans.

use super::{
    SampleError,
    format_check::has_format,
    format_sample::{self, StringConstraints},
    hint,
    layers::SchemaLayers,
    merged_rules::MergedRules,
    pattern_sample::LengthBounds,
    place::SamplePlace,
    rounded_decimal::RoundedDecimal,
    search::{Generation, MAX_BYTES},
    seeded_rng::{self, SeededRng},
};
use crate::{
    base64_codec,
    document::{SharedText, Value},
    openapi::body,
};

/// Maximum length of a text, in characters; a larger `minLength` cannot be satisfied.
const MAX_TEXT_LENGTH: usize = 1 << 20;
/// Number of texts that are tried for a pattern.
const PATTERN_TRIES: usize = 32;
/// Words for random texts.
const DISTINCT_WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "juniper", "kelp",
    "linden", "maple", "north", "ocean", "pine",
];
const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Generation<'_> {
    pub(super) fn boolean(&self, place: &SamplePlace<'_>) -> Value {
        let chance = if self.random { SeededRng::new(place.seed).below(2) } else { 0 };
        Value::Bool((place.variant as usize + chance).is_multiple_of(2))
    }

    pub(super) fn number(
        &mut self,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let hint = place.name().filter(|_| place.variant == 0 && !self.plain).and_then(hint::number_for);
        let hint = hint.filter(|number| rules.range.contains(*number));
        let mut rng = SeededRng::new(place.seed);
        let default = if self.plain { RoundedDecimal::new(0, 0) } else { RoundedDecimal::ONE };
        let preferred = hint.unwrap_or(default);
        let found = rules.range.pick(preferred, place.variant, self.random.then_some(&mut rng));
        match found.and_then(RoundedDecimal::to_number) {
            Some(number) => Ok(Value::Number(number)),
            None if self.accepts_invalid => Ok(Value::from(1)),
            None => Err(SampleError::Impossible),
        }
    }

    pub(super) fn string(
        &mut self,
        layers: &SchemaLayers,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let mut lengths = rules.lengths;
        if lengths.min > MAX_TEXT_LENGTH {
            self.note(place, "`minLength` requires a longer text than a sample may have");
            lengths.min = MAX_TEXT_LENGTH;
        }
        if rules.patterns.iter().any(|pattern| !self.patterns.compile(pattern).exact) {
            self.note(place, "its pattern uses features that cannot be checked, so the text may not match");
        }
        lengths.max = lengths.max.max(if self.accepts_invalid { lengths.min } else { 0 });
        if lengths.min > lengths.max {
            return Err(SampleError::Impossible);
        }
        if !self.effort.spend_each(lengths.min, 64) {
            return Err(SampleError::OutOfSteps);
        }
        if self.bytes.saturating_add(lengths.min) > MAX_BYTES {
            return Err(SampleError::TooLarge);
        }
        let text = PlaceTexts { generation: self, rules, lengths, place };
        let encoded = text.encoded_text(layers);
        let found = encoded.or_else(|| text.formatted_text()).or_else(|| text.pattern_text(true));
        let found = found.or_else(|| {
            let is_free = rules.patterns.is_empty() && text.checked_formats().next().is_none();
            is_free.then(|| text.hinted_text().unwrap_or_else(|| text.plain_text()))
        });
        if let Some(found) = found {
            return Ok(found.into());
        }
        // A text without the format is better than none; pattern and length are always required.
        let without_format =
            text.pattern_text(false).or_else(|| rules.patterns.is_empty().then(|| text.plain_text()));
        let without_format = without_format.or_else(|| {
            self.accepts_invalid.then(|| PlaceTexts { generation: self, rules, lengths, place }.plain_text())
        });
        without_format.map(Value::from).ok_or(SampleError::Impossible)
    }
}

/// Maker of texts for one place.
struct PlaceTexts<'a, 'b> {
    generation: &'a Generation<'b>,
    rules: &'a MergedRules,
    lengths: LengthBounds,
    place: &'a SamplePlace<'a>,
}

impl PlaceTexts<'_, '_> {
    fn rng(&self, variant: usize) -> SeededRng {
        SeededRng::new(
            seeded_rng::child_seed(self.place.seed, "text")
                .wrapping_add(variant as u64 + 97 * u64::from(self.place.variant)),
        )
    }

    fn matches(&self, text: &str) -> bool {
        self.lengths.allow(text)
            && self
                .rules
                .patterns
                .iter()
                .all(|pattern| self.generation.patterns.compile(pattern).matches(text))
    }

    fn has_formats(&self, text: &str) -> bool {
        self.rules.formats.iter().all(|format| has_format(format, text))
    }

    /// The formats that are checked.
    fn checked_formats(&self) -> impl Iterator<Item = &SharedText> {
        self.rules.formats.iter().filter(|format| !has_format(format, "\u{0} ~2"))
    }

    /// Encoded content of another media type (JSON Schema 2020-12, Validation, section 8).
    fn encoded_text(&self, layers: &SchemaLayers) -> Option<String> {
        let keyword_text = |keyword| layers.values(keyword).find_map(Value::as_str);
        let media = keyword_text("contentMediaType").unwrap_or_default();
        let text = match keyword_text("contentEncoding") {
            Some("base64") => {
                let file = body::file::minimal_file(media)
                    .map(base64_codec::encode)
                    .filter(|text| self.matches(text));
                return file.or_else(|| self.format_text("byte"));
            }
            Some("base64url") => return self.format_text("byte"),
            Some("base16" | "hex") => "737472696e67".to_owned(),
            None if media.ends_with("json") => "{}".to_owned(),
            _ => return None,
        };
        Some(text).filter(|text| self.matches(text))
    }

    fn format_text(&self, format: &str) -> Option<String> {
        let rng = &mut self.rng(0);
        let constraints = &mut StringConstraints {
            lengths: self.lengths,
            variant: self.place.variant,
            rng,
            random: self.generation.random,
        };
        format_sample::text(format, constraints).filter(|text| self.matches(text))
    }

    fn formatted_text(&self) -> Option<String> {
        self.rules
            .formats
            .iter()
            .filter_map(|format| self.format_text(format))
            .find(|text| self.has_formats(text))
    }

    /// A text that is written for one of the patterns and matches all of them.
    fn pattern_text(&self, formatted: bool) -> Option<String> {
        let effort = self.generation.effort;
        (0..PATTERN_TRIES).find_map(|attempt| {
            self.rules.patterns.iter().find_map(|pattern| {
                if !effort.spend(1) {
                    return None;
                }
                let compiled = self.generation.patterns.compile(pattern);
                // Later variants start with later attempts, so that they differ.
                let attempt = attempt + 2 * (self.place.variant as usize).min(16);
                let text = compiled.write(self.lengths, attempt, &mut self.rng(attempt))?;
                effort.spend_each(text.len() * (1 + self.rules.patterns.len()), 16);
                (self.matches(&text) && (!formatted || self.has_formats(&text))).then_some(text)
            })
        })
    }

    fn hinted_text(&self) -> Option<String> {
        let may_use_hint = self.rules.formats.is_empty() && self.place.variant == 0 && !self.generation.plain;
        let text = hint::text_for(self.place.name().filter(|_| may_use_hint)?)?;
        self.lengths.allow(text).then(|| text.to_owned())
    }

    /// A text without pattern and format, of an allowed length.
    fn plain_text(&self) -> String {
        let variant = self.place.variant as usize;
        let word = if self.generation.random {
            *self.rng(0).pick(&DISTINCT_WORDS).unwrap_or(&"string")
        } else {
            "string"
        };
        // The end is the number of the variant in letters, so that texts differ and stay short.
        let mut end = Vec::new();
        let mut rest = variant;
        while rest > 0 {
            end.push(char::from(LETTERS[(rest - 1) % LETTERS.len()]));
            rest = (rest - 1) / LETTERS.len();
        }
        let length = self.lengths.min.max(word.len() + end.len()).min(self.lengths.max);
        let start = length.saturating_sub(end.len());
        word.chars().cycle().take(start).chain(end.into_iter().rev()).take(length).collect()
    }
}
