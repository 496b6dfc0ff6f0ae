//! `ngx.re`: regular expressions, without backtracking where the expression allows it, else within a limit of steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use fancy_regex::{Captures, Regex};
use mlua::{Error, Function, Lua, LuaString, MultiValue, Result, Table, Value};

use super::{
    api::add,
    call_budget::{MAX_TEXT, call_back, charge_text},
};
use crate::plugin::pcre::search_regex;

/// Expressions that are kept compiled. (`OpenResty`: `lua_regex_cache_max_entries`.)
const MAX_CACHED: usize = 128;

type Cache = Arc<Mutex<HashMap<(String, String), Arc<Regex>>>>;

/// What a function of `ngx.re` gives back: values, or nil and a message.
type ReResult = std::result::Result<MultiValue, String>;

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    let cache = Cache::default();
    // The match from a byte on, counted from 1, and the place behind it.
    let own = cache.clone();
    add(
        host,
        lua,
        "re_match",
        move |lua, (subject, pattern, options, from): (LuaString, String, Option<String>, usize)| {
            let found = find(lua, &own, &subject, (&pattern, options), from, |captures, names| {
                let table = capture_table(lua, captures, names)?;
                Ok(vec![Value::Table(table), position(captures, 0).1])
            })?;
            values_or_message(lua, found)
        },
    )?;
    let own = cache.clone();
    add(
        host,
        lua,
        "re_find",
        move |lua,
              (subject, pattern, options, from, group): (
            LuaString,
            String,
            Option<String>,
            usize,
            Option<usize>,
        )| {
            let found = find(lua, &own, &subject, (&pattern, options), from, |captures, _| {
                let (start, end) = position(captures, group.unwrap_or(0));
                Ok(vec![start, end])
            })?;
            values_or_message(lua, found)
        },
    )?;
    add(
        host,
        lua,
        "re_sub",
        move |lua, (all, subject, pattern, by, options): (bool, LuaString, String, Value, Option<String>)| {
            let result = substitute(lua, &cache, (&subject, &pattern, options), &by, all)?;
            values_or_message(lua, result)
        },
    )
}

/// Values, or nil twice and a message. (`OpenResty`: `ngx.re.match` and its like.)
fn values_or_message(lua: &Lua, result: ReResult) -> Result<MultiValue> {
    match result {
        Ok(values) => Ok(values),
        Err(message) => {
            let message = Value::String(lua.create_string(message)?);
            Ok(MultiValue::from_iter([Value::Nil, Value::Nil, message]))
        }
    }
}

/// Start and end of a group, counted from 1; nil if it took no part.
fn position(captures: &Captures<'_, str>, group: usize) -> (Value, Value) {
    let number = |position: usize| Value::Number(position as f64);
    captures
        .get(group)
        .map_or((Value::Nil, Value::Nil), |found| (number(found.start() + 1), number(found.end())))
}

fn substitute(
    lua: &Lua,
    cache: &Cache,
    (subject, pattern, options): (&LuaString, &str, Option<String>),
    by: &Value,
    all: bool,
) -> Result<ReResult> {
    charge_text(lua, subject.as_bytes().len())?;
    let regex = match compiled(cache, pattern, options) {
        Ok(regex) => regex,
        Err(message) => return Ok(Err(message)),
    };
    let text = subject.to_string_lossy();
    let (mut result, mut count, mut last) = (String::new(), 0_u32, 0);
    for captures in regex.captures_iter(text.as_str()) {
        charge_text(lua, 64)?;
        let captures = match captures {
            Ok(captures) => captures,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some(whole) = captures.get(0) else { break };
        result.push_str(&text[last..whole.start()]);
        match by {
            Value::Function(function) => {
                result.push_str(&replaced(lua, function, &captures, &regex)?);
            }
            other => expand(&text_of(other)?, &captures, &mut result)?,
        }
        if result.len() > MAX_TEXT {
            return Err(Error::runtime("the result is too long"));
        }
        last = whole.end();
        count += 1;
        if !all {
            break;
        }
    }
    result.push_str(&text[last..]);
    charge_text(lua, result.len())?;
    let count = Value::Number(f64::from(count));
    Ok(Ok(MultiValue::from_iter([Value::String(lua.create_string(result)?), count])))
}

fn replaced(lua: &Lua, function: &Function, captures: &Captures<'_, str>, regex: &Regex) -> Result<String> {
    let captures = capture_table(lua, captures, regex)?;
    text_of(&call_back(lua, || function.call(captures))?)
}

/// A text or a number as a text.
fn text_of(value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.to_string_lossy()),
        Value::Integer(_) | Value::Number(_) => value.to_string(),
        other => Err(Error::runtime(format!("a replacement must be a string, not {}", other.type_name()))),
    }
}

