//! Parameters of a query.

use std::borrow::Cow;

use http::StatusCode;

use super::refusal::AdminRefusal;

/// Parameters of a query, the last of each name.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Parses a query.
    pub(super) fn new(query: &'a str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| &**value)
    }

    /// A number from 0 to `max`.
    #[expect(clippy::needless_pass_by_value, reason = "a number")]
    pub(super) fn number<N: std::str::FromStr + PartialOrd + std::fmt::Display>(
        &self,
        name: &str,
        max: N,
    ) -> Result<Option<N>, String> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<N>() {
            Ok(number) if number <= max => Ok(Some(number)),
            _ => Err(format!("{name} must be a whole number from 0 to {max}")),
        }
    }

    /// Whether a write is only tried. Any other value than `true` and `false` is refused: a misspelt one must not write.
    pub(super) fn dry_run(&self) -> Result<bool, AdminRefusal> {
        self.flag(DRY_RUN)
    }

    /// Whether a flag is set, by any of its values.
    pub(super) fn flag(&self, name: &str) -> Result<bool, AdminRefusal> {
        let mut all = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value);
        all.try_fold(false, |is_set, value| match value {
            "true" | "1" | "" => Ok(true),
            "false" | "0" => Ok(is_set),
            _ => {
                let message = format!("{name} must be true or false");
                Err(AdminRefusal::Plain(StatusCode::BAD_REQUEST, message))
            }
        })
    }
}

/// The parameter of a write that is only tried.
const DRY_RUN: &str = "dry_run";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_never_mistaken_for_a_write() {
        for (query, expected) in [
            ("", Some(false)),
            ("dry_run=true", Some(true)),
            ("dry_run=1", Some(true)),
            ("dry_run", Some(true)),
            ("dry_run=", Some(true)),
            ("dry_run=false", Some(false)),
            ("dry_run=true&dry_run=false", Some(true)),
            ("dry_run=ture", None),
            ("dry_run=All", None),
        ] {
            assert_eq!(Query::new(query).dry_run().ok(), expected, "{query}");
        }
    }
}
