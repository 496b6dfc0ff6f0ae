//! Certificates and keys of every kind that OpenSSL supports: each is accepted by every interface of the gateway, and
//! presented to clients if TLS can use it.

use std::{fmt::Write as _, process::Command};

use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    openssl::{OpenSsl, Pair},
    pem::block,
};

/// A name, the arguments of `openssl genpkey`, and the signature scheme, or the reason why there is none.
type Kind = (&'static str, &'static str, Result<&'static str, &'static str>);

const KINDS: &[Kind] = &[
    ("rsa2048", "RSA -pkeyopt rsa_keygen_bits:2048", Ok("RSA-PSS")),
    ("rsa2050", "RSA -pkeyopt rsa_keygen_bits:2050", Ok("RSA-PSS")),
    ("rsa4096", "RSA -pkeyopt rsa_keygen_bits:4096", Ok("RSA-PSS")),
    ("rsa8192", "RSA-8192", Ok("RSA-PSS")),
    ("small-exponent", "RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3", Ok("RSA-PSS")),
    ("three-primes", "RSA -pkeyopt rsa_keygen_bits:3072 -pkeyopt rsa_keygen_primes:3", Ok("RSA-PSS")),
    ("pss", "RSA-PSS -pkeyopt rsa_keygen_bits:2048", Ok("RSA-PSS")),
    (
        "pss-sha384",
        "RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha384 -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt rsa_pss_keygen_saltlen:32",
        Ok("RSA-PSS"),
    ),
    ("p256", "EC -pkeyopt ec_paramgen_curve:P-256", Ok("ECDSA")),
    ("p384", "EC -pkeyopt ec_paramgen_curve:P-384", Ok("ECDSA")),
    ("p521", "EC -pkeyopt ec_paramgen_curve:P-521", Ok("ECDSA")),
    ("described", "EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", Ok("ECDSA")),
    ("ed25519", "ED25519", Ok("ed25519")),
    (
        "rsa1024",
        "RSA -pkeyopt rsa_keygen_bits:1024",
        Err("its key is of RSA with 1024 bits, which OpenSSL's"),
    ),
    ("p224", "EC -pkeyopt ec_paramgen_curve:P-224", Err("its key is of P-224; ")),
    ("secp256k1", "EC -pkeyopt ec_paramgen_curve:secp256k1", Err("its key is of secp256k1; ")),
    ("brainpool", "EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", Err("its key is of another curve; ")),
    ("ed448", "ED448", Err("its key is of Ed448; ")),
    ("dsa", "DSA", Err("its key is of DSA; ")),
];

const ROUTE: &str = "_format_version: \"3.0\"\nroutes:\n- {name: r, paths: [/], plugins: [{name: request-termination, config: {status_code: 200, message: served}}]}\n";

/// A configuration with a certificate for each name.
fn config<'a>(certificates: impl IntoIterator<Item = (&'a str, &'a Pair)>) -> String {
    let mut text = format!("{ROUTE}certificates:\n");
    for (name, pair) in certificates {
        let (cert, key) = (block(&pair.certificate, 4), block(&pair.key, 4));
        writeln!(text, "- cert: {cert}\n  key: {key}\n  snis: [{{name: {name}.example}}]").unwrap();
    }
    text
}

fn run(setup: Setup) -> Gateway {
    let listen = "127.0.0.1:0, 127.0.0.1:0 http2 ssl";
    setup.start(&["run", "--proxy-listen", listen, "--admin-listen", "127.0.0.1:0"])
}

/// Checks the certificate for a name and its signature scheme in both versions of TLS, also with curl, which trusts
/// only this certificate.
#[track_caller]
fn assert_presented(openssl: &OpenSsl, gateway: &Gateway, name: &str, signs: &str) {
    let address = gateway.tls_address("proxy");
    let host = format!("{name}.example");
    for version in ["-tls1_2", "-tls1_3"] {
        let printed = openssl.connect(address, &host, version);
        let signature = format!("Peer signature type: {signs}");
        assert!(printed.contains(&format!("subject=CN={host}")), "{name} {version}: {printed}");
        assert!(printed.contains(&signature), "{name} {version}: {printed}");
    }
    // No client verifies a certificate that describes its curve.
    if name == "described" {
        return;
    }
    openssl.write("trusted.pem", &openssl.read(&format!("{name}.pem")));
    let printed = openssl.connect(address, &host, &format!("-CAfile trusted.pem -verify_hostname {host}"));
    assert!(printed.contains("Verification: OK"), "{name}: {printed}");
    let port = address.rsplit_once(':').unwrap().1;
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--resolve", &format!("{host}:{port}:127.0.0.1"), "--cacert"]);
    let Ok(output) = curl.arg(openssl.path("trusted.pem")).arg(format!("https://{host}:{port}/")).output()
    else {
        return;
    };
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(printed.contains("served"), "{name}: {printed}");
}

