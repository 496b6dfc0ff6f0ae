//! Examples that are templates: `{{request.path.id}}`, `{{uuid}}`, `{{now}}`.
//!
//! A template can read the request, a UUID and the time, and nothing else: no files and no other templates. Its steps, time
//! and output are bounded. A text that is a single expression keeps the type of the value.
//!
//! | file | contents |
//! |---|---|
//! | `context` | variables of a template |
//! | `example_path` | path of an example in its document, for diagnostics |

mod context;
mod example_path;
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

/// Bytes and time of all texts of one example.
const EXAMPLE_LIMITS: WorkLimits =
    WorkLimits { steps: u64::MAX, bytes: 16 << 20, depth: 256, time: Duration::from_secs(5) };

/// Steps of one text, as minijinja counts them; each byte of output counts as a step.
const MAX_STEPS: u64 = 50_000;

/// The deepest nesting of an example in which templates are found.
const MAX_DEPTH: usize = 64;

/// Positions of an operation, a response, a media type and an example.
type ExamplePosition = (usize, usize, usize, usize);

/// The examples of a document that are templates.
#[derive(Debug)]
pub(super) struct ExampleTemplates {
    environment: Environment<'static>,
    examples: HashMap<ExamplePosition, ExampleTemplate>,
    operations: HashSet<usize>,
}

/// A value that contains templates.
#[derive(Debug)]
enum ExampleTemplate {
    /// A value without templates.
    Fixed(Value),
    /// A text: the name of its template.
    Text(String),
    /// A value: the name of the template that sets it.
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
    /// A diagnostic for each invalid template.
    pub(super) fn new(api: &Api, anchor: &DiagnosticAnchor) -> Result<Self, Vec<Diagnostic>> {
        let mut compiler = TemplateCompiler { environment: environment(), diagnostics: Vec::new(), count: 0 };
        let mut examples = HashMap::new();
        for (o, operation) in api.operations.iter().enumerate() {
            for (r, response) in operation.responses.iter().enumerate() {
                for (m, media) in response.media.iter().enumerate() {
                    for (e, example) in media.examples.iter().enumerate() {
                        let at = example_path::path_of(api, operation, response, media, example);
                        let template = compiler.compile(&example.value.value, &at, MAX_DEPTH);
                        if !matches!(template, ExampleTemplate::Fixed(_)) {
                            examples.insert((o, r, m, e), template);
                        }
                    }
                }
            }
        }
        if !compiler.diagnostics.is_empty() {
            return Err(compiler
                .diagnostics
                .into_iter()
                .map(|diagnostic| anchor.attach(diagnostic))
                .collect());
        }
        let operations = examples.keys().map(|(operation, ..)| *operation).collect();
        Ok(Self { environment: compiler.environment, examples, operations })
    }

    /// Whether an example of this operation is a template.
    pub(super) fn covers(&self, operation: usize) -> bool {
        self.operations.contains(&operation)
    }

    /// Renders an example; none if it is not a template.
    ///
    /// # Errors
    /// The template fails.
    pub(super) fn render(
        &self,
        chosen: &ChosenAnswer<'_>,
        context: &mut TemplateContext<'_, '_>,
    ) -> Option<Result<Value, Error>> {
        let position = (chosen.operation, chosen.response, chosen.media?, chosen.example?);
        let budget = Budget::new(EXAMPLE_LIMITS);
        Some(self.render_value(self.examples.get(&position)?, context, &budget))
    }

    fn render_value(
        &self,
        template: &ExampleTemplate,
        context: &mut TemplateContext<'_, '_>,
        budget: &Budget,
    ) -> Result<Value, Error> {
        let exceeded =
            |why: Exhausted| Error::new(ErrorKind::OutOfFuel, format!("the example as a whole: {why}"));
        budget.check_time().map_err(exceeded)?;
        Ok(match template {
            ExampleTemplate::Fixed(value) => value.clone(),
            ExampleTemplate::Text(name) => {
                let text = self.environment.get_template(name)?.render(context.next_variables())?;
                budget.allocate(text.len()).map_err(exceeded)?;
                text.into()
            }
            ExampleTemplate::Expression(name) => {
                let captured =
                    self.environment.get_template(name)?.render_captured(context.next_variables())?;
                let value = captured.state().lookup(VALUE).unwrap_or_default();
                let value = serde_json::to_value(value).map_or(Value::Null, |json| Value::from(&json));
                if !value.fits_json(budget.bytes_left()) {
                    budget.allocate(usize::MAX).map_err(exceeded)?;
                }
                budget.allocate(value.to_json().len()).map_err(exceeded)?;
                value
            }
            ExampleTemplate::Sequence(items) => {
                let items: Result<Vec<Value>, Error> =
                    items.iter().map(|item| self.render_value(item, context, budget)).collect();
                items?.into()
            }
            ExampleTemplate::Mapping(members) => {
                let rendered = members
                    .iter()
                    .map(|(key, member)| Ok((key.clone(), self.render_value(member, context, budget)?)));
                rendered.collect::<Result<Mapping, Error>>()?.into()
            }
        })
    }
}

/// The variable that holds the value of an expression.
const VALUE: &str = "value_of_expression";

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment
}

struct TemplateCompiler {
    environment: Environment<'static>,
    diagnostics: Vec<Diagnostic>,
    count: usize,
}

impl TemplateCompiler {
    fn compile(&mut self, value: &Value, at: &NodePath, depth: usize) -> ExampleTemplate {
        let Some(depth) = depth.checked_sub(1) else { return ExampleTemplate::Fixed(value.clone()) };
        match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => self.text(text, at),
            Value::Sequence(items) => {
                let numbered = items.iter().enumerate();
                let items: Vec<_> =
                    numbered.map(|(n, item)| self.compile(item, &at.index(n), depth)).collect();
                let is_fixed = items.iter().all(|item| matches!(item, ExampleTemplate::Fixed(_)));
                if is_fixed {
                    ExampleTemplate::Fixed(value.clone())
                } else {
                    ExampleTemplate::Sequence(items)
                }
            }
            Value::Mapping(members) => {
                let compiled = members
                    .iter()
                    .map(|(key, member)| (key.into(), self.compile(member, &at.key(key), depth)));
                let members: Vec<(SharedText, ExampleTemplate)> = compiled.collect();
                let is_fixed = members.iter().all(|(_, member)| matches!(member, ExampleTemplate::Fixed(_)));
                if is_fixed {
                    ExampleTemplate::Fixed(value.clone())
                } else {
                    ExampleTemplate::Mapping(members)
                }
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
            let message = format!("this template is invalid: {}", error_message(&error));
            let help = "write `{{request.body.name}}`, or set `templates: false` to send the text as it is";
            self.diagnostics.push(Diagnostic::error(at.clone(), message).help(help));
        }
        ExampleTemplate::Text(name)
    }
}

/// The expression of a text that is a single expression.
fn expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let is_single = !["{{", "}}", "{%", "%}", "{#"].iter().any(|mark| inner.contains(mark));
    let inner = inner.trim();
    (is_single && !inner.is_empty() && !inner.starts_with(['-', '+']) && !inner.ends_with(['-', '+']))
        .then_some(inner)
}

/// The message of an error, without the names of templates, which the author has not given.
pub(super) fn error_message(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}
