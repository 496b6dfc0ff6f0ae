//! Hash table from texts to values with few cache misses, which dominate lookups in a large configuration. A row, with
//! its text and its value, fits into one cache line.

use hashbrown::HashTable;

/// Values by text; one table holds several key spaces, each with a number.
#[derive(Debug)]
pub(super) struct TextTable<T> {
    rows: HashTable<TableRow<T>>,
}

/// A text and its value.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct TableRow<T> {
    text: InlineText,
    /// The space of a row in a [`TextTable`]; in other tables the number by which it is looked up.
    label: u32,
    value: T,
}

/// The space of texts outside a [`TextTable`].
pub(super) const ANY: u32 = 0;

/// A text that is stored in its row if it is short, as most paths and hosts are.
#[derive(Debug)]
enum InlineText {
    Short(u8, [u8; Self::SHORT]),
    Long(Box<[u8]>),
}

impl<T> Default for TextTable<T> {
    fn default() -> Self {
        Self { rows: HashTable::new() }
    }
}

impl<T: Default> TextTable<T> {
    /// The value of a text in a space.
    pub(super) fn get(&self, space: u32, text: &[u8]) -> Option<&T> {
        self.find(hash(space, text), space, text)
    }

    /// The value of the first `length` bytes of a text in a space.
    pub(super) fn get_prefix(&self, space: u32, text: &PrefixHasher<'_>, length: usize) -> Option<&T> {
        self.find(text.hash(space, length), space, text.text.get(..length)?)
    }

    /// The value of a text in a space, for modification; a default one is inserted if missing.
    pub(super) fn get_or_insert(&mut self, space: u32, text: &[u8]) -> &mut T {
        let entry = self.rows.entry(hash(space, text), |row| row.is(space, text), TableRow::hash);
        let row = entry.or_insert_with(|| TableRow::new(space, text, T::default()));
        &mut row.into_mut().value
    }

    /// The space of each row.
    pub(super) fn spaces(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().map(|row| row.label)
    }

    /// Removes and returns the rows whose space satisfies the predicate.
    pub(super) fn extract(&mut self, predicate: impl Fn(u32) -> bool) -> Vec<TableRow<T>> {
        self.rows.extract_if(|row| predicate(row.label)).collect()
    }

    /// Inserts a row that was extracted.
    pub(super) fn insert_row(&mut self, row: TableRow<T>) {
        self.rows.insert_unique(row.hash(), row, TableRow::hash);
    }

    /// All values, for modification.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|row| &mut row.value)
    }

    /// Frees unused capacity.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit(TableRow::hash);
    }

    fn find(&self, hashed: u64, space: u32, text: &[u8]) -> Option<&T> {
        self.rows.find(hashed, |row| row.is(space, text)).map(|row| &row.value)
    }
}

impl<T> TableRow<T> {
    pub(super) fn new(label: u32, text: &[u8], value: T) -> Self {
        Self { text: InlineText::new(text), label, value }
    }

    pub(super) const fn label(&self) -> u32 {
        self.label
    }

    /// The row with a label derived from the hash of its text in the space [`ANY`].
    pub(super) fn relabelled(self, label: impl Fn(u64) -> u32) -> Self {
        Self { label: label(hash(ANY, self.text.as_bytes())), ..self }
    }

    /// The value, if the row has this label and this text.
    pub(super) fn value_of(&self, label: u32, text: &[u8]) -> Option<&T> {
        self.is(label, text).then_some(&self.value)
    }

    fn is(&self, label: u32, text: &[u8]) -> bool {
        self.label == label && self.text.as_bytes() == text
    }

    fn hash(&self) -> u64 {
        hash(self.label, self.text.as_bytes())
    }
}

/// A text with precomputed states, so that the hash of each prefix takes one step.
#[derive(Debug)]
pub(super) struct PrefixHasher<'a> {
    text: &'a [u8],
    /// The words of the text, and the hash state before each of them.
    words: [(u64, u64); WORDS],
}

impl<'a> PrefixHasher<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let (mut words, mut state) = ([(0, 0); WORDS], 0);
        for (slot, bytes) in words.iter_mut().zip(text.chunks(WORD)) {
            let word = word(bytes);
            *slot = (word, state);
            state = mix(state, word);
        }
        if let Some(behind) = words.get_mut(text.len().div_ceil(WORD)) {
            behind.1 = state;
        }
        Self { text, words }
    }

    /// The text itself.
    pub(super) const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The hash of the first `length` bytes in a space.
    pub(super) fn hash(&self, space: u32, length: usize) -> u64 {
        match self.words.get(length / WORD) {
            Some((word, state)) => finish(space, *state, word & !(u64::MAX << (8 * (length % WORD))), length),
            None => hash(space, self.text.get(..length).unwrap_or_default()),
        }
    }
}

