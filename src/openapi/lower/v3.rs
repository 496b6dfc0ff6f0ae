//! What only OpenAPI 3 writes this way: `content` and `requestBody`.

use crate::openapi::{DocumentNode, MediaTypeBody, RequestBody};

use super::{Lowering, LoweringPlace};

impl Lowering<'_> {
    /// The bodies of a `content`, in document order.
    pub(super) fn media_of_v3(
        &mut self,
        content: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Vec<MediaTypeBody> {
        let mut found = Vec::new();
        match content.value.kind() {
            "map" | "null" => (),
            other => self.warn(here, format!("`content` must be a map, this is a {other}")),
        }
        for (key, node) in content.entries().filter(|(key, _)| !key.starts_with("x-")) {
            let here = here.key(key);
            if !self.accepts_media_type(key, &here) {
                continue;
            }
            // A media type may be a reference since OpenAPI 3.2.
            match self.follow(&node) {
                Ok((node, place)) => {
                    let here = here.through(place.as_ref());
                    found.push(MediaTypeBody {
                        media_type: key.trim().to_owned(),
                        examples: self.examples(&node, &here),
                        schema: node.get("schema"),
                        encoding: node.get("encoding"),
                    });
                }
                Err(reason) => self.unresolved(&here, reason),
            }
        }
        found
    }

    pub(super) fn request_body_v3(
        &mut self,
        body: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Option<RequestBody> {
        let (body, place) = match self.follow(body) {
            Ok(followed) => followed,
            Err(reason) => {
                self.unresolved(here, reason);
                return None;
            }
        };
        let here = here.through(place.as_ref());
        if body.value.as_mapping().is_none() {
            self.warn(&here, format!("`requestBody` must be a map, this is a {}", body.value.kind()));
            return None;
        }
        let content = body.get("content");
        let media =
            content.map(|content| self.media_of_v3(&content, &here.key("content"))).unwrap_or_default();
        Some(RequestBody { required: body.flag("required").unwrap_or(false), media })
    }
}
