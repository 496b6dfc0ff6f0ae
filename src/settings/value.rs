//! Readers of values: words, switches, numbers, sizes, lists.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use http::HeaderName;

use super::{
    choice::{AccessLogTarget, PluginSelection, RealIpHeader, SettingWord},
    error::SettingFault,
};

/// Splits a comma-separated list into trimmed items; empty items are dropped.
pub(super) fn list(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Reads a word of a fixed set.
pub(super) fn word<T: SettingWord>(name: &str, text: &str) -> Result<T, SettingFault> {
    if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
    let all = words.join(", ");
    let help = nearest(text, words)
        .map_or_else(|| String::from("write one of these words"), |near| format!("did you mean `{near}`?"));
    Err(SettingFault::new(format!("{name} has an invalid value: '{text}' ({all})"), help))
}

/// Reads a switch. Kong takes any other word for `off`; mynah refuses it.
pub(super) fn switch(name: &str, text: &str) -> Result<bool, SettingFault> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(SettingFault::new(format!("{name} is not a boolean: '{text}'"), "write `on` or `off`")),
    }
}

/// Reads a whole number, 0 or greater.
pub(super) fn number(name: &str, text: &str) -> Result<u64, SettingFault> {
    if let Some(digits) = text.strip_prefix('-')
        && is_digits(digits)
    {
        let help = "write a whole number, 0 or greater";
        return Err(SettingFault::new(format!("{name} must be 0 or greater"), help));
    }
    let read = if is_digits(text) { text.parse().ok() } else { None };
    read.ok_or_else(|| not_a_number(name, text, "write a whole number without a unit"))
}

pub(super) fn not_a_number(name: &str, text: &str, help: &str) -> SettingFault {
    SettingFault::new(format!("{name} is not a number: '{text}'"), help)
}

/// Reads a whole number as a `usize`.
pub(super) fn count(name: &str, text: &str) -> Result<usize, SettingFault> {
    Ok(usize::try_from(number(name, text)?).unwrap_or(usize::MAX))
}

/// Reads a limit; 0 is none.
pub(super) fn limit(name: &str, text: &str) -> Result<Option<NonZeroU64>, SettingFault> {
    Ok(NonZeroU64::new(number(name, text)?))
}

/// Reads whole seconds, at most `u32::MAX`.
pub(super) fn seconds(name: &str, text: &str) -> Result<Duration, SettingFault> {
    Ok(Duration::from_secs(number(name, text)?.min(u64::from(u32::MAX))))
}

/// Reads a size in bytes in nginx's notation: digits, then `k`, `m` or `g` for powers of 1024; 0 is no limit.
pub(super) fn size(name: &str, text: &str) -> Result<Option<NonZeroU64>, SettingFault> {
    let (digits, unit) = match text.as_bytes() {
        [.., b'k' | b'K'] => (&text[..text.len() - 1], 1 << 10),
        [.., b'm' | b'M'] => (&text[..text.len() - 1], 1 << 20),
        [.., b'g' | b'G'] => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    let bytes = if is_digits(digits) { digits.parse().ok() } else { None };
    bytes.and_then(|number: u64| number.checked_mul(unit)).map(NonZeroU64::new).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a size: '{text}'"),
            "write bytes, or kilobytes as `8k`, megabytes as `10m`, gigabytes as `1g`; `0` is no limit",
        )
    })
}

/// Reads the number of worker threads; none for `auto`.
pub(super) fn threads(name: &str, text: &str) -> Result<Option<NonZeroUsize>, SettingFault> {
    if text == "auto" {
        return Ok(None);
    }
    let threads = if is_digits(text) { text.parse().ok() } else { None };
    threads.filter(|threads: &NonZeroUsize| threads.get() <= 1024).map(Some).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a number of workers: '{text}'"),
            "write `auto` for one thread for each core, or a number from 1 to 1024",
        )
    })
}

/// Reads the number of HTTP/2 streams.
pub(super) fn streams(name: &str, text: &str) -> Result<NonZeroU32, SettingFault> {
    let streams = u32::try_from(number(name, text)?).ok().and_then(NonZeroU32::new);
    streams
        .ok_or_else(|| SettingFault::new(format!("{name} must be 1 or greater"), "write a number as `128`"))
}

