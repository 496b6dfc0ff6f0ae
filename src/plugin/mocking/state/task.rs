//! Effect of a request on a collection or an item.

use http::{HeaderValue, StatusCode, header::LOCATION};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{MockState, OperationRole, resource::ItemShape, store::StoreError};
use crate::{
    document::{Mapping, Value},
    mock::{ChosenAnswer, MockRefusal, MockRequest, MockResponse, ResponseError, ResponseMaker},
};

/// The task of a request.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct StateTask<'a> {
    pub(super) state: &'a MockState,
    pub(super) shape: &'a ItemShape,
    pub(super) operation: usize,
    /// The effect.
    pub(in super::super) role: OperationRole,
    pub(super) success: &'a str,
}

/// The result of a task.
#[expect(
    clippy::large_enum_variant,
    reason = "values are short-lived, and the large variant is the common one"
)]
pub(in super::super) enum TaskOutcome<'a> {
    /// An answer of the document.
    Answer(ChosenAnswer<'a>, Result<MockResponse, ResponseError>),
    /// An error for which the document has no answer.
    Refused(StatusCode, &'static str),
}

impl<'a> StateTask<'a> {
    /// Runs the task. None for a task that only reads, if `maker` may not wait and the lock is held or the answer takes too
    /// long.
    ///
    /// # Errors
    /// The document has no answer of a success that the client accepts; the state is unchanged.
    pub(in super::super) fn run(
        self,
        maker: ResponseMaker<'_>,
        request: &MockRequest<'a>,
        body: &[u8],
    ) -> Result<Option<TaskOutcome<'a>>, MockRefusal> {
        let chosen = maker.mock.choose(
            self.operation,
            &MockRequest { status: Some(self.success), ..*request },
            &mut |_| 0,
        )?;
        let path = request.path.trim_end_matches('/');
        let (collection, last) = match self.role {
            OperationRole::List | OperationRole::Create => (path, ""),
            _ => path.rsplit_once('/').unwrap_or((path, "")),
        };
        let name = percent_decode_str(last).decode_utf8_lossy();
        let mut given = Mapping::default();
        if self.role.needs_body() {
            match parse_object(body) {
                Some(object) => given = object,
                None => {
                    let message = "the body should be a JSON object";
                    return Ok(Some(TaskOutcome::Refused(StatusCode::BAD_REQUEST, message)));
                }
            }
        }
        let result = match self.role {
            OperationRole::List | OperationRole::Read => {
                let Some(store) = self.state.lock_store(!maker.at_once) else { return Ok(None) };
                match self.role {
                    OperationRole::List => {
                        let items = store.list(collection, self.shape);
                        drop(store);
                        Ok(self.shape.envelope.as_ref().map(|envelope| envelope.wrap(items)))
                    }
                    _ => store.item(collection, self.shape, &name).map(Some).ok_or(StoreError::Missing),
                }
            }
            OperationRole::Create => self.create(collection, given),
            OperationRole::Replace | OperationRole::Change => self.write(collection, &name, given),
            OperationRole::Remove => self.state.lock().remove(collection, self.shape, &name).map(|()| None),
        };
        match result {
            Ok(None) => {
                Ok(maker.make(&chosen, request.sample_mode).map(|answer| TaskOutcome::Answer(chosen, answer)))
            }
            Ok(Some(value)) => {
                let answer = maker.make_with_body(&chosen, request.sample_mode, &value);
                Ok(answer.map(|mut answer| {
                    if let Ok(answer) = &mut answer {
                        self.set_location(answer, collection, &value);
                    }
                    TaskOutcome::Answer(chosen, answer)
                }))
            }
            Err(error) => Ok(self.error_outcome(maker, request, error)),
        }
    }

    fn create(self, collection: &str, mut given: Mapping) -> Result<Option<Value>, StoreError> {
        let key = self.shape.key.as_str();
        let has_name = matches!(given.get(key), Some(Value::String(_) | Value::Number(_)));
        let mut store = self.state.lock();
        if !has_name {
            given.remove(key);
            let name = (key, store.unused_name(collection, self.shape));
            let rest = given.iter().map(|(key, value)| (key, value.clone()));
            given = std::iter::once(name).chain(rest).collect();
        }
        let item = self.complete(given);
        store.add(collection, self.shape, &item).map(|()| Some(item))
    }

    fn write(self, collection: &str, name: &str, given: Mapping) -> Result<Option<Value>, StoreError> {
        let mut store = self.state.lock();
        let before = store.item(collection, self.shape, name).ok_or(StoreError::Missing)?;
        let key = self.shape.key.as_str();
        let old_name = before.get(key).cloned().unwrap_or_default();
        let mut after = if self.role == OperationRole::Change {
            merge(&before, &given.into()).into_mapping().unwrap_or_default()
        } else if given.contains_key(key) {
            given
        } else {
            let rest = given.iter().map(|(key, value)| (key, value.clone()));
            std::iter::once((key, old_name.clone())).chain(rest).collect()
        };
        after.insert(key, old_name);
        let item = self.complete(after);
        store.replace(collection, self.shape, name, &item).map(|()| Some(item))
    }

    /// Adds the required properties that an item lacks.
    fn complete(self, mut item: Mapping) -> Value {
        for (name, value) in self.shape.required.iter().filter(|(name, _)| *name != self.shape.key) {
            if !item.contains_key(name) {
                item.insert(name, value.clone());
            }
        }
        item.into()
    }

    /// Sets the `Location` of a created item, if the document declares the header.
    fn set_location(self, answer: &mut MockResponse, collection: &str, item: &Value) {
        if self.role != OperationRole::Create || !answer.headers.contains_key(LOCATION) {
            return;
        }
        let name = match item.get(&self.shape.key) {
            Some(Value::String(text)) => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
            Some(other) => other.to_json(),
            None => return,
        };
        if let Ok(value) = HeaderValue::from_str(&format!("{collection}/{name}")) {
            answer.headers.insert(LOCATION, value);
        }
    }

    /// The outcome of an error: the answer of the document if it has one for the status.
    fn error_outcome(
        self,
        maker: ResponseMaker<'_>,
        request: &MockRequest<'a>,
        error: StoreError,
    ) -> Option<TaskOutcome<'a>> {
        let (code, status, message) = match error {
            StoreError::Missing => ("404", StatusCode::NOT_FOUND, "there is no such item"),
            StoreError::Taken => ("409", StatusCode::CONFLICT, "there is such an item already"),
            StoreError::Full => {
                ("507", StatusCode::INSUFFICIENT_STORAGE, "the mock has no room for more items")
            }
        };
        let request = MockRequest { status: Some(code), ..*request };
        match maker.mock.choose(self.operation, &request, &mut |_| 0) {
            Ok(chosen) => Some(TaskOutcome::Answer(chosen, maker.make(&chosen, request.sample_mode)?)),
            Err(_) => Some(TaskOutcome::Refused(status, message)),
        }
    }
}

/// The body as a JSON object.
fn parse_object(body: &[u8]) -> Option<Mapping> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Value::from(&value).into_mapping()
}

/// Applies a JSON merge patch. The recursion is as deep as the patch, which the parser bounds. (RFC 7396, section 2)
fn merge(target: &Value, patch: &Value) -> Value {
    let Value::Mapping(changes) = patch else { return patch.clone() };
    let mut merged = target.as_mapping().cloned().unwrap_or_default();
    for (key, change) in changes.iter() {
        if change.is_null() {
            merged.remove(key);
        } else {
            let value = merge(merged.get(key).unwrap_or(&Value::Null), change);
            merged.insert(key, value);
        }
    }
    merged.into()
}

#[cfg(test)]
mod tests {
    use super::{super::super::super::test_support::json, *};

    #[test]
    fn patches_merge_as_rfc_7396_shows() {
        for (target, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r"{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merge(&json(target), &json(patch)).to_json(), expected, "{target} {patch}");
        }
    }
}
