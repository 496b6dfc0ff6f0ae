//! Layers of given values: kong.conf, environment, command line; warnings and errors about names.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{
    conf,
    error::{SettingFault, SettingOrigin, WrongSetting},
    guards,
    names::{SettingKind, is_protective, lookup, suggest},
};

/// The text of a value, and its origin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivenValue {
    pub(super) text: String,
    pub(super) origin: SettingOrigin,
}

/// The value of each setting in the topmost layer that gives one.
#[derive(Debug, Default)]
pub(super) struct SettingLayers {
    given: BTreeMap<&'static str, GivenValue>,
    /// Values of settings of Kong that mynah does not support.
    unsupported: IndexMap<String, GivenValue>,
    /// Variables with the prefix of settings whose names are neither that of a setting nor like one.
    unknown_variables: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) wrong: Vec<WrongSetting>,
}

impl SettingLayers {
    /// Adds a kong.conf as the topmost layer.
    pub(super) fn add_file(&mut self, path: &str, text: &str) {
        let at = |line| SettingOrigin::File { path: path.to_owned(), line: Some(line) };
        let (entries, faults) = conf::parse(text);
        self.wrong.extend(faults.into_iter().map(|(line, fault)| fault.at(at(line))));
        let entries = entries.into_iter().map(|entry| (entry.name, entry.value, at(entry.line)));
        let entries: Vec<_> = entries.collect();
        for (index, (name, _, origin)) in entries.iter().enumerate() {
            if let Some((_, _, later)) = entries[index + 1..].iter().find(|(other, ..)| other == name) {
                self.warnings
                    .push(format!("{origin}: {name} is set again at {later}, which takes precedence"));
            }
        }
        self.add(entries);
    }

    /// Adds the environment as the topmost layer: variables with the prefix `KONG_`, and `MYNAH_`, which takes precedence.
    pub(super) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut entries: Vec<_> = variables
            .filter(|(variable, value)| !is_kubernetes_link(variable, value))
            .filter_map(|(variable, value)| {
                let name = variable.strip_prefix("KONG_").or_else(|| variable.strip_prefix("MYNAH_"))?;
                let name = name.to_ascii_lowercase();
                Some((name, value, SettingOrigin::Environment(variable)))
            })
            .collect();
        // The order of variables is arbitrary; the order of warnings should not be.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        self.add(entries);
    }

    /// Adds the command line as the topmost layer; an unknown name is an error here.
    pub(super) fn add_command_line(&mut self, overrides: &[(&str, String)]) {
        for (name, _) in overrides {
            if lookup(name).is_none() {
                let help =
                    suggest(name).map_or_else(|| "leave it out".into(), |near| format!("write `{near}`"));
                self.wrong.push(
                    SettingFault::new(format!("{name} is not a setting"), help)
                        .at(SettingOrigin::CommandLine),
                );
            }
        }
        let known = overrides.iter().filter(|(name, _)| lookup(name).is_some());
        let entries =
            known.map(|(name, value)| ((*name).to_owned(), value.clone(), SettingOrigin::CommandLine));
        self.add(entries.collect());
    }

    /// The value of a setting. An empty text unsets the layers below it.
    pub(super) fn get(&self, name: &str) -> Option<&GivenValue> {
        self.given.get(name).filter(|given| !given.text.is_empty())
    }

    /// Reads the value of a setting; none if none is given, or if it is invalid, which is noted.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'static str, &str) -> Result<T, SettingFault>,
    ) -> Option<T> {
        let given = self.get(name)?;
        let value = if given.text.starts_with("{vault://") {
            Err(SettingFault::new(
                format!("{name} refers to a vault, and there is none"),
                "write the value itself",
            ))
        } else {
            read(name, &given.text)
        };
        let origin = given.origin.clone();
        value.map_err(|fault| self.wrong.push(fault.at(origin))).ok()
    }

    /// Refuses unsupported settings that restrict access. All others get one warning, as there may be dozens; so do
    /// variables that are no settings.
    pub(super) fn check_unsupported(&mut self) {
        let mut ignored = Vec::new();
        for (name, given) in &self.unsupported {
            if let Some(fault) = guards::refuse(name, &given.text) {
                self.wrong.push(fault.at(given.origin.clone()));
            } else if !changes_nothing(name, &given.text) {
                ignored.push(described(name, &given.origin));
            }
        }
        if !ignored.is_empty() {
            let names = ignored.join(", ");
            self.warnings.push(format!("known to Kong but not supported, and ignored: {names}"));
        }
        match &*self.unknown_variables {
            [] => {}
            [one] => self.warnings.push(format!("{one} is not a setting and is ignored")),
            many => self.warnings.push(format!("not settings, and ignored: {}", many.join(", "))),
        }
    }

    fn add(&mut self, mut entries: Vec<(String, String, SettingOrigin)>) {
        // Within a layer, the name of a setting takes precedence over its aliases.
        entries.sort_by_key(|(name, ..)| !is_alias(name));
        for (name, value, origin) in entries {
            match lookup(&name) {
                Some(SettingKind::Supported(name)) => {
                    let text = value.trim().to_owned();
                    if name == "admin_token" && text.is_empty() && origin != SettingOrigin::CommandLine {
                        self.wrong.push(empty_token().at(origin.clone()));
                    }
                    self.given.insert(name, GivenValue { text, origin });
                }
                Some(SettingKind::NotApplicable) => {}
                Some(SettingKind::Unsupported) => {
                    self.unsupported.insert(name, GivenValue { text: value.trim().to_owned(), origin });
                }
                None => match suggest(&name).filter(|near| is_protective(near)) {
                    Some(near) => self.wrong.push(misspelt(&name, near).at(origin)),
                    None => self.add_unknown(&name, &origin),
                },
            }
        }
    }

    fn add_unknown(&mut self, name: &str, origin: &SettingOrigin) {
        let near = suggest(name);
        match (origin, near) {
            (SettingOrigin::Environment(variable), None) => self.unknown_variables.push(variable.clone()),
            (SettingOrigin::Environment(variable), Some(near)) => {
                let near = near.to_ascii_uppercase();
                self.warnings
                    .push(format!("{variable} is not a setting and is ignored; did you mean KONG_{near}?"));
            }
            (SettingOrigin::CommandLine | SettingOrigin::File { .. }, near) => {
                let suggestion = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                self.warnings.push(format!("{origin}: {name} is not a setting and is ignored{suggestion}"));
            }
        }
    }
}

