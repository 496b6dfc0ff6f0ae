//! A schema taken apart: `$ref` and `allOf` become one flat list, and what leaves a choice is kept as a choice.

use std::{collections::VecDeque, rc::Rc};

use super::{
    Stop,
    negate::negate,
    place::{Place, Reference},
};
use crate::{
    document::{Mapping, Text, Value},
    openapi::{Library, Node, Version},
};

/// Schemas at one place: more is a mistake, or an attack.
const MOST: usize = 512;

/// One of the schemas that all apply at a place.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// How many `allOf`s and choices it stands in.
    pub(super) level: u8,
    pub(super) schema: Node,
}

/// Something that can be had in several ways.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) ways: Vec<Way>,
    /// Whether exactly one way may hold.
    pub(super) exclusive: bool,
    level: u8,
}

/// One way: what then applies too, and what the discriminator then says.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) schemas: Vec<Node>,
    tag: Option<Tag>,
}

/// A property that names the schema, and the names that it may have, best first.
pub(super) type Tag = (Text, Vec<Text>);

/// What a flat list is made with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) library: &'a Library,
    /// A reference may be followed this often on the way to one place.
    pub(super) visits: usize,
}

/// All that applies at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers {
    pub(super) all: Vec<Layer>,
    pub(super) choices: VecDeque<Rc<Choice>>,
    /// Ways of exclusive choices that were not taken.
    pub(super) excluded: Vec<Node>,
    pub(super) references: Vec<Reference>,
    pub(super) tags: Vec<Tag>,
    /// References that lead nowhere.
    pub(super) broken: Vec<String>,
}

impl Layers {
    /// Adds a schema.
    pub(super) fn add(&mut self, schema: &Node, context: Context<'_>, place: &Place<'_>) -> Result<(), Stop> {
        self.insert(schema, None, 0, context, place)
    }

    /// Decides for one way of a choice.
    pub(super) fn take(
        &mut self,
        choice: &Choice,
        at: usize,
        context: Context<'_>,
        place: &Place<'_>,
    ) -> Result<(), Stop> {
        let Some(way) = choice.ways.get(at) else { return Ok(()) };
        if choice.exclusive {
            let others = choice.ways.iter().enumerate().filter(|(n, _)| *n != at);
            self.excluded.extend(others.flat_map(|(_, way)| way.schemas.iter().cloned()));
        }
        self.tags.extend(way.tag.clone());
        for schema in &way.schemas {
            self.insert(schema, None, choice.level + 1, context, place)?;
        }
        Ok(())
    }

    /// How much there is to copy for another way.
    pub(super) fn size(&self) -> usize {
        self.all.len() + self.choices.len() + self.excluded.len() + self.references.len() + self.tags.len()
    }

    /// How many ways the choices have.
    pub(super) fn ways(&self) -> usize {
        self.choices.iter().map(|choice| choice.ways.len()).sum()
    }

    /// Demands that `schema` does not hold.
    pub(super) fn forbid(&mut self, schema: &Node, context: Context<'_>) {
        self.choices.push_back(Rc::new(denial(schema, context.library, 0)));
    }

    /// The values of a keyword in all schemas that have it.
    pub(super) fn values<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Value> {
        self.all.iter().filter_map(move |layer| layer.schema.value.get(keyword))
    }

