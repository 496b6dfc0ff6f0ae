//! Formats of access logs in nginx's notation: `log_format NAME [escape=default|json|none] 'TEXT $variable ...'`.

use super::error::SettingFault;

/// Most bytes of a format.
const MAX_FORMAT: usize = 8 << 10;

/// nginx's own format.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// Format with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTemplate {
    /// Name by which an access log chooses it.
    pub name: String,
    /// How values of variables are escaped.
    pub escape: LogEscape,
    /// Texts and variables, in their order.
    pub parts: Vec<LogPart>,
}

/// Escaping of the values of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEscape {
    /// `\xXX` for quotes, backslashes and bytes that are not printable; `-` for what has no value.
    Default,
    /// As in JSON strings; nothing for what has no value.
    Json,
    /// Line breaks only, as `\xXX`: no value can end a line.
    None,
}

/// Part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPart {
    /// Text as it stands.
    Text(String),
    /// Name of a variable, without `$`.
    Variable(String),
}

impl LogTemplate {
    /// nginx's format `combined`.
    #[must_use]
    pub fn combined() -> Self {
        Self { name: "combined".to_owned(), escape: LogEscape::Default, parts: parts(COMBINED) }
    }
}

/// Reads the arguments of `log_format`.
pub(super) fn log_format(name: &str, text: &str) -> Result<Option<LogTemplate>, SettingFault> {
    parse(text).map(Some).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a format of an access log"),
            "write a name and a text in quotes, such as `short '$remote_addr \"$request\" $status'`",
        )
    })
}

fn parse(text: &str) -> Option<LogTemplate> {
    let text = text.trim().trim_end_matches(';');
    let (name, mut rest) = text.split_once(char::is_whitespace).filter(|_| text.len() <= MAX_FORMAT)?;
    let mut escape = LogEscape::Default;
    if let Some(after) = rest.trim_start().strip_prefix("escape=") {
        let (word, after) = after.split_once(char::is_whitespace)?;
        escape = match word {
            "default" => LogEscape::Default,
            "json" => LogEscape::Json,
            "none" => LogEscape::None,
            _ => return None,
        };
        rest = after;
    }
    let format = strings(rest)?;
    Some(LogTemplate { name: name.to_owned(), escape, parts: parts(&format) })
}

/// Joins strings in quotes, or without quotes up to a space, as nginx does.
fn strings(text: &str) -> Option<String> {
    let mut joined = String::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let quote = Some(first).filter(|first| matches!(first, '\'' | '"'));
        let mut characters = rest.char_indices().skip(usize::from(quote.is_some()));
        let mut end = None;
        while let Some((position, character)) = characters.next() {
            match character {
                '\\' => match characters.next()?.1 {
                    escaped @ ('\'' | '"' | '\\') => joined.push(escaped),
                    'n' => joined.push('\n'),
                    't' => joined.push('\t'),
                    other => joined.extend(['\\', other]),
                },
                _ if Some(character) == quote => {
                    end = Some(position + 1);
                    break;
                }
                _ if quote.is_none() && character.is_whitespace() => {
                    end = Some(position);
                    break;
                }
                // A directive that follows would not be read.
                ';' if quote.is_none() => return None,
                _ => joined.push(character),
            }
        }
        if quote.is_some() && end.is_none() {
            return None;
        }
        rest = rest.get(end.unwrap_or(rest.len())..)?.trim_start();
    }
    (!joined.is_empty()).then_some(joined)
}

/// Takes a format apart.
fn parts(format: &str) -> Vec<LogPart> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let end = after.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let (name, after) = braced.unwrap_or_else(|| after.split_at(end.unwrap_or(after.len())));
        if name.is_empty() {
            literal.push('$');
        } else {
            if !literal.is_empty() {
                parts.push(LogPart::Text(std::mem::take(&mut literal)));
            }
            parts.push(LogPart::Variable(name.to_ascii_lowercase()));
        }
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(LogPart::Text(literal));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, LogEscape, &str)>) {
        let read = parse(text).map(|template| {
            let part = |part: &LogPart| match part {
                LogPart::Text(text) => text.clone(),
                LogPart::Variable(name) => format!("<{name}>"),
            };
            let parts: String = template.parts.iter().map(part).collect();
            (template.name, template.escape, parts)
        });
        let expected = expected.map(|(name, escape, parts)| (name.to_owned(), escape, parts.to_owned()));
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn a_format_has_a_name_and_texts() {
        use LogEscape::{Default, Json, None as Plain};
        check("a '$status'", Some(("a", Default, "<status>")));
        check(
            "a '$remote_addr - ' '\"$request\"' $status;",
            Some(("a", Default, "<remote_addr> - \"<request>\"<status>")),
        );
        check("a escape=json '{\"s\":\"${status}x\"}'", Some(("a", Json, "{\"s\":\"<status>x\"}")));
        check("a escape=none \"$http_x_y\\\"\"", Some(("a", Plain, "<http_x_y>\"")));
        check("a 'costs 5$ or $$'", Some(("a", Default, "costs 5$ or $$")));
        for wrong in
            ["", "a", "a ''", "a '$status", "a escape=other '$status'", "a $status; log_format b $status"]
        {
            check(wrong, None);
        }
    }
}
