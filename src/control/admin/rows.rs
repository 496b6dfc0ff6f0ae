//! `/mynah/rows/{collection}`: compact rows of one generation, for lists of many thousands that are shown in parts.

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, sync::LazyLock};

use aho_corasick::AhoCorasick;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value as Json, json};

use super::{
    AdminApi, collections,
    query::Query,
    refusal::AdminRefusal,
    row_columns::{RowCell, RowColumn, columns},
};
use crate::{
    body::Body,
    document::Value,
    entity::{Entities, EntityRecord, TAGS, plugin, record_label, route, service},
    reply,
    schema::{EntitySchema, Field},
    snapshot::Snapshot,
};

/// Rows of an answer without `count`, and most of them.
const DEFAULT_ROWS: usize = 100;
const MAX_ROWS: usize = 1000;

/// Bytes of the rows of an answer; further rows are left out.
const MAX_ROW_BYTES: usize = 900 << 10;

/// Most bytes of a searched text.
const MAX_QUERY_BYTES: usize = 200;

/// The states of entities.
const STATES: &[&str] = &["live", "mocked", "off", "none", "quarantined"];

/// The plugin that mocks what its scope serves.
const MOCKING: &str = "mocking";

/// One row: an entity, or one that is in quarantine and has only a name.
enum RowSource<'a> {
    Record(&'a EntityRecord),
    Quarantined(&'a str),
}

/// What the columns of a collection need to know of the other entities.
struct RowContext<'a> {
    kind: &'static EntitySchema,
    columns: Vec<RowColumn>,
    /// Names by id, for references.
    labels: FxHashMap<&'a str, &'a str>,
    /// Numbers of referring entities by id.
    counts: FxHashMap<&'a str, usize>,
    /// Whether everything is mocked; ids of Services and Routes that are; ids of Services that are off.
    mocks_all: bool,
    mocked: FxHashSet<&'a str>,
    off: FxHashSet<&'a str>,
    /// Services of which a Route reaches the Service.
    reached: FxHashSet<&'a str>,
}

impl<'a> RowContext<'a> {
    fn new(kind: &'static EntitySchema, entities: &'a Entities) -> Self {
        let columns = columns(kind);
        let mut context = Self {
            kind,
            labels: FxHashMap::default(),
            counts: FxHashMap::default(),
            mocks_all: false,
            mocked: FxHashSet::default(),
            off: FxHashSet::default(),
            reached: FxHashSet::default(),
            columns,
        };
        let targets: Vec<&EntitySchema> = kind
            .references()
            .filter(|(field, _)| {
                context
                    .columns
                    .iter()
                    .any(|column| matches!(column, RowColumn::Reference(one) if one.name == field.name))
            })
            .map(|(_, target)| target)
            .collect();
        let counted = context.columns.iter().find_map(|column| match column {
            RowColumn::Count(kind, field) => Some((*kind, *field)),
            _ => None,
        });
        for record in &entities.records {
            if targets.contains(&record.entity) {
                context.labels.insert(record.id(), record_label(&record.value).unwrap_or_default());
            }
            if let Some((_, field)) = counted.filter(|(kind, _)| *kind == record.entity)
                && let Some(id) = record.reference(field)
            {
                *context.counts.entry(id).or_default() += 1;
            }
            context.add_state(record);
        }
        if kind == &service::ENTITY {
            for record in entities.records.iter().filter(|record| record.entity == &route::ENTITY) {
                if let Some(service) = record.reference(&route::SERVICE)
                    && !context.mocked.contains(record.id())
                {
                    context.reached.insert(service);
                }
            }
        }
        context
    }

    fn add_state(&mut self, record: &'a EntityRecord) {
        let is_on = |field: &Field| record.value.get(field.name).and_then(Value::as_bool) != Some(false);
        if record.entity == &service::ENTITY && !is_on(&service::ENABLED) {
            self.off.insert(record.id());
        }
        let is_mock = record.entity == &plugin::ENTITY
            && record.text(&plugin::NAME) == Some(MOCKING)
            && is_on(&plugin::ENABLED)
            && record.reference(&plugin::CONSUMER).is_none();
        if is_mock {
            let scope = record.reference(&plugin::ROUTE).or_else(|| record.reference(&plugin::SERVICE));
            match scope {
                Some(id) => drop(self.mocked.insert(id)),
                None => self.mocks_all = true,
            }
        }
    }

