//! `ngx.var`: variables of nginx that snippets read and set. (nginx: "Alphabetical index of variables".)

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue, Version};
use mlua::{Error, Lua, Result, Table, Value};

use super::{
    api::add,
    call::{LuaCall, current},
    request_api::{client_ip, scheme},
};
use crate::{plugin::ResponseOrigin, uri::Scheme};

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "variable", |lua, name: String| {
        let call = current(lua)?;
        let text = variable(&call, &name);
        drop(call);
        text.map(|text| lua.create_string(text)).transpose()
    })?;
    add(host, lua, "set_variable", |lua, (name, value): (String, Value)| {
        let text = match &value {
            Value::String(_) | Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => {
                value.to_string()?
            }
            Value::Nil => String::new(),
            other => return Err(Error::runtime(format!("a variable cannot be {}", other.type_name()))),
        };
        let mut call = current(lua)?;
        match name.as_str() {
            "args" => call.request_to_change()?.upstream.set_query(&text),
            "upstream_uri" => {
                let (path, query) =
                    text.split_once('?').map_or((text.as_str(), None), |(path, query)| (path, Some(query)));
                let upstream = &mut call.request_to_change()?.upstream;
                upstream.set_path(path);
                if let Some(query) = query {
                    upstream.set_query(query);
                }
            }
            "upstream_scheme" => {
                let scheme = match text.as_str() {
                    "http" => Scheme::Http,
                    "https" => Scheme::Https,
                    _ => return Err(Error::runtime(format!("invalid scheme: {text}"))),
                };
                call.request_to_change()?.chosen_destination.get_or_insert_default().scheme = Some(scheme);
            }
            "upstream_host" => {
                let host = HeaderValue::try_from(text).map_err(|_| Error::runtime("invalid host"))?;
                call.request_to_change()?.upstream.set_field(http::header::HOST, host);
            }
            _ => return Err(Error::runtime(format!("variable \"{name}\" cannot be set"))),
        }
        Ok(())
    })
}

