//! Layers of a schema: `$ref` and `allOf` become one flat list; keywords that leave a choice become choices.

use std::{collections::VecDeque, rc::Rc};

use super::{
    SampleError,
    negate::negate,
    place::{ReferenceKey, SamplePlace},
};
use crate::{
    document::{Mapping, SharedText, Value},
    openapi::{DocumentLibrary, DocumentNode, SpecVersion, keywords::SchemaKeyword},
};

/// Maximum number of schemas at one place.
const MAX_SCHEMAS: usize = 512;

/// One of the schemas that all apply at a place.
#[derive(Clone, Debug)]
pub(super) struct SchemaLayer {
    /// The number of `allOf`s and choices that it is nested in.
    pub(super) level: u8,
    pub(super) schema: DocumentNode,
}

/// Alternatives of which one is chosen.
#[derive(Clone, Debug)]
pub(super) struct SchemaChoice {
    pub(super) alternatives: Vec<SchemaAlternative>,
    /// Whether exactly one alternative may be valid.
    pub(super) exclusive: bool,
    level: u8,
}

/// An alternative: the schemas that apply if it is chosen, and the value of the discriminator.
#[derive(Clone, Debug)]
pub(super) struct SchemaAlternative {
    pub(super) schemas: Vec<DocumentNode>,
    tag: Option<DiscriminatorTag>,
}

/// A property that names the schema, and the names that it may have, the best first.
pub(super) type DiscriminatorTag = (SharedText, Vec<SharedText>);

/// The context in which layers are made.
#[derive(Clone, Copy)]
pub(super) struct LayerContext<'a> {
    pub(super) library: &'a DocumentLibrary,
    /// How often a reference may be followed on the path to one place.
    pub(super) max_visits: usize,
}

/// All schemas that apply at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct SchemaLayers {
    pub(super) all: Vec<SchemaLayer>,
    pub(super) choices: VecDeque<Rc<SchemaChoice>>,
    /// Alternatives of exclusive choices that were not chosen.
    pub(super) excluded: Vec<DocumentNode>,
    pub(super) references: Vec<ReferenceKey>,
    pub(super) tags: Vec<DiscriminatorTag>,
    /// Errors of references that cannot be resolved.
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
        self.insert_schema(schema, None, 0, context, place)
    }

    /// Adds the schemas of an alternative of a choice.
    pub(super) fn choose(
        &mut self,
        choice: &SchemaChoice,
        index: usize,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
        let Some(alternative) = choice.alternatives.get(index) else { return Ok(()) };
        if choice.exclusive {
            let others = choice.alternatives.iter().enumerate().filter(|(n, _)| *n != index);
            self.excluded.extend(others.flat_map(|(_, alternative)| alternative.schemas.iter().cloned()));
        }
        self.tags.extend(alternative.tag.clone());
        for schema in &alternative.schemas {
            self.insert_schema(schema, None, choice.level + 1, context, place)?;
        }
        Ok(())
    }

    /// The number of elements that are copied for another alternative.
    pub(super) fn size(&self) -> usize {
        self.all.len() + self.choices.len() + self.excluded.len() + self.references.len() + self.tags.len()
    }

    /// The number of alternatives of all choices.
    pub(super) fn alternatives(&self) -> usize {
        self.choices.iter().map(|choice| choice.alternatives.len()).sum()
    }

    /// Requires that a value is not valid by `schema`.
    pub(super) fn forbid(&mut self, schema: &DocumentNode, context: LayerContext<'_>) {
        self.choices.push_back(Rc::new(negation_choice(schema, context.library, 0)));
    }

    /// The operands of a keyword in all schemas that have it.
    pub(super) fn values<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Value> {
        self.all.iter().filter_map(move |layer| layer.schema.value.get(keyword))
    }

    /// The operands of a keyword, with their documents.
    pub(super) fn nodes<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = DocumentNode> + 'a {
        self.all.iter().filter_map(move |layer| layer.schema.get(keyword))
    }

    fn insert_schema(
        &mut self,
        schema: &DocumentNode,
        owner: Option<&SharedText>,
        level: u8,
        context: LayerContext<'_>,
        place: &SamplePlace<'_>,
    ) -> Result<(), SampleError> {
        if self.all.len() > MAX_SCHEMAS || level > 64 {
            return Err(SampleError::TooLarge);
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
            self.add_siblings(schema, owner, level, context, place)?;
        }
        let reference = (schema.file, text.clone());
        if self.references.contains(&reference) {
            return Ok(());
        }
        if place.visits(&reference) >= context.max_visits {
            return Err(SampleError::TooLarge);
        }
        self.references.push(reference);
        match context.library.resolve(schema) {
            Ok(target) => {
                let name = SharedText::from(last_segment(text));
                self.insert_schema(&target, Some(owner.unwrap_or(&name)), level, context, place)
            }
            Err(error) => {
                self.broken.push(error.to_string());
                Ok(())
            }
        }
    }

    /// Adds the keywords beside a reference, which apply as well (JSON Schema 2020-12, section 8.2.3.1).
    fn add_siblings(
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
            .map(|(key, value)| (key.to_owned(), value.clone()))
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
        for part in schema.get(SchemaKeyword::AllOf.name()).iter().flat_map(DocumentNode::items) {
            self.insert_schema(&part, owner, level + 1, context, place)?;
        }
        if !own_first {
            self.all.push(SchemaLayer { level, schema: schema.clone() });
        }
        let discriminator = discriminator_of(schema);
        let mut has_branches = false;
        for keyword in ["oneOf", "anyOf"] {
            let alternatives: Vec<SchemaAlternative> = schema
                .get(keyword)
                .iter()
                .flat_map(DocumentNode::items)
                .map(|branch| SchemaAlternative {
                    tag: discriminator
                        .as_ref()
                        .and_then(|discriminator| discriminator.tag_for_branch(&branch)),
                    schemas: vec![branch],
                })
                .collect();
            if !alternatives.is_empty() {
                has_branches = true;
                self.choices.push_back(Rc::new(SchemaChoice {
                    alternatives,
                    exclusive: keyword == "oneOf",
                    level,
                }));
            }
        }
        if let (Some(discriminator), Some(owner), false) = (discriminator, owner, has_branches) {
            self.tags.push(discriminator.tag(owner, ""));
        }
        self.add_conditions(schema, level, context);
        Ok(())
    }

    /// Adds the choices of `not`, `if` and dependencies.
    fn add_conditions(&mut self, schema: &DocumentNode, level: u8, context: LayerContext<'_>) {
        let alternative = |schemas: Vec<DocumentNode>| SchemaAlternative { schemas, tag: None };
        if let Some(rule) = schema.get(SchemaKeyword::Not.name()) {
            self.choices.push_back(Rc::new(negation_choice(&rule, context.library, level)));
        }
        if let Some(condition) = schema.get(SchemaKeyword::If.name()) {
            let (then, other) =
                (schema.get(SchemaKeyword::Then.name()), schema.get(SchemaKeyword::Else.name()));
            let mut alternatives =
                vec![alternative(std::iter::once(condition.clone()).chain(then).collect())];
            for negated in negate(context.library, &condition) {
                alternatives.push(alternative(std::iter::once(negated).chain(other.clone()).collect()));
            }
            alternatives.push(alternative(other.into_iter().collect()));
            self.choices.push_back(Rc::new(SchemaChoice { alternatives, exclusive: false, level }));
        }
        for keyword in ["dependentRequired", "dependentSchemas", "dependencies"] {
            for (key, dependent) in schema.get(keyword).iter().flat_map(DocumentNode::entries) {
                let required = match dependent.value.as_sequence() {
                    Some(_) => schema.with_value(&mapping_of("required", dependent.value.clone())),
                    None => dependent,
                };
                let absent =
                    schema.with_value(&mapping_of("properties", mapping_of(key, Value::Bool(false))));
                let alternatives = vec![alternative(vec![required]), alternative(vec![absent])];
                self.choices.push_back(Rc::new(SchemaChoice { alternatives, exclusive: false, level }));
            }
        }
    }
}