fn is_alias(name: &str) -> bool {
    matches!(lookup(name), Some(SettingKind::Supported(own_name)) if own_name != name)
}

/// Whether a value only turns off a feature that mynah lacks anyway, or a restriction. `off` may turn off what nginx does
/// by default, so other directives are named whatever their value.
fn changes_nothing(name: &str, value: &str) -> bool {
    let is_off = matches!(value, "off" | "false");
    let is_directive = name.starts_with("nginx_");
    value.is_empty() || (is_off && !is_directive) || (is_directive && guards::is_default(name, value))
}

/// The variable of a missing Kubernetes secret is empty, too, and must not open the Admin API.
fn empty_token() -> SettingFault {
    let help = "give it a value, or remove it if the Admin API needs no token";
    SettingFault::new("admin_token is empty", help)
}

/// A name that looks like that of a setting which restricts access.
fn misspelt(name: &str, near: &str) -> SettingFault {
    let help = format!("write `{near}`, or remove it");
    SettingFault::new(format!("{name} is not a setting; did you mean {near}, which restricts access?"), help)
}

fn described(name: &str, origin: &SettingOrigin) -> String {
    match origin {
        SettingOrigin::Environment(variable) => variable.clone(),
        SettingOrigin::CommandLine | SettingOrigin::File { .. } => format!("{name} ({origin})"),
    }
}

/// Whether Kubernetes sets the variable for a Service whose name begins with `kong-`: `KONG_PROXY_SERVICE_HOST`,
/// `KONG_PROXY_PORT_80_TCP_ADDR`, `KONG_PROXY_PORT=tcp://10.0.0.1:80` and so on.
fn is_kubernetes_link(variable: &str, value: &str) -> bool {
    let is_followed_by_number = |after: &str| {
        let rest = variable.split_once(after).map_or("", |(_, rest)| rest);
        rest.starts_with(|letter: char| letter.is_ascii_digit())
    };
    let is_url = value.starts_with("tcp://") || value.starts_with("udp://");
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || is_followed_by_number("_PORT_")
        || (is_url && variable.ends_with("_PORT"))
}
