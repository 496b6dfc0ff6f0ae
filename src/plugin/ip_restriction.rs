//! `ip-restriction`: access control by client address. (Kong: IP Restriction plugin.)

use std::{net::IpAddr, sync::Arc};

use http::StatusCode;

use super::{Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, setting_checks, setting_values};
use crate::{
    document::Value,
    ip_network::IpNetwork,
    schema::{CONNECTION_PLUGIN_PROTOCOLS, EntityFault, Field, FieldKind, FieldRule},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("ip-restriction", 990, FIELDS, compile)
    .checks(&[needs_a_list])
    .per_consumer()
    .protocols(&CONNECTION_PLUGIN_PROTOCOLS);

const NETWORKS: FieldKind =
    FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(is_network)]));

const FIELDS: &[Field] = &[
    Field::new("allow", NETWORKS).describe("the addresses or networks that are let in"),
    Field::new("deny", NETWORKS).describe("the addresses or networks that are not let in"),
    Field::new("status", FieldKind::Number)
        .describe("the status of the refusal")
        .rules(&[setting_checks::STATUS_CODE]),
    Field::new("message", FieldKind::String).describe("the message of the refusal"),
];

fn needs_a_list(config: &Value) -> Option<EntityFault> {
    setting_checks::at_least_one(config, &["allow", "deny"])
}

fn is_network(value: &Value) -> Result<(), String> {
    IpNetwork::parse_setting(value.as_str().unwrap_or_default()).map(|_| ())
}

struct IpRestriction {
    allow: Vec<IpNetwork>,
    deny: Vec<IpNetwork>,
    status: StatusCode,
    message: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let networks = |field| {
        setting_values::strings(setup.config, field).filter_map(|(_, text)| IpNetwork::parse(text)).collect()
    };
    let status =
        setting_values::integer(setup.config, "status").and_then(|number| u16::try_from(number).ok());
    Ok(Arc::new(IpRestriction {
        allow: networks("allow"),
        deny: networks("deny"),
        status: status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::FORBIDDEN),
        message: setting_values::string(setup.config, "message"),
    }))
}

impl Plugin for IpRestriction {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let client = exchange.client.ip().to_canonical();
        if self.allows(client) {
            return Flow::Continue;
        }
        let text;
        let message = if let Some(message) = &self.message {
            message
        } else {
            text = format!("IP address not allowed: {client}");
            &text
        };
        Flow::Respond(exchange.error(self.status, message))
    }
}

impl IpRestriction {
    fn allows(&self, client: IpAddr) -> bool {
        let is_in = |networks: &[IpNetwork]| networks.iter().any(|network| network.contains(client));
        !is_in(&self.deny) && (self.allow.is_empty() || is_in(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::test_support;

    #[track_caller]
    fn check(config: &str, client: &str, expected: Option<(u16, &str)>) {
        let plugin = test_support::plugin(&DEF, config);
        let mut exchange = test_support::request("GET /");
        exchange.client = std::net::SocketAddr::new(client.parse().unwrap(), 1);
        let answer = test_support::access(&*plugin, &mut exchange).map(|response| {
            let status = response.status().as_u16();
            let body = test_support::json(&test_support::text(response.into_body()));
            (status, body.get("message").and_then(Value::as_str).unwrap().to_owned())
        });
        let expected = expected.map(|(status, message)| (status, message.to_owned()));
        assert_eq!(answer, expected, "{config} {client}");
    }

    #[test]
    fn deny_comes_before_allow() {
        let refused = Some((403, "IP address not allowed: 10.1.2.3"));
        check("{allow: [10.0.0.0/8]}", "10.1.2.3", None);
        check("{allow: [10.0.0.0/8], deny: [10.1.0.0/16]}", "10.1.2.3", refused);
        check("{allow: [192.0.2.1]}", "10.1.2.3", refused);
        check("{deny: [10.1.2.4]}", "10.1.2.3", None);
        check("{deny: [0.0.0.0/0]}", "10.1.2.3", refused);
        check("{deny: ['::/0']}", "10.1.2.3", None);
        check("{deny: [10.1.2.2/31]}", "::ffff:10.1.2.3", refused);
        check("{deny: ['::ffff:10.0.0.0/104']}", "10.1.2.3", refused);
        check("{deny: ['::ffff:10.1.2.3']}", "10.1.2.3", refused);
        check("{allow: ['::ffff:10.0.0.0/104']}", "10.1.2.3", None);
        check("{deny: ['2001:db8::/32']}", "2001:db9::1", None);
        let config = "{deny: ['2001:db8::/32'], status: 418, message: go away}";
        check(config, "2001:db8:1::1", Some((418, "go away")));
    }

    #[test]
    fn settings_are_checked() {
        for (config, expected) in [
            ("{}", "config: at least one of these fields must be non-empty: 'config.allow', 'config.deny'"),
            ("{allow: [10.0.0.0/33]}", "config.allow[0]: invalid ip or cidr range: '10.0.0.0/33'"),
            ("{deny: [localhost]}", "config.deny[0]: invalid ip or cidr range: 'localhost'"),
            ("{deny: [10.0.0.1], status: 99}", "config.status: value should be between 100 and 599"),
        ] {
            assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
        }
    }
}
