//! Changes that plugins make to the log entry of a request. (Kong: "Plugin Development Kit",
//! `kong.log.set_serialize_value`.)

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value as Json};

/// The most changes of one entry.
const MAX_EDITS: usize = 1000;

/// Changes of the entry of one request. A clone is another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct EntryEdits(Arc<Mutex<Vec<EntryEdit>>>);

/// A change of one value of an entry.
#[derive(Clone, Debug)]
pub struct EntryEdit {
    /// Names of members, from the outermost on, separated by dots.
    pub path: String,
    /// The value; `None` removes it.
    pub value: Option<Json>,
    /// Whether the value has to be there before, or not.
    pub condition: EditCondition,
}

/// On what the change of a value depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditCondition {
    /// On nothing. (Kong: `set`.)
    Always,
    /// There is no value. (Kong: `add`.)
    Absent,
    /// There is a value. (Kong: `replace`.)
    Present,
}

impl EntryEdits {
    /// Adds a change. Changes beyond the limit are dropped.
    pub fn push(&self, edit: EntryEdit) {
        let mut edits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if edits.len() < MAX_EDITS {
            edits.push(edit);
        }
    }

    /// All changes so far, in their order.
    #[must_use]
    pub fn all(&self) -> Vec<EntryEdit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl EntryEdit {
    /// Makes the change. Members on the way to the value are made where they are absent or no objects.
    pub fn apply(&self, entry: &mut Json) {
        let names: Vec<&str> = self.path.split('.').collect();
        let Some((last, parents)) = names.split_last() else { return };
        let makes_parents = self.condition != EditCondition::Present && self.value.is_some();
        let mut parent = entry;
        for name in parents {
            if !parent.get(name).is_some_and(Json::is_object) {
                if !makes_parents {
                    return;
                }
                let Some(members) = parent.as_object_mut() else { return };
                members.insert((*name).to_owned(), Json::Object(Map::new()));
            }
            let Some(next) = parent.get_mut(name) else { return };
            parent = next;
        }
        let Some(members) = parent.as_object_mut() else { return };
        let is_there = members.get(*last).is_some_and(|value| !value.is_null());
        match (self.condition, &self.value) {
            (EditCondition::Absent, _) if is_there => (),
            (EditCondition::Present, _) if !is_there => (),
            (_, Some(value)) => drop(members.insert((*last).to_owned(), value.clone())),
            (_, None) => drop(members.shift_remove(*last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_an_entry_are_set_added_replaced_and_removed() {
        use EditCondition::{Absent, Always, Present};
        for (path, value, condition, expected) in [
            ("new", Some(json!(1)), Always, json!({"a": {"b": 1}, "c": 2, "new": 1})),
            ("c", Some(json!("x")), Always, json!({"a": {"b": 1}, "c": "x"})),
            ("c", Some(json!("x")), Absent, json!({"a": {"b": 1}, "c": 2})),
            ("d", Some(json!("x")), Absent, json!({"a": {"b": 1}, "c": 2, "d": "x"})),
            ("c", Some(json!("x")), Present, json!({"a": {"b": 1}, "c": "x"})),
            ("d", Some(json!("x")), Present, json!({"a": {"b": 1}, "c": 2})),
            ("a.b", Some(json!([1])), Always, json!({"a": {"b": [1]}, "c": 2})),
            ("c.d.e", Some(json!(1)), Always, json!({"a": {"b": 1}, "c": {"d": {"e": 1}}})),
            ("c.d.e", Some(json!(1)), Present, json!({"a": {"b": 1}, "c": 2})),
            ("a.b", None, Always, json!({"a": {}, "c": 2})),
            ("x.y", None, Always, json!({"a": {"b": 1}, "c": 2})),
        ] {
            let mut entry = json!({"a": {"b": 1}, "c": 2});
            EntryEdit { path: path.to_owned(), value, condition }.apply(&mut entry);
            assert_eq!(entry, expected, "{path} {condition:?}");
        }
    }

    #[test]
    fn the_number_of_changes_is_limited() {
        let edits = EntryEdits::default();
        for n in 0..=MAX_EDITS {
            let (path, condition) = (n.to_string(), EditCondition::Always);
            edits.push(EntryEdit { path, value: None, condition });
        }
        assert_eq!(edits.all().len(), MAX_EDITS);
    }
}
