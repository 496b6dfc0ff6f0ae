//! `kong.response`, `kong.service.response`, `ngx.header` and `ngx.exit`: the response, or the answer of a snippet.

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION, TRAILER,
        TRANSFER_ENCODING,
    },
};
use mlua::{Error, Lua, LuaString, Result, Table, Value};

use super::{
    api::add,
    call::{LuaCall, Phase, ResponseField, Stop, current},
    call_budget::{MAX_TEXT, charge_text},
    json,
    request_api::{field_name, field_table, to_field_name, to_field_values},
};
use crate::{
    body::Body,
    plugin::{HttpResponse, ResponseOrigin},
    reply::{self, ExitBody},
};

/// Names of `ngx` for statuses.
const STATUSES: &[(&str, u16)] = &[
    ("HTTP_CONTINUE", 100),
    ("HTTP_SWITCHING_PROTOCOLS", 101),
    ("HTTP_OK", 200),
    ("HTTP_CREATED", 201),
    ("HTTP_ACCEPTED", 202),
    ("HTTP_NO_CONTENT", 204),
    ("HTTP_PARTIAL_CONTENT", 206),
    ("HTTP_SPECIAL_RESPONSE", 300),
    ("HTTP_MOVED_PERMANENTLY", 301),
    ("HTTP_MOVED_TEMPORARILY", 302),
    ("HTTP_SEE_OTHER", 303),
    ("HTTP_NOT_MODIFIED", 304),
    ("HTTP_TEMPORARY_REDIRECT", 307),
    ("HTTP_PERMANENT_REDIRECT", 308),
    ("HTTP_BAD_REQUEST", 400),
    ("HTTP_UNAUTHORIZED", 401),
    ("HTTP_PAYMENT_REQUIRED", 402),
    ("HTTP_FORBIDDEN", 403),
    ("HTTP_NOT_FOUND", 404),
    ("HTTP_NOT_ALLOWED", 405),
    ("HTTP_NOT_ACCEPTABLE", 406),
    ("HTTP_REQUEST_TIMEOUT", 408),
    ("HTTP_CONFLICT", 409),
    ("HTTP_GONE", 410),
    ("HTTP_UPGRADE_REQUIRED", 426),
    ("HTTP_TOO_MANY_REQUESTS", 429),
    ("HTTP_CLOSE", 444),
    ("HTTP_ILLEGAL", 451),
    ("HTTP_INTERNAL_SERVER_ERROR", 500),
    ("HTTP_NOT_IMPLEMENTED", 501),
    ("HTTP_METHOD_NOT_IMPLEMENTED", 501),
    ("HTTP_BAD_GATEWAY", 502),
    ("HTTP_SERVICE_UNAVAILABLE", 503),
    ("HTTP_GATEWAY_TIMEOUT", 504),
    ("HTTP_VERSION_NOT_SUPPORTED", 505),
    ("HTTP_INSUFFICIENT_STORAGE", 507),
];

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    let statuses = lua.create_table()?;
    for (name, status) in STATUSES {
        statuses.set(*name, *status)?;
    }
    host.set("statuses", statuses)?;
    add_readers(host, lua)?;
    add_writers(host, lua)?;
    add_exits(host, lua)
}

fn add_readers(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "status", |lua, ()| Ok(current(lua)?.status()))?;
    add(host, lua, "upstream_status", |lua, ()| {
        Ok(match current(lua)?.source {
            ResponseOrigin::Upstream(status) => Some(status.as_u16()),
            ResponseOrigin::Plugin | ResponseOrigin::Mock | ResponseOrigin::Gateway => None,
        })
    })?;
    add(host, lua, "response_source", |lua, ()| {
        Ok(match current(lua)?.source {
            ResponseOrigin::Upstream(_) => "service",
            ResponseOrigin::Gateway => "error",
            ResponseOrigin::Plugin | ResponseOrigin::Mock => "exit",
        })
    })?;
    // The first value, and a list of all where there are several.
    add(host, lua, "response_header", |lua, name: LuaString| {
        let Some(name) = field_name(&name) else { return Ok((Value::Nil, Value::Nil)) };
        let values: Vec<HeaderValue> = match current(lua)?.response_fields() {
            Some(fields) => fields.get_all(name).iter().cloned().collect(),
            None => Vec::new(),
        };
        let texts: Vec<LuaString> =
            values.iter().map(|value| lua.create_string(value.as_bytes())).collect::<Result<_>>()?;
        let first = texts.first().cloned().map_or(Value::Nil, Value::String);
        let all = if texts.len() > 1 { Value::Table(lua.create_sequence_from(texts)?) } else { Value::Nil };
        Ok((first, all))
    })?;
    add(host, lua, "response_headers", |lua, _: Value| fields_or_none(lua, |_| true))?;
    add(host, lua, "upstream_header", |lua, name: LuaString| {
        let Some(name) = field_name(&name) else { return Ok(None) };
        let call = current(lua)?;
        let value = call
            .response_fields()
            .filter(|_| is_upstreams(&call))
            .and_then(|fields| fields.get(name).cloned());
        drop(call);
        value.map(|value| lua.create_string(value.as_bytes())).transpose()
    })?;
    add(host, lua, "upstream_headers", |lua, _: Value| fields_or_none(lua, is_upstreams))
}

