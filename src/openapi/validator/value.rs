//! Values that schemas are applied to: JSON, or the name of a member.

use serde_json::Value as Json;

/// A value; where it stands in memory is its identity.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'v> {
    /// A value of the instance.
    Json(&'v Json),
    /// The name of a member, which `propertyNames` is about.
    Name(&'v str),
}

/// A set of types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowedTypes(u8);

impl AllowedTypes {
    const NULL: u8 = 1;
    const BOOLEAN: u8 = 2;
    const INTEGER: u8 = 4;
    const FRACTION: u8 = 8;
    const STRING: u8 = 16;
    const ARRAY: u8 = 32;
    const OBJECT: u8 = 64;

    /// Lists and nothing else.
    pub(super) const LISTS: Self = Self(Self::ARRAY);
    /// Objects and nothing else.
    pub(super) const OBJECTS: Self = Self(Self::OBJECT);

    /// The type of this name; none if there is no such type.
    pub(super) fn named(name: &str) -> Self {
        Self(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::INTEGER | Self::FRACTION,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => 0,
        })
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is said about types.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether lists are among them.
    pub const fn array(self) -> bool {
        self.0 & Self::ARRAY != 0
    }

    /// Whether objects are among them.
    pub const fn object(self) -> bool {
        self.0 & Self::OBJECT != 0
    }

    /// Whether numbers are among them.
    pub const fn number(self) -> bool {
        self.0 & Self::INTEGER != 0
    }

    /// Whether truth values are among them.
    pub const fn boolean(self) -> bool {
        self.0 & Self::BOOLEAN != 0
    }

    /// Whether null is among them.
    pub const fn null(self) -> bool {
        self.0 & Self::NULL != 0
    }

    /// Whether texts are allowed.
    pub const fn text(self) -> bool {
        self.0 == 0 || self.0 & Self::STRING != 0
    }

    /// Whether the value is of one of them.
    pub(super) fn contain(self, value: Value<'_>) -> bool {
        let bits = match value {
            Value::Name(_) | Value::Json(Json::String(_)) => Self::STRING,
            Value::Json(Json::Null) => Self::NULL,
            Value::Json(Json::Bool(_)) => Self::BOOLEAN,
            Value::Json(Json::Array(_)) => Self::ARRAY,
            Value::Json(Json::Object(_)) => Self::OBJECT,
            Value::Json(Json::Number(number)) => {
                let both = Self::INTEGER | Self::FRACTION;
                if self.0 & both == Self::INTEGER {
                    let whole = super::number::Decimal::parse(number.as_str()).is_whole();
                    if whole { Self::INTEGER } else { Self::FRACTION }
                } else {
                    both
                }
            }
        };
        self.0 & bits != 0
    }
}

impl<'v> Value<'v> {
    /// The text, if it is one.
    pub(super) fn text(self) -> Option<&'v str> {
        match self {
            Self::Json(Json::String(text)) => Some(text),
            Self::Name(text) => Some(text),
            Self::Json(_) => None,
        }
    }

    /// The address, which is its identity while the instance lives. All empty names share one.
    pub(super) fn address(self) -> usize {
        match self {
            Self::Json(json) => std::ptr::from_ref(json).addr(),
            Self::Name(name) => name.as_ptr().addr(),
        }
    }

    /// Whether it has parts.
    pub(super) const fn is_container(self) -> bool {
        matches!(self, Self::Json(Json::Array(_) | Json::Object(_)))
    }
}
