//! Conversion of records to entities: each in its list, references as positions in other lists.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::vault::{self, VaultPrefixes};
use crate::{
    diag::Diagnostic,
    document::{NodePath, SharedText, Value},
    entity::{
        self, CaCertificate, CaCertificateIndex, Certificate, CertificateIndex, Consumer, ConsumerIndex,
        Entities, EntityRecord, ID, PluginEntity, PluginScope, Route, RouteIndex, Service, ServiceIndex, Sni,
        Target, TargetIndex, Upstream, UpstreamIndex, acl, basicauth_credential, ca_certificate, certificate,
        consumer, jwt_secret, keyauth_credential, plugin, route, service, sni, target, upstream,
    },
    schema::{CheckedItem, EntitySchema, Field, PluginSchemas},
};

/// Makes entities of records whose references are ids of existing entities.
pub(super) struct EntityCollector<'a> {
    records: Vec<EntityRecord>,
    previous: &'a Entities,
    plugins: &'a dyn PluginSchemas,
    /// Positions by collection and id.
    positions: FxHashMap<(&'static str, SharedText), usize>,
    warnings: Vec<Diagnostic>,
}

/// Adds the value of a record to its Consumer.
type AttachToConsumer = fn(&mut Consumer, &Value, &NodePath);

/// The kinds of entities that are parts of Consumers.
const PARTS_OF_CONSUMERS: [(&EntitySchema, AttachToConsumer); 4] = [
    (&keyauth_credential::ENTITY, |consumer, record, _| consumer.add_key(record)),
    (&basicauth_credential::ENTITY, |consumer, record, _| consumer.add_password(record)),
    (&jwt_secret::ENTITY, Consumer::add_jwt),
    (&acl::ENTITY, |consumer, record, _| consumer.add_group(record)),
];

impl<'a> EntityCollector<'a> {
    pub(super) fn new(
        items: Vec<CheckedItem>,
        previous: &'a Entities,
        plugins: &'a dyn PluginSchemas,
    ) -> Self {
        let record =
            |item: CheckedItem| EntityRecord { entity: item.entity, value: item.record, at: item.path };
        let records = items.into_iter().map(record).collect();
        Self { records, previous, plugins, positions: FxHashMap::default(), warnings: Vec::new() }
    }

    /// All entities, and warnings for the author. Entities are made after those that they refer to.
    pub(super) fn entities(mut self) -> (Entities, Vec<Diagnostic>) {
        let mut entities = Entities {
            certificates: self
                .collect(&certificate::ENTITY, |_, record, at| Some(Certificate::new(record, at))),
            ca_certificates: self
                .collect(&ca_certificate::ENTITY, |_, record, at| Some(CaCertificate::new(record, at))),
            ..Entities::default()
        };
        self.resolve_certificates(&mut entities);
        entities.snis = self.collect(&sni::ENTITY, |collector, record, at| {
            let certificate = collector.position(record, &sni::CERTIFICATE).map(CertificateIndex)?;
            Some(Sni::new(record, certificate, at))
        });
        let known = by_record(&self.previous.services, |service| &service.record);
        entities.services = self
            .collect(&service::ENTITY, |collector, record, at| Some(collector.service(record, at, &known)));
        let known = by_record(&self.previous.routes, |route| &route.record);
        entities.routes = self.collect(&route::ENTITY, |collector, record, at| {
            let service = collector.position(record, &route::SERVICE).map(ServiceIndex);
            let same = known_as(&known, record, |route| route.service == service && route.at == *at);
            Some(same.unwrap_or_else(|| Arc::new(Route::new(record, service, at))))
        });
        entities.consumers = self.collect(&consumer::ENTITY, |_, record, _| Some(Consumer::new(record)));
        self.attach_to_consumers(&mut entities.consumers);
        entities.plugins = self.plugins();
        self.upstreams(&mut entities);
        self.warn_of_unused();
        entities.records = self.records;
        (entities, self.warnings)
    }

