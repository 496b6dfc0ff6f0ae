//! Listeners of the pages: the developer portal and the manager.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use mynah::{
    access_log::AccessLog,
    control::admin::AdminApi,
    pages::{LoginSessions, PageAddresses, PageKind, PageServer},
    server::{BoundListener, ListenerRole, ListenerTlsAcceptor, bind},
    settings::{Listener, PageListeners, Settings},
};

use super::gateway::tls_acceptor;

/// A page's listener that is bound.
struct BoundPage {
    setting: Listener,
    listener: tokio::net::TcpListener,
    tls: Option<ListenerTlsAcceptor>,
}

/// Binds the listeners of the pages, which link the listeners of the proxy in `bound`, and adds them there.
pub(super) fn listen(
    settings: &Settings,
    admin: &Arc<AdminApi>,
    access_log: Option<&Arc<AccessLog>>,
    bound: &mut Vec<BoundListener>,
) -> Result<()> {
    let has_admin = !settings.admin_listen.is_empty();
    let mut manager = settings.manager_listeners();
    if !has_admin {
        if manager.is_set && !manager.listeners.is_empty() {
            tracing::warn!(
                "the manager is off, as admin_listen is: the manager has the Admin API below its path"
            );
        }
        manager.listeners.clear();
    }
    let portals = bind_page("the portal", "portal_gui_listen", &settings.portal_listeners(), settings)?;
    let managers = bind_page("the manager", "admin_gui_listen", &manager, settings)?;
    let proxies = bound.iter().filter(|bound| matches!(bound.role, ListenerRole::Proxy(_)));
    let addresses = PageAddresses {
        proxy: proxies
            .filter_map(|proxy| Some((proxy.listener.local_addr().ok()?, proxy.tls.is_some())))
            .collect(),
        portal: addresses(&portals),
        manager: addresses(&managers),
        manager_path: settings.admin_gui_path.clone(),
        manager_url: settings.admin_gui_url.first().cloned(),
    };
    let first = addresses.manager.iter().chain(&addresses.portal).next();
    let sessions = Arc::new(LoginSessions::new(first.map_or(0, |(address, _)| address.port())));
    let pages = portals.into_iter().map(|page| (PageKind::Portal, page));
    for (kind, page) in pages.chain(managers.into_iter().map(|page| (PageKind::Manager, page))) {
        let (path, writes) = match kind {
            PageKind::Portal => ("/".to_owned(), has_admin && settings.allows_portal_writes(&page.setting)),
            PageKind::Manager => (settings.admin_gui_path.clone(), true),
        };
        let server = PageServer::new(kind, path, writes, admin.clone(), sessions.clone(), addresses.clone());
        bound.push(BoundListener {
            listener: page.listener,
            role: ListenerRole::Page(Arc::new(server)),
            access_log: access_log.cloned(),
            tls: page.tls,
            max_streams: settings.http2_streams.get(),
            proxy_protocol: page.setting.proxy_protocol,
            shares_port: page.setting.reuseport,
        });
    }
    Ok(())
}

/// Binds the listeners of a page. A page whose default address cannot be bound is off.
fn bind_page(
    name: &str,
    setting: &'static str,
    page: &PageListeners,
    settings: &Settings,
) -> Result<Vec<BoundPage>> {
    let mut pages = Vec::new();
    for listener in &page.listeners {
        let tls = &settings.tls;
        let tls = tls_acceptor(setting, listener, tls, (&tls.admin, &tls.admin_clients), None)?;
        match bind(setting, listener) {
            Ok(bound) => pages.push(BoundPage { setting: *listener, listener: bound, tls }),
            Err(error) if page.is_set => return Err(error.into()),
            Err(error) => tracing::info!(
                "{name} is off: cannot listen on {}: {}; {setting} chooses another address",
                listener.address,
                error.error
            ),
        }
    }
    Ok(pages)
}

fn addresses(pages: &[BoundPage]) -> Vec<(SocketAddr, bool)> {
    pages.iter().filter_map(|page| Some((page.listener.local_addr().ok()?, page.tls.is_some()))).collect()
}
