//! Quarantine: entities with errors that are kept out of a configuration, so that the rest of it can be served, and the
//! requests that are refused in their place.
//!
//! It fails closed: what a route with errors may have matched is refused and not passed to another route, and what a
//! plugin with errors would have guarded is refused. Errors that belong to no entity, or to a vault, whose values may
//! stand anywhere, are not quarantined: the whole configuration is refused.

mod credential_block;
mod effects;
mod exclusion;
mod route_fence;
#[cfg(test)]
mod tests;
mod written;

pub use credential_block::{CredentialBlock, CredentialKind};
pub use route_fence::RouteFence;

use std::collections::{HashMap, HashSet};

use self::exclusion::Exclusion;
use super::{
    previous_config::{EntityNode, PreviousConfig},
    resolve::ResolvedEntities,
};
use crate::{
    diag::Diagnostic,
    document::{NodePath, PathStep},
    entity::{Entities, EntityRecord, PluginScope, plugin, vault},
    schema::{CheckedItem, EntitySchema, FieldKind, ParentEntity, PluginSchemas},
};

/// How often the rest of a configuration is tried again with more entities in quarantine.
const MAX_ROUNDS: usize = 64;

/// What a configuration has in quarantine.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    /// The entities with errors, in file order.
    pub entities: Vec<QuarantinedEntity>,
    /// Routes whose requests are refused.
    pub fences: Vec<RouteFence>,
    /// Scopes whose requests are refused.
    pub blocks: Vec<ScopeBlock>,
    /// Credentials whose requests are refused.
    pub credentials: Vec<CredentialBlock>,
}

/// An entity in quarantine.
#[derive(Clone, Debug)]
pub struct QuarantinedEntity {
    /// Its kind.
    pub entity: &'static EntitySchema,
    /// Its name; its path if it has none.
    pub name: String,
    /// Its path.
    pub at: NodePath,
    /// Its first error.
    pub error: Diagnostic,
    /// What becomes of it and of the requests that it concerns.
    pub effect: &'static str,
}

/// The scope of a plugin that is missing or has errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeBlock {
    /// The name of the plugin.
    pub plugin: String,
    /// The requests that it would have handled.
    pub scope: PluginScope,
}

impl Quarantine {
    /// Whether nothing is in quarantine.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }
}

/// The kinds of entities by path.
pub type EntityPlaces = HashMap<NodePath, &'static EntitySchema>;

/// Errors of a configuration by the entity that has them, collected over the phases of a load.
#[derive(Debug, Default)]
pub struct QuarantineState {
    faults: HashMap<NodePath, EntityFaults>,
    rounds: usize,
}

/// The errors of one entity.
#[derive(Debug)]
struct EntityFaults {
    errors: Vec<Diagnostic>,
    /// How often errors have remained after a substitute took its place, plus one.
    strikes: usize,
}

/// What the resolution of references depends on.
pub(super) struct QuarantineContext<'a> {
    pub(super) previous: &'a PreviousConfig<'a>,
    pub(super) plugins: &'a dyn PluginSchemas,
    pub(super) resolve: &'a dyn Fn(Vec<CheckedItem>) -> ResolvedEntities,
}

