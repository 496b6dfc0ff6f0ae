//! Field `protocols` of entries that configure plugins; each plugin allows its own. (Kong: Plugin object.)

use super::{Field, FieldKind, FieldRule, PluginSettings};

/// The protocols of Kong's HTTP subsystem. Only these have requests here.
pub const HTTP_PROTOCOL_NAMES: &[&str] = &["grpc", "grpcs", "http", "https"];

/// All protocols, in the order of Kong's messages.
pub const PROTOCOL_NAMES: &[&str] =
    &["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"];

/// The field of a plugin of the HTTP subsystem.
pub const HTTP_PLUGIN_PROTOCOLS: Field =
    of(FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(HTTP_PROTOCOL_NAMES)])));

/// The field of a plugin that Kong also has for streams.
pub const PLUGIN_PROTOCOLS: Field =
    of(FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(PROTOCOL_NAMES)])));

/// The same field for a plugin that by default is for TCP and TLS, too.
pub const CONNECTION_PLUGIN_PROTOCOLS: Field = Field {
    default: Some("[\"http\",\"https\",\"tcp\",\"tls\",\"grpc\",\"grpcs\"]"),
    ..of(FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(PROTOCOL_NAMES)])))
};

impl PluginSettings {
    /// Whether an entry of the plugin may name a protocol.
    #[must_use]
    pub fn allows_protocol(&self, name: &str) -> bool {
        let FieldKind::Set(item) = self.protocols.kind else { return false };
        item.rules.iter().all(|rule| !matches!(rule, FieldRule::OneOf(names) if !names.contains(&name)))
    }
}

const fn of(kind: FieldKind) -> Field {
    Field::new("protocols", kind)
        .required()
        .default("[\"grpc\",\"grpcs\",\"http\",\"https\"]")
        .describe("the protocols of the requests that it handles; those of streams have none here")
}
