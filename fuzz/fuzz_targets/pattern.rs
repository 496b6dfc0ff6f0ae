//! Fuzz target: samples of a `pattern` are repeatable, and their reported validity is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::{
    document::{Mapping, SharedText, Value},
    openapi::{
        DocumentLibrary, DocumentNode, LibraryLocation,
        sample::{Sampler, SamplingMode},
    },
};

fuzz_target!(|input: (&str, u8, u8, u64)| {
    let (pattern, least, most, seed) = input;
    let schema: Mapping = [
        (SharedText::from("type"), Value::from("string")),
        (SharedText::from("pattern"), Value::from(pattern)),
        (SharedText::from("minLength"), Value::from(i64::from(least % 64))),
        (SharedText::from("maxLength"), Value::from(i64::from(most))),
    ]
    .into_iter()
    .collect();
    let schema = DocumentNode { value: schema.into(), file: 0 };
    let (library, _) = DocumentLibrary::new(Value::Null, &LibraryLocation::alone());
    for mode in [SamplingMode::Stable, SamplingMode::Seeded(seed)] {
        let sampler = Sampler::new(&library).mode(mode);
        let sample = sampler.sample(&schema);
        assert_eq!(sample.valid, sampler.is_valid(&schema, &sample.value));
        assert_eq!(sample, Sampler::new(&library).mode(mode).sample(&schema));
    }
});
