//! Patterns of Lua's `string.find`, `match`, `gmatch` and `gsub`, with a limit of steps.
//!
//! The library of Lua matches by backtracking in C, where no budget interrupts it: a pattern such as `.-.-.-x` on a long
//! header would hold a worker for minutes. (Lua 5.1 Reference Manual, section 5.4.1.)

use mlua::{Error, Function, IntoLua, Lua, LuaString, MultiValue, Result, Table, Value};

use super::{
    api::add,
    call::{LuaCall, Stop},
};

/// Steps of one call.
const MAX_STEPS: u32 = 2_000_000;

/// How deep items may be nested. (Lua: `MAXCCALLS`.)
const MAX_DEPTH: u32 = 200;

/// Groups of one pattern. (Lua: `LUA_MAXCAPTURES`.)
const MAX_CAPTURES: usize = 32;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternError {
    OverBudget,
    TooDeep,
    EndsWithPercent,
    MissingBracket,
    MissingFrontierSet,
    MissingBalanceArguments,
    InvalidCapture,
    TooManyCaptures,
}

impl PatternError {
    const fn message(self) -> &'static str {
        match self {
            Self::OverBudget => "the pattern takes too many steps on this text",
            Self::TooDeep => "pattern too complex",
            Self::EndsWithPercent => "malformed pattern (ends with '%')",
            Self::MissingBracket => "malformed pattern (missing ']')",
            Self::MissingFrontierSet => "missing '[' after '%f' in pattern",
            Self::MissingBalanceArguments => "unbalanced pattern",
            Self::InvalidCapture => "invalid capture index",
            Self::TooManyCaptures => "too many captures",
        }
    }
}

type Matched = std::result::Result<Option<usize>, PatternError>;

#[derive(Clone, Copy)]
enum CaptureLength {
    /// Its end is not reached.
    Open,
    /// A capture `()` of the position.
    Position,
    Bytes(usize),
}

/// One pattern on one text.
struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: [(usize, CaptureLength); MAX_CAPTURES],
    level: usize,
    steps: u32,
}

impl<'a> Matcher<'a> {
    const fn new(text: &'a [u8], pattern: &'a [u8]) -> Self {
        Self { text, pattern, captures: [(0, CaptureLength::Open); MAX_CAPTURES], level: 0, steps: MAX_STEPS }
    }

    /// The end of a match that starts at a byte.
    fn match_at(&mut self, start: usize) -> Matched {
        self.level = 0;
        self.matches(start, 0, 0)
    }

    /// The values of the captures; the whole match if the pattern has none.
    fn captures(&self, lua: &Lua, start: usize, end: usize) -> Result<MultiValue> {
        (0..self.level.max(1)).map(|number| self.capture(lua, number, start, end)).collect()
    }

    fn capture(&self, lua: &Lua, number: usize, start: usize, end: usize) -> Result<Value> {
        if number >= self.level {
            if number == 0 {
                return lua.create_string(&self.text[start..end])?.into_lua(lua);
            }
            return Err(Error::runtime(PatternError::InvalidCapture.message()));
        }
        match self.captures[number] {
            (from, CaptureLength::Bytes(length)) => {
                lua.create_string(&self.text[from..from + length])?.into_lua(lua)
            }
            (from, CaptureLength::Position) => Ok(Value::Number(from as f64 + 1.0)),
            (_, CaptureLength::Open) => Err(Error::runtime("unfinished capture")),
        }
    }

    fn step(&mut self) -> std::result::Result<(), PatternError> {
        self.steps = self.steps.checked_sub(1).ok_or(PatternError::OverBudget)?;
        Ok(())
    }

    /// Matches the pattern from `p` on with the text from `s` on.
    fn matches(&mut self, mut s: usize, mut p: usize, depth: u32) -> Matched {
        if depth > MAX_DEPTH {
            return Err(PatternError::TooDeep);
        }
        loop {
            self.step()?;
            let Some(&item) = self.pattern.get(p) else { return Ok(Some(s)) };
            match item {
                b'(' => return self.start_capture(s, p, depth),
                b')' => return self.end_capture(s, p + 1, depth),
                b'$' if p + 1 == self.pattern.len() => return Ok((s == self.text.len()).then_some(s)),
                b'%' => match self.pattern.get(p + 1) {
                    Some(b'b') => match self.balance(s, p + 2)? {
                        Some(end) => {
                            s = end;
                            p += 4;
                            continue;
                        }
                        None => return Ok(None),
                    },
                    Some(b'f') => {
                        p += 2;
                        if self.pattern.get(p) != Some(&b'[') {
                            return Err(PatternError::MissingFrontierSet);
                        }
                        let end = self.item_end(p)?;
                        let before = if s == 0 { 0 } else { self.text[s - 1] };
                        let here = self.text.get(s).copied().unwrap_or(0);
                        if self.in_set(before, p, end - 1) || !self.in_set(here, p, end - 1) {
                            return Ok(None);
                        }
                        p = end;
                        continue;
                    }
                    Some(digit) if digit.is_ascii_digit() => match self.back_reference(s, *digit)? {
                        Some(end) => {
                            s = end;
                            p += 2;
                            continue;
                        }
                        None => return Ok(None),
                    },
                    _ => (),
                },
                _ => (),
            }
            let end = self.item_end(p)?;
            match self.pattern.get(end) {
                Some(b'?') => {
                    if self.single(s, p, end)
                        && let Some(matched) = self.matches(s + 1, end + 1, depth + 1)?
                    {
                        return Ok(Some(matched));
                    }
                    p = end + 1;
                }
                Some(b'+') => {
                    return if self.single(s, p, end) {
                        self.longest(s + 1, p, end, depth)
                    } else {
                        Ok(None)
                    };
                }
                Some(b'*') => return self.longest(s, p, end, depth),
                Some(b'-') => return self.shortest(s, p, end, depth),
                _ if self.single(s, p, end) => {
                    s += 1;
                    p = end;
                }
                _ => return Ok(None),
            }
        }
    }

