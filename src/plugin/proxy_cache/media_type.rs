//! Media types with parameters, and which of them a setting selects. (RFC 9110, section 8.3.1)

/// The types to which the gateway adds `charset=UTF-8` if they have no parameter.
const WITH_ADDED_CHARSET: &[(&str, &str)] = &[
    ("text", "plain"),
    ("text", "html"),
    ("text", "xml"),
    ("application", "javascript"),
    ("application", "rss+xml"),
    ("text", "vnd.wap.wml"),
];

/// A media type, or a range of them, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParsedMediaType {
    kind: String,
    subtype: String,
    /// Names in lower case and values, in the order of the names.
    parameters: Vec<(String, String)>,
}

impl ParsedMediaType {
    /// Reads `type/subtype; name=value`; `*` stands for `*/*`. `None` if the text has another form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (essence, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
        let essence = essence.trim_matches([' ', '\t']);
        let (kind, subtype) = if essence == "*" { ("*", "*") } else { essence.split_once('/')? };
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters = Vec::new();
        while !rest.is_empty() {
            let parameter = rest.strip_prefix(';')?.trim_start_matches([' ', '\t']);
            let (name, value) = parameter.split_once('=')?;
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
                    (value[..end].to_owned(), &value[end..])
                }
            };
            if !is_token(name) {
                return None;
            }
            parameters.push((name.to_ascii_lowercase(), value));
            rest = after.trim_start_matches([' ', '\t']);
        }
        parameters.sort();
        Some(Self { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), parameters })
    }

    /// Whether the setting selects a media type: type and subtype are equal or `*`, and the parameters are equal.
    ///
    /// A charset that the gateway may have added to a type without parameters does not count.
    pub(super) fn selects(&self, other: &Self) -> bool {
        let is_same = |own: &str, other: &str| own == "*" || own == other;
        let has_added_charset = || {
            WITH_ADDED_CHARSET.contains(&(&*other.kind, &*other.subtype))
                && matches!(&other.parameters[..], [(name, value)] if name == "charset" && value == "UTF-8")
        };
        is_same(&self.kind, &other.kind)
            && is_same(&self.subtype, &other.subtype)
            && (self.parameters == other.parameters || self.parameters.is_empty() && has_added_charset())
    }
}

/// The content of a quoted string, and what follows its end.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// Whether a text is a token of HTTP. (RFC 9110, section 5.6.2)
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(setting: &str, response: &str, expected: bool) {
        let selects = ParsedMediaType::parse(setting)
            .zip(ParsedMediaType::parse(response))
            .is_some_and(|(setting, response)| setting.selects(&response));
        assert_eq!(selects, expected, "{setting} {response}");
    }

    #[test]
    fn a_setting_selects_a_type_with_the_same_parameters() {
        check("application/json", "application/json", true);
        check("application/json", "APPLICATION/Json", true);
        check("application/json", "application/json; charset=utf-8", false);
        check("application/json; charset=utf-8", "application/json", false);
        check("application/json; charset=utf-8", "application/json;charset=\"utf-8\"", true);
        check("application/json; charset=utf-8", "application/json; Charset=utf-8", true);
        check("application/json; charset=utf-8", "application/json; charset=UTF-8", false);
        check("a/b; x=1; y=2", "a/b; y=2;x=1", true);
        check("a/b; x=1", "a/b; y=2;x=1", false);
        check("a/b; x=\"1;2\\\"\"", "a/b;x=\"1;2\\\"\"", true);
        check("*/*", "image/png", true);
        check("*", "image/png", true);
        check("image/*", "image/png", true);
        check("image/*", "text/png", false);
        check("*/*", "image/png; x=1", false);
    }

    #[test]
    fn a_charset_that_the_gateway_adds_does_not_count() {
        check("text/plain", "text/plain; charset=UTF-8", true);
        check("text/plain; charset=UTF-8", "text/plain; charset=UTF-8", true);
        check("text/plain", "text/plain; charset=latin1", false);
        check("text/css", "text/css; charset=UTF-8", false);
    }

    #[test]
    fn other_texts_are_no_media_types() {
        for text in
            ["", "json", "a/", "/b", "a/b/c", "a/b; x", "a/b; x=\"1", "a/b; x=1 y", "a b/c", ";", "a/b;;"]
        {
            assert_eq!(ParsedMediaType::parse(text), None, "{text}");
        }
    }
}
