//! A schema taken apart: `$ref` and `allOf` become one flat list, and what leaves a choice is kept as a choice.

use std::{collections::VecDeque, rc::Rc};

use super::{
    SampleError,
    negate::negate,
    place::{ReferenceKey, SamplePlace},
};
use crate::{
    document::{Mapping, SharedText, Value},
    openapi::{DocumentLibrary, DocumentNode, SpecVersion},
};

/// Schemas at one place: more is a mistake, or an attack.
const MOST: usize = 512;

/// One of the schemas that all apply at a place.
#[derive(Clone, Debug)]
pub(super) struct SchemaLayer {
    /// How many `allOf`s and choices it stands in.
    pub(super) level: u8,
    pub(super) schema: DocumentNode,
}

/// Something that can be had in several ways.
#[derive(Clone, Debug)]
pub(super) struct SchemaChoice {
    pub(super) ways: Vec<SchemaAlternative>,
    /// Whether exactly one way may hold.
    pub(super) exclusive: bool,
    level: u8,
}

/// One way: what then applies too, and what the discriminator then says.
#[derive(Clone, Debug)]
pub(super) struct SchemaAlternative {
    pub(super) schemas: Vec<DocumentNode>,
    tag: Option<DiscriminatorTag>,
}

/// A property that names the schema, and the names that it may have, best first.
pub(super) type DiscriminatorTag = (SharedText, Vec<SharedText>);

/// What a flat list is made with.
#[derive(Clone, Copy)]
pub(super) struct LayerContext<'a> {
    pub(super) library: &'a DocumentLibrary,
    /// A reference may be followed this often on the way to one place.
    pub(super) visits: usize,
}

/// All that applies at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct SchemaLayers {
    pub(super) all: Vec<SchemaLayer>,
    pub(super) choices: VecDeque<Rc<SchemaChoice>>,
    /// Ways of exclusive choices that were not taken.
    pub(super) excluded: Vec<DocumentNode>,
    pub(super) references: Vec<ReferenceKey>,
    pub(super) tags: Vec<DiscriminatorTag>,
    /// References that lead nowhere.
    pub(super) broken: Vec<String>,
}

impl SchemaLayers {
    /// Adds a schema.
    pub(super) fn add(
        &mut self,
        schema: &DocumentNode,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
        self.insert(schema, None, 0, context, place)
    }

    /// Decides for one way of a choice.
    pub(super) fn take(
        &mut self,
        choice: &SchemaChoice,
        at: usize,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
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
    pub(super) fn forbid(&mut self, schema: &DocumentNode, context: LayerContext<'_>) {
        self.choices.push_back(Rc::new(denial(schema, context.library, 0)));
    }

    /// The values of a keyword in all schemas that have it.
    pub(super) fn values<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Value> {
        self.all.iter().filter_map(move |layer| layer.schema.value.get(keyword))
    }

    /// The same with their documents.
    pub(super) fn nodes<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = DocumentNode> + 'a {
        self.all.iter().filter_map(move |layer| layer.schema.get(keyword))
    }

