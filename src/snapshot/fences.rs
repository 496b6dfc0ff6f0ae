//! Fences: routes in quarantine, by the requests that they would have got.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    config::RouteFence,
    diag::Diagnostic,
    entity::{Route, RouteIndex},
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
    /// Messages for clients, and the route whose requests pass, by index of the route.
    messages: Vec<(String, Option<RouteIndex>)>,
}

impl Fences {
    pub(super) fn new(fences: &[RouteFence], routes: &[Arc<Route>], options: RouterOptions) -> Option<Self> {
        if fences.is_empty() {
            return None;
        }
        // Expressions are compiled by the router only.
        let checked = fences.iter().filter_map(|fence| {
            let (_, diagnostics) = Router::new(std::slice::from_ref(&fence.route), &|_| true, options);
            if !diagnostics.iter().any(Diagnostic::is_error) {
                return Some(fence.clone());
            }
            let widened = fence.widened();
            (widened.kept.is_none() || widened.is_narrow()).then_some(widened)
        });
        let (widened, ranked): (Vec<_>, Vec<_>) = checked.partition(|fence| fence.is_widened);
        let router = |fences| FenceRouter::new(fences, routes, options);
        Some(Self { widened: router(widened), ranked: router(ranked) })
    }

    /// The message of the fence that gets a request before every route of `router`.
    pub(super) fn find(&self, request: &RouterRequest<'_>, router: &Router) -> Option<&str> {
        if let Some(message) = self.widened.find_unless_kept(request, router) {
            return Some(message);
        }
        let candidates = self.ranked.router.candidates(request);
        let fence = candidates.first()?;
        let is_outranked = router.candidates(request).first().is_some_and(|route| route.key > fence.key);
        let message = self.ranked.messages.get(fence.route.0).filter(|_| !is_outranked);
        message.map(|(message, _)| message.as_str())
    }
}

impl FenceRouter {
    fn new(fences: Vec<RouteFence>, all: &[Arc<Route>], options: RouterOptions) -> Self {
        let index = |id: Uuid| all.iter().position(|route| route.id == id).map(RouteIndex);
        let (routes, messages): (Vec<Arc<Route>>, Vec<_>) = fences
            .into_iter()
            .map(|fence| (fence.route, (fence.message, fence.kept.and_then(index))))
            .unzip();
        let (router, _) = Router::new(&routes, &|_| true, options);
        Self { router, messages }
    }

    /// The message of the first fence that gets a request, unless `router` passes it to the route inside that fence.
    fn find_unless_kept(&self, request: &RouterRequest<'_>, router: &Router) -> Option<&str> {
        let fences = self.router.candidates(request);
        let mut fences = fences.iter().filter_map(|fence| self.messages.get(fence.route.0)).peekable();
        fences.peek()?;
        let chosen = router.find(request).map(|found| found.route);
        let message = fences.find(|(_, kept)| kept.is_none() || *kept != chosen)?;
        Some(&message.0)
    }
}
