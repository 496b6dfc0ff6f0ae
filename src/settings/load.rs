//! From layers of text to checked [`Settings`]; all that is wrong is told at once.

use std::{fs, path::Path};

use super::{
    ListenerTls, Settings, SettingsError, admin, client_certificates, directive, dns,
    error::{SettingFault, SettingOrigin},
    headers,
    layers::SettingLayers,
    listen::listeners,
    names::SUPPORTED,
    network, tls,
    value::{self, access_log, seconds, seconds_or_never, switch, word},
};

/// Settings, and what the user should know about how they were told.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedSettings {
    /// The settings.
    pub settings: Settings,
    /// One line each: unknown names, names that are not supported, values that have no effect.
    pub warnings: Vec<String>,
}

/// Where Kong looks for its file when none is named.
const CONF_PLACES: [&str; 2] = ["/etc/kong/kong.conf", "/etc/kong.conf"];

impl Settings {
    /// Reads settings from `overrides` (Kong's name and the value, of the command line), `environment` (all of it)
    /// and the file `conf`; without one, from `/etc/kong/kong.conf` or `/etc/kong.conf` if there is one.
    ///
    /// # Errors
    /// Tells all values that are wrong, each with the place where it stands, and a file that cannot be read.
    pub fn load(
        overrides: &[(&str, String)],
        environment: impl Iterator<Item = (String, String)>,
        conf: Option<&Path>,
    ) -> Result<LoadedSettings, SettingsError> {
        let found = || CONF_PLACES.into_iter().map(Path::new).find(|path| path.exists());
        let mut layers = SettingLayers::default();
        if let Some(path) = conf.or_else(found) {
            match fs::read_to_string(path) {
                Ok(text) => layers.file(&path.display().to_string(), &text),
                Err(error) => {
                    let origin = SettingOrigin::File { path: path.display().to_string(), line: None };
                    let help =
                        "name a file of lines as `log_level = info`, in UTF-8, that this user may read";
                    layers.wrong.push(SettingFault::new(format!("cannot read it: {error}"), help).at(origin));
                }
            }
        }
        layers.environment(environment);
        layers.command_line(overrides);
        layers.judge_unsupported();
        check(layers)
    }
}

/// The settings that are read, each with its default as a user would write it: empty if nothing is set.
pub fn supported() -> impl Iterator<Item = (&'static str, &'static str)> {
    SUPPORTED.iter().map(|row| (row.name, row.default))
}

fn check(mut layers: SettingLayers) -> Result<LoadedSettings, SettingsError> {
    let mut settings = Settings::default();
    read_all(&mut layers, &mut settings);
    tls::check(&mut layers, &settings.tls);
    client_certificates::check(&mut layers, &settings);
    if !layers.wrong.is_empty() {
        return Err(SettingsError { wrong: layers.wrong });
    }
    if settings.declarative_config.is_some() && settings.declarative_config_string.take().is_some() {
        let warning = "declarative_config_string has no effect, as declarative_config names a file";
        layers.warnings.push(warning.into());
    }
    for name in ["proxy_access_log", "admin_access_log"] {
        if let Some(given) = layers.get(name)
            && let [_, format, ..] = *given.text.split_ascii_whitespace().collect::<Vec<_>>()
        {
            let warning = format!("{}: the format '{format}' of the access log is ignored", given.origin);
            layers.warnings.push(warning);
        }
    }
    Ok(LoadedSettings { settings, warnings: layers.warnings })
}

