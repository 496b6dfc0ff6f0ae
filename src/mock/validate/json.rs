//! JSON of requests, read within a budget of memory.

use serde_json::{Error, Value as Json};

use crate::budget::{Budget, Exhausted};

/// What a value takes, in bytes, while a list or an object with it grows.
const VALUE: usize = 2 * size_of::<Json>();
/// What a member takes beside its value.
const MEMBER: usize = 128;
/// Texts up to this length, in bytes, are not measured: they cannot take much.
const SHORT: usize = 1024;

/// Reads JSON. Values nest 127 levels deep at most.
///
/// # Errors
/// The budget is exhausted. Inside, what is wrong with the text.
pub(super) fn parse(text: &[u8], budget: &Budget) -> Result<Result<Json, Error>, Exhausted> {
    if text.len() > SHORT {
        budget.spend(text.len() as u64 / 16)?;
        budget.allocate(size(text))?;
    }
    Ok(serde_json::from_slice(text))
}

/// How many bytes the values of a text take at most: every one but the first follows a bracket or a comma, every member
/// has a colon. Those inside of texts are not counted.
fn size(text: &[u8]) -> usize {
    let (mut values, mut members) = (1_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => values += 1,
            b':' if !quoted => members += 1,
            _ => (),
        }
    }
    let values = values.saturating_mul(VALUE);
    values.saturating_add(members.saturating_mul(MEMBER)).saturating_add(2 * text.len())
}

#[cfg(test)]
mod tests {
    use super::{super::trial, *};

    #[test]
    fn the_size_of_a_text_is_known_before_it_is_read() {
        let text = br#""[,\"{:""#;
        assert_eq!(size(text), VALUE + 2 * text.len());
        assert_eq!(size(br#"{"a":[1,2]}"#), 4 * VALUE + MEMBER + 22);
    }

    #[test]
    fn a_text_that_takes_too_much_memory_is_not_read() {
        let limits = crate::budget::WorkLimits {
            steps: 1 << 30,
            bytes: 1 << 20,
            depth: 600,
            time: std::time::Duration::from_mins(10),
        };
        for text in [format!("[{}1]", "1,".repeat(100_000)), format!("[{}{{}}]", "{},".repeat(100_000))] {
            assert!(matches!(parse(text.as_bytes(), &Budget::new(limits)), Err(Exhausted::Bytes)));
        }
        let text = format!("[{}]", "1".repeat(100_000));
        assert!(matches!(parse(text.as_bytes(), &Budget::new(limits)), Ok(Ok(_))));
    }

    #[test]
    fn a_text_that_nests_too_deeply_is_wrong() {
        let text = "[".repeat(100_000);
        assert!(parse(text.as_bytes(), &trial::budget()).unwrap().is_err());
    }
}
