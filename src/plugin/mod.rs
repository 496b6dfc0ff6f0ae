//! Plugins: the contract, the chain that runs them, one file or folder for each plugin.
//!
//! A new plugin is a file `plugin/<name>.rs` with a `pub(super) const DEF`, and one line in `registry.rs`. Everything
//! that other modules need to know about a plugin is in its [`PluginDef`].
//!
//! | file | what it holds |
//! |---|---|
//! | `contract` | [`PluginDef`], [`Plugin`], [`Flow`]: what a plugin implements |
//! | `setup` | [`PluginSetup`]: what a plugin is made from |
//! | `registry` | the plugins of this build |
//! | `blocker` | stand-in for a plugin in quarantine |
//! | `kong_names` | names of the plugins that Kong has |
//! | `chain` | the plugins of one Route, in the order in which they run |
//! | `exchange` | one request during the phases |
//! | `record`, `entry_edits` | one finished request, for plugins that log; changes of its log entry |
//! | `custom_fields` | values of log entries that Lua computes |
//! | `consumers`, `identity` | Consumers and their credentials; what authenticating plugins share |
//! | `setting_checks`, `setting_values` | checks of settings that several plugins share; values of settings by name |
//! | `transform_rules` | rules that both transformers share |
//! | `whole_body` | bodies that a plugin reads as a whole |
//! | `delivery` | queues of log entries |
//! | `resources` | resources that all plugins of a process share |

mod acl;
mod basic_auth;
mod blocker;
mod bot_detection;
mod chain;
mod consumers;
mod contract;
mod correlation_id;
mod cors;
mod custom_fields;
mod delivery;
mod entry_edits;
mod exchange;
mod file_log;
mod http_log;
mod identity;
mod ip_restriction;
mod jwt;
mod key_auth;
mod kong_names;
#[cfg(feature = "lua")]
mod lua;
mod mocking;
#[cfg(test)]
mod panics;
mod pcre;
mod prometheus;
mod proxy_cache;
mod rate_limiting;
mod record;
mod registry;
mod request_size_limiting;
mod request_termination;
mod request_transformer;
mod resources;
mod response_transformer;
mod setting_checks;
mod setting_values;
mod setup;
#[cfg(test)]
mod teapot;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod transform_rules;
mod whole_body;

pub use blocker::blocker;
pub use chain::{ChainStep, ConsumerOverrides, ConsumerPerStep, PluginChain};
pub use consumers::{
    ConsumerHeaders, ConsumerRecord, Consumers, Credential, PresentedCredential, RequestIdentity,
};
pub use contract::{CompilePlugin, DocumentFields, ExpectedAnswer, Flow, Plugin, PluginDef, PluginResult};
pub use delivery::DeliveryTracker;
pub use entry_edits::{EditCondition, EntryEdit, EntryEdits};
pub use exchange::{
    ChosenDestination, ChosenPeer, ChosenTimeouts, EditedRequest, Exchange, HttpResponse, MatchedRoute,
    Origin, ResponseOrigin,
};
pub(crate) use identity::ANONYMOUS;
pub use jwt::{JwtKey, KeyFault};
pub use kong_names::static_name as kongs_name;
#[cfg(feature = "lua")]
pub use lua::LuaInterpreters;
pub use mocking::PrismSettings;
pub use proxy_cache::{CacheKey, ResponseCache, ServedFromCache, StoredResponse};
pub use record::{RequestRecord, ResponseRecord, UpstreamAttempt, UpstreamRecord};
pub use registry::{ALL, BundledPlugins, EnabledPlugins, find, find_for_documents, find_for_security};
pub use resources::Resources;
pub use setup::{PluginSetup, file_hash};
