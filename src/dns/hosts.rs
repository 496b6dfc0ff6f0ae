//! Hosts file: lines of an address and its names. (hosts(5)) It is read again when it has changed, as container runtimes
//! rewrite it.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::RecordKind;

/// Least time between two looks at the file.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// The bytes of a file that are read.
const MAX_BYTES: u64 = 4 << 20;

/// A file that was changed less than this time ago may change again without another time of change.
const SETTLED_AGE: Duration = Duration::from_secs(2);

/// A hosts file, and its names when it was read last.
#[derive(Debug)]
pub(super) struct HostsFile {
    path: PathBuf,
    known: Mutex<KnownHosts>,
}

#[derive(Debug)]
struct KnownHosts {
    names: Arc<HostNames>,
    /// The size and the time of change of what was read; `None` if it may have changed since.
    stamp: Option<(u64, SystemTime)>,
    looked_at: Instant,
}

impl HostsFile {
    /// Reads a file. If it cannot be read, `localhost` is the only name.
    pub(super) fn read(path: &Path) -> Self {
        let (text, stamp) = read_text(path).unwrap_or_default();
        let known = KnownHosts { names: Arc::new(HostNames::parse(&text)), stamp, looked_at: Instant::now() };
        Self { path: path.to_owned(), known: Mutex::new(known) }
    }

    /// Addresses of a name in lower case: those of the first kind in `order` for which it has some, else of any kind.
    pub(super) fn find(&self, name: &str, order: &[RecordKind]) -> Option<(RecordKind, Vec<IpAddr>)> {
        self.names(Instant::now()).find(name, order)
    }

    /// The names, as they are in the file at this time, or a second before.
    fn names(&self, now: Instant) -> Arc<HostNames> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(known.looked_at) < LOOK_PAUSE {
            return known.names.clone();
        }
        known.looked_at = now;
        let found = fs::metadata(&self.path).ok().and_then(|metadata| stamp_of(&metadata));
        if (found.is_none() || found != known.stamp)
            && let Some((text, stamp)) = read_text(&self.path)
            // A file that is being rewritten is empty for a moment.
            && !text.is_empty()
        {
            known.stamp = stamp;
            known.names = Arc::new(HostNames::parse(&text));
        }
        known.names.clone()
    }
}

/// The text of a file, and its stamp if that shows the next change.
fn read_text(path: &Path) -> Option<(String, Option<(u64, SystemTime)>)> {
    let file = File::open(path).ok()?;
    let stamp = file.metadata().ok().and_then(|metadata| stamp_of(&metadata));
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some((String::from_utf8_lossy(&bytes).into_owned(), stamp))
}

/// The size and the time of change of a file that has not changed just now.
fn stamp_of(metadata: &Metadata) -> Option<(u64, SystemTime)> {
    let changed = metadata.modified().ok()?;
    let is_settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age >= SETTLED_AGE);
    is_settled.then_some((metadata.len(), changed))
}

/// Names of a hosts file in lower case, with their addresses.
#[derive(Debug, Default)]
struct HostNames(HashMap<String, Vec<IpAddr>>);

impl HostNames {
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

    fn find(&self, name: &str, order: &[RecordKind]) -> Option<(RecordKind, Vec<IpAddr>)> {
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
        let found = HostNames::parse(text).find(name, order).map(|(_, all)| all).unwrap_or_default();
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

    #[test]
    fn a_changed_file_is_read_again() {
        let path = std::env::temp_dir().join(format!("mynah-hosts-{}", std::process::id()));
        fs::write(&path, "10.0.0.1 shop\n").unwrap();
        let hosts = HostsFile::read(&path);
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let find =
            |seconds: u64| hosts.names(later(seconds)).find("shop", &[RecordKind::A]).map(|(_, all)| all);
        let one = |address: &str| Some(vec![address.parse::<IpAddr>().unwrap()]);
        fs::write(&path, "10.0.0.2 shop\n").unwrap();
        assert_eq!(find(0), one("10.0.0.1"), "the file is not looked at again at once");
        assert_eq!(find(2), one("10.0.0.2"));
        fs::write(&path, "").unwrap();
        assert_eq!(find(4), one("10.0.0.2"), "an empty file is being rewritten");
        fs::write(&path, "10.0.0.3 other\n").unwrap();
        assert_eq!(find(6), None);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "10.0.0.4 shop\n").unwrap();
        assert_eq!(find(8), one("10.0.0.4"));
        fs::remove_file(&path).unwrap();
    }
}