fn fields_or_none(lua: &Lua, wanted: impl Fn(&LuaCall) -> bool) -> Result<Table> {
    let fields = {
        let call = current(lua)?;
        call.response_fields().filter(|_| wanted(&call)).cloned().unwrap_or_else(HeaderMap::new)
    };
    field_table(lua, &fields)
}

/// Whether an upstream made the response.
const fn is_upstreams(call: &LuaCall) -> bool {
    matches!(call.source, ResponseOrigin::Upstream(_))
}

fn add_writers(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "set_status", |lua, status: Value| current(lua)?.set_status(to_status(&status)?))?;
    add(host, lua, "set_response_header", |lua, (name, value): (LuaString, Value)| {
        let name = to_field_name(&name)?;
        if name == CONTENT_LENGTH {
            // The gateway knows the length of what it sends.
            return Ok(());
        }
        let mut call = current(lua)?;
        let mut values = to_field_values(&value)?.into_iter();
        match values.next() {
            Some(first) => call.change_response(ResponseField::Set(name.clone(), first))?,
            None => call.change_response(ResponseField::Remove(name.clone()))?,
        }
        for value in values {
            call.change_response(ResponseField::Append(name.clone(), value))?;
        }
        Ok(())
    })?;
    add(host, lua, "add_response_header", |lua, (name, value): (LuaString, Value)| {
        let name = to_field_name(&name)?;
        let mut call = current(lua)?;
        for value in to_field_values(&value)? {
            call.change_response(ResponseField::Append(name.clone(), value))?;
        }
        Ok(())
    })?;
    add(host, lua, "clear_response_header", |lua, name: LuaString| {
        match field_name(&name) {
            // Without a length the end of the body is marked otherwise, which the gateway does by itself.
            Some(name) if name != CONTENT_LENGTH => {
                current(lua)?.change_response(ResponseField::Remove(name))
            }
            _ => Ok(()),
        }
    })
}

fn to_status(value: &Value) -> Result<StatusCode> {
    let number = value.as_i64().or_else(|| value.as_f64().map(|number| number as i64));
    let status =
        number.and_then(|number| u16::try_from(number).ok()).filter(|status| (200..600).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or_else(|| Error::runtime("status must be a number between 200 and 599"))
}

#[expect(clippy::too_many_lines, reason = "a list of functions")]
fn add_exits(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "exit", |lua, (status, body, headers): (Value, Value, Value)| {
        let status = to_status(&status)?;
        if let Value::String(text) = &body {
            charge_text(lua, text.as_bytes().len())?;
        }
        let (content_type, text) = match &body {
            Value::Nil => (None, Vec::new()),
            Value::Table(table) => {
                let text = json::encode(lua, &Value::Table(table.clone()))?;
                (Some(HeaderValue::from_static(reply::JSON_UTF8)), text.into_bytes())
            }
            Value::String(text) => (None, text.as_bytes().to_vec()),
            Value::Integer(_) | Value::Number(_) => (None, body.to_string()?.into_bytes()),
            _ => return Err(Error::runtime("body must be a nil, string or table")),
        };
        let mut call = current(lua)?;
        if call.phase == Phase::HeaderFilter {
            return replace_response(&mut call, status, (content_type, text), headers);
        }
        let asked = call.exchange()?.error_request();
        let body = if text.is_empty() { ExitBody::Empty } else { ExitBody::Raw(content_type, text.into()) };
        let mut response = reply::exit(&asked, status, body);
        set_fields(response.headers_mut(), headers)?;
        respond(&mut call, response)
    })?;
    add(host, lua, "exit_error", |lua, (status, message, headers): (Value, Option<String>, Value)| {
        let status = to_status(&status)?;
        let mut call = current(lua)?;
        let exchange = call.exchange()?;
        let message = message.unwrap_or_else(|| reply::default_message(status).into_owned());
        let mut response = exchange.error(status, &message);
        if call.phase == Phase::HeaderFilter {
            let content_type = response.headers().get(CONTENT_TYPE).cloned();
            let Some(Body::Full(text)) = response.body().try_clone() else {
                return Err(Error::runtime("no text"));
            };
            return replace_response(&mut call, status, (content_type, text.to_vec()), headers);
        }
        set_fields(response.headers_mut(), headers)?;
        respond(&mut call, response)
    })?;
    add(host, lua, "redirect", |lua, (location, status): (LuaString, Value)| {
        let status = to_status(&status)?;
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Err(Error::runtime("only 301, 302, 303, 307 and 308 are allowed"));
        }
        let location =
            HeaderValue::from_bytes(&location.as_bytes()).map_err(|_| Error::runtime("invalid location"))?;
        let mut call = current(lua)?;
        let mut response = reply::page(&call.exchange()?.error_request(), status);
        response.headers_mut().insert(LOCATION, location);
        respond(&mut call, response)
    })?;
    add(host, lua, "write", |lua, text: LuaString| {
        charge_text(lua, text.as_bytes().len())?;
        let mut call = current(lua)?;
        if !call.phase.is_before_response() {
            return Err(Error::runtime(format!("API disabled in the context of {}", call.phase.name())));
        }
        let printed = &mut call.printed.get_or_insert_default().text;
        if printed.len() + text.as_bytes().len() > MAX_TEXT {
            return Err(Error::runtime("the printed text is too long"));
        }
        printed.extend_from_slice(&text.as_bytes());
        Ok(())
    })?;
    add(host, lua, "set_later_status", |lua, status: Value| {
        let status = to_status(&status)?;
        let mut call = current(lua)?;
        if call.phase == Phase::HeaderFilter {
            return call.set_status(status);
        }
        if !call.phase.is_before_response() {
            return Err(Error::runtime("the status of the response is sent already"));
        }
        call.printed.get_or_insert_default().status = Some(status);
        Ok(())
    })?;
    add(host, lua, "ngx_exit", |lua, status: Value| {
        let mut call = current(lua)?;
        let code = status.as_i64().unwrap_or_default();
        if code <= 0 && call.printed.is_none() {
            if code < 0 {
                let response =
                    call.exchange()?.error(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred");
                return respond(&mut call, response);
            }
            call.stop = Some(Stop::Continue);
            return Ok(());
        }
        let status = if code <= 0 { None } else { Some(to_status(&status)?) };
        let response = finish_printed(&mut call, status)?;
        respond(&mut call, response)
    })
}

