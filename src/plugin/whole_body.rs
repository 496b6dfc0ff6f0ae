//! Bodies as a whole, for plugins that must see all of one: the room for what is read from it, and refusals.

use http::{HeaderValue, header::RETRY_AFTER};

use super::{Exchange, HttpResponse};
use crate::{
    body::{BodyBuffers, BodyError},
    budget::Reservation,
};

/// What one value of a JSON text takes as a tree, in bytes: 72 by itself, which are more while a list grows; and a member
/// of an object has a name, a hash and a place in a table.
const JSON_VALUE: usize = 160;

/// The answer to a request whose body could not be read.
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

/// Reserves room for the tree of a JSON text, which may be a hundred times as large as the text.
///
/// # Errors
/// If there is no room now, or never can be.
pub(super) fn room_for_json(buffers: &BodyBuffers, text: &[u8]) -> Result<Reservation, BodyError> {
    // Those in strings are counted, too: the tree is not larger than that.
    let begins_value = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    let values = text.iter().filter(begins_value).count() + 1;
    let size = values.saturating_mul(JSON_VALUE).saturating_add(text.len());
    let memory = buffers.memory();
    if size > memory.most() {
        return Err(BodyError::TooLarge);
    }
    memory.reserve(size).map_err(|_| BodyError::NoRoom)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_text_of_many_small_values_needs_far_more_room_than_it_has_bytes() {
        let buffers = BodyBuffers::new(1 << 20, Duration::from_mins(1));
        let room = |text: &str| room_for_json(&buffers, text.as_bytes()).map(|room| room.bytes());
        assert!(room("{\"a\":[1,2]}").is_ok_and(|bytes| bytes < 2000));
        assert!(matches!(room(&format!("[{}0]", "0,".repeat(10_000))), Err(BodyError::TooLarge)));
        let held = buffers.memory().reserve(1 << 20);
        assert!(matches!(room("{}"), Err(BodyError::NoRoom)));
        drop(held);
        assert!(room("{}").is_ok());
        assert_eq!(buffers.memory().held(), 0);
    }
}
