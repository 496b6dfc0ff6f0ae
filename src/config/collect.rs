//! Records become entities: each in its list, references as places in the other lists.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::vault::{self, VaultPrefixes};
use crate::{
    diag::Diagnostic,
    document::{NodePath, SharedText, Value},
    entity::{
        CaCertificate, CaCertificateIndex, Certificate, CertificateIndex, Consumer, ConsumerIndex, Entities,
        EntityRecord, PluginEntity, PluginScope, Route, RouteIndex, Service, ServiceIndex, Sni, Target,
        TargetIndex, Upstream, UpstreamIndex,
    },
    schema::{CheckedItem, PluginSchemas},
};

/// Makes entities of records whose references are ids that exist.
pub(super) struct EntityCollector<'a> {
    records: Vec<EntityRecord>,
    past: &'a Entities,
    plugins: &'a dyn PluginSchemas,
    /// Places by collection and id.
    places: FxHashMap<(&'static str, SharedText), usize>,
    warnings: Vec<Diagnostic>,
}

/// What is read and shown, and has no effect.
const UNUSED: &[&str] = &[
    "hmacauth_credentials",
    "oauth2_credentials",
    "oauth2_tokens",
    "acme_storage",
    "sessions",
    "keys",
    "key_sets",
    "filter_chains",
    "workspaces",
    "parameters",
];

/// Hands one record to its Consumer.
type AttachToConsumer = fn(&mut Consumer, &Value, &NodePath);

impl<'a> EntityCollector<'a> {
    pub(super) fn new(items: Vec<CheckedItem>, past: &'a Entities, plugins: &'a dyn PluginSchemas) -> Self {
        let record =
            |item: CheckedItem| EntityRecord { entity: item.entity, value: item.record, at: item.path };
        let records = items.into_iter().map(record).collect();
        Self { records, past, plugins, places: FxHashMap::default(), warnings: Vec::new() }
    }

    /// All entities, and what their author should know. What refers stands after what it refers to.
    pub(super) fn entities(mut self) -> (Entities, Vec<Diagnostic>) {
        let mut entities = Entities {
            certificates: self.all("certificates", |_, record, at| Some(Certificate::new(record, at))),
            ca_certificates: self
                .all("ca_certificates", |_, record, at| Some(CaCertificate::new(record, at))),
            ..Entities::default()
        };
        self.open_vaults(&mut entities);
        entities.snis = self.all("snis", |it, record, at| {
            let certificate = it.place("certificates", record, "certificate").map(CertificateIndex)?;
            Some(Sni::new(record, certificate, at))
        });
        let known = by_record(&self.past.services, |it| &it.record);
        entities.services = self.all("services", |it, record, at| Some(it.service(record, at, &known)));
        let known = by_record(&self.past.routes, |it| &it.record);
        entities.routes = self.all("routes", |it, record, at| {
            let service = it.place("services", record, "service").map(ServiceIndex);
            let same = known_as(&known, record, |it| it.service == service && it.at == *at);
            Some(same.unwrap_or_else(|| Arc::new(Route::new(record, service, at))))
        });
        entities.consumers = self.all("consumers", |_, record, _| Some(Consumer::new(record)));
        self.give_to_consumers(&mut entities.consumers);
        let vaults = VaultPrefixes::new(&self.records);
        let past: &[Arc<PluginEntity>] =
            if vaults == VaultPrefixes::new(&self.past.records) { &self.past.plugins } else { &[] };
        let known = by_record(past, |it| &it.record);
        entities.plugins = self.all("plugins", |it, record, at| {
            let scope = PluginScope {
                route: it.place("routes", record, "route").map(RouteIndex),
                service: it.place("services", record, "service").map(ServiceIndex),
                consumer: it.place("consumers", record, "consumer").map(ConsumerIndex),
            };
            let same = known_as(&known, record, |it| it.scope == scope && it.at == *at);
            Some(same.unwrap_or_else(|| {
                let mut plugin = PluginEntity::new(record, scope, at);
                it.reveal(&mut plugin, &vaults);
                Arc::new(plugin)
            }))
        });
        self.upstreams(&mut entities);
        self.note_unused();
        entities.records = self.records;
        (entities, self.warnings)
    }

    fn upstreams(&mut self, entities: &mut Entities) {
        entities.upstreams = self.all("upstreams", |it, record, at| {
            let certificate = it.place("certificates", record, "client_certificate").map(CertificateIndex);
            Some(Upstream::new(record, certificate, at))
        });
        entities.targets = self.all("targets", |it, record, at| {
            let upstream = it.place("upstreams", record, "upstream").map(UpstreamIndex)?;
            Some(Target::new(record, upstream, at))
        });
        for (n, target) in entities.targets.iter().enumerate() {
            if let Some(upstream) = entities.upstreams.get_mut(target.upstream.0) {
                upstream.targets.push(TargetIndex(n));
            }
        }
    }

