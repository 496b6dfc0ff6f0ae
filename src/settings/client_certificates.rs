//! Settings of client certificates: nginx's `ssl_verify_client` and related directives, for all listeners as
//! `nginx_http_...`, for one kind of listener as `nginx_proxy_...`, `nginx_admin_...` and `nginx_status_...`.

use super::{
    Listener, Settings,
    choice::SettingWord,
    error::{SettingFault, SettingOrigin},
    layers::SettingLayers,
    setting_row::{SettingRow, default_value},
    tls::pems,
    value::{number, word},
};

/// Verification of client certificates by a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// `ssl_verify_client`.
    pub verify: VerifyClient,
    /// `ssl_client_certificate` and `ssl_trusted_certificate`: authorities of client certificates.
    pub authorities: Vec<String>,
    /// `ssl_verify_depth`: the most certificates between a client's and an authority's.
    pub depth: u8,
    /// `ssl_crl`: lists of revoked certificates.
    pub revocation_lists: Vec<String>,
}

/// Whether clients must present a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyClient {
    /// No certificate is requested.
    Off,
    /// A client may present a certificate, which must be valid.
    Optional,
    /// A client must present a valid certificate.
    Required,
}

impl SettingWord for VerifyClient {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("optional", Self::Optional), ("on", Self::Required)];
}

/// Default of `ssl_verify_client`.
const VERIFY: &str = "off";

/// Default of `ssl_verify_depth`.
const DEPTH: &str = "1";

impl Default for ClientCertificates {
    fn default() -> Self {
        Self {
            verify: default_value(verify, ALL.verify, VERIFY),
            authorities: Vec::new(),
            depth: default_value(depth, ALL.depth, DEPTH),
            revocation_lists: Vec::new(),
        }
    }
}

/// Names of the five directives in one block of nginx.
struct DirectiveNames {
    verify: &'static str,
    client: &'static str,
    trusted: &'static str,
    depth: &'static str,
    revocation_lists: &'static str,
}

macro_rules! block {
    ($name:literal) => {
        DirectiveNames {
            verify: concat!("nginx_", $name, "_ssl_verify_client"),
            client: concat!("nginx_", $name, "_ssl_client_certificate"),
            trusted: concat!("nginx_", $name, "_ssl_trusted_certificate"),
            depth: concat!("nginx_", $name, "_ssl_verify_depth"),
            revocation_lists: concat!("nginx_", $name, "_ssl_crl"),
        }
    };
}

const ALL: DirectiveNames = block!("http");
const PROXY: DirectiveNames = block!("proxy");
const ADMIN: DirectiveNames = block!("admin");
const STATUS: DirectiveNames = block!("status");

const fn rows_of(names: &DirectiveNames) -> [SettingRow; 5] {
    [
        SettingRow::read_elsewhere(names.verify, VERIFY, "Client certificates: off, optional or on"),
        SettingRow::read_elsewhere(
            names.client,
            "",
            "Authorities of client certificates: files, PEM or base64",
        ),
        SettingRow::read_elsewhere(names.trusted, "", "Further authorities of client certificates"),
        SettingRow::read_elsewhere(
            names.depth,
            DEPTH,
            "Most certificates between a client's and an authority's",
        ),
        SettingRow::read_elsewhere(names.revocation_lists, "", "Lists of revoked client certificates"),
    ]
}

static TABLE: [[SettingRow; 5]; 4] = [rows_of(&ALL), rows_of(&PROXY), rows_of(&ADMIN), rows_of(&STATUS)];

/// The rows of these settings. Without a value, those of one kind of listener take that of `nginx_http_...`.
pub(super) const ROWS: &[SettingRow] = TABLE.as_flattened();

/// Reads the settings for all listeners, then those for each kind.
pub(super) fn read(layers: &mut SettingLayers, settings: &mut Settings) {
    let mut all = ClientCertificates::default();
    read_block(layers, &ALL, &mut all);
    let tls = &mut settings.tls;
    for (names, clients) in [
        (&PROXY, &mut tls.proxy_clients),
        (&ADMIN, &mut tls.admin_clients),
        (&STATUS, &mut tls.status_clients),
    ] {
        *clients = all.clone();
        read_block(layers, names, clients);
    }
}

