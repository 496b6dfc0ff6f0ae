//! Fences: routes in quarantine, by the requests that they would have got.

use std::sync::Arc;

use crate::{
    config::RouteFence,
    diag::Diagnostic,
    entity::Route,
    router::{Router, RouterOptions, RouterRequest},
};

/// Routes whose requests are refused.
#[derive(Debug)]
pub(super) struct Fences {
    /// Routes of which some criteria could not be read: asked before all other routes.
    widened: FenceRouter,
    /// Routes of a known rank among the others.
    ranked: FenceRouter,
}

#[derive(Debug)]
struct FenceRouter {
    router: Router,
    /// Messages for clients, by index of the route.
    messages: Vec<String>,
}

impl Fences {
    pub(super) fn new(fences: &[RouteFence], options: RouterOptions) -> Option<Self> {
        if fences.is_empty() {
            return None;
        }
        // Expressions are compiled by the router only.
        let checked: Vec<RouteFence> = fences
            .iter()
            .map(|fence| {
                let (_, diagnostics) = Router::new(std::slice::from_ref(&fence.route), &|_| true, options);
                if diagnostics.iter().any(Diagnostic::is_error) { fence.widened() } else { fence.clone() }
            })
            .collect();
        let (widened, ranked): (Vec<_>, Vec<_>) = checked.into_iter().partition(|fence| fence.is_widened);
        Some(Self { widened: FenceRouter::new(widened, options), ranked: FenceRouter::new(ranked, options) })
    }

    /// The message of the fence that gets a request before every route of `router`.
    pub(super) fn find(&self, request: &RouterRequest<'_>, router: &Router) -> Option<&str> {
        let (FenceRouter { router: widened, messages: first }, ranked) = (&self.widened, &self.ranked);
        if let Some(found) = widened.find(request) {
            return first.get(found.route.0).map(String::as_str);
        }
        let candidates = ranked.router.candidates(request);
        let fence = candidates.first()?;
        let is_outranked = router.candidates(request).first().is_some_and(|route| route.key > fence.key);
        ranked.messages.get(fence.route.0).filter(|_| !is_outranked).map(String::as_str)
    }
}

impl FenceRouter {
    fn new(fences: Vec<RouteFence>, options: RouterOptions) -> Self {
        let (routes, messages): (Vec<Arc<Route>>, Vec<String>) =
            fences.into_iter().map(|fence| (fence.route, fence.message)).unzip();
        let (router, _) = Router::new(&routes, &|_| true, options);
        Self { router, messages }
    }
}
