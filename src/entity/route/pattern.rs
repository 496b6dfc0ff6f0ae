//! Regular expressions in paths: what Kong's own check says of one that is none.
//!
//! Kong tries PCRE first, then the engine of its router. What is an expression for the first and not for the second
//! (look-around, backreferences) is the router's to complain about.

use regex_syntax::ast::{ErrorKind, parse::Parser};

/// Whether PCRE would take this for an expression.
///
/// # Errors
/// Kong's message.
pub(super) fn compiles(expression: &str) -> Result<(), String> {
    let Err(error) = Parser::new().parse(expression) else { return Ok(()) };
    let Some(reason) = reason(error.kind()) else { return Ok(()) };
    // What was left open is noticed at the end; all else where it stands.
    let open = matches!(error.kind(), ErrorKind::ClassUnclosed | ErrorKind::GroupUnclosed);
    let rest = expression.get(error.span().start.offset..).filter(|_| !open);
    let place = match rest {
        Some(rest) if !rest.is_empty() => format!("in \"{expression}\" at \"{rest}\""),
        _ => format!("in \"{expression}\""),
    };
    Err(format!("invalid regex: '{expression}' (PCRE returned: pcre2_compile() failed: {reason} {place})"))
}

/// PCRE2's words; none for what it does not mind.
const fn reason(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ClassUnclosed => "missing terminating ] for character class",
        ErrorKind::ClassRangeInvalid => "range out of order in character class",
        ErrorKind::GroupUnclosed => "missing closing parenthesis",
        ErrorKind::GroupUnopened => "unmatched closing parenthesis",
        ErrorKind::GroupNameEmpty => "subpattern name expected",
        ErrorKind::GroupNameDuplicate { .. } => {
            "two named subpatterns have the same name (PCRE2_DUPNAMES not set)"
        }
        ErrorKind::RepetitionMissing => "quantifier does not follow a repeatable item",
        ErrorKind::RepetitionCountInvalid => "numbers out of order in {} quantifier",
        ErrorKind::EscapeUnexpectedEof => "\\ at end of pattern",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kongs() {
        for (expression, expected) in [
            ("/a([", "missing terminating ] for character class in \"/a([\""),
            ("/(x", "missing closing parenthesis in \"/(x\""),
            ("/[z-a]", "range out of order in character class in \"/[z-a]\" at \"z-a]\""),
        ] {
            let message =
                format!("invalid regex: '{expression}' (PCRE returned: pcre2_compile() failed: {expected})");
            assert_eq!(compiles(expression), Err(message));
        }
        for expression in ["/a(?=b)", r"/(a)\1", "/a++", r"/\d+/(?<id>x)"] {
            assert_eq!(compiles(expression), Ok(()), "{expression}");
        }
    }
}
