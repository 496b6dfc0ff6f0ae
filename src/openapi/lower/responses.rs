//! Responses by status code, their headers, and the validation of media types.

use http::{HeaderName, header};

use crate::{
    openapi::{
        DocumentNode, ResponseHeaderSpec, ResponseSpec, SpecVersion, StatusKey,
        media_type::{is_media_type, is_wildcard},
        messages::{excerpt, wrong_type},
    },
    request_head::frames_message,
};

use super::{Lowering, LoweringPlace};

/// Whether framing (RFC 9112, section 6) or the media type sets a header of a response.
fn is_generated(name: &HeaderName) -> bool {
    frames_message(name.as_str()) || *name == header::TRAILER || *name == header::CONTENT_TYPE
}

impl Lowering<'_> {
    /// The responses of an operation.
    ///
    /// # Errors
    /// `responses` is not a map, or a reference that cannot be followed.
    pub(super) fn read_responses(
        &mut self,
        operation: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Result<Vec<ResponseSpec>, String> {
        let mut found: Vec<ResponseSpec> = Vec::new();
        let responses = match operation.get("responses") {
            Some(responses) if !responses.value.is_null() => responses,
            _ => {
                self.warn(here, "this operation has no `responses`");
                return Ok(found);
            }
        };
        let here = here.key("responses");
        let (responses, place) = self.follow(&responses)?;
        let here = here.through(place.as_ref());
        if responses.value.as_mapping().is_none() {
            return Err(wrong_type("`responses`", "a map", &responses.value));
        }
        for (key, node) in responses.entries().filter(|(key, _)| !key.starts_with("x-")) {
            let here = here.key(key);
            match StatusKey::parse(key) {
                Ok(status) if found.iter().any(|response| response.status == status) => {
                    self.warn_key(&here, format!("there is another response for `{}`", excerpt(key)));
                }
                Ok(status) => found.push(self.read_response(status, &node, operation, &here)),
                Err(reason) => {
                    self.warn_key(&here, format!("the response `{}` is skipped: {reason}", excerpt(key)));
                }
            }
        }
        Ok(found)
    }

    fn read_response(
        &mut self,
        status: StatusKey,
        node: &DocumentNode,
        operation: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> ResponseSpec {
        let defective =
            |reason| ResponseSpec { status, media: Vec::new(), headers: Vec::new(), defect: Some(reason) };
        let (node, place) = match self.follow(node) {
            Ok(followed) => followed,
            Err(reason) => {
                self.warn_unresolved(here, reason.clone());
                return defective(reason);
            }
        };
        let here = here.through(place.as_ref());
        if node.value.as_mapping().is_none() && !node.value.is_null() {
            let reason = wrong_type("a response", "a map", &node.value);
            self.warn(&here, reason.clone());
            return defective(reason);
        }
        let headers = self.read_headers(&node, &here);
        let media = match self.version {
            SpecVersion::Swagger2 => self.read_media_of_swagger2(&node, operation, &here),
            _ => node
                .get("content")
                .map(|content| self.read_content(&content, &here.key("content")))
                .unwrap_or_default(),
        };
        ResponseSpec { status, media, headers, defect: None }
    }

    fn read_headers(&mut self, response: &DocumentNode, here: &LoweringPlace<'_>) -> Vec<ResponseHeaderSpec> {
        let mut found: Vec<ResponseHeaderSpec> = Vec::new();
        let Some(headers) = response.get("headers") else { return found };
        let here = here.key("headers");
        for (key, node) in headers.entries() {
            let here = here.key(key);
            let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
                self.warn_key(&here, format!("`{}` is not a valid header name", excerpt(key)));
                continue;
            };
            if is_generated(&name) || found.iter().any(|header| header.name == name) {
                continue;
            }
            match self.follow(&node) {
                Ok((node, place)) => {
                    let here = here.through(place.as_ref());
                    found.push(self.read_header(name, &node, &here));
                }
                Err(reason) => self.warn_unresolved(&here, reason),
            }
        }
        found
    }

    fn read_header(
        &mut self,
        name: HeaderName,
        node: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> ResponseHeaderSpec {
        if self.version == SpecVersion::Swagger2 {
            // The header is its own schema. `example` and `x-example` are not in the specification, but common.
            let example = node.get("example").or_else(|| node.get("x-example"));
            let schema = node.value.as_mapping().map(|_| node.clone());
            return ResponseHeaderSpec { name, example, schema, explode: false };
        }
        let mut example = self.read_examples(node, here).into_iter().next().map(|example| example.value);
        let mut schema = node.get("schema");
        if let Some((_, content)) = node.get("content").as_ref().and_then(|node| node.entries().next()) {
            schema = schema.or_else(|| content.get("schema"));
            example = example.or_else(|| {
                self.read_examples(&content, here).into_iter().next().map(|example| example.value)
            });
        }
        ResponseHeaderSpec { name, example, schema, explode: node.flag("explode").unwrap_or(false) }
    }

    /// Whether a key is a media type; warns if not.
    pub(super) fn check_media_type(&mut self, key: &str, here: &LoweringPlace<'_>) -> bool {
        let is_valid = is_media_type(key) || is_wildcard(key);
        if !is_valid {
            self.warn_key(here, format!("`{}` is not a valid media type", excerpt(key)));
        }
        is_valid
    }
}
