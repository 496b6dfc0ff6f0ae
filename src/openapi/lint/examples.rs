//! Examples that break their own schema, and schemas that nothing fits.

use crate::{
    diag::Diagnostic,
    document::{Dialect, NodePath, Value, read},
    openapi::{
        Api, DocumentNode,
        sample::{Direction, KeywordFault, Sampler},
    },
};

use super::{
    LintFindings,
    visit::{ExampleClaim, ExampleKind, LintPlace, LintVisitor},
    walk::walk,
};

/// Schemas that are looked at for one document: a hundred times what a large one takes.
const EFFORT: u64 = 20_000_000;

pub(super) fn check(api: &Api, complaints: &mut LintFindings) {
    let [response, request] = [Direction::Response, Direction::Request]
        .map(|direction| Sampler::new(&api.library).direction(direction));
    walk(api, &mut ExampleLint { response, request, complaints });
}

struct ExampleLint<'a> {
    response: Sampler<'a>,
    request: Sampler<'a>,
    complaints: &'a mut LintFindings,
}

impl LintVisitor for ExampleLint<'_> {
    fn claim(&mut self, claim: &ExampleClaim<'_>) {
        if self.is_tired() {
            return;
        }
        let faults = self.faults(claim.schema, claim.value, claim.way);
        let [first, more @ ..] = &faults[..] else { return };
        let word = match claim.word {
            ExampleKind::Example => "example",
            ExampleKind::Default => "default",
        };
        if let Some(said) = json(claim.value)
            && self.faults(claim.schema, &said, claim.way).is_empty()
        {
            let message =
                format!("this {word} is JSON written as a text, where the schema asks for what it says");
            let complaint = claim.place.complain(Diagnostic::warning, message);
            self.complaints.add(complaint.help("write it as it is, without quotes; it is answered that way"));
            return;
        }
        let severity = match claim.word {
            ExampleKind::Example => Diagnostic::error,
            ExampleKind::Default => Diagnostic::warning,
        };
        let mut complaint =
            claim.place.complain(severity, format!("this {word} breaks its schema: {}", first.message));
        complaint.path = complaint.path.join(first.at.steps());
        self.complaints.add(match more {
            [] => complaint,
            more => complaint.help(others(more)),
        });
    }

    fn schema_in_use(&mut self, schema: &DocumentNode, way: Option<Direction>, place: &LintPlace<'_>) {
        if self.is_tired() {
            return;
        }
        let sampler = if way == Some(Direction::Request) { &self.request } else { &self.response };
        let sample = sampler.sample(schema);
        if sample.valid {
            return;
        }
        let complaint = place.complain(Diagnostic::warning, "no value was found that fits this schema").key();
        self.complaints.add(match sample.notes.first().filter(|_| sample.notes.len() > 1) {
            Some(note) => complaint.help(note),
            None => complaint,
        });
    }
}

impl ExampleLint<'_> {
    /// Whether enough was looked at; says so.
    fn is_tired(&mut self) -> bool {
        let tired = self.request.effort() + self.response.effort() > EFFORT;
        if tired {
            let message = "the schemas are so tangled that not every example was held against its own";
            self.complaints.add(Diagnostic::warning(NodePath::root(), message));
        }
        tired
    }

    /// What is wrong with a value, whichever way it travels if that is not known.
    fn faults(&self, schema: &DocumentNode, value: &Value, way: Option<Direction>) -> Vec<KeywordFault> {
        match way {
            Some(Direction::Request) => self.request.faults(schema, value),
            None if self.request.valid(schema, value) => Vec::new(),
            Some(Direction::Response) | None => self.response.faults(schema, value),
        }
    }
}

/// What a text says that is JSON of an object or a list.
fn json(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    Some(read(text, Dialect::Specification).ok()?.value)
}

fn others(faults: &[KeywordFault]) -> String {
    const SHOWN: usize = 3;
    let shown = faults.iter().take(SHOWN).map(|fault| match fault.at.steps() {
        [] => fault.message.clone(),
        _ => format!("at `{}`: {}", fault.at, fault.message),
    });
    let text = format!("also {}", shown.collect::<Vec<_>>().join("; "));
    match faults.len().checked_sub(SHOWN) {
        Some(rest @ 1..) => format!("{text}; and {rest} more"),
        _ => text,
    }
}
