//! Lists in pages: `size`, `offset`, `tags`. (Kong: Admin API, "Pagination" and "Tags".)

use http::{Response, StatusCode};

use super::refusal::AdminRefusal;
use crate::{
    base64_codec,
    body::Body,
    document::{Mapping, Value},
    reply,
};

/// What the query of a list asks for.
#[derive(Debug, Default)]
pub(super) struct ListQuery {
    size: Option<usize>,
    /// The id that the page begins with.
    from: Option<String>,
    tags: TagFilter,
    /// The tags as they were given.
    written: Option<String>,
}

#[derive(Debug, Default)]
enum TagFilter {
    #[default]
    Whatever,
    All(Vec<String>),
    Any(Vec<String>),
}

impl ListQuery {
    pub(super) fn read(query: &str) -> Result<Self, AdminRefusal> {
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // Clients that follow `next` repeat what they asked for.
        let last =
            |name: &str| query.iter().rev().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
        let mut asked = Self::default();
        if let Some(text) = last("size") {
            let number: f64 = text.trim().parse().map_err(|_| size("size must be a number"))?;
            if number.fract() != 0.0 || !(1.0..=1000.0).contains(&number) {
                return Err(size("size must be an integer between 1 and 1000"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and in range: the test before says so"
            )]
            let whole = number as usize;
            asked.size = Some(whole);
        }
        if let Some(text) = last("offset") {
            asked.from = Some(offset(text)?);
        }
        if let Some(text) = last("tags") {
            asked.tags = tags(text)?;
            asked.written = Some(text.to_owned());
        }
        Ok(asked)
    }

    fn wants(&self, record: &Value) -> bool {
        let has = |tag: &String| {
            let all = record.get("tags").map(Value::items).unwrap_or_default();
            all.iter().any(|it| it.as_str() == Some(tag.as_str()))
        };
        match &self.tags {
            TagFilter::Whatever => true,
            TagFilter::All(tags) => tags.iter().all(has),
            TagFilter::Any(tags) => tags.iter().any(has),
        }
    }

    /// One page of records; lists below another entity have all of them, whatever their tags.
    pub(super) fn page(&self, mut records: Vec<Value>, path: &str, nested: bool) -> Response<Body> {
        if !nested {
            records.retain(|it| self.wants(it));
        }
        records.sort_by(|one, other| id(one).cmp(id(other)));
        self.rows(&records, path, nested, id)
    }

    /// One page of rows that are in the order of their keys.
    pub(super) fn rows(
        &self,
        rows: &[Value],
        path: &str,
        nested: bool,
        key: fn(&Value) -> &str,
    ) -> Response<Body> {
        let from = self.from.as_deref().unwrap_or_default();
        let start = rows.partition_point(|it| key(it) < from);
        let end = start.saturating_add(self.size.unwrap_or(100)).min(rows.len());
        let page: Vec<Value> = rows.get(start..end).unwrap_or_default().iter().map(without_key).collect();
        let mut answer: Mapping = [("data", Value::from(page)), ("next", Value::Null)].into_iter().collect();
        if let Some(next) = rows.get(end) {
            let text = Value::from(vec![Value::from(key(next))]).to_json();
            let offset = base64_codec::encode_url(text);
            let mut next = format!("{path}?offset={offset}");
            if !nested {
                for (name, value) in
                    [("tags", self.written.clone()), ("size", self.size.map(|it| it.to_string()))]
                {
                    if let Some(value) = value {
                        let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
                        next = format!("{next}&{name}={value}");
                    }
                }
            }
            answer.insert("next", next);
            answer.insert("offset", offset);
        }
        reply::json(StatusCode::OK, Value::from(answer).to_json())
    }
}

fn id(record: &Value) -> &str {
    record.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// A row without the key that is only there for its order.
fn without_key(row: &Value) -> Value {
    if row.get("").is_none() {
        return row.clone();
    }
    let mut row = row.as_mapping().cloned().unwrap_or_default();
    row.remove("");
    row.into()
}

fn size(message: &str) -> AdminRefusal {
    AdminRefusal::Coded { code: 9, name: "invalid size", message: message.to_owned() }
}

fn offset(text: &str) -> Result<String, AdminRefusal> {
    let bad = |what: &str| {
        let message = format!("'{text}' is not a valid offset: {what}");
        AdminRefusal::Coded { code: 7, name: "invalid offset", message }
    };
    let letters =
        text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'+' | b'/' | b'='));
    if !letters {
        return Err(bad("bad base64 encoding"));
    }
    let whole = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let bytes = base64_codec::decode_url(&whole).unwrap_or_else(|| vec![0xff]);
    // What is no offset of ours is taken for a key, as Kong does without a database: most often nothing follows it.
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let first = value.items().first().and_then(Value::as_str);
    Ok(first.map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), str::to_owned))
}

fn tags(text: &str) -> Result<TagFilter, AdminRefusal> {
    if text.is_empty() {
        return Err(AdminRefusal::Options("tags", "cannot be null"));
    }
    let mixed = text.contains(',') && text.contains('/');
    let by = if text.contains('/') { '/' } else { ',' };
    let all: Vec<String> = text.split(by).map(str::to_owned).collect();
    if mixed || all.iter().any(String::is_empty) {
        return Err(AdminRefusal::Options("tags", "invalid filter syntax"));
    }
    if all.len() > 5 {
        return Err(AdminRefusal::Options("tags", "cannot query more than 5 tags"));
    }
    Ok(if by == '/' { TagFilter::Any(all) } else { TagFilter::All(all) })
}