/// A variable of nginx that snippets read; `None` if it has no value here. (nginx: "Alphabetical index of variables".)
#[expect(clippy::too_many_lines, reason = "one arm for each variable")]
#[expect(clippy::match_same_arms, reason = "variables that are equal here are not the same ones")]
fn variable(call: &LuaCall, name: &str) -> Option<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let first = |name: &str| {
        let name = HeaderName::try_from(name.replace('_', "-")).ok()?;
        let values = call.request_values(&name);
        (!values.is_empty())
            .then(|| values.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]))
    };
    match name {
        "request_method" => text(call.method()?.as_str()),
        "uri" | "document_uri" => text(call.path()),
        "request_uri" => match &call.exchange {
            Some(exchange) => text(exchange.head().target().path_and_query()?.as_str()),
            None => text(
                &call
                    .query()
                    .map_or_else(|| call.path().to_owned(), |query| format!("{}?{query}", call.path())),
            ),
        },
        "args" | "query_string" => text(call.query()?),
        "is_args" => text(if call.query().is_some() { "?" } else { "" }),
        "host" => text(&call.place().host.to_ascii_lowercase()),
        "http_host" => first("host"),
        "scheme" => text(scheme(call)),
        "https" => text(if call.place().tls { "on" } else { "" }),
        "server_port" => text(&call.place().port.to_string()),
        "server_name" => text("kong"),
        "server_protocol" => text(protocol(call)),
        "request" => {
            let target = variable(call, "request_uri")?;
            let (method, protocol) = (call.method()?.as_str().as_bytes(), protocol(call).as_bytes());
            Some([method, &target, protocol].join(&b' '))
        }
        "request_time" => text(&format!("{:.3}", elapsed(call)?.as_secs_f64())),
        "msec" => text(&format!("{:.3}", SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64())),
        "hostname" => text(&rustix::system::uname().nodename().to_string_lossy()),
        "pid" => text(&std::process::id().to_string()),
        "upstream_scheme" => text(scheme_of_service(call)?.as_str()),
        "upstream_status" => match call.source {
            ResponseOrigin::Upstream(status) => text(status.as_str()),
            ResponseOrigin::Plugin | ResponseOrigin::Gateway | ResponseOrigin::Mock => None,
        },
        "proxy_add_x_forwarded_for" | "upstream_x_forwarded_for" => {
            let address = client_ip(call)?.into_bytes();
            let before = first("x-forwarded-for").filter(|before| !before.is_empty());
            Some(before.map_or_else(|| address.clone(), |before| [&before[..], &address].join(&b", "[..])))
        }
        "upstream_x_forwarded_proto" => text(scheme(call)),
        "upstream_x_forwarded_host" => text(&call.place().host),
        "upstream_x_forwarded_port" => text(&call.place().port.to_string()),
        "remote_addr" | "realip_remote_addr" => text(&client_ip(call)?),
        "binary_remote_addr" => Some(match client_ip(call)?.parse().ok()? {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        }),
        "remote_port" => text(&call.exchange.as_ref()?.client.port().to_string()),
        "request_id" | "kong_request_id" => match (&call.exchange, &call.finished) {
            (Some(exchange), _) => text(&exchange.request_id.to_string()),
            (None, Some(finished)) => text(&finished.id),
            (None, None) => None,
        },
        "status" => text(&call.status()?.to_string()),
        "content_type" => first("content-type"),
        "content_length" => first("content-length"),
        "request_body" => call.request_body.as_ref().map(|body| body.to_vec()),
        "upstream_host" => Some(call.exchange.as_ref()?.upstream.host()?.as_bytes().to_vec()),
        "upstream_uri" => text(call.exchange.as_ref()?.upstream.path()?),
        _ => {
            if let Some(name) = name.strip_prefix("http_") {
                return first(name);
            }
            if let Some(name) = name.strip_prefix("arg_") {
                return argument(call.query()?, name);
            }
            if let Some(name) = name.strip_prefix("cookie_") {
                let cookies = call.request_values(&http::header::COOKIE);
                return cookies.iter().find_map(|line| cookie(line.as_bytes(), name));
            }
            if let Some(name) =
                name.strip_prefix("sent_http_").or_else(|| name.strip_prefix("upstream_http_"))
            {
                let name = HeaderName::try_from(name.replace('_', "-")).ok()?;
                return call.response_fields()?.get(name).map(|value| value.as_bytes().to_vec());
            }
            None
        }
    }
}

fn protocol(call: &LuaCall) -> &'static str {
    match call.exchange.as_ref().map(|exchange| exchange.head().version()) {
        Some(Version::HTTP_10) => "HTTP/1.0",
        Some(Version::HTTP_2) => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// The time since the head of the request had arrived.
fn elapsed(call: &LuaCall) -> Option<Duration> {
    let exchange = call.exchange.as_ref().map(|exchange| exchange.started.elapsed());
    exchange.or_else(|| Some(call.finished.as_ref()?.duration))
}

/// The scheme of the upstream: the one that a plugin has chosen, else that of the Service.
fn scheme_of_service(call: &LuaCall) -> Option<Scheme> {
    let chosen = call.exchange.as_ref().and_then(|exchange| exchange.chosen_destination.as_ref()?.scheme);
    let of_service =
        || Some(Scheme::from_protocol(call.matched()?.service_record.get("protocol")?.as_str()?));
    chosen.or_else(of_service)
}

/// The value of an argument as it stands in a query; names are compared without case. (nginx: `$arg_name`.)
fn argument(query: &str, name: &str) -> Option<Vec<u8>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.as_bytes().to_vec())
    })
}

fn cookie(line: &[u8], name: &str) -> Option<Vec<u8>> {
    line.split(|byte| *byte == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let (key, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
        (key == name.as_bytes()).then(|| value[1..].to_vec())
    })
}