fn read_block(layers: &mut SettingLayers, names: &DirectiveNames, clients: &mut ClientCertificates) {
    if let Some(verify) = layers.read(names.verify, verify) {
        clients.verify = verify;
    }
    let mut authorities = layers.read(names.client, pems).unwrap_or_default();
    authorities.extend(layers.read(names.trusted, pems).unwrap_or_default());
    if !authorities.is_empty() {
        clients.authorities = authorities;
    }
    if let Some(depth) = layers.read(names.depth, depth) {
        clients.depth = depth;
    }
    if let Some(lists) = layers.read(names.revocation_lists, pems) {
        clients.revocation_lists = lists;
    }
}

fn verify(name: &str, text: &str) -> Result<VerifyClient, SettingFault> {
    if text == "optional_no_ca" {
        let message =
            format!("{name} is 'optional_no_ca', which accepts certificates without verifying them");
        return Err(SettingFault::new(
            message,
            "write `on` or `optional` and name the authorities, or `off`",
        ));
    }
    word(name, text)
}

fn depth(name: &str, text: &str) -> Result<u8, SettingFault> {
    Ok(u8::try_from(number(name, text)?).unwrap_or(u8::MAX))
}

/// Refuses settings without effect: verification without an authority, and listeners without TLS.
pub(super) fn check(layers: &mut SettingLayers, settings: &Settings) {
    let tls = &settings.tls;
    let all = [
        (&PROXY, &tls.proxy_clients, "proxy_listen", &settings.proxy_listen),
        (&ADMIN, &tls.admin_clients, "admin_listen", &settings.admin_listen),
        (&STATUS, &tls.status_clients, "status_listen", &settings.status_listen),
    ];
    for (names, clients, setting, listeners) in all {
        let origin = |layers: &SettingLayers, settings: [&'static str; 2]| {
            settings.into_iter().find_map(|name| Some((name, layers.get(name)?.origin.clone())))
        };
        let Some((name, origin)) = origin(layers, [names.verify, ALL.verify]) else { continue };
        let faults = faults(name, names, clients, setting, listeners);
        layers
            .wrong
            .extend(faults.into_iter().map(|fault: SettingFault| fault.at(SettingOrigin::clone(&origin))));
    }
    // The pages have the Admin API below their path.
    for (setting, listeners) in [
        ("portal_gui_listen", settings.portal_listeners().listeners),
        ("admin_gui_listen", settings.manager_listeners().listeners),
    ] {
        let origin = layers.get(setting).map(|given| given.origin.clone());
        let is_required = tls.admin_clients.verify == VerifyClient::Required;
        let fault = is_required.then(|| plain_listener(ADMIN.verify, setting, &listeners)).flatten();
        layers.wrong.extend(fault.zip(origin).map(|(fault, origin)| fault.at(origin)));
    }
}

/// The fault of a listener without TLS that other machines can reach.
fn plain_listener(name: &str, setting: &str, listeners: &[Listener]) -> Option<SettingFault> {
    let is_plain =
        |listener: &&Listener| !listener.tls && !listener.address.ip().to_canonical().is_loopback();
    let address = listeners.iter().find(is_plain)?.address;
    let message =
        format!("{name} is 'on', but {address} of {setting} speaks plain HTTP, without client certificates");
    Some(SettingFault::new(message, format!("give it the flag `ssl`, or take it out of {setting}")))
}

fn faults(
    name: &str,
    names: &DirectiveNames,
    clients: &ClientCertificates,
    setting: &str,
    listeners: &[Listener],
) -> Vec<SettingFault> {
    if clients.verify == VerifyClient::Off || listeners.is_empty() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    if clients.authorities.is_empty() {
        let message = format!("{name} requires client certificates, but no authority is set");
        faults.push(SettingFault::new(message, format!("set its file as {}", names.client)));
    }
    if clients.verify == VerifyClient::Required {
        if let Some(fault) = plain_listener(name, setting, listeners) {
            faults.push(fault);
        } else if !listeners.iter().any(|listener| listener.tls) {
            let message = format!("{name} is 'on', but no listener of {setting} speaks TLS");
            faults.push(SettingFault::new(message, "give one the flag `ssl`, or write `off`"));
        }
    }
    faults
}