/// Reads the destination of an access log; `load` warns about a format after it.
pub(super) fn access_log(name: &str, text: &str) -> Result<AccessLogTarget, SettingFault> {
    match text.split_ascii_whitespace().next().unwrap_or("off") {
        "off" => Ok(AccessLogTarget::Off),
        "/dev/stdout" => Ok(AccessLogTarget::Stdout),
        "/dev/stderr" => Ok(AccessLogTarget::Stderr),
        target if target.starts_with("syslog:") => Err(SettingFault::new(
            format!("{name} cannot be sent to syslog: '{target}'"),
            "write `off`, `/dev/stdout`, `/dev/stderr` or the path of a file",
        )),
        path => Ok(AccessLogTarget::File(PathBuf::from(path))),
    }
}

/// Reads where the client's address is given.
pub(super) fn real_ip_header(name: &str, text: &str) -> Result<RealIpHeader, SettingFault> {
    if text == "proxy_protocol" {
        return Ok(RealIpHeader::ProxyProtocol);
    }
    HeaderName::from_bytes(text.as_bytes()).map(RealIpHeader::Header).map_err(|_| {
        SettingFault::new(
            format!("{name} is not the name of a header: '{text}'"),
            "write a header as `X-Real-IP` or `X-Forwarded-For`, or `proxy_protocol`",
        )
    })
}

/// Reads which plugins may be used; `off` for none.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn plugins(_: &str, text: &str) -> Result<PluginSelection, SettingFault> {
    let items = list(text);
    if items.first() == Some(&"off") {
        return Ok(PluginSelection { bundled: false, named: Vec::new() });
    }
    let bundled = items.contains(&"bundled");
    let named = items.into_iter().filter(|item| *item != "bundled").map(str::to_owned).collect();
    Ok(PluginSelection { bundled, named })
}

/// The word most like a misspelt one, at a distance of at most a quarter of its letters, and at most 4.
pub(super) fn nearest<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |word| strsim::damerau_levenshtein(text, word);
    let (distance, nearest) = words.into_iter().map(|word| (distance(word), word)).min()?;
    (distance <= text.chars().count().div_ceil(4).min(4)).then_some(nearest)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads any text.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn verbatim<T: for<'a> From<&'a str>>(_: &str, text: &str) -> Result<T, SettingFault> {
    Ok(text.into())
}

/// Reads the text of a setting that may be unset.
pub(super) fn optional_text<T: for<'a> From<&'a str>>(
    name: &str,
    text: &str,
) -> Result<Option<T>, SettingFault> {
    verbatim(name, text).map(Some)
}

/// Reads the path of a configuration, which is no configuration itself.
pub(super) fn config_path(name: &str, given: &str) -> Result<Option<PathBuf>, SettingFault> {
    let begins_document = given.trim_start().starts_with(['{', '[']) && given.contains(['"', ':']);
    if begins_document || given.contains('\n') || given.contains("_format_version") {
        let help =
            "set declarative_config_string (KONG_DECLARATIVE_CONFIG_STRING) to the text, or name a file here";
        return Err(SettingFault::new(format!("{name} is a text, not the path of a file"), help));
    }
    optional_text(name, given)
}

/// Reads the name of a user, which the name of a group may follow.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn user(_: &str, text: &str) -> Result<Option<String>, SettingFault> {
    Ok(text.split_ascii_whitespace().next().map(str::to_owned))
}

/// Reads a list of names.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn names(_: &str, text: &str) -> Result<Vec<String>, SettingFault> {
    Ok(list(text).into_iter().map(str::to_owned).collect())
}

/// Refuses databases.
pub(super) fn database(name: &str, text: &str) -> Result<(), SettingFault> {
    let help = "write `off` or leave it out, and name a file by `declarative_config`";
    match text {
        "off" => Ok(()),
        "postgres" | "cassandra" => Err(SettingFault::new(
            format!("{name} is '{text}', but mynah is DB-less and uses no database"),
            help,
        )),
        _ => Err(SettingFault::new(
            format!("{name} has an invalid value: '{text}' (postgres, cassandra, off)"),
            help,
        )),
    }
}

