//! Inference of the types that the values of a compiled schema may have.

use super::{
    instance::AllowedTypes,
    program::{Id, Keyword, Program},
};

/// Maximum depth of references that are followed to find the types of a schema.
const TYPES_DEPTH: u32 = 64;

/// The types of a schema: its own, else those of the schemas that it is composed of, else those that its keywords suggest.
pub(super) fn infer_types(
    program: &Program,
    id: Id,
    known: &mut Vec<Option<AllowedTypes>>,
    depth: u32,
) -> AllowedTypes {
    if let Some(types) = known[id as usize] {
        return types;
    }
    if depth > TYPES_DEPTH {
        return AllowedTypes::default();
    }
    // A schema that refers to itself gets no types from that reference.
    known[id as usize] = Some(AllowedTypes::default());
    let mut own = AllowedTypes::default();
    let (mut all, mut either) = (AllowedTypes::default(), AllowedTypes::default());
    let mut suggested = AllowedTypes::default();
    for keyword in &program.schema(id).keywords {
        match keyword {
            Keyword::Type(types, _) => own = *types,
            Keyword::Reference(target) => {
                let target = infer_types(program, *target, known, depth + 1);
                if !target.is_empty() {
                    all = target;
                }
            }
            Keyword::AllOf(parts) if all.is_empty() => {
                let mut parts = parts.iter().map(|part| infer_types(program, *part, known, depth + 1));
                all = parts.find(|types| !types.is_empty()).unwrap_or_default();
            }
            Keyword::AnyOf(parts) | Keyword::OneOf(parts) => {
                let parts = parts.iter().map(|part| infer_types(program, *part, known, depth + 1));
                either = parts.fold(either, AllowedTypes::union);
            }
            Keyword::Properties(rules) if rules.has_properties => suggested = AllowedTypes::OBJECTS,
            Keyword::Items { .. } if suggested.is_empty() => suggested = AllowedTypes::ARRAYS,
            Keyword::AllOf(_)
            | Keyword::Properties(_)
            | Keyword::Items { .. }
            | Keyword::Const(_)
            | Keyword::Enum(_)
            | Keyword::Bound(..)
            | Keyword::MultipleOf(_)
            | Keyword::Length(..)
            | Keyword::Required(_)
            | Keyword::DependentRequired(_)
            | Keyword::Pattern(_)
            | Keyword::Format(_)
            | Keyword::UniqueItems
            | Keyword::PropertyNames(_)
            | Keyword::Contains { .. }
            | Keyword::DependentSchemas(_)
            | Keyword::Not(_)
            | Keyword::If { .. }
            | Keyword::UnevaluatedProperties(_)
            | Keyword::UnevaluatedItems(_) => (),
        }
    }
    let found = [own, all, either, suggested].into_iter().find(|types| !types.is_empty()).unwrap_or_default();
    known[id as usize] = Some(found);
    found
}
