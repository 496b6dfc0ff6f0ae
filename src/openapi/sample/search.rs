//! The search for a value that fits all the schemas at a place: choices one way after the other, each value tested.

use std::{cell::Cell, rc::Rc};

use super::{
    Direction, SampleError,
    effort::Effort,
    infer::{infer_kind, needs_whole_test},
    layers::{LayerContext, SchemaChoice, SchemaLayers},
    pattern::PatternCache,
    place::SamplePlace,
    rules::{MergedRules, ValueKind},
    seeded_rng::SeededRng,
    smallest::Smallest,
    valid::SchemaEvaluator,
};
use crate::{
    document::Value,
    openapi::{DocumentLibrary, DocumentNode},
};

/// Values in one sample; beyond it what may be left out is left out.
pub(super) const NODES: usize = 20_000;
/// Above this many values a schema is not entered a second time.
const WIDE: usize = 2_000;
/// Bytes of text in one sample.
pub(super) const BYTES: usize = 2 << 20;
/// Values made for one sample, with those thrown away.
pub(super) const WORK: usize = 200_000;
/// Collections may stand this deep.
const DEPTH: u32 = 64;
/// A reference may lead to itself this often.
const VISITS: usize = 3;
/// Ways through the choices of one place that are tried.
const TRIES: u32 = 48;
/// Choices of one place that are made and unmade.
const STEPS: u32 = 2_000;
/// Values of one kind that are tried where only luck helps.
const LUCK: u32 = 32;

/// After this many values of one kind another kind is tried.
const FEW: usize = 8;

/// One sample in the making.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(super) struct Generation<'a> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) direction: Direction,
    /// Whether fixed values are left for random ones.
    pub(super) random: bool,
    /// Whether the examples and defaults of schemas count.
    pub(super) examples: bool,
    /// Whether names suggest nothing.
    pub(super) plain: bool,
    /// Whether a value that does not fit is better than none.
    pub(super) forgiving: bool,
    pub(super) patterns: &'a PatternCache,
    pub(super) strict: SchemaEvaluator<'a>,
    pub(super) lenient: SchemaEvaluator<'a>,
    pub(super) notes: Vec<String>,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) work: usize,
    pub(super) effort: &'a Effort<'a>,
    pub(super) nested: Nested<'a>,
    /// Whether the whole sample is made here, and not one part of it.
    pub(super) top: bool,
    /// The schemas of parts that are not known yet.
    pub(super) missing: Vec<Vec<DocumentNode>>,
}

/// Where the values of nested places come from.
#[derive(Clone, Copy)]
pub(super) enum Nested<'a> {
    /// From a search of their own; from the small ones when the effort runs short.
    Searched(&'a Smallest<'a>),
    /// From the small ones that are known.
    Known(&'a Smallest<'a>),
}

/// A choice of which some ways were taken already.
struct Open {
    /// What applies whichever way is taken.
    layers: SchemaLayers,
    choice: Rc<SchemaChoice>,
    /// The way that is taken first.
    start: usize,
    taken: usize,
}

/// What a value has to fit, and how much may be tried for it.
pub(super) struct SampleGoal<'a> {
    pub(super) schemas: &'a [DocumentNode],
    /// Whole ways that may still be tried.
    tries: Cell<u32>,
    /// Single choices that may still be made.
    steps: Cell<u32>,
}

impl<'a> Generation<'a> {
    /// A value that fits all of the schemas.
    pub(super) fn solve(
        &mut self,
        schemas: &[DocumentNode],
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        if !self.effort.spend(1 + schemas.len() as u64) {
            return Err(SampleError::Spent);
        }
        match self.nested {
            Nested::Known(smallest) if place.depth > 1 - u32::from(self.top) => {
                return self.part(smallest, schemas);
            }
            Nested::Searched(smallest) if self.effort.is_short() && !place.is_root() => {
                let value = smallest.of(schemas).ok_or(SampleError::Impossible)?;
                self.weigh(&value)?;
                return Ok(value);
            }
            _ => (),
        }
        if place.depth >= DEPTH || self.work > 2 * WORK || self.is_full() || !self.effort.has_stack() {
            self.note(place, "the sample is cut here: it grew too large");
            return Err(SampleError::Cut);
        }
        if let Some(empty) = self.cut_short(schemas, place) {
            return Ok(empty);
        }
        let before = (self.nodes, self.bytes, self.notes.len());
        let mut layers = SchemaLayers::default();
        let context = self.context();
        let added = schemas.iter().try_for_each(|schema| layers.add(schema, context, place));
        for broken in std::mem::take(&mut layers.broken) {
            self.note(place, &broken);
        }
        if !self.effort.spend_each(layers.size() + layers.ways(), 8) {
            return Err(SampleError::Spent);
        }
        let tries = Cell::new(if self.work > WORK { 1 } else { TRIES });
        let goal = SampleGoal { schemas, tries, steps: Cell::new(STEPS) };
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
        let visits = if self.nodes > WIDE { 1 } else { VISITS };
        LayerContext { library: self.library, visits }
    }

