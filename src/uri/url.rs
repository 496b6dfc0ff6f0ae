//! Splitting of URLs into scheme, authority and the rest. (RFC 3986, section 3)

/// The parts of an absolute URL: the scheme, the authority, and the rest from its `/`, `?` or `#` on. Nothing is decoded or
/// checked. `None` without `://`.
#[must_use]
pub fn split_url(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, rest) = split_authority(rest);
    Some((scheme, authority, rest))
}

/// The authority at the start of a text, and the rest.
#[must_use]
pub fn split_authority(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()))
}

/// The host and port of an authority, without user information.
#[must_use]
pub fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_scheme_authority_and_rest() {
        for (url, expected) in [
            ("http://a:1/x?y#z", Some(("http", "a:1", "/x?y#z"))),
            ("https://u:p@a?x", Some(("https", "u:p@a", "?x"))),
            ("http://", Some(("http", "", ""))),
            ("//a/x", None),
            ("a:80", None),
        ] {
            assert_eq!(split_url(url), expected, "{url}");
        }
        assert_eq!(split_authority("a.example"), ("a.example", ""));
        assert_eq!((without_user("u:p@w@a:1"), without_user("a")), ("a:1", "a"));
    }
}
