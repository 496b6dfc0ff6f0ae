//! The index: from a host and a path to the few entries that may match them.
//!
//! ```text
//! host ─┬─ exact name ────┐
//!       ├─ known suffixes ├─ bucket ── each literal that the path begins with ── postings, best first
//!       ├─ known prefixes ┘
//!       └─ any host ─────────┘
//! ```
//!
//! A lookup costs a hash for each length of a known suffix, prefix or literal; the number of routes does not
//! matter, but for those that share one host and one literal. It allocates nothing and takes no lock.

use rustc_hash::FxHashMap;

use super::hosts::{HostPattern, NamePattern};

/// Entries by host and literal. They are numbered by falling rank.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: Names,
    suffixes: Names,
    prefixes: Names,
    any: Bucket,
}

/// Where an entry stands in the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting {
    pub(super) entry: u32,
    pub(super) port: PortRule,
}

/// What a route's host says about the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortRule {
    /// Nothing.
    Any,
    /// The client must name this one.
    Named(u16),
    /// The client must name this one, or none if it is the default.
    NamedOrDefault(u16),
}

impl PortRule {
    pub(super) fn accepts(self, named: Option<u16>, default: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Named(port) => named == Some(port),
            Self::NamedOrDefault(port) => named.unwrap_or(default) == port,
        }
    }
}

impl Index {
    /// Adds an entry; those of higher rank must have been added.
    pub(super) fn insert(&mut self, host: Option<&HostPattern>, literal: &[u8], posting: Posting) {
        let bucket = match host.map(|host| &host.name) {
            None => &mut self.any,
            Some(NamePattern::Exact(name)) => self.exact.bucket(name),
            Some(NamePattern::Suffix(suffix)) => self.suffixes.bucket(suffix),
            Some(NamePattern::Prefix(prefix)) => self.prefixes.bucket(prefix),
        };
        bucket.insert(literal, posting);
    }

    /// Calls `take` with postings whose host matches and whose literal begins the path, and with the length of
    /// that literal. Once `take` says yes, only entries of a higher rank are still looked at.
    ///
    /// `host` is in lower case and without its port.
    pub(super) fn search(
        &self,
        host: Option<&[u8]>,
        path: &[u8],
        take: &mut dyn FnMut(Posting, usize) -> bool,
    ) {
        let mut limit = u32::MAX;
        if let Some(host) = host {
            if let Some(bucket) = self.exact.by_name.get(host) {
                bucket.search(path, &mut limit, take);
            }
            for &length in &self.suffixes.lengths {
                let suffix = host.len().checked_sub(length).and_then(|start| host.get(start..));
                self.suffixes.search(suffix, path, &mut limit, take);
            }
            for &length in &self.prefixes.lengths {
                self.prefixes.search(host.get(..length), path, &mut limit, take);
            }
        }
        self.any.search(path, &mut limit, take);
    }
}

/// Buckets by a name or a part of one.
#[derive(Debug, Default)]
struct Names {
    by_name: FxHashMap<Box<[u8]>, Bucket>,
    lengths: Vec<usize>,
}

impl Names {
    fn bucket(&mut self, name: &[u8]) -> &mut Bucket {
        note_length(&mut self.lengths, name.len());
        self.by_name.entry(name.into()).or_default()
    }

    fn search(
        &self,
        part: Option<&[u8]>,
        path: &[u8],
        limit: &mut u32,
        take: &mut dyn FnMut(Posting, usize) -> bool,
    ) {
        if let Some(bucket) = part.and_then(|part| self.by_name.get(part)) {
            bucket.search(path, limit, take);
        }
    }
}

/// All entries for one host.
#[derive(Debug)]
struct Bucket {
    /// The number of the best entry.
    best: u32,
    literals: Vec<Literal>,
    /// Only where there are many literals.
    table: Option<Box<Table>>,
}

/// Entries whose paths begin with one text, best first.
#[derive(Debug)]
struct Literal {
    text: Box<[u8]>,
    postings: Vec<Posting>,
}

/// Positions of literals by their texts.
#[derive(Debug, Default)]
struct Table {
    by_text: FxHashMap<Box<[u8]>, usize>,
    lengths: Vec<usize>,
}

/// Up to so many literals, comparing each is faster than a table.
const FEW: usize = 8;

impl Default for Bucket {
    fn default() -> Self {
        Self { best: u32::MAX, literals: Vec::new(), table: None }
    }
}

