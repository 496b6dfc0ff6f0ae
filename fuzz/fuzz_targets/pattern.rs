//! Any `pattern`: a text is written for it, and it is the same every time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::{
    document::{Mapping, Text, Value},
    openapi::{
        Library, Location, Node,
        sample::{Mode, Sampler},
    },
};

fuzz_target!(|input: (&str, u8, u8, u64)| {
    let (pattern, least, most, seed) = input;
    let schema: Mapping = [
        (Text::from("type"), Value::from("string")),
        (Text::from("pattern"), Value::from(pattern)),
        (Text::from("minLength"), Value::from(i64::from(least % 64))),
        (Text::from("maxLength"), Value::from(i64::from(most))),
    ]
    .into_iter()
    .collect();
    let schema = Node { value: schema.into(), file: 0 };
    let (library, _) = Library::new(Value::Null, &Location::alone());
    for mode in [Mode::Stable, Mode::Seeded(seed)] {
        let sampler = Sampler::new(&library).mode(mode);
        let sample = sampler.sample(&schema);
        assert_eq!(sample.valid, sampler.valid(&schema, &sample.value));
        assert_eq!(sample, Sampler::new(&library).mode(mode).sample(&schema));
    }
});
