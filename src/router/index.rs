//! Index of route entries: from a host and a path to the few candidates.
//!
//! ```text
//! host ─┬─ exact name ────┐
//!       ├─ known suffixes ├─ bucket ── each literal that the path begins with ── candidates, best first
//!       ├─ known prefixes ┘
//!       └─ any host ─────────┘
//! ```
//!
//! A lookup costs one hash for each length of a known suffix, prefix or literal. It does not depend on the number of
//! routes, except for cache misses, and it neither allocates nor locks. The literals of a host with few of them are
//! adjacent in memory, in a small table; all others share one table.

use super::RouterRequest;
use super::candidates::{Candidate, Candidates};
use super::conditions::Conditions;
use super::hosts::{HostPattern, NamePattern};
use super::small_tables::{self, SlotContent, SmallTables, TableSlot};
use super::text_table::{LengthSet, PrefixHasher, TableRow, TextTable};

/// Entries by host and literal, numbered in falling rank.
#[derive(Debug, Default)]
pub(super) struct EntryIndex {
    /// Buckets by name, in the spaces [`EXACT`], [`SUFFIX`] and [`PREFIX`].
    hosts: TextTable<HostBucket>,
    suffixes: LengthSet,
    prefixes: LengthSet,
    any: HostBucket,
    /// Literals of any host and of hosts with many, in the space with the number of the bucket.
    literals: TextTable<Candidates>,
    /// Literals of hosts with few.
    small_tables: SmallTables<Candidates>,
    buckets: u32,
}

const EXACT: u32 = 0;
const SUFFIX: u32 = 1;
const PREFIX: u32 = 2;

/// All entries for one host.
#[derive(Debug)]
struct HostBucket {
    lengths: LengthSet,
    /// The location of the literals. Until [`EntryIndex::finish`] it is a space of the table: 0 for any host, else from 1.
    slot: TableSlot,
    /// The number of the entry of the highest rank.
    best: u32,
}

impl Default for HostBucket {
    fn default() -> Self {
        Self { lengths: LengthSet::default(), slot: TableSlot::default(), best: u32::MAX }
    }
}

impl HostBucket {
    /// The space in the table, while the rows are there.
    fn space(&self) -> u32 {
        match self.slot.get() {
            SlotContent::Table(space) => space,
            SlotContent::Small(_) => 0,
        }
    }
}

impl EntryIndex {
    /// Adds an entry; entries must be added in falling rank.
    pub(super) fn insert(&mut self, host: Option<&HostPattern>, literal: &[u8], candidate: Candidate) {
        let bucket = match host.map(|host| &host.name) {
            None => &mut self.any,
            Some(name) => {
                let (space, text) = match name {
                    NamePattern::Exact(name) => (EXACT, name),
                    NamePattern::Suffix(suffix) => {
                        self.suffixes.insert(suffix.len());
                        (SUFFIX, suffix)
                    }
                    NamePattern::Prefix(prefix) => {
                        self.prefixes.insert(prefix.len());
                        (PREFIX, prefix)
                    }
                };
                let bucket = self.hosts.get_or_insert(space, text);
                if bucket.slot == TableSlot::default() {
                    self.buckets += 1;
                    bucket.slot = TableSlot::table(self.buckets);
                }
                bucket
            }
        };
        bucket.best = bucket.best.min(candidate.entry);
        bucket.lengths.insert(literal.len());
        self.literals.get_or_insert(bucket.space(), literal).push(candidate);
    }

