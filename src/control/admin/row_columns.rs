//! Columns of the rows of each collection, and the values in them.

use aho_corasick::AhoCorasick;
use serde_json::Value as Json;

use crate::{
    document::Value,
    entity::{ID, TAGS, consumer, plugin, route, service, target, upstream},
    schema::{EntitySchema, Field, FieldKind},
    text_diff::cut,
};

/// Items of a list that a row shows, and bytes of a text.
const MAX_ITEMS: usize = 16;
const MAX_TEXT_BYTES: usize = 256;

/// What stands in a column.
#[derive(Clone, Copy)]
pub(super) enum RowColumn {
    /// The value of a field.
    Field(&'static Field),
    /// The name of the entity that a field refers to; its id if it has no name.
    Reference(&'static Field),
    /// The number of entities of this kind that refer to the entity with the field.
    Count(&'static EntitySchema, &'static Field),
    /// The state.
    State,
}

impl RowColumn {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Field(field) | Self::Reference(field) => field.name,
            Self::Count(kind, _) => kind.collection,
            Self::State => "state",
        }
    }
}

/// The columns of the rows of a kind.
pub(super) fn columns(kind: &'static EntitySchema) -> Vec<RowColumn> {
    use RowColumn::{Count, Field, Reference, State};
    match kind.collection {
        "routes" => vec![
            Field(&route::NAME),
            Field(&ID),
            Field(&route::HOSTS),
            Field(&route::PATHS),
            Field(&route::METHODS),
            Reference(&route::SERVICE),
            State,
            Field(&TAGS),
        ],
        "services" => vec![
            Field(&service::NAME),
            Field(&ID),
            Field(&service::PROTOCOL),
            Field(&service::HOST),
            Field(&service::PORT),
            Field(&service::PATH),
            Count(&route::ENTITY, &route::SERVICE),
            State,
            Field(&TAGS),
        ],
        "consumers" => {
            vec![Field(&consumer::USERNAME), Field(&ID), Field(&consumer::CUSTOM_ID), State, Field(&TAGS)]
        }
        "plugins" => vec![
            Field(&plugin::NAME),
            Field(&ID),
            Field(&plugin::INSTANCE_NAME),
            Reference(&plugin::ROUTE),
            Reference(&plugin::SERVICE),
            Reference(&plugin::CONSUMER),
            State,
            Field(&TAGS),
        ],
        "upstreams" => vec![
            Field(&upstream::NAME),
            Field(&ID),
            Field(&upstream::ALGORITHM),
            Count(&target::ENTITY, &target::UPSTREAM),
            State,
            Field(&TAGS),
        ],
        _ => {
            // A key is the name of some credentials in paths.
            let is_shown = |field: &&'static crate::schema::Field| matches!(field.kind, FieldKind::String);
            let name = kind.name_field.filter(is_shown).map(Field);
            let references = kind.references().map(|(field, _)| Reference(field));
            let first = name.into_iter().chain([Field(&ID)]);
            first.chain(references).chain([State, Field(&TAGS)]).collect()
        }
    }
}

/// A value in a row, as it is searched and shown.
pub(super) enum RowCell<'a> {
    Value(&'a Value),
    Text(&'a str),
    Number(usize),
    Nothing,
}

impl RowCell<'_> {
    pub(super) fn matches(&self, query: &AhoCorasick) -> bool {
        match self {
            Self::Value(value) => match value.as_str() {
                Some(text) => query.is_match(text),
                None => value.items().iter().filter_map(Value::as_str).any(|text| query.is_match(text)),
            },
            Self::Text(text) => query.is_match(*text),
            Self::Number(_) | Self::Nothing => false,
        }
    }

    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Value(value) => match (value.as_str(), value.as_sequence()) {
                (Some(text), _) => cut(text, MAX_TEXT_BYTES).into(),
                (None, Some(items)) => {
                    let shown = items.iter().take(MAX_ITEMS);
                    let mut shown: Vec<Json> = shown
                        .map(|item| {
                            item.as_str()
                                .map_or_else(|| Json::from(item), |text| cut(text, MAX_TEXT_BYTES).into())
                        })
                        .collect();
                    if items.len() > MAX_ITEMS {
                        shown.push(format!("… {} more", items.len() - MAX_ITEMS).into());
                    }
                    shown.into()
                }
                (None, None) => Json::from(*value),
            },
            Self::Text(text) => cut(text, MAX_TEXT_BYTES).into(),
            Self::Number(number) => (*number).into(),
            Self::Nothing => Json::Null,
        }
    }
}
