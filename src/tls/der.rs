//! Reading and writing of DER elements. (X.690, sections 8.1 and 10.1.)

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The context-specific tag of a field. (X.690, section 8.14.)
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

/// The content of the first element, which has this tag, and the bytes that follow.
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

/// Like [`element`], for an element that may be absent.
pub(super) fn optional(tag: u8, der: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    if der.first() != Some(&tag) {
        return Some((None, der));
    }
    let (content, rest) = element(tag, der)?;
    Some((Some(content), rest))
}

/// The first element, including its tag and its length.
pub(super) fn first(der: &[u8]) -> Option<&[u8]> {
    let (_, rest) = element(*der.first()?, der)?;
    der.get(..der.len() - rest.len())
}

/// The contents of all elements, which have this tag.
pub(super) fn elements(tag: u8, mut der: &[u8]) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    while !der.is_empty() {
        let (content, rest) = element(tag, der)?;
        all.push(content);
        der = rest;
    }
    Some(all)
}

/// The content of a bit string without unused bits.
pub(super) fn whole_bytes(bits: &[u8]) -> Option<&[u8]> {
    bits.strip_prefix(&[0])
}

/// The bytes of a non-negative integer, without leading zeros.
pub(super) fn magnitude(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

/// The number of bits of a non-negative integer.
pub(super) fn bit_length(integer: &[u8]) -> usize {
    let bytes = magnitude(integer);
    bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
}

/// Writes an element with these contents, one after the other.
pub(super) fn write(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|content| content.len()).sum();
    let bytes = length.to_be_bytes();
    let bytes = magnitude(&bytes);
    let mut der = Vec::with_capacity(length + 6);
    der.push(tag);
    match length {
        // The short form, for lengths below 128.
        0..=0x7f => der.push(bytes.first().copied().unwrap_or(0)),
        // The long form; the length of a `usize` is at most 8.
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
    fn an_element_ends_after_its_length() {
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
    fn written_elements_can_be_read() {
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
