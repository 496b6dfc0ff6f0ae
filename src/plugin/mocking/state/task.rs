//! What a request does with a collection or an item.

use http::{HeaderValue, StatusCode, header::LOCATION};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{MockState, OperationRole, resource::ItemShape, store::StoreError};
use crate::{
    document::{Mapping, Value},
    mock::{ChosenAnswer, MockRefusal, MockRequest, MockResponse, ResponseError, ResponseMaker},
};

/// What a request does.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct StateTask<'a> {
    pub(super) state: &'a MockState,
    pub(super) shape: &'a ItemShape,
    pub(super) operation: usize,
    /// What it does.
    pub(in super::super) role: OperationRole,
    pub(super) success: &'a str,
}

/// What came of it.
#[expect(clippy::large_enum_variant, reason = "it lives for a moment, and the large one is the usual one")]
pub(in super::super) enum TaskOutcome<'a> {
    /// An answer of the document.
    Answer(ChosenAnswer<'a>, Result<MockResponse, ResponseError>),
    /// What the document has no answer for.
    Refused(StatusCode, &'static str),
}

impl<'a> StateTask<'a> {
    /// Does it; none if it reads, and the answer takes longer than `maker` may.
    ///
    /// # Errors
    /// The document has no answer to a success that the client accepts; nothing has been done then.
    pub(in super::super) fn run(
        self,
        maker: ResponseMaker<'_>,
        asked: &MockRequest<'a>,
        body: &[u8],
    ) -> Result<Option<TaskOutcome<'a>>, MockRefusal> {
        let chosen = maker.mock.choose(
            self.operation,
            &MockRequest { status: Some(self.success), ..*asked },
            &mut |_| 0,
        )?;
        let path = asked.path.trim_end_matches('/');
        let (collection, last) = match self.role {
            OperationRole::List | OperationRole::Create => (path, ""),
            _ => path.rsplit_once('/').unwrap_or((path, "")),
        };
        let name = percent_decode_str(last).decode_utf8_lossy();
        let mut given = Mapping::default();
        if self.role.reads_a_body() {
            match object(body) {
                Some(object) => given = object,
                None => {
                    let message = "the body should be a JSON object";
                    return Ok(Some(TaskOutcome::Refused(StatusCode::BAD_REQUEST, message)));
                }
            }
        }
        let done = match self.role {
            OperationRole::List | OperationRole::Read => {
                let Some(store) = self.state.look(!maker.at_once) else { return Ok(None) };
                match self.role {
                    OperationRole::List => {
                        let items = store.list(collection, self.shape);
                        drop(store);
                        Ok(self.shape.envelope.as_ref().map(|it| it.wrap(items)))
                    }
                    _ => store.item(collection, self.shape, &name).map(Some).ok_or(StoreError::Missing),
                }
            }
            OperationRole::Create => self.create(collection, given),
            OperationRole::Replace | OperationRole::Change => self.write(collection, &name, given),
            OperationRole::Remove => self.state.lock().remove(collection, self.shape, &name).map(|()| None),
        };
        match done {
            Ok(None) => {
                Ok(maker.make(&chosen, asked.sample_mode).map(|answer| TaskOutcome::Answer(chosen, answer)))
            }
            Ok(Some(value)) => {
                let answer = maker.make_with_body(&chosen, asked.sample_mode, &value);
                Ok(answer.map(|mut answer| {
                    if let Ok(answer) = &mut answer {
                        self.locate(answer, collection, &value);
                    }
                    TaskOutcome::Answer(chosen, answer)
                }))
            }
            Err(unwritten) => Ok(self.fail(maker, asked, unwritten)),
        }
    }

    fn create(self, collection: &str, mut given: Mapping) -> Result<Option<Value>, StoreError> {
        let key = self.shape.key.as_str();
        let named = matches!(given.get(key), Some(Value::String(_) | Value::Number(_)));
        let mut store = self.state.lock();
        if !named {
            given.remove(key);
            let name = (key, store.fresh_name(collection, self.shape));
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
        let its_name = before.get(key).cloned().unwrap_or_default();
        let mut after = if self.role == OperationRole::Change {
            merge(&before, &given.into()).into_mapping().unwrap_or_default()
        } else if given.contains_key(key) {
            given
        } else {
            let rest = given.iter().map(|(key, value)| (key, value.clone()));
            std::iter::once((key, its_name.clone())).chain(rest).collect()
        };
        after.insert(key, its_name);
        let item = self.complete(after);
        store.replace(collection, self.shape, name, &item).map(|()| Some(item))
    }

    /// Adds what every item must have.
    fn complete(self, mut item: Mapping) -> Value {
        for (name, value) in self.shape.required.iter().filter(|(name, _)| *name != self.shape.key) {
            if !item.contains_key(name) {
                item.insert(name, value.clone());
            }
        }
        item.into()
    }

    /// A `Location` that the document declares leads to what was created.
    fn locate(self, answer: &mut MockResponse, collection: &str, item: &Value) {
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

    /// An error, in the words of the document if it has some.
    fn fail(
        self,
        maker: ResponseMaker<'_>,
        asked: &MockRequest<'a>,
        unwritten: StoreError,
    ) -> Option<TaskOutcome<'a>> {
        let (code, status, message) = match unwritten {
            StoreError::Missing => ("404", StatusCode::NOT_FOUND, "there is no such item"),
            StoreError::Taken => ("409", StatusCode::CONFLICT, "there is such an item already"),
            StoreError::Full => {
                ("507", StatusCode::INSUFFICIENT_STORAGE, "the mock has no room for more items")
            }
        };
        let asked = MockRequest { status: Some(code), ..*asked };
        match maker.mock.choose(self.operation, &asked, &mut |_| 0) {
            Ok(chosen) => Some(TaskOutcome::Answer(chosen, maker.make(&chosen, asked.sample_mode)?)),
            Err(_) => Some(TaskOutcome::Refused(status, message)),
        }
    }
}

fn object(body: &[u8]) -> Option<Mapping> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Value::from(&value).into_mapping()
}

/// A JSON merge patch; as deep as the patch, which its reader has bounded. (RFC 7396, section 2)
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
