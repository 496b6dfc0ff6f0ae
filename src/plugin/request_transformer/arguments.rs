//! Names and values of a query or a form. What no rule is about keeps its bytes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::template::ValueTemplate;
use crate::plugin::{Exchange, transform_rules::TransformRules};

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

struct Argument {
    name: String,
    /// `name=value`, encoded.
    text: String,
}

impl Argument {
    fn new(name: &str, value: &str) -> Self {
        let encode = |text| utf8_percent_encode(text, RESERVED);
        Self { name: name.to_owned(), text: format!("{}={}", encode(name), encode(value)) }
    }

    fn rename(&mut self, name: &str) {
        let value = self.text.split_once('=').map_or(String::new(), |(_, value)| format!("={value}"));
        self.text = format!("{}{value}", utf8_percent_encode(name, RESERVED));
        name.clone_into(&mut self.name);
    }
}

/// What `rules` make of the arguments in `text`.
pub(super) fn rewrite(
    text: &str,
    rules: &TransformRules<String, ValueTemplate>,
    exchange: &Exchange,
) -> String {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let mut all: Vec<Argument> = parts.map(argument).collect();
    all.retain(|argument| !rules.remove.contains(&argument.name));
    for (old, new) in &rules.rename {
        if all.iter().any(|argument| argument.name == *old) {
            all.retain(|argument| argument.name != *new || argument.name == *old);
        }
        all.iter_mut().filter(|argument| argument.name == *old).for_each(|argument| argument.rename(new));
    }
    for (name, value) in &rules.replace {
        let Some(place) = all.iter().position(|argument| argument.name == *name) else { continue };
        all.retain(|argument| argument.name != *name);
        all.insert(place, Argument::new(name, &value.render(exchange)));
    }
    for (name, value) in &rules.add {
        if !all.iter().any(|argument| argument.name == *name) {
            all.push(Argument::new(name, &value.render(exchange)));
        }
    }
    for (name, value) in &rules.append {
        all.push(Argument::new(name, &value.render(exchange)));
    }
    let texts: Vec<String> = all.into_iter().map(|argument| argument.text).collect();
    texts.join("&")
}

fn argument(part: &str) -> Argument {
    let name =
        form_urlencoded::parse(part.as_bytes()).next().map_or(String::new(), |(name, _)| name.into_owned());
    Argument { name, text: part.to_owned() }
}
