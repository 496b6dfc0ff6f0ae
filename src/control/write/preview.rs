//! Preview of a write: planned, made in the text and checked, and neither saved nor published.

use std::sync::Arc;

use super::{PreparedWrite, WriteBase, WriteError, WritePlan, record_at, save};
use crate::{
    control::Control,
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document::Value,
    entity::Entities,
    snapshot::CompiledSnapshot,
};

/// What a step of a preview is planned on.
#[derive(Clone, Copy, Debug)]
pub struct PreviewStep<'a> {
    /// Its number, from zero.
    pub number: usize,
    /// The entities after the step before.
    pub entities: &'a Entities,
    /// The document after the step before.
    pub document: &'a Value,
    /// The record of the entity that the step before has created or changed.
    pub record: Option<&'a Value>,
}

/// A write that was not made.
#[derive(Debug)]
pub struct PreviewedWrite {
    /// The text before.
    pub old: Arc<SourceFile>,
    /// The text afterwards, and its warnings.
    pub report: DiagnosticReport,
    /// Record of the entity that would be created or changed.
    pub record: Option<Value>,
    /// The configuration as it would be; `None` if nothing would change.
    pub compiled: Option<CompiledSnapshot>,
}

impl Control {
    /// Tries a write. `decide` plans its steps one after the other, until it has none.
    ///
    /// # Errors
    /// The write could not be made.
    pub fn preview<E>(
        &self,
        decide: impl Fn(PreviewStep<'_>) -> Result<Option<WritePlan>, E>,
    ) -> Result<PreviewedWrite, WriteError<E>> {
        let mut compiler = self.lock_compiler();
        self.load_before_write(&mut compiler)?;
        let live = self.live().current();
        let base = self.write_base(&live)?;
        if let Some(Err(why)) = base.file.map(save::check_may_write) {
            why.into_write_error()?;
        }
        let (old, format) = (base.source, base.format);
        let mut preview = PreviewedWrite {
            old: old.clone(),
            report: DiagnosticReport::new(old, Vec::new()),
            record: None,
            compiled: None,
        };
        for number in 0.. {
            let before = preview.compiled.as_ref().map_or(&*live, |compiled| &compiled.snapshot);
            let base = WriteBase { before, source: preview.report.source().clone(), format, file: None };
            let parsed = base.parse()?;
            let (entities, document) = (&before.entities, &parsed.document);
            let step = PreviewStep { number, entities, document, record: preview.record.as_ref() };
            let Some(plan) = decide(step).map_err(WriteError::Refused)? else { break };
            if plan.is_empty() {
                preview.record = plan.wanted.map(|wanted| wanted.record);
                continue;
            }
            let prepared = compiler.try_out(|compiler| self.prepare_write(compiler, &base, &parsed, &plan));
            let PreparedWrite { source, compiled, at, .. } = prepared?;
            preview.record = at.and_then(|at| record_at(&compiled.snapshot, &at));
            let warnings: Vec<Diagnostic> = compiled.warnings.clone();
            preview.report = DiagnosticReport::new(source, warnings);
            preview.compiled = Some(compiled);
        }
        Ok(preview)
    }
}
