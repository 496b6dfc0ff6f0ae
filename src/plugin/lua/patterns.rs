//! Patterns of Lua's `string.find`, `match`, `gmatch` and `gsub`, with a limit of steps.
//!
//! The library of Lua matches by backtracking in C, where no budget interrupts it: a pattern such as `.-.-.-x` on a long
//! header would hold a worker for minutes. (Lua 5.1 Reference Manual, section 5.4.1.)

use mlua::{Error, Function, Lua, LuaString, MultiValue, Result, Table, Value};

use super::{
    api::add,
    call::{LuaCall, Stop},
    pattern_matcher::{Matcher, PatternError},
};

/// The functions, for the table `string`.
pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    add(&table, lua, "find", |lua, (text, pattern, from, plain): Arguments| {
        find(lua, &text, &pattern, from, plain.unwrap_or_default(), true)
    })?;
    add(&table, lua, "match", |lua, (text, pattern, from, _): Arguments| {
        find(lua, &text, &pattern, from, false, false)
    })?;
    add(&table, lua, "gmatch", |lua, (text, pattern): (LuaString, LuaString)| {
        let (text, pattern) = (text.as_bytes().to_vec(), pattern.as_bytes().to_vec());
        let position = std::sync::atomic::AtomicUsize::new(0);
        lua.create_function(move |lua, _: MultiValue| {
            use std::sync::atomic::Ordering::Relaxed;
            let mut matcher = Matcher::new(&text, &pattern);
            for start in position.load(Relaxed)..=text.len() {
                if let Some(end) = stopping(lua, matcher.match_at(start))? {
                    position.store(if end == start { end + 1 } else { end }, Relaxed);
                    return matcher.captures(lua, start, end);
                }
            }
            position.store(text.len() + 1, Relaxed);
            Ok(MultiValue::new())
        })
    })?;
    add(
        &table,
        lua,
        "gsub",
        |lua, (text, pattern, by, max): (LuaString, LuaString, Value, Option<usize>)| {
            gsub(lua, &text.as_bytes(), &pattern.as_bytes(), &by, max.unwrap_or(usize::MAX))
        },
    )?;
    Ok(table)
}

type Arguments = (LuaString, LuaString, Option<i64>, Option<bool>);

/// An error of the pattern, or its end by the limit of steps, which no `pcall` may hide.
fn stopping<T>(lua: &Lua, result: std::result::Result<T, PatternError>) -> Result<T> {
    result.map_err(|error| {
        if let PatternError::OverBudget = error
            && let Some(mut call) = lua.app_data_mut::<LuaCall>()
        {
            call.stop.get_or_insert(Stop::OverBudget);
        }
        Error::runtime(error.message())
    })
}

fn find(
    lua: &Lua,
    text: &LuaString,
    pattern: &LuaString,
    from: Option<i64>,
    plain: bool,
    positions: bool,
) -> Result<MultiValue> {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let from = match from.unwrap_or(1) {
        from if from < 0 => (length + from).max(0),
        0 => 0,
        from => from - 1,
    };
    let nothing = || Ok(MultiValue::from_iter([Value::Nil]));
    let Ok(from) = usize::try_from(from.min(length)) else { return nothing() };
    let number = |position: usize| Value::Number(position as f64);
    if positions && (plain || !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))) {
        let found = if pattern.is_empty() {
            Some(0)
        } else {
            aho_corasick::AhoCorasick::new([&*pattern])
                .ok()
                .and_then(|finder| finder.find(&text[from..]))
                .map(|found| found.start())
        };
        return match found {
            Some(at) => Ok(MultiValue::from_iter([number(from + at + 1), number(from + at + pattern.len())])),
            None => nothing(),
        };
    }
    let anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(&text, if anchored { &pattern[1..] } else { &pattern });
    for start in from..=text.len() {
        if let Some(end) = stopping(lua, matcher.match_at(start))? {
            let mut values = if positions && matcher.level == 0 {
                MultiValue::new()
            } else {
                matcher.captures(lua, start, end)?
            };
            if positions {
                values.push_front(number(end));
                values.push_front(number(start + 1));
            }
            return Ok(values);
        }
        if anchored {
            break;
        }
    }
    nothing()
}

fn gsub(lua: &Lua, text: &[u8], pattern: &[u8], by: &Value, max: usize) -> Result<(LuaString, f64)> {
    let anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(text, if anchored { &pattern[1..] } else { pattern });
    let (mut result, mut position, mut count) = (Vec::with_capacity(text.len()), 0, 0);
    while count < max {
        let matched = stopping(lua, matcher.match_at(position))?;
        if let Some(end) = matched {
            count += 1;
            replace(lua, &matcher, by, position, end, &mut result)?;
        }
        match matched {
            Some(end) if end > position => position = end,
            _ if position < text.len() => {
                result.push(text[position]);
                position += 1;
            }
            _ => break,
        }
        if anchored {
            break;
        }
    }
    result.extend_from_slice(text.get(position..).unwrap_or_default());
    Ok((lua.create_string(result)?, count as f64))
}

fn replace(
    lua: &Lua,
    matcher: &Matcher<'_>,
    by: &Value,
    start: usize,
    end: usize,
    result: &mut Vec<u8>,
) -> Result<()> {
    let value = match by {
        Value::Function(function) => {
            let function: &Function = function;
            function.call::<Value>(matcher.captures(lua, start, end)?)?
        }
        Value::Table(table) => {
            let first = matcher.captures(lua, start, end)?.pop_front().unwrap_or(Value::Nil);
            table.get::<Value>(first)?
        }
        template => {
            let template = template.to_string()?;
            let mut bytes = template.bytes();
            while let Some(byte) = bytes.next() {
                match (byte, if byte == b'%' { bytes.next() } else { None }) {
                    (b'%', Some(b'0')) => result.extend_from_slice(&matcher.text[start..end]),
                    (b'%', Some(digit)) if digit.is_ascii_digit() => {
                        let capture = matcher.capture(lua, usize::from(digit - b'1'), start, end)?;
                        result.extend_from_slice(capture.to_string()?.as_bytes());
                    }
                    (b'%', Some(other)) => result.push(other),
                    (byte, _) => result.push(byte),
                }
            }
            return Ok(());
        }
    };
    match value {
        Value::Nil | Value::Boolean(false) => result.extend_from_slice(&matcher.text[start..end]),
        Value::String(text) => result.extend_from_slice(&text.as_bytes()),
        Value::Integer(_) | Value::Number(_) => result.extend_from_slice(value.to_string()?.as_bytes()),
        other => return Err(Error::runtime(format!("invalid replacement value (a {})", other.type_name()))),
    }
    Ok(())
}
