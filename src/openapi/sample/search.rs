//! The search for a value that fits all the schemas at a place: choices one way after the other, each value tested.

use std::cell::Cell;

use super::{
    Direction, Stop,
    dice::Dice,
    layers::{Context, Layers},
    pattern::Patterns,
    place::Place,
    rules::{Kind, Rules},
    valid::{Evaluator, equal},
};
use crate::{
    document::Value,
    openapi::{Library, Node},
};

/// Values in one sample; beyond it what may be left out is left out.
pub(super) const NODES: usize = 20_000;
/// Above this many values a schema is not entered a second time.
const WIDE: usize = 2_000;
/// Bytes of text in one sample.
const BYTES: usize = 4 << 20;
/// Values made for one sample, with those thrown away.
const WORK: usize = 200_000;
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

/// Keywords after which a collection has to be tested as a whole.
const INTRICATE: [&str; 16] = [
    "oneOf",
    "anyOf",
    "not",
    "if",
    "enum",
    "const",
    "contains",
    "uniqueItems",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "patternProperties",
    "minProperties",
];

/// One sample in the making.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(super) struct Generation<'a> {
    pub(super) library: &'a Library,
    pub(super) direction: Direction,
    /// Whether fixed values are left for random ones.
    pub(super) random: bool,
    /// Whether the examples and defaults of schemas count.
    pub(super) examples: bool,
    /// Whether names suggest nothing.
    pub(super) plain: bool,
    /// Whether a value that does not fit is better than none.
    pub(super) forgiving: bool,
    pub(super) patterns: &'a Patterns,
    pub(super) strict: Evaluator<'a>,
    pub(super) lenient: Evaluator<'a>,
    pub(super) notes: Vec<String>,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) work: usize,
}

/// What a value has to fit, and how much may be tried for it.
struct Goal<'a> {
    schemas: &'a [Node],
    /// Whole ways that may still be tried.
    tries: Cell<u32>,
    /// Single choices that may still be made.
    steps: Cell<u32>,
}

impl<'a> Generation<'a> {
    /// A value that fits all of the schemas.
    pub(super) fn solve(&mut self, schemas: &[Node], place: &Place<'_>) -> Result<Value, Stop> {
        if place.depth >= DEPTH || self.work > 2 * WORK || self.nodes > 2 * NODES || self.bytes > BYTES {
            self.note(place, "the sample is cut here: it grew too large");
            return Err(Stop::Cut);
        }
        if let Some(empty) = self.cut_short(schemas, place) {
            return Ok(empty);
        }
        let before = (self.nodes, self.bytes, self.notes.len());
        let mut layers = Layers::default();
        let context = self.context();
        let added = schemas.iter().try_for_each(|schema| layers.add(schema, context, place));
        for broken in std::mem::take(&mut layers.broken) {
            self.note(place, &broken);
        }
        let tries = Cell::new(if self.work > WORK { 1 } else { TRIES });
        let goal = Goal { schemas, tries, steps: Cell::new(STEPS) };
        let found = added.and_then(|()| self.search(layers, &goal, place));
        if found.is_err() {
            (self.nodes, self.bytes) = (before.0, before.1);
            self.notes.truncate(before.2);
        }
        found
    }

    /// Whether only what has to be there is still wanted.
    pub(super) const fn is_lean(&self) -> bool {
        self.nodes > NODES || self.bytes > BYTES / 2 || self.work > WORK
    }

    pub(super) fn note(&mut self, place: &Place<'_>, note: &str) {
        let place = place.to_string();
        let note = if place.is_empty() { note.to_owned() } else { format!("{place}: {note}") };
        if self.notes.len() < 100 && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    const fn context(&self) -> Context<'a> {
        let visits = if self.nodes > WIDE { 1 } else { VISITS };
        Context { library: self.library, visits }
    }

