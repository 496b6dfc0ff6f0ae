//! Texts, numbers and truth values.

use super::{
    SampleError,
    decimal::Decimal,
    fits::fits,
    format::{self, StringConstraints},
    hint,
    layers::SchemaLayers,
    pattern::LengthBounds,
    place::SamplePlace,
    rules::MergedRules,
    search::{BYTES, Generation},
    seeded_rng::{self, SeededRng},
};
use crate::{
    base64_codec,
    document::{SharedText, Value},
    openapi::body,
};

/// Texts are no longer than this, in characters, whatever `minLength` says.
const LONGEST: usize = 1 << 20;
/// Texts that are tried for a pattern.
const ATTEMPTS: usize = 32;
/// Words for texts that are to be unlike one another.
const WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "juniper", "kelp",
    "linden", "maple", "north", "ocean", "pine",
];
const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Generation<'_> {
    pub(super) fn boolean(&self, place: &SamplePlace<'_>) -> Value {
        let chance = if self.random { SeededRng::new(place.seed).below(2) } else { 0 };
        Value::Bool((place.turn as usize + chance).is_multiple_of(2))
    }

    pub(super) fn number(
        &mut self,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let hint = place.name().filter(|_| place.turn == 0 && !self.plain).and_then(hint::number);
        let hint = hint.filter(|it| rules.range.contains(*it));
        let mut dice = SeededRng::new(place.seed);
        let usual = if self.plain { Decimal::new(0, 0) } else { Decimal::ONE };
        let wish = hint.unwrap_or(usual);
        let found = rules.range.pick(wish, place.turn, self.random.then_some(&mut dice));
        match found.and_then(Decimal::number) {
            Some(number) => Ok(Value::Number(number)),
            None if self.forgiving => Ok(Value::from(1)),
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
        if lengths.least > LONGEST {
            self.note(place, "`minLength` asks for a longer text than a sample has room for");
            lengths.least = LONGEST;
        }
        if rules.patterns.iter().any(|it| !self.patterns.compiled(it).exact) {
            self.note(place, "its pattern is too unusual to be sure that a text matches");
        }
        lengths.most = lengths.most.max(if self.forgiving { lengths.least } else { 0 });
        if lengths.least > lengths.most {
            return Err(SampleError::Impossible);
        }
        if !self.effort.spend_each(lengths.least, 64) {
            return Err(SampleError::Spent);
        }
        if self.bytes.saturating_add(lengths.least) > BYTES {
            return Err(SampleError::Cut);
        }
        let text = PlaceTexts { generation: self, rules, lengths, place };
        let encoded = text.encoded(layers);
        let found = encoded.or_else(|| text.formatted()).or_else(|| text.patterned(true));
        let found = found.or_else(|| {
            let free = rules.patterns.is_empty() && text.checked_formats().next().is_none();
            free.then(|| text.hinted().unwrap_or_else(|| text.plain()))
        });
        if let Some(found) = found {
            return Ok(found.into());
        }
        // A format is a hint, the rest is law.
        let loose = text.patterned(false).or_else(|| rules.patterns.is_empty().then(|| text.plain()));
        let loose = loose.or_else(|| {
            self.forgiving.then(|| PlaceTexts { generation: self, rules, lengths, place }.plain())
        });
        loose.map(Value::from).ok_or(SampleError::Impossible)
    }
}

/// Texts for one place.
struct PlaceTexts<'a, 'b> {
    generation: &'a Generation<'b>,
    rules: &'a MergedRules,
    lengths: LengthBounds,
    place: &'a SamplePlace<'a>,
}

impl PlaceTexts<'_, '_> {
    fn dice(&self, turn: usize) -> SeededRng {
        SeededRng::new(
            seeded_rng::child(self.place.seed, "text")
                .wrapping_add(turn as u64 + 97 * u64::from(self.place.turn)),
        )
    }

    fn matches(&self, text: &str) -> bool {
        self.lengths.allow(text)
            && self.rules.patterns.iter().all(|it| self.generation.patterns.compiled(it).matches(text))
    }

    fn is_formatted(&self, text: &str) -> bool {
        self.rules.formats.iter().all(|format| fits(format, text))
    }

    /// The formats that texts can fail.
    fn checked_formats(&self) -> impl Iterator<Item = &SharedText> {
        self.rules.formats.iter().filter(|format| !fits(format, "\u{0} ~2"))
    }

    /// Content of another media type, as text (JSON Schema 2020-12, Validation, section 8).
    fn encoded(&self, layers: &SchemaLayers) -> Option<String> {
        let said = |keyword| layers.values(keyword).find_map(Value::as_str);
        let media = said("contentMediaType").unwrap_or_default();
        let text = match said("contentEncoding") {
            Some("base64") => {
                let file = body::file::minimal_file(media)
                    .map(|it| base64_codec::encode(it))
                    .filter(|it| self.matches(it));
                return file.or_else(|| self.of_format("byte"));
            }
            Some("base64url") => return self.of_format("byte"),
            Some("base16" | "hex") => "737472696e67".to_owned(),
            None if media.ends_with("json") => "{}".to_owned(),
            _ => return None,
        };
        Some(text).filter(|it| self.matches(it))
    }

    fn of_format(&self, format: &str) -> Option<String> {
        let dice = &mut self.dice(0);
        let wish = &mut StringConstraints {
            lengths: self.lengths,
            turn: self.place.turn,
            dice,
            random: self.generation.random,
        };
        format::text(format, wish).filter(|it| self.matches(it))
    }

    fn formatted(&self) -> Option<String> {
        self.rules.formats.iter().filter_map(|format| self.of_format(format)).find(|it| self.is_formatted(it))
    }

    /// A text along one of the patterns that matches all of them.
    fn patterned(&self, formatted: bool) -> Option<String> {
        let effort = self.generation.effort;
        (0..ATTEMPTS).find_map(|attempt| {
            self.rules.patterns.iter().find_map(|pattern| {
                if !effort.spend(1) {
                    return None;
                }
                let compiled = self.generation.patterns.compiled(pattern);
                // Where many texts are wanted, later ones are tried at once.
                let attempt = attempt + 2 * (self.place.turn as usize).min(16);
                let text = compiled.write(self.lengths, attempt, &mut self.dice(attempt))?;
                effort.spend_each(text.len() * (1 + self.rules.patterns.len()), 16);
                (self.matches(&text) && (!formatted || self.is_formatted(&text))).then_some(text)
            })
        })
    }

    fn hinted(&self) -> Option<String> {
        let telling = self.rules.formats.is_empty() && self.place.turn == 0 && !self.generation.plain;
        let text = hint::text(self.place.name().filter(|_| telling)?)?;
        self.lengths.allow(text).then(|| text.to_owned())
    }

    /// Any text of the right length.
    fn plain(&self) -> String {
        let turn = self.place.turn as usize;
        let word =
            if self.generation.random { *self.dice(0).pick(&WORDS).unwrap_or(&"string") } else { "string" };
        // The end tells texts apart, counted in letters so that it stays short.
        let mut end = Vec::new();
        let mut rest = turn;
        while rest > 0 {
            end.push(char::from(LETTERS[(rest - 1) % LETTERS.len()]));
            rest = (rest - 1) / LETTERS.len();
        }
        let length = self.lengths.least.max(word.len() + end.len()).min(self.lengths.most);
        let start = length.saturating_sub(end.len());
        word.chars().cycle().take(start).chain(end.into_iter().rev()).take(length).collect()
    }
}
