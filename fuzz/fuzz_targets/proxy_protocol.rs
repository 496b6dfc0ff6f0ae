//! Any beginning of a connection: a header is as long as it says and reads the same alone, and a part wants more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::server::proxy_protocol::{ConnectionPrefix, parse};

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Ok(ConnectionPrefix::Whole(told, length)) => {
            assert_eq!(parse(&bytes[..length]), Ok(ConnectionPrefix::Whole(told, length)));
        }
        Ok(ConnectionPrefix::Part(least)) => assert!(bytes.len() < least && least <= 4096),
        Err(_) => {}
    }
});
