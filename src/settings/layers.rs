//! The layers that settings come from, one upon the other, and what is worth a word about their names.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{
    conf,
    error::{SettingFault, SettingOrigin, WrongSetting},
    guards,
    names::{SettingKind, lookup, suggest},
};

/// A value as it was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivenValue {
    pub(super) text: String,
    pub(super) origin: SettingOrigin,
}

/// What is given for each supported setting, the topmost layer only.
#[derive(Debug, Default)]
pub(super) struct SettingLayers {
    given: BTreeMap<&'static str, GivenValue>,
    /// Known settings that are not supported, each as its topmost layer gives it.
    unsupported: IndexMap<String, GivenValue>,
    pub(super) warnings: Vec<String>,
    pub(super) wrong: Vec<WrongSetting>,
}

impl SettingLayers {
    /// Lays a kong.conf on top.
    pub(super) fn file(&mut self, path: &str, text: &str) {
        let at = |line| SettingOrigin::File { path: path.to_owned(), line: Some(line) };
        let (entries, faults) = conf::parse(text);
        self.wrong.extend(faults.into_iter().map(|(line, fault)| fault.at(at(line))));
        let entries = entries.into_iter().map(|entry| (entry.name, entry.value, at(entry.line)));
        let entries: Vec<_> = entries.collect();
        for (index, (name, _, origin)) in entries.iter().enumerate() {
            if let Some((_, _, later)) = entries[index + 1..].iter().find(|(other, ..)| other == name) {
                self.warnings
                    .push(format!("{origin}: {name} is set again in {later}, and the last one holds"));
            }
        }
        self.lay(entries);
    }

    /// Lays the environment on top: what starts with `KONG_`, or with `MYNAH_`, which counts more.
    pub(super) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut entries: Vec<_> = variables
            .filter(|(variable, value)| !is_kubernetes_link(variable, value))
            .filter_map(|(variable, value)| {
                let name = variable.strip_prefix("KONG_").or_else(|| variable.strip_prefix("MYNAH_"))?;
                let name = name.to_ascii_lowercase();
                Some((name, value, SettingOrigin::Environment(variable)))
            })
            .collect();
        // The order of an environment is accidental; warnings should not be.
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        self.lay(entries);
    }

    /// Lays the command line on top; an unknown name is wrong here.
    pub(super) fn command_line(&mut self, overrides: &[(&str, String)]) {
        for (name, _) in overrides {
            if lookup(name).is_none() {
                let help =
                    suggest(name).map_or_else(|| "leave it out".into(), |near| format!("write `{near}`"));
                self.wrong.push(
                    SettingFault::new(format!("{name} is no setting"), help).at(SettingOrigin::CommandLine),
                );
            }
        }
        let known = overrides.iter().filter(|(name, _)| lookup(name).is_some());
        let entries =
            known.map(|(name, value)| ((*name).to_owned(), value.clone(), SettingOrigin::CommandLine));
        self.lay(entries.collect());
    }

    /// What is given for a setting; an empty value is none.
    pub(super) fn get(&self, name: &str) -> Option<&GivenValue> {
        self.given.get(name).filter(|given| !given.text.is_empty())
    }

    /// Refuses what guards and is not supported; one warning for all else that is not, as there may be dozens.
    pub(super) fn judge_unsupported(&mut self) {
        let mut ignored = Vec::new();
        for (name, given) in &self.unsupported {
            if let Some(fault) = guards::refuse(name, &given.text) {
                self.wrong.push(fault.at(given.origin.clone()));
            } else if !asks_for_nothing(&given.text) {
                ignored.push(described(name, &given.origin));
            }
        }
        if !ignored.is_empty() {
            let names = ignored.join(", ");
            self.warnings.push(format!("known to Kong but not supported, and ignored: {names}"));
        }
    }

    fn lay(&mut self, mut entries: Vec<(String, String, SettingOrigin)>) {
        // Within a layer the setting's own name counts more than another name for it.
        entries.sort_by_key(|(name, ..)| lookup(name) == known_by_own_name(name));
        for (name, value, origin) in entries {
            match lookup(&name) {
                Some(SettingKind::Supported(name)) => {
                    let text = value.trim().to_owned();
                    if name == "admin_token" && text.is_empty() && origin != SettingOrigin::CommandLine {
                        self.wrong.push(empty_token().at(origin.clone()));
                    }
                    self.given.insert(name, GivenValue { text, origin });
                }
                Some(SettingKind::Meaningless) => {}
                Some(SettingKind::Unsupported) => {
                    self.unsupported.insert(name, GivenValue { text: value.trim().to_owned(), origin });
                }
                None => match suggest(&name).filter(|near| guards::must_not_be_misspelt(near)) {
                    Some(near) => self.wrong.push(misspelt(&name, near).at(origin)),
                    None => self.warnings.push(unknown(&name, &origin)),
                },
            }
        }
    }
}

fn known_by_own_name(name: &str) -> Option<SettingKind> {
    match lookup(name) {
        Some(SettingKind::Supported(own)) if own != name => None,
        known => known,
    }
}

/// Whether a value only says that something missing is not wanted.
fn asks_for_nothing(value: &str) -> bool {
    matches!(value.trim(), "" | "off" | "false")
}

/// A variable of a secret that does not exist is empty as well, and must not open the Admin API.
fn empty_token() -> SettingFault {
    let help = "give it a value, or remove it if the Admin API is to be open to all who reach it";
    SettingFault::new("admin_token is empty", help)
}

/// A name that may be meant to guard.
fn misspelt(name: &str, near: &str) -> SettingFault {
    let help = format!("write `{near}`, or remove it if that was not meant");
    SettingFault::new(format!("{name} is no setting, and {near}, which guards, may be meant"), help)
}

fn described(name: &str, origin: &SettingOrigin) -> String {
    match origin {
        SettingOrigin::Environment(variable) => variable.clone(),
        SettingOrigin::CommandLine | SettingOrigin::File { .. } => format!("{name} ({origin})"),
    }
}

fn unknown(name: &str, origin: &SettingOrigin) -> String {
    let guess = suggest(name);
    match origin {
        SettingOrigin::Environment(variable) => {
            let guess = guess.map_or_else(String::new, |near| {
                format!("; perhaps KONG_{} was meant", near.to_ascii_uppercase())
            });
            format!("{variable} is no setting and is ignored{guess}")
        }
        SettingOrigin::CommandLine | SettingOrigin::File { .. } => {
            let guess = guess.map_or_else(String::new, |near| format!("; perhaps {near} was meant"));
            format!("{origin}: {name} is no setting and is ignored{guess}")
        }
    }
}

/// Whether Kubernetes put the variable there for a Service whose name begins with `kong-`: `KONG_PROXY_SERVICE_HOST`,
/// `KONG_PROXY_PORT_80_TCP_ADDR`, `KONG_PROXY_PORT=tcp://10.0.0.1:80` and so on.
fn is_kubernetes_link(variable: &str, value: &str) -> bool {
    let numbered = |after: &str| {
        let rest = variable.split_once(after).map_or("", |(_, rest)| rest);
        rest.starts_with(|letter: char| letter.is_ascii_digit())
    };
    let link = value.starts_with("tcp://") || value.starts_with("udp://");
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || numbered("_PORT_")
        || (link && variable.ends_with("_PORT"))
}
