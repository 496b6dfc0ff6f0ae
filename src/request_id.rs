//! Id of a request, which is in its header fields, logs and error responses.

use std::{cell::RefCell, fmt};

use http::HeaderValue;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Id of a request: 32 lower-case hexadecimal characters, as Kong's `X-Kong-Request-Id` has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

thread_local! {
    static RNG: RefCell<SmallRng> = RefCell::new(SmallRng::from_rng(&mut rand::rng()));
}

impl RequestId {
    /// A new random id. Ids are not secret; they only have to differ.
    #[must_use]
    pub fn random() -> Self {
        Self::from_bits(RNG.with_borrow_mut(RngExt::random))
    }

    /// The id with these bits, in hexadecimal.
    #[must_use]
    pub fn from_bits(mut bits: u128) -> Self {
        let mut text = [0; 32];
        for digit in text.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(bits & 15) as usize];
            bits >>= 4;
        }
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as a header value.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl From<u128> for RequestId {
    fn from(bits: u128) -> Self {
        Self::from_bits(bits)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_and_differ() {
        assert_eq!(RequestId::from_bits(0x1f).as_str(), "0000000000000000000000000000001f");
        assert_eq!(RequestId::from_bits(u128::MAX).to_header(), "f".repeat(32));
        assert_ne!(RequestId::random(), RequestId::random());
    }
}
