//! Values of checked settings by name, for plugins that do not deserialize their settings.

use crate::document::Value;

/// A string; `None` if it is absent or null.
pub(super) fn string(config: &Value, field: &str) -> Option<String> {
    config.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// The strings of a list, each with its index; nothing if the list is absent.
pub(super) fn strings<'a>(config: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let items = config.get(field).map(Value::items).unwrap_or_default();
    items.iter().enumerate().filter_map(|(n, item)| Some((n, item.as_str()?)))
}

/// A boolean; false if it is absent.
pub(super) fn boolean(config: &Value, field: &str) -> bool {
    config.get(field).and_then(Value::as_bool).unwrap_or_default()
}

/// An integer; `None` if it is absent or null.
pub(super) fn integer(config: &Value, field: &str) -> Option<i64> {
    config.get(field).and_then(Value::as_i64)
}