    fn search(&mut self, mut layers: Layers, goal: &Goal<'_>, place: &Place<'_>) -> Result<Value, Stop> {
        let Some(choice) = layers.choices.pop_front() else { return self.leaf(&layers, goal, place) };
        let mut stop = Stop::Impossible;
        let count = choice.ways.len();
        let chance = if self.random { Dice::new(place.seed).below(count) } else { 0 };
        let turn = place.turn as usize;
        // With every round the ways move on by one, so that each way meets odd turns and even ones.
        let start = chance + turn + turn / count.max(1);
        for n in 0..count {
            if goal.tries.get() == 0 || goal.steps.get() == 0 {
                break;
            }
            goal.steps.set(goal.steps.get() - 1);
            self.work += 1;
            let mut next = layers.clone();
            if let Err(other) = next.take(&choice, (start + n) % count, self.context(), place) {
                stop = stop.max(other);
                continue;
            }
            if !self.forgiving && Rules::of(&next, self.library.version()).is_empty() {
                continue;
            }
            match self.search(next, goal, place) {
                Err(other) => stop = stop.max(other),
                found => return found,
            }
        }
        Err(stop)
    }

    /// All choices are made: the author's values, then our own.
    fn leaf(&mut self, layers: &Layers, goal: &Goal<'_>, place: &Place<'_>) -> Result<Value, Stop> {
        goal.tries.set(goal.tries.get().saturating_sub(1));
        let written = self.written(layers);
        let count = written.values.len();
        let chance = if self.random { Dice::new(place.seed).below(count) } else { 0 };
        let turn = chance + place.turn as usize;
        let turn = if written.closed && count > 0 { turn % count } else { turn };
        let (early, late) = written.values.split_at(turn.min(count));
        let closed = if written.closed || self.random { early } else { &[] };
        for value in late.iter().chain(closed) {
            if let Some(value) = self.fitting(value, goal, written.closed) {
                self.count(&value);
                return Ok(value);
            }
            self.blame(layers, value, place);
        }
        if written.closed {
            let first = written.values.first().filter(|_| self.forgiving).cloned();
            return first.ok_or(Stop::Impossible);
        }
        let rules = Rules::of(layers, self.library.version());
        let mut stop = Stop::Impossible;
        let mut kinds = rules.kinds(|| infer(layers, place));
        if self.random && kinds.last() == Some(&Kind::Null) && Dice::new(place.seed).below(10) == 0 {
            kinds.rotate_right(1);
        }
        let turns = place.turn as usize / FEW;
        if !kinds.is_empty() {
            let count = kinds.len();
            kinds.rotate_left(turns % count);
        }
        for kind in kinds {
            match self.attempts(kind, layers, &rules, goal, place) {
                Err(other) => stop = stop.max(other),
                found => return found,
            }
        }
        Err(stop)
    }

    /// Values of one kind until one fits.
    fn attempts(
        &mut self,
        kind: Kind,
        layers: &Layers,
        rules: &Rules,
        goal: &Goal<'_>,
        place: &Place<'_>,
    ) -> Result<Value, Stop> {
        let before = (self.nodes, self.bytes, self.notes.len());
        let scalar = !matches!(kind, Kind::Array | Kind::Object);
        let luck = if scalar { LUCK } else { 3 };
        for turn in 0..luck {
            let here = place.entered(&layers.references, turn);
            let value = self.generate(kind, layers, rules, &here)?;
            self.work += 1;
            let simple = !scalar && layers.all.len() == 1 && !is_intricate(layers);
            if simple || goal.schemas.iter().all(|schema| self.strict.valid(schema, &value)) {
                self.count(&value);
                return Ok(value);
            }
            if turn == 0
                && let Some(refined) = self.refined(layers, &value)
            {
                (self.nodes, self.bytes) = (before.0, before.1);
                self.notes.truncate(before.2);
                if goal.tries.get() > 0
                    && let Ok(value) = self.search(refined, goal, place)
                {
                    return Ok(value);
                }
            }
            if self.forgiving {
                return Ok(value);
            }
            (self.nodes, self.bytes) = (before.0, before.1);
            self.notes.truncate(before.2);
        }
        Err(Stop::Impossible)
    }

    fn generate(
        &mut self,
        kind: Kind,
        layers: &Layers,
        rules: &Rules,
        place: &Place<'_>,
    ) -> Result<Value, Stop> {
        match kind {
            Kind::Null => Ok(Value::Null),
            Kind::Boolean => Ok(self.boolean(place)),
            Kind::Integer | Kind::Number => self.number(rules, place),
            Kind::String => self.string(layers, rules, place),
            Kind::Array => self.array(layers, rules, place),
            Kind::Object => self.object(layers, rules, place),
        }
    }