    fn plugins(&mut self) -> Vec<Arc<PluginEntity>> {
        let vaults = VaultPrefixes::new(&self.records);
        let are_vaults_the_same = vaults == VaultPrefixes::new(&self.previous.records);
        let previous: &[Arc<PluginEntity>] = if are_vaults_the_same { &self.previous.plugins } else { &[] };
        let known = by_record(previous, |plugin| &plugin.record);
        self.collect(&plugin::ENTITY, |collector, record, at| {
            let scope = PluginScope {
                route: collector.position(record, &plugin::ROUTE).map(RouteIndex),
                service: collector.position(record, &plugin::SERVICE).map(ServiceIndex),
                consumer: collector.position(record, &plugin::CONSUMER).map(ConsumerIndex),
            };
            let same = known_as(&known, record, |plugin| plugin.scope == scope && plugin.at == *at);
            Some(same.unwrap_or_else(|| {
                let mut plugin = PluginEntity::new(record, scope, at);
                collector.resolve_settings(&mut plugin, &vaults);
                Arc::new(plugin)
            }))
        })
    }

    fn upstreams(&mut self, entities: &mut Entities) {
        entities.upstreams = self.collect(&upstream::ENTITY, |collector, record, at| {
            let certificate = collector.position(record, &upstream::CLIENT_CERTIFICATE).map(CertificateIndex);
            Some(Upstream::new(record, certificate, at))
        });
        entities.targets = self.collect(&target::ENTITY, |collector, record, at| {
            let upstream = collector.position(record, &target::UPSTREAM).map(UpstreamIndex)?;
            Some(Target::new(record, upstream, at))
        });
        for (n, target) in entities.targets.iter().enumerate() {
            if let Some(upstream) = entities.upstreams.get_mut(target.upstream.0) {
                upstream.targets.push(TargetIndex(n));
            }
        }
    }

    /// Reads certificates and keys from vaults; records keep the references.
    fn resolve_certificates(&mut self, entities: &mut Entities) {
        let vaults = VaultPrefixes::new(&self.records);
        for certificate in &mut entities.certificates {
            let texts = [
                (&certificate::CERT, Some(&mut certificate.cert)),
                (&certificate::KEY, Some(&mut certificate.key)),
                (&certificate::CERT_ALT, certificate.cert_alt.as_mut()),
                (&certificate::KEY_ALT, certificate.key_alt.as_mut()),
            ];
            for (field, text) in texts {
                let Some(text) = text else { continue };
                match vaults.resolve(text, |name| std::env::var(name).ok()) {
                    Some(value) => *text = value,
                    None => {
                        self.warnings.push(unresolved_reference(text, certificate.at.key(field.name)));
                        text.clear();
                    }
                }
            }
        }
    }

    /// Reads settings of a plugin from vaults; its record keeps the references.
    fn resolve_settings(&mut self, plugin: &mut PluginEntity, vaults: &VaultPrefixes) {
        let Some(settings) = self.plugins.settings(&plugin.name) else { return };
        let at = plugin.at.key(plugin::CONFIG.name);
        let resolved = vault::resolve_settings(settings.fields, &plugin.config, &at, &mut |text, at| {
            vaults.resolve(text, |name| std::env::var(name).ok()).unwrap_or_else(|| {
                self.warnings.push(unresolved_reference(text, at.clone()));
                String::new()
            })
        });
        if let Some(resolved) = resolved {
            plugin.config = resolved;
        }
    }

    fn warn_of_unused(&mut self) {
        for kind in entity::kinds().filter(|kind| !kind.is_used) {
            if let Some(first) = self.records.iter().find(|record| record.entity == kind) {
                let collection = kind.collection;
                let message = format!("'{collection}' are checked, but not used by this version of mynah");
                self.warnings.push(Diagnostic::warning(first.at.clone(), message));
            }
        }
    }

