//! Rules of both transformers: remove, rename, replace, add and append, applied in this order.

use http::{HeaderName, HeaderValue};

use super::{Exchange, HttpResponse, PluginSetup};
use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
    request_head::frames_message,
    schema::is_header_name,
};

/// Description of the settings `rename`.
pub(super) const RENAMED: &str = "what gets another name, as `old:new`";

/// Rules for one part of a message: headers, query or body.
#[derive(Debug)]
pub(super) struct TransformRules<K, V> {
    /// Names to remove.
    pub(super) remove: Vec<K>,
    /// Old and new names.
    pub(super) rename: Vec<(K, K)>,
    /// New values of names that are present.
    pub(super) replace: Vec<(K, V)>,
    /// Values of names that are absent.
    pub(super) add: Vec<(K, V)>,
    /// Values to add to names, present or not.
    pub(super) append: Vec<(K, V)>,
}

/// One `name:value` entry of a setting.
pub(super) struct RuleEntry<'a> {
    /// The rule that it belongs to, such as `add`.
    pub(super) rule: &'static str,
    /// Its index in the list.
    pub(super) index: usize,
    /// The text after the colon, not trimmed.
    pub(super) value: &'a str,
    /// Its path in the configuration.
    pub(super) at: NodePath,
}

/// Reader of rules from settings.
pub(super) struct RulesReader<'a> {
    setup: &'a PluginSetup<'a>,
    /// Diagnostics so far.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> RulesReader<'a> {
    /// A reader of the settings of one plugin.
    pub(super) const fn new(setup: &'a PluginSetup<'a>) -> Self {
        Self { setup, diagnostics: Vec::new() }
    }

    /// The rules for `part`; `name` and `value` parse the two sides of an entry.
    pub(super) fn rules<K, V>(
        &mut self,
        part: &str,
        name: fn(&str) -> Result<K, String>,
        value: impl Fn(&RuleEntry<'_>) -> Result<V, Diagnostic>,
    ) -> TransformRules<K, V> {
        TransformRules {
            remove: self.names(part, name),
            rename: self.pairs(part, "rename", name, |entry| {
                name(entry.value).map_err(|message| Diagnostic::error(entry.at.clone(), message))
            }),
            replace: self.pairs(part, "replace", name, &value),
            add: self.pairs(part, "add", name, &value),
            append: self.pairs(part, "append", name, &value),
        }
    }

    fn names<K>(&mut self, part: &str, name: fn(&str) -> Result<K, String>) -> Vec<K> {
        let at = self.setup.at.key("remove").key(part);
        let mut names = Vec::new();
        for (n, text) in entries(self.setup.config, "remove", part) {
            match name(text) {
                Ok(name) => names.push(name),
                Err(message) => self.diagnostics.push(Diagnostic::error(at.index(n), message)),
            }
        }
        names
    }

    fn pairs<K, V>(
        &mut self,
        part: &str,
        rule: &'static str,
        name: fn(&str) -> Result<K, String>,
        value: impl Fn(&RuleEntry<'_>) -> Result<V, Diagnostic>,
    ) -> Vec<(K, V)> {
        let list = self.setup.at.key(rule).key(part);
        let mut pairs = Vec::new();
        for (index, text) in entries(self.setup.config, rule, part) {
            let at = list.index(index);
            let (left, right) = text.split_once(':').unwrap_or((text, ""));
            let right = right.trim_start_matches(':');
            if right.is_empty() {
                let message = format!("'{text}' has no value and does nothing");
                let warning = Diagnostic::warning(at, message).help("write `name:value`");
                self.setup.warnings.borrow_mut().push(warning);
                continue;
            }
            let pair = name(left).map_err(|message| Diagnostic::error(at.clone(), message));
            let pair = pair.and_then(|name| Ok((name, value(&RuleEntry { rule, index, value: right, at })?)));
            match pair {
                Ok(pair) => pairs.push(pair),
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        pairs
    }
}

fn entries<'a>(config: &'a Value, rule: &str, part: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let items = config.get(rule).and_then(|lists| lists.get(part)).map(Value::items).unwrap_or_default();
    items.iter().enumerate().filter_map(|(n, item)| Some((n, item.as_str()?)))
}

/// Parses the name of a header.
pub(super) fn header_name(text: &str) -> Result<HeaderName, String> {
    let text = text.trim();
    let name = is_header_name(text).then(|| HeaderName::try_from(text).ok()).flatten();
    name.ok_or_else(|| format!("'{text}' is not a valid header"))
}

/// Accepts any name.
#[expect(clippy::unnecessary_wraps, reason = "the signature of functions that parse names")]
pub(super) fn any_name(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// Error of a text that [`HeaderValue`] refuses.
pub(super) const INVALID_HEADER_VALUE: &str = "cannot be the value of a header";

/// Parses the value of a header. Space around it is not part of it. (RFC 9110, section 5.5.)
pub(super) fn header_value(entry: &RuleEntry<'_>) -> Result<HeaderValue, Diagnostic> {
    HeaderValue::try_from(entry.value.trim())
        .map_err(|_| Diagnostic::error(entry.at.clone(), INVALID_HEADER_VALUE))
}

impl<K, V> TransformRules<K, V> {
    /// Whether there are no rules.
    pub(super) const fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.rename.is_empty()
            && self.replace.is_empty()
            && self.add.is_empty()
            && self.append.is_empty()
    }
}

impl<V> TransformRules<HeaderName, V> {
    /// Applies the rules to the fields of a message. Entries whose value renders to `None` are skipped.
    pub(super) fn apply<T: EditableFields>(
        &self,
        message: &mut T,
        render: impl Fn(&V, &T) -> Option<HeaderValue>,
    ) {
        for name in &self.remove {
            message.remove_field(name);
        }
        for (old, new) in &self.rename {
            rename(message, old, new);
        }
        for (name, value) in &self.replace {
            if message.has_field(name)
                && let Some(value) = render(value, message)
            {
                message.set_field(name, value);
            }
        }
        for (name, value) in &self.add {
            if !message.has_field(name)
                && let Some(value) = render(value, message)
            {
                message.set_field(name, value);
            }
        }
        for (name, value) in &self.append {
            if let Some(value) = render(value, message) {
                message.append_field(name, value);
            }
        }
    }
}

/// A message whose fields can be changed.
pub(super) trait EditableFields {
    /// All values of a field.
    fn field_values(&self, name: &HeaderName) -> Vec<HeaderValue>;

    /// Whether it has a field.
    fn has_field(&self, name: &HeaderName) -> bool;

    /// Replaces the values of a field.
    fn set_field(&mut self, name: &HeaderName, value: HeaderValue);

    /// Adds a value to a field.
    fn append_field(&mut self, name: &HeaderName, value: HeaderValue);

    /// Removes a field.
    fn remove_field(&mut self, name: &HeaderName);
}

/// A response. Fields that frame messages are not set: with a wrong length, a part of the body would be read as another
/// response.
impl EditableFields for HttpResponse {
    fn field_values(&self, name: &HeaderName) -> Vec<HeaderValue> {
        self.headers().get_all(name).iter().cloned().collect()
    }

    fn has_field(&self, name: &HeaderName) -> bool {
        self.headers().contains_key(name)
    }

    fn set_field(&mut self, name: &HeaderName, value: HeaderValue) {
        if !frames_message(name.as_str()) {
            self.headers_mut().insert(name, value);
        }
    }

    fn append_field(&mut self, name: &HeaderName, value: HeaderValue) {
        if !frames_message(name.as_str()) {
            self.headers_mut().append(name, value);
        }
    }

    fn remove_field(&mut self, name: &HeaderName) {
        self.headers_mut().remove(name);
    }
}

/// The upstream request: the client's fields that are forwarded, and earlier changes.
impl EditableFields for Exchange {
    fn field_values(&self, name: &HeaderName) -> Vec<HeaderValue> {
        self.upstream_values(name).cloned().collect()
    }

    fn has_field(&self, name: &HeaderName) -> bool {
        self.upstream_field(name).is_some()
    }

    fn set_field(&mut self, name: &HeaderName, value: HeaderValue) {
        self.upstream.set_field(name.clone(), value);
    }

    fn append_field(&mut self, name: &HeaderName, value: HeaderValue) {
        self.upstream.append_field(name.clone(), value);
    }

    fn remove_field(&mut self, name: &HeaderName) {
        self.upstream.remove_field(name.clone());
    }
}

fn rename(message: &mut impl EditableFields, old: &HeaderName, new: &HeaderName) {
    let values = message.field_values(old);
    if values.is_empty() {
        return;
    }
    message.remove_field(old);
    message.remove_field(new);
    for value in values {
        message.append_field(new, value);
    }
}

impl<V> TransformRules<String, V> {
    /// Applies the rules to the members of a JSON object.
    pub(super) fn apply_json(
        &self,
        members: &mut serde_json::Map<String, serde_json::Value>,
        render: impl Fn(&V) -> serde_json::Value,
    ) {
        for name in &self.remove {
            members.shift_remove(name);
        }
        for (old, new) in &self.rename {
            if let Some(value) = members.shift_remove(old) {
                members.insert(new.clone(), value);
            }
        }
        for (name, value) in &self.replace {
            if let Some(member) = members.get_mut(name) {
                *member = render(value);
            }
        }
        for (name, value) in &self.add {
            if !members.contains_key(name) {
                members.insert(name.clone(), render(value));
            }
        }
        for (name, value) in &self.append {
            append(members.entry(name.clone()).or_insert(serde_json::Value::Null), render(value));
        }
    }
}

/// Appends a value; a scalar becomes a list. An object is unchanged.
fn append(member: &mut serde_json::Value, value: serde_json::Value) {
    match member {
        serde_json::Value::Array(items) => items.push(value),
        serde_json::Value::Object(_) => (),
        serde_json::Value::Null => *member = vec![value].into(),
        scalar => *scalar = vec![scalar.take(), value].into(),
    }
}