    /// Finishes the index after all entries are added; `conditions` returns the conditions of an entry.
    pub(super) fn finish<'a>(&mut self, conditions: &dyn Fn(u32) -> Option<&'a Conditions>) {
        self.literals.values_mut().for_each(|candidates| candidates.group(conditions));
        self.fill_small_tables();
        self.small_tables.shrink();
        self.literals.shrink();
        self.hosts.shrink();
    }

    fn fill_small_tables(&mut self) {
        let mut counts = vec![0_usize; self.buckets as usize + 1];
        self.literals.spaces().for_each(|space| counts[space as usize] += 1);
        let few = |space: u32| {
            space != 0 && counts.get(space as usize).is_some_and(|count| *count <= small_tables::MAX_ROWS)
        };
        let mut rows = self.literals.extract(few);
        rows.sort_unstable_by_key(TableRow::label);
        let mut rows = rows.into_iter().peekable();
        let mut buckets: Vec<&mut HostBucket> =
            self.hosts.values_mut().filter(|bucket| few(bucket.space())).collect();
        buckets.sort_unstable_by_key(|bucket| bucket.space());
        for bucket in buckets {
            let space = bucket.space();
            let own = std::iter::from_fn(|| rows.next_if(|row| row.label() == space)).collect();
            match self.small_tables.add(own) {
                Ok(slot) => bucket.slot = slot,
                Err(rows) => rows.into_iter().for_each(|row| self.literals.insert_row(row)),
            }
        }
    }

    /// Calls `take` with candidates whose host matches and whose literal is a prefix of the path, and with the length of
    /// the literal. After `take` returns true, only entries of a higher rank are tested.
    ///
    /// `host` is the host of the request, in lower case and without its port.
    pub(super) fn search(
        &self,
        host: Option<&[u8]>,
        request: &RouterRequest<'_>,
        take: &mut dyn FnMut(Candidate, usize) -> bool,
    ) {
        let path = PrefixHasher::new(request.path);
        let mut search = IndexSearch { index: self, request, path, limit: u32::MAX, take };
        if let Some(host) = host {
            search.host(EXACT, Some(host));
            for length in self.suffixes.up_to(host.len()) {
                search.host(SUFFIX, host.get(host.len() - length..));
            }
            for length in self.prefixes.up_to(host.len()) {
                search.host(PREFIX, host.get(..length));
            }
        }
        search.bucket(&self.any);
    }
}

/// State of a lookup.
struct IndexSearch<'a, 'take> {
    index: &'a EntryIndex,
    request: &'a RouterRequest<'a>,
    path: PrefixHasher<'a>,
    /// Only entries with a lower number are tested.
    limit: u32,
    take: &'take mut dyn FnMut(Candidate, usize) -> bool,
}

impl IndexSearch<'_, '_> {
    fn host(&mut self, space: u32, name: Option<&[u8]>) {
        if let Some(bucket) = name.and_then(|name| self.index.hosts.get(space, name)) {
            self.bucket(bucket);
        }
    }

    fn bucket(&mut self, bucket: &HostBucket) {
        if bucket.best >= self.limit {
            return;
        }
        let Self { index, request, path, limit, take } = self;
        let slot = bucket.slot.get();
        for length in bucket.lengths.up_to(path.text().len()) {
            let found = match slot {
                SlotContent::Small(table) => index.small_tables.get(table, path, length),
                SlotContent::Table(space) => index.literals.get_prefix(space, path, length),
            };
            if let Some(candidates) = found {
                candidates.search(request, limit, &mut |candidate| take(candidate, length));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::router::candidates::PortRule;
    use crate::router::fixture::get;

    /// Asserts which entries are tested for a host and a path; `taken` is one that matches.
    #[track_caller]
    fn check(index: &EntryIndex, host: &str, path: &str, taken: u32, expected: &[u32]) {
        let mut offered = Vec::new();
        let headers = HeaderMap::new();
        index.search(Some(host.as_bytes()), &get(path, &headers), &mut |candidate, _| {
            offered.push(candidate.entry);
            candidate.entry == taken
        });
        offered.sort_unstable();
        assert_eq!(offered, expected, "{host} {path}");
    }

    fn index(rows: &[(&str, &str)]) -> EntryIndex {
        let mut index = EntryIndex::default();
        for (number, (host, literal)) in rows.iter().enumerate() {
            let candidate =
                Candidate { entry: u32::try_from(number).unwrap(), port: PortRule::Any, inline: None };
            let pattern = HostPattern::parse(host);
            index.insert(Some(&pattern).filter(|_| !host.is_empty()), literal.as_bytes(), candidate);
        }
        index
    }

    #[test]
    fn only_possible_matches_are_tested() {
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
    fn entries_below_a_match_are_not_tested() {
        let index = index(&[("*.test", "/x/y"), ("a.test", "/x"), ("", "/x"), ("", "/x")]);
        check(&index, "a.test", "/x/y", 0, &[0, 1]);
        check(&index, "a.test", "/x", 1, &[1]);
        check(&index, "b.test", "/x", 2, &[2]);
    }

    #[test]
    fn all_literals_that_are_prefixes_of_the_path_are_found() {
        let texts: Vec<_> = (0..100).map(|number| format!("/{}", "x".repeat(number))).collect();
        let index = index(&texts.iter().map(|text| ("a.test", text.as_str())).collect::<Vec<_>>());
        check(&index, "a.test", "/xxy", 99, &[0, 1, 2]);
        check(&index, "a.test", &texts[20], 99, &(0..21).collect::<Vec<_>>());
    }
}
