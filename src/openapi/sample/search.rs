//! Search for a value that is valid by all schemas of a place: it tries the alternatives of choices in turn, and tests each
//! value.

use std::{cell::Cell, rc::Rc};

use super::{
    Direction, SampleError,
    effort::Effort,
    evaluator::SchemaEvaluator,
    infer::{infer_kind, needs_whole_test},
    layers::{LayerContext, SchemaChoice, SchemaLayers},
    merged_rules::{MergedRules, ValueKind},
    pattern_sample::StringPatternCache,
    place::SamplePlace,
    seeded_rng::SeededRng,
    smallest::Smallest,
};
use crate::{
    document::Value,
    openapi::{DocumentLibrary, DocumentNode},
};

/// Number of values in a sample after which optional parts are left out.
pub(super) const MAX_NODES: usize = 20_000;
/// Number of values in a sample after which no reference is followed twice on one path.
const REENTRY_NODES: usize = 2_000;
/// Maximum bytes of text in a sample.
pub(super) const MAX_BYTES: usize = 2 << 20;
/// Number of values made for a sample, discarded ones included, after which optional parts are left out.
pub(super) const MAX_WORK: usize = 200_000;
/// Maximum nesting of collections.
const MAX_DEPTH: u32 = 64;
/// How often a reference may be followed on one path.
const MAX_VISITS: usize = 3;
/// Combinations of alternatives that are tried at one place.
const MAX_TRIES: u32 = 48;
/// Alternatives that are chosen at one place, over all combinations.
const MAX_CHOICES: u32 = 2_000;
/// Values of a scalar kind that are tried at one place.
const RANDOM_TRIES: u32 = 32;

/// Variants of one kind after which another kind is tried first.
const VARIANTS_PER_KIND: usize = 8;

/// State of the making of one sample.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent option")]
pub(super) struct Generation<'a> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) direction: Direction,
    /// Whether values are random.
    pub(super) random: bool,
    /// Whether the examples and defaults of schemas are used.
    pub(super) examples: bool,
    /// Whether the names of properties suggest no values.
    pub(super) plain: bool,
    /// Whether an invalid value is returned where no valid one is found.
    pub(super) accepts_invalid: bool,
    pub(super) patterns: &'a StringPatternCache,
    pub(super) strict: SchemaEvaluator<'a>,
    pub(super) lenient: SchemaEvaluator<'a>,
    pub(super) notes: Vec<String>,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) work: usize,
    pub(super) effort: &'a Effort<'a>,
    pub(super) nested: NestedSource<'a>,
    /// Whether the whole sample is made here, and not a part of it.
    pub(super) top: bool,
    /// The schemas of parts that have no small value yet.
    pub(super) missing: Vec<Vec<DocumentNode>>,
}

/// Source of the values of nested places.
#[derive(Clone, Copy)]
pub(super) enum NestedSource<'a> {
    /// A search of their own; small values when the steps run short.
    Searched(&'a Smallest<'a>),
    /// Small values that have been found.
    Known(&'a Smallest<'a>),
}

/// A choice of which some alternatives have been tried.
struct OpenChoice {
    /// The layers that apply for every alternative.
    layers: SchemaLayers,
    choice: Rc<SchemaChoice>,
    /// The index of the alternative that is tried first.
    start: usize,
    tried: usize,
}

/// The schemas that a value must be valid by, and the limits of the search for it.
pub(super) struct SampleGoal<'a> {
    pub(super) schemas: &'a [DocumentNode],
    /// Combinations of alternatives that may still be tried.
    tries: Cell<u32>,
    /// Alternatives that may still be chosen.
    choices: Cell<u32>,
}

