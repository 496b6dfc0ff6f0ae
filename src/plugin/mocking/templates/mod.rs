//! Examples that are templates: `{{request.path.id}}`, `{{uuid}}`, `{{now}}`.
//!
//! A template reaches nothing but the request: there are no files and no other templates, and it may take so many
//! steps and no more. A text that is one expression keeps the type of its value.
//!
//! | file | what it is about |
//! |---|---|
//! | `place` | where an example stands in its document, for complaints |
//! | `context` | what a template can see |

mod context;
mod place;
#[cfg(test)]
mod tests;

pub(super) use context::TemplateContext;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::document::DiagnosticAnchor;
use crate::{
    budget::{Budget, Exhausted, WorkLimits},
    diag::Diagnostic,
    document::{Mapping, NodePath, SharedText, Value},
    mock::ChosenAnswer,
    openapi::Api,
};

/// All texts of one example: their bytes, and their time.
const EXAMPLE: WorkLimits =
    WorkLimits { steps: u64::MAX, bytes: 16 << 20, depth: 256, time: Duration::from_secs(5) };

/// Steps that one text may take; every byte that it makes is paid from them, too.
const FUEL: u64 = 50_000;

/// How deep an example is looked into.
const DEEPEST: usize = 64;

/// Positions of an operation, a response, a media type and an example.
type ExamplePosition = (usize, usize, usize, usize);

/// The examples of a document that are templates.
#[derive(Debug)]
pub(super) struct ExampleTemplates {
    environment: Environment<'static>,
    examples: HashMap<ExamplePosition, ExampleTemplate>,
    operations: HashSet<usize>,
}

/// A value with templates in it.
#[derive(Debug)]
enum ExampleTemplate {
    /// No template.
    Fixed(Value),
    /// A text, by the name of its template.
    Text(String),
    /// A value, by the name of the template that sets it.
    Expression(String),
    /// A list.
    Sequence(Vec<ExampleTemplate>),
    /// Keys and values.
    Mapping(Vec<(SharedText, ExampleTemplate)>),
}

impl ExampleTemplates {
    /// Compiles all examples.
    ///
    /// # Errors
    /// Those that are no templates, each at its place.
    pub(super) fn new(api: &Api, placed: &DiagnosticAnchor) -> Result<Self, Vec<Diagnostic>> {
        let mut compiler = TemplateCompiler { environment: environment(), complaints: Vec::new(), count: 0 };
        let mut examples = HashMap::new();
        for (o, operation) in api.operations.iter().enumerate() {
            for (r, response) in operation.responses.iter().enumerate() {
                for (m, media) in response.media.iter().enumerate() {
                    for (e, example) in media.examples.iter().enumerate() {
                        let at = place::of(api, operation, response, media, example);
                        let template = compiler.compile(&example.value.value, &at, DEEPEST);
                        if !matches!(template, ExampleTemplate::Fixed(_)) {
                            examples.insert((o, r, m, e), template);
                        }
                    }
                }
            }
        }
        if !compiler.complaints.is_empty() {
            return Err(compiler.complaints.into_iter().map(|it| placed.place(it)).collect());
        }
        let operations = examples.keys().map(|(operation, ..)| *operation).collect();
        Ok(Self { environment: compiler.environment, examples, operations })
    }

    /// Whether an answer to this operation may be made from the request.
    pub(super) fn concern(&self, operation: usize) -> bool {
        self.operations.contains(&operation)
    }

    /// What an example says to a request; none if it is no template.
    ///
    /// # Errors
    /// The template cannot be carried out.
    pub(super) fn render(
        &self,
        chosen: &ChosenAnswer<'_>,
        context: &mut TemplateContext<'_, '_>,
    ) -> Option<Result<Value, Error>> {
        let place = (chosen.operation, chosen.response, chosen.media?, chosen.example?);
        let budget = Budget::new(EXAMPLE);
        Some(self.fill(self.examples.get(&place)?, context, &budget))
    }

