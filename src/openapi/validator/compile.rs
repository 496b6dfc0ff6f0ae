//! Compiler from bundles to programs.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::{
    equality::{self, HashCache, RandomHasher},
    format::Format,
    infer_types::infer_types,
    instance::AllowedTypes,
    pattern::PatternCache,
    program::{Bound, Enumeration, Id, Keyword, LengthKeyword, Program, PropertyRules, Schema},
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{decimal::Decimal, keywords::SchemaKeyword},
};

/// Bytes that are charged for a compiled schema: the average.
const SCHEMA_BYTES: usize = 256;

impl Program {
    /// Compiles a bundle, whose form [`crate::openapi::bundle`] describes.
    pub(super) fn new(bundle: &Json, cache: &PatternCache, budget: &Budget) -> Result<Self, Exhausted> {
        let mut compiler = Compiler {
            program: Self {
                schemas: Vec::new(),
                patterns: Vec::new(),
                formats: Vec::new(),
                hasher_keys: RandomHasher::default(),
                has_unevaluated: false,
            },
            cache,
            patterns: HashMap::new(),
            formats: HashMap::new(),
            definitions: HashMap::new(),
            references: HashMap::new(),
            budget,
        };
        compiler.program.schemas.push(Schema::default());
        let definitions: Vec<(&String, &Json)> =
            bundle.get("$defs").and_then(Json::as_object).into_iter().flatten().collect();
        for (name, _) in &definitions {
            let id = compiler.reserve_schema()?;
            compiler.definitions.insert(name, id);
        }
        compiler.compile_into(0, bundle)?;
        for (name, schema) in definitions {
            if let Some(id) = compiler.definitions.get(name.as_str()).copied() {
                compiler.compile_into(id, schema)?;
            }
        }
        Ok(compiler.finish())
    }
}

struct Compiler<'a> {
    program: Program,
    cache: &'a PatternCache,
    patterns: HashMap<&'a str, u32>,
    formats: HashMap<&'a str, Option<u32>>,
    definitions: HashMap<&'a str, Id>,
    /// The number of keywords that refer to each definition.
    references: HashMap<Id, u32>,
    budget: &'a Budget,
}

impl<'a> Compiler<'a> {
    fn reserve_schema(&mut self) -> Result<Id, Exhausted> {
        self.budget.spend(4)?;
        self.budget.allocate(SCHEMA_BYTES)?;
        let id = Id::try_from(self.program.schemas.len()).map_err(|_| Exhausted::Bytes)?;
        self.program.schemas.push(Schema::default());
        Ok(id)
    }

    fn compile_schema(&mut self, schema: &'a Json) -> Result<Id, Exhausted> {
        let id = self.reserve_schema()?;
        self.compile_into(id, schema)?;
        Ok(id)
    }

