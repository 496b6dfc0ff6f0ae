//! Settings of TLS: certificates, protocols, ciphers, trusted authorities.

use std::fmt;

use super::{
    ClientCertificates,
    choice::SettingWord,
    error::SettingFault,
    layers::SettingLayers,
    setting_row::{SettingRow, settings_table},
    value::{list, nearest, switch, word},
};

settings_table! {
    /// TLS of listeners and of connections to upstreams.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ListenerTls at [tls] {
        "ssl_cert" = "",
            |settings, name, text| { settings.tls.proxy.certificates = pems(name, text)?; Ok(()) },
            "Certificates of the proxy, if no certificate of the configuration matches: files, PEM or base64; \
             generated if unset";
        "ssl_cert_key" = "",
            |settings, name, text| { settings.tls.proxy.keys = pems(name, text)?; Ok(()) },
            "Private keys of ssl_cert, in its order";
        "admin_ssl_cert" = "",
            |settings, name, text| { settings.tls.admin.certificates = pems(name, text)?; Ok(()) },
            "Certificates of the Admin API: files, PEM or base64; generated if unset";
        "admin_ssl_cert_key" = "",
            |settings, name, text| { settings.tls.admin.keys = pems(name, text)?; Ok(()) },
            "Private keys of admin_ssl_cert, in its order";
        "status_ssl_cert" = "",
            |settings, name, text| { settings.tls.status.certificates = pems(name, text)?; Ok(()) },
            "Certificates of the status listener: files, PEM or base64; generated if unset";
        "status_ssl_cert_key" = "",
            |settings, name, text| { settings.tls.status.keys = pems(name, text)?; Ok(()) },
            "Private keys of status_ssl_cert, in its order";
        protocols: TlsProtocols => "ssl_protocols" | "nginx_http_ssl_protocols" = "TLSv1.2 TLSv1.3", protocols,
            "Versions of TLS; versions before 1.2 are ignored", protective;
        cipher_suite: CipherSuite => "ssl_cipher_suite" = "intermediate", word,
            "Ciphers: modern, intermediate, old, or custom for those of ssl_ciphers", protective;
        ciphers: CipherNames => "ssl_ciphers" = "", ciphers,
            "Ciphers of the suite `custom`, by OpenSSL's names", protective;
        prefer_server_ciphers: bool => "ssl_prefer_server_ciphers" | "nginx_http_ssl_prefer_server_ciphers"
            = "on", switch,
            "Prefer the server's order of ciphers to the client's";
        session_tickets: bool => "ssl_session_tickets" | "nginx_http_ssl_session_tickets" = "on", switch,
            "Give clients tickets to resume their sessions";
        /// Empty for the public authorities, as browsers have them.
        trusted: Vec<String> => "lua_ssl_trusted_certificate" = "", pems,
            "Authorities of upstreams whose Service names none: `system`, files, PEM or base64; public \
             authorities if unset";
        client_ssl: bool => "client_ssl" = "off", switch,
            "Present client_ssl_cert to upstreams that ask, if the Service names no certificate";
        "client_ssl_cert" = "",
            |settings, name, text| { settings.tls.client.certificates = pems(name, text)?; Ok(()) },
            "Certificate for upstreams: a file, PEM or base64";
        "client_ssl_cert_key" = "",
            |settings, name, text| { settings.tls.client.keys = pems(name, text)?; Ok(()) },
            "Private key of client_ssl_cert";
    }
    besides {
        /// `ssl_cert`, `ssl_cert_key`; empty for a generated certificate.
        proxy: CertificateFiles,
        /// `admin_ssl_cert`, `admin_ssl_cert_key`; empty for a generated certificate.
        admin: CertificateFiles,
        /// `status_ssl_cert`, `status_ssl_cert_key`; empty for a generated certificate.
        status: CertificateFiles,
        /// Client certificates of the proxy.
        proxy_clients: ClientCertificates,
        /// Client certificates of the Admin API.
        admin_clients: ClientCertificates,
        /// Client certificates of the status listener.
        status_clients: ClientCertificates,
        /// `client_ssl_cert`, `client_ssl_cert_key`.
        client: CertificateFiles,
    }
}