    fn longest(&mut self, s: usize, p: usize, end: usize, depth: u32) -> Matched {
        let mut count = 0;
        while self.single(s + count, p, end) {
            self.step()?;
            count += 1;
        }
        loop {
            if let Some(matched) = self.matches(s + count, end + 1, depth + 1)? {
                return Ok(Some(matched));
            }
            let Some(fewer) = count.checked_sub(1) else { return Ok(None) };
            count = fewer;
        }
    }

    fn shortest(&mut self, mut s: usize, p: usize, end: usize, depth: u32) -> Matched {
        loop {
            if let Some(matched) = self.matches(s, end + 1, depth + 1)? {
                return Ok(Some(matched));
            }
            if !self.single(s, p, end) {
                return Ok(None);
            }
            self.step()?;
            s += 1;
        }
    }

    fn start_capture(&mut self, s: usize, p: usize, depth: u32) -> Matched {
        let is_position = self.pattern.get(p + 1) == Some(&b')');
        let (length, next) =
            if is_position { (CaptureLength::Position, p + 2) } else { (CaptureLength::Open, p + 1) };
        let slot = self.captures.get_mut(self.level).ok_or(PatternError::TooManyCaptures)?;
        *slot = (s, length);
        self.level += 1;
        let matched = self.matches(s, next, depth + 1)?;
        if matched.is_none() {
            self.level -= 1;
        }
        Ok(matched)
    }

    fn end_capture(&mut self, s: usize, p: usize, depth: u32) -> Matched {
        let open =
            (0..self.level).rev().find(|number| matches!(self.captures[*number].1, CaptureLength::Open));
        let number = open.ok_or(PatternError::InvalidCapture)?;
        self.captures[number].1 = CaptureLength::Bytes(s - self.captures[number].0);
        let matched = self.matches(s, p, depth + 1)?;
        if matched.is_none() {
            self.captures[number].1 = CaptureLength::Open;
        }
        Ok(matched)
    }

    /// `%bxy`: from an `x` to the `y` that closes it.
    fn balance(&mut self, s: usize, p: usize) -> Matched {
        let (Some(&open), Some(&close)) = (self.pattern.get(p), self.pattern.get(p + 1)) else {
            return Err(PatternError::MissingBalanceArguments);
        };
        if self.text.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (n, byte) in self.text[s + 1..].iter().enumerate() {
            self.steps = self.steps.checked_sub(1).ok_or(PatternError::OverBudget)?;
            if *byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(s + n + 2));
                }
            } else if *byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    fn back_reference(&mut self, s: usize, digit: u8) -> Matched {
        let number = usize::from(digit).checked_sub(usize::from(b'1')).ok_or(PatternError::InvalidCapture)?;
        if number >= self.level {
            return Err(PatternError::InvalidCapture);
        }
        let (from, CaptureLength::Bytes(length)) = self.captures[number] else {
            return Err(PatternError::InvalidCapture);
        };
        self.step()?;
        let equal = self.text.get(s..s + length).is_some_and(|text| text == &self.text[from..from + length]);
        Ok(equal.then_some(s + length))
    }

    /// The end of the item at `p`, without what says how often it may stand.
    fn item_end(&self, p: usize) -> std::result::Result<usize, PatternError> {
        match self.pattern.get(p) {
            Some(b'%') if p + 1 >= self.pattern.len() => Err(PatternError::EndsWithPercent),
            Some(b'%') => Ok(p + 2),
            Some(b'[') => {
                let mut at = p + 1;
                if self.pattern.get(at) == Some(&b'^') {
                    at += 1;
                }
                // A bracket that stands first is one of the set.
                loop {
                    match self.pattern.get(at) {
                        None => return Err(PatternError::MissingBracket),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                    if self.pattern.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the byte at `s` is one of the item from `p` to `end`.
    fn single(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            b'%' => is_of_class(byte, self.pattern[p + 1]),
            b'[' => self.in_set(byte, p, end - 1),
            literal => literal == byte,
        }
    }

    /// Whether a byte is in the set from `[` at `p` to `]` at `close`.
    fn in_set(&self, byte: u8, p: usize, close: usize) -> bool {
        let (negated, mut at) =
            if self.pattern.get(p + 1) == Some(&b'^') { (true, p + 2) } else { (false, p + 1) };
        let mut found = false;
        while at < close {
            if self.pattern[at] == b'%' {
                found |= is_of_class(byte, self.pattern[at + 1]);
                at += 2;
            } else if at + 2 < close && self.pattern[at + 1] == b'-' {
                found |= (self.pattern[at]..=self.pattern[at + 2]).contains(&byte);
                at += 3;
            } else {
                found |= self.pattern[at] == byte;
                at += 1;
            }
        }
        found != negated
    }
}

fn is_of_class(byte: u8, class: u8) -> bool {
    let found = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    if class.is_ascii_uppercase() { !found } else { found }
}
