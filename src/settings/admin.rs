//! Who may use the Admin API: the token that every client shows, and the pages that may call it.

use std::fmt;

use super::{error::Fault, value::list};

/// A text that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Whether this is the token; how long it takes tells nothing about how much of it is right.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        let (one, other) = (self.0.as_bytes(), other.as_bytes());
        let mut different = one.len() ^ other.len();
        for (n, byte) in one.iter().enumerate() {
            different |= usize::from(byte ^ other.get(n).copied().unwrap_or_default());
        }
        std::hint::black_box(different) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Reads a token.
#[expect(clippy::unnecessary_wraps, reason = "other settings can be wrong")]
pub(super) fn token(_: &str, text: &str) -> Result<Option<Token>, Fault> {
    Ok(Some(Token(text.to_owned())))
}

/// Reads a list of URLs as origins: scheme, host and port, without a path.
pub(super) fn origins(name: &str, text: &str) -> Result<Vec<String>, Fault> {
    let origin = |url: &str| {
        let (scheme, rest) =
            url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
        let authority = rest.split(['/', '?', '#']).next().filter(|it| !it.is_empty())?;
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(usual).unwrap_or(authority);
        Some(format!("{scheme}://{}", authority.to_ascii_lowercase()))
    };
    let one = |url: &str| {
        let help = "write URLs as `https://manager.example.com:8002`, with commas between them";
        origin(url).ok_or_else(|| Fault::new(format!("{name} has an invalid url: '{url}'"), help))
    };
    list(text).into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token("s3cret".to_owned());
        assert!(token.is("s3cret"));
        for wrong in ["", "s3cre", "s3cret ", "S3cret", "s3cretx"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(***)");
    }

    #[test]
    fn origins_have_no_path() {
        let read = |text| origins("admin_gui_url", text).map_err(drop);
        assert_eq!(
            read("http://A:8002/x, https://b:443"),
            Ok(vec!["http://a:8002".into(), "https://b".into()])
        );
        assert_eq!(read("ftp://a"), Err(()));
        assert_eq!(read("localhost:8002"), Err(()));
    }
}
