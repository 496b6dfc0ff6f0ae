//! Kong's entities as values that cannot be invalid.
//!
//! Each file holds one kind of entity: its fields, how files and the Admin API treat it ([`EntitySchema`](crate::schema::EntitySchema)), and its value.
//! Code below `config` does not check such a value again.

/// Defines the fields of a record, each as a constant that code takes the key from, and the list `FIELDS` of all of them in
/// the order of the Admin API. A name alone stands for a field that is defined elsewhere.
macro_rules! fields {
    ($($name:ident $(= $field:expr)?),* $(,)?) => {
        $($(pub(crate) const $name: crate::schema::Field = $field;)?)*
        const FIELDS: &[crate::schema::Field] = &[$($name),*];
    };
}

pub(crate) mod acl;
pub(crate) mod acme_storage;
pub(crate) mod basicauth_credential;
pub(crate) mod ca_certificate;
pub(crate) mod certificate;
pub(crate) mod consumer;
pub(crate) mod document;
pub(crate) mod filter_chain;
pub(crate) mod hmacauth_credential;
mod jwk;
pub(crate) mod jwt_secret;
pub(crate) mod key;
pub(crate) mod key_set;
pub(crate) mod keyauth_credential;
pub(crate) mod oauth2_credential;
pub(crate) mod oauth2_token;
pub(crate) mod parameter;
pub(crate) mod plugin;
pub(crate) mod route;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod sni;
pub(crate) mod target;
pub(crate) mod upstream;
pub(crate) mod vault;
pub(crate) mod workspace;

mod healthchecks;
mod hosts;
mod id;
mod pem;
mod record;
mod server_name;
mod shared_fields;
mod text_rules;

pub use acl::ConsumerGroup;
pub use basicauth_credential::PasswordCredential;
pub use ca_certificate::CaCertificate;
pub use certificate::Certificate;
pub use consumer::Consumer;
pub use document::{DOCUMENT, FORMAT_VERSIONS};
pub use healthchecks::{ActiveChecks, CheckProtocol, HealthThresholds, Healthchecks, PassiveChecks};
pub use id::{entity_id, password_hash};
pub use jwt_secret::JwtCredential;
pub use keyauth_credential::KeyCredential;
pub use plugin::{PluginEntity, PluginScope};
pub use record::{EntityRecord, is_same_record, record_label};
pub use route::{PathHandling, Route, StreamEndpoint};
pub use service::Service;
pub use sni::Sni;
pub use target::Target;
pub use upstream::{Algorithm, HashInput, Upstream};

pub(crate) use document::kinds;
pub(crate) use pem::NO_PEM;
pub(crate) use record::reference;
pub(crate) use shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT};

use std::sync::Arc;

/// All entities of one configuration, references resolved. Services, routes and plugins are shared with the previous
/// configuration where they did not change.
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
    /// Every entity of every collection, in file order; an entity stands before those that are nested in it.
    pub records: Vec<EntityRecord>,
}

impl Entities {
    /// Whether the configuration declares no entity.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Position of a service in [`Entities::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceIndex(pub usize);

/// Position of a route in [`Entities::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteIndex(pub usize);

/// Position of a consumer in [`Entities::consumers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerIndex(pub usize);

/// Position of an upstream in [`Entities::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamIndex(pub usize);

/// Position of a target in [`Entities::targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetIndex(pub usize);

/// Position of a certificate in [`Entities::certificates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertificateIndex(pub usize);

/// Position of a trusted authority in [`Entities::ca_certificates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CaCertificateIndex(pub usize);
