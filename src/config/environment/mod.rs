//! Values from the environment: decK's `${{ env "DECK_NAME" }}` in every file, and `${NAME}` if the settings ask for it.
//!
//! Scalars are replaced after the text is parsed, so that no value changes the structure of the document. In quotes a value is
//! a text; without quotes its type is open, and is settled by the field that it is for.

mod substitute;
mod typing;

use super::DeclarativeFormat;
use crate::{
    diag::Diagnostic,
    document::{
        self, Dialect, Document, KnownText, MaskedText, NodePath, ScalarReplacer, SyntaxError, TextLayout,
        Value,
    },
};
use substitute::{SubstitutionError, substitute};
pub use substitute::{escaped, is_substituted};
pub(super) use typing::{settle_all, settle_known};

/// The value of a variable, if it is set.
///
/// # Errors
/// Its value is no text.
type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, SubstitutionError>;

/// Reads a text with the values of expressions, and diagnostics about these. The document shares equal nodes with the one
/// `before`; with `layout` the positions of nodes are recorded.
pub(super) fn read(
    text: &str,
    format: DeclarativeFormat,
    before: &Value,
    layout: bool,
) -> Result<(Document, Option<TextLayout>, Vec<Diagnostic>), SyntaxError> {
    read_with(text, format, &variable, before, layout)
}

fn read_with(
    text: &str,
    format: DeclarativeFormat,
    lookup: Lookup<'_>,
    before: &Value,
    layout: bool,
) -> Result<(Document, Option<TextLayout>, Vec<Diagnostic>), SyntaxError> {
    if format == DeclarativeFormat::Kong {
        let (document, layout) = document::read_after(text, Dialect::Kong, before, layout, None)?;
        return Ok((document, layout, Vec::new()));
    }
    let masked = MaskedText::new(text);
    let has_types = typing::can_be_open(text);
    let mut values = VariableValues { masked: &masked, format, lookup, has_types, diagnostics: Vec::new() };
    let (document, layout) =
        document::read_after(masked.text(), Dialect::Kong, before, layout, Some(&mut values))?;
    Ok((document, layout, values.diagnostics))
}

/// Reads the difference to a known text; `None` if the whole text has to be read.
#[must_use]
pub fn read_changed(
    text: &str,
    format: DeclarativeFormat,
    known: KnownText<'_>,
) -> Option<(Document, TextLayout)> {
    if is_verbatim(text, format) { document::read_changed(text, Dialect::Kong, known) } else { None }
}

/// Whether a text cannot contain expressions.
pub(super) fn is_verbatim(text: &str, format: DeclarativeFormat) -> bool {
    match format {
        DeclarativeFormat::Kong => true,
        DeclarativeFormat::Deck => !text.contains("${{"),
        DeclarativeFormat::Environment => !text.contains('$'),
    }
}

/// Reads a text as it is written, with expressions as texts.
///
/// # Errors
/// The text is no document.
pub fn written(text: &str, format: DeclarativeFormat) -> Result<Value, SyntaxError> {
    if format == DeclarativeFormat::Kong {
        return document::read(text, Dialect::Kong).map(|document| document.value);
    }
    let masked = MaskedText::new(text);
    document::read_replacing(masked.text(), Dialect::Kong, &mut VerbatimText(&masked))
        .map(|document| document.value)
}

fn variable(name: &str) -> Result<Option<String>, SubstitutionError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(not_utf8(name)),
    }
}

fn not_utf8(name: &str) -> SubstitutionError {
    SubstitutionError {
        message: format!("environment variable '{name}' is not UTF-8"),
        help: "set it to a text".to_owned(),
    }
}

struct VariableValues<'a> {
    masked: &'a MaskedText<'a>,
    format: DeclarativeFormat,
    lookup: Lookup<'a>,
    /// Whether values without quotes have an open type.
    has_types: bool,
    diagnostics: Vec<Diagnostic>,
}

impl VariableValues<'_> {
    fn replace_deck_expressions(&mut self, text: &str, at: &NodePath) -> String {
        let (masked, lookup) = (self.masked, self.lookup);
        masked.restore(text, |expression| {
            expression_value(expression, lookup).unwrap_or_else(|fault| {
                self.diagnostics.push(fault.at(at.clone()));
                String::new()
            })
        })
    }
}

