//! The server names of a certificate: plain texts here, entities of their own in a file.
//! (Kong: Certificate object, `snis`.)

use std::collections::{HashMap, HashSet};

use super::{
    collections,
    entities::{EntityKey, refers_to},
    plan::ConfigView,
    refusal::AdminRefusal,
};
use crate::{
    control::write::WritePlan,
    document::{Mapping, Value, distinct, edit::DocumentChange},
    entity::{Entities, EntityRecord},
    schema::EntitySchema,
};

/// The server names that are given to a certificate; `None` if nothing is said of them.
pub(super) type SniNames = Option<Vec<Value>>;

/// Takes them out of what is said of an entity.
///
/// # Errors
/// What is wrong with them, as it stands at `snis`.
pub(super) fn taken_from(entity: &EntitySchema, given: &mut Mapping) -> Result<SniNames, Value> {
    if entity.collection != "certificates" {
        return Ok(None);
    }
    let all = match given.remove("snis") {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Vec::new())),
        Some(Value::Sequence(all)) => all.to_vec(),
        Some(_) => return Err("expected a set".into()),
    };
    let faults: Vec<Value> = all.iter().map(|name| fault(name).map_or(Value::Null, Value::from)).collect();
    if let Some(last) = faults.iter().rposition(|it| !it.is_null()) {
        return Err(faults.into_iter().take(last + 1).collect::<Vec<_>>().into());
    }
    Ok(Some(distinct(all)))
}

/// Why this cannot be a server name.
fn fault(name: &Value) -> Option<String> {
    let Some(text) = name.as_str() else { return Some("expected a string".to_owned()) };
    if text.is_empty() {
        return Some("length must be at least 1".to_owned());
    }
    let field = collections::entity("snis")?.fields.iter().find(|it| it.name == "name")?;
    field.rules.iter().find_map(|rule| rule.check(name).err())
}

/// Both the names and the record, or all that is wrong with either.
pub(super) fn beside(
    names: Result<SniNames, Value>,
    record: Result<Mapping, AdminRefusal>,
) -> Result<(SniNames, Mapping), AdminRefusal> {
    match (names, record) {
        (Ok(names), Ok(record)) => Ok((names, record)),
        (Err(complaint), Err(AdminRefusal::Schema(mut fields))) => {
            fields.insert("snis", complaint);
            Err(AdminRefusal::Schema(fields))
        }
        (Err(complaint), _) => Err(AdminRefusal::field("snis", complaint)),
        (_, Err(refusal)) => Err(refusal),
    }
}

/// A certificate that is named in a path by one of its names has that name, too.
pub(super) fn with_own(names: &mut SniNames, key: &EntityKey) {
    if key.entity.collection == "certificates" && !key.is_id() {
        let own = Value::from(key.text.as_str());
        let all = names.get_or_insert_default();
        if !all.contains(&own) {
            all.push(own);
        }
    }
}

/// Whether none of the names is another certificate's.
pub(super) fn are_free(
    entities: &Entities,
    names: &SniNames,
    own: Option<&EntityRecord>,
) -> Result<(), AdminRefusal> {
    if names.as_ref().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let all = entities.records.iter().filter(|record| record.collection() == "snis");
    let by_name: HashMap<&str, &EntityRecord> =
        all.filter_map(|record| Some((name_of(record)?, record))).collect();
    for name in names.iter().flatten().filter_map(Value::as_str) {
        let Some(sni) = by_name.get(name) else { continue };
        let owner = sni.value.get("certificate").and_then(|it| it.get("id")).and_then(Value::as_str);
        let owner = owner.unwrap_or_default();
        if own.is_none_or(|own| own.id() != owner) {
            let message = format!("{name} already associated with existing certificate '{owner}'");
            return Err(AdminRefusal::field("snis", message));
        }
    }
    Ok(())
}

fn name_of(record: &EntityRecord) -> Option<&str> {
    record.value.get("name").and_then(Value::as_str)
}

impl ConfigView<'_> {
    /// Gives a certificate these names and no others.
    pub(super) fn rename(&self, certificate: &EntityRecord, names: &SniNames, plan: &mut WritePlan) {
        let Some(names) = names else { return };
        let own =
            |it: &&EntityRecord| it.collection() == "snis" && refers_to(it, "certificate", certificate.id());
        let wanted: HashSet<&str> = names.iter().filter_map(Value::as_str).collect();
        let (kept, gone): (Vec<&EntityRecord>, Vec<&EntityRecord>) = self
            .entities
            .records
            .iter()
            .filter(own)
            .partition(|it| name_of(it).is_some_and(|name| wanted.contains(name)));
        let kept: HashSet<&str> = kept.into_iter().filter_map(name_of).collect();
        let is_new = |name: &&Value| name.as_str().is_none_or(|name| !kept.contains(name));
        let Some(entity) = collections::entity("snis") else { return };
        let mut changes = Vec::new();
        for name in names.iter().filter(is_new) {
            let reference: Mapping = [("id", Value::from(certificate.id()))].into_iter().collect();
            let record: Mapping =
                [("name", name.clone()), ("certificate", reference.into())].into_iter().collect();
            changes.extend(self.create(entity, record.clone(), &record, &[]).changes);
            plan.nested += 1;
        }
        // The last ones first, so that the places of the others stay.
        changes.extend(gone.iter().rev().map(|it| DocumentChange::Remove(it.at.clone())));
        plan.gone.extend(gone.iter().map(|it| (it.collection(), it.id().to_owned())));
        if let Some(instead) = &mut plan.instead {
            instead.extend(changes.iter().cloned());
        }
        plan.changes.extend(changes);
    }
}