    fn service(
        &mut self,
        record: &Value,
        at: &NodePath,
        known: &EntitiesByRecord<'_, Service>,
    ) -> Arc<Service> {
        let is_set = |field: &Field| record.get(field.name).is_some_and(|value| !value.is_null());
        let has_certificates = is_set(&service::CLIENT_CERTIFICATE) || is_set(&service::CA_CERTIFICATES);
        if !has_certificates && let Some(same) = known_as(known, record, |service| service.at == *at) {
            return same;
        }
        let mut service = Service::new(record, at);
        service.client_certificate =
            self.position(record, &service::CLIENT_CERTIFICATE).map(CertificateIndex);
        let ids = record.get(service::CA_CERTIFICATES.name).filter(|ids| !ids.is_null()).map(Value::items);
        service.ca_certificates = ids.map(|ids| {
            let position = |(n, id): (usize, &Value)| {
                let id = id.as_text().cloned().unwrap_or_default();
                let collection = ca_certificate::ENTITY.collection;
                let position = self.positions.get(&(collection, id.clone())).copied();
                if position.is_none() {
                    let at = at.key(service::CA_CERTIFICATES.name).index(n);
                    let warning = Diagnostic::warning(at, format!("no such entry in '{collection}': {id}"));
                    self.warnings.push(warning.help("an authority that does not exist vouches for nothing"));
                }
                position.map(CaCertificateIndex)
            };
            ids.iter().enumerate().filter_map(position).collect()
        });
        Arc::new(service)
    }

    /// Adds credentials and groups to their Consumers.
    fn attach_to_consumers(&mut self, consumers: &mut [Consumer]) {
        for (kind, attach) in PARTS_OF_CONSUMERS {
            let Some((owner, _)) = kind.references().next() else { continue };
            for EntityRecord { value, at, .. } in self.records.iter().filter(|record| record.entity == kind) {
                let position = self.position(value, owner);
                if let Some(consumer) = position.and_then(|position| consumers.get_mut(position)) {
                    attach(consumer, value, at);
                }
            }
        }
    }

    /// The entities of a kind, in file order; entities that are collected later can refer to them.
    fn collect<T>(
        &mut self,
        kind: &'static EntitySchema,
        make: impl Fn(&mut Self, &Value, &NodePath) -> Option<T>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        for n in 0..self.records.len() {
            if self.records[n].entity != kind {
                continue;
            }
            let EntityRecord { value, at, .. } = self.records[n].clone();
            if let Some(entity) = make(self, &value, &at) {
                let id = value.get(ID.name).and_then(Value::as_text).cloned().unwrap_or_default();
                self.positions.insert((kind.collection, id), all.len());
                all.push(entity);
            }
        }
        all
    }

    /// The position of the entity that a field refers to.
    fn position(&self, record: &Value, field: &Field) -> Option<usize> {
        let id = record.get(field.name)?.get(ID.name)?.as_text()?;
        self.positions.get(&(field.target()?.collection, id.clone())).copied()
    }
}

/// Entities of the previous configuration, by the addresses of their records.
type EntitiesByRecord<'a, T> = FxHashMap<usize, &'a Arc<T>>;

fn by_record<T>(all: &[Arc<T>], record: fn(&T) -> &Value) -> EntitiesByRecord<'_, T> {
    all.iter().filter_map(|entity| Some((record(entity).address()?, entity))).collect()
}

/// The entity of the previous configuration that was made from this record, if it is the same in every other respect.
fn known_as<T>(
    known: &EntitiesByRecord<'_, T>,
    record: &Value,
    is_same: impl Fn(&T) -> bool,
) -> Option<Arc<T>> {
    known.get(&record.address()?).filter(|entity| is_same(entity)).map(|entity| Arc::clone(entity))
}

/// Warning about a reference to a vault that has no value. (Kong's text.)
fn unresolved_reference(text: &str, at: NodePath) -> Diagnostic {
    Diagnostic::warning(at, format!("unable to resolve reference {text}"))
}
