//! Expressions of templates: a subset of Lua with values of the request, strings, numbers, comparisons, `and`, `or`, `not`,
//! `..` and some string methods. (Lua 5.1 Reference Manual, section 2.5.)

use std::borrow::Cow;

use http::HeaderName;

use crate::plugin::Exchange;

/// A parsed expression.
#[derive(Debug, PartialEq)]
pub(super) enum Expression {
    /// `nil`, `true`, `false`, a number or a string.
    Literal(LuaValue<'static>),
    /// `headers.x`.
    Header(HeaderName),
    /// `query_params.x`.
    Parameter(String),
    /// `uri_captures.x`.
    Capture(String),
    /// `uri_captures[1]`.
    Group(usize),
    /// `not a`.
    Not(Box<Expression>),
    /// `a and b`.
    And(Box<Expression>, Box<Expression>),
    /// `a or b`.
    Or(Box<Expression>, Box<Expression>),
    /// `a .. b`.
    Concat(Box<Expression>, Box<Expression>),
    /// `a == b` and the other comparisons.
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// `a:sub(i, j)`; the last argument may be missing.
    Sub(Box<Expression>, Box<Expression>, Option<Box<Expression>>),
    /// `a:lower()`.
    Lower(Box<Expression>),
    /// `a:upper()`.
    Upper(Box<Expression>),
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `==`.
    Equal,
    /// `~=`.
    Unequal,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// A value of Lua.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LuaValue<'a> {
    /// `nil`.
    Nil,
    /// A boolean.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(Cow<'a, str>),
}

impl Expression {
    /// Its value for a request. Errors of Lua, such as a method of nil, yield nil; Kong responds with 500 instead.
    pub(super) fn evaluate<'a>(&'a self, exchange: &'a Exchange) -> LuaValue<'a> {
        let value = |operand: &'a Self| operand.evaluate(exchange);
        match self {
            Self::Literal(LuaValue::Text(text)) => LuaValue::Text(Cow::Borrowed(text)),
            Self::Literal(literal) => literal.clone(),
            Self::Header(name) => {
                let header = exchange.upstream_field(name).and_then(|value| value.to_str().ok());
                header.map_or(LuaValue::Nil, |text| LuaValue::Text(Cow::Borrowed(text)))
            }
            Self::Parameter(name) => parameter(exchange.upstream_query().unwrap_or_default(), name),
            Self::Capture(name) => {
                capture(exchange.captures.iter().find(|(capture_name, _)| capture_name == name))
            }
            Self::Group(place) => capture(place.checked_sub(1).and_then(|n| exchange.captures.get(n))),
            Self::Not(operand) => LuaValue::Boolean(!value(operand).is_true()),
            Self::And(left, right) => {
                Some(value(left)).filter(|operand| !operand.is_true()).unwrap_or_else(|| value(right))
            }
            Self::Or(left, right) => {
                Some(value(left)).filter(LuaValue::is_true).unwrap_or_else(|| value(right))
            }
            Self::Concat(left, right) => value(left).concat(value(right)),
            Self::Compare(how, left, right) => LuaValue::Boolean(how.holds(&value(left), &value(right))),
            Self::Sub(text, from, to) => {
                let to = to.as_ref().map_or(LuaValue::Number(-1.0), |position| value(position));
                value(text).sub(&value(from), &to)
            }
            Self::Lower(text) => value(text).map(str::to_ascii_lowercase),
            Self::Upper(text) => value(text).map(str::to_ascii_uppercase),
        }
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> LuaValue<'a> {
    for part in query.split('&') {
        let parameter = form_urlencoded::parse(part.as_bytes()).find(|(key, _)| key == name);
        if let Some((_, value)) = parameter {
            return if part.contains('=') { LuaValue::Text(value) } else { LuaValue::Boolean(true) };
        }
    }
    LuaValue::Nil
}

fn capture(found: Option<&(String, String)>) -> LuaValue<'_> {
    found.map_or(LuaValue::Nil, |(_, text)| LuaValue::Text(Cow::Borrowed(text)))
}

impl<'a> LuaValue<'a> {
    /// Whether it is true as a condition: all values but nil and false are.
    pub(super) const fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Boolean(false))
    }

    /// Its text in a template; empty for nil and false.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Nil | Self::Boolean(false) => Cow::Borrowed(""),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => text,
        }
    }

    fn concat(self, other: Self) -> Self {
        let can_concat = |operand: &Self| matches!(operand, Self::Number(_) | Self::Text(_));
        if !can_concat(&self) || !can_concat(&other) {
            return Self::Nil;
        }
        let mut text = self.into_text().into_owned();
        text.push_str(&other.into_text());
        Self::Text(Cow::Owned(text))
    }

    fn map(self, change: impl Fn(&str) -> String) -> Self {
        if let Self::Text(text) = self { Self::Text(Cow::Owned(change(&text))) } else { Self::Nil }
    }

    /// `string.sub`: the bytes from one position to another, both included. Positions begin at 1; negative ones count from
    /// the end.
    fn sub(self, from: &Self, to: &Self) -> Self {
        let (Self::Text(text), Self::Number(from), Self::Number(to)) = (self, from, to) else {
            return Self::Nil;
        };
        let position = |at: f64| if at < 0.0 { length(&text) + at + 1.0 } else { at };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts of floats saturate"
        )]
        let (start, end) = (position(*from).max(1.0) as usize - 1, position(*to).max(0.0) as usize);
        let end = end.min(text.len());
        if start >= end {
            return Self::Text(Cow::Borrowed(""));
        }
        Self::Text(match text {
            Cow::Borrowed(text) => match text.get(start..end) {
                Some(part) => Cow::Borrowed(part),
                None => lossy(text, start, end),
            },
            Cow::Owned(text) => lossy(&text, start, end).into_owned().into(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "no text of a request is that long")]
const fn length(text: &str) -> f64 {
    text.len() as f64
}

/// A part of a string, with replacement characters where it cuts a character.
fn lossy(text: &str, start: usize, end: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(text.as_bytes().get(start..end).unwrap_or_default())
}

impl Comparison {
    /// Whether the comparison is true. Values of different types are unequal and have no order.
    fn holds(self, left: &LuaValue<'_>, right: &LuaValue<'_>) -> bool {
        let order = match (left, right) {
            (LuaValue::Number(left), LuaValue::Number(right)) => left.partial_cmp(right),
            (LuaValue::Text(left), LuaValue::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
            _ => None,
        };
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}
