//! Recursive-descent parser of expressions. (Lua 5.1 Reference Manual, section 2.5.6.)

use std::borrow::Cow;

use http::HeaderName;

use super::{
    expression::{Comparison, Expression, LuaValue},
    token::{ExpressionToken, tokenize},
};

/// The maximum number of tokens of an expression, which also bounds the recursion.
const MAX_TOKENS: usize = 200;

/// Parses an expression.
///
/// # Errors
/// The part that is not valid or not supported.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let tokens = tokenize(text)?;
    if tokens.len() > MAX_TOKENS {
        return Err(format!("it has more than {MAX_TOKENS} parts"));
    }
    let mut parser = ExpressionParser { tokens: &tokens };
    let expression = parser.parse_or()?;
    match parser.next() {
        None => Ok(expression),
        Some(token) => Err(format!("{token} is not expected here")),
    }
}

struct ExpressionParser<'a> {
    tokens: &'a [ExpressionToken],
}

type ParseResult = Result<Expression, String>;

impl<'a> ExpressionParser<'a> {
    fn parse_or(&mut self) -> ParseResult {
        let mut left = self.parse_and()?;
        while self.accept_word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.parse_and()?));
        }
        Ok(left)
    }

    fn parse_and(&mut self) -> ParseResult {
        let mut left = self.parse_comparison()?;
        while self.accept_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.parse_comparison()?));
        }
        Ok(left)
    }

    fn parse_comparison(&mut self) -> ParseResult {
        let mut left = self.parse_concat()?;
        while let Some(how) = self.comparison_sign() {
            left = Expression::Compare(how, Box::new(left), Box::new(self.parse_concat()?));
        }
        Ok(left)
    }

    fn comparison_sign(&mut self) -> Option<Comparison> {
        let Some(ExpressionToken::Sign(sign)) = self.tokens.first() else { return None };
        let how = match *sign {
            "==" => Comparison::Equal,
            "~=" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.next();
        Some(how)
    }

    fn parse_concat(&mut self) -> ParseResult {
        let left = self.parse_unary()?;
        if self.accept_sign("..") {
            return Ok(Expression::Concat(Box::new(left), Box::new(self.parse_concat()?)));
        }
        Ok(left)
    }

    fn parse_unary(&mut self) -> ParseResult {
        if self.accept_word("not") {
            return Ok(Expression::Not(Box::new(self.parse_unary()?)));
        }
        if self.accept_sign("-") {
            return match self.next() {
                Some(ExpressionToken::Number(number)) => Ok(Expression::Literal(LuaValue::Number(-number))),
                _ => Err("`-` stands before numbers only".to_owned()),
            };
        }
        let mut value = self.parse_primary()?;
        while self.accept_sign(":") {
            value = self.parse_method(value)?;
        }
        Ok(value)
    }

    fn parse_primary(&mut self) -> ParseResult {
        match self.next() {
            Some(ExpressionToken::Number(number)) => Ok(Expression::Literal(LuaValue::Number(*number))),
            Some(ExpressionToken::Text(text)) => {
                Ok(Expression::Literal(LuaValue::Text(Cow::Owned(text.clone()))))
            }
            Some(ExpressionToken::Sign("(")) => {
                let inner = self.parse_or()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(ExpressionToken::Word(word)) => match word.as_str() {
                "nil" => Ok(Expression::Literal(LuaValue::Nil)),
                "true" => Ok(Expression::Literal(LuaValue::Boolean(true))),
                "false" => Ok(Expression::Literal(LuaValue::Boolean(false))),
                table => self.parse_member(table),
            },
            Some(token) => Err(format!("{token} is not expected here")),
            None => Err("it ends too early".to_owned()),
        }
    }

    /// `.name`, `["name"]` or `[1]` of a table of the request.
    fn parse_member(&mut self, table: &str) -> ParseResult {
        if !["headers", "query_params", "uri_captures"].contains(&table) {
            return Err(format!("`{table}` is not known"));
        }
        if self.accept_sign(".") {
            return match self.next() {
                Some(ExpressionToken::Word(name)) => table_member(table, name),
                _ => Err(format!("`{table}.` needs a name")),
            };
        }
        if !self.accept_sign("[") {
            return Err(format!("`{table}` needs the name of a member, such as `{table}.x`"));
        }
        let member = match self.next() {
            Some(ExpressionToken::Text(name)) => table_member(table, name),
            Some(ExpressionToken::Number(position)) if table == "uri_captures" => capture_group(*position),
            _ => Err(format!("`{table}[` needs a text")),
        };
        self.expect("]")?;
        member
    }

    fn parse_method(&mut self, value: Expression) -> ParseResult {
        let Some(ExpressionToken::Word(name)) = self.next() else {
            return Err("`:` needs the name of a method".to_owned());
        };
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.accept_sign(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.parse_or()?);
        }
        let value = Box::new(value);
        let mut arguments = arguments.into_iter().map(Box::new);
        match (name.as_str(), arguments.next(), arguments.next(), arguments.next()) {
            ("lower", None, ..) => Ok(Expression::Lower(value)),
            ("upper", None, ..) => Ok(Expression::Upper(value)),
            ("sub", Some(from), to, None) => Ok(Expression::Sub(value, from, to)),
            _ => Err(format!("`:{name}` is not supported with these arguments")),
        }
    }

    fn next(&mut self) -> Option<&'a ExpressionToken> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn advance_if(&mut self, token: bool) -> bool {
        if token {
            self.next();
        }
        token
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_accepted = matches!(self.tokens.first(), Some(ExpressionToken::Word(found)) if found == word);
        self.advance_if(is_accepted)
    }

    fn accept_sign(&mut self, sign: &str) -> bool {
        let is_accepted = matches!(self.tokens.first(), Some(ExpressionToken::Sign(found)) if *found == sign);
        self.advance_if(is_accepted)
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.accept_sign(sign) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }
}

/// A member of a table. Headers may be written with `_` for `-`, as in nginx.
fn table_member(table: &str, name: &str) -> ParseResult {
    match table {
        "headers" => HeaderName::try_from(name.replace('_', "-"))
            .map(Expression::Header)
            .map_err(|_| format!("`{name}` is not the name of a header")),
        "query_params" => Ok(Expression::Parameter(name.to_owned())),
        _ => Ok(Expression::Capture(name.to_owned())),
    }
}

fn capture_group(position: f64) -> ParseResult {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let whole = position as usize;
    if position.fract() == 0.0 && whole > 0 {
        Ok(Expression::Group(whole))
    } else {
        Err("groups are counted from 1".to_owned())
    }
}
