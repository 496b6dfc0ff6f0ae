//! A table from texts to values, laid out so that a lookup touches little memory: what a large configuration costs
//! is not hashing but waiting for memory.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// Values by text; tables with a number of their own share one.
#[derive(Debug)]
pub(super) struct Table<T> {
    /// Positions of rows.
    places: HashTable<u32>,
    rows: Vec<Row<T>>,
}

#[derive(Debug)]
struct Row<T> {
    text: Text,
    space: u32,
    value: T,
}

/// A text that stands in its row if it is short: most paths and hosts are.
#[derive(Debug)]
enum Text {
    Short(u8, [u8; Self::SHORT]),
    Long(Box<[u8]>),
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: HashTable::new(), rows: Vec::new() }
    }
}

impl<T: Default> Table<T> {
    /// The value of a text in the table with the number `space`.
    pub(super) fn get(&self, space: u32, text: &[u8]) -> Option<&T> {
        let place = self.place(hash(space, text), space, text)?;
        self.rows.get(place as usize).map(|row| &row.value)
    }

    /// The same to be changed; a new one if there is none.
    pub(super) fn get_or_insert(&mut self, space: u32, text: &[u8]) -> &mut T {
        let hashed = hash(space, text);
        let place = self.place(hashed, space, text).unwrap_or_else(|| {
            let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
            self.rows.push(Row { text: Text::new(text), space, value: T::default() });
            let rows = &self.rows;
            let again = |place: &u32| rows.get(*place as usize).map_or(0, Row::hash);
            self.places.insert_unique(hashed, place, again);
            place
        });
        // A place is that of a row: it was found by one, or made with one.
        &mut self.rows[place as usize].value
    }

    /// All values, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|row| &mut row.value)
    }

    /// Gives back what was kept for growing.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }

    fn place(&self, hashed: u64, space: u32, text: &[u8]) -> Option<u32> {
        let is_it = |place: &u32| self.rows.get(*place as usize).is_some_and(|row| row.is(space, text));
        self.places.find(hashed, is_it).copied()
    }
}

impl<T> Row<T> {
    fn is(&self, space: u32, text: &[u8]) -> bool {
        self.space == space && self.text.as_bytes() == text
    }

    fn hash(&self) -> u64 {
        hash(self.space, self.text.as_bytes())
    }
}

/// Keys come from the file and never from a client, who so cannot make them collide.
fn hash(space: u32, text: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(space);
    hasher.write(text);
    hasher.finish()
}

impl Text {
    const SHORT: usize = 30;

    fn new(text: &[u8]) -> Self {
        let mut bytes = [0; Self::SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text);
                Self::Short(length, bytes)
            }
            _ => Self::Long(text.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

/// A set of lengths of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Those below 128, one bit each.
    short: u128,
    /// The others, long ones first.
    long: Vec<usize>,
}

impl Lengths {
    pub(super) fn insert(&mut self, length: usize) {
        if length < 128 {
            self.short |= 1 << length;
        } else if let Err(place) = self.long.binary_search_by(|known| length.cmp(known)) {
            self.long.insert(place, length);
        }
    }

    /// Those up to `most`, long ones first: these are likelier to belong to the best entry.
    pub(super) fn up_to(&self, most: usize) -> impl Iterator<Item = usize> {
        let mut short = if most < 127 { self.short & ((1 << (most + 1)) - 1) } else { self.short };
        let bits = std::iter::from_fn(move || {
            let highest = short.checked_ilog2()?;
            short ^= 1 << highest;
            Some(highest as usize)
        });
        self.long.iter().copied().filter(move |length| *length <= most).chain(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_value_in_each_space() {
        let mut table = Table::<usize>::default();
        let texts: Vec<String> = (0..200).map(|length| "x".repeat(length)).collect();
        for (space, text) in [1_u32, 2].into_iter().flat_map(|space| texts.iter().map(move |it| (space, it)))
        {
            *table.get_or_insert(space, text.as_bytes()) += text.len() * space as usize;
        }
        for text in &texts {
            assert_eq!(table.get(1, text.as_bytes()), Some(&text.len()));
            assert_eq!(table.get(2, text.as_bytes()), Some(&(text.len() * 2)));
            assert_eq!(table.get(3, text.as_bytes()), None);
        }
        *table.get_or_insert(1, b"xxx") += 1;
        assert_eq!(table.get(1, b"xxx"), Some(&4));
    }

    #[test]
    fn lengths_come_long_ones_first() {
        let mut lengths = Lengths::default();
        for length in [0, 126, 5, 127, 128, 300, 129, 5] {
            lengths.insert(length);
        }
        for (most, expected) in [
            (0, &[0][..]),
            (5, &[5, 0]),
            (126, &[126, 5, 0]),
            (127, &[127, 126, 5, 0]),
            (129, &[129, 128, 127, 126, 5, 0]),
            (usize::MAX, &[300, 129, 128, 127, 126, 5, 0]),
        ] {
            assert_eq!(lengths.up_to(most).collect::<Vec<_>>(), expected, "{most}");
        }
    }
}
