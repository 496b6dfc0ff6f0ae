//! Templates of error bodies. (Kong: `error_template_html` and its like.)

use std::fmt;

use super::ErrorFormat;
use crate::request_id::RequestId;

/// Templates of error bodies; a format without a template has the default body.
#[derive(Clone, Debug, Default)]
pub struct ErrorTemplates(Vec<(ErrorFormat, ErrorTemplate)>);

/// A text with placeholders for a message and the id of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ErrorTemplate {
    pieces: Vec<TemplatePiece>,
    /// Length of all texts, in bytes.
    length: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum TemplatePiece {
    Text(Box<str>),
    Message,
    Id,
}

/// Error: a template with more than two placeholders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateError {
    placeholders: usize,
}

impl ErrorTemplates {
    /// Sets the template of a format: the first `%s` is replaced with the message, the second with the id of the request, and
    /// `%%` with a percent sign; any other percent sign stays.
    ///
    /// # Errors
    /// If there are more than two `%s`.
    pub fn set(&mut self, format: ErrorFormat, text: &str) -> Result<(), TemplateError> {
        self.0.push((format, ErrorTemplate::new(text)?));
        Ok(())
    }

    /// Whether there are no templates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, format: ErrorFormat) -> Option<&ErrorTemplate> {
        self.0.iter().find(|(own, _)| *own == format).map(|(_, template)| template)
    }
}

impl ErrorTemplate {
    fn new(text: &str) -> Result<Self, TemplateError> {
        let (mut pieces, mut plain, mut placeholders) = (Vec::new(), String::new(), 0);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('s') {
                pieces.push(TemplatePiece::Text(std::mem::take(&mut plain).into()));
                pieces.push(if placeholders == 0 { TemplatePiece::Message } else { TemplatePiece::Id });
                placeholders += 1;
                rest = after;
            } else {
                plain.push('%');
                rest = rest.strip_prefix('%').unwrap_or(rest);
            }
        }
        pieces.push(TemplatePiece::Text((plain + rest).into()));
        if placeholders > 2 {
            return Err(TemplateError { placeholders });
        }
        let length = pieces
            .iter()
            .map(|piece| if let TemplatePiece::Text(text) = piece { text.len() } else { 0 })
            .sum();
        Ok(Self { pieces, length })
    }

    /// Makes the body; `message` is already escaped for its format.
    pub(super) fn fill(&self, message: &str, id: &RequestId) -> String {
        let id = id.as_str();
        let mut body = String::with_capacity(self.length + message.len() + id.len());
        for piece in &self.pieces {
            body.push_str(match piece {
                TemplatePiece::Text(text) => text,
                TemplatePiece::Message => message,
                TemplatePiece::Id => id,
            });
        }
        body
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "it has {} placeholders (`%s`), where there is only a message and the id of the request",
            self.placeholders
        )
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, usize>) {
        let id = RequestId::from(7);
        let filled =
            ErrorTemplate::new(text).map(|template| template.fill("m%s", &id).replace(id.as_str(), "<id>"));
        assert_eq!(
            filled,
            expected.map(str::to_owned).map_err(|placeholders| TemplateError { placeholders }),
            "{text}"
        );
    }

    #[test]
    fn a_template_has_placeholders_for_a_message_and_an_id() {
        check("", Ok(""));
        check("sorry", Ok("sorry"));
        check("%s", Ok("m%s"));
        check("a %s b %s c", Ok("a m%s b <id> c"));
        check("%s%s", Ok("m%s<id>"));
        check("width: 100%; 5%% of %S %s%", Ok("width: 100%; 5% of %S m%s%"));
        check("%%s %s", Ok("%s m%s"));
        check("%s %s %s", Err(3));
    }
}
