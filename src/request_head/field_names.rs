//! Names of fields that a client cannot send upstream: those of the gateway, and look-alikes of them.
//!
//! CGI, WSGI, Rack and others map `X-Consumer-Username` to `HTTP_X_CONSUMER_USERNAME`, and `X_Consumer_Username` as well;
//! some servers map every character that is neither a letter nor a digit to `_`.

/// Sender that may set a field of the upstream request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Any client.
    Free,
    /// A peer in `trusted_ips`: the field states where a request comes from.
    TrustedPeer,
    /// Only the gateway and its plugins.
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
    /// The sender that may set a field of this name, in lower case.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name.as_bytes() {
            // Most names do not begin with `x-`.
            [b'x', second, ..] if !second.is_ascii_alphanumeric() && name.len() > "x-real-i".len() => {
                Self::of_x_field(name)
            }
            b"forwarded" => Self::TrustedPeer,
            [b't', ..] if is_look_alike(name, "transfer-encoding") => Self::Gateway,
            [b'c', ..] if is_look_alike(name, "content-length") => Self::Gateway,
            _ => Self::Free,
        }
    }

    fn of_x_field(name: &str) -> Self {
        let has_prefix = |family: &str| name.get(..family.len()).is_some_and(|start| is_same(start, family));
        if has_prefix(FORWARDED) || is_same(name, "x-real-ip") {
            return if has_only_hyphens(name) { Self::TrustedPeer } else { Self::Gateway };
        }
        let is_reserved = has_prefix(CONSUMER)
            || is_same(name, "x-kong-request-id")
            || IDENTITY.iter().any(|field| is_same(name, field));
        if is_reserved { Self::Gateway } else { Self::Free }
    }
}

/// Whether a program may mistake this name for another: it differs only in characters that are neither letters nor digits,
/// one of which is not a hyphen. Both names are in lower case.
#[must_use]
pub fn is_look_alike(name: &str, of: &str) -> bool {
    name != of && is_same(name, of) && !has_only_hyphens(name)
}

/// Whether two names have the same letters and digits at the same positions.
fn is_same(name: &str, of: &str) -> bool {
    let normalize = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    name.len() == of.len() && name.bytes().zip(of.bytes()).all(|(a, b)| normalize(a) == normalize(b))
}

fn has_only_hyphens(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_gateway_are_recognised_in_every_spelling() {
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
    fn a_look_alike_has_a_character_other_than_a_hyphen() {
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
