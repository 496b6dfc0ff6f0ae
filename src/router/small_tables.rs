//! Small tables: the rows of each host with few of them, adjacent in memory. A lookup reads one cache line, or two
//! adjacent ones; the shared hash table needs a further cache miss for its control bytes.

use super::text_table::{ANY, PrefixHasher, TableRow};

/// The rows of all small tables, one after the other.
#[derive(Debug)]
pub(super) struct SmallTables<T> {
    rows: Vec<TableRow<T>>,
}

/// The location of the rows of a host, packed into one number, so that the row of a host fits into a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TableSlot(u32);

/// The content of a [`TableSlot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotContent {
    /// A space of the shared table.
    Table(u32),
    /// A small table.
    Small(SmallTable),
}

/// The start of a small table, and its number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SmallTable {
    start: usize,
    count: usize,
}

/// Bits of a [`TableSlot`] for the number of rows.
const COUNT: u32 = 5;

/// Maximum number of rows of a small table, so that the count fits into the bits of a [`TableSlot`].
pub(super) const MAX_ROWS: usize = 16;

/// The label of a free slot; greater than that of any text.
const FREE: u32 = u32::MAX;

impl<T> Default for SmallTables<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl TableSlot {
    /// A space of the shared table, below 2^27: more hosts do not fit into memory.
    pub(super) const fn table(space: u32) -> Self {
        Self(space << COUNT)
    }

    fn small(SmallTable { start, count }: SmallTable) -> Option<Self> {
        let start = u32::try_from(start).ok().filter(|start| *start <= u32::MAX >> COUNT)?;
        Some(Self((start << COUNT) | u32::try_from(count).ok()?))
    }

    pub(super) const fn get(self) -> SlotContent {
        let (above, below) = (self.0 >> COUNT, self.0 & !(u32::MAX << COUNT));
        match below {
            0 => SlotContent::Table(above),
            _ => SlotContent::Small(SmallTable { start: above as usize, count: below as usize }),
        }
    }
}

impl<T: Default> SmallTables<T> {
    /// Adds a small table of one to [`MAX_ROWS`] rows. They are returned as the error if there are more or none, or if the
    /// start of the table does not fit into a [`TableSlot`].
    ///
    /// Rows are in the order of their labels, each at its home position or as close after it as possible; the last slot is
    /// free.
    pub(super) fn add(&mut self, rows: Vec<TableRow<T>>) -> Result<TableSlot, Vec<TableRow<T>>> {
        let new = SmallTable { start: self.rows.len(), count: rows.len() };
        let (Some(slot), 1..=MAX_ROWS) = (TableSlot::small(new), new.count) else { return Err(rows) };
        let mut rows: Vec<_> = rows.into_iter().map(|row| row.relabelled(label)).collect();
        rows.sort_unstable_by_key(TableRow::label);
        for row in rows {
            let own = self.rows.len().max(new.home_position(row.label()));
            self.rows.resize_with(own, || TableRow::new(FREE, b"", T::default()));
            self.rows.push(row);
        }
        let end = (self.rows.len() + 1).max(new.start + new.slot_count());
        self.rows.resize_with(end, || TableRow::new(FREE, b"", T::default()));
        Ok(slot)
    }

    /// The value of the first `length` bytes of a text in a small table.
    pub(super) fn get(&self, table: SmallTable, text: &PrefixHasher<'_>, length: usize) -> Option<&T> {
        let label = label(text.hash(ANY, length));
        let text = text.text().get(..length)?;
        let rows = self.rows.get(table.home_position(label)..)?;
        rows.iter().take_while(|row| row.label() <= label).find_map(|row| row.value_of(label, text))
    }

    /// Frees unused capacity.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}

impl SmallTable {
    /// The number of slots. A third of them is free, so that most rows are at their home position.
    const fn slot_count(self) -> usize {
        self.count + self.count / 2
    }

    /// The home position of a label. Labels are uniformly distributed, and so are their positions.
    const fn home_position(self, label: u32) -> usize {
        self.start + ((label as u64 * self.slot_count() as u64) >> u32::BITS) as usize
    }
}

/// The upper half of a hash, which is better distributed, but never [`FREE`].
fn label(hash: u64) -> u32 {
    u32::try_from(hash >> u32::BITS).unwrap_or_default().min(FREE - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(text: &[u8], value: usize) -> TableRow<usize> {
        TableRow::new(1, text, value)
    }

    proptest! {
        #[test]
        fn every_row_is_found_in_its_own_table_only(
            tables in prop::collection::vec(prop::collection::btree_set("[ab/]{0,9}", 1..=MAX_ROWS), 1..8),
            other_texts in prop::collection::vec("[ab/]{0,9}", 0..20),
        ) {
            let mut all = SmallTables::default();
            let slots: Vec<_> = tables.iter().enumerate().map(|(number, texts)| {
                all.add(texts.iter().map(|text| row(text.as_bytes(), number)).collect()).unwrap()
            }).collect();
            for (number, (texts, slot)) in tables.iter().zip(slots).enumerate() {
                let SlotContent::Small(slot) = slot.get() else { panic!("{slot:?} is not a small table") };
                for text in tables.iter().flatten().chain(&other_texts) {
                    let expected = texts.contains(text).then_some(&number);
                    prop_assert_eq!(all.get(slot, &PrefixHasher::new(text.as_bytes()), text.len()), expected);
                }
            }
        }
    }

    #[test]
    fn too_many_rows_or_none_are_returned() {
        let mut tables = SmallTables::default();
        let rows =
            |count: usize| (0..count).map(|number| row(number.to_string().as_bytes(), number)).collect();
        assert!(tables.add(rows(MAX_ROWS)).is_ok());
        for count in [0, MAX_ROWS + 1] {
            assert_eq!(tables.add(rows(count)).map_err(|rows| rows.len()), Err(count));
        }
    }

    #[test]
    fn a_slot_is_packed_into_one_number() {
        assert_eq!(TableSlot::table(7).get(), SlotContent::Table(7));
        for (start, count) in [(0, 1), (u32::MAX as usize >> COUNT, MAX_ROWS)] {
            let table = SmallTable { start, count };
            assert_eq!(TableSlot::small(table).map(TableSlot::get), Some(SlotContent::Small(table)));
        }
        assert_eq!(TableSlot::small(SmallTable { start: (u32::MAX as usize >> COUNT) + 1, count: 1 }), None);
    }

    #[test]
    fn a_label_is_never_free() {
        for (hash, expected) in
            [(0, 0), (u64::MAX, FREE - 1), (7 << 32, 7), (u64::from(FREE - 1) << 32, FREE - 1)]
        {
            assert_eq!(label(hash), expected);
        }
    }
}
