//! Parts that only Swagger 2.0 has: `produces` and `consumes`, parameters that are schemas, bodies and forms among
//! the parameters.

use crate::{
    document::{Mapping, SharedText, Value},
    openapi::{
        DocumentNode, Example, MediaTypeBody, RequestBody,
        api::{ParameterLocation, SerializationStyle},
        media_type::{FORM, JSON, MULTIPART_FORM, essence},
        messages::wrong_type,
    },
};

use super::{Lowering, LoweringPlace, resolve_literal};

impl Lowering<'_> {
    /// The bodies of a response: one for each type of `produces`, and for each type that has an example.
    pub(super) fn read_media_of_swagger2(
        &mut self,
        response: &DocumentNode,
        operation: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Vec<MediaTypeBody> {
        let schema = response.get("schema");
        let examples = self.read_examples_by_type(response, here);
        let mut types =
            if schema.is_some() { self.read_media_types(operation, "produces", here) } else { Vec::new() };
        // A type with an example is produced even if `produces` does not name it; the order is that of `produces`.
        if schema.is_none() && examples.len() > 1 {
            types = self.read_media_types(operation, "produces", here);
            types.retain(|media_type| examples.iter().any(|(name, _)| has_same_essence(name, media_type)));
        }
        for (name, _) in &examples {
            if !types.iter().any(|media_type| has_same_essence(media_type, name)) {
                types.push(name.clone());
            }
        }
        if types.is_empty() && schema.is_some() {
            types.push(JSON.to_owned());
        }
        types
            .into_iter()
            .map(|media_type| {
                let exact = examples.iter().find(|(name, _)| name.eq_ignore_ascii_case(&media_type));
                let example =
                    exact.or_else(|| examples.iter().find(|(name, _)| has_same_essence(name, &media_type)));
                let examples = example
                    .map(|(_, value)| Example { key: None, value: value.clone(), external: None })
                    .into_iter()
                    .collect();
                MediaTypeBody { media_type, examples, schema: schema.clone(), encoding: None }
            })
            .collect()
    }

    fn read_examples_by_type(
        &mut self,
        response: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Vec<(String, DocumentNode)> {
        let Some(examples) = response.get("examples").filter(|node| !node.value.is_null()) else {
            return Vec::new();
        };
        let here = here.key("examples");
        if examples.value.as_mapping().is_none() {
            self.warn(&here, wrong_type("`examples`", "a map by media type", &examples.value));
        }
        let mut found = Vec::new();
        for (key, value) in examples.entries().filter(|(key, _)| !key.starts_with("x-")) {
            if self.check_media_type(key, &here.key(key)) {
                found.push((key.trim().to_owned(), resolve_literal(self.library, &value)));
            }
        }
        found
    }

    /// The valid media types that an operation, or else the document, lists under `key`.
    pub(super) fn read_media_types(
        &mut self,
        operation: &DocumentNode,
        key: &str,
        here: &LoweringPlace<'_>,
    ) -> Vec<String> {
        let root = self.library.root();
        let list =
            operation.get(key).filter(|list| list.value.as_sequence().is_some()).or_else(|| root.get(key));
        let mut found = Vec::new();
        for text in list.iter().flat_map(|list| list.value.items()).filter_map(Value::as_str) {
            if self.check_media_type(text, here) {
                found.push(text.trim().to_owned());
            }
        }
        found
    }
}

/// Whether two media types are equal apart from their parameters.
fn has_same_essence(one: &str, other: &str) -> bool {
    essence(one).eq_ignore_ascii_case(essence(other))
}

/// Adds `minLength: 1` to the schema of a string that may not be empty (Swagger 2.0, `allowEmptyValue`).
fn forbid_empty(field: &DocumentNode, schema: Value) -> Value {
    if field.flag("allowEmptyValue") != Some(false) || field.text("type") != Some("string") {
        return schema;
    }
    match schema.into_mapping() {
        Some(mut keywords) if keywords.get("minLength").is_none() => {
            keywords.insert("minLength", 1);
            keywords.into()
        }
        keywords => keywords.map(Value::from).unwrap_or_default(),
    }
}

/// `collectionFormat` as a style of OpenAPI 3 (Swagger 2.0, "Parameter Object").
pub(super) fn style_of_swagger2(
    node: &DocumentNode,
    location: ParameterLocation,
) -> (SerializationStyle, bool) {
    match node.text("collectionFormat") {
        Some("multi") => (SerializationStyle::Form, true),
        Some("ssv") => (SerializationStyle::SpaceDelimited, false),
        Some("tsv") => (SerializationStyle::TabDelimited, false),
        Some("pipes") => (SerializationStyle::PipeDelimited, false),
        _ if matches!(location, ParameterLocation::Path | ParameterLocation::Header) => {
            (SerializationStyle::Simple, false)
        }
        _ => (SerializationStyle::Form, false),
    }
}

/// The schema in a parameter of Swagger 2.0: its members without those that have another meaning in a schema.
pub(in crate::openapi) fn schema_of_swagger2(node: &DocumentNode) -> DocumentNode {
    let keywords = node.value.entries().filter(|(key, _)| {
        !matches!(*key, "name" | "in" | "required" | "collectionFormat" | "allowEmptyValue")
    });
    let schema: Mapping = keywords.map(|(key, value)| (SharedText::from(key), value.clone())).collect();
    node.with_value(&Value::from(schema))
}

/// Body that some of the parameters describe.
#[derive(Default)]
pub(super) struct FormBody {
    body: Option<DocumentNode>,
    fields: Vec<DocumentNode>,
}

impl FormBody {
    /// Adds a parameter that describes the body or a part of it; returns whether it does.
    pub(super) fn add(&mut self, node: &DocumentNode) -> bool {
        match node.text("in") {
            Some("body") => self.body = Some(node.clone()),
            Some("formData") if node.text("name").is_some() => self.fields.push(node.clone()),
            _ => return false,
        }
        true
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.body.is_none() && self.fields.is_empty()
    }

    pub(super) fn into_body(self, consumes: &[String]) -> Option<RequestBody> {
        if let Some(body) = self.body {
            let mut types = consumes.to_vec();
            if types.is_empty() {
                types.push(JSON.to_owned());
            }
            let media = types
                .into_iter()
                .map(|media_type| MediaTypeBody {
                    media_type,
                    examples: Vec::new(),
                    schema: body.get("schema"),
                    encoding: None,
                })
                .collect();
            return Some(RequestBody { required: body.flag("required").unwrap_or(false), media });
        }
        let first = self.fields.first()?;
        let has_files = self.fields.iter().any(|field| field.text("type") == Some("file"));
        let mut types: Vec<String> = consumes
            .iter()
            .filter(|media_type| {
                has_same_essence(media_type, FORM) || has_same_essence(media_type, MULTIPART_FORM)
            })
            .cloned()
            .collect();
        if types.is_empty() {
            types.push(if has_files { MULTIPART_FORM } else { FORM }.to_owned());
        }
        let required = self.fields.iter().any(|field| field.flag("required").unwrap_or(false));
        let schema = first.with_value(&self.schema());
        let encoding = first.with_value(&self.encoding());
        let media = types
            .into_iter()
            .map(|media_type| MediaTypeBody {
                media_type,
                examples: Vec::new(),
                schema: Some(schema.clone()),
                encoding: Some(encoding.clone()),
            })
            .collect();
        Some(RequestBody { required, media })
    }

    /// An object schema with the fields as properties.
    fn schema(&self) -> Value {
        let mut properties = Mapping::default();
        let mut required: Vec<Value> = Vec::new();
        for (name, field) in self.named_fields() {
            properties.insert(name, forbid_empty(field, schema_of_swagger2(field).value));
            if field.flag("required").unwrap_or(false) {
                required.push(name.into());
            }
        }
        let mut schema = Mapping::default();
        schema.insert("type", "object");
        schema.insert("properties", properties);
        if !required.is_empty() {
            schema.insert("required", required);
        }
        schema.into()
    }

    /// The encoding object of OpenAPI 3 for the fields that are lists.
    fn encoding(&self) -> Value {
        let mut encoding = Mapping::default();
        for (name, field) in self.named_fields().filter(|(_, field)| field.text("type") == Some("array")) {
            let (style, explode) = style_of_swagger2(field, ParameterLocation::Query);
            let style = match style {
                SerializationStyle::SpaceDelimited => "spaceDelimited",
                SerializationStyle::PipeDelimited => "pipeDelimited",
                SerializationStyle::TabDelimited => "tabDelimited",
                _ => "form",
            };
            let entry: Mapping =
                [(SharedText::from("style"), style.into()), (SharedText::from("explode"), explode.into())]
                    .into_iter()
                    .collect();
            encoding.insert(name, entry);
        }
        encoding.into()
    }

    fn named_fields(&self) -> impl Iterator<Item = (&str, &DocumentNode)> {
        self.fields.iter().filter_map(|field| Some((field.text("name")?, field)))
    }
}