impl<'a> Generation<'a> {
    /// Makes a value that is valid by all of the schemas.
    pub(super) fn solve(
        &mut self,
        schemas: &[DocumentNode],
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        if !self.effort.spend(1 + schemas.len() as u64) {
            return Err(SampleError::OutOfSteps);
        }
        match self.nested {
            NestedSource::Known(smallest) if place.depth > 1 - u32::from(self.top) => {
                return self.part(smallest, schemas);
            }
            NestedSource::Searched(smallest) if self.effort.is_half_spent() && !place.is_root() => {
                let value = smallest.find(schemas).ok_or(SampleError::Impossible)?;
                self.charge_nested(&value)?;
                return Ok(value);
            }
            _ => (),
        }
        if place.depth >= MAX_DEPTH || self.work > 2 * MAX_WORK || self.is_full() || !self.effort.has_stack()
        {
            self.note(place, "the sample is cut off here because it grew too large");
            return Err(SampleError::TooLarge);
        }
        if let Some(empty) = self.empty_if_recursive(schemas, place) {
            return Ok(empty);
        }
        let before = (self.nodes, self.bytes, self.notes.len());
        let mut layers = SchemaLayers::default();
        let context = self.context();
        let added = schemas.iter().try_for_each(|schema| layers.add(schema, context, place));
        for broken in std::mem::take(&mut layers.broken) {
            self.note(place, &broken);
        }
        if !self.effort.spend_each(layers.size() + layers.alternatives(), 8) {
            return Err(SampleError::OutOfSteps);
        }
        let tries = Cell::new(if self.work > MAX_WORK { 1 } else { MAX_TRIES });
        let goal = SampleGoal { schemas, tries, choices: Cell::new(MAX_CHOICES) };
        let found = added.and_then(|()| self.search(layers, &goal, place));
        if found.is_err() {
            (self.nodes, self.bytes) = (before.0, before.1);
            self.notes.truncate(before.2);
        }
        found
    }

    pub(super) fn note(&mut self, place: &SamplePlace<'_>, note: &str) {
        let place = place.to_string();
        let note = if place.is_empty() { note.to_owned() } else { format!("{place}: {note}") };
        if self.notes.len() < 100 && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    const fn context(&self) -> LayerContext<'a> {
        let max_visits = if self.nodes > REENTRY_NODES { 1 } else { MAX_VISITS };
        LayerContext { library: self.library, max_visits }
    }

    /// Tries the alternatives of all choices, without recursion: a place may have hundreds of choices.
    fn search(
        &mut self,
        layers: SchemaLayers,
        goal: &SampleGoal<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let mut stop = SampleError::Impossible;
        let mut open_choices: Vec<OpenChoice> = Vec::new();
        let mut next = Some(layers);
        loop {
            if let Some(mut layers) = next.take() {
                match layers.choices.pop_front() {
                    Some(choice) => open_choices.push(self.open_choice(layers, choice, place)),
                    None => match self.try_values(&layers, goal, place) {
                        Err(SampleError::OutOfSteps) => return Err(SampleError::OutOfSteps),
                        Err(other) => stop = stop.max(other),
                        found => return found,
                    },
                }
            }
            let Some(choice) = open_choices.last_mut() else { return Err(stop) };
            let count = choice.choice.alternatives.len();
            if choice.tried == count || goal.tries.get() == 0 || goal.choices.get() == 0 {
                open_choices.pop();
                continue;
            }
            let index = (choice.start + choice.tried) % count;
            choice.tried += 1;
            goal.choices.set(goal.choices.get() - 1);
            self.work += 1;
            let mut layers = choice.layers.clone();
            let chosen = layers.choose(&choice.choice, index, self.context(), place);
            if !self.effort.spend_each(8 + layers.size() + layers.alternatives(), 8) {
                return Err(SampleError::OutOfSteps);
            }
            if let Err(other) = chosen {
                stop = stop.max(other);
            } else if self.accepts_invalid || !MergedRules::of(&layers, self.library.version()).is_empty() {
                next = Some(layers);
            }
        }
    }

    fn open_choice(
        &self,
        layers: SchemaLayers,
        choice: Rc<SchemaChoice>,
        place: &SamplePlace<'_>,
    ) -> OpenChoice {
        let count = choice.alternatives.len();
        let chance = if self.random { SeededRng::new(place.seed).below(count) } else { 0 };
        let variant = place.variant as usize;
        // The order shifts by one after each round, so that each alternative is tried with odd and even variants.
        let start = chance + variant + variant / count.max(1);
        OpenChoice { layers, choice, start, tried: 0 }
    }