    fn state(&self, record: &EntityRecord) -> &'static str {
        let is_mocked = |id: &str| self.mocks_all || self.mocked.contains(id);
        if self.kind == &route::ENTITY {
            let service = record.reference(&route::SERVICE);
            return match service {
                Some(service) if self.off.contains(service) => "off",
                _ if is_mocked(record.id()) || service.is_some_and(is_mocked) => "mocked",
                Some(_) => "live",
                None => "none",
            };
        }
        if self.kind == &service::ENTITY {
            let has_routes = self.counts.contains_key(record.id());
            return if self.off.contains(record.id()) {
                "off"
            } else if is_mocked(record.id()) || has_routes && !self.reached.contains(record.id()) {
                "mocked"
            } else {
                "live"
            };
        }
        let enabled = record.value.get(plugin::ENABLED.name).and_then(Value::as_bool);
        if enabled == Some(false) { "off" } else { "live" }
    }

    fn cell<'b>(&'b self, column: RowColumn, row: &RowSource<'b>) -> RowCell<'b> {
        let record = match row {
            RowSource::Record(record) => record,
            RowSource::Quarantined(name) => {
                let is_name = self.columns.first().is_some_and(|first| first.name() == column.name());
                return match column {
                    RowColumn::State => RowCell::Text("quarantined"),
                    _ if is_name => RowCell::Text(name),
                    _ => RowCell::Nothing,
                };
            }
        };
        match column {
            RowColumn::Field(field) => {
                let value = record.value.get(field.name).filter(|value| !value.is_null());
                value.map_or(RowCell::Nothing, RowCell::Value)
            }
            RowColumn::Reference(field) => match record.reference(field) {
                Some(id) => RowCell::Text(self.labels.get(id).copied().unwrap_or(id)),
                None => RowCell::Nothing,
            },
            RowColumn::Count(..) => {
                RowCell::Number(self.counts.get(record.id()).copied().unwrap_or_default())
            }
            RowColumn::State => RowCell::Text(self.state(record)),
        }
    }

    fn matches(&self, row: &RowSource<'_>, filter: &RowFilter) -> bool {
        if let Some(state) = &filter.state {
            let found = self.cell(RowColumn::State, row);
            if !matches!(found, RowCell::Text(found) if found == state) {
                return false;
            }
        }
        if let Some(tag) = &filter.tag {
            let RowSource::Record(record) = row else { return false };
            let tags = record.value.get(TAGS.name).map(Value::items).unwrap_or_default();
            if !tags.iter().any(|one| one.as_str() == Some(tag)) {
                return false;
            }
        }
        filter.query.as_ref().is_none_or(|query| {
            let searched = self.columns.iter().filter(|column| !matches!(column, RowColumn::State));
            searched.map(|column| self.cell(*column, row)).any(|cell| cell.matches(query))
        })
    }
}

/// Which rows are wanted.
struct RowFilter {
    query: Option<AhoCorasick>,
    state: Option<String>,
    tag: Option<String>,
    from: usize,
    count: usize,
}

impl RowFilter {
    fn new(query: &Query<'_>) -> Result<Self, AdminRefusal> {
        let bad_request = |message: String| AdminRefusal::Plain(StatusCode::BAD_REQUEST, message);
        let state = query.text("state").map(str::to_owned);
        if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
            return Err(bad_request(format!("state must be one of: {}", STATES.join(", "))));
        }
        let text = query.text("q");
        if text.is_some_and(|text| text.len() > MAX_QUERY_BYTES) {
            return Err(bad_request(format!("q must have at most {MAX_QUERY_BYTES} bytes")));
        }
        let search = |text: &str| AhoCorasick::builder().ascii_case_insensitive(true).build([text]).ok();
        Ok(Self {
            query: text.and_then(search),
            state,
            tag: query.text("tag").map(str::to_owned),
            from: query.number("from", usize::MAX).map_err(bad_request)?.unwrap_or_default(),
            count: query.number("count", MAX_ROWS).map_err(bad_request)?.unwrap_or(DEFAULT_ROWS),
        })
    }
}

impl AdminApi {
    /// Rows of a collection.
    pub(super) fn rows(
        &self,
        collection: &str,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, AdminRefusal> {
        let kind = collections::entity(collection).ok_or_else(AdminRefusal::not_found)?;
        let snapshot = self.control.live().current();
        let parameters = Query::new(query);
        let wanted = parameters.number("generation", u64::MAX);
        let wanted = wanted.map_err(|message| AdminRefusal::Plain(StatusCode::BAD_REQUEST, message))?;
        if wanted.is_some_and(|wanted| wanted != snapshot.generation) {
            let message = "this generation is no longer live: begin again with the live one";
            let answer = json!({ "message": message, "generation": snapshot.generation });
            return Ok(reply::json(StatusCode::GONE, answer.to_string()));
        }
        let filter = RowFilter::new(&parameters)?;
        let etag = etag(&snapshot, collection, query);
        let known =
            headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut response = if known.split(',').any(|known| known.trim() == etag) {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            reply::json(StatusCode::OK, list(kind, &snapshot, &filter).to_string())
        };
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        Ok(response)
    }
}

/// The entity tag of an answer: of this process, this generation and this query.
fn etag(snapshot: &Snapshot, collection: &str, query: &str) -> String {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let hash = SEED.hash_one((&snapshot.hash, collection, query));
    format!("\"{}-{hash:016x}\"", snapshot.generation)
}

fn list(kind: &'static EntitySchema, snapshot: &Snapshot, filter: &RowFilter) -> Json {
    let context = RowContext::new(kind, &snapshot.entities);
    let records = snapshot.entities.records.iter().filter(|record| record.entity == kind);
    let quarantined = snapshot.quarantined().iter().filter(|quarantined| quarantined.entity == kind);
    let all = records
        .map(RowSource::Record)
        .chain(quarantined.map(|quarantined| RowSource::Quarantined(&quarantined.name)));
    let (mut total, mut matched, mut bytes) = (0_usize, 0_usize, 0);
    let mut rows = Vec::new();
    for row in all {
        total += 1;
        if !context.matches(&row, filter) {
            continue;
        }
        matched += 1;
        if matched <= filter.from || rows.len() >= filter.count || bytes >= MAX_ROW_BYTES {
            continue;
        }
        let cells: Vec<Json> =
            context.columns.iter().map(|column| context.cell(*column, &row).to_json()).collect();
        let cells = Json::from(cells);
        bytes += cells.to_string().len() + 1;
        if bytes < MAX_ROW_BYTES {
            rows.push(cells);
        }
    }
    json!({
        "generation": snapshot.generation,
        "columns": context.columns.iter().map(|column| column.name()).collect::<Vec<_>>(),
        "total": total,
        "matched": matched,
        "from": filter.from,
        "rows": rows,
    })
}
