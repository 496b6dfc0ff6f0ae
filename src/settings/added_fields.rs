//! Header fields that are added to responses: `add_header NAME VALUE [always]` of nginx.

use http::{HeaderName, HeaderValue, StatusCode};

use super::error::SettingFault;

/// Header field of responses of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedField {
    /// Name.
    pub name: HeaderName,
    /// Value.
    pub value: HeaderValue,
    /// Whether errors have it, too.
    pub always: bool,
}

impl AddedField {
    /// Whether a response with this status has the field. (The list is nginx's.)
    #[must_use]
    pub fn is_for(&self, status: StatusCode) -> bool {
        self.always || matches!(status.as_u16(), 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308)
    }
}

/// Reads the arguments of `add_header`; further directives `add_header` may follow after semicolons, as people write them
/// into one variable.
pub(super) fn added_fields(name: &str, text: &str) -> Result<Vec<AddedField>, SettingFault> {
    parse(text).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a header field without variables: '{text}'"),
            "write a name and a value, such as `X-Served-By \"gateway 1\" always`, or use the plugin response-transformer",
        )
    })
}

fn parse(text: &str) -> Option<Vec<AddedField>> {
    let all = directives(text)?;
    let fields = all.iter().enumerate().map(|(n, words)| match words.split_first()? {
        (directive, words) if directive == "add_header" => field(words),
        // Only the first one has its name in that of the setting; any other directive may be a restriction.
        _ if n == 0 => field(words),
        _ => None,
    });
    fields.collect()
}

fn field(words: &[String]) -> Option<AddedField> {
    let (name, value, always) = match words {
        [name, value] => (name, value, false),
        [name, value, always] if always == "always" => (name, value, true),
        _ => return None,
    };
    // The value of a variable is not known here.
    let value = Some(value).filter(|value| !value.contains('$'))?;
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    // The framing of a message is the gateway's.
    let frames = ["connection", "content-length", "transfer-encoding", "upgrade", "trailer", "te"];
    let value = HeaderValue::from_str(value).ok().filter(|_| !frames.contains(&name.as_str()))?;
    Some(AddedField { name, value, always })
}

/// Splits directives into words, which may be in quotes.
fn directives(text: &str) -> Option<Vec<Vec<String>>> {
    let mut all = vec![Vec::new()];
    let mut characters = text.chars().peekable();
    while let Some(&first) = characters.peek() {
        if first == ';' || first.is_whitespace() {
            characters.next();
            if first == ';' && all.last().is_some_and(|words| !words.is_empty()) {
                all.push(Vec::new());
            }
            continue;
        }
        let quote = characters.next_if(|first| matches!(first, '\'' | '"'));
        let mut word = String::new();
        loop {
            let ends = |next: &char| quote.is_none() && (next.is_whitespace() || *next == ';');
            match characters.next_if(|next| !ends(next)) {
                Some('\\') => word.push(characters.next()?),
                Some(character) if Some(character) == quote => break,
                Some(character) => word.push(character),
                None if quote.is_some() => return None,
                None => break,
            }
        }
        all.last_mut()?.push(word);
    }
    all.retain(|words| !words.is_empty());
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_in_nginx() {
        for (text, expected) in [
            ("X-A b", Some(vec![("x-a", "b", false)])),
            ("X-A \"b; c\" always;", Some(vec![("x-a", "b; c", true)])),
            ("X-A b; add_header X-C 'd e'", Some(vec![("x-a", "b", false), ("x-c", "d e", false)])),
            (
                "Strict-Transport-Security max-age=1 always",
                Some(vec![("strict-transport-security", "max-age=1", true)]),
            ),
            ("", Some(vec![])),
            ("X-A", None),
            ("X-A b c", None),
            ("X-A $host", None),
            ("X-A 'b", None),
            ("X-A b; return 403", None),
            ("Content-Length 1", None),
        ] {
            let read = added_fields("name", text).ok();
            let shown = read.as_ref().map(|fields| {
                let shown = |field: &AddedField| {
                    (field.name.to_string(), field.value.to_str().unwrap().to_owned(), field.always)
                };
                fields.iter().map(shown).collect::<Vec<_>>()
            });
            let expected = expected.map(|fields| {
                fields.into_iter().map(|(a, b, c)| (a.to_owned(), b.to_owned(), c)).collect::<Vec<_>>()
            });
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn errors_have_the_field_only_if_it_is_always_added() {
        let fields = added_fields("name", "A b; add_header C d always").unwrap();
        let added = |status| fields.iter().filter(|field| field.is_for(status)).count();
        assert_eq!([StatusCode::OK, StatusCode::NOT_FOUND].map(added), [2, 1]);
    }
}
