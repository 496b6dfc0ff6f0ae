//! Certificates of `kong.yaml`, chosen by the server name that a client requests.

use rustls::SignatureScheme;

use crate::{
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
    pem::{Signed, block},
    secure::{Hello, Secure},
};

const RSA: (&str, &str) = (include_str!("rsa.pem"), include_str!("rsa.key"));

/// A configuration of certificates with their names.
fn config(certificates: &[(&Signed, &str)]) -> String {
    let one = |(signed, names): &(&Signed, &str)| {
        let names: Vec<String> = names.split(' ').map(|name| format!("{{name: '{name}'}}")).collect();
        format!(
            "- cert: {}\n  key: {}\n  snis: [{}]\n",
            block(&signed.certificate, 4),
            block(&signed.key, 4),
            names.join(", ")
        )
    };
    let all: String = certificates.iter().map(one).collect();
    format!(
        "_format_version: \"3.0\"\nroutes:\n- {{name: r, paths: [/], plugins: [{{name: request-termination}}]}}\ncertificates:\n{all}"
    )
}

fn run(setup: Setup) -> Gateway {
    setup.start(&["run", "--proxy-listen", "127.0.0.1:0 http2 ssl", "--admin-listen", "127.0.0.1:0"])
}

fn shown(gateway: &Gateway, server_name: Option<&'static str>) -> Vec<u8> {
    let hello = Hello { server_name, ..Hello::default() };
    Secure::connect(gateway.tls_address("proxy"), hello).unwrap().certificate()
}

#[test]
fn the_most_specific_name_decides() {
    let [exact, wild, ending, other] =
        ["a.shop.example", "*.shop.example", "www.shop.*", "x"].map(Signed::self_signed);
    let text = config(&[(&exact, "a.shop.example"), (&wild, "*.shop.example"), (&ending, "www.shop.*")]);
    let setup =
        Setup::with(&text).env("KONG_SSL_CERT", &other.certificate).env("KONG_SSL_CERT_KEY", &other.key);
    let gateway = run(setup);
    for (name, expected) in [
        (Some("a.shop.example"), &exact),
        (Some("A.SHOP.example"), &exact),
        (Some("b.shop.example"), &wild),
        (Some("a.b.shop.example"), &other),
        (Some("shop.example"), &other),
        (Some("www.shop.test"), &ending),
        (Some("elsewhere.example"), &other),
        (None, &other),
    ] {
        assert_eq!(shown(&gateway, name), expected.der, "{name:?}");
    }
}

#[test]
fn a_certificate_may_be_for_all_names() {
    let [exact, every, other] = ["a.shop.example", "every", "x"].map(Signed::self_signed);
    let text = config(&[(&exact, "a.shop.example"), (&every, "*")]);
    let text = text.replace("{name: r, paths: [/],", "{name: r, protocols: [https], snis: ['*'],");
    let setup =
        Setup::with(&text).env("KONG_SSL_CERT", &other.certificate).env("KONG_SSL_CERT_KEY", &other.key);
    let gateway = run(setup);
    for (name, expected) in [("a.shop.example", &exact), ("b.shop.example", &every), ("single", &every)] {
        assert_eq!(shown(&gateway, Some(name)), expected.der, "{name}");
    }
}

#[test]
fn the_kind_of_key_depends_on_the_clients_algorithms() {
    let elliptic = Signed::self_signed("a.example");
    let text = format!(
        "_format_version: \"3.0\"\ncertificates:\n- cert: {}\n  key: {}\n  cert_alt: {}\n  key_alt: {}\n  snis: [{{name: a.example}}]\n",
        block(&elliptic.certificate, 4),
        block(&elliptic.key, 4),
        block(RSA.0, 4),
        block(RSA.1, 4)
    );
    let gateway = run(Setup::with(&text));
    let shown = |scheme, old| {
        let hello = Hello { server_name: Some("a.example"), scheme, old, ..Hello::default() };
        Secure::connect(gateway.tls_address("proxy"), hello).unwrap().certificate() == elliptic.der
    };
    for old in [false, true] {
        assert!(shown(None, old));
        assert!(shown(Some(SignatureScheme::ECDSA_NISTP256_SHA256), old));
        assert!(!shown(Some(SignatureScheme::RSA_PSS_SHA256), old));
    }
}

