//! Times of `ngx` and of the request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mlua::{Error, Lua, Result, Table};

use super::{api::add, call::current};

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "now", |_, ()| Ok(milliseconds(SystemTime::now()) / 1000.0))?;
    add(host, lua, "start_time", |lua, ()| {
        let call = current(lua)?;
        let elapsed = call.exchange.as_ref().map(|exchange| exchange.started.elapsed()).unwrap_or_default();
        Ok(milliseconds(SystemTime::now() - elapsed) / 1000.0)
    })?;
    add(host, lua, "today", |_, ()| Ok(iso_date(SystemTime::now())[..10].to_owned()))?;
    add(host, lua, "utc_time", |_, ()| Ok(iso_date(SystemTime::now())))?;
    add(host, lua, "http_time", |_, seconds: f64| Ok(httpdate::fmt_http_date(at(seconds)?)))?;
    add(host, lua, "cookie_time", |_, seconds: f64| {
        // The date of HTTP with hyphens and a year of two digits.
        let date = httpdate::fmt_http_date(at(seconds)?);
        let mut parts = date.split(' ');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (weekday, day, month, year, time) = (next(), next(), next(), next(), next());
        Ok(format!("{weekday} {day}-{month}-{} {time} GMT", year.get(2..).unwrap_or_default()))
    })?;
    add(host, lua, "parse_http_time", |_, text: String| {
        Ok(httpdate::parse_http_date(&text).ok().map(|time| (milliseconds(time) / 1000.0).floor()))
    })
}

/// Milliseconds since 1970, whole.
fn milliseconds(time: SystemTime) -> f64 {
    (time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0).floor()
}

fn at(seconds: f64) -> Result<SystemTime> {
    // The dates that four digits of a year can tell.
    if !(0.0..253_402_300_800.0).contains(&seconds) {
        return Err(Error::runtime("time out of range"));
    }
    Ok(UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

/// `2026-12-01 10:20:30`, in UTC.
fn iso_date(time: SystemTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = httpdate::fmt_http_date(time);
    let parts: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, _] = parts[..] else { return date };
    let month = MONTHS.iter().position(|name| *name == month).map_or(1, |position| position + 1);
    format!("{year}-{month:02}-{day} {time}")
}