/// Puts a replacement together: `$1`, `${1}`, `$0`, and `$$` for a dollar sign.
fn expand(template: &str, captures: &Captures<'_, str>, result: &mut String) -> Result<()> {
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        if result.len() > MAX_TEXT {
            return Err(Error::runtime("the result is too long"));
        }
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
    Ok(())
}

/// The first match from a byte on, counted from 1, as the values that `read` makes of it.
fn find(
    lua: &Lua,
    cache: &Cache,
    subject: &LuaString,
    (pattern, options): (&str, Option<String>),
    from: usize,
    read: impl FnOnce(&Captures<'_, str>, &Regex) -> Result<Vec<Value>>,
) -> Result<ReResult> {
    charge_text(lua, subject.as_bytes().len())?;
    let is_anchored = options.as_ref().is_some_and(|options| options.contains('a'));
    let regex = match compiled(cache, pattern, options) {
        Ok(regex) => regex,
        Err(message) => return Ok(Err(message)),
    };
    let text = subject.to_string_lossy();
    let nothing = || Ok(Ok(MultiValue::from_iter([Value::Nil])));
    let mut from = from.saturating_sub(1);
    while from < text.len() && !text.is_char_boundary(from) {
        from += 1;
    }
    if from > text.len() {
        return nothing();
    }
    match regex.captures_from_pos(text.as_str(), from) {
        Err(error) => Ok(Err(error.to_string())),
        // A match that begins at the place is found before any other.
        Ok(Some(captures)) if !is_anchored || captures.get(0).is_some_and(|whole| whole.start() == from) => {
            read(&captures, &regex).map(|values| Ok(MultiValue::from_iter(values)))
        }
        Ok(_) => nothing(),
    }
}

/// Captures by number, from 0 for the whole match, and by name; `false` for a group that took no part.
fn capture_table(lua: &Lua, captures: &Captures<'_, str>, regex: &Regex) -> Result<Table> {
    let table = lua.create_table()?;
    let named = regex.capture_names().map(Option::unwrap_or_default);
    for ((number, capture), name) in captures.iter().enumerate().zip(named) {
        let value = match capture {
            Some(found) => Value::String(lua.create_string(found.as_str())?),
            None => Value::Boolean(false),
        };
        if !name.is_empty() {
            table.raw_set(name, &value)?;
        }
        table.raw_set(number, value)?;
    }
    Ok(table)
}

fn compiled(
    cache: &Cache,
    pattern: &str,
    options: Option<String>,
) -> std::result::Result<Arc<Regex>, String> {
    let key = (pattern.to_owned(), options.unwrap_or_default());
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = cache.get(&key) {
        return Ok(regex.clone());
    }
    let flags: String = ['i', 'm', 's', 'x'].into_iter().filter(|flag| key.1.contains(*flag)).collect();
    let regex = search_regex(pattern, &flags)
        .map_err(|error| format!("invalid regular expression '{pattern}': {error}"))?;
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
    let regex = Arc::new(regex);
    cache.insert(key, regex.clone());
    Ok(regex)
}
