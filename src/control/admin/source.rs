//! `/mynah/source/{collection}/{key}`: the lines of one entity in the file, and which of its fields stand there.

use http::{Response, StatusCode};
use serde_json::json;

use super::{AdminApi, collections, entities::EntityKey, refusal::AdminRefusal};
use crate::{
    body::Body,
    config,
    diag::{Diagnostic, DiagnosticReport},
    document::{NodePath, Value},
    entity::{CREATED_AT, ID, UPDATED_AT},
    reply,
    schema::EntitySchema,
};

/// Bytes of a text that is shown; a longer one is left out.
const MAX_SHOWN_BYTES: usize = 1 << 20;

impl AdminApi {
    /// The place of an entity.
    pub(super) fn source(&self, collection: &str, key: &str) -> Result<Response<Body>, AdminRefusal> {
        let entity = collections::entity(collection).or_else(|| collections::top(collection));
        let key =
            entity.and_then(|entity| EntityKey::new(entity, key)).ok_or_else(AdminRefusal::not_found)?;
        // The text and the Snapshot are replaced together, so the hash tells whether they belong together.
        let (snapshot, history) = (self.control.live().current(), self.control.load_history());
        let record = key.find(&snapshot.entities).ok_or_else(AdminRefusal::not_found)?;
        let text = history.text.filter(|text| config::hash(text.text.as_bytes()) == snapshot.origin.hash);
        let Some(source) = text else {
            let message = "the configuration has just changed: ask again";
            return Err(AdminRefusal::plain(StatusCode::CONFLICT, message));
        };
        let mut marks = [Diagnostic::error(record.at.clone(), String::new())];
        config::relocate(&source, &mut marks);
        let report = DiagnosticReport::new(source.clone(), marks.to_vec());
        let [mark] = marks;
        let (file, position) = (report.source_of(&mark), report.position(&mark));
        let text = &file.text;
        let node = text.get(position.bytes.clone()).unwrap_or_default().trim_end();
        let start = text[..position.bytes.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = position.bytes.start + node.len();
        let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
        let lines = &text[start..end];
        // Of several files, each is read alone.
        let part =
            (!source.parts.is_empty()).then(|| config::written(text, history.format).unwrap_or_default());
        let written = mark.path.find(part.as_ref().unwrap_or(&snapshot.origin.document));
        let mut fields = FieldOrigins::default();
        fields.add(&record.value, written, &NodePath::root(), Some(key.entity));
        let answer = json!({
            "file": file.name,
            "path": mark.path.to_string(),
            "first_line": position.line,
            "last_line": position.line + lines.matches('\n').count(),
            "text": (lines.len() <= MAX_SHOWN_BYTES).then_some(lines),
            "written": fields.written,
            "defaults": fields.defaults,
        });
        Ok(reply::json(StatusCode::OK, answer.to_string()))
    }
}

/// Paths of the fields of an entity by their origin.
#[derive(Default)]
struct FieldOrigins {
    /// Those that stand in the file.
    written: Vec<String>,
    /// Those that have their defaults.
    defaults: Vec<String>,
}

impl FieldOrigins {
    /// Sorts the fields of a complete record; `entity` is known for the whole record only.
    fn add(&mut self, record: &Value, written: Option<&Value>, at: &NodePath, entity: Option<&EntitySchema>) {
        let shorthand = entity.and_then(|entity| entity.shorthand);
        let shorthand =
            shorthand.filter(|shorthand| written.is_some_and(|item| is_set(item, shorthand.name)));
        if let Some(shorthand) = shorthand {
            self.written.push(shorthand.name.to_owned());
        }
        for (name, value) in record.entries() {
            let is_given = written.and_then(|written| written.get(name)).filter(|value| !value.is_null());
            let is_derived =
                entity.is_some() && [ID, CREATED_AT, UPDATED_AT].iter().any(|field| field.name == name);
            let is_part =
                shorthand.is_some_and(|shorthand| shorthand.fields.iter().any(|field| field.name == name));
            let at = at.key(name);
            match is_given {
                Some(given) if given.as_mapping().is_some() && value.as_mapping().is_some() => {
                    self.add(value, Some(given), &at, None);
                }
                Some(_) => self.written.push(at.to_string()),
                None if is_derived || is_part || entity.is_some_and(|entity| is_parent(entity, name)) => (),
                None => self.defaults.push(at.to_string()),
            }
        }
    }
}

fn is_set(item: &Value, name: &str) -> bool {
    item.get(name).is_some_and(|value| !value.is_null())
}

/// Whether a field refers to the entity around this one, which the file need not say.
fn is_parent(entity: &EntitySchema, name: &str) -> bool {
    entity.references().any(|(field, _)| field.name == name)
}
