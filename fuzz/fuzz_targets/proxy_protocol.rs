//! Fuzz target: the first bytes of a connection; a complete header parses the same alone, and an incomplete one needs more bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::server::proxy_protocol::{ConnectionPrefix, parse};

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Ok(ConnectionPrefix::Complete(header, length)) => {
            assert_eq!(parse(&bytes[..length]), Ok(ConnectionPrefix::Complete(header, length)));
        }
        Ok(ConnectionPrefix::Incomplete(least)) => assert!(bytes.len() < least && least <= 4096),
        Err(_) => {}
    }
});
