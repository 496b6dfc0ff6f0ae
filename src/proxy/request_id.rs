//! The name of one request: 32 lower-case hex digits, told to the upstream, the client and the log.

use std::fmt;

use http::HeaderValue;

/// The name of one request. (Kong: `X-Kong-Request-Id`.)
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// A name that nobody else has; from the thread's own generator, without a lock or a system call.
    pub fn random() -> Self {
        Self::from(rand::random::<u128>())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<u128> for RequestId {
    fn from(number: u128) -> Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(number.to_be_bytes()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        Self(digits)
    }
}

impl From<&RequestId> for HeaderValue {
    fn from(id: &RequestId) -> Self {
        Self::from_bytes(&id.0).unwrap_or_else(|_| Self::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The hex digit of a number below 16.
fn digit(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'a' + number - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_32_lower_case_hex_digits() {
        let id = RequestId::from(0x0123_4567_89ab_cdef_0000_0000_0000_00ff);
        assert_eq!(id.as_str(), "0123456789abcdef00000000000000ff");
        assert_eq!(HeaderValue::from(&id), id.as_str());
        assert_eq!(RequestId::from(u128::MAX).to_string(), "f".repeat(32));
    }

    #[test]
    fn differs_from_request_to_request() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| RequestId::random()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