    /// Where a value also fits ways that were not taken: the same search with those forbidden.
    fn refined(&self, layers: &Layers, value: &Value) -> Option<Layers> {
        let rivals: Vec<&Node> =
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

    /// The value, or what its author will have meant, if it fits.
    fn fitting(&self, value: &Value, goal: &Goal<'_>, closed: bool) -> Option<Value> {
        let fits = |value: &Value| {
            goal.schemas.iter().all(|schema| self.strict.valid(schema, value))
                // Nothing but these values is allowed, so their format is what they are.
                || closed && goal.schemas.iter().all(|schema| self.lenient.valid(schema, value))
        };
        if fits(value) {
            return Some(value.clone());
        }
        // YAML takes an unquoted `12345` for a number, and people quote numbers.
        let meant = match value {
            Value::Number(number) => Value::from(number.as_str()),
            Value::Bool(it) => Value::from(it.to_string()),
            Value::String(text) => serde_json::from_str::<Value>(text)
                .ok()
                .filter(|it| matches!(it, Value::Number(_) | Value::Bool(_)))?,
            _ => return None,
        };
        fits(&meant).then_some(meant)
    }

    /// The values that the document itself gives, in the order of their worth.
    fn written(&self, layers: &Layers) -> Written {
        let mut sorted: Vec<_> = layers.all.iter().collect();
        sorted.sort_by_key(|layer| layer.level);
        let each =
            |keyword: &'static str| sorted.iter().filter_map(move |layer| layer.schema.value.get(keyword));
        let mut values: Vec<Value> = Vec::new();
        let mut add = |value: &Value| {
            if !values.iter().any(|it| equal(it, value)) {
                values.push(value.clone());
            }
        };
        if self.examples {
            each("example").for_each(&mut add);
            each("examples").for_each(|it| it.items().iter().for_each(&mut add));
        }
        each("const").for_each(&mut add);
        if self.examples {
            each("default").for_each(&mut add);
        }
        each("enum").for_each(|it| it.items().iter().for_each(&mut add));
        let closed = each("const").next().is_some() || each("enum").any(|it| it.as_sequence().is_some());
        Written { values, closed }
    }

    /// Says so where an example breaks the very schema that it stands in.
    fn blame(&mut self, layers: &Layers, value: &Value, place: &Place<'_>) {
        let wrong = layers.all.iter().any(|layer| {
            ["example", "default"].iter().any(|it| layer.schema.value.get(it) == Some(value))
                && !self.strict.valid(&layer.schema, value)
        });
        if wrong && place.turn == 0 {
            self.note(place, "an example or default does not fit its own schema, so another value was made");
        }
    }

    /// Takes a value to the account of the sample.
    fn count(&mut self, value: &Value) {
        self.nodes += 1;
        self.bytes += match value {
            Value::String(text) => text.len() + 3,
            Value::Mapping(mapping) => mapping.iter().map(|(key, _)| key.len() + 4).sum(),
            _ => 4,
        };
    }
}

/// The author's values, and whether no others are allowed.
struct Written {
    values: Vec<Value>,
    closed: bool,
}

fn is_intricate(layers: &Layers) -> bool {
    INTRICATE.iter().any(|keyword| layers.values(keyword).next().is_some())
}

/// The kind that keywords without a type suggest.
fn infer(layers: &Layers, place: &Place<'_>) -> Kind {
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| layers.values(keyword).next().is_some());
    let number =
        |it: &Value| it.as_str().is_some_and(|it| ["int32", "int64", "float", "double"].contains(&it));
    if has(&[
        "properties",
        "required",
        "additionalProperties",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "discriminator",
        "unevaluatedProperties",
    ]) {
        Kind::Object
    } else if has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]) {
        Kind::Array
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
        || layers.values("format").any(number)
    {
        Kind::Number
    } else if has(&["pattern", "minLength", "maxLength", "format", "contentEncoding", "contentMediaType"]) {
        Kind::String
    } else if place.is_root() {
        Kind::Object
    } else {
        Kind::Null
    }
}