    fn insert(
        &mut self,
        schema: &DocumentNode,
        owner: Option<&SharedText>,
        level: u8,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
        if self.all.len() > MOST || level > 64 {
            return Err(SampleError::Cut);
        }
        match &schema.value {
            Value::Bool(false) => return Err(SampleError::Impossible),
            Value::Mapping(_) => (),
            _ => return Ok(()),
        }
        let Some(text) = context.library.reference_of(schema) else {
            return self.expand(schema, owner, level, context, place);
        };
        if context.library.version() == SpecVersion::OpenApi31 {
            self.siblings(schema, owner, level, context, place)?;
        }
        let reference = (schema.file, text.clone());
        if self.references.contains(&reference) {
            return Ok(());
        }
        if place.visits(&reference) >= context.visits {
            return Err(SampleError::Cut);
        }
        self.references.push(reference);
        match context.library.resolve(schema) {
            Ok(target) => {
                let name = SharedText::from(last_segment(text));
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
        schema: &DocumentNode,
        owner: Option<&SharedText>,
        level: u8,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
        let rest: Mapping = schema
            .value
            .entries()
            .filter(|(key, _)| !matches!(*key, "$ref" | "$dynamicRef"))
            .map(|(key, it)| (key.to_owned(), it.clone()))
            .collect();
        if rest.is_empty() {
            return Ok(());
        }
        self.expand(&schema.with_value(&rest.into()), owner, level, context, place)
    }

    fn expand(
        &mut self,
        schema: &DocumentNode,
        owner: Option<&SharedText>,
        level: u8,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
        let own_first = schema.value.entries().find(|(key, _)| matches!(*key, "properties" | "allOf"));
        let own_first = own_first.is_none_or(|(key, _)| key == "properties");
        if own_first {
            self.all.push(SchemaLayer { level, schema: schema.clone() });
        }
        for part in schema.get("allOf").iter().flat_map(DocumentNode::items) {
            self.insert(&part, owner, level + 1, context, place)?;
        }
        if !own_first {
            self.all.push(SchemaLayer { level, schema: schema.clone() });
        }
        let discriminator = discriminator(schema);
        let mut branches = false;
        for keyword in ["oneOf", "anyOf"] {
            let ways: Vec<SchemaAlternative> = schema
                .get(keyword)
                .iter()
                .flat_map(DocumentNode::items)
                .map(|branch| SchemaAlternative {
                    tag: discriminator.as_ref().and_then(|it| it.of(&branch)),
                    schemas: vec![branch],
                })
                .collect();
            if !ways.is_empty() {
                branches = true;
                self.choices.push_back(Rc::new(SchemaChoice { ways, exclusive: keyword == "oneOf", level }));
            }
        }
        if let (Some(discriminator), Some(owner), false) = (discriminator, owner, branches) {
            self.tags.push(discriminator.named(owner, ""));
        }
        self.conditions(schema, level, context);
        Ok(())
    }

    /// Keywords that make one demand depend on another.
    fn conditions(&mut self, schema: &DocumentNode, level: u8, context: LayerContext<'_>) {
        let way = |schemas: Vec<DocumentNode>| SchemaAlternative { schemas, tag: None };
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
            self.choices.push_back(Rc::new(SchemaChoice { ways, exclusive: false, level }));
        }
        for keyword in ["dependentRequired", "dependentSchemas", "dependencies"] {
            for (key, dependent) in schema.get(keyword).iter().flat_map(DocumentNode::entries) {
                let demanded = match dependent.value.as_sequence() {
                    Some(_) => schema.with_value(&one("required", dependent.value.clone())),
                    None => dependent,
                };
                let absent = schema.with_value(&one("properties", one(key, Value::Bool(false))));
                let ways = vec![way(vec![demanded]), way(vec![absent])];
                self.choices.push_back(Rc::new(SchemaChoice { ways, exclusive: false, level }));
            }
        }
    }
}

/// Ways not to fit `schema`; the last one is to try one's luck.
fn denial(schema: &DocumentNode, library: &DocumentLibrary, level: u8) -> SchemaChoice {
    let denied = negate(library, schema).into_iter().map(|it| vec![it]);
    let ways = denied.chain([Vec::new()]).map(|schemas| SchemaAlternative { schemas, tag: None }).collect();
    SchemaChoice { ways, exclusive: false, level }
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
    property: SharedText,
    /// Names and the references that they stand for.
    names: Vec<(SharedText, SharedText)>,
}

fn discriminator(schema: &DocumentNode) -> Option<Discriminator> {
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
    fn of(&self, branch: &DocumentNode) -> Option<DiscriminatorTag> {
        let reference = branch.value.get("$ref").and_then(Value::as_str)?;
        Some(self.named(last_segment(reference), reference))
    }

    fn named(&self, name: &str, reference: &str) -> DiscriminatorTag {
        let mapped = self.names.iter().filter(|(_, to)| **to == *reference || last_segment(to) == name);
        (
            self.property.clone(),
            mapped.map(|(name, _)| name.clone()).chain([SharedText::from(name)]).collect(),
        )
    }
}
