//! Settings of a command, and what commands derive from them: configuration, folder of OpenAPI documents, compiler.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Result, bail};
use mynah::{
    config::{self, DeclarativeFormat},
    control::{ConfigSource, Control, compile_config},
    diag::{DiagnosticReport, SourceFile, plural},
    plugin::{EnabledPlugins, Resources},
    router,
    settings::{
        ConfigErrorAction, LoadedSettings, RouteMatchCalculation, RouterFlavor, Settings, UntrustedLua,
    },
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};

/// Loads the settings of the process. `overrides` are names of settings and the values that flags give them.
pub(crate) fn load_settings<const N: usize>(
    overrides: [(&'static str, Option<String>); N],
    conf: Option<&Path>,
) -> Result<LoadedSettings> {
    let given: Vec<(&str, String)> =
        overrides.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(Settings::load(&given, std::env::vars(), conf)?)
}

/// What to do where no configuration is named and none is found.
pub(crate) const NO_CONFIG: &str = "no configuration: there is no ./kong.yaml and no ./kong.yml";
pub(crate) const NO_CONFIG_HELP: &str =
    "name one (mynah run FILE), set KONG_DECLARATIVE_CONFIG, or copy kong.yaml.example to kong.yaml";

/// The source of the configuration: the file or text that the settings name, else kong.yaml or kong.yml in the working
/// directory, else an empty configuration.
pub(crate) fn config_source(settings: &Settings) -> ConfigSource {
    if let Some(file) = &settings.declarative_config {
        return ConfigSource::File(file.clone());
    }
    if let Some(text) = &settings.declarative_config_string {
        return ConfigSource::Text(text.clone());
    }
    let default = ["kong.yaml", "kong.yml"].map(PathBuf::from).into_iter().find(|file| file.exists());
    default.map_or(ConfigSource::Empty, ConfigSource::File)
}

/// The source of the configuration of a command that needs one.
pub(crate) fn required_source(settings: &Settings) -> Result<ConfigSource> {
    match config_source(settings) {
        ConfigSource::Empty => bail!("{NO_CONFIG}\nhelp: {NO_CONFIG_HELP}"),
        source => Ok(source),
    }
}

/// How to serve a configuration although it has errors.
pub(crate) const QUARANTINE_HELP: &str = "KONG_DECLARATIVE_CONFIG_ON_ERROR=quarantine (mynah run --quarantine) serves the rest of a \
     configuration; requests that an entity with errors would have guarded are answered with 503";

/// Why a configuration is refused although errors are quarantined.
pub(crate) const NO_QUARANTINE_HELP: &str = "these errors belong to no single entity, or to a vault, and cannot be quarantined: mend them, or remove what has them";

/// The folder of the OpenAPI documents that plugins name: `specs_dir`, else `specs` in the folder of the configuration.
pub(crate) fn specs_folder(settings: &Settings, source: &ConfigSource) -> PathBuf {
    let default = source.file().map(default_specs_folder);
    settings.specs_dir.clone().or(default).unwrap_or_else(|| PathBuf::from("specs"))
}

/// `specs` in the folder of a configuration.
pub(crate) fn default_specs_folder(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("")).join("specs")
}

/// How configurations are read and compiled.
#[derive(Clone, Copy)]
pub(crate) struct CompileOptions {
    router: router::RouterOptions,
    format: DeclarativeFormat,
    plugins: EnabledPlugins,
    runs_lua: bool,
    quarantines: bool,
}

impl CompileOptions {
    pub(crate) fn new(settings: &Settings) -> Self {
        config::set_env_prefix(&settings.vault_env_prefix);
        let format = DeclarativeFormat::of_files(settings.env_substitution);
        let (plugins, runs_lua) = (enabled_plugins(settings), runs_lua(settings));
        let quarantines = settings.on_config_error == ConfigErrorAction::Quarantine;
        Self { router: router_options(settings), format, plugins, runs_lua, quarantines }
    }

    /// Checks and compiles a configuration whose plugins read their files from the folder `specs`.
    pub(crate) fn compile(
        self,
        specs: PathBuf,
        source: &Arc<SourceFile>,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        self.compile_as(specs, source, false)
    }

    /// The same without the entities that have errors.
    ///
    /// # Errors
    /// An error belongs to no entity that can be left out.
    pub(crate) fn compile_in_quarantine(
        self,
        specs: PathBuf,
        source: &Arc<SourceFile>,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        self.compile_as(specs, source, true)
    }

    fn compile_as(
        self,
        specs: PathBuf,
        source: &Arc<SourceFile>,
        quarantines: bool,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        let resources = Resources { runs_lua: self.runs_lua, ..Resources::default() };
        let mut compiler =
            SnapshotCompiler::new(specs, self.router).with_plugins(self.plugins).with_resources(resources);
        compile_config(&mut compiler, source, self.format, quarantines)
    }

    /// Whether configurations are served without the entities that have errors.
    pub(crate) const fn quarantines(self) -> bool {
        self.quarantines
    }

    /// The control that compiles configurations with this compiler and publishes them.
    pub(crate) fn control(self, compiler: SnapshotCompiler) -> Control {
        Control::new(compiler).with_format(self.format).with_quarantine(self.quarantines)
    }
}

/// The plugins that the setting `plugins` allows.
pub(crate) fn enabled_plugins(settings: &Settings) -> EnabledPlugins {
    EnabledPlugins::only(|name| settings.plugins.allows(name))
}

/// Whether Lua in a configuration is run.
pub(crate) fn runs_lua(settings: &Settings) -> bool {
    settings.untrusted_lua != UntrustedLua::Off
}

/// The options of the router.
pub(crate) fn router_options(settings: &Settings) -> router::RouterOptions {
    router::RouterOptions {
        flavor: match settings.router_flavor {
            RouterFlavor::Traditional => router::MatchFlavor::Traditional,
            RouterFlavor::TraditionalCompatible => router::MatchFlavor::TraditionalCompatible,
            RouterFlavor::Expressions => router::MatchFlavor::Expressions,
        },
        calculation: match settings.route_match_calculation {
            RouteMatchCalculation::Strict => router::PriorityCalculation::Strict,
            RouteMatchCalculation::Original => router::PriorityCalculation::Original,
        },
        compilation: router::RegexCompilation::default(),
    }
}

/// The numbers of Services, Routes and plugins of a configuration.
pub(crate) fn summary(snapshot: &Snapshot) -> String {
    let entities = &snapshot.entities;
    format!(
        "{}, {}, {}",
        plural(entities.services.len(), "service"),
        plural(entities.routes.len(), "route"),
        plural(entities.plugins.len(), "plugin")
    )
}
