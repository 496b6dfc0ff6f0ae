//! Loading of [`Settings`] from flags, environment and kong.conf; all errors are reported together.

use std::{fs, path::Path};

use super::{
    LogTemplate, Settings, SettingsError, UntrustedLua, client_certificates,
    error::{SettingFault, SettingOrigin},
    layers::SettingLayers,
    table, tls,
};

/// Settings, and warnings about how they were given.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedSettings {
    /// The settings.
    pub settings: Settings,
    /// One line each: unknown names, unsupported settings, values without effect.
    pub warnings: Vec<String>,
}

/// Kong's default files, the first that exists.
const CONF_FILES: [&str; 2] = ["/etc/kong/kong.conf", "/etc/kong.conf"];

impl Settings {
    /// Loads settings from `overrides` (names and values, of the command line), `environment` (all variables) and the file
    /// `conf`, or without one from `/etc/kong/kong.conf` or `/etc/kong.conf`, if one exists.
    ///
    /// # Errors
    /// All invalid values, each with its origin, and a file that cannot be read.
    pub fn load(
        overrides: &[(&str, String)],
        environment: impl Iterator<Item = (String, String)>,
        conf: Option<&Path>,
    ) -> Result<LoadedSettings, SettingsError> {
        let found = || CONF_FILES.into_iter().map(Path::new).find(|path| path.exists());
        let mut layers = SettingLayers::default();
        if let Some(path) = conf.or_else(found) {
            match fs::read_to_string(path) {
                Ok(text) => layers.add_file(&path.display().to_string(), &text),
                Err(error) => {
                    let origin = SettingOrigin::File { path: path.display().to_string(), line: None };
                    let help =
                        "name a file of lines as `log_level = info`, in UTF-8, that this user may read";
                    layers.wrong.push(SettingFault::new(format!("cannot read it: {error}"), help).at(origin));
                }
            }
        }
        layers.add_environment(environment);
        layers.add_command_line(overrides);
        layers.check_unsupported();
        check(layers)
    }
}

fn check(mut layers: SettingLayers) -> Result<LoadedSettings, SettingsError> {
    let mut settings = Settings::default();
    read_all(&mut layers, &mut settings);
    tls::check(&mut layers, &settings.tls);
    client_certificates::check(&mut layers, &settings);
    check_last_good(&mut layers, &settings);
    if !layers.wrong.is_empty() {
        return Err(SettingsError { wrong: layers.wrong });
    }
    if settings.declarative_config.is_some() && settings.declarative_config_string.take().is_some() {
        let warning = "declarative_config_string has no effect, as declarative_config names a file";
        layers.warnings.push(warning.into());
    }
    settings.proxy_log_template = log_template(&mut layers, "proxy_access_log", &settings);
    settings.admin_log_template = log_template(&mut layers, "admin_access_log", &settings);
    settings.status_log_template = log_template(&mut layers, "status_access_log", &settings);
    layers.warnings.extend(sandbox_warnings(&settings));
    Ok(LoadedSettings { settings, warnings: layers.warnings })
}

/// Refuses to keep the last good configuration without a folder for it.
fn check_last_good(layers: &mut SettingLayers, settings: &Settings) {
    let name = "declarative_config_last_good";
    if let Some(given) = layers.get(name).filter(|_| settings.keeps_last_good && settings.prefix.is_none()) {
        let message = format!("{name} needs a folder to keep the configuration in");
        let help = "set prefix (KONG_PREFIX) to a folder that outlives the process";
        let fault = SettingFault::new(message, help).at(given.origin.clone());
        layers.wrong.push(fault);
    }
}

/// The format that an access log names after its destination; none for that of `access_log_format`.
fn log_template(layers: &mut SettingLayers, name: &str, settings: &Settings) -> Option<LogTemplate> {
    let given = layers.get(name)?;
    let (origin, format) = (&given.origin, given.text.split_ascii_whitespace().nth(1)?);
    match format {
        "kong_log_format" => None,
        "combined" => Some(LogTemplate::combined()),
        _ => {
            let defined = settings.log_format.clone().filter(|template| template.name == format);
            if defined.is_none() {
                let warning = format!(
                    "{origin}: the format '{format}' of the access log is ignored: it is not that of nginx_http_log_format, and \
                     not combined"
                );
                layers.warnings.push(warning);
            }
            defined
        }
    }
}

