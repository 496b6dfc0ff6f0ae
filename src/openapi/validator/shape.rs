//! Types, properties and items of a compiled schema, by which the texts of parameters and forms are converted to values.

use super::{
    instance::AllowedTypes,
    program::{Id, Keyword, Program, PropertyRules},
};
use crate::budget::{Budget, Exhausted};

/// A view of a compiled schema that shows the form of its values.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'p> {
    program: &'p Program,
    id: Id,
}

/// A schema and the schemas that it refers to or is composed of, each once, the nearest first.
#[derive(Debug)]
pub struct ShapeLayers<'p> {
    program: &'p Program,
    ids: Vec<Id>,
}

impl<'p> Shape<'p> {
    pub(super) const fn root(program: &'p Program) -> Self {
        Self { program, id: 0 }
    }

    /// The types that the schema allows.
    #[must_use]
    pub fn types(self) -> AllowedTypes {
        self.program.schema(self.id).types
    }

    /// The schema, and the schemas that its reference, `allOf`, `anyOf` and `oneOf` apply to the same value.
    ///
    /// # Errors
    /// The budget is exhausted.
    pub fn layers(self, budget: &Budget) -> Result<ShapeLayers<'p>, Exhausted> {
        if self.program.parts(self.id).next().is_none() {
            return Ok(ShapeLayers { program: self.program, ids: vec![self.id] });
        }
        budget.spend(self.program.len() as u64 / 64)?;
        let mut ids = Vec::new();
        let mut pending = vec![self.id];
        let mut seen = vec![0_u64; self.program.len().div_ceil(64)];
        while let Some(id) = pending.pop() {
            let (word, bit) = (id as usize / 64, 1_u64 << (id % 64));
            if seen[word] & bit != 0 {
                continue;
            }
            budget.spend(1)?;
            seen[word] |= bit;
            ids.push(id);
            let first_new = pending.len();
            pending.extend(self.program.parts(id));
            pending[first_new..].reverse();
        }
        Ok(ShapeLayers { program: self.program, ids })
    }
}

impl<'p> ShapeLayers<'p> {
    fn shape(&self, id: Id) -> Shape<'p> {
        Shape { program: self.program, id }
    }

    fn property_rules(&self) -> impl Iterator<Item = &'p PropertyRules> {
        let program = self.program;
        self.ids.iter().flat_map(move |id| &program.schema(*id).keywords).filter_map(
            |keyword| match keyword {
                Keyword::Properties(rules) => Some(&**rules),
                _ => None,
            },
        )
    }

    /// The number of schemas.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The schema of a property; `None` if the schemas do not describe it.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<Shape<'p>> {
        let named = self.property_rules().find_map(|rules| rules.properties.get(name).copied());
        named.or_else(|| self.property_rules().find_map(|rules| rules.additional)).map(|id| self.shape(id))
    }

    /// The names of all declared properties, each once.
    #[must_use]
    pub fn properties(&self) -> Vec<&'p str> {
        let names = self.property_rules().flat_map(|rules| rules.properties.keys().map(|name| &**name));
        names.collect::<indexmap::IndexSet<_>>().into_iter().collect()
    }

    /// The schema of the item at position `n`; `None` if the schemas do not describe it.
    #[must_use]
    pub fn item(&self, n: usize) -> Option<Shape<'p>> {
        let program = self.program;
        let items = || {
            let keywords = self.ids.iter().flat_map(move |id| &program.schema(*id).keywords);
            keywords.filter_map(|keyword| match keyword {
                Keyword::Items { first, rest } => Some((first, rest)),
                _ => None,
            })
        };
        let first = items().find_map(|(first, _)| first.get(n).copied());
        first.or_else(|| items().find_map(|(_, rest)| *rest)).map(|id| self.shape(id))
    }
}
