//! Tokens of expressions: words, strings, numbers and signs. (Lua 5.1 Reference Manual, section 2.1.)

use std::fmt;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExpressionToken {
    /// A name or keyword.
    Word(String),
    /// A string, without its quotes.
    Text(String),
    /// A number.
    Number(f64),
    /// A sign of one or two characters.
    Sign(&'static str),
}

/// All signs, longer ones first.
const SIGNS: &[&str] = &["..", "==", "~=", "<=", ">=", "<", ">", "(", ")", "[", "]", ".", ",", ":", "-"];

/// Splits a text into tokens.
pub(super) fn tokenize(text: &str) -> Result<Vec<ExpressionToken>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if first.is_ascii_alphabetic() || first == '_' {
            let (word, after) = split(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            (ExpressionToken::Word(word.to_owned()), after)
        } else if first.is_ascii_digit() {
            let (digits, after) = split(rest, |c| c.is_ascii_alphanumeric() || c == '.');
            let number = digits.parse().map_err(|_| format!("`{digits}` is not a number"))?;
            (ExpressionToken::Number(number), after)
        } else if first == '"' || first == '\'' {
            parse_string(rest, first)?
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("`{first}` is not supported"))?;
            (ExpressionToken::Sign(sign), rest.get(sign.len()..).unwrap_or_default())
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn split(text: &str, within: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !within(c)).unwrap_or(text.len()))
}

fn parse_string(text: &str, quote: char) -> Result<(ExpressionToken, &str), String> {
    let mut content = String::new();
    let mut chars = text.chars();
    chars.next();
    while let Some(c) = chars.next() {
        if c == quote {
            return Ok((ExpressionToken::Text(content), chars.as_str()));
        }
        content.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(c @ ('\\' | '"' | '\'')) => c,
                _ => return Err("this escape is not supported".to_owned()),
            },
            c => c,
        });
    }
    Err("a text is not closed".to_owned())
}

impl fmt::Display for ExpressionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) => write!(f, "`{text}`"),
            Self::Text(text) => write!(f, "`\"{text}\"`"),
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Sign(sign) => write!(f, "`{sign}`"),
        }
    }
}
