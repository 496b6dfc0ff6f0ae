//! WORDS: Kong's vocabulary, as values that cannot be wrong.
//!
//! A file here holds one entity: what its record may say (rows, read by `schema`), and its value. Nothing below
//! `config` checks such a value again.

mod certificate;
mod consumer;
mod credentials;
mod document;
mod healthchecks;
mod hosts;
mod id;
mod names;
mod plugin;
mod route;
mod service;
mod target;
mod upstream;
mod vault;

pub use certificate::{CaCertificate, Certificate, Sni};
pub use consumer::{Consumer, ConsumerGroup, JwtCredential, KeyCredential, PasswordCredential};
pub use document::{DOCUMENT, FORMAT_VERSIONS};
pub use healthchecks::{ActiveChecks, CheckProtocol, HealthThresholds, Healthchecks, PassiveChecks};
pub use id::{entity_id, password_hash};
pub use plugin::{PluginEntity, PluginScope};
pub use route::{PathHandling, Route, StreamEndpoint};
pub use service::Service;
pub use target::Target;
pub use upstream::{Algorithm, HashInput, Upstream};

use std::{fmt, sync::Arc};

use uuid::Uuid;

use crate::{
    document::{NodePath, Value},
    schema::EntitySchema,
};

/// Everything one document declares, references resolved. What there are many of is shared with the configuration
/// before, where it did not change.
#[derive(Clone, Debug, Default)]
pub struct Entities {
    /// All services, in file order.
    pub services: Vec<Arc<Service>>,
    /// All routes, in file order.
    pub routes: Vec<Arc<Route>>,
    /// All plugins of every scope, in file order.
    pub plugins: Vec<Arc<PluginEntity>>,
    /// All consumers, in file order, with their credentials and groups.
    pub consumers: Vec<Consumer>,
    /// All upstreams, in file order.
    pub upstreams: Vec<Upstream>,
    /// All targets, in file order.
    pub targets: Vec<Target>,
    /// All certificates, in file order.
    pub certificates: Vec<Certificate>,
    /// All server names, in file order.
    pub snis: Vec<Sni>,
    /// All trusted authorities, in file order.
    pub ca_certificates: Vec<CaCertificate>,
    /// Every entity of every collection, in file order; one that holds others stands before them.
    pub records: Vec<EntityRecord>,
}

/// One entity of any kind, as the Admin API shows it.
#[derive(Clone)]
pub struct EntityRecord {
    /// What it is.
    pub entity: &'static EntitySchema,
    /// Its complete record: defaults filled in, its id given, references as `{id: ...}`.
    pub value: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

impl EntityRecord {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.value.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// The collection that it belongs to.
    #[must_use]
    pub const fn collection(&self) -> &'static str {
        self.entity.collection
    }
}

impl Entities {
    /// Whether nothing is declared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Whether two complete records say the same; when they were made and changed is not what they say.
#[must_use]
pub fn says_the_same(one: &Value, other: &Value) -> bool {
    let covers = |one: &Value, other: &Value| {
        let says = one.entries().filter(|(key, _)| !matches!(*key, "created_at" | "updated_at"));
        says.into_iter().all(|(key, value)| other.get(key).unwrap_or(&Value::Null) == value)
    };
    one.address() == other.address() || (covers(one, other) && covers(other, one))
}

impl fmt::Debug for EntityRecord {
    /// What it is, and not what it says: a credential is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.collection(), self.id())
    }
}

/// Refers to a service by its place in [`Entities::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceIndex(pub usize);

/// Refers to a route by its place in [`Entities::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteIndex(pub usize);

/// Refers to a consumer by its place in [`Entities::consumers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerIndex(pub usize);

/// Refers to an upstream by its place in [`Entities::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamIndex(pub usize);

/// Refers to a target by its place in [`Entities::targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetIndex(pub usize);

/// Refers to a certificate by its place in [`Entities::certificates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertificateIndex(pub usize);

/// Refers to a trusted authority by its place in [`Entities::ca_certificates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CaCertificateIndex(pub usize);

/// The texts of a checked list; none if it is absent.
fn texts(record: &Value, key: &str) -> Vec<String> {
    let items = record.get(key).map(Value::items).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The text of a checked field.
fn text(record: &Value, key: &str) -> Option<String> {
    record.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The whole number of a checked field, in the range that its rows allow.
fn whole<T: TryFrom<i64> + Default>(record: &Value, key: &str) -> T {
    record.get(key).and_then(Value::as_i64).and_then(|it| T::try_from(it).ok()).unwrap_or_default()
}

/// The truth of a checked field.
fn truth(record: &Value, key: &str) -> bool {
    record.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// The id of a checked record.
fn id(record: &Value) -> Uuid {
    record.get("id").and_then(Value::as_str).and_then(|it| it.parse().ok()).unwrap_or_default()
}
