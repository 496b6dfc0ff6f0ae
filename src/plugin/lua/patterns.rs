//! Patterns of Lua's `string.find`, `match`, `gmatch` and `gsub`, with a limit of steps.
//!
//! The library of Lua matches by backtracking in C, where no budget interrupts it: a pattern such as `.-.-.-x` on a long
//! header would hold a worker for minutes. (Lua 5.1 Reference Manual, section 5.4.1.)

use mlua::{Error, Function, Lua, LuaString, MultiValue, Result, Table, Value};

use super::{
    api::add,
    call::Overrun,
    call_budget::{MAX_TEXT, call_back, charge, charge_text, stop},
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
    // The next match from a byte on: where to go on, and the captures.
    add(&table, lua, "gmatch_from", |lua, (text, pattern, from): (LuaString, LuaString, usize)| {
        let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
        let mut matcher = Matcher::new(&text, &pattern);
        let Some((start, end)) = search(lua, &mut matcher, from, false)? else {
            return Ok(MultiValue::from_iter([Value::Number(text.len() as f64 + 1.0)]));
        };
        let mut values = matcher.captures(lua, start, end)?;
        values.push_front(Value::Number(if end == start { end + 1 } else { end } as f64));
        Ok(values)
    })?;
    add(&table, lua, "gsub", |lua, (text, pattern, by, max): (LuaString, LuaString, Value, Option<i64>)| {
        gsub(
            lua,
            &text.as_bytes(),
            &pattern.as_bytes(),
            &by,
            max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(0)),
        )
    })?;
    Ok(table)
}

type Arguments = (LuaString, LuaString, Option<i64>, Option<bool>);

/// The first match from a byte on. Its steps are charged to the call, which ends if they are too many.
fn search(
    lua: &Lua,
    matcher: &mut Matcher<'_>,
    from: usize,
    anchored: bool,
) -> Result<Option<(usize, usize)>> {
    let before = matcher.steps();
    let result = matcher.search(from, anchored);
    charge(lua, before.saturating_sub(matcher.steps()) as usize)?;
    result.map_err(|error| match error {
        PatternError::OverBudget => stop(lua, Overrun::PatternSteps),
        other => Error::runtime(other.message()),
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
        charge_text(lua, text.len() - from)?;
        let found = memchr::memmem::find(&text[from..], &pattern);
        return match found {
            Some(at) => Ok(MultiValue::from_iter([number(from + at + 1), number(from + at + pattern.len())])),
            None => nothing(),
        };
    }
    let anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(&text, if anchored { &pattern[1..] } else { &pattern });
    let Some((start, end)) = search(lua, &mut matcher, from, anchored)? else { return nothing() };
    let mut values = if positions && matcher.level == 0 {
        MultiValue::new()
    } else {
        matcher.captures(lua, start, end)?
    };
    if positions {
        values.push_front(number(end));
        values.push_front(number(start + 1));
    }
    Ok(values)
}

fn gsub(lua: &Lua, text: &[u8], pattern: &[u8], by: &Value, max: usize) -> Result<(LuaString, f64)> {
    let anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(text, if anchored { &pattern[1..] } else { pattern });
    charge_text(lua, text.len())?;
    let (mut result, mut position, mut count) = (Vec::with_capacity(text.len()), 0, 0);
    while count < max {
        let Some((start, end)) = search(lua, &mut matcher, position, anchored)? else { break };
        push(&mut result, &text[position..start])?;
        count += 1;
        replace(lua, &matcher, by, start, end, &mut result)?;
        position = end;
        if end == start {
            // An empty match: the next one begins behind the next byte.
            let Some(byte) = text.get(start) else { break };
            result.push(*byte);
            position += 1;
        }
        if anchored {
            break;
        }
    }
    charge(lua, result.len() / 16)?;
    push(&mut result, text.get(position..).unwrap_or_default())?;
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
            let captures = matcher.captures(lua, start, end)?;
            call_back(lua, || function.call::<Value>(captures))?
        }
        Value::Table(table) => {
            let first = matcher.captures(lua, start, end)?.pop_front().unwrap_or(Value::Nil);
            call_back(lua, || table.get::<Value>(first))?
        }
        Value::String(template) => return expand(lua, matcher, &template.as_bytes(), (start, end), result),
        Value::Integer(_) | Value::Number(_) => return push(result, by.to_string()?.as_bytes()),
        _ => return Err(Error::runtime("bad argument #3 to 'gsub' (string/function/table expected)")),
    };
    match value {
        Value::Nil | Value::Boolean(false) => push(result, &matcher.text[start..end]),
        Value::String(text) => push(result, &text.as_bytes()),
        Value::Integer(_) | Value::Number(_) => push(result, value.to_string()?.as_bytes()),
        other => Err(Error::runtime(format!("invalid replacement value (a {})", other.type_name()))),
    }
}

/// Puts a replacement together: `%1` to `%9` for captures, `%0` for the whole match.
fn expand(
    lua: &Lua,
    matcher: &Matcher<'_>,
    template: &[u8],
    (start, end): (usize, usize),
    result: &mut Vec<u8>,
) -> Result<()> {
    let mut bytes = template.iter();
    while let Some(byte) = bytes.next() {
        match (byte, if *byte == b'%' { bytes.next() } else { None }) {
            (b'%', Some(b'0')) => push(result, &matcher.text[start..end])?,
            (b'%', Some(digit)) if digit.is_ascii_digit() => {
                match matcher.capture(lua, usize::from(digit - b'1'), start, end)? {
                    Value::String(text) => push(result, &text.as_bytes())?,
                    position => push(result, position.to_string()?.as_bytes())?,
                }
            }
            (b'%', Some(other)) => push(result, &[*other])?,
            (byte, _) => push(result, &[*byte])?,
        }
    }
    Ok(())
}

/// Appends to a result, which must not become too long.
fn push(result: &mut Vec<u8>, text: &[u8]) -> Result<()> {
    if result.len() + text.len() > MAX_TEXT {
        return Err(Error::runtime("the result of gsub is too long"));
    }
    result.extend_from_slice(text);
    Ok(())
}
