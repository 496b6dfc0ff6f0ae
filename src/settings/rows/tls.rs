//! Settings of certificates, protocols and ciphers.

use super::{
    super::{
        tls::{ciphers, pems, protocols},
        value::{switch, word},
    },
    SettingRow, read,
};

pub(super) const ROWS: &[SettingRow] = &[
    SettingRow::new(
        "ssl_cert",
        "",
        "Certificates of the proxy, if no certificate of the configuration matches: files, PEM or base64; generated if unset",
        read!(tls.proxy.certificates, pems),
    ),
    SettingRow::new(
        "ssl_cert_key",
        "",
        "Private keys of ssl_cert, in its order",
        read!(tls.proxy.keys, pems),
    ),
    SettingRow::new(
        "admin_ssl_cert",
        "",
        "Certificates of the Admin API: files, PEM or base64; generated if unset",
        read!(tls.admin.certificates, pems),
    ),
    SettingRow::new(
        "admin_ssl_cert_key",
        "",
        "Private keys of admin_ssl_cert, in its order",
        read!(tls.admin.keys, pems),
    ),
    SettingRow::new(
        "status_ssl_cert",
        "",
        "Certificates of the status listener: files, PEM or base64; generated if unset",
        read!(tls.status.certificates, pems),
    ),
    SettingRow::new(
        "status_ssl_cert_key",
        "",
        "Private keys of status_ssl_cert, in its order",
        read!(tls.status.keys, pems),
    ),
    SettingRow::new(
        "ssl_protocols",
        "TLSv1.2 TLSv1.3",
        "Versions of TLS; versions before 1.2 are ignored",
        read!(tls.protocols, protocols),
    )
    .aliases(&["nginx_http_ssl_protocols"])
    .protective(),
    SettingRow::new(
        "ssl_cipher_suite",
        "intermediate",
        "Ciphers: modern, intermediate, old, or custom for those of ssl_ciphers",
        read!(tls.cipher_suite, word),
    )
    .protective(),
    SettingRow::new(
        "ssl_ciphers",
        "",
        "Ciphers of the suite `custom`, by OpenSSL's names",
        read!(tls.ciphers, ciphers),
    )
    .protective(),
    SettingRow::new(
        "ssl_prefer_server_ciphers",
        "on",
        "Prefer the server's order of ciphers to the client's",
        read!(tls.prefer_server_ciphers, switch),
    )
    .aliases(&["nginx_http_ssl_prefer_server_ciphers"]),
    SettingRow::new(
        "ssl_session_tickets",
        "on",
        "Give clients tickets to resume their sessions",
        read!(tls.session_tickets, switch),
    )
    .aliases(&["nginx_http_ssl_session_tickets"]),
    SettingRow::new(
        "lua_ssl_trusted_certificate",
        "",
        "Authorities of upstreams whose Service names none: `system`, files, PEM or base64; public authorities if unset",
        read!(tls.trusted, pems),
    ),
    SettingRow::new(
        "client_ssl",
        "off",
        "Present client_ssl_cert to upstreams that ask, if the Service names no certificate",
        read!(tls.client_ssl, switch),
    ),
    SettingRow::new(
        "client_ssl_cert",
        "",
        "Certificate for upstreams: a file, PEM or base64",
        read!(tls.client.certificates, pems),
    ),
    SettingRow::new(
        "client_ssl_cert_key",
        "",
        "Private key of client_ssl_cert",
        read!(tls.client.keys, pems),
    ),
];
