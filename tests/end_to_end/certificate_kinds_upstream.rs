//! Upstreams with certificates of unusual kinds: which are trusted, which are not and why, and client certificates.

use std::fmt::Write as _;

use crate::{
    gateway::{Gateway, Setup},
    openssl::{OpenSsl, Server},
    pem::block,
};

/// A configuration with a Route for each Service, given by server name, port, and further fields.
fn config(head: &str, services: &[(&str, u16, &str)]) -> String {
    let mut text = format!("_format_version: \"3.0\"\n{head}services:\n");
    for (n, (name, port, fields)) in services.iter().enumerate() {
        // The name of the request is verified, so that no name has to be resolved.
        writeln!(
            text,
            "- {{name: s{n}, url: 'https://127.0.0.1:{port}', retries: 0, {fields}, \
             routes: [{{name: r{n}, hosts: ['{name}'], paths: [/s{n}], preserve_host: true}}]}}"
        )
        .unwrap();
    }
    text
}

#[track_caller]
fn answers(gateway: &Gateway, n: usize, name: &str) -> String {
    let answer = gateway.ask("GET", &format!("/s{n}"), &[("host", name)]);
    assert_eq!(answer.status, 200, "{n} {name}: {}", gateway.log());
    answer.text().to_owned()
}

#[track_caller]
fn fails(gateway: &Gateway, n: usize, name: &str, reason: &str) {
    assert_eq!(gateway.ask("GET", &format!("/s{n}"), &[("host", name)]).status, 502, "{n} {name}");
    gateway.wait_for_log(reason);
    let log = gateway.log();
    for leak in ["CaUsedAsEndEntity", "Error(", "InvalidCertificate", "Unsupported"] {
        assert!(!log.contains(leak), "{log}");
    }
}

#[test]
fn upstreams_may_have_keys_of_any_kind() {
    let Some(openssl) = OpenSsl::find() else { return };
    let mut services: Vec<(&str, Server, bool)> = Vec::new();
    // In TLS 1.2 the TLS library accepts no signatures of RSA-PSS keys.
    for (name, kind, verifiable) in [
        ("rsa8192", "RSA-8192", true),
        ("rsa1024", "RSA -pkeyopt rsa_keygen_bits:1024", true),
        ("exponent", "RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3", true),
        ("pss", "RSA-PSS -pkeyopt rsa_keygen_bits:2048", true),
        ("p521", "EC -pkeyopt ec_paramgen_curve:P-521", true),
        ("ed448", "ED448", false),
    ] {
        openssl.make(name, kind);
        for version in ["-tls1_2", "-tls1_3"] {
            // OpenSSL presents short keys only at a lower security level.
            let server = openssl.serve(name, &format!("{version} -cipher ALL:@SECLEVEL=0"));
            if (name, version) != ("pss", "-tls1_2") {
                services.push((name, server, verifiable));
            }
        }
    }
    let names: Vec<String> = services.iter().map(|service| format!("{}.example", service.0)).collect();
    let plain: Vec<_> =
        names.iter().zip(&services).map(|(name, service)| (&**name, service.1.port, "tags: []")).collect();
    let gateway = Setup::with(&config("", &plain)).run();
    for (n, (name, .., verifiable)) in services.iter().enumerate() {
        if *verifiable {
            assert!(answers(&gateway, n, &names[n]).contains("s_server"), "{name}");
        } else {
            fails(&gateway, n, &names[n], "show one of a kind that is not supported (Ed448");
        }
    }
    // Self-signed certificates are trusted if they are configured; otherwise the error says how.
    let verified: Vec<_> = names
        .iter()
        .zip(&services)
        .map(|(name, service)| (&**name, service.1.port, "tls_verify: true"))
        .collect();
    let trusted: String = services.iter().map(|service| openssl.pair(service.0).certificate).collect();
    let setup = || Setup::with(&config("", &verified));
    let gateway = setup().file("ca.pem", &trusted).env("KONG_LUA_SSL_TRUSTED_CERTIFICATE", "ca.pem").run();
    for (n, _) in services.iter().enumerate().filter(|(_, service)| service.2) {
        answers(&gateway, n, &names[n]);
    }
    let gateway = setup().run();
    let how = "which is signed by itself: to trust it, name it in ca_certificates of the Service";
    for (n, _) in services.iter().enumerate().filter(|(_, service)| service.2) {
        fails(&gateway, n, &names[n], how);
    }
}