/// The answer that `ngx.print` and `ngx.status` have put together. (`OpenResty`: `ngx.exit`.)
pub(super) fn finish_printed(call: &mut LuaCall, status: Option<StatusCode>) -> Result<HttpResponse> {
    let printed = call.printed.take().unwrap_or_default();
    let status = printed
        .status
        .filter(|_| !printed.text.is_empty())
        .or(status)
        .or(printed.status)
        .unwrap_or(StatusCode::OK);
    let asked_for_page = printed.text.is_empty() && status.as_u16() >= 300;
    let exchange = call.exchange()?;
    if asked_for_page {
        return Ok(exchange.error(status, &reply::default_message(status)));
    }
    let mut response = HttpResponse::new(Body::full(printed.text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// Replaces status and body of the response that snippets filter, and fields of its head. What the upstream sent is dropped.
/// (Kong: `kong.response.exit` in the phase `header_filter`.)
fn replace_response(
    call: &mut LuaCall,
    status: StatusCode,
    (content_type, text): (Option<HeaderValue>, Vec<u8>),
    headers: Value,
) -> Result<()> {
    let Some(response) = &mut call.response else { return Err(Error::runtime("no response is there")) };
    *response.status_mut() = status;
    let fields = response.headers_mut();
    // They describe the body that is dropped.
    for name in [CONTENT_ENCODING, CONTENT_RANGE, ETAG, TRAILER, TRANSFER_ENCODING] {
        fields.remove(name);
    }
    if let Some(content_type) = content_type {
        fields.insert(CONTENT_TYPE, content_type);
    } else if text.is_empty() {
        fields.remove(CONTENT_TYPE);
    }
    fields.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    set_fields(fields, headers)?;
    *response.body_mut() = if text.is_empty() { Body::Empty } else { Body::full(text) };
    call.source = ResponseOrigin::Plugin;
    if let Some(exchange) = &mut call.exchange {
        exchange.response_origin = ResponseOrigin::Plugin;
    }
    call.stop = Some(Stop::Replaced);
    Ok(())
}

fn set_fields(fields: &mut HeaderMap, headers: Value) -> Result<()> {
    let Value::Table(headers) = headers else { return Ok(()) };
    for pair in headers.pairs::<LuaString, Value>() {
        let (name, value) = pair?;
        let name = to_field_name(&name)?;
        if name == CONTENT_LENGTH {
            continue;
        }
        fields.remove(&name);
        for value in to_field_values(&value)? {
            let appended = fields.try_append(name.clone(), value);
            appended.map_err(|_| Error::runtime("too many header fields"))?;
        }
    }
    Ok(())
}

fn respond(call: &mut LuaCall, response: HttpResponse) -> Result<()> {
    if !call.phase.is_before_response() {
        return Err(call.only_before_response());
    }
    call.stop = Some(Stop::Respond(Box::new(response)));
    Ok(())
}