    /// The same with their documents.
    pub(super) fn nodes<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = Node> + 'a {
        self.all.iter().filter_map(move |layer| layer.schema.get(keyword))
    }

    fn insert(
        &mut self,
        schema: &Node,
        owner: Option<&Text>,
        level: u8,
        context: Context<'_>,
        place: &Place<'_>,
    ) -> Result<(), Stop> {
        if self.all.len() > MOST || level > 64 {
            return Err(Stop::Cut);
        }
        match &schema.value {
            Value::Bool(false) => return Err(Stop::Impossible),
            Value::Mapping(_) => (),
            _ => return Ok(()),
        }
        let Some(text) = context.library.reference_of(schema) else {
            return self.expand(schema, owner, level, context, place);
        };
        if context.library.version() == Version::OpenApi31 {
            self.siblings(schema, owner, level, context, place)?;
        }
        let reference = (schema.file, text.clone());
        if self.references.contains(&reference) {
            return Ok(());
        }
        if place.visits(&reference) >= context.visits {
            return Err(Stop::Cut);
        }
        self.references.push(reference);
        match context.library.resolve(schema) {
            Ok(target) => {
                let name = Text::from(last_segment(text));
                self.insert(&target, Some(owner.unwrap_or(&name)), level, context, place)
            }
            Err(error) => {
                self.broken.push(error.to_string());
                Ok(())
            }
        }
    }

    /// What stands beside a reference applies too (JSON Schema 2020-12, section 8.2.3.1).
    fn siblings(
        &mut self,
        schema: &Node,
        owner: Option<&Text>,
        level: u8,
        context: Context<'_>,
        place: &Place<'_>,
    ) -> Result<(), Stop> {
        let rest: Mapping = schema
            .value
            .entries()
            .filter(|(key, _)| !matches!(*key, "$ref" | "$dynamicRef"))
            .map(|(key, it)| (key.to_owned(), it.clone()))
            .collect();
        if rest.is_empty() {
            return Ok(());
        }
        self.expand(&schema.beside(&rest.into()), owner, level, context, place)
    }

    fn expand(
        &mut self,
        schema: &Node,
        owner: Option<&Text>,
        level: u8,
        context: Context<'_>,
        place: &Place<'_>,
    ) -> Result<(), Stop> {
        let own_first = schema.value.entries().find(|(key, _)| matches!(*key, "properties" | "allOf"));
        let own_first = own_first.is_none_or(|(key, _)| key == "properties");
        if own_first {
            self.all.push(Layer { level, schema: schema.clone() });
        }
        for part in schema.get("allOf").iter().flat_map(Node::items) {
            self.insert(&part, owner, level + 1, context, place)?;
        }
        if !own_first {
            self.all.push(Layer { level, schema: schema.clone() });
        }
        let discriminator = discriminator(schema);
        let mut branches = false;
        for keyword in ["oneOf", "anyOf"] {
            let ways: Vec<Way> = schema
                .get(keyword)
                .iter()
                .flat_map(Node::items)
                .map(|branch| Way {
                    tag: discriminator.as_ref().and_then(|it| it.of(&branch)),
                    schemas: vec![branch],
                })
                .collect();
            if !ways.is_empty() {
                branches = true;
                self.choices.push_back(Rc::new(Choice { ways, exclusive: keyword == "oneOf", level }));
            }
        }
        if let (Some(discriminator), Some(owner), false) = (discriminator, owner, branches) {
            self.tags.push(discriminator.named(owner, ""));
        }
        self.conditions(schema, level, context);
        Ok(())
    }

    /// Keywords that make one demand depend on another.
    fn conditions(&mut self, schema: &Node, level: u8, context: Context<'_>) {
        let way = |schemas: Vec<Node>| Way { schemas, tag: None };
        if let Some(rule) = schema.get("not") {
            self.choices.push_back(Rc::new(denial(&rule, context.library, level)));
        }
        if let Some(condition) = schema.get("if") {
            let (then, other) = (schema.get("then"), schema.get("else"));
            let mut ways = vec![way(std::iter::once(condition.clone()).chain(then).collect())];
            for denied in negate(context.library, &condition) {
                ways.push(way(std::iter::once(denied).chain(other.clone()).collect()));
            }
            ways.push(way(other.into_iter().collect()));
            self.choices.push_back(Rc::new(Choice { ways, exclusive: false, level }));
        }
        for keyword in ["dependentRequired", "dependentSchemas", "dependencies"] {
            for (key, dependent) in schema.get(keyword).iter().flat_map(Node::entries) {
                let demanded = match dependent.value.as_sequence() {
                    Some(_) => schema.beside(&one("required", dependent.value.clone())),
                    None => dependent,
                };
                let absent = schema.beside(&one("properties", one(key, Value::Bool(false))));
                let ways = vec![way(vec![demanded]), way(vec![absent])];
                self.choices.push_back(Rc::new(Choice { ways, exclusive: false, level }));
            }
        }
    }
}

/// Ways not to fit `schema`; the last one is to try one's luck.
fn denial(schema: &Node, library: &Library, level: u8) -> Choice {
    let denied = negate(library, schema).into_iter().map(|it| vec![it]);
    let ways = denied.chain([Vec::new()]).map(|schemas| Way { schemas, tag: None }).collect();
    Choice { ways, exclusive: false, level }
}

fn one(key: &str, value: Value) -> Value {
    [(key, value)].into_iter().collect::<Mapping>().into()
}

/// The name of the component that a reference leads to.
pub(in crate::openapi) fn last_segment(reference: &str) -> &str {
    let last = reference.rsplit(['/', '#']).find(|it| !it.is_empty()).unwrap_or(reference);
    last.split_once('.')
        .filter(|(_, extension)| matches!(*extension, "json" | "yaml" | "yml"))
        .map_or(last, |(name, _)| name)
}

/// (OpenAPI 3.1, section 4.8.25; in Swagger 2.0 the name of the property alone.)
struct Discriminator {
    property: Text,
    /// Names and the references that they stand for.
    names: Vec<(Text, Text)>,
}

fn discriminator(schema: &Node) -> Option<Discriminator> {
    let names = |it: &Value| {
        let mapping = it.get("mapping").into_iter().flat_map(Value::entries);
        mapping.filter_map(|(name, it)| Some((name.into(), it.as_str()?.into()))).collect()
    };
    match schema.value.get("discriminator")? {
        Value::String(property) => Some(Discriminator { property: property.clone(), names: Vec::new() }),
        it => match it.get("propertyName")? {
            Value::String(property) => Some(Discriminator { property: property.clone(), names: names(it) }),
            _ => None,
        },
    }
}

impl Discriminator {
    fn of(&self, branch: &Node) -> Option<Tag> {
        let reference = branch.value.get("$ref").and_then(Value::as_str)?;
        Some(self.named(last_segment(reference), reference))
    }

    fn named(&self, name: &str, reference: &str) -> Tag {
        let mapped = self.names.iter().filter(|(_, to)| **to == *reference || last_segment(to) == name);
        (self.property.clone(), mapped.map(|(name, _)| name.clone()).chain([Text::from(name)]).collect())
    }
}
