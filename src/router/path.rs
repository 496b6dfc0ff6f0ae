//! Path of the upstream request: the Service's path joined with the request's.

use std::borrow::Cow;

use crate::entity::PathHandling;

/// Joins the Service's path with the request's.
///
/// `prefix` is the number of bytes of `path` that the route matched; they are removed if `strip_path` is set. From the
/// rest, one leading `./`, `../`, `.` or `..` is removed, so that a request cannot leave the Service's path.
/// (Kong: Route object, `strip_path` and `path_handling`.)
#[must_use]
pub fn join<'a>(
    service_path: Option<&str>,
    path: &'a [u8],
    prefix: Option<usize>,
    strip_path: bool,
    handling: PathHandling,
) -> Cow<'a, [u8]> {
    let base = service_path.unwrap_or("/").as_bytes();
    let stripped =
        prefix.filter(|_| strip_path).map(|length| without_dots(path.get(length..).unwrap_or(b"")));
    match (handling, stripped) {
        (PathHandling::V0, None) => join_whole(base, path),
        (PathHandling::V0, Some(rest)) => Cow::Owned(join_rest(base, path, rest)),
        (PathHandling::V1, None) => Cow::Owned([base, path.strip_prefix(b"/").unwrap_or(path)].concat()),
        (PathHandling::V1, Some(rest)) if rest.starts_with(b"/") => {
            Cow::Owned([without_slash(base), rest].concat())
        }
        (PathHandling::V1, Some(rest)) => Cow::Owned([base, rest].concat()),
    }
}

fn join_whole<'a>(base: &[u8], path: &'a [u8]) -> Cow<'a, [u8]> {
    match (base, path) {
        (b"/", _) => Cow::Borrowed(path),
        (_, b"/") => Cow::Owned(base.to_vec()),
        _ => Cow::Owned([without_slash(base), path].concat()),
    }
}

/// Joins the rest of `path`; if nothing else is left of it, its last slash is kept.
fn join_rest(base: &[u8], path: &[u8], rest: &[u8]) -> Vec<u8> {
    let open = without_slash(base);
    let slash_asked = path.ends_with(b"/") && (path.len() > 1 || base.ends_with(b"/"));
    match rest {
        [] if base == b"/" || slash_asked => [open, b"/"].concat(),
        [] => open.to_vec(),
        [b'/', ..] => [open, rest].concat(),
        _ => [open, b"/", rest].concat(),
    }
}

fn without_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

fn without_dots(rest: &[u8]) -> &[u8] {
    match rest {
        b"." | b".." => b"",
        [b'.', b'/', rest @ ..] | [b'.', b'.', b'/', rest @ ..] => rest,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::uri::normalize_path;

    #[test]
    fn an_unchanged_path_is_borrowed() {
        let joined = join(None, b"/a/b", Some(1), false, PathHandling::V0);
        assert!(matches!(joined, Cow::Borrowed(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn a_joined_path_never_leaves_the_base(rest in "(/|\\.|a){0,8}", strip: bool) {
            let path = normalize_path(format!("/p{rest}").as_bytes()).into_owned();
            let joined = join(Some("/base"), &path, Some(2).filter(|_| path.starts_with(b"/p")), strip, PathHandling::V0);
            prop_assert!(normalize_path(&joined).starts_with(b"/base"));
        }
    }
}
