//! Transformation of the parameters of a query or a form. Parameters without a rule keep their bytes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::template::ValueTemplate;
use crate::plugin::{Exchange, transform_rules::TransformRules};

/// All characters but the unreserved ones of RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

struct EncodedParameter {
    name: String,
    /// `name=value`, encoded.
    text: String,
}

impl EncodedParameter {
    fn new(name: &str, value: &str) -> Self {
        let encode = |text| utf8_percent_encode(text, ESCAPED);
        Self { name: name.to_owned(), text: format!("{}={}", encode(name), encode(value)) }
    }

    fn rename(&mut self, name: &str) {
        let value = self.text.split_once('=').map_or(String::new(), |(_, value)| format!("={value}"));
        self.text = format!("{}{value}", utf8_percent_encode(name, ESCAPED));
        name.clone_into(&mut self.name);
    }
}

/// Applies rules to the parameters in `text`.
pub(super) fn transform(
    text: &str,
    rules: &TransformRules<String, ValueTemplate>,
    exchange: &Exchange,
) -> String {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let mut all: Vec<EncodedParameter> = parts.map(parse_parameter).collect();
    all.retain(|parameter| !rules.remove.contains(&parameter.name));
    for (old, new) in &rules.rename {
        if all.iter().any(|parameter| parameter.name == *old) {
            all.retain(|parameter| parameter.name != *new || parameter.name == *old);
        }
        all.iter_mut().filter(|parameter| parameter.name == *old).for_each(|parameter| parameter.rename(new));
    }
    for (name, value) in &rules.replace {
        let Some(index) = all.iter().position(|parameter| parameter.name == *name) else { continue };
        all.retain(|parameter| parameter.name != *name);
        all.insert(index, EncodedParameter::new(name, &value.render(exchange)));
    }
    for (name, value) in &rules.add {
        if !all.iter().any(|parameter| parameter.name == *name) {
            all.push(EncodedParameter::new(name, &value.render(exchange)));
        }
    }
    for (name, value) in &rules.append {
        all.push(EncodedParameter::new(name, &value.render(exchange)));
    }
    let texts: Vec<String> = all.into_iter().map(|parameter| parameter.text).collect();
    texts.join("&")
}

fn parse_parameter(part: &str) -> EncodedParameter {
    let name =
        form_urlencoded::parse(part.as_bytes()).next().map_or(String::new(), |(name, _)| name.into_owned());
    EncodedParameter { name, text: part.to_owned() }
}
