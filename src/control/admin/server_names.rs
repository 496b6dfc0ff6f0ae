//! Server names of a certificate: plain texts in the Admin API, entities of their own in a file. (Kong: Certificate
//! object, `snis`.)

use std::collections::{HashMap, HashSet};

use super::{
    entities::{EntityKey, refers_to},
    plan::ConfigView,
    refusal::AdminRefusal,
};
use crate::{
    control::write::WritePlan,
    document::{Mapping, Value, distinct, edit::DocumentChange},
    entity::{Entities, EntityRecord, ID, certificate, sni},
    schema::EntitySchema,
};

/// The server names that a request gives to a certificate; `None` if it does not mention them.
pub(super) type SniNames = Option<Vec<Value>>;

/// Removes the server names from a given record and returns them.
///
/// # Errors
/// The messages for invalid names, as they appear at `snis`.
pub(super) fn take_names(entity: &EntitySchema, given: &mut Mapping) -> Result<SniNames, Value> {
    if entity != &certificate::ENTITY {
        return Ok(None);
    }
    let all = match given.remove(certificate::SNIS.name) {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Vec::new())),
        Some(Value::Sequence(all)) => all.to_vec(),
        Some(_) => return Err("expected a set".into()),
    };
    let errors: Vec<Value> =
        all.iter().map(|name| name_error(name).map_or(Value::Null, Value::from)).collect();
    if let Some(last) = errors.iter().rposition(|error| !error.is_null()) {
        return Err(errors.into_iter().take(last + 1).collect::<Vec<_>>().into());
    }
    Ok(Some(distinct(all)))
}

/// Why a value cannot be a server name.
fn name_error(name: &Value) -> Option<String> {
    let Some(text) = name.as_str() else { return Some("expected a string".to_owned()) };
    if text.is_empty() {
        return Some("length must be at least 1".to_owned());
    }
    sni::NAME.rules.iter().find_map(|rule| rule.check(name).err())
}

/// Combines the names and the record, or the messages of both.
pub(super) fn combine(
    names: Result<SniNames, Value>,
    record: Result<Mapping, AdminRefusal>,
) -> Result<(SniNames, Mapping), AdminRefusal> {
    match (names, record) {
        (Ok(names), Ok(record)) => Ok((names, record)),
        (Err(message), Err(AdminRefusal::Schema(mut fields))) => {
            fields.insert(certificate::SNIS.name, message);
            Err(AdminRefusal::Schema(fields))
        }
        (Err(message), _) => Err(AdminRefusal::field(certificate::SNIS.name, message)),
        (_, Err(refusal)) => Err(refusal),
    }
}

/// Adds the name by which a path refers to a certificate.
pub(super) fn add_name_of_path(names: &mut SniNames, key: &EntityKey) {
    if key.entity == &certificate::ENTITY && !key.is_id() {
        let own = Value::from(key.text.as_str());
        let all = names.get_or_insert_default();
        if !all.contains(&own) {
            all.push(own);
        }
    }
}

/// Checks that no name belongs to another certificate.
pub(super) fn check_names_free(
    entities: &Entities,
    names: &SniNames,
    own: Option<&EntityRecord>,
) -> Result<(), AdminRefusal> {
    if names.as_ref().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let all = entities.records.iter().filter(|record| record.entity == &sni::ENTITY);
    let by_name: HashMap<&str, &EntityRecord> =
        all.filter_map(|record| Some((name_of(record)?, record))).collect();
    for name in names.iter().flatten().filter_map(Value::as_str) {
        let Some(sni) = by_name.get(name) else { continue };
        let owner = sni.reference(&sni::CERTIFICATE);
        let owner = owner.unwrap_or_default();
        if own.is_none_or(|own| own.id() != owner) {
            let message = format!("{name} already associated with existing certificate '{owner}'");
            return Err(AdminRefusal::field(certificate::SNIS.name, message));
        }
    }
    Ok(())
}

fn name_of(record: &EntityRecord) -> Option<&str> {
    record.text(&sni::NAME)
}

impl ConfigView<'_> {
    /// Replaces the names of a certificate.
    pub(super) fn replace_names(&self, certificate: &EntityRecord, names: &SniNames, plan: &mut WritePlan) {
        let Some(names) = names else { return };
        let own = |record: &&EntityRecord| {
            record.entity == &sni::ENTITY && refers_to(record, &sni::CERTIFICATE, certificate.id())
        };
        let wanted: HashSet<&str> = names.iter().filter_map(Value::as_str).collect();
        let (kept, gone): (Vec<&EntityRecord>, Vec<&EntityRecord>) = self
            .entities
            .records
            .iter()
            .filter(own)
            .partition(|record| name_of(record).is_some_and(|name| wanted.contains(name)));
        let kept: HashSet<&str> = kept.into_iter().filter_map(name_of).collect();
        let is_new = |name: &&Value| name.as_str().is_none_or(|name| !kept.contains(name));
        let mut changes = Vec::new();
        for name in names.iter().filter(is_new) {
            let reference: Mapping = [(ID.name, Value::from(certificate.id()))].into_iter().collect();
            let record: Mapping = [(sni::NAME.name, name.clone()), (sni::CERTIFICATE.name, reference.into())]
                .into_iter()
                .collect();
            changes.extend(self.create(&sni::ENTITY, record.clone(), &record, &[]).changes);
            plan.nested += 1;
        }
        // The last ones first, so that the paths of the others stay valid.
        changes.extend(gone.iter().rev().map(|record| DocumentChange::Remove(record.at.clone())));
        plan.gone.extend(gone.iter().map(|record| (record.collection(), record.id().to_owned())));
        if let Some(fallback) = &mut plan.fallback {
            fallback.extend(changes.iter().cloned());
        }
        plan.changes.extend(changes);
    }
}
