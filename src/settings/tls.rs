//! Settings of TLS: which certificates are shown, which protocols and ciphers are spoken, whom we trust.

use std::fmt;

use super::{
    ClientCertificates,
    choice::SettingWord,
    error::SettingFault,
    layers::SettingLayers,
    value::{list, nearest},
};

/// How TLS is spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerTls {
    /// `ssl_cert`, `ssl_cert_key`: what the proxy shows to clients whose server name no certificate of the
    /// configuration is for; by default none, and one is generated.
    pub proxy: CertificateFiles,
    /// `admin_ssl_cert`, `admin_ssl_cert_key`: the same for the Admin API.
    pub admin: CertificateFiles,
    /// `status_ssl_cert`, `status_ssl_cert_key`: the same for the status listener.
    pub status: CertificateFiles,
    /// What the proxy asks of certificates of clients.
    pub proxy_clients: ClientCertificates,
    /// The same for the Admin API.
    pub admin_clients: ClientCertificates,
    /// The same for the status listener.
    pub status_clients: ClientCertificates,
    /// `ssl_protocols`: the versions of TLS; by default `TLSv1.2 TLSv1.3`. Older ones are not spoken.
    pub protocols: TlsProtocols,
    /// `ssl_cipher_suite`: which ciphers are spoken; by default `intermediate`.
    pub cipher_suite: CipherSuite,
    /// `ssl_ciphers`: the ciphers of the suite `custom`, under OpenSSL's names.
    pub ciphers: CipherNames,
    /// `ssl_prefer_server_ciphers`: whether our order of ciphers counts, and not the client's; by default it does.
    pub prefer_server_ciphers: bool,
    /// `ssl_session_tickets`: whether clients get tickets to resume their sessions with; by default they do.
    pub session_tickets: bool,
    /// `lua_ssl_trusted_certificate`: who vouches for upstreams whose Service names nobody: `system`, or what can be
    /// given as a certificate; by default the public authorities, as browsers know them.
    pub trusted: Vec<String>,
    /// `client_ssl_cert`, `client_ssl_cert_key`: what upstreams are shown that ask, if the Service does not say, and
    /// only with `client_ssl`; by default nothing.
    pub client: CertificateFiles,
    /// `client_ssl`: whether upstreams are shown it; by default off.
    pub client_ssl: bool,
}

/// Certificates and their keys, as they were given: paths, PEM or base64. As many keys as certificates.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificates.
    pub certificates: Vec<String>,
    /// Their private keys.
    pub keys: Vec<String>,
}

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsProtocols {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
}

/// A choice of ciphers, in Mozilla's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// Those of TLS 1.3 alone.
    Modern,
    /// Those with forward secrecy and authenticated encryption.
    Intermediate,
    /// The same: there are no older ones here.
    Old,
    /// Those that `ssl_ciphers` names.
    Custom,
}

/// Names of ciphers, OpenSSL's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CipherNames(pub Vec<String>);

impl SettingWord for CipherSuite {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("modern", Self::Modern),
        ("intermediate", Self::Intermediate),
        ("old", Self::Old),
        ("custom", Self::Custom),
    ];
}

impl Default for ListenerTls {
    fn default() -> Self {
        Self {
            proxy: CertificateFiles::default(),
            admin: CertificateFiles::default(),
            status: CertificateFiles::default(),
            proxy_clients: ClientCertificates::default(),
            admin_clients: ClientCertificates::default(),
            status_clients: ClientCertificates::default(),
            protocols: TlsProtocols { tls12: true, tls13: true },
            cipher_suite: CipherSuite::Intermediate,
            ciphers: CipherNames::default(),
            prefer_server_ciphers: true,
            session_tickets: true,
            trusted: Vec::new(),
            client: CertificateFiles::default(),
            client_ssl: false,
        }
    }
}

impl fmt::Debug for CertificateFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is given may be the key itself.
        write!(out, "Given({})", self.certificates.len())
    }
}