/// A certificate: name, issuer, extensions (`@` stands for the name), intermediate certificates, and the expected result.
type Chain = (&'static str, &'static str, &'static str, &'static str, Result<(), &'static str>);

const UNKNOWN: &str = "no trusted authority vouches";
const OTHER_USE: &str = "is for another use than that of a server";
const NAMED: &str = "subjectAltName=DNS:@.example";
const AUTHORITY: &str = "basicConstraints=CA:TRUE\nsubjectAltName=DNS:@.example";

#[rustfmt::skip]
const CHAINS: &[Chain] = &[
    ("plain", "usual", NAMED, "", Ok(())),
    ("exponent", "exponent-ca", NAMED, "", Ok(())),
    ("curve", "p521-ca", NAMED, "", Ok(())),
    ("pss", "pss-ca", NAMED, "", Ok(())),
    ("short", "short-ca", NAMED, "", Err("made with a key of RSA under 2048 bits")),
    ("old", "old-ca", NAMED, "", Ok(())),
    // Leaf certificates of version 1, which have only a common name.
    ("common", "usual", "", "", Ok(())),
    ("deep", "below", "", "below", Ok(())),
    ("missing", "below", "", "", Err(UNKNOWN)),
    ("deeper", "below-old", NAMED, "below-old", Ok(())),
    // The certificate of an authority, presented by a server.
    ("ca", "usual", AUTHORITY, "", Ok(())),
    ("ca-below", "below", AUTHORITY, "below", Ok(())),
    ("ca-limited", "below-limited", AUTHORITY, "below-limited limited", Err(UNKNOWN)),
    ("ca-faked", "no-authority", AUTHORITY, "no-authority", Err(UNKNOWN)),
    ("ca-named", "names", AUTHORITY, "names", Err(UNKNOWN)),
    ("ca-for-mail", "usual", "basicConstraints=CA:TRUE\nextendedKeyUsage=emailProtection", "", Err(OTHER_USE)),
    ("ca-signing", "usual", "basicConstraints=CA:TRUE\nkeyUsage=keyCertSign", "", Err(OTHER_USE)),
    ("ca-strange", "usual", "basicConstraints=CA:TRUE\n1.2.3.4=critical,ASN1:NULL", "", Err("an extension that is not supported")),
    ("for-mail", "usual", "subjectAltName=DNS:@.example\nextendedKeyUsage=emailProtection", "", Err(OTHER_USE)),
    // Name constraints do not apply to common names, so common names do not count below them.
    ("limited-common", "names", "basicConstraints=CA:FALSE", "names", Err("is for another name")),
    // Common names are ignored if there are alternative names.
    ("renamed", "usual", "subjectAltName=DNS:other.example", "", Err("is not for renamed.example but for other.example")),
];

/// Makes authorities, issuers first; returns the trusted ones.
fn make_authorities(openssl: &OpenSsl) -> String {
    for (name, kind) in [
        ("usual", "EC -pkeyopt ec_paramgen_curve:P-256"),
        ("exponent-ca", "RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3"),
        ("p521-ca", "EC -pkeyopt ec_paramgen_curve:P-521"),
        (
            "pss-ca",
            "RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32",
        ),
        ("short-ca", "RSA -pkeyopt rsa_keygen_bits:1024"),
    ] {
        openssl.run(&format!("genpkey -algorithm {kind} -out {name}.key"));
        openssl.run(&format!("req -x509 -new -key {name}.key -subj /CN={name} -days 3650 -out {name}.pem"));
    }
    // Version 1, as `openssl x509 -req` makes it without extensions.
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out old-ca.key");
    openssl.run("req -new -key old-ca.key -subj /CN=old-ca -out old-ca.request");
    openssl.run("x509 -req -in old-ca.request -signkey old-ca.key -days 3650 -out old-ca.pem");
    let is_authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign";
    for (name, issuer, extensions) in [
        ("below", "usual", is_authority),
        ("below-old", "old-ca", is_authority),
        ("limited", "usual", "basicConstraints=critical,CA:TRUE,pathlen:0"),
        ("below-limited", "limited", "basicConstraints=critical,CA:TRUE"),
        ("no-authority", "usual", "basicConstraints=critical,CA:FALSE"),
        ("names", "usual", "basicConstraints=CA:TRUE\nnameConstraints=critical,permitted;DNS:other.example"),
    ] {
        openssl.sign(name, issuer, extensions);
    }
    let trusted = ["usual", "exponent-ca", "p521-ca", "pss-ca", "short-ca", "old-ca"];
    trusted.map(|name| openssl.pair(name).certificate).concat()
}

#[test]
fn chains_are_verified_as_openssl_verifies_them() {
    let Some(openssl) = OpenSsl::find() else { return };
    let trusted = make_authorities(&openssl);
    let mut servers = Vec::new();
    for (name, issuer, extensions, between, _) in CHAINS {
        openssl.sign(name, issuer, &extensions.replace('@', name));
        let chain: String = between.split_whitespace().map(|name| openssl.pair(name).certificate).collect();
        openssl.write(&format!("{name}.chain"), &chain);
        let chain = if chain.is_empty() { String::new() } else { format!("-cert_chain {name}.chain") };
        servers.push(openssl.serve(name, &format!("{chain} -cipher ALL:@SECLEVEL=0")));
    }
    let hosts: Vec<String> = CHAINS.iter().map(|chain| format!("{}.example", chain.0)).collect();
    let mut services: Vec<_> =
        hosts.iter().zip(&servers).map(|(host, server)| (&**host, server.port, "tls_verify: true")).collect();
    let deep = CHAINS.iter().position(|chain| chain.0 == "ca-below").unwrap();
    services.push(("ca-below.example", servers[deep].port, "tls_verify: true, tls_verify_depth: 0"));
    let gateway = Setup::with(&config("", &services))
        .file("ca.pem", &trusted)
        .env("KONG_LUA_SSL_TRUSTED_CERTIFICATE", "ca.pem")
        .run();
    for (n, (.., expected)) in CHAINS.iter().enumerate() {
        match expected {
            Ok(()) => drop(answers(&gateway, n, &hosts[n])),
            Err(reason) => fails(&gateway, n, &hosts[n], reason),
        }
    }
    fails(&gateway, CHAINS.len(), "ca-below.example", "is longer than tls_verify_depth 0");
    // A certificate is valid only for its own name.
    let gateway = Setup::with(&config("", &[("x.example", servers[6].port, "tls_verify: true")]))
        .file("ca.pem", &trusted)
        .env("KONG_LUA_SSL_TRUSTED_CERTIFICATE", "ca.pem")
        .run();
    fails(&gateway, 0, "x.example", "is not for x.example but for common.example");
}

#[test]
fn an_expired_authority_is_not_trusted() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key");
    openssl.run("req -new -key ca.key -subj /CN=ca -out ca.request");
    openssl.write("extensions", "basicConstraints=critical,CA:TRUE");
    let command = "x509 -req -in ca.request -signkey ca.key -extfile extensions -out ca.pem -days";
    openssl.run(&format!("{command} 3650"));
    openssl.sign("a", "ca", "subjectAltName=DNS:a.example");
    let server = openssl.serve("a", "");
    let id = "11111111-1111-4111-8111-111111111111";
    let text = || {
        let head =
            format!("ca_certificates:\n- id: {id}\n  cert: {}\n", block(&openssl.pair("ca").certificate, 4));
        config(&head, &[("a.example", server.port, &format!("tls_verify: true, ca_certificates: [{id}]"))])
    };
    answers(&Setup::with(&text()).run(), 0, "a.example");
    openssl.write("extensions", "basicConstraints=critical,CA:TRUE");
    if openssl.try_run(&format!("{command} -1")).is_none() {
        return eprintln!("skipped: this openssl makes no certificates that have expired");
    }
    fails(&Setup::with(&text()).run(), 0, "a.example", "no trusted authority vouches");
}

