//! Parser of JSON in requests, within a budget of memory.

use serde_json::{Error, Value as Json};

use crate::budget::{Budget, Exhausted};

/// Memory of a value in bytes, with the spare capacity of the list or object that contains it.
const VALUE: usize = 2 * size_of::<Json>();
/// Memory of a member of an object in bytes, without its value.
const MEMBER: usize = 128;
/// Length in bytes up to which texts are not charged, because they take little memory.
const SHORT: usize = 1024;

/// Parses JSON. Values may be nested up to 127 levels.
///
/// # Errors
/// The budget is exhausted. The inner error is the syntax error of the text.
pub(super) fn parse(text: &[u8], budget: &Budget) -> Result<Result<Json, Error>, Exhausted> {
    if text.len() > SHORT {
        budget.spend(text.len() as u64 / 16)?;
        budget.allocate(memory_bound(text))?;
    }
    Ok(serde_json::from_slice(text))
}

/// Upper bound on the memory of the values of a text, in bytes. Every value but the first follows a bracket or a comma,
/// and every member has a colon; characters in strings do not count.
fn memory_bound(text: &[u8]) -> usize {
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
    use super::{super::test_support, *};

    #[test]
    fn the_memory_of_a_text_is_bounded_before_it_is_parsed() {
        let text = br#""[,\"{:""#;
        assert_eq!(memory_bound(text), VALUE + 2 * text.len());
        assert_eq!(memory_bound(br#"{"a":[1,2]}"#), 4 * VALUE + MEMBER + 22);
    }

    #[test]
    fn a_text_that_takes_too_much_memory_is_not_parsed() {
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
    fn a_text_that_is_nested_too_deeply_is_an_error() {
        let text = "[".repeat(100_000);
        assert!(parse(text.as_bytes(), &test_support::budget()).unwrap().is_err());
    }
}
