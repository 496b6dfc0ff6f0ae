//! Options of the router: flavor, calculation of ranks, compilation of regular expressions.

use crate::entity::PathHandling;

/// How routes are matched and ranked. (Kong: `router_flavor`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatchFlavor {
    /// One number ranks all routes; between equal numbers the greater id takes precedence.
    #[default]
    TraditionalCompatible,
    /// Routes with more kinds of criteria take precedence; then several further comparisons, at last the age.
    Traditional,
    /// As `TraditionalCompatible`, but routes may be expressions; these take precedence.
    Expressions,
}

impl MatchFlavor {
    /// How paths are joined in this flavor: only `traditional` supports `v1`.
    #[must_use]
    pub const fn path_handling(self, configured: PathHandling) -> PathHandling {
        match self {
            Self::TraditionalCompatible | Self::Expressions => PathHandling::V0,
            Self::Traditional => configured,
        }
    }
}

/// Calculation of the rank in the flavor `traditional_compatible`. (Kong: `route_match_calculation`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PriorityCalculation {
    /// The calculation of released versions of Kong 3.x: fields of the number overlap, so that a plain host often outranks
    /// everything else.
    #[default]
    Original,
    /// The calculation of Kong's documentation. A Route for https only with SNIs does not match over http.
    Strict,
}

/// When regular expressions are compiled; their syntax is always checked at load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RegexCompilation {
    /// On first use by a request: thousands of expressions cost no memory until then.
    #[default]
    OnFirstUse,
    /// At load.
    AtLoad,
}

/// Options of a [`Router`](super::Router).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouterOptions {
    /// How routes are matched and ranked.
    pub flavor: MatchFlavor,
    /// Calculation of the rank in the flavor `traditional_compatible`.
    pub calculation: PriorityCalculation,
    /// When regular expressions are compiled.
    pub compilation: RegexCompilation,
}
