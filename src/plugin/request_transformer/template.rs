//! Templates: text with expressions, such as `Bearer $(headers.apikey)`.

use std::borrow::Cow;

use super::{
    expression::{Expression, LuaValue},
    parse::parse,
};
use crate::{
    diag::Diagnostic,
    plugin::{Exchange, transform_rules::RuleEntry},
};

/// A parsed template.
#[derive(Debug, PartialEq)]
pub(super) struct ValueTemplate(Vec<TemplatePart>);

#[derive(Debug, PartialEq)]
enum TemplatePart {
    Text(String),
    Value(Expression),
}

const SUPPORTED_HELP: &str = "possible are headers.x, query_params.x, uri_captures.x, texts, numbers, nil, true, false, \
                        and, or, not, ==, ~=, <, <=, >, >=, .., :sub(i, j), :lower() and :upper()";

impl ValueTemplate {
    /// Parses `text`, the value of an entry or a part of it.
    pub(super) fn new(text: &str, entry: &RuleEntry<'_>) -> Result<Self, Diagnostic> {
        Self::read(text).map_err(|message| Diagnostic::error(entry.at.clone(), message).help(SUPPORTED_HELP))
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            let Some(end) = find_closing(after) else { return Err(format!("`$({after}` is not closed")) };
            let (expression, left) = after.split_at(end);
            if !before.is_empty() {
                parts.push(TemplatePart::Text(before.to_owned()));
            }
            let parsed = parse(expression).map_err(|why| format!("cannot use `$({expression})`: {why}"))?;
            parts.push(TemplatePart::Value(parsed));
            rest = left.strip_prefix(')').unwrap_or(left);
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(TemplatePart::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Its text for a request.
    pub(super) fn render<'a>(&'a self, exchange: &'a Exchange) -> Cow<'a, str> {
        if let [part] = &self.0[..] {
            return part.render(exchange);
        }
        self.0.iter().map(|part| part.render(exchange)).collect::<String>().into()
    }
}

impl TemplatePart {
    fn render<'a>(&'a self, exchange: &'a Exchange) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Value(expression) => LuaValue::into_text(expression.evaluate(exchange)),
        }
    }
}

/// The position of the closing parenthesis of one that was opened before `text`.
fn find_closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return Some(at),
            (None, ')') => depth -= 1,
            _ => (),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::test_support;

    const REQUEST: &str = "GET /?a=1&b=x%20y&flag\nApikey: key-1\nX-Name: Ada\nAuthorization: Bearer sb_123";

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let mut exchange = test_support::request(REQUEST);
        exchange.captures = vec![("id".to_owned(), "42".to_owned()), (String::new(), "z".to_owned())];
        let template = ValueTemplate::read(template).unwrap();
        assert_eq!(template.render(&exchange), expected, "{template:?}");
    }

    #[test]
    fn values_of_the_request() {
        check("plain $text", "plain $text");
        check("", "");
        check("Bearer $(headers.apikey)!", "Bearer key-1!");
        check("$(headers.x_name)$(headers['X-Name'])", "AdaAda");
        check("$(headers.missing)", "");
        check("$(query_params.a)$(query_params[\"b\"])$(query_params.flag)", "1x ytrue");
        check("/$(uri_captures.id)/$(uri_captures[1])/$(uri_captures[2])/$(uri_captures[3])", "/42/42/z/");
    }

    #[test]
    fn operators_of_lua() {
        check("$(headers.missing or 'default')", "default");
        check("$((query_params.missing or headers.apikey))", "key-1");
        check("$('a' .. 1 .. \"b\")", "a1b");
        check("$(headers.missing .. 'x')", "");
        check("$(headers.apikey and 'yes' or 'no')", "yes");
        check("$(not headers.apikey and 'yes' or 'no')", "no");
        check("$(headers.apikey == 'key-1')", "true");
        check("$(headers.apikey ~= nil and 1 < 2 and 'b' >= 'a')", "true");
        check("$(1 == '1')", "");
        check("$(headers.x_name:lower()..headers.x_name:upper())", "adaADA");
        check(
            "$(headers.apikey:sub(1, 3)) $(headers.apikey:sub(-1)) $(headers.apikey:sub(2, -3))",
            "key 1 ey",
        );
        check("$(('é'):sub(1, 1))", "\u{fffd}");
        check("$(headers.missing:sub(1, 3) or 'none')", "none");
        check("$('a)b' or 'it\\'s')", "a)b");
    }

    #[test]
    fn keys_become_tokens_as_in_supabase() {
        let template = "$((headers.authorization ~= nil and headers.authorization:sub(1, 10) ~= 'Bearer sb_' \
                        and headers.authorization) or headers.apikey)";
        check(template, "key-1");
        check(&template.replace("Bearer sb_", "Basic none"), "Bearer sb_123");
    }

    #[test]
    fn unsupported_expressions_are_rejected() {
        for (template, expected) in [
            ("$(os.time())", "cannot use `$(os.time())`: `os` is not known"),
            (
                "$(headers)",
                "cannot use `$(headers)`: `headers` needs the name of a member, such as `headers.x`",
            ),
            ("$(1 + 2)", "cannot use `$(1 + 2)`: `+` is not supported"),
            ("$(headers.x", "`$(headers.x` is not closed"),
            ("$('a)", "`$('a)` is not closed"),
            ("$()", "cannot use `$()`: it ends too early"),
            ("$(headers.x headers.y)", "cannot use `$(headers.x headers.y)`: `headers` is not expected here"),
            (
                "$(headers.x:gsub('a'))",
                "cannot use `$(headers.x:gsub('a'))`: `:gsub` is not supported with these arguments",
            ),
            ("$(uri_captures[0])", "cannot use `$(uri_captures[0])`: groups are counted from 1"),
            ("$((1)", "`$((1)` is not closed"),
        ] {
            assert_eq!(ValueTemplate::read(template), Err(expected.to_owned()), "{template}");
        }
        let deep = format!("$({}1{})", "(".repeat(5000), ")".repeat(5000));
        assert!(ValueTemplate::read(&deep).unwrap_err().ends_with("it has more than 200 parts"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(
            text in r"[ -~é]{0,30}",
            parts in proptest::collection::vec(0..PARTS.len(), 0..12),
        ) {
            let expression: String = parts.into_iter().map(|n| PARTS[n]).collect();
            for text in [format!("$({text})"), text, format!("$({expression})")] {
                if let Ok(template) = ValueTemplate::read(&text) {
                    template.render(&test_support::request(REQUEST));
                }
            }
        }
    }

    const PARTS: &[&str] = &[
        "headers.apikey",
        "query_params['b']",
        " nil ",
        " not ",
        " and ",
        " or ",
        " .. ",
        " ~= ",
        "(",
        ")",
        "-1",
        "'é'",
        ":sub(2)",
        ":sub(-3, 1e99)",
        ":lower()",
        "<",
    ];
}