#[test]
fn a_reload_replaces_certificates_and_closes_no_connection() {
    let (before, after) = (Signed::self_signed("a.example"), Signed::self_signed("a.example"));
    let gateway = run(Setup::with(&config(&[(&before, "a.example")])));
    let hello = Hello { server_name: Some("a.example"), ..Hello::default() };
    let mut open = Secure::connect(gateway.tls_address("proxy"), hello).unwrap();
    assert_eq!(open.certificate(), before.der);
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    open.send(request);
    open.read_until("unavailable");
    gateway.folder.write("kong.yaml", config(&[(&after, "a.example")]));
    eventually("the new certificate is shown", || {
        (shown(&gateway, Some("a.example")) == after.der).then_some(())
    });
    open.send(request);
    open.read_until("unavailable");
}

#[test]
fn errors_of_a_certificate_are_reported_at_its_line() {
    let (one, other) = (Signed::self_signed("one.example"), Signed::self_signed("other.example"));
    let mixed = Signed { certificate: one.certificate.clone(), key: other.key, ..Signed::default() };
    let broken = one.certificate.lines().nth(1).unwrap();
    let cut = Signed {
        certificate: one.certificate.replacen(broken, "A", 1),
        key: one.key.clone(),
        ..Signed::default()
    };
    let twice = format!(
        "_format_version: \"3.0\"\ncertificates:\n- cert: {0}\n  key: {1}\n  cert_alt: {0}\n  key_alt: {1}\n",
        block(&one.certificate, 4),
        block(&one.key, 4)
    );
    let leaf =
        format!("_format_version: \"3.0\"\nca_certificates:\n- cert: {}\n", block(&one.certificate, 4));
    for (text, message, line) in [
        (config(&[(&mixed, "a.example")]), "certificate does not match key", 5),
        (config(&[(&cut, "a.example")]), "invalid certificate: what ", 5),
        (twice, "need to have different type (e.g. RSA and ECDSA)", 0),
        (leaf, "missing the \"CA\" basic constraint", 3),
    ] {
        let setup = Setup::with(&text);
        let outcome = setup.call(&["check", "kong.yaml"]);
        outcome.is_refusal(message);
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(line == 0 || printed.contains(&format!("kong.yaml:{line}:")), "{printed}");
        assert!(!printed.contains(&one.key.lines().nth(1).unwrap()[..20]), "a key is printed: {printed}");
    }
}

#[test]
fn certificate_errors_have_kongs_json_format() {
    let gateway = run(Setup::with("_format_version: \"3.0\"\n"));
    let post = |text: &str| {
        let url = gateway.admin_url("/config");
        Client::fresh().send("POST", &url, &[("content-type", "text/yaml")], Some(text.as_bytes())).unwrap()
    };
    let (one, other) = (Signed::self_signed("one.example"), Signed::self_signed("other.example"));
    let mixed = Signed { certificate: one.certificate, key: other.key, ..Signed::default() };
    let answer = post(&config(&[(&mixed, "a.example")]));
    let messages = answer.json()["fields"]["certificates"][0]["@entity"].clone();
    assert_eq!((answer.status, messages), (400, serde_json::json!(["certificate does not match key"])));
    // A missing value of a vault is not an error of the document; the certificate is not presented.
    let text = "_format_version: \"3.0\"\ncertificates:\n- cert: '{vault://env/no-such-certificate}'\n  \
                key: '{vault://env/no-such-key}'\n  snis: [{name: a.example}]\n";
    let usual = shown(&gateway, None);
    assert_eq!(post(text).status, 201);
    assert_eq!(shown(&gateway, Some("a.example")), usual);
}
