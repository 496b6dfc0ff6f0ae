//! `ngx.re`: regular expressions, without backtracking where the expression allows it, else within a limit of steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use fancy_regex::{Captures, Regex, RegexBuilder};
use mlua::{Error, Function, Lua, LuaString, Result, Table, Value};

use super::api::add;

/// Steps of one search that must backtrack.
const BACKTRACK_LIMIT: usize = 100_000;

/// Memory of one compiled expression, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// Expressions that are kept compiled. (`OpenResty`: `lua_regex_cache_max_entries`.)
const MAX_CACHED: usize = 256;

type Cache = Arc<Mutex<HashMap<(String, String), Arc<Regex>>>>;

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    let cache = Cache::default();
    let own = cache.clone();
    add(
        host,
        lua,
        "re_match",
        move |lua, (subject, pattern, options): (LuaString, String, Option<String>)| {
            Ok(find(lua, &own, &subject, &pattern, options, 1)?.map(|(table, _)| table))
        },
    )?;
    let own = cache.clone();
    add(
        host,
        lua,
        "re_match_from",
        move |lua, (subject, pattern, options, from): (LuaString, String, Option<String>, usize)| {
            let found = find(lua, &own, &subject, &pattern, options, from)?;
            let Some((table, (start, end))) = found else { return Ok((Value::Nil, Value::Nil)) };
            let next = if end > start { end } else { end + 1 };
            Ok((Value::Table(table), Value::Number(next as f64 + 1.0)))
        },
    )?;
    let own = cache.clone();
    add(
        host,
        lua,
        "re_find",
        move |lua, (subject, pattern, options): (LuaString, String, Option<String>)| {
            let found = find(lua, &own, &subject, &pattern, options, 1)?;
            let Some((_, (start, end))) = found else { return Ok((Value::Nil, Value::Nil)) };
            Ok((Value::Number(start as f64 + 1.0), Value::Number(end as f64)))
        },
    )?;
    add(
        host,
        lua,
        "re_sub",
        move |lua, (all, subject, pattern, by, options): (bool, LuaString, String, Value, Option<String>)| {
            let regex = compiled(&cache, &pattern, options)?;
            let text = subject.to_string_lossy();
            let (mut result, mut count, mut last) = (String::new(), 0_u32, 0);
            for captures in regex.captures_iter(text.as_str()) {
                let captures = captures.map_err(|error| Error::runtime(error.to_string()))?;
                let Some(whole) = captures.get(0) else { break };
                result.push_str(&text[last..whole.start()]);
                match &by {
                    Value::Function(function) => result.push_str(&replaced(lua, function, &captures)?),
                    other => expand(&other.to_string()?, &captures, &mut result),
                }
                last = whole.end();
                count += 1;
                if !all {
                    break;
                }
            }
            result.push_str(&text[last..]);
            Ok((result, count))
        },
    )
}

fn replaced(lua: &Lua, function: &Function, captures: &Captures<'_, str>) -> Result<String> {
    let text: Value = function.call(capture_table(lua, captures)?)?;
    text.to_string()
}

/// Puts a replacement together: `$1`, `${1}`, `$0`, and `$$` for a dollar sign.
fn expand(template: &str, captures: &Captures<'_, str>, result: &mut String) {
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let (braced, digits) = rest.strip_prefix('{').map_or((false, rest), |inner| (true, inner));
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        match digits[..length].parse::<usize>() {
            Ok(group) => {
                result.push_str(captures.get(group).map_or("", |found| found.as_str()));
                rest = &digits[length..];
                if braced {
                    rest = rest.strip_prefix('}').unwrap_or(rest);
                }
            }
            Err(_) => result.push('$'),
        }
    }
    result.push_str(rest);
}

/// The first match from a byte on, counted from 1, and its range.
fn find(
    lua: &Lua,
    cache: &Cache,
    subject: &LuaString,
    pattern: &str,
    options: Option<String>,
    from: usize,
) -> Result<Option<(Table, (usize, usize))>> {
    let regex = compiled(cache, pattern, options)?;
    let text = subject.to_string_lossy();
    let mut from = from - 1;
    while from < text.len() && !text.is_char_boundary(from) {
        from += 1;
    }
    if from > text.len() {
        return Ok(None);
    }
    let found =
        regex.captures_from_pos(text.as_str(), from).map_err(|error| Error::runtime(error.to_string()))?;
    let Some(captures) = found else { return Ok(None) };
    let range = captures.get(0).map_or((0, 0), |whole| (whole.start(), whole.end()));
    Ok(Some((capture_table(lua, &captures)?, range)))
}

/// Captures by number, from 0 for the whole match, and by name; `false` for a group that took no part.
fn capture_table(lua: &Lua, captures: &Captures<'_, str>) -> Result<Table> {
    let table = lua.create_table()?;
    for (number, capture) in captures.iter().enumerate() {
        match capture {
            Some(found) => table.raw_set(number, found.as_str())?,
            None => table.raw_set(number, false)?,
        }
    }
    Ok(table)
}

fn compiled(cache: &Cache, pattern: &str, options: Option<String>) -> Result<Arc<Regex>> {
    let options = options.unwrap_or_default();
    let key = (pattern.to_owned(), options);
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = cache.get(&key) {
        return Ok(regex.clone());
    }
    let flags: String = key.1.chars().filter(|option| "imsx".contains(*option)).collect();
    let mut text = if flags.is_empty() { pattern.to_owned() } else { format!("(?{flags}){pattern}") };
    if key.1.contains('a') {
        text = format!("\\A(?:{text})");
    }
    let regex = RegexBuilder::new(&text)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| Error::runtime(format!("invalid regular expression '{pattern}': {error}")))?;
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
    let regex = Arc::new(regex);
    cache.insert(key, regex.clone());
    Ok(regex)
}
