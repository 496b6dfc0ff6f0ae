//! Hosts file: lines of an address and its names. (hosts(5))

use std::{collections::HashMap, fs, net::IpAddr, path::Path};

use super::RecordKind;

/// Names of a hosts file in lower case, with their addresses.
#[derive(Debug, Default)]
pub(super) struct HostsFile(HashMap<String, Vec<IpAddr>>);

impl HostsFile {
    /// Reads a file. If it cannot be read, `localhost` is the only name.
    pub(super) fn read(path: &Path) -> Self {
        Self::parse(&fs::read_to_string(path).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut names: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
            for name in words {
                let all = names.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default();
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
        let localhost = names.entry("localhost".to_owned()).or_default();
        if !localhost.iter().any(IpAddr::is_ipv4) {
            localhost.push(IpAddr::from([127, 0, 0, 1]));
        }
        Self(names)
    }

    /// Addresses of a name in lower case: those of the first kind in `order` for which it has some, else of any kind.
    pub(super) fn find(&self, name: &str, order: &[RecordKind]) -> Option<(RecordKind, Vec<IpAddr>)> {
        let all = self.0.get(name)?;
        let of_kind = |kind: RecordKind| -> Vec<IpAddr> {
            all.iter().copied().filter(|address| address.is_ipv4() == (kind == RecordKind::A)).collect()
        };
        let kinds = order
            .iter()
            .copied()
            .chain([RecordKind::A, RecordKind::Aaaa])
            .filter(|kind| *kind != RecordKind::Srv);
        kinds.map(|kind| (kind, of_kind(kind))).find(|(_, found)| !found.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, order: &[RecordKind], expected: &[&str]) {
        let found = HostsFile::parse(text).find(name, order).map(|(_, all)| all).unwrap_or_default();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{name} in {text:?}");
    }

    #[test]
    fn a_name_is_found_by_its_lines() {
        let text =
            "# mine\n10.0.0.1 Shop.Test shop # the shop\n::1 six localhost\n10.0.0.2\tshop\nnonsense here\n";
        check(text, "shop.test", &[RecordKind::A], &["10.0.0.1"]);
        check(text, "shop", &[RecordKind::Srv, RecordKind::A], &["10.0.0.1", "10.0.0.2"]);
        check(text, "six", &[RecordKind::A], &["::1"]);
        check(text, "the", &[RecordKind::A], &[]);
        check(text, "here", &[RecordKind::A], &[]);
        check(text, "localhost", &[RecordKind::A], &["127.0.0.1"]);
        check(text, "localhost", &[RecordKind::Aaaa, RecordKind::A], &["::1"]);
        check("", "localhost", &[RecordKind::A], &["127.0.0.1"]);
    }
}
