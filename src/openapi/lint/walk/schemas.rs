//! Part of the walk inside schemas: their examples, defaults and subschemas.

use crate::openapi::{
    DocumentNode,
    keywords::{AppliedTo, KeywordOperand, SchemaKeyword},
    lint::visit::{ExampleKind, LintPlace},
};

use super::{LintWalk, NodeRole};

impl LintWalk<'_> {
    /// Visits the examples and the subschemas of a schema.
    pub(super) fn visit_schema(&mut self, node: &DocumentNode, place: &LintPlace<'_>, depth: u32) {
        for (key, child) in node.entries() {
            let here = place.key(key);
            let Some(keyword) = SchemaKeyword::named(key) else { continue };
            match keyword {
                SchemaKeyword::Example => {
                    self.visit_example(ExampleKind::Example, &child, node, true, None, &here);
                }
                SchemaKeyword::Examples => {
                    for (n, child) in child.items().enumerate() {
                        self.visit_example(ExampleKind::Example, &child, node, true, None, &here.index(n));
                    }
                }
                SchemaKeyword::Default => {
                    self.visit_example(ExampleKind::Default, &child, node, true, None, &here);
                }
                // Values of `not` are not values of this schema.
                SchemaKeyword::Not => (),
                _ => self.visit_subschemas(node, keyword, &child, place, depth),
            }
        }
    }

    /// Visits the subschemas of a keyword.
    fn visit_subschemas(
        &mut self,
        node: &DocumentNode,
        keyword: SchemaKeyword,
        child: &DocumentNode,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let key = keyword.name();
        match keyword.operand() {
            KeywordOperand::SchemasByName(_) => {
                self.visit_map(node, key, NodeRole::Schema, None, place, depth);
            }
            KeywordOperand::Schemas(_) => self.visit_list(node, key, NodeRole::Schema, None, place, depth),
            KeywordOperand::SchemaOrSchemas if child.value.as_sequence().is_some() => {
                self.visit_list(node, key, NodeRole::Schema, None, place, depth);
            }
            KeywordOperand::SchemaOrSchemas
            | KeywordOperand::Schema(AppliedTo::SameValue | AppliedTo::Parts | AppliedTo::Nothing) => {
                self.visit_node(child, NodeRole::Schema, None, &place.key(key), depth);
            }
            KeywordOperand::SchemasOrNamesByName
            | KeywordOperand::Reference
            | KeywordOperand::Number
            | KeywordOperand::NumberOrFlag
            | KeywordOperand::Count
            | KeywordOperand::Text
            | KeywordOperand::Flag
            | KeywordOperand::Names
            | KeywordOperand::NamesByName
            | KeywordOperand::Types
            | KeywordOperand::Value
            | KeywordOperand::Values
            | KeywordOperand::Schema(AppliedTo::Content)
            | KeywordOperand::Object => (),
        }
    }
}
