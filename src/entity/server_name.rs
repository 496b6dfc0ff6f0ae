//! Rule of TLS server names, with at most one wildcard. Messages are Kong's. (Kong: SNI object; Route object, `snis`.)

use super::hosts::{HostAddress, split_host};
use crate::{document::Value, uri::Authority};

/// A name without a port; a `*` may be its first or last character, or all of it.
pub(super) fn server_name(value: &Value) -> Result<(), String> {
    let given = value.as_str().unwrap_or_default();
    let mut name = given.to_owned();
    if let Some(at) = given.find('*') {
        if at != 0 && at + 1 != given.len() {
            return Err("wildcard must be leftmost or rightmost character".to_owned());
        }
        if given.matches('*').count() > 1 {
            return Err("only one wildcard must be specified".to_owned());
        }
        name = given.replace('*', "wildcard");
    }
    let has_port_number = Authority::split(&name)
        .port_text()
        .is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    match split_host(&name) {
        Some((HostAddress::Ip(_), _)) => Err("must not be an IP".to_owned()),
        Some((HostAddress::Name(_), None)) => Ok(()),
        Some((HostAddress::Name(_), Some(_))) => Err("must not have a port".to_owned()),
        None if has_port_number => Err("must not have a port".to_owned()),
        None => Err(format!("invalid value: {given}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_names_have_kongs_rules() {
        const PLACE: Result<(), &str> = Err("wildcard must be leftmost or rightmost character");
        const COUNT: Result<(), &str> = Err("only one wildcard must be specified");
        for (name, expected) in [
            ("*", Ok(())),
            ("valid.name", Ok(())),
            ("localhost", Ok(())),
            ("UP.test.", Ok(())),
            ("*.wildcard.com", Ok(())),
            ("foo.test.wildcard.*", Ok(())),
            ("foo.*.com", PLACE),
            ("foo*.com", PLACE),
            ("*.example.*", COUNT),
            ("**", COUNT),
            ("wildcard.*:80", PLACE),
            ("*.wildcard.com:8000", Err("must not have a port")),
            ("valid.name:443", Err("must not have a port")),
            ("valid.name:99999", Err("must not have a port")),
            ("127.0.0.1", Err("must not be an IP")),
            ("::1", Err("must not be an IP")),
            ("a b", Err("invalid value: a b")),
            ("*.a..b", Err("invalid value: *.a..b")),
            ("a:b", Err("invalid value: a:b")),
        ] {
            assert_eq!(server_name(&Value::from(name)), expected.map_err(str::to_owned), "{name}");
        }
    }
}