/// Modules that snippets of Lua can load.
const LUA_MODULES: &[&str] = &["bit", "cjson", "cjson.safe", "table.clear", "table.new"];

/// Global names of Kong's sandbox and of this one.
const LUA_GLOBALS: &[&str] = &["kong", "ngx", "os.clock", "os.date", "os.difftime", "os.time"];

/// Warnings about settings that ask for more than the sandbox of Lua has.
fn sandbox_warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.untrusted_lua == UntrustedLua::On {
        warnings.push("untrusted_lua is on, but Lua runs in the sandbox all the same".to_owned());
    }
    let missing = |given: &[String], known: &[&str]| {
        let missing = given.iter().map(String::as_str).filter(|name| !known.contains(name));
        missing.collect::<Vec<_>>().join(", ")
    };
    let modules = missing(&settings.untrusted_lua_requires, LUA_MODULES);
    if !modules.is_empty() {
        warnings.push(format!(
            "untrusted_lua_sandbox_requires names modules that are not here: {modules}; a snippet that loads one fails"
        ));
    }
    let globals = missing(&settings.untrusted_lua_environment, LUA_GLOBALS);
    if !globals.is_empty() {
        warnings.push(format!(
            "untrusted_lua_sandbox_environment names what the sandbox does not have: {globals}; a snippet that uses it fails"
        ));
    }
    warnings
}

