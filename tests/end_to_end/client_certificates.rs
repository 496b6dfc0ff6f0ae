//! Client certificates at the proxy, the Admin API and the status listener.

use std::sync::Arc;

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::{
    gateway::{Gateway, Setup},
    pem::{Authority, Signed},
    secure::{Hello, Secure},
};

const CONFIG: &str = "_format_version: \"3.0\"\nservices: []\n";

/// A gateway whose listeners accept only TLS.
fn run(setup: Setup) -> Gateway {
    let flags = [
        "--proxy-listen",
        "127.0.0.1:0 ssl",
        "--admin-listen",
        "127.0.0.1:0 ssl",
        "--status-listen",
        "127.0.0.1:0 ssl",
    ];
    setup.start(&[&["run"][..], &flags].concat())
}

/// Whether a client with these certificates gets an answer.
fn is_answered(gateway: &Gateway, name: &str, certificates: &[&Signed], old: bool) -> bool {
    let hello = Hello { old, ..Hello::default() };
    let request = "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let config = |config: ClientConfig| with_certificate(config, certificates);
    let Ok(mut session) = Secure::with(gateway.tls_address(name), hello, config) else { return false };
    session.exchange(request).is_ok_and(|answer| answer.starts_with("HTTP/1.1 "))
}

fn with_certificate(mut config: ClientConfig, certificates: &[&Signed]) -> ClientConfig {
    if let Some(first) = certificates.first() {
        let chain = certificates.iter().map(|signed| CertificateDer::from(signed.der.clone())).collect();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(first.key_der.clone()));
        let provider = rustls::crypto::ring::default_provider();
        let key = rustls::sign::CertifiedKey::from_der(chain, key, &provider).unwrap();
        config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(key));
    }
    config
}

#[test]
fn a_listener_that_requires_a_certificate_refuses_clients_without() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let (good, foreign) = (authority.issue("client"), other.issue("client"));
    let (expired, alone) = (authority.issue_expired("client"), Signed::self_signed("client"));
    for (name, block) in [("proxy", "PROXY"), ("admin", "ADMIN"), ("status", "STATUS")] {
        for how in ["on", "optional"] {
            let setup = Setup::with(CONFIG)
                .file("ca.pem", authority.certificate())
                .env(&format!("KONG_NGINX_{block}_SSL_VERIFY_CLIENT"), how)
                .env(&format!("KONG_NGINX_{block}_SSL_CLIENT_CERTIFICATE"), "ca.pem");
            let gateway = run(setup);
            for old in [false, true] {
                for (certificates, expected) in [
                    (&[&good][..], true),
                    (&[], how == "optional"),
                    (&[&foreign], false),
                    (&[&expired], false),
                    (&[&alone], false),
                ] {
                    let answered = is_answered(&gateway, name, certificates, old);
                    assert_eq!(
                        answered,
                        expected,
                        "{name}, {how}, {} certificates, old: {old}",
                        certificates.len()
                    );
                }
            }
            // The other listeners are unaffected.
            for other in ["proxy", "admin", "status"].into_iter().filter(|listener| *listener != name) {
                assert!(is_answered(&gateway, other, &[], false), "{other}");
            }
        }
    }
}

#[test]
fn a_directive_of_all_listeners_applies_to_each() {
    let authority = Authority::new("ours");
    let client = authority.issue("client");
    let setup = Setup::with(CONFIG).file("ca.pem", authority.certificate()).file(
        "my.conf",
        "nginx_http_ssl_verify_client = on\nnginx_http_ssl_trusted_certificate = ca.pem\n\
             nginx_status_ssl_verify_client = off\n",
    );
    let flags = [
        "run",
        "-c",
        "my.conf",
        "--proxy-listen",
        "127.0.0.1:0 ssl",
        "--admin-listen",
        "127.0.0.1:0 ssl",
        "--status-listen",
        "127.0.0.1:0 ssl",
    ];
    let gateway = setup.start(&flags);
    for name in ["proxy", "admin"] {
        assert!(is_answered(&gateway, name, &[&client], false), "{name}");
        assert!(!is_answered(&gateway, name, &[], false), "{name}");
    }
    assert!(is_answered(&gateway, "status", &[], false));
}