/// Refuses roles of hybrid mode.
pub(super) fn role(name: &str, text: &str) -> Result<(), SettingFault> {
    let help = "write `traditional` or leave it out";
    match text {
        "traditional" => Ok(()),
        "data_plane" | "control_plane" => {
            Err(SettingFault::new(format!("{name} is '{text}', but mynah does not run in hybrid mode"), help))
        }
        _ => Err(SettingFault::new(
            format!("{name} has an invalid value: '{text}' (data_plane, control_plane, traditional)"),
            help,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::choice::{ErrorType, LogLevel, RouteMatchCalculation, RouterFlavor},
        *,
    };

    #[track_caller]
    fn check<T: std::fmt::Debug + PartialEq>(
        read: fn(&str, &str) -> Result<T, SettingFault>,
        text: &str,
        expected: Result<T, &str>,
    ) {
        let read = read("name", text).map_err(|fault| fault.message);
        assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn words_are_exact() {
        check(word::<LogLevel>, "notice", Ok(LogLevel::Notice));
        check(word::<RouterFlavor>, "expressions", Ok(RouterFlavor::Expressions));
        check(word::<RouteMatchCalculation>, "strict", Ok(RouteMatchCalculation::Strict));
        check(word::<ErrorType>, "text/html", Ok(ErrorType::Html));
        for wrong in ["bad", "Notice"] {
            let message = format!(
                "name has an invalid value: '{wrong}' (debug, info, notice, warn, error, crit, alert, emerg)"
            );
            check(word::<LogLevel>, wrong, Err(&message));
        }
    }

    #[test]
    fn a_misspelt_word_gets_a_suggestion() {
        for (text, expected) in
            [("notise", Some("notice")), ("wran", Some("warn")), ("x", None), ("loud", None), ("", None)]
        {
            assert_eq!(nearest(text, LogLevel::WORDS.iter().map(|(word, _)| *word)), expected, "{text}");
        }
    }

    #[test]
    fn switches_are_on_or_off() {
        check(switch, "on", Ok(true));
        check(switch, "true", Ok(true));
        check(switch, "off", Ok(false));
        check(switch, "false", Ok(false));
        check(switch, "yes", Err("name is not a boolean: 'yes'"));
    }

    #[test]
    fn numbers_are_whole_and_not_negative() {
        check(number, "512", Ok(512));
        check(number, "-1", Err("name must be 0 or greater"));
        check(number, "1.5", Err("name is not a number: '1.5'"));
        check(number, "10s", Err("name is not a number: '10s'"));
        check(number, "+1", Err("name is not a number: '+1'"));
        check(number, "99999999999999999999", Err("name is not a number: '99999999999999999999'"));
        check(limit, "0", Ok(None));
        check(limit, "7", Ok(NonZeroU64::new(7)));
        check(seconds, "30", Ok(Duration::from_secs(30)));
    }

    #[test]
    fn sizes_have_units() {
        check(size, "0", Ok(None));
        check(size, "100", Ok(NonZeroU64::new(100)));
        check(size, "8k", Ok(NonZeroU64::new(8 << 10)));
        check(size, "10M", Ok(NonZeroU64::new(10 << 20)));
        check(size, "1g", Ok(NonZeroU64::new(1 << 30)));
        for wrong in ["k", "10mb", "-1", "1.5m", "99999999999g", "é"] {
            check(size, wrong, Err(&format!("name is not a size: '{wrong}'")));
        }
    }

    #[test]
    fn threads_are_auto_or_a_number() {
        check(threads, "auto", Ok(None));
        check(threads, "4", Ok(NonZeroUsize::new(4)));
        for wrong in ["0", "1025", "many"] {
            check(threads, wrong, Err(&format!("name is not a number of workers: '{wrong}'")));
        }
    }

    #[test]
    fn an_access_log_has_a_destination() {
        check(access_log, "off", Ok(AccessLogTarget::Off));
        check(access_log, "/dev/stdout", Ok(AccessLogTarget::Stdout));
        check(access_log, "/dev/stderr", Ok(AccessLogTarget::Stderr));
        check(
            access_log,
            "logs/access.log basic",
            Ok(AccessLogTarget::File(PathBuf::from("logs/access.log"))),
        );
        check(
            access_log,
            "syslog:server=localhost",
            Err("name cannot be sent to syslog: 'syslog:server=localhost'"),
        );
    }

    #[test]
    fn the_client_address_is_in_a_header_or_the_proxy_protocol() {
        let header = HeaderName::from_static("x-real-ip");
        check(real_ip_header, "X-Real-IP", Ok(RealIpHeader::Header(header)));
        check(real_ip_header, "proxy_protocol", Ok(RealIpHeader::ProxyProtocol));
        check(real_ip_header, "X Real", Err("name is not the name of a header: 'X Real'"));
    }

    #[test]
    fn plugins_are_bundled_or_named() {
        for (text, plugin, expected) in [
            ("bundled", "cors", true),
            ("cors, key-auth", "key-auth", true),
            ("cors", "key-auth", false),
            ("bundled, mine", "cors", true),
            ("off", "cors", false),
        ] {
            assert_eq!(plugins("plugins", text).unwrap().allows(plugin), expected, "{plugin} of {text}");
        }
    }
}
