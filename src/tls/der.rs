//! Elements of DER: how they are read and written. (X.690, sections 8.1 and 10.1.)

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a field that is written with its number. (X.690, section 8.14.)
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

/// The content of the element of this tag that DER begins with, and what follows it.
pub(super) fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [length @ 0..=0x7f, rest @ ..] | [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [0x83, high @ 1..=255, middle, low, rest @ ..] => {
            (usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Like [`element`], where the element may be left out.
pub(super) fn optional(tag: u8, der: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    if der.first() != Some(&tag) {
        return Some((None, der));
    }
    let (content, rest) = element(tag, der)?;
    Some((Some(content), rest))
}

/// The element that DER begins with, its tag and its length included.
pub(super) fn first(der: &[u8]) -> Option<&[u8]> {
    let (_, rest) = element(*der.first()?, der)?;
    der.get(..der.len() - rest.len())
}

/// The contents of elements of one tag, which is all that there is.
pub(super) fn elements(tag: u8, mut der: &[u8]) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    while !der.is_empty() {
        let (content, rest) = element(tag, der)?;
        all.push(content);
        der = rest;
    }
    Some(all)
}

/// The content of a bit string of whole bytes.
pub(super) fn whole_bytes(bits: &[u8]) -> Option<&[u8]> {
    bits.strip_prefix(&[0])
}

/// The bytes of an integer that is not negative, without zeros before them.
pub(super) fn magnitude(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

/// How many bits an integer has that is not negative.
pub(super) fn bit_length(integer: &[u8]) -> usize {
    let bytes = magnitude(integer);
    bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
}

/// An element of these contents, one after the other.
pub(super) fn write(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|it| it.len()).sum();
    let bytes = length.to_be_bytes();
    let bytes = magnitude(&bytes);
    let mut der = Vec::with_capacity(length + 6);
    der.push(tag);
    match length {
        // It is less than 128.
        0..=0x7f => der.push(bytes.first().copied().unwrap_or(0)),
        // A length of a length is at most 8.
        _ => {
            der.push(0x80 | u8::try_from(bytes.len()).unwrap_or(8));
            der.extend_from_slice(bytes);
        }
    }
    for content in contents {
        der.extend_from_slice(content);
    }
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_they_say() {
        for (der, expected) in [
            (&[0x30, 2, 5, 6, 7][..], Some((&[5, 6][..], &[7][..]))),
            (&[0x30, 0x81, 1, 5], Some((&[5], &[]))),
            (&[0x30, 0x82, 0, 1, 5, 6], Some((&[5], &[6]))),
            (&[0x30, 0], Some((&[], &[]))),
            (&[0x30, 3, 5, 6], None),
            (&[0x30, 0x83, 0, 0, 1, 5], None),
            (&[0x30, 0x83, 1, 0, 0, 5], None),
            (&[0x30, 0x80, 5, 0, 0], None),
            (&[0x31, 0], None),
            (&[0x30], None),
            (&[], None),
        ] {
            assert_eq!(element(SEQUENCE, der), expected, "{der:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 127, 128, 255, 256, 65535, 65536, 70000] {
            let content = vec![7; length];
            let der = write(SEQUENCE, &[&content[..length / 2], &content[length / 2..]]);
            assert_eq!(element(SEQUENCE, &der), Some((&content[..], &[][..])), "{length}");
            assert_eq!(first(&[&der[..], &[1]].concat()), Some(&der[..]));
        }
    }

    #[test]
    fn integers_have_a_length_in_bits() {
        for (integer, expected) in [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0, 0x80], 8), (&[1, 0], 9)] {
            assert_eq!(bit_length(integer), expected, "{integer:?}");
        }
    }
}
