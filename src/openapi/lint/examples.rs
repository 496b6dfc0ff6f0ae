//! Checks for examples that are not valid by their schema, and for schemas that no value satisfies.

use crate::{
    diag::Diagnostic,
    document::{Dialect, NodePath, Value, read},
    openapi::{
        Api, DocumentNode,
        messages::NO_SAMPLE,
        sample::{Direction, KeywordFault, Sampler},
    },
};

use super::{
    LintFindings,
    visit::{ExampleClaim, ExampleKind, LintPlace, LintVisitor},
    walk::walk,
};

/// Bound on the schemas that are evaluated for one document: a hundred times what a large document needs.
const MAX_EFFORT: u64 = 20_000_000;

pub(super) fn check(api: &Api, findings: &mut LintFindings) {
    let [response, request] = [Direction::Response, Direction::Request]
        .map(|direction| Sampler::new(&api.library).direction(direction));
    walk(api, &mut ExampleLint { response, request, findings });
}

struct ExampleLint<'a> {
    response: Sampler<'a>,
    request: Sampler<'a>,
    findings: &'a mut LintFindings,
}

impl LintVisitor for ExampleLint<'_> {
    fn visit_example(&mut self, example: &ExampleClaim<'_>) {
        if self.is_exhausted() {
            return;
        }
        let faults = self.find_faults(example.schema, example.value, example.direction);
        let [first, more @ ..] = &faults[..] else { return };
        let kind = match example.kind {
            ExampleKind::Example => "example",
            ExampleKind::Default => "default",
        };
        if let Some(parsed) = parse_json_text(example.value)
            && self.find_faults(example.schema, &parsed, example.direction).is_empty()
        {
            let message =
                format!("this {kind} is JSON in a string, where the schema asks for the value itself");
            let diagnostic = example.place.diagnostic(Diagnostic::warning, message);
            self.findings
                .add(diagnostic.help("write the value without quotes; responses contain it without them"));
            return;
        }
        let severity = match example.kind {
            ExampleKind::Example => Diagnostic::error,
            ExampleKind::Default => Diagnostic::warning,
        };
        let message = format!("this {kind} breaks its schema: {}", first.message);
        let mut diagnostic = example.place.diagnostic(severity, message);
        diagnostic.path = diagnostic.path.join(first.at.steps());
        self.findings.add(match more {
            [] => diagnostic,
            more => diagnostic.help(summarize(more)),
        });
    }

    fn visit_body_schema(
        &mut self,
        schema: &DocumentNode,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
    ) {
        if self.is_exhausted() {
            return;
        }
        let sampler = if direction == Some(Direction::Request) { &self.request } else { &self.response };
        let sample = sampler.sample(schema);
        if sample.valid {
            return;
        }
        let diagnostic = place.diagnostic(Diagnostic::warning, NO_SAMPLE).key();
        self.findings.add(match sample.notes.first().filter(|_| sample.notes.len() > 1) {
            Some(note) => diagnostic.help(note),
            None => diagnostic,
        });
    }
}

impl ExampleLint<'_> {
    /// Whether the bound on the effort is reached, which is reported.
    fn is_exhausted(&mut self) -> bool {
        let is_exhausted = self.request.effort() + self.response.effort() > MAX_EFFORT;
        if is_exhausted {
            let message =
                "the schemas take too long to evaluate, so not every example was checked against its schema";
            self.findings.add(Diagnostic::warning(NodePath::root(), message));
        }
        is_exhausted
    }

    /// The faults of a value. If the direction is not known, a value that is valid in a request has none; for any
    /// other, the faults in a response are returned.
    fn find_faults(
        &self,
        schema: &DocumentNode,
        value: &Value,
        direction: Option<Direction>,
    ) -> Vec<KeywordFault> {
        match direction {
            Some(Direction::Request) => self.request.faults(schema, value),
            None if self.request.is_valid(schema, value) => Vec::new(),
            Some(Direction::Response) | None => self.response.faults(schema, value),
        }
    }
}

/// The value of a string that contains a JSON object or array.
fn parse_json_text(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    Some(read(text, Dialect::Specification).ok()?.value)
}

/// The next faults, for the help of the diagnostic about the first.
fn summarize(faults: &[KeywordFault]) -> String {
    const MAX_SHOWN: usize = 3;
    let shown = faults.iter().take(MAX_SHOWN).map(|fault| match fault.at.steps() {
        [] => fault.message.clone(),
        _ => format!("at `{}`: {}", fault.at, fault.message),
    });
    let text = format!("also {}", shown.collect::<Vec<_>>().join("; "));
    match faults.len().checked_sub(MAX_SHOWN) {
        Some(rest @ 1..) => format!("{text}; and {rest} more"),
        _ => text,
    }
}
