//! Instances that schemas are applied to, and sets of their types.

use serde_json::Value as Json;

/// A value that a schema is applied to; its address in memory is its identity.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instance<'v> {
    /// The value as a whole, or a part of it.
    Json(&'v Json),
    /// The name of a property, which `propertyNames` applies to.
    PropertyName(&'v str),
}

/// A set of types; the empty set means that a schema does not restrict types.
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

    /// Arrays only.
    pub(super) const ARRAYS: Self = Self(Self::ARRAY);
    /// Objects only.
    pub(super) const OBJECTS: Self = Self(Self::OBJECT);

    /// The set with the type of this name; empty if there is no such type.
    pub(super) fn from_name(name: &str) -> Self {
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

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether types are not restricted.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether arrays are among the types.
    pub const fn allows_arrays(self) -> bool {
        self.0 & Self::ARRAY != 0
    }

    /// Whether objects are among the types.
    pub const fn allows_objects(self) -> bool {
        self.0 & Self::OBJECT != 0
    }

    /// Whether numbers are among the types.
    pub const fn allows_numbers(self) -> bool {
        self.0 & Self::INTEGER != 0
    }

    /// Whether booleans are among the types.
    pub const fn allows_booleans(self) -> bool {
        self.0 & Self::BOOLEAN != 0
    }

    /// Whether null is among the types.
    pub const fn allows_null(self) -> bool {
        self.0 & Self::NULL != 0
    }

    /// Whether strings are among the types, or types are not restricted.
    pub const fn allows_strings(self) -> bool {
        self.0 == 0 || self.0 & Self::STRING != 0
    }

    /// Whether the value has one of the types.
    pub(super) fn allows(self, value: Instance<'_>) -> bool {
        let bits = match value {
            Instance::PropertyName(_) | Instance::Json(Json::String(_)) => Self::STRING,
            Instance::Json(Json::Null) => Self::NULL,
            Instance::Json(Json::Bool(_)) => Self::BOOLEAN,
            Instance::Json(Json::Array(_)) => Self::ARRAY,
            Instance::Json(Json::Object(_)) => Self::OBJECT,
            Instance::Json(Json::Number(number)) => {
                let both = Self::INTEGER | Self::FRACTION;
                if self.0 & both == Self::INTEGER {
                    let whole = crate::openapi::decimal::Decimal::parse(number.as_str()).is_whole();
                    if whole { Self::INTEGER } else { Self::FRACTION }
                } else {
                    both
                }
            }
        };
        self.0 & bits != 0
    }
}

impl<'v> Instance<'v> {
    /// The text of a string or a name.
    pub(super) fn text(self) -> Option<&'v str> {
        match self {
            Self::Json(Json::String(text)) => Some(text),
            Self::PropertyName(text) => Some(text),
            Self::Json(_) => None,
        }
    }

    /// The address, which identifies the value while it lives. All empty names share one address; they are equal.
    pub(super) fn address(self) -> usize {
        match self {
            Self::Json(json) => std::ptr::from_ref(json).addr(),
            Self::PropertyName(name) => name.as_ptr().addr(),
        }
    }

    /// Whether it is an array or an object.
    pub(super) const fn is_container(self) -> bool {
        matches!(self, Self::Json(Json::Array(_) | Json::Object(_)))
    }
}
