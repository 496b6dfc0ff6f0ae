//! Lint of plugins that handle only certain paths, none of which their Routes match.

use std::sync::Arc;

use crate::{
    diag::Diagnostic,
    entity::{PluginEntity, Route, RouteIndex},
    plugin::Plugin,
    router::path_prefix,
};

/// A warning, if no path of the plugin's Routes can match one that the plugin handles. Global instances are not checked:
/// they get requests without a Route, too.
pub(super) fn unreachable_plugin(
    entity: &PluginEntity,
    plugin: &dyn Plugin,
    routes: &[Arc<Route>],
) -> Option<Diagnostic> {
    let (route, service) = (entity.scope.route, entity.scope.service);
    if route.is_none() && service.is_none() {
        return None;
    }
    let is_in_scope = |(index, candidate): &(usize, &Arc<Route>)| {
        route.is_none_or(|route| route == RouteIndex(*index))
            && (service.is_none() || candidate.service == service)
    };
    let mut prefixes = Vec::new();
    let mut route_paths = Vec::new();
    let handled = plugin.unreachable_path(&mut || {
        for (_, route) in routes.iter().enumerate().filter(is_in_scope) {
            if route.expression.is_some() || route.paths.is_empty() {
                prefixes.push(Vec::new());
            }
            prefixes.extend(route.paths.iter().map(|path| path_prefix(path).into_vec()));
            route_paths.extend(route.paths.iter().cloned());
        }
        std::mem::take(&mut prefixes)
    })?;
    let first = route_paths.first()?;
    let others = if route_paths.len() > 1 { " and others" } else { "" };
    let message = format!(
        "no path of its routes is a path of its document: the routes have `{first}`{others}, the document has {handled}"
    );
    let help = "the whole path of a request is compared with the document: change the paths of the route, or put what is \
                before those of the document into `custom_base_path`, with `include_base_path: true`";
    Some(Diagnostic::warning(entity.at.clone(), message).help(help))
}
