//! Bounds of numbers and lengths.

use serde_json::Value as Json;

use super::{
    evaluate::Evaluation,
    instance::Instance,
    program::{Bound, Keyword, LengthKeyword},
};
use crate::{budget::Exhausted, openapi::decimal::Decimal};

impl<'v> Evaluation<'_, 'v, '_> {
    /// Whether a bound of a number or `multipleOf` holds.
    pub(super) fn number_holds(&self, keyword: &Keyword, number: &str) -> Result<bool, Exhausted> {
        self.budget.spend(number.len() as u64 / 8)?;
        let number = Decimal::parse(number);
        Ok(match keyword {
            Keyword::Bound(bound, limit) => {
                let order = number.compare(&Decimal::parse(limit));
                match bound {
                    Bound::Minimum => order.is_ge(),
                    Bound::Maximum => order.is_le(),
                    Bound::ExclusiveMinimum => order.is_gt(),
                    Bound::ExclusiveMaximum => order.is_lt(),
                }
            }
            Keyword::MultipleOf(step) => number.is_multiple_of(&Decimal::parse(step)),
            _ => true,
        })
    }

    /// Whether a bound of a length holds; it does for values that have no such length.
    pub(super) fn length_holds(
        &self,
        length: LengthKeyword,
        bound: u64,
        value: Instance<'v>,
    ) -> Result<bool, Exhausted> {
        let found = match (length, value) {
            (LengthKeyword::MinLength | LengthKeyword::MaxLength, value) => match value.text() {
                Some(text) => {
                    self.budget.spend(text.len() as u64 / 32)?;
                    text.chars().count()
                }
                None => return Ok(true),
            },
            (LengthKeyword::MinItems | LengthKeyword::MaxItems, Instance::Json(Json::Array(items))) => {
                items.len()
            }
            (
                LengthKeyword::MinProperties | LengthKeyword::MaxProperties,
                Instance::Json(Json::Object(members)),
            ) => members.len(),
            _ => return Ok(true),
        };
        Ok(match length {
            LengthKeyword::MinLength | LengthKeyword::MinItems | LengthKeyword::MinProperties => {
                found as u64 >= bound
            }
            _ => found as u64 <= bound,
        })
    }
}
