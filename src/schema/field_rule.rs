//! Rules of the values of fields. Messages are Kong's.

use super::FieldRule;
use crate::document::Value;

impl FieldRule {
    /// Checks that a value keeps the rule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match self {
            Self::OneOf(all) => {
                let is_allowed = value.as_str().is_some_and(|value| all.contains(&value));
                if is_allowed { Ok(()) } else { Err(format!("expected one of: {}", all.join(", "))) }
            }
            Self::OneOfNumbers(all) => {
                let is_allowed = value.as_i64().is_some_and(|value| all.contains(&value));
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                if is_allowed { Ok(()) } else { Err(format!("expected one of: {}", names.join(", "))) }
            }
            Self::Between(low, high) => {
                let is_allowed = value.as_f64().is_some_and(|number| (*low..=*high).contains(&number));
                if is_allowed { Ok(()) } else { Err(format!("value should be between {low} and {high}")) }
            }
            Self::Above(bound) => {
                let is_allowed = value.as_f64().is_some_and(|number| number > *bound);
                if is_allowed { Ok(()) } else { Err(format!("value must be greater than {bound}")) }
            }
            Self::NotEmpty => {
                if value.items().is_empty() {
                    Err("length must be at least 1".to_owned())
                } else {
                    Ok(())
                }
            }
            Self::Holds(holds) => holds(value),
            Self::Across(across) => across(value).map_or(Ok(()), |fault| Err(fault.message)),
        }
    }
}
