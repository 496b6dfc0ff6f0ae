//! Path of an example in its document, for diagnostics.

use crate::{
    document::NodePath,
    openapi::{Api, Example, MediaTypeBody, Operation, ResponseSpec, SpecVersion, StatusKey},
};

/// The path of an example. If there is a reference on the path, the diagnostic is shown there.
pub(super) fn path_of(
    api: &Api,
    operation: &Operation,
    response: &ResponseSpec,
    media: &MediaTypeBody,
    example: &Example,
) -> NodePath {
    if example.value.file != 0 {
        return operation.path.clone();
    }
    let status = match response.status {
        StatusKey::Code(code) => code.to_string(),
        StatusKey::Range(digit) => format!("{digit}XX"),
        StatusKey::Default => "default".to_owned(),
    };
    let response = operation.path.key("responses").key(&status);
    if api.version == SpecVersion::Swagger2 {
        return response.key("examples").key(&media.media_type);
    }
    let media = response.key("content").key(&media.media_type);
    match &example.key {
        Some(key) => media.key("examples").key(key).key("value"),
        None => media.key("example"),
    }
}
