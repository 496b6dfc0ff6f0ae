//! Settings of the pages: listeners of the portal and of the manager, and the path of the manager.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Settings, error::SettingFault, listen::Listener, value::switch};

/// Listeners of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageListeners {
    /// The listeners; empty for `off`.
    pub listeners: Vec<Listener>,
    /// Whether the setting gives them. A default address that cannot be bound leaves the page off; one that is set is an
    /// error.
    pub is_set: bool,
}

impl PageListeners {
    /// The listeners of a setting, or the default: a port of the loopback interface.
    fn new(given: Option<&Vec<Listener>>, default_port: u16) -> Self {
        let default = || vec![Listener::plain(SocketAddr::from((Ipv4Addr::LOCALHOST, default_port)))];
        Self { listeners: given.cloned().unwrap_or_else(default), is_set: given.is_some() }
    }
}

impl Settings {
    /// The listeners of the portal.
    #[must_use]
    pub fn portal_listeners(&self) -> PageListeners {
        PageListeners::new(self.portal_gui_listen.as_ref(), 8003)
    }

    /// The listeners of the manager.
    #[must_use]
    pub fn manager_listeners(&self) -> PageListeners {
        PageListeners::new(self.admin_gui_listen.as_ref(), 8002)
    }

    /// Whether a listener of the portal allows changes.
    #[must_use]
    pub fn allows_portal_writes(&self, listener: &Listener) -> bool {
        self.portal_gui_writes.unwrap_or_else(|| listener.address.ip().to_canonical().is_loopback())
    }
}

/// Reads a switch whose default depends on other settings.
pub(super) fn optional_switch(name: &str, text: &str) -> Result<Option<bool>, SettingFault> {
    switch(name, text).map(Some)
}

/// Reads the path of a page, which ends with a slash afterwards.
pub(super) fn page_path(name: &str, text: &str) -> Result<String, SettingFault> {
    let help = "write a path as `/manager`, of letters, digits, `-`, `_`, `.` and `~`";
    let segments = text.strip_prefix('/').map(|path| path.strip_suffix('/').unwrap_or(path));
    let is_segment = |segment: &str| {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        !matches!(segment, "" | "." | ".." | "-") && segment.bytes().all(is_unreserved)
    };
    match segments {
        Some("") if text == "/" => Ok("/".to_owned()),
        Some(path) if path.split('/').all(is_segment) => Ok(format!("/{path}/")),
        _ => Err(SettingFault::new(format!("{name} is not a path: '{text}'"), help)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_and_ends_with_a_slash() {
        for (text, expected) in [("/", "/"), ("/manager", "/manager/"), ("/a/b-c/", "/a/b-c/")] {
            assert_eq!(page_path("admin_gui_path", text).ok().as_deref(), Some(expected), "{text}");
        }
        for wrong in ["", "manager", "//", "/a//b", "/a b", "/..", "/a/./b", "/a?b", "/<x>", "/-"] {
            assert!(page_path("admin_gui_path", wrong).is_err(), "{wrong}");
        }
    }
}
