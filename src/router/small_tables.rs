//! Shelves: the rows of hosts that have few, each host's side by side. A lookup there meets one line of the cache, or
//! two neighbours, where a table of everything asks its directory first, somewhere else in memory.

use super::text_table::{ANY, PrefixHasher, TableRow};

/// The rows of all shelves, one behind the other.
#[derive(Debug)]
pub(super) struct SmallTables<T> {
    rows: Vec<TableRow<T>>,
}

/// Where the rows of a host are: one number, so that a host stays one line of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TableSlot(u32);

/// What a [`TableSlot`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotContent {
    /// In the table of everything, in this space.
    Table(u32),
    /// On a shelf of their own.
    Shelf(SmallTable),
}

/// Where a shelf begins, and how many rows it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SmallTable {
    start: usize,
    count: usize,
}

/// The number of bits for the number of rows.
const COUNT: u32 = 5;

/// A shelf has so many rows at most: its place is to be one number.
pub(super) const MOST: usize = 16;

/// The label of a place without a row; greater than that of any text.
const FREE: u32 = u32::MAX;

impl<T> Default for SmallTables<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl TableSlot {
    /// A space of the table, below 2^27: more hosts fit into no memory.
    pub(super) const fn table(space: u32) -> Self {
        Self(space << COUNT)
    }

    fn shelf(SmallTable { start, count }: SmallTable) -> Option<Self> {
        let start = u32::try_from(start).ok().filter(|start| *start <= u32::MAX >> COUNT)?;
        Some(Self((start << COUNT) | u32::try_from(count).ok()?))
    }

    pub(super) const fn get(self) -> SlotContent {
        let (above, below) = (self.0 >> COUNT, self.0 & !(u32::MAX << COUNT));
        match below {
            0 => SlotContent::Table(above),
            _ => SlotContent::Shelf(SmallTable { start: above as usize, count: below as usize }),
        }
    }
}

impl<T: Default> SmallTables<T> {
    /// Makes a shelf of one to [`MOST`] rows. They are given back if no shelf can be made of them: there are more or
    /// none, or so many shelves that another has no number.
    ///
    /// Rows stand in the order of their labels, each as near behind its own place as it can, and a free place stands
    /// at the end.
    pub(super) fn add(&mut self, rows: Vec<TableRow<T>>) -> Result<TableSlot, Vec<TableRow<T>>> {
        let new = SmallTable { start: self.rows.len(), count: rows.len() };
        let (Some(place), 1..=MOST) = (TableSlot::shelf(new), new.count) else { return Err(rows) };
        let mut rows: Vec<_> = rows.into_iter().map(|row| row.relabelled(label)).collect();
        rows.sort_unstable_by_key(TableRow::label);
        for row in rows {
            let own = self.rows.len().max(new.place(row.label()));
            self.rows.resize_with(own, || TableRow::new(FREE, b"", T::default()));
            self.rows.push(row);
        }
        let end = (self.rows.len() + 1).max(new.start + new.places());
        self.rows.resize_with(end, || TableRow::new(FREE, b"", T::default()));
        Ok(place)
    }

    /// The value of the first `length` bytes of a text on a shelf.
    pub(super) fn get(&self, on: SmallTable, text: &PrefixHasher<'_>, length: usize) -> Option<&T> {
        let label = label(text.hash(ANY, length));
        let text = text.text().get(..length)?;
        let rows = self.rows.get(on.place(label)..)?;
        rows.iter().take_while(|row| row.label() <= label).find_map(|row| row.value_of(label, text))
    }

    /// Gives back what was kept for growing.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}

impl SmallTable {
    /// A third of them stays free, so that most rows stand in their own place.
    const fn places(self) -> usize {
        self.count + self.count / 2
    }

    /// Labels are spread evenly over all numbers, and so are their places over the shelf.
    const fn place(self, label: u32) -> usize {
        self.start + ((label as u64 * self.places() as u64) >> u32::BITS) as usize
    }
}

/// The upper half of a hash, its better one, but never [`FREE`].
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
        fn every_row_is_found_on_its_own_shelf_and_on_no_other(
            shelves in prop::collection::vec(prop::collection::btree_set("[ab/]{0,9}", 1..=MOST), 1..8),
            asked in prop::collection::vec("[ab/]{0,9}", 0..20),
        ) {
            let mut all = SmallTables::default();
            let places: Vec<_> = shelves.iter().enumerate().map(|(number, texts)| {
                all.add(texts.iter().map(|text| row(text.as_bytes(), number)).collect()).unwrap()
            }).collect();
            for (number, (texts, place)) in shelves.iter().zip(places).enumerate() {
                let SlotContent::Shelf(place) = place.get() else { panic!("{place:?} is no shelf") };
                for text in shelves.iter().flatten().chain(&asked) {
                    let expected = texts.contains(text).then_some(&number);
                    prop_assert_eq!(all.get(place, &PrefixHasher::new(text.as_bytes()), text.len()), expected);
                }
            }
        }
    }

    #[test]
    fn too_many_rows_and_none_are_given_back() {
        let mut shelves = SmallTables::default();
        let rows =
            |count: usize| (0..count).map(|number| row(number.to_string().as_bytes(), number)).collect();
        assert!(shelves.add(rows(MOST)).is_ok());
        for count in [0, MOST + 1] {
            assert_eq!(shelves.add(rows(count)).map_err(|rows| rows.len()), Err(count));
        }
    }

    #[test]
    fn a_place_is_one_number() {
        assert_eq!(TableSlot::table(7).get(), SlotContent::Table(7));
        for (start, count) in [(0, 1), (u32::MAX as usize >> COUNT, MOST)] {
            let shelf = SmallTable { start, count };
            assert_eq!(TableSlot::shelf(shelf).map(TableSlot::get), Some(SlotContent::Shelf(shelf)));
        }
        assert_eq!(TableSlot::shelf(SmallTable { start: (u32::MAX as usize >> COUNT) + 1, count: 1 }), None);
    }

    #[test]
    fn labels_below_the_greatest_stay() {
        for (hash, expected) in
            [(0, 0), (u64::MAX, FREE - 1), (7 << 32, 7), (u64::from(FREE - 1) << 32, FREE - 1)]
        {
            assert_eq!(label(hash), expected);
        }
    }
}
