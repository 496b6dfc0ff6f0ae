//! What must hold of every head that goes upstream: it has the client's fields that may pass and that no plugin has
//! changed, the gateway's, and the plugins'; what the client nominates in Connection decides about its own fields only.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Request, Version};
use proptest::{prelude::*, sample::select};

use super::{DeniedTrailers, ForwardedFields, strip_trailers};
use crate::{
    request_head::{ClientHead, UpstreamRequest},
    uri::Scheme,
};

/// Names of client fields, of changes and of trailers.
const NAMES: [&str; 30] = [
    "accept",
    "apikey",
    "authorization",
    "x-a",
    "x_a",
    "x.a",
    "x-custom-b",
    "x_custom_b",
    "kong-request-id",
    "kong_request_id",
    "x-consumer-username",
    "x_consumer_username",
    "x-consumer_username",
    "x-consumer-groups",
    "x-credential-identifier",
    "x_credential_identifier",
    "x-anonymous-consumer",
    "x-authenticated-userid",
    "x-kong-request-id",
    "x_kong_request_id",
    "x-forwarded-for",
    "x_forwarded_for",
    "x-forwarded-proto",
    "x-forwarded_proto",
    "x-forwarded-ssl",
    "x-real-ip",
    "x_real_ip",
    "forwarded",
    "transfer_encoding",
    "content_length",
];

/// Fields that the gateway writes last, whatever a plugin says.
const GATEWAY: [&str; 12] = [
    "host",
    "connection",
    "via",
    "te",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-real-ip",
    "x-kong-request-id",
];

