//! Choice of the content coding of an answer by Accept-Encoding. (RFC 9110, section 12.5.3.)

use http::{HeaderMap, header::ACCEPT_ENCODING};

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AssetCoding {
    Brotli,
    Gzip,
    Identity,
}

impl AssetCoding {
    /// The name in Content-Encoding; none for the identity.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// The smallest coding that a client accepts.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accepts = |name: &str| {
            let mut fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
            fields.any(|field| field.split(',').any(|item| is_accepted(item, name)))
        };
        match () {
            () if accepts("br") => Self::Brotli,
            () if accepts("gzip") => Self::Gzip,
            () => Self::Identity,
        }
    }
}

/// Whether an item of Accept-Encoding names a coding with a weight above 0.
fn is_accepted(item: &str, name: &str) -> bool {
    let mut parts = item.split(';').map(str::trim);
    let is_named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case(name));
    let is_zero = |part: &str| {
        let weight = part.strip_prefix(['q', 'Q']).and_then(|rest| rest.trim_start().strip_prefix('='));
        weight.is_some_and(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0))
    };
    is_named && !parts.any(is_zero)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_smallest_accepted_coding_is_chosen() {
        for (accepted, expected) in [
            (&["gzip, deflate, br, zstd"][..], AssetCoding::Brotli),
            (&["gzip, deflate"], AssetCoding::Gzip),
            (&["GZIP"], AssetCoding::Gzip),
            (&["br;q=0, gzip;q=0.5"], AssetCoding::Gzip),
            (&["br; q=0.0 , gzip; Q=0"], AssetCoding::Identity),
            (&["gzip", "br"], AssetCoding::Brotli),
            (&["*"], AssetCoding::Identity),
            (&["identity"], AssetCoding::Identity),
            (&["brotli"], AssetCoding::Identity),
            (&[], AssetCoding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            for field in accepted {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(field));
            }
            assert_eq!(AssetCoding::accepted(&headers), expected, "{accepted:?}");
        }
    }
}