/// Checks that a client that requests a name gets the generated certificate.
#[track_caller]
fn assert_generated(openssl: &OpenSsl, gateway: &Gateway, name: &str) {
    let printed = openssl.connect(gateway.tls_address("proxy"), &format!("{name}.example"), "");
    assert!(printed.contains("subject=CN=localhost"), "{name}: {printed}");
}

#[test]
fn every_kind_is_accepted_by_every_interface() {
    let Some(openssl) = OpenSsl::find() else { return };
    let pairs: Vec<Pair> = KINDS.iter().map(|(name, kind, _)| openssl.make(name, kind)).collect();
    let named = || KINDS.iter().map(|kind| kind.0).zip(&pairs);
    // The file.
    let gateway = run(Setup::with(&config(named())));
    for (name, _, expected) in KINDS {
        match expected {
            Ok(signs) => assert_presented(&openssl, &gateway, name, signs),
            Err(why) => {
                assert_generated(&openssl, &gateway, name);
                gateway.wait_for_log(&format!("({name}.example) is not served: {why}"));
            }
        }
    }
    gateway.wait_for_log("(rsa8192.example): each handshake takes a processor up to a tenth of a second");
    // POST /certificates, one by one, and POST /config with all of them.
    for whole in [false, true] {
        let gateway = run(Setup::with(ROUTE));
        if whole {
            let answer = gateway.admin_json("POST", "/config", json!({"config": config(named())}));
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        for ((name, pair), (.., expected)) in named().zip(KINDS) {
            if !whole {
                let snis = [format!("{name}.example")];
                let body = json!({"cert": pair.certificate, "key": pair.key, "snis": snis});
                let answer = gateway.admin_json("POST", "/certificates", body);
                assert_eq!(answer.status, 201, "{name}: {}", answer.text());
            }
            let shown = gateway.admin("GET", &format!("/certificates/{name}.example"));
            assert_eq!(shown.json()["cert"].as_str().unwrap().trim(), pair.certificate.trim(), "{name}");
            match expected {
                Ok(signs) => assert_presented(&openssl, &gateway, name, signs),
                Err(_) => assert_generated(&openssl, &gateway, name),
            }
        }
    }
}

#[test]
fn settings_accept_every_kind() {
    let Some(openssl) = OpenSsl::find() else { return };
    let flags = ["run", "--proxy-listen", "127.0.0.1:0 ssl", "--admin-listen", "off"];
    for (name, kind, expected) in KINDS {
        let pair = openssl.make(name, kind);
        let setup =
            Setup::with(ROUTE).env("KONG_SSL_CERT", &pair.certificate).env("KONG_SSL_CERT_KEY", &pair.key);
        match expected {
            Ok(signs) => assert_presented(&openssl, &setup.start(&flags), name, signs),
            Err(why) => {
                setup.call(&flags).is_refusal(why);
                setup.call(&flags).is_refusal("give one of those kinds, or several parted by commas");
            }
        }
    }
    // Beside a usable certificate, unusable ones are left out.
    let setup = Setup::with(ROUTE)
        .file("one.pem", openssl.read("ed448.pem"))
        .file("one.key", openssl.read("ed448.key"))
        .file("other.pem", openssl.read("p521.pem"))
        .file("other.key", openssl.read("p521.key"))
        .env("KONG_SSL_CERT", "one.pem, other.pem")
        .env("KONG_SSL_CERT_KEY", "one.key, other.key");
    let gateway = setup.start(&flags);
    gateway.wait_for_log("one.pem cannot be shown: its key is of Ed448; ");
    assert_presented(&openssl, &gateway, "p521", "ECDSA");
}

#[test]
fn clients_choose_signatures() {
    let Some(openssl) = OpenSsl::find() else { return };
    let names = ["rsa8192", "pss", "p521", "p256"];
    let kind = |name: &str| KINDS.iter().find(|kind| kind.0 == name).unwrap().1;
    let pairs = names.map(|name| openssl.make(name, kind(name)));
    let gateway = run(Setup::with(&config(names.into_iter().zip(&pairs))));
    for (name, asked, expected) in [
        ("rsa8192", "-tls1_2 -sigalgs RSA+SHA256", Some(("SHA256", "RSA"))),
        ("rsa8192", "-tls1_2 -sigalgs RSA+SHA512", Some(("SHA512", "RSA"))),
        ("rsa8192", "-tls1_2 -sigalgs rsa_pss_rsae_sha256", Some(("SHA256", "RSA-PSS"))),
        ("rsa8192", "-tls1_3 -sigalgs rsa_pss_rsae_sha384", Some(("SHA384", "RSA-PSS"))),
        ("rsa8192", "-tls1_3 -sigalgs ecdsa_secp256r1_sha256", None),
        ("pss", "-tls1_3 -sigalgs rsa_pss_pss_sha256", Some(("SHA256", "RSA-PSS"))),
        ("pss", "-tls1_3 -sigalgs rsa_pss_rsae_sha256", None),
        ("p521", "-tls1_3 -sigalgs ecdsa_secp521r1_sha512", Some(("SHA512", "ECDSA"))),
        ("p521", "-tls1_3 -sigalgs ecdsa_secp256r1_sha256", None),
        ("p256", "-tls1_3 -sigalgs ecdsa_secp256r1_sha256", Some(("SHA256", "ECDSA"))),
    ] {
        let printed = openssl.connect(gateway.tls_address("proxy"), &format!("{name}.example"), asked);
        match expected {
            Some((hash, signature)) => {
                let expected = format!("Peer signing digest: {hash}\nPeer signature type: {signature}\n");
                assert!(printed.contains(&expected), "{name} {asked}: {printed}");
            }
            None => assert!(printed.contains("handshake failure"), "{name} {asked}: {printed}"),
        }
    }
}

/// Checks the output of `mynah check` for a certificate and a key, which must not contain debug output.
#[track_caller]
fn check(what: &str, certificate: &str, key: &str, expected: Result<(), &str>) {
    let pair = Pair { certificate: certificate.to_owned(), key: key.to_owned() };
    let outcome = Setup::with(&config([("a", &pair)])).call(&["check", "kong.yaml"]);
    let printed = format!("{}{}", outcome.stdout, outcome.stderr);
    match expected {
        Ok(()) => {
            assert_eq!(outcome.code, Some(0), "{what}: {printed}");
            assert!(!printed.contains("is not served"), "{what}: {printed}");
        }
        Err(expected) => assert!(printed.contains(expected), "{what}: {expected:?} is not in {printed}"),
    }
    for leak in ["Error(", "InvalidCertificate", "Der", "General", "::", "Some("] {
        assert!(!printed.contains(leak), "{what}: {printed}");
    }
}

fn make_three(openssl: &OpenSsl) -> [Pair; 3] {
    [
        openssl.make("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
        openssl.make("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
        openssl.make("p521", "EC -pkeyopt ec_paramgen_curve:P-521"),
    ]
}

#[test]
fn keys_and_certificates_are_read_in_all_forms() {
    let Some(openssl) = OpenSsl::find() else { return };
    let [rsa, p256, p521] = make_three(&openssl);
    let made = |arguments: &str| openssl.output(arguments);
    for (what, pair, key) in [
        ("PKCS #1", &rsa, made("rsa -traditional -in rsa.key")),
        ("SEC 1", &p256, made("ec -in p256.key")),
        ("SEC 1 without its point", &p256, made("ec -no_public -in p256.key")),
        ("SEC 1 with its curve described", &p256, made("ec -param_enc explicit -in p256.key")),
        ("PKCS #8 with its curve described", &p521, made("pkey -ec_param_enc explicit -in p521.key")),
        (
            "PKCS #8 with its point on one coordinate",
            &p256,
            made("pkey -ec_conv_form compressed -in p256.key"),
        ),
        ("parameters before the key", &p256, made("ecparam -name P-256") + &made("ec -in p256.key")),
        ("lines of DOS", &rsa, rsa.key.replace('\n', "\r\n")),
        ("text before and after", &rsa, format!("subject: x\n{}\nthe end: y\n", rsa.key)),
        ("its certificate before it", &rsa, format!("{}{}", rsa.certificate, rsa.key)),
    ] {
        check(what, &pair.certificate, &key, Ok(()));
    }
    for (what, certificate) in [
        ("lines of DOS", rsa.certificate.replace('\n', "\r\n")),
        ("text between", format!("a: b\n{}garbage\n\n{}end", rsa.certificate, p256.certificate)),
        ("another label", rsa.certificate.replace("CERTIFICATE", "X509 CERTIFICATE")),
        ("what OpenSSL trusts it for", made("x509 -trustout -addtrust serverAuth -in rsa.pem")),
        ("its text before it", made("x509 -text -in rsa.pem")),
        ("its key behind it", format!("{}{}", rsa.certificate, rsa.key)),
    ] {
        check(what, &certificate, &rsa.key, Ok(()));
    }
}

#[test]
fn an_unusable_certificate_is_explained() {
    let Some(openssl) = OpenSsl::find() else { return };
    let [rsa, p256, p521] = make_three(&openssl);
    let ed448 = openssl.make("ed448", "ED448");
    let made = |arguments: &str| openssl.output(arguments);
    let pem = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----");
    let mismatch = Err("certificate does not match key");
    let encrypted = Err("invalid key: it is encrypted, and there is no setting for its passphrase");
    let (cut, _) = rsa.key.split_at(rsa.key.len() / 2);
    for (what, certificate, key, expected) in [
        (
            "its PKCS #8 is encrypted",
            &rsa.certificate,
            made("pkey -aes256 -passout pass:x -in rsa.key"),
            encrypted,
        ),
        (
            "its PKCS #1 is encrypted",
            &rsa.certificate,
            made("rsa -traditional -aes256 -passout pass:x -in rsa.key"),
            encrypted,
        ),
        ("a key of another kind", &rsa.certificate, p256.key.clone(), mismatch),
        ("a key of another curve", &p521.certificate, p256.key.clone(), mismatch),
        ("a key that cannot be shown, of another", &rsa.certificate, ed448.key, mismatch),
        (
            "the certificate of the key comes second",
            &format!("{}{}", p256.certificate, rsa.certificate),
            rsa.key.clone(),
            Err("put certificate 2 of this text first"),
        ),
        (
            "a chain that breaks off",
            &format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", rsa.certificate),
            rsa.key.clone(),
            Err("certificate 2 of its chain cannot be read, and is left out"),
        ),
        ("no key", &rsa.certificate, pem("MAA="), Err("invalid key: what it encodes is no private key")),
        (
            "half a key",
            &rsa.certificate,
            format!("{cut}\n-----END PRIVATE KEY-----"),
            Err("invalid key: what"),
        ),
        ("no base64", &rsa.certificate, pem("%"), Err("invalid key: what stands between BEGIN and END")),
        (
            "a public key",
            &rsa.certificate,
            made("pkey -pubout -in rsa.key"),
            Err("invalid key: it is no PEM text"),
        ),
        (
            "lines that were joined",
            &rsa.certificate.replace('\n', " "),
            rsa.key.clone(),
            Err("a text of YAML keeps its lines behind `|`"),
        ),
    ] {
        check(what, certificate, &key, expected);
    }
}

#[test]
fn certificates_of_version_1_are_presented() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out old.key");
    openssl.run("req -new -key old.key -subj /CN=old.example -out old.request");
    openssl.run("x509 -req -in old.request -signkey old.key -days 3650 -out old.pem");
    if !openssl.run("x509 -in old.pem -noout -text").contains("Version: 1 ") {
        return eprintln!("skipped: this openssl makes no certificates of version 1");
    }
    let old = openssl.pair("old");
    let gateway = run(Setup::with(&config([("old", &old)])));
    assert_presented(&openssl, &gateway, "old", "ECDSA");
    let answer = gateway.admin_json("POST", "/ca_certificates", json!({"cert": old.certificate}));
    assert_eq!(answer.status, 400, "as Kong");
    assert!(answer.text().contains("missing the \\\"CA\\\" basic constraint"), "{}", answer.text());
}

#[test]
fn two_certificates_for_one_name_have_two_types() {
    let Some(openssl) = OpenSsl::find() else { return };
    let rsa = openssl.make("rsa", "RSA -pkeyopt rsa_keygen_bits:2048");
    let pss = openssl.make("pss", "RSA-PSS -pkeyopt rsa_keygen_bits:2048");
    let ed448 = openssl.make("ed448", "ED448");
    let (p256, p521) = (
        openssl.make("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
        openssl.make("p521", "EC -pkeyopt ec_paramgen_curve:P-521"),
    );
    let gateway = run(Setup::with(ROUTE));
    for (one, other, status) in [
        (&rsa, &p521, 201),
        (&rsa, &pss, 201),
        (&rsa, &ed448, 201),
        (&p256, &p521, 400),
        (&ed448, &ed448, 400),
    ] {
        let body = json!({
            "cert": one.certificate, "key": one.key, "cert_alt": other.certificate, "key_alt": other.key,
        });
        let answer = gateway.admin_json("POST", "/certificates", body);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}
