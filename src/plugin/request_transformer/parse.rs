//! From the text of an expression to its tree, by precedence. (Lua 5.1 Reference Manual, section 2.5.6.)

use std::borrow::Cow;

use http::HeaderName;

use super::{
    expression::{Comparison, Expression, LuaValue},
    token::{ExpressionToken, tokens},
};

/// So many nested or linked parts may an expression have.
const MOST: usize = 200;

/// Reads an expression.
///
/// # Errors
/// What cannot be read or is not supported.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let tokens = tokens(text)?;
    if tokens.len() > MOST {
        return Err(format!("it has more than {MOST} parts"));
    }
    let mut parser = ExpressionParser { tokens: &tokens };
    let expression = parser.or()?;
    match parser.next() {
        None => Ok(expression),
        Some(token) => Err(format!("{token} is not expected here")),
    }
}

struct ExpressionParser<'a> {
    tokens: &'a [ExpressionToken],
}

type Parsed = Result<Expression, String>;

impl<'a> ExpressionParser<'a> {
    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.comparison()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.concat()?;
        while let Some(how) = self.comparison_sign() {
            left = Expression::Compare(how, Box::new(left), Box::new(self.concat()?));
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

    fn concat(&mut self) -> Parsed {
        let left = self.unary()?;
        if self.sign("..") {
            return Ok(Expression::Concat(Box::new(left), Box::new(self.concat()?)));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        if self.word("not") {
            return Ok(Expression::Not(Box::new(self.unary()?)));
        }
        if self.sign("-") {
            return match self.next() {
                Some(ExpressionToken::Number(number)) => Ok(Expression::Literal(LuaValue::Number(-number))),
                _ => Err("`-` stands before numbers only".to_owned()),
            };
        }
        let mut value = self.primary()?;
        while self.sign(":") {
            value = self.method(value)?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Parsed {
        match self.next() {
            Some(ExpressionToken::Number(number)) => Ok(Expression::Literal(LuaValue::Number(*number))),
            Some(ExpressionToken::Text(text)) => {
                Ok(Expression::Literal(LuaValue::Text(Cow::Owned(text.clone()))))
            }
            Some(ExpressionToken::Sign("(")) => {
                let inner = self.or()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(ExpressionToken::Word(word)) => match word.as_str() {
                "nil" => Ok(Expression::Literal(LuaValue::Nil)),
                "true" => Ok(Expression::Literal(LuaValue::Boolean(true))),
                "false" => Ok(Expression::Literal(LuaValue::Boolean(false))),
                table => self.member(table),
            },
            Some(token) => Err(format!("{token} is not expected here")),
            None => Err("it ends too early".to_owned()),
        }
    }

    /// `.name`, `["name"]` or `[1]` of a table of the request.
    fn member(&mut self, table: &str) -> Parsed {
        if !["headers", "query_params", "uri_captures"].contains(&table) {
            return Err(format!("`{table}` is not known"));
        }
        if self.sign(".") {
            return match self.next() {
                Some(ExpressionToken::Word(name)) => named(table, name),
                _ => Err(format!("`{table}.` needs a name")),
            };
        }
        if !self.sign("[") {
            return Err(format!("`{table}` needs the name of a member, such as `{table}.x`"));
        }
        let member = match self.next() {
            Some(ExpressionToken::Text(name)) => named(table, name),
            Some(ExpressionToken::Number(place)) if table == "uri_captures" => group(*place),
            _ => Err(format!("`{table}[` needs a text")),
        };
        self.expect("]")?;
        member
    }

    fn method(&mut self, value: Expression) -> Parsed {
        let Some(ExpressionToken::Word(name)) = self.next() else {
            return Err("`:` needs the name of a method".to_owned());
        };
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.sign(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.or()?);
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

    fn is_next(&mut self, token: bool) -> bool {
        if token {
            self.next();
        }
        token
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(ExpressionToken::Word(found)) if found == word);
        self.is_next(found)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(ExpressionToken::Sign(found)) if *found == sign);
        self.is_next(found)
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }
}

/// The member of a table. Headers may be written with `_` for `-`, as nginx allows.
fn named(table: &str, name: &str) -> Parsed {
    match table {
        "headers" => HeaderName::try_from(name.replace('_', "-"))
            .map(Expression::Header)
            .map_err(|_| format!("`{name}` is not the name of a header")),
        "query_params" => Ok(Expression::Parameter(name.to_owned())),
        _ => Ok(Expression::Capture(name.to_owned())),
    }
}

fn group(place: f64) -> Parsed {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let whole = place as usize;
    if place.fract() == 0.0 && whole > 0 {
        Ok(Expression::Group(whole))
    } else {
        Err("groups are counted from 1".to_owned())
    }
}
