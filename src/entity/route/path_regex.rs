//! Check of the regular expressions in paths, with Kong's messages.
//!
//! Kong tries PCRE first, then the engine of its router. The router reports what only PCRE accepts (look-around,
//! backreferences).

use regex_syntax::ast::{ErrorKind, parse::Parser};

/// Checks that PCRE would accept an expression.
///
/// # Errors
/// Kong's message.
pub(super) fn check_regex(expression: &str) -> Result<(), String> {
    let Err(error) = Parser::new().parse(expression) else { return Ok(()) };
    let rest = expression.get(error.span().start.offset..).unwrap_or_default();
    let Some(reason) = reason(error.kind(), rest) else { return Ok(()) };
    // PCRE reports an unclosed class or group at the end, an escape after it, and all else where it stands.
    let is_after = matches!(
        error.kind(),
        ErrorKind::ClassUnclosed | ErrorKind::GroupUnclosed | ErrorKind::EscapeUnrecognized
    );
    let place = if is_after || rest.is_empty() {
        format!("in \"{expression}\"")
    } else {
        format!("in \"{expression}\" at \"{rest}\"")
    };
    Err(format!("invalid regex: '{expression}' (PCRE returned: pcre2_compile() failed: {reason} {place})"))
}

/// PCRE2's message for an error before `rest`; `None` for what PCRE2 accepts.
fn reason(kind: &ErrorKind, rest: &str) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ClassUnclosed => "missing terminating ] for character class",
        ErrorKind::ClassRangeInvalid => "range out of order in character class",
        ErrorKind::GroupUnclosed => "missing closing parenthesis",
        ErrorKind::GroupUnopened => "unmatched closing parenthesis",
        ErrorKind::GroupNameEmpty => "subpattern name expected",
        ErrorKind::GroupNameInvalid if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            "subpattern name must start with a non-digit"
        }
        ErrorKind::GroupNameInvalid => "syntax error in subpattern name (missing terminator?)",
        ErrorKind::EscapeUnrecognized
            if rest.chars().nth(1).is_some_and(|letter| UNKNOWN_ESCAPES.contains(letter)) =>
        {
            "unrecognized character follows \\"
        }
        ErrorKind::GroupNameDuplicate { .. } => {
            "two named subpatterns have the same name (PCRE2_DUPNAMES not set)"
        }
        ErrorKind::RepetitionMissing => "quantifier does not follow a repeatable item",
        ErrorKind::RepetitionCountInvalid => "numbers out of order in {} quantifier",
        ErrorKind::EscapeUnexpectedEof => "\\ at end of pattern",
        _ => return None,
    })
}

/// The letters that PCRE2 does not accept after a backslash. (pcre2pattern, "Backslash".)
const UNKNOWN_ESCAPES: &str = "FIiJjLlMmOqTUuYy";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kongs() {
        for (expression, expected) in [
            ("/a([", "missing terminating ] for character class in \"/a([\""),
            ("/(x", "missing closing parenthesis in \"/(x\""),
            (
                "/(?<a-b>x)",
                "syntax error in subpattern name (missing terminator?) in \"/(?<a-b>x)\" at \"-b>x)\"",
            ),
            ("/(?<1>x)", "subpattern name must start with a non-digit in \"/(?<1>x)\" at \"1>x)\""),
            ("/\\y", "unrecognized character follows \\ in \"/\\y\""),
            ("/[z-a]", "range out of order in character class in \"/[z-a]\" at \"z-a]\""),
        ] {
            let message =
                format!("invalid regex: '{expression}' (PCRE returned: pcre2_compile() failed: {expected})");
            assert_eq!(check_regex(expression), Err(message));
        }
        for expression in ["/\\Qa\\E", "/a(?=b)", r"/(a)\1", "/a++", r"/\d+/(?<id>x)"] {
            assert_eq!(check_regex(expression), Ok(()), "{expression}");
        }
    }
}
