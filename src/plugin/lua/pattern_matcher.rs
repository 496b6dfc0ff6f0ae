//! Matcher of Lua's patterns, with a limit of steps. (Lua 5.1 Reference Manual, section 5.4.1.)

use mlua::{Error, IntoLua, Lua, MultiValue, Result, Value};

/// Steps of one call.
const MAX_STEPS: u32 = 2_000_000;

/// How deep items may be nested. (Lua: `MAXCCALLS`.)
const MAX_DEPTH: u32 = 200;

/// Groups of one pattern. (Lua: `LUA_MAXCAPTURES`.)
const MAX_CAPTURES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
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
    pub(super) const fn message(self) -> &'static str {
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

pub(super) type Matched = std::result::Result<Option<usize>, PatternError>;

#[derive(Clone, Copy)]
enum CaptureLength {
    /// Its end is not reached.
    Open,
    /// A capture `()` of the position.
    Position,
    Bytes(usize),
}

/// One pattern on one text.
pub(super) struct Matcher<'a> {
    pub(super) text: &'a [u8],
    pattern: &'a [u8],
    captures: [(usize, CaptureLength); MAX_CAPTURES],
    pub(super) level: usize,
    steps: u32,
}

impl<'a> Matcher<'a> {
    pub(super) const fn new(text: &'a [u8], pattern: &'a [u8]) -> Self {
        Self { text, pattern, captures: [(0, CaptureLength::Open); MAX_CAPTURES], level: 0, steps: MAX_STEPS }
    }

    /// Steps that are left.
    pub(super) const fn steps(&self) -> u32 {
        self.steps
    }

    /// The first match from a byte on, or only there: its start and end.
    ///
    /// # Errors
    /// The pattern is malformed, or takes too many steps.
    pub(super) fn search(
        &mut self,
        from: usize,
        anchored: bool,
    ) -> std::result::Result<Option<(usize, usize)>, PatternError> {
        let last = if anchored { from } else { self.text.len() };
        for start in from..=last {
            if let Some(end) = self.match_at(start)? {
                return Ok(Some((start, end)));
            }
        }
        Ok(None)
    }

    /// The end of a match that starts at a byte.
    fn match_at(&mut self, start: usize) -> Matched {
        self.level = 0;
        self.matches(start, 0, 0)
    }

    /// The values of the captures; the whole match if the pattern has none.
    pub(super) fn captures(&self, lua: &Lua, start: usize, end: usize) -> Result<MultiValue> {
        (0..self.level.max(1)).map(|number| self.capture(lua, number, start, end)).collect()
    }

    pub(super) fn capture(&self, lua: &Lua, number: usize, start: usize, end: usize) -> Result<Value> {
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

    /// Takes the steps of reading so many bytes; the next step notices that none are left.
    fn read(&mut self, bytes: usize) {
        self.steps = self.steps.saturating_sub(u32::try_from(bytes / 16).unwrap_or(u32::MAX));
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
        self.read(length);
        let equal = self.text.get(s..s + length).is_some_and(|text| text == &self.text[from..from + length]);
        Ok(equal.then_some(s + length))
    }

    /// The end of the item at `p`, without what says how often it may stand.
    fn item_end(&mut self, p: usize) -> std::result::Result<usize, PatternError> {
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
                        self.read(at - p);
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the byte at `s` is one of the item from `p` to `end`.
    fn single(&mut self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            b'%' => is_of_class(byte, self.pattern[p + 1]),
            b'[' => {
                self.read(end - p);
                self.in_set(byte, p, end - 1)
            }
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
