//! Compiler from bundles to programs.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::{
    equality::{self, HashCache, RandomHasher},
    format::Format,
    instance::AllowedTypes,
    pattern::PatternCache,
    program::{Bound, Enumeration, Id, Keyword, LengthKeyword, Program, PropertyRules, Schema},
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::decimal::Decimal,
};

/// Maximum depth of references that are followed to find the types of a schema.
const TYPES_DEPTH: u32 = 64;
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
                let mut keywords = Vec::new();
                self.compile_assertions(members, &mut keywords)?;
                self.compile_part_keywords(members, &mut keywords)?;
                self.compile_in_place_keywords(members, &mut keywords)?;
                self.program.schemas[index].keywords = keywords;
            }
            _ => (),
        }
        Ok(())
    }

    /// Compiles the keywords without subschemas.
    fn compile_assertions(
        &mut self,
        members: &'a Map<String, Json>,
        out: &mut Vec<Keyword>,
    ) -> Result<(), Exhausted> {
        if let Some(value) = members.get("type") {
            let single = std::slice::from_ref(value);
            let names = value.as_array().map_or(single, Vec::as_slice).iter().filter_map(Json::as_str);
            let types = names
                .clone()
                .fold(AllowedTypes::default(), |all, name| all.union(AllowedTypes::from_name(name)));
            if !types.is_empty() {
                out.push(Keyword::Type(types, names.collect::<Vec<_>>().join(",").into()));
            }
        }
        if let Some(value) = members.get("const") {
            out.push(Keyword::Const(Box::new(value.clone())));
        }
        if let Some(values) = members.get("enum").and_then(Json::as_array) {
            let mut by_hash: HashMap<u64, Vec<u32>, RandomHasher> = HashMap::default();
            for (value, n) in values.iter().zip(0..) {
                let hash =
                    equality::hash(value, &self.program.hasher_keys, &mut HashCache::new(), self.budget)?;
                by_hash.entry(hash).or_default().push(n);
            }
            out.push(Keyword::Enum(Box::new(Enumeration { values: values.clone(), by_hash })));
        }
        for (name, bound) in [
            ("minimum", Bound::Minimum),
            ("maximum", Bound::Maximum),
            ("exclusiveMinimum", Bound::ExclusiveMinimum),
            ("exclusiveMaximum", Bound::ExclusiveMaximum),
        ] {
            if let Some(Json::Number(number)) = members.get(name) {
                out.push(Keyword::Bound(bound, number.as_str().into()));
            }
        }
        if let Some(Json::Number(number)) = members.get("multipleOf") {
            out.push(Keyword::MultipleOf(number.as_str().into()));
        }
        for (name, length) in [
            ("minLength", LengthKeyword::MinLength),
            ("maxLength", LengthKeyword::MaxLength),
            ("minItems", LengthKeyword::MinItems),
            ("maxItems", LengthKeyword::MaxItems),
            ("minProperties", LengthKeyword::MinProperties),
            ("maxProperties", LengthKeyword::MaxProperties),
        ] {
            if let Some(bound) = count_of(members.get(name)) {
                out.push(Keyword::Length(length, bound));
            }
        }
        if let Some(names) = members.get("required").and_then(Json::as_array) {
            out.push(Keyword::Required(strings(names)));
        }
        if let Some(lists) = members.get("dependentRequired").and_then(Json::as_object) {
            let lists = lists
                .iter()
                .filter_map(|(name, names)| Some((name.as_str().into(), strings(names.as_array()?))));
            out.push(Keyword::DependentRequired(lists.collect()));
        }
        if let Some(pattern) = members.get("pattern").and_then(Json::as_str) {
            out.push(Keyword::Pattern(self.add_pattern(pattern)));
        }
        if let Some(format) = members.get("format").and_then(Json::as_str)
            && let Some(n) = self.add_format(format)
        {
            out.push(Keyword::Format(n));
        }
        if members.get("uniqueItems") == Some(&Json::Bool(true)) {
            out.push(Keyword::UniqueItems);
        }
        Ok(())
    }

    /// Compiles the keywords whose subschemas are applied to parts of the value.
    fn compile_part_keywords(
        &mut self,
        members: &'a Map<String, Json>,
        out: &mut Vec<Keyword>,
    ) -> Result<(), Exhausted> {
        let of = |name: &str| members.get(name);
        let (properties, patterns) = (of("properties"), of("patternProperties"));
        let additional = of("additionalProperties");
        if properties.is_some() || patterns.is_some() || additional.is_some() {
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
            out.push(Keyword::Properties(Box::new(all)));
        }
        if let Some(schema) = of("propertyNames") {
            out.push(Keyword::PropertyNames(self.compile_schema(schema)?));
        }
        let (first, rest) = (of("prefixItems").and_then(Json::as_array), of("items"));
        if first.is_some() || rest.is_some() {
            let first = first
                .into_iter()
                .flatten()
                .map(|schema| self.compile_schema(schema))
                .collect::<Result<_, _>>()?;
            out.push(Keyword::Items {
                first,
                rest: rest.map(|schema| self.compile_schema(schema)).transpose()?,
            });
        }
        if let Some(schema) = of("contains") {
            let (min, max) = (count_of(of("minContains")), count_of(of("maxContains")));
            let schema = self.compile_schema(schema)?;
            out.push(Keyword::Contains { schema, min: min.unwrap_or(1), max });
        }
        Ok(())
    }

    /// Compiles the keywords whose subschemas are applied to the same value (JSON Schema 2020-12, section 10.2).
    fn compile_in_place_keywords(
        &mut self,
        members: &'a Map<String, Json>,
        out: &mut Vec<Keyword>,
    ) -> Result<(), Exhausted> {
        let of = |name: &str| members.get(name);
        if let Some(schemas) = of("dependentSchemas").and_then(Json::as_object) {
            let all =
                schemas.iter().map(|(name, schema)| Ok((name.as_str().into(), self.compile_schema(schema)?)));
            let all = all.collect::<Result<_, Exhausted>>()?;
            out.push(Keyword::DependentSchemas(all));
        }
        for (name, keyword) in [
            ("allOf", Keyword::AllOf as fn(Box<[Id]>) -> Keyword),
            ("anyOf", Keyword::AnyOf),
            ("oneOf", Keyword::OneOf),
        ] {
            if let Some(schemas) = of(name).and_then(Json::as_array) {
                let all =
                    schemas.iter().map(|schema| self.compile_schema(schema)).collect::<Result<_, _>>()?;
                out.push(keyword(all));
            }
        }
        if let Some(schema) = of("not") {
            out.push(Keyword::Not(self.compile_schema(schema)?));
        }
        if let Some(condition) = of("if") {
            let condition = self.compile_schema(condition)?;
            let then = of("then").map(|schema| self.compile_schema(schema)).transpose()?;
            let otherwise = of("else").map(|schema| self.compile_schema(schema)).transpose()?;
            out.push(Keyword::If { condition, then, otherwise });
        }
        for (name, keyword) in [
            ("unevaluatedProperties", Keyword::UnevaluatedProperties as fn(Id) -> Keyword),
            ("unevaluatedItems", Keyword::UnevaluatedItems),
        ] {
            if let Some(schema) = of(name) {
                self.program.has_unevaluated = true;
                out.push(keyword(self.compile_schema(schema)?));
            }
        }
        let name = of("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix("#/$defs/"));
        if let Some(target) = name.and_then(|name| self.definitions.get(name).copied()) {
            *self.references.entry(target).or_default() += 1;
            out.push(Keyword::Reference(target));
        }
        Ok(())
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

/// The types of a schema: its own, else those of the schemas that it is composed of, else those that its keywords suggest.
fn infer_types(program: &Program, id: Id, known: &mut Vec<Option<AllowedTypes>>, depth: u32) -> AllowedTypes {
    if let Some(types) = known[id as usize] {
        return types;
    }
    if depth > TYPES_DEPTH {
        return AllowedTypes::default();
    }
    // A schema that refers to itself gets no types from that reference.
    known[id as usize] = Some(AllowedTypes::default());
    let mut own = AllowedTypes::default();
    let (mut all, mut either) = (AllowedTypes::default(), AllowedTypes::default());
    let mut suggested = AllowedTypes::default();
    for keyword in &program.schema(id).keywords {
        match keyword {
            Keyword::Type(types, _) => own = *types,
            Keyword::Reference(target) => {
                let target = infer_types(program, *target, known, depth + 1);
                if !target.is_empty() {
                    all = target;
                }
            }
            Keyword::AllOf(parts) if all.is_empty() => {
                let mut parts = parts.iter().map(|part| infer_types(program, *part, known, depth + 1));
                all = parts.find(|types| !types.is_empty()).unwrap_or_default();
            }
            Keyword::AnyOf(parts) | Keyword::OneOf(parts) => {
                let parts = parts.iter().map(|part| infer_types(program, *part, known, depth + 1));
                either = parts.fold(either, AllowedTypes::union);
            }
            Keyword::Properties(rules) if rules.has_properties => suggested = AllowedTypes::OBJECTS,
            Keyword::Items { .. } if suggested.is_empty() => suggested = AllowedTypes::ARRAYS,
            Keyword::AllOf(_)
            | Keyword::Properties(_)
            | Keyword::Items { .. }
            | Keyword::Const(_)
            | Keyword::Enum(_)
            | Keyword::Bound(..)
            | Keyword::MultipleOf(_)
            | Keyword::Length(..)
            | Keyword::Required(_)
            | Keyword::DependentRequired(_)
            | Keyword::Pattern(_)
            | Keyword::Format(_)
            | Keyword::UniqueItems
            | Keyword::PropertyNames(_)
            | Keyword::Contains { .. }
            | Keyword::DependentSchemas(_)
            | Keyword::Not(_)
            | Keyword::If { .. }
            | Keyword::UnevaluatedProperties(_)
            | Keyword::UnevaluatedItems(_) => (),
        }
    }
    let found = [own, all, either, suggested].into_iter().find(|types| !types.is_empty()).unwrap_or_default();
    known[id as usize] = Some(found);
    found
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
