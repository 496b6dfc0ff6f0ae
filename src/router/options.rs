//! Which of Kong's routers is asked for, and how it ranks.

use crate::entity::PathHandling;

/// How routes are matched and ranked. (Kong: `router_flavor`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatchFlavor {
    /// One number ranks all routes; equal numbers: the greater id wins.
    #[default]
    TraditionalCompatible,
    /// The routes with more criteria come first, in all things that count; then the older one wins.
    Traditional,
    /// As `TraditionalCompatible`, but routes may be expressions; these come first.
    Expressions,
}

impl MatchFlavor {
    /// How paths are joined under this flavor: only `traditional` listens to a route that wants `v1`.
    #[must_use]
    pub const fn path_handling(self, configured: PathHandling) -> PathHandling {
        match self {
            Self::TraditionalCompatible | Self::Expressions => PathHandling::V0,
            Self::Traditional => configured,
        }
    }
}

/// How the number of the flavor `traditional_compatible` is made. (Kong: `route_match_calculation`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PriorityCalculation {
    /// What the released Kong 3.x computes: parts of the number overlap, so that a plain host often outranks
    /// everything else.
    #[default]
    Original,
    /// What Kong's documentation describes. A Route for https only that names an SNI stays away from http.
    Strict,
}

/// When regular expressions are compiled; their syntax is always checked at load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RegexCompilation {
    /// When the first request needs them: thousands of expressions cost no memory until then.
    #[default]
    OnFirstUse,
    /// At load.
    AtLoad,
}

/// Everything that changes how a [`Router`](super::Router) is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouterOptions {
    /// How routes are matched and ranked.
    pub flavor: MatchFlavor,
    /// How they are ranked in the flavor `traditional_compatible`.
    pub calculation: PriorityCalculation,
    /// When regular expressions are compiled.
    pub compilation: RegexCompilation,
}
