//! A Service, and its Upstream if the API has several servers.

use super::{ImportWarnings, level::ExtensionLevel, servers::ServerAddress, taken_names::TakenNames};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
};

/// The values of a Service.
pub(super) struct ServiceDraft {
    name: String,
    servers: Vec<ServerAddress>,
    defaults: Mapping,
    upstream: Option<Mapping>,
    /// The node that has the servers.
    at: NodePath,
}

impl ServiceDraft {
    /// A Service; each value is that of the first level that has one.
    pub(super) fn new(name: String, levels: &[&ExtensionLevel]) -> Self {
        let all = || levels.iter();
        let with_servers = all().find(|level| !level.servers.is_empty());
        Self {
            name,
            servers: with_servers.map(|level| level.servers.clone()).unwrap_or_default(),
            defaults: all().find_map(|level| level.service.clone()).unwrap_or_default(),
            upstream: all().find_map(|level| level.upstream.clone()),
            at: with_servers.map(|level| level.at.clone()).unwrap_or_default(),
        }
    }

    /// The servers with a host; each host and port once.
    fn hosts(&self) -> Vec<(&str, &ServerAddress)> {
        let mut all: Vec<(&str, &ServerAddress)> = Vec::new();
        for server in &self.servers {
            let Some(host) = server.host.as_deref() else { continue };
            if !all.iter().any(|(other_host, other)| *other_host == host && other.port == server.port) {
                all.push((host, server));
            }
        }
        all
    }

    /// Warns about servers that a Service cannot express.
    pub(super) fn warn(&self, warnings: &mut ImportWarnings) {
        let hosts = self.hosts();
        if hosts.is_empty() && !self.defaults.contains_key("host") {
            let message = format!("no server has a host: the service '{}' goes to localhost", self.name);
            let help = "add the address of the API: servers: [{url: https://api.example.com}]";
            warnings.add(Diagnostic::warning(self.at.clone(), message).help(help));
        }
        let differs = |first: &ServerAddress, other: &ServerAddress| {
            first.protocol != other.protocol || first.path != other.path
        };
        if let [(_, first), rest @ ..] = &*hosts
            && rest.iter().any(|(_, other)| differs(first, other))
        {
            let message = format!(
                "the servers of '{}' are all reached by the protocol and path of the first",
                self.name
            );
            warnings.add(Diagnostic::warning(self.at.clone(), message));
        }
    }

    /// The Service without its routes and plugins, and its Upstream if it has one.
    pub(super) fn entries(&self, names: &mut TakenNames, tags: &[Value]) -> (Mapping, Option<Mapping>) {
        let hosts = self.hosts();
        let first = hosts.first().map(|(_, server)| *server).or(self.servers.first());
        let protocol = first.map_or("http", |server| server.protocol);
        let several = hosts.len() > 1 || self.upstream.is_some();
        let upstream =
            (several && !self.defaults.contains_key("host")).then(|| self.upstream(&hosts, names, tags));
        let mut service: Mapping = [("name", Value::from(&*self.name))].into_iter().collect();
        service.insert("protocol", protocol);
        let name = upstream.as_ref().and_then(|upstream| upstream.get("name")).cloned();
        let host = hosts.first().map_or("localhost", |(host, _)| host);
        service.insert("host", name.unwrap_or_else(|| host.into()));
        service.insert("port", first.map_or(80, |server| i64::from(server.port)));
        if let Some(path) = first.map(|server| &*server.path).filter(|path| !path.is_empty()) {
            service.insert("path", path);
        }
        service.insert("tags", tags.to_vec());
        for (key, value) in self.defaults.iter() {
            if !matches!(key, "id" | "name" | "routes" | "plugins") {
                service.insert(key, value.clone());
            }
        }
        (service, upstream)
    }

    fn upstream(&self, hosts: &[(&str, &ServerAddress)], names: &mut TakenNames, tags: &[Value]) -> Mapping {
        let name = names.upstream(&format!("{}.upstream", self.name));
        let mut upstream: Mapping = [("name", Value::from(name))].into_iter().collect();
        upstream.insert("tags", tags.to_vec());
        for (key, value) in self.upstream.iter().flat_map(Mapping::iter) {
            if !matches!(key, "id" | "name") {
                upstream.insert(key, value.clone());
            }
        }
        if !upstream.contains_key("targets") {
            let target = |text: String| {
                let target: Mapping =
                    [("target", Value::from(text)), ("tags", tags.to_vec().into())].into_iter().collect();
                Value::from(target)
            };
            let mut targets: Vec<Value> =
                hosts.iter().map(|(host, server)| target(format!("{host}:{}", server.port))).collect();
            if targets.is_empty() {
                targets.push(target("localhost:80".to_owned()));
            }
            upstream.insert("targets", targets);
        }
        upstream
    }
}