/// Certificates and as many private keys, each a path, PEM or base64.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificates.
    pub certificates: Vec<String>,
    /// The private keys, in the same order.
    pub keys: Vec<String>,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsProtocols {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
}

/// A set of ciphers, by Mozilla's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// Ciphers of TLS 1.3.
    Modern,
    /// Ciphers with forward secrecy and authenticated encryption.
    Intermediate,
    /// The same, as mynah has no older ciphers.
    Old,
    /// The ciphers of `ssl_ciphers`.
    Custom,
}

/// Names of ciphers, in OpenSSL's notation.
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

impl fmt::Debug for CertificateFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The texts may be private keys.
        write!(out, "Given({})", self.certificates.len())
    }
}

const VERSIONS: [&str; 6] = ["TLSv1.2", "TLSv1.3", "TLSv1.1", "TLSv1", "SSLv3", "SSLv2"];

/// Reads versions of TLS, separated by blanks; versions before 1.2 are ignored.
pub(super) fn protocols(name: &str, text: &str) -> Result<TlsProtocols, SettingFault> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some(word) = words.iter().find(|word| !VERSIONS.contains(word)) {
        let suggestion =
            nearest(word, VERSIONS).map_or_else(String::new, |version| format!("; did you mean {version}?"));
        let help = format!("write one or both of `TLSv1.2 TLSv1.3`{suggestion}");
        return Err(SettingFault::new(format!("{name} has an invalid value: '{word}'"), help));
    }
    let read = TlsProtocols { tls12: words.contains(&"TLSv1.2"), tls13: words.contains(&"TLSv1.3") };
    if read.tls12 || read.tls13 {
        return Ok(read);
    }
    let message = format!("{name} has no version that mynah supports: '{text}'");
    Err(SettingFault::new(message, "write one or both of `TLSv1.2 TLSv1.3`"))
}

/// Reads names of ciphers, separated by colons, commas or blanks.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn ciphers(_: &str, text: &str) -> Result<CipherNames, SettingFault> {
    let names = text.split([':', ',', ' ']).map(str::trim).filter(|name| !name.is_empty());
    Ok(CipherNames(names.map(str::to_owned).collect()))
}

/// Reads a list of certificates or keys.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
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
        let (certificate_count, key_count) = (given.certificates.len(), given.keys.len());
        let (present, missing) =
            if certificate_count > key_count { (certificates, keys) } else { (keys, certificates) };
        let Some(origin) =
            layers.get(present).map(|given| given.origin.clone()).filter(|_| certificate_count != key_count)
        else {
            continue;
        };
        let message = if certificate_count == 0 || key_count == 0 {
            format!("{missing} must be specified")
        } else {
            format!("{certificates} names {certificate_count} and {keys} {key_count}")
        };
        let help = format!("give each certificate of {certificates} its key in {keys}, in the same order");
        layers.wrong.push(SettingFault::new(message, help).at(origin));
    }
    if tls.client_ssl
        && tls.client.certificates.is_empty()
        && let Some(origin) = layers.get("client_ssl").map(|given| given.origin.clone())
    {
        let help = "set client_ssl_cert and client_ssl_cert_key";
        layers.wrong.push(SettingFault::new("client_ssl_cert must be specified".to_owned(), help).at(origin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(bool, bool), &str>) {
        let read = protocols("ssl_protocols", text).map(|protocols| (protocols.tls12, protocols.tls13));
        assert_eq!(read.map_err(|fault| fault.message), expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn old_versions_are_ignored() {
        check("TLSv1.2 TLSv1.3", Ok((true, true)));
        check("TLSv1.1 TLSv1.2", Ok((true, false)));
        check("TLSv1.3", Ok((false, true)));
        check("TLSv1.1", Err("ssl_protocols has no version that mynah supports: 'TLSv1.1'"));
        check("TLSv1.2, TLSv1.3", Err("ssl_protocols has an invalid value: 'TLSv1.2,'"));
    }
}