impl ScalarReplacer for VariableValues<'_> {
    fn value(&mut self, written: &str, at: &NodePath, is_plain: bool) -> Option<String> {
        let substituted = match self.format {
            DeclarativeFormat::Environment => substitute(written, self.lookup),
            DeclarativeFormat::Deck | DeclarativeFormat::Kong => Ok(None),
        };
        let text = match &substituted {
            Ok(other) => other.as_deref().unwrap_or(written),
            Err(fault) => {
                self.diagnostics.push(fault.at(at.clone()));
                written
            }
        };
        let value = self.replace_deck_expressions(text, at);
        Some(if is_plain && self.has_types && value != written { typing::open(&value) } else { value })
    }

    fn key(&mut self, text: &str, at: &NodePath) -> Option<String> {
        Some(self.replace_deck_expressions(text, at))
    }
}

/// Restores expressions as texts.
struct VerbatimText<'a>(&'a MaskedText<'a>);

impl ScalarReplacer for VerbatimText<'_> {
    fn value(&mut self, text: &str, _at: &NodePath, _is_plain: bool) -> Option<String> {
        let restored = self.0.restore(text, str::to_owned);
        (restored != text).then_some(restored)
    }

    fn key(&mut self, text: &str, at: &NodePath) -> Option<String> {
        self.value(text, at, false)
    }
}

