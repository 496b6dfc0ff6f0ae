//! Process settings, under Kong's names.
//!
//! The value of a setting is the first of: command line, environment (`KONG_<NAME>`, `MYNAH_<NAME>`), kong.conf, default.
//! An empty value unsets the layers below it, so that the default holds. [`Settings::load`] is the only entry: no other
//! function reads the environment or a kong.conf.
//!
//! | file | contents |
//! |---|---|
//! | `table`, `tls`, `client_certificates`, `dns` | the settings that mynah honours, one row each: field, name, default, reader, description |
//! | `setting_row` | the type of a row, and the macro that makes types of settings from rows |
//! | `names` | all names: settings that mynah honours, ignores, or does not support |
//! | `guards` | unsupported settings that restrict access, which are errors |
//! | `layers`, `conf` | the given values, and the format of kong.conf |
//! | `load` | reading, checks across settings, warnings |
//! | `value`, `directive` | readers of values, in Kong's and in nginx's notation |
//! | the others | types of settings and their readers |
//!
//! A new setting is a row in `table` (in `dns` or `tls` if it is of these).

mod added_fields;
mod admin;
mod choice;
mod client_certificates;
mod conf;
mod directive;
mod dns;
mod error;
mod guards;
mod headers;
mod layers;
mod listen;
mod load;
mod log_format;
mod names;
mod network;
mod pages;
mod setting_row;
mod table;
mod tls;
mod value;

pub use added_fields::AddedField;
pub use admin::{AdminToken, AllowedHost};
pub use choice::{
    AccessLogFormat, AccessLogTarget, ConfigErrorAction, ErrorTemplateFiles, ErrorType, LogLevel,
    PluginSelection, RealIpHeader, RouteMatchCalculation, RouterFlavor, UntrustedLua,
};
pub use client_certificates::{ClientCertificates, VerifyClient};
pub use directive::HeaderBuffers;
pub use dns::{DnsOrder, DnsSettings};
pub use error::{SettingOrigin, SettingsError, WrongSetting};
pub use headers::{ResponseHeader, ResponseHeaders};
pub use listen::{Listener, SocketKeepAlive};
pub use load::LoadedSettings;
pub use log_format::{LogEscape, LogPart, LogTemplate};
pub use names::supported;
pub use network::{PortMaps, TrustedIps};
pub use pages::PageListeners;
pub use setting_row::SettingRow;
pub use table::Settings;
pub use tls::{CertificateFiles, CipherNames, CipherSuite, ListenerTls, TlsProtocols};