impl QuarantineState {
    /// Adds errors that a later phase has found in the configuration without what is in quarantine so far. `places` are
    /// the entities of that configuration.
    ///
    /// # Errors
    /// An error belongs to no entity, or the rounds are used up.
    pub fn add(&mut self, errors: Vec<Diagnostic>, places: &EntityPlaces) -> Result<(), Vec<Diagnostic>> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(errors);
        }
        let owners: Option<Vec<NodePath>> = errors.iter().map(|error| find_owner(error, places)).collect();
        let Some(owners) = owners else {
            // All others would be quarantined.
            return Err(errors.into_iter().filter(|error| find_owner(error, places).is_none()).collect());
        };
        let mut struck = HashSet::new();
        for (owner, error) in owners.into_iter().zip(errors) {
            let faults = self
                .faults
                .entry(owner.clone())
                .or_insert_with(|| EntityFaults { errors: Vec::new(), strikes: 0 });
            faults.errors.push(error);
            faults.strikes += usize::from(struck.insert(owner));
        }
        Ok(())
    }

    /// Resolves the items without those that have errors. The first call is given the errors of the check.
    pub(super) fn resolve(
        &mut self,
        items: &[CheckedItem],
        errors: Vec<Diagnostic>,
        context: &QuarantineContext<'_>,
    ) -> Result<(ResolvedEntities, Quarantine), Vec<Diagnostic>> {
        let places: EntityPlaces = items.iter().map(|item| (item.path.clone(), item.entity)).collect();
        let is_first = self.faults.is_empty();
        if is_first {
            self.add(errors, &places)?;
        }
        loop {
            let Exclusion { items, quarantine, blocked } = Exclusion::new(items, &self.faults, context)?;
            let mut resolved = (context.resolve)(items);
            // Errors beyond the bound are found in the next round.
            let found = std::mem::take(&mut resolved.diagnostics).into_iter();
            let (errors, warnings): (Vec<_>, Vec<_>) =
                found.filter(|found| !found.is_about_more()).partition(Diagnostic::is_error);
            if errors.is_empty() {
                resolved.diagnostics = warnings;
                return Ok(take_blocked(resolved, quarantine, &blocked));
            }
            self.add(errors, &places)?;
        }
    }
}

/// The entity that an error is about: the innermost one around its path.
fn find_owner(error: &Diagnostic, places: &EntityPlaces) -> Option<NodePath> {
    if error.file.is_some() {
        return None;
    }
    let steps = error.path.steps();
    let (owner, entity) = (1..=steps.len()).rev().find_map(|length| {
        let path: NodePath = steps[..length].iter().cloned().collect();
        places.get_key_value(&path)
    })?;
    // A list of entities that cannot be read, or something in it that is no record, is not an error of one entity.
    let is_list = match steps.get(owner.steps().len()) {
        Some(PathStep::Key(key)) => {
            entity.field(key).is_some_and(|field| matches!(field.kind, FieldKind::Entities(..)))
        }
        _ => false,
    };
    (!is_list && **entity != vault::ENTITY).then(|| owner.clone())
}

/// Takes the stand-ins of blocked plugins out of the entities; their scopes become blocks.
fn take_blocked(
    resolved: ResolvedEntities,
    mut quarantine: Quarantine,
    blocked: &HashMap<NodePath, String>,
) -> (ResolvedEntities, Quarantine) {
    let ResolvedEntities { mut entities, nodes, diagnostics } = resolved;
    if blocked.is_empty() {
        return (ResolvedEntities { entities, nodes, diagnostics }, quarantine);
    }
    entities.plugins.retain(|entity| match blocked.get(&entity.at) {
        Some(name) => {
            quarantine.blocks.push(ScopeBlock { plugin: name.clone(), scope: entity.scope });
            false
        }
        None => true,
    });
    let nodes = remove_records(&mut entities, nodes, |record| {
        record.entity == &plugin::ENTITY && blocked.contains_key(&record.at)
    });
    (ResolvedEntities { entities, nodes, diagnostics }, quarantine)
}

/// Removes records and their nodes. No removed record is the parent of another one.
fn remove_records(
    entities: &mut Entities,
    nodes: Vec<EntityNode>,
    is_removed: impl Fn(&EntityRecord) -> bool,
) -> Vec<EntityNode> {
    let mut positions = Vec::with_capacity(nodes.len());
    let (mut records, mut kept) = (Vec::new(), Vec::new());
    for (record, node) in std::mem::take(&mut entities.records).into_iter().zip(nodes) {
        positions.push(records.len());
        if !is_removed(&record) {
            let parent = node.parent.map(|parent| ParentEntity { item: positions[parent.item], ..parent });
            kept.push(EntityNode { parent, ..node });
            records.push(record);
        }
    }
    entities.records = records;
    kept
}