/// Reads every given setting; the others keep their defaults.
fn read_all(layers: &mut SettingLayers, settings: &mut Settings) {
    for row in table::rows() {
        if let Some(read) = row.read {
            layers.read(row.name, |name, text| read(settings, name, text));
        }
    }
    client_certificates::read(layers, settings);
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, path::PathBuf};

    use super::{super::LogLevel, *};

    /// Loads from the text of a file, and from `NAME=value` lines of the environment and of the command line.
    fn load(file: &str, environment: &str, overrides: &str) -> Result<LoadedSettings, SettingsError> {
        fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
            text.lines().filter_map(|line| line.split_once('='))
        }
        let overrides: Vec<_> = pairs(overrides).map(|(name, value)| (name, value.to_owned())).collect();
        let mut layers = SettingLayers::default();
        layers.add_file("kong.conf", file);
        layers.add_environment(
            pairs(environment).map(|(variable, value)| (variable.to_owned(), value.to_owned())),
        );
        layers.add_command_line(&overrides);
        layers.check_unsupported();
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
    fn the_topmost_layer_wins() {
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
    fn the_rows_have_the_defaults_of_the_type() {
        let overrides: Vec<_> = table::rows().map(|row| format!("{}={}\n", row.name, row.default)).collect();
        let mut loaded = load("", "", &overrides.concat()).unwrap();
        // Whether the listeners of a page are given makes a difference.
        let settings = &mut loaded.settings;
        for (given, default) in [
            (settings.portal_gui_listen.take(), Settings::default().portal_listeners()),
            (settings.admin_gui_listen.take(), Settings::default().manager_listeners()),
        ] {
            assert_eq!(given, Some(default.listeners));
        }
        assert_eq!(loaded, LoadedSettings { settings: Settings::default(), warnings: Vec::new() });
    }

    #[test]
    fn every_supported_setting_is_read() {
        for name in table::rows().map(|row| row.name) {
            let loaded = load("", "", &format!("{name}=?"));
            let unread = loaded.is_ok_and(|loaded| loaded.settings == Settings::default());
            assert!(!unread, "{name}");
        }
    }

    #[test]
    fn the_environment_of_a_container_of_kong_is_accepted() {
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
    fn settings_of_compose_files_and_charts_that_have_an_equal_are_accepted() {
        let environment = "KONG_ADMIN_GUI_LISTEN=0.0.0.0:8002\nKONG_LUA_SSL_VERIFY_DEPTH=3\nKONG_RESOLVER_ADDRESS=10.0.0.2\n\
            KONG_VAULT_ENV_PREFIX=SECRET_\nKONG_PROXY_ERROR_LOG=/dev/stderr\nKONG_NGINX_UPSTREAM_KEEPALIVE=60\n\
            KONG_NGINX_UPSTREAM_KEEPALIVE_TIMEOUT=30s\nKONG_NGINX_PROXY_SET_REAL_IP_FROM=10.0.0.0/8\n\
            KONG_NGINX_PROXY_CLIENT_HEADER_BUFFER_SIZE=16k\nKONG_NGINX_PROXY_PROXY_READ_TIMEOUT=600s\n\
            KONG_NGINX_HTTP_GZIP=on\nKONG_NGINX_HTTP_UNDERSCORES_IN_HEADERS=on\nKONG_STREAM_LISTEN=off\n\
            KONG_NGINX_PROXY_ADD_HEADER=X-Served-By gateway\n\
            KONG_PORTAL=off\nKONG_PORTAL_GUI_LISTEN=0.0.0.0:8003\nKONG_VITALS=off\n\
            KONG_CLUSTER_TELEMETRY_LISTEN=0.0.0.0:8006\nKONG_NGINX_ADMIN_AUTH_BASIC=off\n\
            KONG_CLUSTER_LISTEN=0.0.0.0:8005\nKONG_STATUS_ACCESS_LOG=off\nKONG_ADMIN_GUI_API_URL=http://\n\
            KONG_LICENSE_DATA={}\nKONG_SMTP_MOCK=on\nKONG_ADMIN_API_URI=http://admin.example\n\
            KONG_NGINX_HTTP_LUA_SHARED_DICT=prometheus_metrics 15m\nKONG_NGINX_PROXY_PROXY_BUFFERING=off\n\
            KONG_NGINX_PROXY_PROXY_REQUEST_BUFFERING=off\nKONG_NGINX_OPTIMIZATIONS=on";
        let LoadedSettings { settings, warnings } = load("", environment, "").unwrap();
        assert_eq!(warnings, [""; 0]);
        assert_eq!(settings.dns.resolver, ["10.0.0.2:53".parse().unwrap()]);
        assert_eq!(settings.vault_env_prefix, "SECRET_");
        assert_eq!(settings.added_fields[0].name, "x-served-by");
        assert_eq!(settings.upstream_keepalive_pool_size, 60);
        assert_eq!(settings.upstream_keepalive_idle_timeout, Some(std::time::Duration::from_secs(30)));
        assert!(
            settings.real_ip_from.contains("10.1.2.3".parse().unwrap()) && settings.trusted_ips.is_empty()
        );
    }

    #[test]
    fn variables_that_are_no_settings_are_named_in_one_line() {
        let environment = "KONG_DOCKER_TAG=3\nKONG_QWERTZ=1\nKONG_AUDIT_LOG=on\nKONG_KEYRING_ENABLED=on";
        let expected = [
            "known to Kong but not supported, and ignored: KONG_AUDIT_LOG, KONG_KEYRING_ENABLED",
            "not settings, and ignored: KONG_DOCKER_TAG, KONG_QWERTZ",
        ];
        check_warnings("", environment, &expected);
        check_warnings("", "KONG_QWERTZ=1", &["KONG_QWERTZ is not a setting and is ignored"]);
    }

    #[test]
    fn unknown_directives_are_named_whatever_their_value() {
        for value in ["off", "on", "1"] {
            let environment = format!(
                "KONG_NGINX_HTTP_MERGE_SLASHES={value}\nKONG_NGINX_PROXY_ETAG={value}\nKONG_WASM=off"
            );
            check_warnings(
                "",
                &environment,
                &[
                    "known to Kong but not supported, and ignored: KONG_NGINX_HTTP_MERGE_SLASHES, KONG_NGINX_PROXY_ETAG",
                ],
            );
        }
    }

    #[test]
    fn an_ignored_name_is_warned_about() {
        check_warnings(
            "pg_host = db",
            "KONG_PROXY_LISTNE=off",
            &["KONG_PROXY_LISTNE is not a setting and is ignored; did you mean KONG_PROXY_LISTEN?"],
        );
        check_warnings(
            "\nlog_levle = info\nqwertz = 1",
            "",
            &[
                "kong.conf:2: log_levle is not a setting and is ignored; did you mean log_level?",
                "kong.conf:3: qwertz is not a setting and is ignored",
            ],
        );
        check_warnings(
            "ssl_dhparam = a.pem",
            "KONG_NGINX_HTTP_MERGE_SLASHES=on\nKONG_NGINX_PROXY_ETAG=8 16k\nKONG_SSL_SESSION_TIMEOUT=1d",
            &[
                "known to Kong but not supported, and ignored: ssl_dhparam (kong.conf:1), KONG_NGINX_HTTP_MERGE_SLASHES, \
               KONG_NGINX_PROXY_ETAG, KONG_SSL_SESSION_TIMEOUT",
            ],
        );
    }

    #[test]
    fn a_value_without_effect_is_warned_about() {
        check_warnings(
            "log_level = info\nlog_level = warn",
            "",
            &["kong.conf:1: log_level is set again at kong.conf:2, which takes precedence"],
        );
        check_warnings(
            "declarative_config = kong.yaml",
            "KONG_DECLARATIVE_CONFIG_STRING={}",
            &["declarative_config_string has no effect, as declarative_config names a file"],
        );
        check_warnings(
            "proxy_access_log = /dev/stdout basic",
            "",
            &[
                "kong.conf:1: the format 'basic' of the access log is ignored: it is not that of nginx_http_log_format, and not \
               combined",
            ],
        );
        for (environment, expected) in [
            ("KONG_PROXY_ACCESS_LOG=/dev/stdout combined", Some("combined")),
            ("KONG_PROXY_ACCESS_LOG=/dev/stdout a\nKONG_NGINX_HTTP_LOG_FORMAT=a '$status'", Some("a")),
            ("KONG_PROXY_ACCESS_LOG=/dev/stdout kong_log_format", None),
        ] {
            let LoadedSettings { settings, warnings } = load("", environment, "").unwrap();
            assert_eq!(warnings, [""; 0]);
            assert_eq!(settings.proxy_log_template.map(|template| template.name).as_deref(), expected);
        }
    }

    #[test]
    fn what_the_sandbox_of_lua_does_not_have_is_warned_about() {
        check_warnings("untrusted_lua = sandbox", "KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES=cjson, bit", &[]);
        check_warnings(
            "untrusted_lua = on",
            "KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES=cjson,resty.http\nKONG_UNTRUSTED_LUA_SANDBOX_ENVIRONMENT=kong,io",
            &[
                "untrusted_lua is on, but Lua runs in the sandbox all the same",
                "untrusted_lua_sandbox_requires names modules that are not here: resty.http; a snippet that loads one \
                 fails",
                "untrusted_lua_sandbox_environment names what the sandbox does not have: io; a snippet that uses it fails",
            ],
        );
    }

    #[test]
    fn the_name_of_a_setting_takes_precedence_over_its_aliases() {
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
    fn databases_and_roles_that_mynah_lacks_are_errors() {
        for (environment, expected) in [
            ("KONG_DATABASE=foo", "database has an invalid value: 'foo' (postgres, cassandra, off)"),
            ("KONG_DATABASE=cassandra", "database is 'cassandra', but mynah is DB-less and uses no database"),
            ("KONG_ROLE=foo", "role has an invalid value: 'foo' (data_plane, control_plane, traditional)"),
            ("KONG_ROLE=control_plane", "role is 'control_plane', but mynah does not run in hybrid mode"),
        ] {
            let messages: Vec<_> =
                load("", environment, "").unwrap_err().wrong.into_iter().map(|wrong| wrong.message).collect();
            assert_eq!(messages, [expected]);
        }
    }

    #[test]
    fn all_errors_are_reported_together() {
        let error = load(
            "# mine\nlog_level = notise\nheaders = server_tokens, foo\nnonsense",
            "KONG_DATABASE=postgres\nKONG_PROXY_LISTEN=0.0.0.0:8000 htpp2\nKONG_TRUSTED_IPS=bad\n\
             KONG_SPECS_DIR={vault://env/specs}",
            "upstream_keepalive_pool_size=-1\nrole=data_plane\nproxy_listne=off",
        );
        insta::assert_snapshot!(error.unwrap_err());
    }

    #[test]
    fn a_named_file_must_be_readable() {
        let path = Path::new("/nowhere/kong.conf");
        let error = Settings::load(&[], std::iter::empty(), Some(path)).unwrap_err();
        let [wrong] = &*error.wrong else { panic!("{error}") };
        assert_eq!(wrong.origin.to_string(), "/nowhere/kong.conf");
        assert!(wrong.message.starts_with("cannot read it: "), "{}", wrong.message);
    }
}
