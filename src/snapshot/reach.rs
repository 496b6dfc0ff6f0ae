//! A linter: plugins that have something for certain paths only, and none of their Routes leads there.

use std::sync::Arc;

use crate::{
    diag::Diagnostic,
    entity::{PluginEntity as Entry, Route, RouteIndex},
    plugin::Plugin,
    router::beginning,
};

/// A warning, if no path of the plugin's Routes can be one that it knows. One for every request is not looked at: it sees
/// those that no Route takes, too.
pub(super) fn out_of_reach(entry: &Entry, plugin: &dyn Plugin, routes: &[Arc<Route>]) -> Option<Diagnostic> {
    let (route, service) = (entry.scope.route, entry.scope.service);
    if route.is_none() && service.is_none() {
        return None;
    }
    let here = |(n, it): &(usize, &Arc<Route>)| {
        route.is_none_or(|route| route == RouteIndex(*n)) && (service.is_none() || it.service == service)
    };
    let mut beginnings = Vec::new();
    let mut asked = Vec::new();
    let known = plugin.unreachable_path(&mut || {
        for (_, route) in routes.iter().enumerate().filter(here) {
            if route.expression.is_some() || route.paths.is_empty() {
                beginnings.push(Vec::new());
            }
            beginnings.extend(route.paths.iter().map(|path| beginning(path).into_vec()));
            asked.extend(route.paths.iter().cloned());
        }
        std::mem::take(&mut beginnings)
    })?;
    let first = asked.first()?;
    let more = if asked.len() > 1 { " and the like" } else { "" };
    let message = format!(
        "no request of its routes is one of its document: they are for `{first}`{more}, it is for {known}"
    );
    let help = "the whole path of a request is compared with the document: change the paths of the route, or put what is \
                before those of the document into `custom_base_path`, with `include_base_path: true`";
    Some(Diagnostic::warning(entry.at.clone(), message).help(help))
}
