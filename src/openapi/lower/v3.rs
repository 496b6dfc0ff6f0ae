//! Parts that only OpenAPI 3 has: `content` and `requestBody`.

use crate::openapi::{DocumentNode, MediaTypeBody, RequestBody, messages::wrong_type};

use super::{Lowering, LoweringPlace};

impl Lowering<'_> {
    /// The bodies of a `content` object, in document order.
    pub(super) fn read_content(
        &mut self,
        content: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Vec<MediaTypeBody> {
        let mut found = Vec::new();
        if content.value.as_mapping().is_none() && !content.value.is_null() {
            self.warn(here, wrong_type("`content`", "a map", &content.value));
        }
        for (key, node) in content.entries().filter(|(key, _)| !key.starts_with("x-")) {
            let here = here.key(key);
            if !self.check_media_type(key, &here) {
                continue;
            }
            // A media type may be a reference since OpenAPI 3.2.
            match self.follow(&node) {
                Ok((node, place)) => {
                    let here = here.through(place.as_ref());
                    found.push(MediaTypeBody {
                        media_type: key.trim().to_owned(),
                        examples: self.read_examples(&node, &here),
                        schema: node.get("schema"),
                        encoding: node.get("encoding"),
                    });
                }
                Err(reason) => self.warn_unresolved(&here, reason),
            }
        }
        found
    }

    pub(super) fn read_request_body(
        &mut self,
        body: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Option<RequestBody> {
        let (body, place) = match self.follow(body) {
            Ok(followed) => followed,
            Err(reason) => {
                self.warn_unresolved(here, reason);
                return None;
            }
        };
        let here = here.through(place.as_ref());
        if body.value.as_mapping().is_none() {
            self.warn(&here, wrong_type("`requestBody`", "a map", &body.value));
            return None;
        }
        let content = body.get("content");
        let media =
            content.map(|content| self.read_content(&content, &here.key("content"))).unwrap_or_default();
        Some(RequestBody { required: body.flag("required").unwrap_or(false), media })
    }
}
