//! Names of fields that a client cannot send upstream, because the gateway sends them or programs take them for its
//! own.
//!
//! CGI, WSGI, Rack and others turn `X-Consumer-Username` into `HTTP_X_CONSUMER_USERNAME`, and with it
//! `X_Consumer_Username`; some servers do so with every character that is neither a letter nor a digit.

/// Who may send a field upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Any client.
    Free,
    /// A peer in `trusted_ips`: the field says where a request comes from.
    TrustedPeer,
    /// The gateway and its plugins alone.
    Gateway,
}

/// Fields about the Consumer and its credential, as Kong's plugins send them. (Kong: "Key Authentication",
/// "OAuth 2.0", "ACL", "LDAP Authentication": Upstream headers.)
const IDENTITY: [&str; 6] = [
    "x-anonymous-consumer",
    "x-credential-identifier",
    "x-credential-username",
    "x-authenticated-groups",
    "x-authenticated-scope",
    "x-authenticated-userid",
];

const CONSUMER: &str = "x-consumer-";
const FORWARDED: &str = "x-forwarded-";

impl Claim {
    /// Of a name in lower case.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name.as_bytes() {
            // Names that do not begin so are the most frequent.
            [b'x', second, ..] if !second.is_ascii_alphanumeric() && name.len() > "x-real-i".len() => {
                Self::of_extension(name)
            }
            b"forwarded" => Self::TrustedPeer,
            [b't', ..] if is_look_alike(name, "transfer-encoding") => Self::Gateway,
            [b'c', ..] if is_look_alike(name, "content-length") => Self::Gateway,
            _ => Self::Free,
        }
    }

    fn of_extension(name: &str) -> Self {
        let begins = |family: &str| name.get(..family.len()).is_some_and(|start| is_same(start, family));
        if begins(FORWARDED) || is_same(name, "x-real-ip") {
            return if is_plain(name) { Self::TrustedPeer } else { Self::Gateway };
        }
        let is_ours = begins(CONSUMER)
            || is_same(name, "x-kong-request-id")
            || IDENTITY.iter().any(|ours| is_same(name, ours));
        if is_ours { Self::Gateway } else { Self::Free }
    }
}

/// Whether a field says where a message ends, or what becomes of its connection: only what writes the message can say
/// that. The name is in lower case.
#[must_use]
pub fn frames_message(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a program may take this name for another one: it differs in characters that are neither letters nor
/// digits, and has one that is no hyphen. Both names are in lower case.
#[must_use]
pub fn is_look_alike(name: &str, of: &str) -> bool {
    name != of && is_same(name, of) && !is_plain(name)
}

/// Whether two names have the same letters and digits at the same places.
fn is_same(name: &str, of: &str) -> bool {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    name.len() == of.len() && name.bytes().zip(of.bytes()).all(|(a, b)| plain(a) == plain(b))
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_gateway_are_known_in_every_spelling() {
        for name in [
            "x-consumer-username",
            "x_consumer_username",
            "x-consumer_username",
            "x.consumer.username",
            "x-consumer-groups",
            "x-consumer-anything",
            "x_credential-identifier",
            "x-credential-username",
            "x-anonymous-consumer",
            "x-authenticated-userid",
            "x_authenticated_scope",
            "x-kong-request-id",
            "x_kong_request_id",
            "x_forwarded_for",
            "x-forwarded_proto",
            "x_real_ip",
            "transfer_encoding",
            "content_length",
            "content.length",
        ] {
            assert_eq!(Claim::of(name), Claim::Gateway, "{name}");
        }
        for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-ssl", "x-real-ip", "forwarded"] {
            assert_eq!(Claim::of(name), Claim::TrustedPeer, "{name}");
        }
        for name in [
            "accept",
            "content-length",
            "transfer-encoding",
            "content_type",
            "x_custom",
            "x-consumer",
            "x-consumers-",
            "xx-consumer-id",
            "x-kong-mocking-delay",
            "x",
            "x-",
            "x-real-ips",
            "x-anonymous-consumers",
        ] {
            assert_eq!(Claim::of(name), Claim::Free, "{name}");
        }
    }

    #[test]
    fn a_look_alike_has_a_character_that_is_no_hyphen() {
        for (name, of, expected) in [
            ("x_tenant", "x-tenant", true),
            ("x.tenant", "x_tenant", true),
            ("x-tenant", "x_tenant", false),
            ("x-tenant", "x-tenant", false),
            ("x_tenant", "x-tenants", false),
        ] {
            assert_eq!(is_look_alike(name, of), expected, "{name} {of}");
        }
    }
}