type Fields = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug)]
enum Change {
    Set(&'static str, String),
    Append(&'static str, String),
    Remove(&'static str),
}

fn change() -> impl Strategy<Value = Change> {
    (select(&NAMES[..]), 0..3, "[a-z]{1,3}").prop_map(|(name, kind, value)| match kind {
        0 => Change::Set(name, value),
        1 => Change::Append(name, value),
        _ => Change::Remove(name),
    })
}

fn fields() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    proptest::collection::vec((select(&NAMES[..]), "[a-z]{1,3}"), 0..8)
}

fn head(fields: &[(&'static str, String)], nominated: &[&str], http2: bool, trusted: bool) -> ClientHead {
    let mut request = Request::get("/a").header("host", "Shop.Test").header("te", "Trailers");
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    if http2 {
        request = request.version(Version::HTTP_2);
    } else {
        request = request
            .header("connection", ["close"].iter().chain(nominated).copied().collect::<Vec<_>>().join(", "));
    }
    ClientHead::new(request.body(()).unwrap().into_parts().0, trusted).0
}

fn upstream(changes: &[Change]) -> UpstreamRequest {
    let mut upstream = UpstreamRequest::default();
    for change in changes {
        match change {
            Change::Set(name, value) => {
                upstream.set_field(HeaderName::from_static(name), value.parse().unwrap());
            }
            Change::Append(name, value) => {
                upstream.append_field(HeaderName::from_static(name), value.parse().unwrap());
            }
            Change::Remove(name) => upstream.remove_field(HeaderName::from_static(name)),
        }
    }
    upstream
}

/// What the upstream gets.
fn given(head: &ClientHead, upstream: &UpstreamRequest) -> Fields {
    let forwarding = ForwardedFields {
        peer: "192.0.2.9",
        client: "192.0.2.9",
        scheme: Scheme::Http,
        port: 8000,
        stripped_prefix: None,
        request_id: Some("0123"),
        upstream_host: Some(HeaderValue::from_static("up.test")),
        websocket: head.asks_for_websocket(),
        trailers: head.accepts_trailers(),
    };
    let mut given = Fields::new();
    forwarding.write_headers(head, upstream, None, &mut |name, value| {
        given.entry(name.to_owned()).or_default().push(String::from_utf8(value.to_vec()).unwrap());
    });
    given
}

/// A name as CGI programs see it.
fn seen_by_cgi(name: &str) -> String {
    name.replace(|it: char| !it.is_ascii_alphanumeric(), "_")
}

/// Whether a client may send a field, told once more and slowly.
fn may_pass(name: &str, trusted: bool) -> bool {
    let seen = seen_by_cgi(name);
    let vouched = seen.starts_with("x_forwarded_") || seen == "x_real_ip" || seen == "forwarded";
    let identity = ["x_consumer_", "x_credential_", "x_authenticated_", "x_anonymous_consumer"];
    let gateways = identity.iter().any(|it| seen.starts_with(it)) || seen == "x_kong_request_id";
    let framing = ["transfer_encoding", "content_length"].contains(&name);
    if vouched {
        return !name.contains(['_', '.']) && (trusted || name == "x-forwarded-for");
    }
    !gateways && !framing
}

/// What the upstream is to get, but for the fields of [`GATEWAY`].
fn expected(
    sent: &[(&'static str, String)],
    nominated: &[&str],
    changes: &[Change],
    trusted: bool,
) -> Fields {
    let named = |change: &Change| match change {
        Change::Set(name, _) | Change::Append(name, _) | Change::Remove(name) => *name,
    };
    let mut fields = Fields::new();
    for (name, value) in sent {
        let looks_like_a_change = changes
            .iter()
            .map(named)
            .any(|it| it != *name && name.contains(['_', '.']) && seen_by_cgi(it) == seen_by_cgi(name));
        let nominated = nominated.contains(name) && !name.starts_with("x-forwarded-");
        if may_pass(name, trusted) && !nominated && !looks_like_a_change {
            fields.entry((*name).to_owned()).or_default().push(value.clone());
        }
    }
    for change in changes {
        match change {
            Change::Set(name, value) => drop(fields.insert((*name).to_owned(), vec![value.clone()])),
            Change::Append(name, value) => fields.entry((*name).to_owned()).or_default().push(value.clone()),
            Change::Remove(name) => drop(fields.remove(*name)),
        }
    }
    fields.retain(|name, _| !GATEWAY.contains(&&**name));
    fields
}

proptest! {
    #[test]
    fn an_upstream_gets_what_the_client_may_say_and_what_the_gateway_and_plugins_say(
        sent in fields(),
        nominated in proptest::collection::vec(select(&NAMES[..]), 0..6),
        changes in proptest::collection::vec(change(), 0..6),
        http2: bool,
        trusted: bool,
    ) {
        let nominated = if http2 { Vec::new() } else { nominated };
        let (head, upstream) = (head(&sent, &nominated, http2, trusted), upstream(&changes));
        let mut given = given(&head, &upstream);
        let one = |name: &str| given.get(name).map(|it| it.join("|")).unwrap_or_default();
        prop_assert_eq!(one("x-kong-request-id"), "0123");
        prop_assert_eq!(one("x-real-ip"), "192.0.2.9");
        prop_assert_eq!(one("x-forwarded-host"), "shop.test");
        prop_assert_eq!(one("host"), "up.test");
        prop_assert_eq!(one("te"), "trailers");
        prop_assert!(one("x-forwarded-for").ends_with("192.0.2.9"));
        let claimed: Vec<_> = sent.iter().filter(|(name, _)| *name == "x-forwarded-proto").collect();
        let proto = claimed.iter().map(|(_, value)| &**value).collect::<Vec<_>>().join("|");
        prop_assert_eq!(one("x-forwarded-proto"), if trusted && !claimed.is_empty() { &*proto } else { "http" });
        given.retain(|name, _| !GATEWAY.contains(&&**name));
        prop_assert_eq!(given, expected(&sent, &nominated, &changes, trusted));
    }

    #[test]
    fn trailers_say_no_more_than_fields_of_the_head_would(
        sent in fields(),
        nominated in proptest::collection::vec(select(&NAMES[..]), 0..3),
        changes in proptest::collection::vec(change(), 0..3),
        trusted: bool,
    ) {
        let (head, upstream) = (head(&[], &nominated, false, trusted), upstream(&changes));
        let mut trailers = http::HeaderMap::new();
        for (name, value) in &sent {
            trailers.append(*name, value.parse().unwrap());
        }
        strip_trailers(&mut trailers);
        if let Some(denied) = DeniedTrailers::of(&head, upstream.edits()) {
            denied.strip(&mut trailers);
        }
        let named = |change: &Change| match change {
            Change::Set(name, _) | Change::Append(name, _) | Change::Remove(name) => *name,
        };
        for name in trailers.keys().map(HeaderName::as_str) {
            prop_assert!(may_pass(name, false) && !name.starts_with("x-forwarded"), "{}", name);
            prop_assert!(!nominated.contains(&name), "{}", name);
            prop_assert!(!changes.iter().map(named).any(|it| it == name), "{}", name);
        }
    }
}