#[test]
fn the_depth_of_chains_is_limited() {
    let root = Authority::new("root");
    let (middle, low) = {
        let middle = root.issue_authority("middle");
        let low = middle.issue_authority("low");
        (middle, low)
    };
    let chain = |authority: &Authority| Signed { der: authority.der(), ..Signed::default() };
    let (by_root, by_middle, by_low) = (root.issue("a"), middle.issue("b"), low.issue("c"));
    let (middle, low) = (chain(&middle), chain(&low));
    for (depth, expected) in
        [("0", [true, false, false]), ("", [true, true, false]), ("2", [true, true, true])]
    {
        let setup = Setup::with(CONFIG)
            .env("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "on")
            .env("KONG_NGINX_ADMIN_SSL_CLIENT_CERTIFICATE", &root.certificate())
            .env("KONG_NGINX_ADMIN_SSL_VERIFY_DEPTH", depth);
        let gateway = run(setup);
        let answered = [
            is_answered(&gateway, "admin", &[&by_root], false),
            is_answered(&gateway, "admin", &[&by_middle, &middle], false),
            is_answered(&gateway, "admin", &[&by_low, &low, &middle], false),
        ];
        assert_eq!(answered, expected, "depth {depth:?}");
    }
}

#[test]
fn revoked_certificates_are_refused() {
    let authority = Authority::new("ours");
    let (good, revoked) =
        (authority.issue_with_serial("client", 7), authority.issue_with_serial("client", 8));
    let setup = Setup::with(CONFIG)
        .file("crl.pem", authority.revocation_list(8))
        .env("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "on")
        .env("KONG_NGINX_ADMIN_SSL_CLIENT_CERTIFICATE", &authority.certificate())
        .env("KONG_NGINX_ADMIN_SSL_CRL", "crl.pem");
    let gateway = run(setup);
    assert!(is_answered(&gateway, "admin", &[&good], false));
    assert!(!is_answered(&gateway, "admin", &[&revoked], false));
}

#[test]
fn invalid_settings_of_client_certificates_prevent_the_start() {
    let certificate = Authority::new("ours").certificate();
    let tls = "127.0.0.1:0 ssl";
    for (variables, listen, message) in [
        (
            &[("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "on")][..],
            tls,
            "nginx_admin_ssl_verify_client requires client certificates, but no authority is set",
        ),
        (
            &[
                ("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "on"),
                ("KONG_NGINX_ADMIN_SSL_CLIENT_CERTIFICATE", "/nowhere/ca.pem"),
            ],
            tls,
            "cannot read /nowhere/ca.pem",
        ),
        (
            &[
                ("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "on"),
                ("KONG_NGINX_ADMIN_SSL_CLIENT_CERTIFICATE", certificate.as_str()),
            ],
            "0.0.0.0:0, 127.0.0.1:0 ssl",
            "nginx_admin_ssl_verify_client is 'on', but 0.0.0.0:0 of admin_listen speaks plain HTTP",
        ),
        (
            &[
                ("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "on"),
                ("KONG_NGINX_ADMIN_SSL_CLIENT_CERTIFICATE", certificate.as_str()),
            ],
            "127.0.0.1:0",
            "nginx_admin_ssl_verify_client is 'on', but no listener of admin_listen speaks TLS",
        ),
        (&[("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "optional_no_ca")], tls, "'optional_no_ca'"),
        (&[("KONG_NGINX_ADMIN_SSL_VERIFY_CLIENT", "yes")], tls, "has an invalid value: 'yes'"),
        (&[("KONG_ENFORCE_RBAC", "on")], tls, "enforce_rbac is 'on', which restricts access"),
        (&[("KONG_NGINX_ADMIN_ALLOW", "10.0.0.0/8")], tls, "nginx_admin_allow is '10.0.0.0/8'"),
        (&[("KONG_NGINX_PROXY_SSL_UNHEARD_OF", "1")], tls, "nginx_proxy_ssl_unheard_of is '1'"),
        (&[("MYNAH_ADMIN_TOKEN", "")], tls, "admin_token is empty"),
        (&[("MYNAH_ADMIN_TOKENS", "s3cret")], tls, "admin_tokens is not a setting; did you mean admin_token"),
        (&[("KONG_ENFORCE_RBCA", "on")], tls, "enforce_rbca is not a setting; did you mean enforce_rbac"),
    ] {
        let setup = variables.iter().fold(Setup::with(CONFIG), |setup, (name, value)| setup.env(name, value));
        let refused = setup.call(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", listen]);
        refused.is_refusal(message);
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }
}
