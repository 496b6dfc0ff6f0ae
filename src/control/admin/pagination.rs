//! Pagination of lists: `size`, `offset`, `tags`. (Kong: Admin API, "Pagination" and "Tags".)

use std::ops::Range;

use http::{Response, StatusCode};

use super::refusal::AdminRefusal;
use crate::{
    base64_codec,
    body::Body,
    document::{Mapping, Value},
    entity::{ID, TAGS},
    reply,
};

/// Query parameters of a list.
#[derive(Debug, Default)]
pub(super) struct ListQuery {
    size: Option<usize>,
    /// Key of the first row of the page.
    start: Option<String>,
    tags: TagFilter,
    /// The `tags` parameter as given.
    tags_text: Option<String>,
}

#[derive(Debug, Default)]
enum TagFilter {
    #[default]
    Any,
    AllOf(Vec<String>),
    AnyOf(Vec<String>),
}

impl ListQuery {
    pub(super) fn parse(query: &str) -> Result<Self, AdminRefusal> {
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // Clients that follow `next` repeat their parameters; the last one counts.
        let last =
            |name: &str| query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let mut list_query = Self::default();
        if let Some(text) = last("size") {
            let number: f64 = text.trim().parse().map_err(|_| invalid_size("size must be a number"))?;
            if number.fract() != 0.0 || !(1.0..=1000.0).contains(&number) {
                return Err(invalid_size("size must be an integer between 1 and 1000"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and in range: the test before says so"
            )]
            let size = number as usize;
            list_query.size = Some(size);
        }
        if let Some(text) = last("offset") {
            list_query.start = Some(parse_offset(text)?);
        }
        if let Some(text) = last("tags") {
            list_query.tags = parse_tags(text)?;
            list_query.tags_text = Some(text.to_owned());
        }
        Ok(list_query)
    }

    fn accepts(&self, record: &Value) -> bool {
        let has = |tag: &String| {
            let all = record.get(TAGS.name).map(Value::items).unwrap_or_default();
            all.iter().any(|own| own.as_str() == Some(tag.as_str()))
        };
        match &self.tags {
            TagFilter::Any => true,
            TagFilter::AllOf(tags) => tags.iter().all(has),
            TagFilter::AnyOf(tags) => tags.iter().any(has),
        }
    }

    /// Answers one page of records. Lists below another entity ignore `tags`.
    pub(super) fn answer_records(&self, mut records: Vec<Value>, path: &str, nested: bool) -> Response<Body> {
        if !nested {
            records.retain(|record| self.accepts(record));
        }
        records.sort_by(|one, other| id_of(one).cmp(id_of(other)));
        self.answer_rows(&records, path, nested, id_of)
    }

    /// Answers one page of rows, which are sorted by their keys.
    pub(super) fn answer_rows(
        &self,
        rows: &[Value],
        path: &str,
        nested: bool,
        key: fn(&Value) -> &str,
    ) -> Response<Body> {
        let range = self.page_range(rows, key);
        let next = rows.get(range.end);
        let page: Vec<Value> = rows.get(range).unwrap_or_default().iter().map(without_key).collect();
        let mut answer: Mapping = [("data", Value::from(page)), ("next", Value::Null)].into_iter().collect();
        if let Some(next) = next {
            let (next, offset) = self.next_page(key(next), path, nested);
            answer.insert("next", next);
            answer.insert("offset", offset);
        }
        reply::json(StatusCode::OK, Value::from(answer).to_json())
    }

    /// The rows of the page among all, which are sorted by their keys.
    pub(super) fn page_range<T>(&self, rows: &[T], key: impl Fn(&T) -> &str) -> Range<usize> {
        let first_key = self.start.as_deref().unwrap_or_default();
        let start = rows.partition_point(|row| key(row) < first_key);
        start..start.saturating_add(self.size.unwrap_or(100)).min(rows.len())
    }

    /// The URL of the next page, which begins with the row of this key, and its offset.
    pub(super) fn next_page(&self, key: &str, path: &str, nested: bool) -> (String, String) {
        let text = Value::from(vec![Value::from(key)]).to_json();
        let offset = base64_codec::encode_url(text);
        let mut next = format!("{path}?offset={offset}");
        if !nested {
            for (name, value) in
                [("tags", self.tags_text.clone()), ("size", self.size.map(|size| size.to_string()))]
            {
                if let Some(value) = value {
                    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
                    next = format!("{next}&{name}={value}");
                }
            }
        }
        (next, offset)
    }
}

fn id_of(record: &Value) -> &str {
    record.get(ID.name).and_then(Value::as_str).unwrap_or_default()
}

/// A row without the key that is only there for sorting.
fn without_key(row: &Value) -> Value {
    if row.get("").is_none() {
        return row.clone();
    }
    let mut row = row.as_mapping().cloned().unwrap_or_default();
    row.remove("");
    row.into()
}

fn invalid_size(message: &str) -> AdminRefusal {
    AdminRefusal::Coded { code: 9, name: "invalid size", message: message.to_owned() }
}

fn parse_offset(text: &str) -> Result<String, AdminRefusal> {
    let invalid = |what: &str| {
        let message = format!("'{text}' is not a valid offset: {what}");
        AdminRefusal::Coded { code: 7, name: "invalid offset", message }
    };
    let is_base64 = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'='));
    if !is_base64 {
        return Err(invalid("bad base64 encoding"));
    }
    let url_safe = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let bytes = base64_codec::decode_url(&url_safe).unwrap_or_else(|| vec![0xff]);
    // An offset that was not created here is taken for a key, as Kong does without a database; usually no row follows
    // it.
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let first = value.items().first().and_then(Value::as_str);
    Ok(first.map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), str::to_owned))
}

fn parse_tags(text: &str) -> Result<TagFilter, AdminRefusal> {
    if text.is_empty() {
        return Err(AdminRefusal::InvalidOption("tags", "cannot be null"));
    }
    let mixed = text.contains(',') && text.contains('/');
    let separator = if text.contains('/') { '/' } else { ',' };
    let all: Vec<String> = text.split(separator).map(str::to_owned).collect();
    if mixed || all.iter().any(String::is_empty) {
        return Err(AdminRefusal::InvalidOption("tags", "invalid filter syntax"));
    }
    if all.len() > 5 {
        return Err(AdminRefusal::InvalidOption("tags", "cannot query more than 5 tags"));
    }
    Ok(if separator == '/' { TagFilter::AnyOf(all) } else { TagFilter::AllOf(all) })
}