    /// Goes through the choices, one way after the other, without recursion: a place may have hundreds of them.
    fn search(
        &mut self,
        layers: SchemaLayers,
        goal: &SampleGoal<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let mut stop = SampleError::Impossible;
        let mut open: Vec<Open> = Vec::new();
        let mut next = Some(layers);
        loop {
            if let Some(mut layers) = next.take() {
                match layers.choices.pop_front() {
                    Some(choice) => open.push(self.opened(layers, choice, place)),
                    None => match self.leaf(&layers, goal, place) {
                        Err(SampleError::Spent) => return Err(SampleError::Spent),
                        Err(other) => stop = stop.max(other),
                        found => return found,
                    },
                }
            }
            let Some(here) = open.last_mut() else { return Err(stop) };
            let count = here.choice.ways.len();
            if here.taken == count || goal.tries.get() == 0 || goal.steps.get() == 0 {
                open.pop();
                continue;
            }
            let way = (here.start + here.taken) % count;
            here.taken += 1;
            goal.steps.set(goal.steps.get() - 1);
            self.work += 1;
            let mut layers = here.layers.clone();
            let taken = layers.take(&here.choice, way, self.context(), place);
            if !self.effort.spend_each(8 + layers.size() + layers.ways(), 8) {
                return Err(SampleError::Spent);
            }
            if let Err(other) = taken {
                stop = stop.max(other);
            } else if self.forgiving || !MergedRules::of(&layers, self.library.version()).is_empty() {
                next = Some(layers);
            }
        }
    }

    fn opened(&self, layers: SchemaLayers, choice: Rc<SchemaChoice>, place: &SamplePlace<'_>) -> Open {
        let count = choice.ways.len();
        let chance = if self.random { SeededRng::new(place.seed).below(count) } else { 0 };
        let turn = place.turn as usize;
        // With every round the ways move on by one, so that each way meets odd turns and even ones.
        let start = chance + turn + turn / count.max(1);
        Open { layers, choice, start, taken: 0 }
    }

    /// All choices are made: the author's values, then our own.
    fn leaf(
        &mut self,
        layers: &SchemaLayers,
        goal: &SampleGoal<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        goal.tries.set(goal.tries.get().saturating_sub(1));
        let written = self.written(layers);
        let count = written.values.len();
        if !self.effort.spend_each(8 + layers.size() + count, 8) {
            return Err(SampleError::Spent);
        }
        let chance = if self.random { SeededRng::new(place.seed).below(count) } else { 0 };
        let turn = chance + place.turn as usize;
        let turn = if written.closed && count > 0 { turn % count } else { turn };
        let (early, late) = written.values.split_at(turn.min(count));
        let closed = if written.closed || self.random { early } else { &[] };
        for value in late.iter().chain(closed) {
            if let Some(value) = self.fitting(value, goal, written.closed) {
                self.weigh(&value)?;
                return Ok(value);
            }
            self.blame(layers, value, place);
            if self.effort.is_spent() {
                return Err(SampleError::Spent);
            }
        }
        if written.closed {
            let first = written.values.first().filter(|_| self.forgiving).map(|it| (*it).clone());
            return first.ok_or(SampleError::Impossible);
        }
        let rules = MergedRules::of(layers, self.library.version());
        let mut stop = SampleError::Impossible;
        let mut kinds = rules.kinds(|| infer_kind(layers, place));
        if self.random && kinds.last() == Some(&ValueKind::Null) && SeededRng::new(place.seed).below(10) == 0
        {
            kinds.rotate_right(1);
        }
        let turns = place.turn as usize / FEW;
        if !kinds.is_empty() {
            let count = kinds.len();
            kinds.rotate_left(turns % count);
        }
        for kind in kinds {
            match self.attempts(kind, layers, &rules, goal, place) {
                Err(SampleError::Spent) => return Err(SampleError::Spent),
                Err(other) => stop = stop.max(other),
                found => return found,
            }
        }
        Err(stop)
    }

    /// Values of one kind until one fits.
    fn attempts(
        &mut self,
        kind: ValueKind,
        layers: &SchemaLayers,
        rules: &MergedRules,
        goal: &SampleGoal<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let before = (self.nodes, self.bytes, self.notes.len());
        let scalar = !matches!(kind, ValueKind::Array | ValueKind::Object);
        let luck = if scalar { LUCK } else { 3 };
        for turn in 0..luck {
            let here = place.entered(&layers.references, turn);
            let value = self.generate(kind, layers, rules, &here)?;
            self.work += 1;
            let simple = !scalar && layers.all.len() == 1 && !needs_whole_test(layers);
            if simple || goal.schemas.iter().all(|schema| self.strict.valid(schema, &value)) {
                if self.effort.is_spent() {
                    return Err(SampleError::Spent);
                }
                self.count(&value);
                return Ok(value);
            }
            if turn == 0
                && let Some(refined) = self.refined(layers, &value)
            {
                (self.nodes, self.bytes) = (before.0, before.1);
                self.notes.truncate(before.2);
                if goal.tries.get() > 0 && self.effort.has_stack() {
                    match self.search(refined, goal, place) {
                        Err(SampleError::Spent) => return Err(SampleError::Spent),
                        Err(_) => (),
                        found => return found,
                    }
                }
            }
            if self.forgiving {
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

    /// Where a value also fits ways that were not taken: the same search with those forbidden.
    fn refined(&self, layers: &SchemaLayers, value: &Value) -> Option<SchemaLayers> {
        let rivals: Vec<&DocumentNode> =
            layers.excluded.iter().filter(|schema| self.strict.valid(schema, value)).collect();
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