/// Alternatives that are not valid by `schema`; the last one has no constraint, for a random value.
fn negation_choice(schema: &DocumentNode, library: &DocumentLibrary, level: u8) -> SchemaChoice {
    let negated = negate(library, schema).into_iter().map(|schema| vec![schema]);
    let alternatives =
        negated.chain([Vec::new()]).map(|schemas| SchemaAlternative { schemas, tag: None }).collect();
    SchemaChoice { alternatives, exclusive: false, level }
}

fn mapping_of(key: &str, value: Value) -> Value {
    [(key, value)].into_iter().collect::<Mapping>().into()
}

/// The name of the component that a reference points to.
pub(in crate::openapi) fn last_segment(reference: &str) -> &str {
    let last = reference.rsplit(['/', '#']).find(|segment| !segment.is_empty()).unwrap_or(reference);
    last.split_once('.')
        .filter(|(_, extension)| matches!(*extension, "json" | "yaml" | "yml"))
        .map_or(last, |(name, _)| name)
}

/// A `discriminator` (OpenAPI 3.1, section 4.8.25); in Swagger 2.0 the name of the property alone.
struct Discriminator {
    property: SharedText,
    /// Names, and the references that they stand for.
    names: Vec<(SharedText, SharedText)>,
}

fn discriminator_of(schema: &DocumentNode) -> Option<Discriminator> {
    let names = |discriminator: &Value| {
        let mapping = discriminator.get("mapping").into_iter().flat_map(Value::entries);
        mapping.filter_map(|(name, target)| Some((name.into(), target.as_str()?.into()))).collect()
    };
    match schema.value.get(SchemaKeyword::Discriminator.name())? {
        Value::String(property) => Some(Discriminator { property: property.clone(), names: Vec::new() }),
        object => match object.get("propertyName")? {
            Value::String(property) => {
                Some(Discriminator { property: property.clone(), names: names(object) })
            }
            _ => None,
        },
    }
}

impl Discriminator {
    fn tag_for_branch(&self, branch: &DocumentNode) -> Option<DiscriminatorTag> {
        let reference = branch.value.get(SchemaKeyword::Ref.name()).and_then(Value::as_str)?;
        Some(self.tag(last_segment(reference), reference))
    }

    fn tag(&self, name: &str, reference: &str) -> DiscriminatorTag {
        let mapped = self.names.iter().filter(|(_, to)| **to == *reference || last_segment(to) == name);
        (
            self.property.clone(),
            mapped.map(|(name, _)| name.clone()).chain([SharedText::from(name)]).collect(),
        )
    }
}
