//! Records become entities: each in its list, references as places in the other lists.

use std::collections::HashMap;

use super::vault::Vaults;
use crate::{
    diag::Diagnostic,
    document::{Path, Value},
    entity::{
        CaCertificate, CaCertificateIndex, Certificate, CertificateIndex, Consumer, ConsumerIndex, Entities,
        Plugin, Record, Route, RouteIndex, Scope, Service, ServiceIndex, Sni, Target, TargetIndex, Upstream,
        UpstreamIndex,
    },
    schema::Item,
};

/// Makes entities of records whose references are ids that exist.
pub(super) struct Collector {
    records: Vec<Record>,
    /// Places by collection and id.
    places: HashMap<String, usize>,
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
type Give = fn(&mut Consumer, &Value, &Path);

impl Collector {
    pub(super) fn new(items: Vec<Item>) -> Self {
        let record = |item: Item| Record { entity: item.entity, value: item.record.into(), at: item.path };
        let records = items.into_iter().map(record).collect();
        Self { records, places: HashMap::new(), warnings: Vec::new() }
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
        entities.services = self.all("services", |it, record, at| Some(it.service(record, at)));
        entities.routes = self.all("routes", |it, record, at| {
            let service = it.place("services", record, "service").map(ServiceIndex);
            Some(Route::new(record, service, at))
        });
        entities.consumers = self.all("consumers", |_, record, _| Some(Consumer::new(record)));
        self.give_to_consumers(&mut entities.consumers);
        entities.plugins = self.all("plugins", |it, record, at| {
            let scope = Scope {
                route: it.place("routes", record, "route").map(RouteIndex),
                service: it.place("services", record, "service").map(ServiceIndex),
                consumer: it.place("consumers", record, "consumer").map(ConsumerIndex),
            };
            Some(Plugin::new(record, scope, at))
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
        let vaults = Vaults::new(&self.records);
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

    fn note_unused(&mut self) {
        for collection in UNUSED {
            if let Some(first) = self.records.iter().find(|it| it.collection() == *collection) {
                let message = format!("'{collection}' are checked, but not used by this version of mynah");
                self.warnings.push(Diagnostic::warning(first.at.clone(), message));
            }
        }
    }

    fn service(&mut self, record: &Value, at: &Path) -> Service {
        let mut service = Service::new(record, at);
        service.client_certificate =
            self.place("certificates", record, "client_certificate").map(CertificateIndex);
        let named = record.get("ca_certificates").filter(|it| !it.is_null()).map(Value::items);
        service.ca_certificates = named.map(|ids| {
            let place = |(n, id): (usize, &Value)| {
                let id = id.as_str().unwrap_or_default();
                let place = self.places.get(&key("ca_certificates", id)).copied();
                if place.is_none() {
                    let message = format!("no such entry in 'ca_certificates': {id}");
                    let warning = Diagnostic::warning(at.key("ca_certificates").index(n), message);
                    self.warnings.push(warning.help("an authority that does not exist vouches for nothing"));
                }
                place.map(CaCertificateIndex)
            };
            ids.iter().enumerate().filter_map(place).collect()
        });
        service
    }

    /// Hands credentials and groups to whom they belong.
    fn give_to_consumers(&mut self, consumers: &mut [Consumer]) {
        let give: [(&str, Give); 4] = [
            ("keyauth_credentials", |it, record, _| it.add_key(record)),
            ("basicauth_credentials", |it, record, _| it.add_password(record)),
            ("jwt_secrets", Consumer::add_jwt),
            ("acls", |it, record, _| it.add_group(record)),
        ];
        for (collection, add) in give {
            for (record, at) in self.of(collection) {
                let owner = self.place("consumers", &record, "consumer");
                if let Some(consumer) = owner.and_then(|place| consumers.get_mut(place)) {
                    add(consumer, &record, &at);
                }
            }
        }
    }

    /// The entities of a collection, in file order; later ones can refer to them.
    fn all<T>(
        &mut self,
        collection: &'static str,
        make: impl Fn(&mut Self, &Value, &Path) -> Option<T>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        for (record, path) in self.of(collection) {
            if let Some(entity) = make(self, &record, &path) {
                self.places.insert(key(collection, id(&record)), all.len());
                all.push(entity);
            }
        }
        all
    }

    /// The records of a collection, in file order.
    fn of(&self, collection: &str) -> Vec<(Value, Path)> {
        let these = self.records.iter().filter(|it| it.collection() == collection);
        these.map(|it| (it.value.clone(), it.at.clone())).collect()
    }

    /// The place of the entity that a field refers to.
    fn place(&self, collection: &str, record: &Value, field: &str) -> Option<usize> {
        let reference = record.get(field)?;
        self.places.get(&key(collection, id(reference))).copied()
    }
}

fn key(collection: &str, id: &str) -> String {
    format!("{collection} {id}")
}

fn id(record: &Value) -> &str {
    record.get("id").and_then(Value::as_str).unwrap_or_default()
}
