//! Fuzz target: negotiation of media types by `Accept`; the choice is one of the offers, and is a valid header value.
#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use mynah::openapi::{MediaTypeOffers, negotiate};

fuzz_target!(|input: (String, Vec<String>)| {
    let (accept, types) = input;
    let offers = MediaTypeOffers::new(types.iter().take(16).map(String::as_str));
    let types = types.len().min(16);
    for accept in [Some(&*accept), None] {
        if let Some(choice) = negotiate(accept, &offers) {
            assert!(choice.offer < types);
            if let Some(concrete) = choice.concrete {
                assert!(HeaderValue::from_str(concrete).is_ok());
            }
        }
    }
    let _ = offers.names();
});
