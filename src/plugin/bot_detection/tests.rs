//! Tests of decisions and settings of `bot-detection`.

use super::*;
use crate::plugin::test_support;

const GOOGLE: &str = "Googlebot/2.1 (+http://www.google.com/bot.html)";

#[track_caller]
fn check(config: &str, fields: &str, expected: Option<(u16, &str)>) {
    let plugin = test_support::plugin(&DEF, config);
    let mut exchange = test_support::request(&format!("GET /{fields}"));
    let answer = test_support::access(&*plugin, &mut exchange).map(|response| {
        let status = response.status().as_u16();
        let body = test_support::json(&test_support::text(response.into_body()));
        (status, body.get("message").and_then(Value::as_str).unwrap().to_owned())
    });
    let expected = expected.map(|(status, message)| (status, message.to_owned()));
    assert_eq!(answer, expected, "{config} {fields}");
}

#[test]
fn allow_decides_before_deny_and_deny_before_the_default_rules() {
    let forbidden = Some((403, "Forbidden"));
    let google = format!("\nUser-Agent: {GOOGLE}");
    check("{}", "", None);
    check("{}", "\nUser-Agent: curl/8.0", None);
    check("{}", "\nUser-Agent: ", None);
    check("{}", &google, forbidden);
    check("{allow: [Googlebot]}", &google, None);
    check("{allow: [googlebot]}", &google, forbidden);
    check("{allow: ['(?i)googlebot']}", &google, None);
    check("{deny: ['^curl/']}", "\nUser-Agent: curl/8.0", forbidden);
    check("{deny: ['^curl/']}", "\nUser-Agent: libcurl/8.0", None);
    check("{deny: ['8\\.0$']}", "\nUser-Agent: curl/8.0  ", forbidden);
    check("{deny: [curl], allow: ['curl/8']}", "\nUser-Agent: curl/8.0", None);
    // Expressions that need backtracking, as PCRE has them.
    check("{deny: ['^(?!Mozilla/)']}", "\nUser-Agent: curl/8.0", forbidden);
    check("{deny: ['^(?!Mozilla/)']}", "\nUser-Agent: Mozilla/5.0", None);
    check("{}", "\nUser-Agent: a\nUser-Agent: b", Some((400, "Only one User-Agent header allowed")));
}

#[test]
fn an_unfinished_search_counts_against_the_client() {
    let text = format!("\nUser-Agent: {}", "ab".repeat(30));
    let endless = r"'(a|b|ab)*(?>c)'";
    check(&format!("{{deny: [{endless}]}}"), &text, Some((403, "Forbidden")));
    check(&format!("{{allow: [{endless}], deny: [a]}}"), &text, Some((403, "Forbidden")));
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{deny: ['(']}", "config.deny[0]: not a valid regex: (: "),
        ("{allow: [a, '[b']}", "config.allow[1]: not a valid regex: [b: "),
        ("{allow: ['']}", "config.allow[0]: length must be at least 1"),
        ("{whitelist: [a]}", "config.whitelist: unknown field"),
    ] {
        let diagnostics = test_support::diagnostics(&DEF, config);
        assert!(diagnostics.len() == 1 && diagnostics[0].starts_with(expected), "{config}: {diagnostics:?}");
    }
}