    fn fill(
        &self,
        template: &ExampleTemplate,
        context: &mut TemplateContext<'_, '_>,
        budget: &Budget,
    ) -> Result<Value, Error> {
        let too_much =
            |why: Exhausted| Error::new(ErrorKind::OutOfFuel, format!("the example as a whole: {why}"));
        budget.look().map_err(too_much)?;
        Ok(match template {
            ExampleTemplate::Fixed(value) => value.clone(),
            ExampleTemplate::Text(name) => {
                let text = self.environment.get_template(name)?.render(context.next())?;
                budget.allocate(text.len()).map_err(too_much)?;
                text.into()
            }
            ExampleTemplate::Expression(name) => {
                let captured = self.environment.get_template(name)?.render_captured(context.next())?;
                let value = captured.state().lookup(VALUE).unwrap_or_default();
                let value = serde_json::to_value(value).map_or(Value::Null, |it| Value::from(&it));
                if !value.fits_json(budget.bytes_left()) {
                    budget.allocate(usize::MAX).map_err(too_much)?;
                }
                budget.allocate(value.to_json().len()).map_err(too_much)?;
                value
            }
            ExampleTemplate::Sequence(items) => {
                let items: Result<Vec<Value>, Error> =
                    items.iter().map(|item| self.fill(item, context, budget)).collect();
                items?.into()
            }
            ExampleTemplate::Mapping(members) => {
                let filled =
                    members.iter().map(|(key, it)| Ok((key.clone(), self.fill(it, context, budget)?)));
                filled.collect::<Result<Mapping, Error>>()?.into()
            }
        })
    }
}

/// The variable that holds the value of an expression.
const VALUE: &str = "value_of_expression";

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment
}

struct TemplateCompiler {
    environment: Environment<'static>,
    complaints: Vec<Diagnostic>,
    count: usize,
}

impl TemplateCompiler {
    fn compile(&mut self, value: &Value, at: &NodePath, depth: usize) -> ExampleTemplate {
        let Some(depth) = depth.checked_sub(1) else { return ExampleTemplate::Fixed(value.clone()) };
        match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => self.text(text, at),
            Value::Sequence(items) => {
                let numbered = items.iter().enumerate();
                let items: Vec<_> = numbered.map(|(n, it)| self.compile(it, &at.index(n), depth)).collect();
                let fixed = items.iter().all(|it| matches!(it, ExampleTemplate::Fixed(_)));
                if fixed { ExampleTemplate::Fixed(value.clone()) } else { ExampleTemplate::Sequence(items) }
            }
            Value::Mapping(members) => {
                let compiled =
                    members.iter().map(|(key, it)| (key.into(), self.compile(it, &at.key(key), depth)));
                let members: Vec<(SharedText, ExampleTemplate)> = compiled.collect();
                let fixed = members.iter().all(|(_, it)| matches!(it, ExampleTemplate::Fixed(_)));
                if fixed { ExampleTemplate::Fixed(value.clone()) } else { ExampleTemplate::Mapping(members) }
            }
            _ => ExampleTemplate::Fixed(value.clone()),
        }
    }

    fn text(&mut self, text: &str, at: &NodePath) -> ExampleTemplate {
        self.count += 1;
        let name = self.count.to_string();
        if let Some(expression) = expression(text) {
            let source = format!("{{% set {VALUE} = ({expression}) %}}");
            if self.environment.add_template_owned(name.clone(), source).is_ok() {
                return ExampleTemplate::Expression(name);
            }
        }
        if let Err(error) = self.environment.add_template_owned(name.clone(), text.to_owned()) {
            let message = format!("this template is broken: {}", reason(&error));
            let help = "write `{{request.body.name}}`, or set `templates: false` to send the text as it is";
            self.complaints.push(Diagnostic::error(at.clone(), message).help(help));
        }
        ExampleTemplate::Text(name)
    }
}

/// The expression that a text consists of, if it is one.
fn expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let plain = !["{{", "}}", "{%", "%}", "{#"].iter().any(|it| inner.contains(it));
    let inner = inner.trim();
    (plain && !inner.is_empty() && !inner.starts_with(['-', '+']) && !inner.ends_with(['-', '+']))
        .then_some(inner)
}

/// What is wrong, without names that mean nothing to the author.
pub(super) fn reason(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}
