//! Parameters, and the ways in which lists and objects are written in them.

use crate::openapi::{
    Node, Version,
    api::{In, Parameter, RequestBody, Style},
    version::brief,
};

use super::{Here, Lowering, swagger2};

impl Lowering<'_> {
    /// The parameters of a path item or an operation; in Swagger 2.0 some of them make up the body.
    pub(super) fn parameters(
        &mut self,
        holder: &Node,
        here: &Here<'_>,
    ) -> (Vec<Parameter>, Option<RequestBody>) {
        let mut found = Vec::new();
        let Some(list) = holder.get("parameters").filter(|it| !it.value.is_null()) else {
            return (found, None);
        };
        let here = here.key("parameters");
        if list.value.as_sequence().is_none() {
            self.warn(&here, format!("`parameters` must be a list, this is a {}", list.value.kind()));
            return (found, None);
        }
        let mut form = swagger2::Form::default();
        for (n, node) in list.items().enumerate() {
            let here = here.index(n);
            let (node, place) = match self.follow(&node) {
                Ok(followed) => followed,
                Err(reason) => {
                    self.unresolved(&here, reason);
                    continue;
                }
            };
            let here = here.through(place.as_ref());
            if self.version == Version::Swagger2 && form.take(&node) {
                continue;
            }
            found.extend(self.parameter(&node, &here));
        }
        if form.is_empty() {
            return (found, None);
        }
        let consumes = self.declared(holder, "consumes", &here);
        (found, form.into_body(&consumes))
    }

    fn parameter(&mut self, node: &Node, here: &Here<'_>) -> Option<Parameter> {
        let Some(name) = node.text("name") else {
            self.warn(here, "a parameter must have a `name`; this one is skipped");
            return None;
        };
        let location = match node.text("in") {
            Some("path") => In::Path,
            Some("query") => In::Query,
            Some("header") => In::Header,
            Some("cookie") => In::Cookie,
            other => {
                let found = other.map_or_else(|| String::from("nothing"), |it| format!("`{}`", brief(it)));
                self.warn(
                    here,
                    format!("`in` must be path, query, header or cookie, this is {found}; the parameter is skipped"),
                );
                return None;
            }
        };
        let swagger = self.version == Version::Swagger2;
        let (style, explode) =
            if swagger { swagger2::style_of_swagger2(node, location) } else { style_of_v3(node, location) };
        let content = node.get("content").filter(|_| !swagger).and_then(|content| {
            self.media_of_v3(&content, &here.key("content")).into_iter().next().map(Box::new)
        });
        Some(Parameter {
            name: name.into(),
            location,
            required: location == In::Path || node.flag("required").unwrap_or(false),
            allow_empty: node.flag("allowEmptyValue").unwrap_or(false),
            style,
            explode,
            schema: if swagger { Some(swagger2::schema_of_swagger2(node)) } else { node.get("schema") },
            content,
            examples: if swagger { Vec::new() } else { self.examples(node, here) },
        })
    }
}

/// `style` and `explode` with their defaults (OpenAPI 3.0.3, "Parameter Object").
fn style_of_v3(node: &Node, location: In) -> (Style, bool) {
    let style = match node.text("style") {
        Some("matrix") => Style::Matrix,
        Some("label") => Style::Label,
        Some("form") => Style::Form,
        Some("simple") => Style::Simple,
        Some("spaceDelimited") => Style::SpaceDelimited,
        Some("pipeDelimited") => Style::PipeDelimited,
        Some("deepObject") => Style::DeepObject,
        _ => match location {
            In::Query | In::Cookie => Style::Form,
            In::Path | In::Header => Style::Simple,
        },
    };
    (style, node.flag("explode").unwrap_or(style == Style::Form))
}
