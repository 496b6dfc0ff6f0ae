//! Parameters, and the serialization of lists and objects in them.

use crate::openapi::{
    DocumentNode, SpecVersion,
    api::{Parameter, ParameterLocation, RequestBody, SerializationStyle},
    messages::{excerpt, wrong_type},
};

use super::{Lowering, LoweringPlace, swagger2};

impl Lowering<'_> {
    /// The parameters of a path item or an operation; in Swagger 2.0, some of them describe the body.
    pub(super) fn read_parameters(
        &mut self,
        holder: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> (Vec<Parameter>, Option<RequestBody>) {
        let mut found = Vec::new();
        let Some(list) = holder.get("parameters").filter(|node| !node.value.is_null()) else {
            return (found, None);
        };
        let here = here.key("parameters");
        if list.value.as_sequence().is_none() {
            self.warn(&here, wrong_type("`parameters`", "a list", &list.value));
            return (found, None);
        }
        let mut form = swagger2::FormBody::default();
        for (n, node) in list.items().enumerate() {
            let here = here.index(n);
            let (node, place) = match self.follow(&node) {
                Ok(followed) => followed,
                Err(reason) => {
                    self.warn_unresolved(&here, reason);
                    continue;
                }
            };
            let here = here.through(place.as_ref());
            if self.version == SpecVersion::Swagger2 && form.add(&node) {
                continue;
            }
            found.extend(self.read_parameter(&node, &here));
        }
        if form.is_empty() {
            return (found, None);
        }
        let consumes = self.read_media_types(holder, "consumes", &here);
        (found, form.into_body(&consumes))
    }

    fn read_parameter(&mut self, node: &DocumentNode, here: &LoweringPlace<'_>) -> Option<Parameter> {
        let Some(name) = node.text("name") else {
            self.warn(here, "a parameter must have a `name`; this one is skipped");
            return None;
        };
        let location = match node.text("in") {
            Some("path") => ParameterLocation::Path,
            Some("query") => ParameterLocation::Query,
            Some("header") => ParameterLocation::Header,
            Some("cookie") => ParameterLocation::Cookie,
            other => {
                let found =
                    other.map_or_else(|| String::from("nothing"), |text| format!("`{}`", excerpt(text)));
                self.warn(
                    here,
                    format!("`in` must be path, query, header or cookie, this is {found}; the parameter is skipped"),
                );
                return None;
            }
        };
        let is_swagger = self.version == SpecVersion::Swagger2;
        let (style, explode) = if is_swagger {
            swagger2::style_of_swagger2(node, location)
        } else {
            style_of_v3(node, location)
        };
        let content = node.get("content").filter(|_| !is_swagger).and_then(|content| {
            self.read_content(&content, &here.key("content")).into_iter().next().map(Box::new)
        });
        Some(Parameter {
            name: name.into(),
            location,
            required: location == ParameterLocation::Path || node.flag("required").unwrap_or(false),
            allow_empty: node.flag("allowEmptyValue").unwrap_or(false),
            style,
            explode,
            schema: if is_swagger { Some(swagger2::schema_of_swagger2(node)) } else { node.get("schema") },
            content,
            examples: if is_swagger { Vec::new() } else { self.read_examples(node, here) },
        })
    }
}

/// `style` and `explode` with their defaults (OpenAPI 3.0.3, "Parameter Object").
fn style_of_v3(node: &DocumentNode, location: ParameterLocation) -> (SerializationStyle, bool) {
    let style = match node.text("style") {
        Some("matrix") => SerializationStyle::Matrix,
        Some("label") => SerializationStyle::Label,
        Some("form") => SerializationStyle::Form,
        Some("simple") => SerializationStyle::Simple,
        Some("spaceDelimited") => SerializationStyle::SpaceDelimited,
        Some("pipeDelimited") => SerializationStyle::PipeDelimited,
        Some("deepObject") => SerializationStyle::DeepObject,
        _ => match location {
            ParameterLocation::Query | ParameterLocation::Cookie => SerializationStyle::Form,
            ParameterLocation::Path | ParameterLocation::Header => SerializationStyle::Simple,
        },
    };
    (style, node.flag("explode").unwrap_or(style == SerializationStyle::Form))
}