#[test]
fn client_certificates_of_any_kind_are_presented_to_upstreams() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.make("server", "EC -pkeyopt ec_paramgen_curve:P-256");
    let kinds = [
        ("rsa8192", "RSA-8192", true),
        ("exponent", "RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3", true),
        ("pss", "RSA-PSS -pkeyopt rsa_keygen_bits:2048", true),
        ("p521", "EC -pkeyopt ec_paramgen_curve:P-521", true),
        ("ed25519", "ED25519", true),
        ("ed448", "ED448", false),
    ];
    let (mut head, mut clients) = ("certificates:\n".to_owned(), String::new());
    for (n, (name, kind, _)) in kinds.iter().enumerate() {
        let pair = openssl.make(name, kind);
        let (cert, key) = (block(&pair.certificate, 4), block(&pair.key, 4));
        writeln!(head, "- id: 11111111-1111-4111-8111-11111111111{n}\n  cert: {cert}\n  key: {key}").unwrap();
        clients.push_str(&pair.certificate);
    }
    openssl.write("clients.pem", &clients);
    for version in ["-tls1_2", "-tls1_3"] {
        let server =
            openssl.serve("server", &format!("{version} -Verify 3 -verify_return_error -CAfile clients.pem"));
        let fields: Vec<String> = (0..kinds.len())
            .map(|n| format!("client_certificate: 11111111-1111-4111-8111-11111111111{n}"))
            .collect();
        let services: Vec<_> =
            fields.iter().map(|service_fields| ("server.example", server.port, &**service_fields)).collect();
        let gateway = Setup::with(&config(&head, &services)).run();
        for (n, (name, _, shown)) in kinds.iter().enumerate() {
            if *shown {
                let page = answers(&gateway, n, "server.example").replace(" = ", "=");
                assert!(page.contains(&format!("CN={name}.example")), "{name}: {page}");
            } else {
                assert_eq!(gateway.ask("GET", &format!("/s{n}"), &[("host", "server.example")]).status, 502);
            }
        }
    }
}
