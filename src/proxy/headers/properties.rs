//! Property tests of heads of upstream requests: such a head has the client's fields that may pass and that no plugin has
//! changed, the gateway's fields and the plugins'; nominations in Connection affect only the client's own fields.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Request, Version};
use proptest::{prelude::*, sample::select};

use super::{DeniedTrailers, ForwardedFields, strip_trailers};
use crate::{
    request_head::{ClientHead, UpstreamRequest},
    uri::Scheme,
};

/// Names of client fields, of plugin edits and of trailers.
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

/// `FieldValues` that the gateway writes itself, also if a plugin sets them.
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

type FieldValues = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug)]
enum FieldEdit {
    Set(&'static str, String),
    Append(&'static str, String),
    Remove(&'static str),
}

fn field_edit() -> impl Strategy<Value = FieldEdit> {
    (select(&NAMES[..]), 0..3, "[a-z]{1,3}").prop_map(|(name, kind, value)| match kind {
        0 => FieldEdit::Set(name, value),
        1 => FieldEdit::Append(name, value),
        _ => FieldEdit::Remove(name),
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

fn upstream(edits: &[FieldEdit]) -> UpstreamRequest {
    let mut upstream = UpstreamRequest::default();
    for field_edit in edits {
        match field_edit {
            FieldEdit::Set(name, value) => {
                upstream.set_field(HeaderName::from_static(name), value.parse().unwrap());
            }
            FieldEdit::Append(name, value) => {
                upstream.append_field(HeaderName::from_static(name), value.parse().unwrap());
            }
            FieldEdit::Remove(name) => upstream.remove_field(HeaderName::from_static(name)),
        }
    }
    upstream
}

/// The fields that the upstream gets.
fn written_fields(head: &ClientHead, upstream: &UpstreamRequest) -> FieldValues {
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
    let mut written = FieldValues::new();
    forwarding.write_headers(head, upstream, None, &mut |name, value| {
        written.entry(name.to_owned()).or_default().push(String::from_utf8(value.to_vec()).unwrap());
    });
    written
}

/// A name as CGI programs see it.
fn cgi_name(name: &str) -> String {
    name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

/// Whether a client may send a field: the rule once more, written for clarity and not for speed.
fn may_pass(name: &str, trusted: bool) -> bool {
    let cgi_name = cgi_name(name);
    let needs_trust =
        cgi_name.starts_with("x_forwarded_") || cgi_name == "x_real_ip" || cgi_name == "forwarded";
    let identity = ["x_consumer_", "x_credential_", "x_authenticated_", "x_anonymous_consumer"];
    let is_gateways =
        identity.iter().any(|prefix| cgi_name.starts_with(prefix)) || cgi_name == "x_kong_request_id";
    let is_framing = ["transfer_encoding", "content_length"].contains(&name);
    if needs_trust {
        return !name.contains(['_', '.']) && (trusted || name == "x-forwarded-for");
    }
    !is_gateways && !is_framing
}

/// The fields that the upstream must get, without those of [`GATEWAY`].
fn expected(
    sent: &[(&'static str, String)],
    nominated: &[&str],
    edits: &[FieldEdit],
    trusted: bool,
) -> FieldValues {
    let edited_name = |field_edit: &FieldEdit| match field_edit {
        FieldEdit::Set(name, _) | FieldEdit::Append(name, _) | FieldEdit::Remove(name) => *name,
    };
    let mut fields = FieldValues::new();
    for (name, value) in sent {
        let looks_like_an_edit = edits
            .iter()
            .map(edited_name)
            .any(|edited| edited != *name && name.contains(['_', '.']) && cgi_name(edited) == cgi_name(name));
        let nominated = nominated.contains(name) && !name.starts_with("x-forwarded-");
        if may_pass(name, trusted) && !nominated && !looks_like_an_edit {
            fields.entry((*name).to_owned()).or_default().push(value.clone());
        }
    }
    for field_edit in edits {
        match field_edit {
            FieldEdit::Set(name, value) => drop(fields.insert((*name).to_owned(), vec![value.clone()])),
            FieldEdit::Append(name, value) => {
                fields.entry((*name).to_owned()).or_default().push(value.clone());
            }
            FieldEdit::Remove(name) => drop(fields.remove(*name)),
        }
    }
    fields.retain(|name, _| !GATEWAY.contains(&&**name));
    fields
}

proptest! {
    #[test]
    fn an_upstream_gets_the_fields_that_the_client_may_send_and_those_of_the_gateway_and_plugins(
        sent in fields(),
        nominated in proptest::collection::vec(select(&NAMES[..]), 0..6),
        edits in proptest::collection::vec(field_edit(), 0..6),
        http2: bool,
        trusted: bool,
    ) {
        let nominated = if http2 { Vec::new() } else { nominated };
        let (head, upstream) = (head(&sent, &nominated, http2, trusted), upstream(&edits));
        let mut written = written_fields(&head, &upstream);
        let one = |name: &str| written.get(name).map(|values| values.join("|")).unwrap_or_default();
        prop_assert_eq!(one("x-kong-request-id"), "0123");
        prop_assert_eq!(one("x-real-ip"), "192.0.2.9");
        prop_assert_eq!(one("x-forwarded-host"), "shop.test");
        prop_assert_eq!(one("host"), "up.test");
        prop_assert_eq!(one("te"), "trailers");
        prop_assert!(one("x-forwarded-for").ends_with("192.0.2.9"));
        let claimed: Vec<_> = sent.iter().filter(|(name, _)| *name == "x-forwarded-proto").collect();
        let proto = claimed.iter().map(|(_, value)| &**value).collect::<Vec<_>>().join("|");
        prop_assert_eq!(one("x-forwarded-proto"), if trusted && !claimed.is_empty() { &*proto } else { "http" });
        written.retain(|name, _| !GATEWAY.contains(&&**name));
        prop_assert_eq!(written, expected(&sent, &nominated, &edits, trusted));
    }

    #[test]
    fn trailers_pass_only_if_the_same_fields_of_the_head_would(
        sent in fields(),
        nominated in proptest::collection::vec(select(&NAMES[..]), 0..3),
        edits in proptest::collection::vec(field_edit(), 0..3),
        trusted: bool,
    ) {
        let (head, upstream) = (head(&[], &nominated, false, trusted), upstream(&edits));
        let mut trailers = http::HeaderMap::new();
        for (name, value) in &sent {
            trailers.append(*name, value.parse().unwrap());
        }
        strip_trailers(&mut trailers);
        if let Some(denied) = DeniedTrailers::of(&head, upstream.edits()) {
            denied.strip(&mut trailers);
        }
        let edited_name = |field_edit: &FieldEdit| match field_edit {
            FieldEdit::Set(name, _) | FieldEdit::Append(name, _) | FieldEdit::Remove(name) => *name,
        };
        for name in trailers.keys().map(HeaderName::as_str) {
            prop_assert!(may_pass(name, false) && !name.starts_with("x-forwarded"), "{}", name);
            prop_assert!(!nominated.contains(&name), "{}", name);
            prop_assert!(!edits.iter().map(edited_name).any(|edited| edited == name), "{}", name);
        }
    }
}