    fn compile_into(&mut self, id: Id, schema: &'a Json) -> Result<(), Exhausted> {
        let _level = self.budget.descend()?;
        let index = id as usize;
        match schema {
            Json::Bool(false) => self.program.schemas[index].is_false = true,
            Json::Object(members) => {
                let named = |(name, operand)| Some((SchemaKeyword::named(name)?, operand));
                let mut given: Vec<(SchemaKeyword, &'a Json)> =
                    members.iter().filter_map(|(name, operand)| named((name, operand))).collect();
                given.sort_unstable_by_key(|(keyword, _)| *keyword);
                let mut keywords = Vec::new();
                for (keyword, operand) in given {
                    self.compile_keyword(keyword, operand, members, &mut keywords)?;
                }
                self.program.schemas[index].keywords = keywords;
            }
            _ => (),
        }
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each keyword")]
    #[expect(clippy::match_same_arms, reason = "keywords without an effect are listed by their reason")]
    fn compile_keyword(
        &mut self,
        keyword: SchemaKeyword,
        operand: &'a Json,
        members: &'a Map<String, Json>,
        out: &mut Vec<Keyword>,
    ) -> Result<(), Exhausted> {
        let length = |length: LengthKeyword| Some(Keyword::Length(length, count_of(Some(operand))?));
        let bound = |bound: Bound| Some(Keyword::Bound(bound, number_of(operand)?));
        let compiled = match keyword {
            SchemaKeyword::Type => compile_type(operand),
            SchemaKeyword::Const => Some(Keyword::Const(Box::new(operand.clone()))),
            SchemaKeyword::Enum => self.compile_enum(operand)?,
            SchemaKeyword::Minimum => bound(Bound::Minimum),
            SchemaKeyword::Maximum => bound(Bound::Maximum),
            SchemaKeyword::ExclusiveMinimum => bound(Bound::ExclusiveMinimum),
            SchemaKeyword::ExclusiveMaximum => bound(Bound::ExclusiveMaximum),
            SchemaKeyword::MultipleOf => number_of(operand).map(Keyword::MultipleOf),
            SchemaKeyword::MinLength => length(LengthKeyword::MinLength),
            SchemaKeyword::MaxLength => length(LengthKeyword::MaxLength),
            SchemaKeyword::MinItems => length(LengthKeyword::MinItems),
            SchemaKeyword::MaxItems => length(LengthKeyword::MaxItems),
            SchemaKeyword::MinProperties => length(LengthKeyword::MinProperties),
            SchemaKeyword::MaxProperties => length(LengthKeyword::MaxProperties),
            SchemaKeyword::Required => operand.as_array().map(|names| Keyword::Required(strings(names))),
            SchemaKeyword::DependentRequired => operand.as_object().map(|lists| {
                let lists = lists
                    .iter()
                    .filter_map(|(name, names)| Some((name.as_str().into(), strings(names.as_array()?))));
                Keyword::DependentRequired(lists.collect())
            }),
            SchemaKeyword::Pattern => operand.as_str().map(|text| Keyword::Pattern(self.add_pattern(text))),
            SchemaKeyword::Format => {
                operand.as_str().and_then(|format| self.add_format(format)).map(Keyword::Format)
            }
            SchemaKeyword::UniqueItems => (operand == &Json::Bool(true)).then_some(Keyword::UniqueItems),
            SchemaKeyword::Properties
            | SchemaKeyword::PatternProperties
            | SchemaKeyword::AdditionalProperties => self.compile_properties(keyword, members)?,
            SchemaKeyword::PropertyNames => Some(Keyword::PropertyNames(self.compile_schema(operand)?)),
            SchemaKeyword::PrefixItems | SchemaKeyword::Items => self.compile_items(keyword, members)?,
            SchemaKeyword::Contains => {
                let of = |keyword: SchemaKeyword| count_of(members.get(keyword.name()));
                let (min, max) = (of(SchemaKeyword::MinContains), of(SchemaKeyword::MaxContains));
                let schema = self.compile_schema(operand)?;
                Some(Keyword::Contains { schema, min: min.unwrap_or(1), max })
            }
            SchemaKeyword::DependentSchemas => match operand.as_object() {
                Some(schemas) => {
                    let all = schemas
                        .iter()
                        .map(|(name, schema)| Ok((name.as_str().into(), self.compile_schema(schema)?)));
                    Some(Keyword::DependentSchemas(all.collect::<Result<_, Exhausted>>()?))
                }
                None => None,
            },
            SchemaKeyword::AllOf => self.compile_list(operand)?.map(Keyword::AllOf),
            SchemaKeyword::AnyOf => self.compile_list(operand)?.map(Keyword::AnyOf),
            SchemaKeyword::OneOf => self.compile_list(operand)?.map(Keyword::OneOf),
            SchemaKeyword::Not => Some(Keyword::Not(self.compile_schema(operand)?)),
            SchemaKeyword::If => {
                let condition = self.compile_schema(operand)?;
                let then = self.compile_optional(members, SchemaKeyword::Then)?;
                let otherwise = self.compile_optional(members, SchemaKeyword::Else)?;
                Some(Keyword::If { condition, then, otherwise })
            }
            SchemaKeyword::UnevaluatedProperties => {
                self.program.has_unevaluated = true;
                Some(Keyword::UnevaluatedProperties(self.compile_schema(operand)?))
            }
            SchemaKeyword::UnevaluatedItems => {
                self.program.has_unevaluated = true;
                Some(Keyword::UnevaluatedItems(self.compile_schema(operand)?))
            }
            SchemaKeyword::Ref => self.compile_reference(operand),
            // Compiled with `contains` and `if`; the bundler replaces those of other specifications.
            SchemaKeyword::MinContains
            | SchemaKeyword::MaxContains
            | SchemaKeyword::Then
            | SchemaKeyword::Else
            | SchemaKeyword::Dependencies
            | SchemaKeyword::AdditionalItems
            | SchemaKeyword::DynamicRef
            | SchemaKeyword::Nullable
            | SchemaKeyword::XNullable => None,
            // Annotations, and places that references lead to.
            SchemaKeyword::Schema
            | SchemaKeyword::Vocabulary
            | SchemaKeyword::Id
            | SchemaKeyword::Anchor
            | SchemaKeyword::DynamicAnchor
            | SchemaKeyword::Defs
            | SchemaKeyword::Definitions
            | SchemaKeyword::Comment
            | SchemaKeyword::ContentEncoding
            | SchemaKeyword::ContentMediaType
            | SchemaKeyword::ContentSchema
            | SchemaKeyword::Title
            | SchemaKeyword::Description
            | SchemaKeyword::Default
            | SchemaKeyword::Deprecated
            | SchemaKeyword::ReadOnly
            | SchemaKeyword::WriteOnly
            | SchemaKeyword::Example
            | SchemaKeyword::Examples
            | SchemaKeyword::Discriminator
            | SchemaKeyword::Xml
            | SchemaKeyword::ExternalDocs => None,
        };
        out.extend(compiled);
        Ok(())
    }

    fn compile_enum(&self, operand: &Json) -> Result<Option<Keyword>, Exhausted> {
        let Some(values) = operand.as_array() else { return Ok(None) };
        let mut by_hash: HashMap<u64, Vec<u32>, RandomHasher> = HashMap::default();
        for (value, n) in values.iter().zip(0..) {
            let hash = equality::hash(value, &self.program.hasher_keys, &mut HashCache::new(), self.budget)?;
            by_hash.entry(hash).or_default().push(n);
        }
        Ok(Some(Keyword::Enum(Box::new(Enumeration { values: values.clone(), by_hash }))))
    }

    /// The keywords of properties, which are compiled together, at the first of them.
    fn compile_properties(
        &mut self,
        keyword: SchemaKeyword,
        members: &'a Map<String, Json>,
    ) -> Result<Option<Keyword>, Exhausted> {
        let group = [
            SchemaKeyword::Properties,
            SchemaKeyword::PatternProperties,
            SchemaKeyword::AdditionalProperties,
        ];
        let [properties, patterns, additional] = group.map(|keyword| members.get(keyword.name()));
        if !is_first_of(keyword, group, members) {
            return Ok(None);
        }
        let mut all = PropertyRules {
            forbids_additional: additional == Some(&Json::Bool(false)),
            has_properties: properties.is_some(),
            ..PropertyRules::default()
        };
        for (name, schema) in properties.and_then(Json::as_object).into_iter().flatten() {
            all.properties.insert(name.as_str().into(), self.compile_schema(schema)?);
        }
        for (pattern, schema) in patterns.and_then(Json::as_object).into_iter().flatten() {
            all.patterns.push((self.add_pattern(pattern), self.compile_schema(schema)?));
        }
        all.additional = additional.map(|schema| self.compile_schema(schema)).transpose()?;
        Ok(Some(Keyword::Properties(Box::new(all))))
    }

    /// The keywords of items, which are compiled together, at the first of them.
    fn compile_items(
        &mut self,
        keyword: SchemaKeyword,
        members: &'a Map<String, Json>,
    ) -> Result<Option<Keyword>, Exhausted> {
        let group = [SchemaKeyword::PrefixItems, SchemaKeyword::Items];
        let [first, rest] = group.map(|keyword| members.get(keyword.name()));
        let first = first.and_then(Json::as_array);
        let is_at_first = is_first_of(keyword, group, members);
        if !is_at_first || first.is_none() && rest.is_none() {
            return Ok(None);
        }
        let first = first
            .into_iter()
            .flatten()
            .map(|schema| self.compile_schema(schema))
            .collect::<Result<_, _>>()?;
        let rest = rest.map(|schema| self.compile_schema(schema)).transpose()?;
        Ok(Some(Keyword::Items { first, rest }))
    }

    fn compile_list(&mut self, operand: &'a Json) -> Result<Option<Box<[Id]>>, Exhausted> {
        let schemas = operand.as_array();
        schemas.map(|all| all.iter().map(|schema| self.compile_schema(schema)).collect()).transpose()
    }

    fn compile_optional(
        &mut self,
        members: &'a Map<String, Json>,
        keyword: SchemaKeyword,
    ) -> Result<Option<Id>, Exhausted> {
        members.get(keyword.name()).map(|schema| self.compile_schema(schema)).transpose()
    }

    fn compile_reference(&mut self, operand: &Json) -> Option<Keyword> {
        let name = operand.as_str()?.strip_prefix("#/$defs/")?;
        let target = self.definitions.get(name).copied()?;
        *self.references.entry(target).or_default() += 1;
        Some(Keyword::Reference(target))
    }

    fn add_pattern(&mut self, source: &'a str) -> u32 {
        let (patterns, cache) = (&mut self.program.patterns, self.cache);
        *self.patterns.entry(source).or_insert_with(|| {
            patterns.push(cache.pattern(source));
            last_index(patterns.len())
        })
    }

    fn add_format(&mut self, name: &'a str) -> Option<u32> {
        let formats = &mut self.program.formats;
        *self.formats.entry(name).or_insert_with(|| {
            formats.push(Format::new(name)?);
            Some(last_index(formats.len()))
        })
    }

    fn finish(self) -> Program {
        let mut program = self.program;
        for (id, count) in self.references {
            let schema = &mut program.schemas[id as usize];
            schema.keeps_results = count > 1 && schema.keywords.iter().any(Keyword::has_subschemas);
        }
        let mut known = vec![None; program.schemas.len()];
        for id in 0..last_index(program.schemas.len() + 1) {
            infer_types(&program, id, &mut known, 0);
        }
        for (schema, types) in program.schemas.iter_mut().zip(known) {
            schema.types = types.unwrap_or_default();
        }
        program
    }
}

fn compile_type(operand: &Json) -> Option<Keyword> {
    let single = std::slice::from_ref(operand);
    let names = operand.as_array().map_or(single, Vec::as_slice).iter().filter_map(Json::as_str);
    let types =
        names.clone().fold(AllowedTypes::default(), |all, name| all.union(AllowedTypes::from_name(name)));
    (!types.is_empty()).then(|| Keyword::Type(types, names.collect::<Vec<_>>().join(",").into()))
}

/// Whether a keyword is the first of a group, in the order of the table, that a schema has.
fn is_first_of<const N: usize>(
    keyword: SchemaKeyword,
    group: [SchemaKeyword; N],
    members: &Map<String, Json>,
) -> bool {
    group.into_iter().find(|other| members.contains_key(other.name())) == Some(keyword)
}

fn number_of(operand: &Json) -> Option<Box<str>> {
    match operand {
        Json::Number(number) => Some(number.as_str().into()),
        _ => None,
    }
}

/// The index of the last element of a list of this length.
fn last_index(length: usize) -> u32 {
    u32::try_from(length.saturating_sub(1)).unwrap_or(u32::MAX)
}

fn strings(values: &[Json]) -> Box<[Box<str>]> {
    values.iter().filter_map(Json::as_str).map(Box::from).collect()
}

/// A whole number that is not negative; larger numbers than fit are taken as `u64::MAX`.
fn count_of(value: Option<&Json>) -> Option<u64> {
    let Json::Number(number) = value? else { return None };
    let decimal = Decimal::parse(number.as_str());
    if !decimal.is_whole() || number.as_str().starts_with('-') {
        return None;
    }
    if let Some(count) = number.as_u64() {
        return Some(count);
    }
    // `2.0` and `2e0` are whole numbers, too.
    let text = format!("{:.0}", number.as_f64()?);
    Some(text.parse().unwrap_or(u64::MAX))
}
