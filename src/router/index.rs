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
//! matter, but for the time that memory takes. It allocates nothing and takes no lock. The literals of a host with
//! few stand side by side on a shelf, all others in one table.

use super::RouterRequest;
use super::candidates::{Candidate, Candidates};
use super::conditions::Conditions;
use super::hosts::{HostPattern, NamePattern};
use super::small_tables::{self, SlotContent, SmallTables, TableSlot};
use super::text_table::{LengthSet, PrefixHasher, TableRow, TextTable};

/// Entries by host and literal. They are numbered by falling rank.
#[derive(Debug, Default)]
pub(super) struct EntryIndex {
    /// In the spaces below.
    hosts: TextTable<HostBucket>,
    suffixes: LengthSet,
    prefixes: LengthSet,
    any: HostBucket,
    /// Those of any host, and of hosts with many, in the space that is the number of the bucket.
    literals: TextTable<Candidates>,
    /// Those of hosts with few.
    shelves: SmallTables<Candidates>,
    buckets: u32,
}

const EXACT: u32 = 0;
const SUFFIX: u32 = 1;
const PREFIX: u32 = 2;

/// All entries for one host.
#[derive(Debug)]
struct HostBucket {
    lengths: LengthSet,
    /// Until all is inserted a space of the table: 0 for any host, else from 1.
    place: TableSlot,
    /// The number of the best entry.
    best: u32,
}

impl Default for HostBucket {
    fn default() -> Self {
        Self { lengths: LengthSet::default(), place: TableSlot::default(), best: u32::MAX }
    }
}

impl HostBucket {
    /// The space in the table, while its rows are there.
    fn space(&self) -> u32 {
        match self.place.get() {
            SlotContent::Table(space) => space,
            SlotContent::Shelf(_) => 0,
        }
    }
}

impl EntryIndex {
    /// Adds an entry; those of higher rank must have been added.
    pub(super) fn insert(&mut self, host: Option<&HostPattern>, literal: &[u8], posting: Candidate) {
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
                if bucket.place == TableSlot::default() {
                    self.buckets += 1;
                    bucket.place = TableSlot::table(self.buckets);
                }
                bucket
            }
        };
        bucket.best = bucket.best.min(posting.entry);
        bucket.lengths.insert(literal.len());
        self.literals.get_or_insert(bucket.space(), literal).push(posting);
    }

    /// Groups what shares a host and a literal, once all is inserted; `conditions` knows what an entry asks for.
    pub(super) fn finish<'a>(&mut self, conditions: &dyn Fn(u32) -> Option<&'a Conditions>) {
        self.literals.values_mut().for_each(|postings| postings.group(conditions));
        self.fill_shelves();
        self.shelves.shrink();
        self.literals.shrink();
        self.hosts.shrink();
    }

    fn fill_shelves(&mut self) {
        let mut counts = vec![0_usize; self.buckets as usize + 1];
        self.literals.spaces().for_each(|space| counts[space as usize] += 1);
        let few = |space: u32| {
            space != 0 && counts.get(space as usize).is_some_and(|count| *count <= small_tables::MOST)
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
            match self.shelves.add(own) {
                Ok(place) => bucket.place = place,
                Err(rows) => rows.into_iter().for_each(|row| self.literals.put_back(row)),
            }
        }
    }

    /// Calls `take` with postings whose host matches and whose literal begins the path, and with the length of
    /// that literal. Once `take` says yes, only entries of a higher rank are still looked at.
    ///
    /// `host` is that of the request, in lower case and without its port.
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

/// A lookup under way.
struct IndexSearch<'a, 'take> {
    index: &'a EntryIndex,
    request: &'a RouterRequest<'a>,
    path: PrefixHasher<'a>,
    /// Only entries with a number below this matter.
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
        let place = bucket.place.get();
        for length in bucket.lengths.up_to(path.text().len()) {
            let found = match place {
                SlotContent::Shelf(on) => index.shelves.get(on, path, length),
                SlotContent::Table(space) => index.literals.get_beginning(space, path, length),
            };
            if let Some(postings) = found {
                postings.search(request, limit, &mut |posting| take(posting, length));
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

    /// The entries that are offered for a host and a path; `taken` is one that matches.
    #[track_caller]
    fn check(index: &EntryIndex, host: &str, path: &str, taken: u32, expected: &[u32]) {
        let mut offered = Vec::new();
        let headers = HeaderMap::new();
        index.search(Some(host.as_bytes()), &get(path, &headers), &mut |posting, _| {
            offered.push(posting.entry);
            posting.entry == taken
        });
        offered.sort_unstable();
        assert_eq!(offered, expected, "{host} {path}");
    }

    fn index(rows: &[(&str, &str)]) -> EntryIndex {
        let mut index = EntryIndex::default();
        for (number, (host, literal)) in rows.iter().enumerate() {
            let posting =
                Candidate { entry: u32::try_from(number).unwrap(), port: PortRule::Any, plain: None };
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
    fn of_many_literals_those_that_begin_the_path_are_found() {
        let texts: Vec<_> = (0..100).map(|number| format!("/{}", "x".repeat(number))).collect();
        let index = index(&texts.iter().map(|text| ("a.test", text.as_str())).collect::<Vec<_>>());
        check(&index, "a.test", "/xxy", 99, &[0, 1, 2]);
        check(&index, "a.test", &texts[20], 99, &(0..21).collect::<Vec<_>>());
    }
}
