//! Elliptic curves of keys, named or given by explicit parameters. (RFC 5480, section 2.1.1; SEC 1, appendix C.2.)

use super::der::{INTEGER, OCTET_STRING, OID, SEQUENCE, element};

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P224,
    P256,
    P384,
    P521,
    Secp256k1,
    /// Any other.
    Other,
}

/// A curve, its object identifier, its name, the bytes of a coordinate, and the last bytes of its order.
type CurveRow = (Curve, &'static [u8], &'static str, usize, [u8; 8]);

/// The known curves.
#[rustfmt::skip]
const CURVES: [CurveRow; 5] = [
    (Curve::P224, &[0x2b, 0x81, 4, 0, 33], "P-224", 28, [0x13, 0xdd, 0x29, 0x45, 0x5c, 0x5c, 0x2a, 0x3d]),
    (Curve::P256, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256", 32,
        [0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51]),
    (Curve::P384, &[0x2b, 0x81, 4, 0, 34], "P-384", 48, [0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73]),
    (Curve::P521, &[0x2b, 0x81, 4, 0, 35], "P-521", 66, [0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09]),
    (Curve::Secp256k1, &[0x2b, 0x81, 4, 0, 10], "secp256k1", 32,
        [0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41]),
];

impl Curve {
    /// The curve of the parameters of a key.
    pub(super) fn read(parameters: &[u8]) -> Self {
        let matches = |row: &&CurveRow| {
            element(OID, parameters).is_some_and(|(id, _)| id == row.1)
                || order(parameters).is_some_and(|order| order.ends_with(&row.4))
        };
        CURVES.iter().find(matches).map_or(Self::Other, |row| row.0)
    }

    /// The name for messages.
    pub(super) fn name(self) -> &'static str {
        CURVES.iter().find(|row| row.0 == self).map_or("another curve", |row| row.2)
    }

    /// The object identifier.
    pub(super) fn id(self) -> Option<&'static [u8]> {
        CURVES.iter().find(|row| row.0 == self).map(|row| row.1)
    }

    /// The length of a coordinate, and of a private key, in bytes.
    pub(super) fn width(self) -> Option<usize> {
        CURVES.iter().find(|row| row.0 == self).map(|row| row.3)
    }
}

/// The order of a curve with explicit parameters. The order alone identifies the curve: a key of another curve of the same
/// order makes no signature that its certificate would verify.
fn order(parameters: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(SEQUENCE, parameters)?;
    let (_version, rest) = element(INTEGER, content)?;
    let (_field, rest) = element(SEQUENCE, rest)?;
    let (_curve, rest) = element(SEQUENCE, rest)?;
    let (_base, rest) = element(OCTET_STRING, rest)?;
    element(INTEGER, rest).map(|(order, _)| order)
}

/// Whether two encodings, compressed, uncompressed or hybrid, are of the same point.
/// (SEC 1, section 2.3.3.)
pub(super) fn is_same_point(one: &[u8], other: &[u8]) -> bool {
    let compressed = |point: &[u8]| match point {
        [2 | 3, ..] => Some(point.to_vec()),
        // The hybrid encoding repeats the parity of the second coordinate.
        [4 | 6 | 7, coordinates @ ..] => {
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            Some([&[2 | (y.last()? & 1)], x].concat())
        }
        _ => None,
    };
    one == other || compressed(one).is_some_and(|point| Some(point) == compressed(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_several_encodings() {
        for (one, other, expected) in [
            (&[4, 1, 2, 3, 5][..], &[3, 1, 2][..], true),
            (&[4, 1, 2, 3, 4], &[2, 1, 2], true),
            (&[4, 1, 2, 3, 4], &[3, 1, 2], false),
            (&[4, 1, 2, 3, 4], &[6, 1, 2, 3, 4], true),
            (&[], &[], true),
            (&[], &[4], false),
        ] {
            assert_eq!(is_same_point(one, other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_curve_is_named_or_has_explicit_parameters() {
        use super::super::der::write;
        for (curve, id, ..) in CURVES {
            assert_eq!(Curve::read(&write(OID, &[id])), curve);
        }
        let described = |order: &[u8]| {
            let part = |tag, content: &[u8]| write(tag, &[content]);
            let parts =
                [part(INTEGER, &[1]), part(SEQUENCE, &[]), part(SEQUENCE, &[]), part(OCTET_STRING, &[])];
            write(SEQUENCE, &[&parts.concat(), &part(INTEGER, order)])
        };
        assert_eq!(Curve::read(&described(&CURVES[1].4)), Curve::P256);
        assert_eq!(Curve::read(&described(&[1, 2, 3])), Curve::Other);
        assert_eq!(Curve::read(&[5, 0]), Curve::Other);
    }
}