const VERSIONS: [&str; 6] = ["TLSv1.2", "TLSv1.3", "TLSv1.1", "TLSv1", "SSLv3", "SSLv2"];

/// Reads versions of TLS, parted by blanks; those before 1.2 are not spoken.
pub(super) fn protocols(name: &str, text: &str) -> Result<TlsProtocols, SettingFault> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some(word) = words.iter().find(|word| !VERSIONS.contains(word)) {
        let guess =
            nearest(word, VERSIONS).map_or_else(String::new, |it| format!("; perhaps {it} was meant"));
        let help = format!("write one or both of `TLSv1.2 TLSv1.3`{guess}");
        return Err(SettingFault::new(format!("{name} has an invalid value: '{word}'"), help));
    }
    let read = TlsProtocols { tls12: words.contains(&"TLSv1.2"), tls13: words.contains(&"TLSv1.3") };
    if read.tls12 || read.tls13 {
        return Ok(read);
    }
    let message = format!("{name} leaves no version that is spoken here: '{text}'");
    Err(SettingFault::new(message, "write one or both of `TLSv1.2 TLSv1.3`"))
}

/// Reads names of ciphers, parted by colons.
#[expect(clippy::unnecessary_wraps, reason = "it stands in a row with readers that may refuse")]
pub(super) fn ciphers(_: &str, text: &str) -> Result<CipherNames, SettingFault> {
    let names = text.split([':', ',', ' ']).map(str::trim).filter(|it| !it.is_empty());
    Ok(CipherNames(names.map(str::to_owned).collect()))
}

/// Reads a list of certificates or keys.
#[expect(clippy::unnecessary_wraps, reason = "it stands in a row with readers that may refuse")]
pub(super) fn pems(_: &str, text: &str) -> Result<Vec<String>, SettingFault> {
    Ok(list(text).into_iter().map(str::to_owned).collect())
}

/// Refuses certificates without keys, and keys without certificates.
pub(super) fn check(layers: &mut SettingLayers, tls: &ListenerTls) {
    let all = [
        (&tls.proxy, "ssl_cert", "ssl_cert_key"),
        (&tls.admin, "admin_ssl_cert", "admin_ssl_cert_key"),
        (&tls.status, "status_ssl_cert", "status_ssl_cert_key"),
        (&tls.client, "client_ssl_cert", "client_ssl_cert_key"),
    ];
    for (given, certificates, keys) in all {
        let (many, of) = (given.certificates.len(), given.keys.len());
        let (there, missing) = if many > of { (certificates, keys) } else { (keys, certificates) };
        let Some(origin) = layers.get(there).map(|it| it.origin.clone()).filter(|_| many != of) else {
            continue;
        };
        let message = if many == 0 || of == 0 {
            format!("{missing} must be specified")
        } else {
            format!("{certificates} names {many} and {keys} {of}")
        };
        let help = format!("give each of {certificates} its key at the same place of {keys}");
        layers.wrong.push(SettingFault::new(message, help).at(origin));
    }
    if tls.client_ssl
        && tls.client.certificates.is_empty()
        && let Some(origin) = layers.get("client_ssl").map(|it| it.origin.clone())
    {
        let help = "name it by client_ssl_cert, and its key by client_ssl_cert_key";
        layers.wrong.push(SettingFault::new("client_ssl_cert must be specified".to_owned(), help).at(origin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(bool, bool), &str>) {
        let read = protocols("ssl_protocols", text).map(|it| (it.tls12, it.tls13));
        assert_eq!(read.map_err(|fault| fault.message), expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn old_versions_are_left_out() {
        check("TLSv1.2 TLSv1.3", Ok((true, true)));
        check("TLSv1.1 TLSv1.2", Ok((true, false)));
        check("TLSv1.3", Ok((false, true)));
        check("TLSv1.1", Err("ssl_protocols leaves no version that is spoken here: 'TLSv1.1'"));
        check("TLSv1.2, TLSv1.3", Err("ssl_protocols has an invalid value: 'TLSv1.2,'"));
    }
}
