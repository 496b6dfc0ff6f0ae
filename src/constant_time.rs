//! Comparison of secrets in constant time.

/// Whether a text that a client gave equals a secret. The time depends on the length of `given` only, so that it does not
/// disclose how much of a guess is right.
#[must_use]
pub fn equals_secret(secret: &[u8], given: &[u8]) -> bool {
    let mut difference = u8::from(secret.len() != given.len());
    for (n, byte) in given.iter().enumerate() {
        difference |= byte ^ secret.get(n).copied().unwrap_or_default();
    }
    // The compiler must not end the loop at the first difference.
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_equal() {
        for (secret, given, expected) in [
            ("secret", "secret", true),
            ("secret", "secre", false),
            ("secret", "secret\0", false),
            ("secret", "Secret", false),
            ("secret", "", false),
            ("", "", true),
            ("", "\0", false),
        ] {
            assert_eq!(equals_secret(secret.as_bytes(), given.as_bytes()), expected, "{secret:?} {given:?}");
        }
    }
}