/// The value of decK's `${{ env "NAME" }}`. The functions `toBool`, `toInt`, `toFloat` and `indent N` have no effect: the
/// type and the indentation of a node do not depend on them.
fn expression_value(expression: &str, lookup: Lookup<'_>) -> Result<String, SubstitutionError> {
    let inside = expression.trim_start_matches("${{").trim_end_matches("}}").trim();
    let words: Vec<&str> = inside.split(['|', ' ', '(', ')']).filter(|word| !word.is_empty()).collect();
    let name = match words.as_slice() {
        ["env", name]
        | ["env", name, "toBool" | "toInt" | "toFloat"]
        | ["toBool" | "toInt" | "toFloat", "env", name]
        | ["env", name, "indent", _]
        | ["indent", _, "env", name] => name.trim_matches(['"', '`', '\'']),
        _ => {
            return Err(SubstitutionError {
                message: format!("`{inside}` is not understood"),
                help: "write `env \"DECK_...\"`".to_owned(),
            });
        }
    };
    if !name.starts_with("DECK_") {
        return Err(SubstitutionError {
            message: format!(
                "environment variables in the state file must be prefixed with 'DECK_', found: '{name}'"
            ),
            help: format!("set DECK_{name}, and name that"),
        });
    }
    lookup(name)?.ok_or_else(|| SubstitutionError {
        message: format!("environment variable '{name}' present in state file but not set"),
        help: "set it where mynah is started".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Field, FieldKind, HTTP_PLUGIN_PROTOCOLS, PluginSchemas, PluginSettings};

    fn lookup(name: &str) -> Result<Option<String>, SubstitutionError> {
        Ok(match name {
            "PORT" | "DECK_PORT" => Some("8080"),
            "TEXT" | "DECK_TEXT" => Some("a: [b]\n# \"c' ${PORT}"),
            "EMPTY" => Some(""),
            "BYTES" => return Err(not_utf8(name)),
            _ => None,
        }
        .map(str::to_owned))
    }

    #[track_caller]
    fn check(text: &str, format: DeclarativeFormat, expected: &str) {
        let (document, _, diagnostics) = read_with(text, format, &lookup, &Value::Null, false).unwrap();
        assert_eq!(diagnostics, [], "{text}");
        assert_eq!(settle_all(&document.value, &NoPlugins).to_json(), expected, "{text}");
    }

    struct NoPlugins;

    impl PluginSchemas for NoPlugins {
        fn settings(&self, name: &str) -> Option<PluginSettings> {
            const FIELDS: &[Field] =
                &[Field::new("password", FieldKind::Secret), Field::new("port", FieldKind::Integer)];
            let protocols = &HTTP_PLUGIN_PROTOCOLS;
            (name == "any").then_some(PluginSettings { fields: FIELDS, checks: &[], protocols })
        }

        fn names(&self) -> Vec<&'static str> {
            vec!["any"]
        }

        fn is_kongs(&self, _name: &str) -> bool {
            true
        }
    }

    #[test]
    fn values_of_texts_are_texts_and_other_values_have_their_types() {
        let lookup = |name: &str| {
            let value = match name {
                "DIGITS" => "0123456",
                "YES" => "yes",
                "NULL" => "null",
                "FLOAT" => "1e3",
                "DAY" => "2024-01-01",
                "PORT" => "8080",
                "ANY" => "any",
                _ => return Ok(None),
            };
            Ok(Some(value.to_owned()))
        };
        for (text, expected) in [
            ("consumers: [{username: $DIGITS}]", r#"{"consumers":[{"username":"0123456"}]}"#),
            (
                "consumers: [{basicauth_credentials: [{username: $YES, password: $NULL}]}]",
                r#"{"consumers":[{"basicauth_credentials":[{"username":"yes","password":"null"}]}]}"#,
            ),
            (
                "keyauth_credentials: [{key: $FLOAT, consumer: $DAY, ttl: $PORT}]",
                r#"{"keyauth_credentials":[{"key":"1e3","consumer":"2024-01-01","ttl":8080}]}"#,
            ),
            (
                "services: [{url: $DIGITS, port: $PORT, tags: [$DIGITS, '$YES', 5], client_certificate: {id: $YES}}]",
                r#"{"services":[{"url":"0123456","port":8080,"tags":["0123456","yes",5],"client_certificate":{"id":"yes"}}]}"#,
            ),
            (
                "routes: [{strip_path: $YES, headers: {a: [$DIGITS]}, x: $DIGITS}]",
                r#"{"routes":[{"strip_path":true,"headers":{"a":["0123456"]},"x":42798}]}"#,
            ),
            (
                "plugins: [{name: $ANY, config: {password: $DIGITS, port: $PORT, other: $YES}}]",
                r#"{"plugins":[{"name":"any","config":{"password":"0123456","port":8080,"other":true}}]}"#,
            ),
            (
                "_ignore: [&a $YES]\nroutes: [{name: *a, preserve_host: *a}]",
                r#"{"_ignore":[true],"routes":[{"name":"yes","preserve_host":true}]}"#,
            ),
            (
                "_format_version: ${FLOAT}\nupstreams: [{name: x-$DIGITS}]",
                r#"{"_format_version":"1e3","upstreams":[{"name":"x-0123456"}]}"#,
            ),
        ] {
            let read = read_with(text, DeclarativeFormat::Environment, &lookup, &Value::Null, false);
            let (document, _, diagnostics) = read.unwrap();
            assert_eq!(diagnostics, [], "{text}");
            assert_eq!(settle_all(&document.value, &NoPlugins).to_json(), expected, "{text}");
        }
    }

    const TEXT: &str = r#""a: [b]\n# \"c' ${PORT}""#;

    #[test]
    fn values_have_the_type_of_the_text_in_their_place() {
        for (text, expected) in [
            ("a: ${PORT}", r#"{"a":8080}"#),
            ("a: '${PORT}'", r#"{"a":"8080"}"#),
            ("a: !!str ${PORT}", r#"{"a":"8080"}"#),
            ("a: !!int '${PORT}'", r#"{"a":8080}"#),
            ("a: ${PORT}1", r#"{"a":80801}"#),
            ("a: x$PORT", r#"{"a":"x8080"}"#),
            ("a: ${EMPTY}", r#"{"a":null}"#),
            ("a: '${EMPTY}'", r#"{"a":""}"#),
            ("a: ${EMPTY:-off}", r#"{"a":false}"#),
            ("a: ${UNSET:-${PORT}}", r#"{"a":8080}"#),
            ("a: &x ${PORT}\nb: *x", r#"{"a":8080,"b":8080}"#),
            ("a: [\"${PORT}\", b]", r#"{"a":["8080","b"]}"#),
            ("${PORT}: a", r#"{"${PORT}":"a"}"#),
            ("{\"a\": \"${PORT}\", \"$PORT\": [\"$$PORT\"]}", r#"{"a":"8080","$PORT":["$PORT"]}"#),
            ("a: |\n  x: ${PORT}\n", r#"{"a":"x: 8080\n"}"#),
        ] {
            check(text, DeclarativeFormat::Environment, expected);
        }
        check("a: ${TEXT}", DeclarativeFormat::Environment, &format!("{{\"a\":{TEXT}}}"));
        check("a: ${PORT}", DeclarativeFormat::Deck, r#"{"a":"${PORT}"}"#);
    }

    #[test]
    fn expressions_of_deck_are_replaced_anywhere_in_a_scalar() {
        for format in [DeclarativeFormat::Deck, DeclarativeFormat::Environment] {
            for (text, expected) in [
                ("a: ${{ env \"DECK_PORT\" }}", r#"{"a":8080}"#),
                ("a: \"${{ env \"DECK_PORT\" }}\"", r#"{"a":"8080"}"#),
                ("a: [${{ env \"DECK_PORT\" }}, '${{ env 'DECK_PORT' }}x']", r#"{"a":[8080,"8080x"]}"#),
                ("a: ${{ env \"DECK_PORT\" | toInt }}", r#"{"a":8080}"#),
                ("a: |-\n  ${{ indent 2 (env \"DECK_PORT\") }}", r#"{"a":"8080"}"#),
                ("a${{ env \"DECK_PORT\" }}: b", r#"{"a8080":"b"}"#),
                ("# ${{ env \"DECK_UNSET\" }}\na: b", r#"{"a":"b"}"#),
                ("{\"a\": \"${{ env \"DECK_PORT\" }}\"}", r#"{"a":"8080"}"#),
            ] {
                check(text, format, expected);
            }
            check("a: ${{ env \"DECK_TEXT\" }}", format, &format!("{{\"a\":{TEXT}}}"));
        }
        check(
            "a: '${{ env \"DECK_PORT\" }}'",
            DeclarativeFormat::Kong,
            r#"{"a":"${{ env \"DECK_PORT\" }}"}"#,
        );
    }

    #[test]
    fn errors_have_a_path_and_show_no_value() {
        for (text, expected) in [
            ("a: [x, '-${UNSET}']", "a[1]: environment variable 'UNSET' is not set"),
            ("a: '${BYTES}'", "a: environment variable 'BYTES' is not UTF-8"),
            ("a: {b: $UNSET}", "a.b: environment variable 'UNSET' is not set"),
            ("{\"a\": {\"b\": \"${UNSET}\"}}", "a.b: environment variable 'UNSET' is not set"),
            (
                "a: ${{ env \"DECK_UNSET\" }}",
                "a: environment variable 'DECK_UNSET' present in state file but not set",
            ),
            (
                "a: ${{ env \"PORT\" }}",
                "a: environment variables in the state file must be prefixed with 'DECK_', found: 'PORT'",
            ),
            ("a: ${{ now }}", "a: `now` is not understood"),
        ] {
            let (_, _, diagnostics) =
                read_with(text, DeclarativeFormat::Environment, &lookup, &Value::Null, false).unwrap();
            let all: Vec<String> =
                diagnostics.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
            assert_eq!(all, [expected], "{text}");
        }
        let error =
            read_with("a: !!int ${TEXT}", DeclarativeFormat::Environment, &lookup, &Value::Null, false)
                .unwrap_err();
        assert_eq!(error.message, "`${TEXT}` is not valid for its tag `!!int`");
    }

    #[test]
    fn written_documents_contain_expressions_as_texts() {
        let text = "a: \"${{ env \"DECK_PORT\" }}\"\nb: ${PORT}\n";
        let value = written(text, DeclarativeFormat::Environment).unwrap();
        assert_eq!(value.to_json(), r#"{"a":"${{ env \"DECK_PORT\" }}","b":"${PORT}"}"#);
    }
}