impl Bucket {
    fn insert(&mut self, text: &[u8], posting: Posting) {
        self.best = self.best.min(posting.entry);
        let known = match &self.table {
            Some(table) => table.by_text.get(text).copied(),
            None => self.literals.iter().position(|literal| *literal.text == *text),
        };
        if let Some(literal) = known.and_then(|position| self.literals.get_mut(position)) {
            literal.postings.push(posting);
            return;
        }
        self.literals.push(Literal { text: text.into(), postings: vec![posting] });
        match &mut self.table {
            Some(table) => table.insert(text, self.literals.len() - 1),
            None if self.literals.len() > FEW => {
                let mut table = Table::default();
                for (position, literal) in self.literals.iter().enumerate() {
                    table.insert(&literal.text, position);
                }
                self.table = Some(Box::new(table));
            }
            None => {}
        }
    }

    fn search(&self, path: &[u8], limit: &mut u32, take: &mut dyn FnMut(Posting, usize) -> bool) {
        if self.best >= *limit {
            return;
        }
        match &self.table {
            None => {
                for literal in self.literals.iter().filter(|literal| path.starts_with(&literal.text)) {
                    literal.search(limit, take);
                }
            }
            Some(table) => {
                for &length in &table.lengths {
                    let position = path.get(..length).and_then(|text| table.by_text.get(text));
                    if let Some(literal) = position.and_then(|position| self.literals.get(*position)) {
                        literal.search(limit, take);
                    }
                }
            }
        }
    }
}

impl Literal {
    fn search(&self, limit: &mut u32, take: &mut dyn FnMut(Posting, usize) -> bool) {
        for &posting in self.postings.iter().take_while(|posting| posting.entry < *limit) {
            if take(posting, self.text.len()) {
                *limit = posting.entry;
                return;
            }
        }
    }
}

impl Table {
    fn insert(&mut self, text: &[u8], position: usize) {
        note_length(&mut self.lengths, text.len());
        self.by_text.insert(text.into(), position);
    }
}

/// Keeps the lengths sorted, long ones first: these are likelier to belong to the best entry.
fn note_length(lengths: &mut Vec<usize>, length: usize) {
    if let Err(place) = lengths.binary_search_by(|known| length.cmp(known)) {
        lengths.insert(place, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries that are offered for a host and a path; `taken` is one that matches.
    #[track_caller]
    fn check(index: &Index, host: &str, path: &str, taken: u32, expected: &[u32]) {
        let mut offered = Vec::new();
        index.search(Some(host.as_bytes()), path.as_bytes(), &mut |posting, _| {
            offered.push(posting.entry);
            posting.entry == taken
        });
        offered.sort_unstable();
        assert_eq!(offered, expected, "{host} {path}");
    }

    fn index(rows: &[(&str, &str)]) -> Index {
        let mut index = Index::default();
        for (number, (host, literal)) in rows.iter().enumerate() {
            let posting = Posting { entry: u32::try_from(number).unwrap(), port: PortRule::Any };
            let pattern = HostPattern::parse(host);
            index.insert(Some(&pattern).filter(|_| !host.is_empty()), literal.as_bytes(), posting);
        }
        index
    }

    #[test]
    fn only_what_may_match_is_offered() {
        let index = index(&[
            ("a.test", "/x"),
            ("b.test", "/x"),
            ("*.test", "/x/y"),
            ("a.*", "/"),
            ("", "/x"),
            ("", ""),
            ("*.example", "/"),
        ]);
        check(&index, "a.test", "/x/y", 99, &[0, 2, 3, 4, 5]);
        check(&index, "b.test", "/", 99, &[5]);
        check(&index, "x.example", "/x", 99, &[4, 5, 6]);
    }

    #[test]
    fn nothing_worse_than_a_match_is_offered() {
        let index = index(&[("*.test", "/x/y"), ("a.test", "/x"), ("", "/x"), ("", "/x")]);
        check(&index, "a.test", "/x/y", 0, &[0, 1]);
        check(&index, "a.test", "/x", 1, &[1]);
        check(&index, "b.test", "/x", 2, &[2]);
    }

    #[test]
    fn many_literals_of_one_host_are_found_by_a_table() {
        let texts: Vec<_> = (0..100).map(|number| format!("/{}", "x".repeat(number))).collect();
        let index = index(&texts.iter().map(|text| ("a.test", text.as_str())).collect::<Vec<_>>());
        check(&index, "a.test", "/xxy", 99, &[0, 1, 2]);
        check(&index, "a.test", &texts[20], 99, &(0..21).collect::<Vec<_>>());
    }

    #[test]
    fn a_port_rule_knows_the_default() {
        assert!(PortRule::Any.accepts(None, 80));
        assert!(PortRule::Named(80).accepts(Some(80), 8000));
        assert!(!PortRule::Named(80).accepts(None, 80));
        assert!(PortRule::NamedOrDefault(80).accepts(None, 80));
        assert!(!PortRule::NamedOrDefault(80).accepts(Some(81), 80));
    }
}
