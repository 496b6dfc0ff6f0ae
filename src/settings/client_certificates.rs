//! Settings of the certificates that clients show to listeners: nginx's `ssl_verify_client` and its like, of all
//! listeners as `nginx_http_...`, of one kind of them as `nginx_proxy_...`, `nginx_admin_...` and `nginx_status_...`.

use super::{
    Listener, Settings,
    choice::SettingWord,
    error::{SettingFault, SettingOrigin},
    layers::SettingLayers,
    tls,
    value::{number, word},
};

/// What a listener asks of certificates of its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// `ssl_verify_client`: by default off.
    pub verify: VerifyClient,
    /// `ssl_client_certificate` and `ssl_trusted_certificate`: the authorities that vouch for clients.
    pub authorities: Vec<String>,
    /// `ssl_verify_depth`: the most certificates between a client's and an authority's; by default 1.
    pub depth: u8,
    /// `ssl_crl`: lists of revoked certificates; by default none.
    pub revocation_lists: Vec<String>,
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyClient {
    /// None is asked for.
    Off,
    /// A client may show one, which has to be valid.
    Optional,
    /// A client has to show a valid one.
    Required,
}

impl SettingWord for VerifyClient {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("optional", Self::Optional), ("on", Self::Required)];
}

impl Default for ClientCertificates {
    fn default() -> Self {
        Self { verify: VerifyClient::Off, authorities: Vec::new(), depth: 1, revocation_lists: Vec::new() }
    }
}

/// The names of the five directives in one block.
struct Block {
    verify: &'static str,
    client: &'static str,
    trusted: &'static str,
    depth: &'static str,
    revocation_lists: &'static str,
}

macro_rules! block {
    ($name:literal) => {
        Block {
            verify: concat!("nginx_", $name, "_ssl_verify_client"),
            client: concat!("nginx_", $name, "_ssl_client_certificate"),
            trusted: concat!("nginx_", $name, "_ssl_trusted_certificate"),
            depth: concat!("nginx_", $name, "_ssl_verify_depth"),
            revocation_lists: concat!("nginx_", $name, "_ssl_crl"),
        }
    };
}

const ALL: Block = block!("http");
const PROXY: Block = block!("proxy");
const ADMIN: Block = block!("admin");
const STATUS: Block = block!("status");

/// Reads what is asked of clients: of all listeners, then of each kind.
pub(super) fn read(layers: &mut SettingLayers, settings: &mut Settings) {
    let mut all = ClientCertificates::default();
    read_block(layers, &ALL, &mut all);
    let tls = &mut settings.tls;
    for (block, own) in [
        (&PROXY, &mut tls.proxy_clients),
        (&ADMIN, &mut tls.admin_clients),
        (&STATUS, &mut tls.status_clients),
    ] {
        *own = all.clone();
        read_block(layers, block, own);
    }
}

fn read_block(layers: &mut SettingLayers, block: &Block, it: &mut ClientCertificates) {
    layers.read(block.verify, &mut it.verify, verify);
    let (mut client, mut trusted) = (Vec::new(), Vec::new());
    layers.read(block.client, &mut client, tls::pems);
    layers.read(block.trusted, &mut trusted, tls::pems);
    client.append(&mut trusted);
    if !client.is_empty() {
        it.authorities = client;
    }
    layers.read(block.depth, &mut it.depth, depth);
    layers.read(block.revocation_lists, &mut it.revocation_lists, tls::pems);
}

fn verify(name: &str, text: &str) -> Result<VerifyClient, SettingFault> {
    if text == "optional_no_ca" {
        let message =
            format!("{name} is 'optional_no_ca', which leaves certificates to be verified by others");
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

/// Refuses what would not guard: certificates without an authority, and listeners that cannot ask for one.
pub(super) fn check(layers: &mut SettingLayers, settings: &Settings) {
    let tls = &settings.tls;
    let all = [
        (&PROXY, &tls.proxy_clients, "proxy_listen", &settings.proxy_listen),
        (&ADMIN, &tls.admin_clients, "admin_listen", &settings.admin_listen),
        (&STATUS, &tls.status_clients, "status_listen", &settings.status_listen),
    ];
    for (block, clients, setting, listeners) in all {
        let origin = |layers: &SettingLayers, names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, layers.get(name)?.origin.clone())))
        };
        let Some((name, origin)) = origin(layers, [block.verify, ALL.verify]) else { continue };
        let faults = faults(name, block, clients, setting, listeners);
        layers
            .wrong
            .extend(faults.into_iter().map(|fault: SettingFault| fault.at(SettingOrigin::clone(&origin))));
    }
}

fn faults(
    name: &str,
    block: &Block,
    clients: &ClientCertificates,
    setting: &str,
    listeners: &[Listener],
) -> Vec<SettingFault> {
    if clients.verify == VerifyClient::Off || listeners.is_empty() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    if clients.authorities.is_empty() {
        let message = format!("{name} asks for certificates of clients, and no authority is named for them");
        faults.push(SettingFault::new(message, format!("name its file by {}", block.client)));
    }
    if clients.verify == VerifyClient::Required {
        let is_open =
            |listener: &&Listener| !listener.tls && !listener.address.ip().to_canonical().is_loopback();
        if let Some(open) = listeners.iter().find(is_open) {
            let message = format!(
                "{name} is 'on', but {} of {setting} speaks plain HTTP, where clients show no certificate",
                open.address
            );
            faults.push(SettingFault::new(
                message,
                format!("give it the flag `ssl`, or take it out of {setting}"),
            ));
        } else if !listeners.iter().any(|listener| listener.tls) {
            let message = format!("{name} is 'on', but no listener of {setting} speaks TLS");
            faults.push(SettingFault::new(message, "give one the flag `ssl`, or write `off`"));
        }
    }
    faults
}