    /// Certificates and keys that stand in a vault; records go on showing the reference.
    fn open_vaults(&mut self, entities: &mut Entities) {
        let vaults = VaultPrefixes::new(&self.records);
        for it in &mut entities.certificates {
            let alternatives = [("cert_alt", it.cert_alt.as_mut()), ("key_alt", it.key_alt.as_mut())];
            let texts = [("cert", Some(&mut it.cert)), ("key", Some(&mut it.key))];
            for (field, text) in texts.into_iter().chain(alternatives) {
                let Some(text) = text else { continue };
                match vaults.resolve(text, |name| std::env::var(name).ok()) {
                    Some(value) => *text = value,
                    None => {
                        let message = format!("unable to resolve reference {text}");
                        self.warnings.push(Diagnostic::warning(it.at.key(field), message));
                        text.clear();
                    }
                }
            }
        }
    }

    /// Puts what is in vaults into the settings of a plugin; its record goes on showing the references.
    fn reveal(&mut self, plugin: &mut PluginEntity, vaults: &VaultPrefixes) {
        let Some(settings) = self.plugins.settings(&plugin.name) else { return };
        let at = plugin.at.key("config");
        let revealed = vault::reveal(settings.fields, &plugin.config, &at, &mut |text, at| {
            vaults.resolve(text, |name| std::env::var(name).ok()).unwrap_or_else(|| {
                let message = format!("unable to resolve reference {text}");
                self.warnings.push(Diagnostic::warning(at.clone(), message));
                String::new()
            })
        });
        if let Some(revealed) = revealed {
            plugin.config = revealed;
        }
    }

    fn note_unused(&mut self) {
        for collection in UNUSED {
            if let Some(first) = self.records.iter().find(|it| it.collection() == *collection) {
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
        let refers = |field: &str| record.get(field).is_some_and(|it| !it.is_null());
        let alone = !refers("client_certificate") && !refers("ca_certificates");
        if alone && let Some(same) = known_as(known, record, |it| it.at == *at) {
            return same;
        }
        let mut service = Service::new(record, at);
        service.client_certificate =
            self.place("certificates", record, "client_certificate").map(CertificateIndex);
        let named = record.get("ca_certificates").filter(|it| !it.is_null()).map(Value::items);
        service.ca_certificates = named.map(|ids| {
            let place = |(n, id): (usize, &Value)| {
                let id = id.as_text().cloned().unwrap_or_default();
                let place = self.places.get(&("ca_certificates", id.clone())).copied();
                if place.is_none() {
                    let message = format!("no such entry in 'ca_certificates': {id}");
                    let warning = Diagnostic::warning(at.key("ca_certificates").index(n), message);
                    self.warnings.push(warning.help("an authority that does not exist vouches for nothing"));
                }
                place.map(CaCertificateIndex)
            };
            ids.iter().enumerate().filter_map(place).collect()
        });
        Arc::new(service)
    }

    /// Hands credentials and groups to whom they belong.
    fn give_to_consumers(&mut self, consumers: &mut [Consumer]) {
        let give: [(&str, AttachToConsumer); 4] = [
            ("keyauth_credentials", |it, record, _| it.add_key(record)),
            ("basicauth_credentials", |it, record, _| it.add_password(record)),
            ("jwt_secrets", Consumer::add_jwt),
            ("acls", |it, record, _| it.add_group(record)),
        ];
        for (collection, add) in give {
            for EntityRecord { value: record, at, .. } in
                self.records.iter().filter(|it| it.collection() == collection)
            {
                let owner = self.place("consumers", record, "consumer");
                if let Some(consumer) = owner.and_then(|place| consumers.get_mut(place)) {
                    add(consumer, record, at);
                }
            }
        }
    }

    /// The entities of a collection, in file order; later ones can refer to them.
    fn all<T>(
        &mut self,
        collection: &'static str,
        make: impl Fn(&mut Self, &Value, &NodePath) -> Option<T>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        for n in 0..self.records.len() {
            if self.records[n].collection() != collection {
                continue;
            }
            let EntityRecord { value, at, .. } = self.records[n].clone();
            if let Some(entity) = make(self, &value, &at) {
                let id = value.get("id").and_then(Value::as_text).cloned().unwrap_or_default();
                self.places.insert((collection, id), all.len());
                all.push(entity);
            }
        }
        all
    }

    /// The place of the entity that a field refers to.
    fn place(&self, collection: &'static str, record: &Value, field: &str) -> Option<usize> {
        let id = record.get(field)?.get("id")?.as_text()?;
        self.places.get(&(collection, id.clone())).copied()
    }
}

/// Entities of before, by where their records stand in memory.
type EntitiesByRecord<'a, T> = FxHashMap<usize, &'a Arc<T>>;

fn by_record<T>(all: &[Arc<T>], record: fn(&T) -> &Value) -> EntitiesByRecord<'_, T> {
    all.iter().filter_map(|it| Some((record(it).address()?, it))).collect()
}

/// The entity of before that was made from this record, if what else it was made from is the same.
fn known_as<T>(
    known: &EntitiesByRecord<'_, T>,
    record: &Value,
    is_same: impl Fn(&T) -> bool,
) -> Option<Arc<T>> {
    known.get(&record.address()?).filter(|it| is_same(it)).map(|it| Arc::clone(it))
}
