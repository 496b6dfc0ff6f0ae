//! Elliptic curves of keys: named, or described by their parameters. (RFC 5480, section 2.1.1; SEC 1, appendix C.2.)

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

/// A curve, its identifier, its name, how many bytes a coordinate has, and the last bytes of its order.
type Row = (Curve, &'static [u8], &'static str, usize, [u8; 8]);

/// The curves that have a name here.
#[rustfmt::skip]
const CURVES: [Row; 5] = [
    (Curve::P224, &[0x2b, 0x81, 4, 0, 33], "P-224", 28, [0x13, 0xdd, 0x29, 0x45, 0x5c, 0x5c, 0x2a, 0x3d]),
    (Curve::P256, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256", 32,
        [0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51]),
    (Curve::P384, &[0x2b, 0x81, 4, 0, 34], "P-384", 48, [0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73]),
    (Curve::P521, &[0x2b, 0x81, 4, 0, 35], "P-521", 66, [0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09]),
    (Curve::Secp256k1, &[0x2b, 0x81, 4, 0, 10], "secp256k1", 32,
        [0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41]),
];

impl Curve {
    /// The curve that the parameters of a key stand for.
    pub(super) fn read(parameters: &[u8]) -> Self {
        let known = |it: &&Row| {
            element(OID, parameters).is_some_and(|(id, _)| id == it.1)
                || order(parameters).is_some_and(|order| order.ends_with(&it.4))
        };
        CURVES.iter().find(known).map_or(Self::Other, |it| it.0)
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        CURVES.iter().find(|it| it.0 == self).map_or("another curve", |it| it.2)
    }

    /// How its parameters name it.
    pub(super) fn id(self) -> Option<&'static [u8]> {
        CURVES.iter().find(|it| it.0 == self).map(|it| it.1)
    }

    /// How many bytes a coordinate has, and a private key.
    pub(super) fn width(self) -> Option<usize> {
        CURVES.iter().find(|it| it.0 == self).map(|it| it.3)
    }
}

/// The order of a curve that is described by its parameters. A curve is told by that alone: a key of another curve of
/// this order signs nothing that its certificate would verify.
fn order(parameters: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(SEQUENCE, parameters)?;
    let (_version, rest) = element(INTEGER, content)?;
    let (_field, rest) = element(SEQUENCE, rest)?;
    let (_curve, rest) = element(SEQUENCE, rest)?;
    let (_base, rest) = element(OCTET_STRING, rest)?;
    element(INTEGER, rest).map(|(order, _)| order)
}

/// Whether two texts of a point are of the same one: with both coordinates, or with one and the sign of the other.
/// (SEC 1, section 2.3.3.)
pub(super) fn is_same_point(one: &[u8], other: &[u8]) -> bool {
    let compressed = |point: &[u8]| match point {
        [2 | 3, ..] => Some(point.to_vec()),
        // Hybrid texts repeat the sign of the second coordinate, which is odd or even.
        [4 | 6 | 7, coordinates @ ..] => {
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            Some([&[2 | (y.last()? & 1)], x].concat())
        }
        _ => None,
    };
    one == other || compressed(one).is_some_and(|it| Some(it) == compressed(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_several_texts() {
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
    fn a_curve_is_named_or_described() {
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
