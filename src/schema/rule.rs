//! What else must hold of a value, rule by rule. Messages are Kong's.

use super::FieldRule;
use crate::document::Value;

impl FieldRule {
    /// Whether the value keeps the rule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match self {
            Self::OneOf(all) => {
                let fits = value.as_str().is_some_and(|it| all.contains(&it));
                if fits { Ok(()) } else { Err(format!("expected one of: {}", all.join(", "))) }
            }
            Self::OneOfNumbers(all) => {
                let fits = value.as_i64().is_some_and(|it| all.contains(&it));
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                if fits { Ok(()) } else { Err(format!("expected one of: {}", names.join(", "))) }
            }
            Self::Between(low, high) => {
                let fits = value.as_f64().is_some_and(|it| (*low..=*high).contains(&it));
                if fits { Ok(()) } else { Err(format!("value should be between {low} and {high}")) }
            }
            Self::NotEmpty => {
                if value.items().is_empty() {
                    Err("length must be at least 1".to_owned())
                } else {
                    Ok(())
                }
            }
            Self::Holds(holds) => holds(value),
            Self::Across(across) => across(value).map_or(Ok(()), |complaint| Err(complaint.message)),
        }
    }
}
