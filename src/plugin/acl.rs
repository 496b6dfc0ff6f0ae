//! `acl`: access control by the groups of a Consumer. (Kong: ACL plugin.)

use std::{collections::HashSet, sync::Arc};

use http::{HeaderName, StatusCode};

use super::{Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, setting_checks, setting_values};
use crate::{
    document::Value,
    schema::{EntityFault, Field, FieldKind},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("acl", 950, FIELDS, compile).checks(&[needs_exactly_one_list, needs_a_list]);

const FIELDS: &[Field] = &[
    Field::new("allow", setting_checks::STRINGS).describe("the groups whose consumers are let in"),
    Field::new("deny", setting_checks::STRINGS).describe("the groups whose consumers are not let in"),
    Field::new("hide_groups_header", FieldKind::Boolean)
        .describe("whether the upstream does not get `X-Consumer-Groups`")
        .required()
        .default("false"),
    Field::new("always_use_authenticated_groups", FieldKind::Boolean)
        .describe("whether groups that another plugin has found take precedence")
        .required()
        .default("false"),
];

const CONSUMER_GROUPS: HeaderName = HeaderName::from_static("x-consumer-groups");

fn needs_a_list(config: &Value) -> Option<EntityFault> {
    setting_checks::at_least_one(config, &["allow", "deny"])
}

fn needs_exactly_one_list(config: &Value) -> Option<EntityFault> {
    let is_given = |field| config.get(field).is_some_and(|list| !list.items().is_empty());
    (is_given("allow") == is_given("deny")).then(|| {
        EntityFault::record("exactly one of these fields must be non-empty: 'config.allow', 'config.deny'")
    })
}

struct Acl {
    groups: HashSet<String>,
    /// Whether members of the groups are rejected; otherwise only members are allowed.
    is_deny_list: bool,
    hide_groups_header: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let groups =
        |field| setting_values::strings(setup.config, field).map(|(_, text)| text.to_owned()).collect();
    let allow: HashSet<String> = groups("allow");
    let is_deny_list = allow.is_empty();
    Ok(Arc::new(Acl {
        groups: if is_deny_list { groups("deny") } else { allow },
        is_deny_list,
        hide_groups_header: setting_values::boolean(setup.config, "hide_groups_header"),
    }))
}

impl Plugin for Acl {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let Some(identity) = &exchange.identity else {
            return Flow::Respond(exchange.error(StatusCode::UNAUTHORIZED, "Unauthorized"));
        };
        let consumer = identity.consumer.clone();
        let is_member = consumer.groups.iter().any(|group| self.groups.contains(group));
        if is_member == self.is_deny_list {
            return Flow::Respond(exchange.error(StatusCode::FORBIDDEN, "You cannot consume this service"));
        }
        if let Some(groups) = consumer.headers.groups.as_ref().filter(|_| !self.hide_groups_header) {
            exchange.upstream.set_field(CONSUMER_GROUPS, groups.clone());
        }
        Flow::Continue
    }
}