fn read_all(layers: &mut SettingLayers, it: &mut Settings) {
    layers.read("database", &mut (), database);
    layers.read("role", &mut (), role);
    layers.read("declarative_config", &mut it.declarative_config, text);
    layers.read("declarative_config_string", &mut it.declarative_config_string, text);
    layers.read("env_substitution", &mut it.env_substitution, switch);
    layers.read("specs_dir", &mut it.specs_dir, text);
    layers.read("proxy_listen", &mut it.proxy_listen, listeners);
    layers.read("admin_listen", &mut it.admin_listen, listeners);
    layers.read("status_listen", &mut it.status_listen, listeners);
    layers.read("nginx_http_http2_max_concurrent_streams", &mut it.http2_streams, value::streams);
    read_tls(layers, &mut it.tls);
    client_certificates::read(layers, it);
    layers.read("admin_writes", &mut it.admin_writes, switch);
    layers.read("admin_token", &mut it.admin_token, admin::token);
    layers.read("admin_allowed_hosts", &mut it.admin_allowed_hosts, admin::hosts);
    let mut urls = Vec::new();
    layers.read("admin_gui_api_url", &mut urls, admin::api_urls);
    it.admin_allowed_hosts.append(&mut urls);
    layers.read("admin_gui_url", &mut it.admin_gui_url, admin::origins);
    layers.read("log_level", &mut it.log_level, word);
    layers.read("proxy_access_log", &mut it.proxy_access_log, access_log);
    layers.read("admin_access_log", &mut it.admin_access_log, access_log);
    layers.read("access_log_format", &mut it.access_log_format, word);
    layers.read("access_log_query", &mut it.access_log_query, switch);
    layers.read("headers", &mut it.headers, headers::response);
    layers.read("headers_upstream", &mut it.upstream_request_id, headers::upstream_request_id);
    layers.read("allow_debug_header", &mut it.allow_debug_header, switch);
    layers.read("error_default_type", &mut it.error_default_type, word);
    for (name, template) in it.error_templates.all() {
        layers.read(name, template, text);
    }
    layers.read("trusted_ips", &mut it.trusted_ips, network::trusted_ips);
    layers.read("real_ip_header", &mut it.real_ip_header, value::real_ip_header);
    layers.read("real_ip_recursive", &mut it.real_ip_recursive, switch);
    layers.read("port_maps", &mut it.port_maps, network::port_maps);
    layers.read("nginx_http_client_max_body_size", &mut it.client_max_body_size, value::size);
    layers.read("nginx_admin_client_max_body_size", &mut it.admin_max_body_size, value::size);
    read_limits(layers, it);
    layers.read("graceful_timeout", &mut it.graceful_timeout, seconds);
    layers.read("upstream_keepalive_pool_size", &mut it.upstream_keepalive_pool_size, value::count);
    layers.read("upstream_keepalive_max_requests", &mut it.upstream_keepalive_max_requests, value::limit);
    layers.read("upstream_keepalive_idle_timeout", &mut it.upstream_keepalive_idle_timeout, seconds_or_never);
    layers.read("dns_resolver", &mut it.dns.resolver, dns::servers);
    layers.read("dns_hostsfile", &mut it.dns.hosts_file, dns::file);
    layers.read("dns_order", &mut it.dns.order, dns::order);
    layers.read("dns_valid_ttl", &mut it.dns.valid_ttl, dns::some_time);
    layers.read("dns_stale_ttl", &mut it.dns.stale_ttl, dns::time);
    layers.read("dns_not_found_ttl", &mut it.dns.not_found_ttl, dns::time);
    layers.read("dns_error_ttl", &mut it.dns.error_ttl, dns::time);
    layers.read("router_flavor", &mut it.router_flavor, word);
    layers.read("route_match_calculation", &mut it.route_match_calculation, word);
    layers.read("plugins", &mut it.plugins, value::plugins);
    layers.read("nginx_main_user", &mut it.worker_user, user);
    layers.read("nginx_worker_processes", &mut it.worker_threads, value::threads);
}

fn read_tls(layers: &mut SettingLayers, it: &mut ListenerTls) {
    layers.read("ssl_cert", &mut it.proxy.certificates, tls::pems);
    layers.read("ssl_cert_key", &mut it.proxy.keys, tls::pems);
    layers.read("admin_ssl_cert", &mut it.admin.certificates, tls::pems);
    layers.read("admin_ssl_cert_key", &mut it.admin.keys, tls::pems);
    layers.read("status_ssl_cert", &mut it.status.certificates, tls::pems);
    layers.read("status_ssl_cert_key", &mut it.status.keys, tls::pems);
    layers.read("ssl_protocols", &mut it.protocols, tls::protocols);
    layers.read("ssl_cipher_suite", &mut it.cipher_suite, word);
    layers.read("ssl_ciphers", &mut it.ciphers, tls::ciphers);
    layers.read("ssl_prefer_server_ciphers", &mut it.prefer_server_ciphers, switch);
    layers.read("ssl_session_tickets", &mut it.session_tickets, switch);
    layers.read("lua_ssl_trusted_certificate", &mut it.trusted, tls::pems);
    layers.read("client_ssl", &mut it.client_ssl, switch);
    layers.read("client_ssl_cert", &mut it.client.certificates, tls::pems);
    layers.read("client_ssl_cert_key", &mut it.client.keys, tls::pems);
}