    /// Tries values after all choices are made: first those of the author, then new ones.
    fn try_values(
        &mut self,
        layers: &SchemaLayers,
        goal: &SampleGoal<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        goal.tries.set(goal.tries.get().saturating_sub(1));
        let author = self.author_values(layers);
        let count = author.values.len();
        if !self.effort.spend_each(8 + layers.size() + count, 8) {
            return Err(SampleError::OutOfSteps);
        }
        let chance = if self.random { SeededRng::new(place.seed).below(count) } else { 0 };
        let variant = chance + place.variant as usize;
        let variant = if author.is_closed && count > 0 { variant % count } else { variant };
        let (early, late) = author.values.split_at(variant.min(count));
        let rest = if author.is_closed || self.random { early } else { &[] };
        for value in late.iter().chain(rest) {
            if let Some(value) = self.matching_value(value, goal, author.is_closed) {
                self.charge_nested(&value)?;
                return Ok(value);
            }
            self.note_invalid_example(layers, value, place);
            if self.effort.is_spent() {
                return Err(SampleError::OutOfSteps);
            }
        }
        if author.is_closed {
            let first = author.values.first().filter(|_| self.accepts_invalid).map(|value| (*value).clone());
            return first.ok_or(SampleError::Impossible);
        }
        let rules = MergedRules::of(layers, self.library.version());
        let mut stop = SampleError::Impossible;
        let mut kinds = rules.kinds(|| infer_kind(layers, place));
        if self.random && kinds.last() == Some(&ValueKind::Null) && SeededRng::new(place.seed).below(10) == 0
        {
            kinds.rotate_right(1);
        }
        let variant = place.variant as usize / VARIANTS_PER_KIND;
        if !kinds.is_empty() {
            let count = kinds.len();
            kinds.rotate_left(variant % count);
        }
        for kind in kinds {
            match self.try_kind(kind, layers, &rules, goal, place) {
                Err(SampleError::OutOfSteps) => return Err(SampleError::OutOfSteps),
                Err(other) => stop = stop.max(other),
                found => return found,
            }
        }
        Err(stop)
    }

    /// Makes values of one kind until one is valid.
    fn try_kind(
        &mut self,
        kind: ValueKind,
        layers: &SchemaLayers,
        rules: &MergedRules,
        goal: &SampleGoal<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let before = (self.nodes, self.bytes, self.notes.len());
        let is_scalar = !matches!(kind, ValueKind::Array | ValueKind::Object);
        let tries = if is_scalar { RANDOM_TRIES } else { 3 };
        for variant in 0..tries {
            let here = place.entered(&layers.references, variant);
            let value = self.generate(kind, layers, rules, &here)?;
            self.work += 1;
            let needs_no_test = !is_scalar && layers.all.len() == 1 && !needs_whole_test(layers);
            if needs_no_test || goal.schemas.iter().all(|schema| self.strict.is_valid(schema, &value)) {
                if self.effort.is_spent() {
                    return Err(SampleError::OutOfSteps);
                }
                self.charge_value(&value);
                return Ok(value);
            }
            if variant == 0
                && let Some(refined) = self.forbid_rivals(layers, &value)
            {
                (self.nodes, self.bytes) = (before.0, before.1);
                self.notes.truncate(before.2);
                if goal.tries.get() > 0 && self.effort.has_stack() {
                    match self.search(refined, goal, place) {
                        Err(SampleError::OutOfSteps) => return Err(SampleError::OutOfSteps),
                        Err(_) => (),
                        found => return found,
                    }
                }
            }
            if self.accepts_invalid {
                return Ok(value);
            }
            (self.nodes, self.bytes) = (before.0, before.1);
            self.notes.truncate(before.2);
        }
        Err(SampleError::Impossible)
    }

    fn generate(
        &mut self,
        kind: ValueKind,
        layers: &SchemaLayers,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        match kind {
            ValueKind::Null => Ok(Value::Null),
            ValueKind::Boolean => Ok(self.boolean(place)),
            ValueKind::Integer | ValueKind::Number => self.number(rules, place),
            ValueKind::String => self.string(layers, rules, place),
            ValueKind::Array => self.array(layers, rules, place),
            ValueKind::Object => self.object(layers, rules, place),
        }
    }

    /// The layers with the alternatives forbidden that were not chosen, but that the value is valid by.
    fn forbid_rivals(&self, layers: &SchemaLayers, value: &Value) -> Option<SchemaLayers> {
        let rivals: Vec<&DocumentNode> =
            layers.excluded.iter().filter(|schema| self.strict.is_valid(schema, value)).collect();
        if rivals.is_empty() || rivals.len() > 8 {
            return None;
        }
        let mut refined = layers.clone();
        refined.excluded.clear();
        for schema in rivals {
            refined.forbid(schema, self.context());
        }
        Some(refined)
    }
}
