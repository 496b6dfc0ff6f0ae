//! What a schema says about the form of values: types, properties, items. By it texts of parameters and forms are read.

use super::{
    program::{Id, Keyword, Members, Program},
    value::AllowedTypes,
};
use crate::budget::{Budget, Exhausted};

/// A schema, as far as it is about form.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'p> {
    program: &'p Program,
    id: Id,
}

/// A schema and those that it is made of, each once, the nearest first.
#[derive(Debug)]
pub struct Layers<'p> {
    program: &'p Program,
    ids: Vec<Id>,
}

impl<'p> Shape<'p> {
    pub(super) const fn root(program: &'p Program) -> Self {
        Self { program, id: 0 }
    }

    /// The types that it allows.
    #[must_use]
    pub fn types(self) -> AllowedTypes {
        self.program.schema(self.id).types
    }

    /// The schema and those that its reference, `allOf`, `anyOf` and `oneOf` apply to the same value.
    ///
    /// # Errors
    /// The budget is exhausted.
    pub fn layers(self, budget: &Budget) -> Result<Layers<'p>, Exhausted> {
        if self.program.parts(self.id).next().is_none() {
            return Ok(Layers { program: self.program, ids: vec![self.id] });
        }
        budget.spend(self.program.len() as u64 / 64)?;
        let mut ids = Vec::new();
        let mut waiting = vec![self.id];
        let mut seen = vec![0_u64; self.program.len().div_ceil(64)];
        while let Some(id) = waiting.pop() {
            let (word, bit) = (id as usize / 64, 1_u64 << (id % 64));
            if seen[word] & bit != 0 {
                continue;
            }
            budget.spend(1)?;
            seen[word] |= bit;
            ids.push(id);
            let before = waiting.len();
            waiting.extend(self.program.parts(id));
            waiting[before..].reverse();
        }
        Ok(Layers { program: self.program, ids })
    }
}

impl<'p> Layers<'p> {
    fn at(&self, id: Id) -> Shape<'p> {
        Shape { program: self.program, id }
    }

    fn members(&self) -> impl Iterator<Item = &'p Members> {
        let program = self.program;
        self.ids.iter().flat_map(move |id| &program.schema(*id).keywords).filter_map(|it| match it {
            Keyword::Members(members) => Some(&**members),
            _ => None,
        })
    }

    /// How many schemas there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The schema of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<Shape<'p>> {
        let named = self.members().find_map(|it| it.properties.get(name).copied());
        named.or_else(|| self.members().find_map(|it| it.additional)).map(|id| self.at(id))
    }

    /// The names of all properties that are declared, each once.
    #[must_use]
    pub fn properties(&self) -> Vec<&'p str> {
        let names = self.members().flat_map(|it| it.properties.keys().map(|name| &**name));
        names.collect::<indexmap::IndexSet<_>>().into_iter().collect()
    }

    /// The schema of an item.
    #[must_use]
    pub fn item(&self, n: usize) -> Option<Shape<'p>> {
        let program = self.program;
        let items = || {
            let keywords = self.ids.iter().flat_map(move |id| &program.schema(*id).keywords);
            keywords.filter_map(|it| match it {
                Keyword::Items { first, rest } => Some((first, rest)),
                _ => None,
            })
        };
        let first = items().find_map(|(first, _)| first.get(n).copied());
        first.or_else(|| items().find_map(|(_, rest)| *rest)).map(|id| self.at(id))
    }
}