/// What clients may ask of the process.
fn read_limits(layers: &mut SettingLayers, it: &mut Settings) {
    layers.read("nginx_http_client_body_buffer_size", &mut it.client_body_buffer_size, directive::bytes);
    layers.read(
        "nginx_http_large_client_header_buffers",
        &mut it.large_client_header_buffers,
        directive::buffers,
    );
    layers.read("max_body_memory", &mut it.body_memory, directive::bytes);
    layers.read("max_rate_limiting_memory", &mut it.rate_limiting_memory, directive::bytes);
    layers.read("rate_limiting_ipv6_prefix", &mut it.rate_limiting_ipv6_prefix, directive::prefix);
    layers.read("max_headers", &mut it.max_headers, value::count);
    layers.read("nginx_http_client_header_timeout", &mut it.client_header_timeout, directive::time);
    layers.read("nginx_http_client_body_timeout", &mut it.client_body_timeout, directive::time);
    layers.read("nginx_http_send_timeout", &mut it.send_timeout, directive::time);
    layers.read("nginx_http_keepalive_timeout", &mut it.keepalive_timeout, directive::time_or_none);
    layers.read("nginx_http_keepalive_requests", &mut it.keepalive_requests, value::limit);
    layers.read("nginx_events_worker_connections", &mut it.worker_connections, directive::auto_or_count);
    layers.read("max_concurrent_requests", &mut it.concurrent_requests, directive::auto_or_count);
}