/// Bytes per step of the hash.
const WORD: usize = 8;

/// Prefixes of more words are hashed from the start.
const WORDS: usize = 9;

/// The hash of a text in a space. It is not seeded: keys come from the configuration only, so clients cannot cause
/// collisions.
fn hash(space: u32, text: &[u8]) -> u64 {
    let words = text.chunks_exact(WORD);
    let rest = word(words.remainder());
    finish(space, words.map(word).fold(0, mix), rest, text.len())
}

/// Finishes a hash with the rest after the last whole word, the length and the space. These come last so that prefixes
/// share their states.
fn finish(space: u32, state: u64, rest: u64, length: usize) -> u64 {
    let last = (u64::from(space) << u32::BITS) ^ length as u64;
    let hashed = mix(mix(state, rest), last);
    // The upper bits are well distributed; the table also uses the lower ones.
    hashed ^ (hashed >> u32::BITS)
}

/// One step of the Fx hash.
const fn mix(state: u64, word: u64) -> u64 {
    (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

impl InlineText {
    const SHORT: usize = 30;

    fn new(text: &[u8]) -> Self {
        let mut bytes = [0; Self::SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(slot), Ok(length)) => {
                slot.copy_from_slice(text);
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
pub(super) struct LengthSet {
    /// Lengths below 64, one bit each.
    short: u64,
    /// The other lengths in falling order; boxed, as few sets have any and rows must be small.
    #[expect(clippy::box_collection, reason = "a pointer is what there is room for")]
    long: Option<Box<Vec<usize>>>,
}

impl LengthSet {
    pub(super) fn insert(&mut self, length: usize) {
        if length < 64 {
            self.short |= 1 << length;
            return;
        }
        let long = self.long.get_or_insert_default();
        if let Err(slot) = long.binary_search_by(|known| length.cmp(known)) {
            long.insert(slot, length);
        }
    }

    /// The lengths up to `most` in falling order: longer ones more likely belong to the entry of the highest rank.
    pub(super) fn up_to(&self, most: usize) -> impl Iterator<Item = usize> {
        let mut short = if most < 63 { self.short & ((1 << (most + 1)) - 1) } else { self.short };
        let bits = std::iter::from_fn(move || {
            let highest = short.checked_ilog2()?;
            short ^= 1 << highest;
            Some(highest as usize)
        });
        let long = self.long.iter().flat_map(|long| long.iter());
        long.copied().filter(move |length| *length <= most).chain(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::candidates::Candidates;

    #[test]
    fn a_text_has_one_value_in_each_space() {
        let mut table = TextTable::<usize>::default();
        let texts: Vec<String> = (0..200).map(|length| "x".repeat(length)).collect();
        for (space, text) in
            [1_u32, 2].into_iter().flat_map(|space| texts.iter().map(move |text| (space, text)))
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
    fn prefixes_are_found_like_separate_texts() {
        let text: Vec<u8> = (0..200).collect();
        let mut table = TextTable::<usize>::default();
        for length in 0..=text.len() {
            *table.get_or_insert(1, &text[..length]) = length;
        }
        for end in [0, 1, 7, 8, 9, 63, 64, 65, 71, 72, 73, 80, 200] {
            let beginnings = PrefixHasher::new(&text[..end]);
            for length in 0..=end {
                assert_eq!(table.get_prefix(1, &beginnings, length), Some(&length), "{length} of {end}");
                assert_eq!(table.get_prefix(2, &beginnings, length), None, "{length} of {end}");
            }
            assert_eq!(table.get_prefix(1, &beginnings, end + 1), None);
        }
    }

    #[test]
    fn a_row_fits_into_a_cache_line() {
        assert_eq!(size_of::<TableRow<[usize; 3]>>(), 64);
        assert_eq!(size_of::<TableRow<Candidates>>(), 64);
    }

    #[test]
    fn lengths_are_in_falling_order() {
        let mut lengths = LengthSet::default();
        for length in [0, 62, 5, 63, 64, 300, 65, 5] {
            lengths.insert(length);
        }
        for (most, expected) in [
            (0, &[0][..]),
            (5, &[5, 0]),
            (62, &[62, 5, 0]),
            (63, &[63, 62, 5, 0]),
            (65, &[65, 64, 63, 62, 5, 0]),
            (usize::MAX, &[300, 65, 64, 63, 62, 5, 0]),
        ] {
            assert_eq!(lengths.up_to(most).collect::<Vec<_>>(), expected, "{most}");
        }
    }
}
