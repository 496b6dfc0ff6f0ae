//! Bodies that a plugin reads as a whole: memory for parsed JSON, and refusals.

use http::{HeaderValue, header::RETRY_AFTER};

use super::{Exchange, HttpResponse};
use crate::{
    body::{BodyBuffers, BodyError},
    budget::Reservation,
};

/// The memory of one value of a parsed JSON text, in bytes: 72 for the value, spare capacity while a list grows, and for
/// a member of an object its name, hash and table entry.
const JSON_VALUE_BYTES: usize = 160;

/// The response to a request whose body could not be read.
pub(super) fn refusal(exchange: &Exchange, error: &BodyError) -> HttpResponse {
    let message = error.message().unwrap_or(match error {
        BodyError::TooLarge => "Payload too large",
        BodyError::ClientTimeout => "Request body timeout",
        _ => "Bad request",
    });
    let mut response = exchange.error(error.status(), message);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Reserves memory for a parsed JSON text, which may take a hundred times the size of the text.
///
/// # Errors
/// There is not enough memory at present, or the whole budget is too small.
pub(super) fn reserve_for_json(buffers: &BodyBuffers, text: &[u8]) -> Result<Reservation, BodyError> {
    // Also counts these bytes in strings, so that the estimate is an upper bound.
    let begins_value = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    let values = text.iter().filter(begins_value).count() + 1;
    let size = values.saturating_mul(JSON_VALUE_BYTES).saturating_add(text.len());
    let memory = buffers.memory();
    if size > memory.limit() {
        return Err(BodyError::TooLarge);
    }
    memory.reserve(size).map_err(|_| BodyError::NoRoom)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_text_of_many_small_values_needs_far_more_memory_than_its_size() {
        let buffers = BodyBuffers::new(1 << 20, Duration::from_mins(1));
        let room = |text: &str| reserve_for_json(&buffers, text.as_bytes()).map(|room| room.bytes());
        assert!(room("{\"a\":[1,2]}").is_ok_and(|bytes| bytes < 2000));
        assert!(matches!(room(&format!("[{}0]", "0,".repeat(10_000))), Err(BodyError::TooLarge)));
        let held = buffers.memory().reserve(1 << 20);
        assert!(matches!(room("{}"), Err(BodyError::NoRoom)));
        drop(held);
        assert!(room("{}").is_ok());
        assert_eq!(buffers.memory().held(), 0);
    }
}