impl SettingLayers {
    /// Reads what is given for a setting into its place, which holds the default.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        place: &mut T,
        read: impl FnOnce(&str, &str) -> Result<T, SettingFault>,
    ) {
        let Some(given) = self.get(name) else { return };
        let value = if given.text.starts_with("{vault://") {
            Err(SettingFault::new(
                format!("{name} refers to a vault, and there is none"),
                "write the value itself",
            ))
        } else {
            read(name, &given.text)
        };
        match value {
            Ok(value) => *place = value,
            Err(fault) => {
                let origin = given.origin.clone();
                self.wrong.push(fault.at(origin));
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in a row with readers that may refuse")]
fn text<T: for<'a> From<&'a str>>(_: &str, text: &str) -> Result<Option<T>, SettingFault> {
    Ok(Some(text.into()))
}

/// Reads the name of a user, before that of a group.
#[expect(clippy::unnecessary_wraps, reason = "it stands in a row with readers that may refuse")]
fn user(_: &str, text: &str) -> Result<Option<String>, SettingFault> {
    Ok(text.split_ascii_whitespace().next().map(str::to_owned))
}

fn database(name: &str, text: &str) -> Result<(), SettingFault> {
    let help = "write `off` or leave it out, and name a file by `declarative_config`";
    match text {
        "off" => Ok(()),
        "postgres" | "cassandra" => Err(SettingFault::new(
            format!("{name} is '{text}', but mynah is DB-less and uses no database"),
            help,
        )),
        _ => Err(SettingFault::new(
            format!("{name} has an invalid value: '{text}' (postgres, cassandra, off)"),
            help,
        )),
    }
}

fn role(name: &str, text: &str) -> Result<(), SettingFault> {
    let help = "write `traditional` or leave it out";
    match text {
        "traditional" => Ok(()),
        "data_plane" | "control_plane" => {
            Err(SettingFault::new(format!("{name} is '{text}', but mynah does not run in hybrid mode"), help))
        }
        _ => Err(SettingFault::new(
            format!("{name} has an invalid value: '{text}' (data_plane, control_plane, traditional)"),
            help,
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, path::PathBuf};

    use super::{super::LogLevel, *};

    /// Loads from the texts of a file, of `NAME=value` lines of the environment, and of the command line.
    fn load(file: &str, environment: &str, overrides: &str) -> Result<LoadedSettings, SettingsError> {
        fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
            text.lines().filter_map(|line| line.split_once('='))
        }
        let overrides: Vec<_> = pairs(overrides).map(|(name, value)| (name, value.to_owned())).collect();
        let mut layers = SettingLayers::default();
        layers.file("kong.conf", file);
        layers
            .environment(pairs(environment).map(|(variable, value)| (variable.to_owned(), value.to_owned())));
        layers.command_line(&overrides);
        layers.judge_unsupported();
        check(layers)
    }

    #[track_caller]
    fn check_level(file: &str, environment: &str, overrides: &str, expected: LogLevel) {
        let loaded = load(file, environment, overrides).unwrap();
        assert_eq!(loaded.settings.log_level, expected);
        assert_eq!(loaded.warnings, [""; 0]);
    }

    #[track_caller]
    fn check_warnings(file: &str, environment: &str, expected: &[&str]) {
        assert_eq!(load(file, environment, "").unwrap().warnings, expected);
    }

    #[test]
    fn the_topmost_layer_decides() {
        let (file, environment, overrides) = ("log_level = info", "KONG_LOG_LEVEL=warn", "log_level=error");
        check_level("", "", "", LogLevel::Notice);
        check_level(file, "", "", LogLevel::Info);
        check_level(file, environment, "", LogLevel::Warn);
        check_level(file, environment, overrides, LogLevel::Error);
        check_level("log_level = wrong", environment, "", LogLevel::Warn);
        check_level(file, "KONG_LOG_LEVEL=", "", LogLevel::Notice);
        check_level(file, "kong_log_level=debug\nLOG_LEVEL=debug\nLOG=debug", "", LogLevel::Info);
        check_level("", "KONG_LOG_LEVEL=warn\nMYNAH_LOG_LEVEL=debug", "", LogLevel::Debug);
    }

    #[test]
    fn the_table_of_names_tells_the_true_defaults() {
        let overrides: Vec<_> = supported().map(|(name, default)| format!("{name}={default}\n")).collect();
        let loaded = load("", "", &overrides.concat()).unwrap();
        assert_eq!(loaded, LoadedSettings { settings: Settings::default(), warnings: Vec::new() });
    }

    #[test]
    fn every_supported_setting_is_read() {
        for (name, _) in supported() {
            let loaded = load("", "", &format!("{name}=?"));
            let unread = loaded.is_ok_and(|loaded| loaded.settings == Settings::default());
            assert!(!unread, "{name}");
        }
    }

    #[test]
    fn a_usual_container_is_understood() {
        let environment = "KONG_DATABASE=off\nKONG_DECLARATIVE_CONFIG=/kong/kong.yaml\nKONG_NGINX_DAEMON=off\n\
            KONG_PROXY_ACCESS_LOG=/dev/stdout\nKONG_ADMIN_LISTEN=0.0.0.0:8001\nKONG_NGINX_WORKER_PROCESSES=2\n\
            KONG_CLUSTER_LISTEN=off\nKONG_PREFIX=/kong_prefix/\nKONG_VERSION=3.9.1\n\
            KONG_PROXY_PORT=tcp://10.0.0.1:80\nKONG_PROXY_PORT_80_TCP=tcp://10.0.0.1:80\n\
            KONG_PROXY_SERVICE_HOST=10.0.0.1\nKONG_PROXY_SERVICE_PORT_HTTP=80\nKONG_PROXY_PORT_80_TCP_PROTO=tcp";
        let LoadedSettings { settings, warnings } = load("", environment, "").unwrap();
        assert_eq!(warnings, [""; 0]);
        assert_eq!(settings.declarative_config, Some(PathBuf::from("/kong/kong.yaml")));
        assert_eq!(settings.worker_threads, NonZeroUsize::new(2));
        assert_eq!(settings.admin_listen[0].address.to_string(), "0.0.0.0:8001");
    }

    #[test]
    fn a_name_that_is_not_read_is_told() {
        check_warnings(
            "pg_host = db",
            "KONG_PROXY_LISTNE=off",
            &["KONG_PROXY_LISTNE is no setting and is ignored; perhaps KONG_PROXY_LISTEN was meant"],
        );
        check_warnings(
            "\nlog_levle = info\nqwertz = 1",
            "",
            &[
                "kong.conf:2: log_levle is no setting and is ignored; perhaps log_level was meant",
                "kong.conf:3: qwertz is no setting and is ignored",
            ],
        );
        check_warnings(
            "ssl_dhparam = a.pem",
            "KONG_NGINX_HTTP_LUA_SHARED_DICT=x 1m\nKONG_NGINX_PROXY_PROXY_BUFFERS=8 16k\nKONG_SSL_SESSION_TIMEOUT=1d",
            &[
                "known to Kong but not supported, and ignored: ssl_dhparam (kong.conf:1), KONG_NGINX_HTTP_LUA_SHARED_DICT, \
               KONG_NGINX_PROXY_PROXY_BUFFERS, KONG_SSL_SESSION_TIMEOUT",
            ],
        );
    }

    #[test]
    fn a_value_without_effect_is_told() {
        check_warnings(
            "log_level = info\nlog_level = warn",
            "",
            &["kong.conf:1: log_level is set again in kong.conf:2, and the last one holds"],
        );
        check_warnings(
            "declarative_config = kong.yaml",
            "KONG_DECLARATIVE_CONFIG_STRING={}",
            &["declarative_config_string has no effect, as declarative_config names a file"],
        );
        check_warnings(
            "proxy_access_log = /dev/stdout basic",
            "",
            &["kong.conf:1: the format 'basic' of the access log is ignored"],
        );
    }

    #[test]
    fn a_settings_own_name_counts_more_than_another() {
        for environment in [
            "KONG_NGINX_PROXY_REAL_IP_RECURSIVE=on\nKONG_REAL_IP_RECURSIVE=off",
            "KONG_REAL_IP_RECURSIVE=off\nKONG_NGINX_PROXY_REAL_IP_RECURSIVE=on",
        ] {
            assert!(!load("", environment, "").unwrap().settings.real_ip_recursive);
        }
        let environment = "KONG_NGINX_PROXY_REAL_IP_RECURSIVE=on";
        assert!(load("real_ip_recursive = off", environment, "").unwrap().settings.real_ip_recursive);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (environment, expected) in [
            ("KONG_DATABASE=foo", "database has an invalid value: 'foo' (postgres, cassandra, off)"),
            ("KONG_DATABASE=cassandra", "database is 'cassandra', but mynah is DB-less and uses no database"),
            ("KONG_ROLE=foo", "role has an invalid value: 'foo' (data_plane, control_plane, traditional)"),
            ("KONG_ROLE=control_plane", "role is 'control_plane', but mynah does not run in hybrid mode"),
        ] {
            let messages: Vec<_> =
                load("", environment, "").unwrap_err().wrong.into_iter().map(|it| it.message).collect();
            assert_eq!(messages, [expected]);
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let error = load(
            "# mine\nlog_level = notise\nheaders = server_tokens, foo\nnonsense",
            "KONG_DATABASE=postgres\nKONG_PROXY_LISTEN=0.0.0.0:8000 htpp2\nKONG_TRUSTED_IPS=bad\n\
             KONG_SPECS_DIR={vault://env/specs}",
            "upstream_keepalive_pool_size=-1\nrole=data_plane\nproxy_listne=off",
        );
        insta::assert_snapshot!(error.unwrap_err());
    }

    #[test]
    fn a_file_that_is_named_must_be_readable() {
        let path = Path::new("/nowhere/kong.conf");
        let error = Settings::load(&[], std::iter::empty(), Some(path)).unwrap_err();
        let [wrong] = &*error.wrong else { panic!("{error}") };
        assert_eq!(wrong.origin.to_string(), "/nowhere/kong.conf");
        assert!(wrong.message.starts_with("cannot read it: "), "{}", wrong.message);
    }
}
