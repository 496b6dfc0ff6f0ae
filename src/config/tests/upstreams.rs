//! Tests of upstreams, targets, certificates and server names in files.

use std::time::Duration;

use super::{parse_text, refused};
use crate::entity::{Algorithm, CertificateIndex, HashInput, TargetIndex, UpstreamIndex};

const CERT: &str = "cert: \"-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----\"";
const KEY: &str = "key: \"-----BEGIN PRIVATE KEY-----\\nAA==\\n-----END PRIVATE KEY-----\"";
const ID: &str = "11111111-1111-4111-8111-111111111111";

#[test]
fn an_upstream_with_only_a_name_has_kongs_defaults() {
    let entities = parse_text("upstreams: [{name: u}]").unwrap().entities;
    let upstream = &entities.upstreams[0];
    assert_eq!(upstream.id.to_string(), "597a2b96-28b9-56b9-8745-bb55e59539cc");
    assert_eq!(
        (upstream.algorithm, &upstream.hash_on, upstream.slots),
        (Algorithm::RoundRobin, &HashInput::None, 10000)
    );
    let checks = &upstream.healthchecks;
    assert_eq!((checks.active.timeout, checks.active.concurrency), (Duration::from_secs(1), 10));
    assert_eq!(checks.active.limits.healthy_statuses, [200, 302]);
    assert_eq!(checks.passive.limits.unhealthy_statuses, [429, 500, 503]);
    assert!(checks.active.verify && checks.active.healthy_interval.is_zero());
    assert_eq!(upstream.record.get("hash_on_cookie_path").unwrap().to_json(), "\"/\"");
}

#[test]
fn targets_belong_to_their_upstream() {
    let nested = "upstreams: [{name: u, targets: [{target: noport}, {target: \"[::1]:80\", weight: 0}]}]";
    let flat = "upstreams: [{name: u}]
targets: [{target: noport, upstream: u}, {target: \"[::1]:80\", weight: 0, upstream: u}]";
    for text in [nested, flat] {
        let entities = parse_text(text).unwrap().entities;
        assert_eq!(entities.upstreams[0].targets, [TargetIndex(0), TargetIndex(1)], "{text}");
        let [named, addressed] = entities.targets.as_slice() else { panic!("{text}") };
        assert_eq!(
            (&*named.target, &*named.host, named.port, named.weight),
            ("noport:8000", "noport", 8000, 100)
        );
        assert_eq!(addressed.target, "[0000:0000:0000:0000:0000:0000:0000:0001]:80");
        assert_eq!((&*addressed.host, addressed.port, addressed.upstream), ("::1", 80, UpstreamIndex(0)));
    }
    let entities =
        parse_text("upstreams: [{name: u, targets: [{target: \"a:80\", upstream: u}]}]").unwrap().entities;
    assert_eq!(entities.targets[0].id.to_string(), "98043a3b-fd13-57c6-aeda-0a256e340fbc");
}

#[test]
fn the_hash_input_determines_the_algorithm() {
    let upstream = |text: &str| {
        let text = format!("upstreams: [{{name: u, {text}}}]");
        parse_text(&text).unwrap().entities.upstreams[0].clone()
    };
    let hashed = upstream("hash_on: header, hash_on_header: x-id, hash_fallback: ip");
    assert_eq!(hashed.algorithm, Algorithm::ConsistentHashing);
    assert_eq!((hashed.hash_on, hashed.hash_fallback), (HashInput::Header("x-id".into()), HashInput::Ip));
    let counted = upstream("algorithm: least-connections, hash_on: ip");
    assert_eq!((counted.algorithm, counted.hash_on), (Algorithm::LeastConnections, HashInput::None));
    let cookie = HashInput::Cookie { name: "c".into(), path: "/".into() };
    assert_eq!(upstream("hash_on: ip, hash_fallback: cookie, hash_on_cookie: c").hash_fallback, cookie);
}

#[test]
fn references_to_certificates_are_resolved() {
    let text = format!(
        "certificates: [{{id: {ID}, {CERT}, {KEY}, snis: [{{name: a.com}}]}}]
snis: [{{name: \"*.b.com\", certificate: {ID}}}]
ca_certificates: [{{id: {ID}, {CERT}}}]
services: [{{name: s, url: https://a.com, client_certificate: {ID}, ca_certificates: [{ID}], tls_verify: true, tls_verify_depth: 3}}]
upstreams: [{{name: u, client_certificate: {ID}}}]"
    );
    let entities = parse_text(&text).unwrap().entities;
    let names: Vec<_> = entities.snis.iter().map(|sni| (&*sni.name, sni.certificate.0)).collect();
    assert_eq!(names, [("a.com", 0), ("*.b.com", 0)]);
    let service = &entities.services[0];
    assert_eq!(service.client_certificate, Some(CertificateIndex(0)));
    assert_eq!(service.ca_certificates.as_deref().map(<[_]>::len), Some(1));
    assert_eq!((service.tls_verify, service.tls_verify_depth), (Some(true), Some(3)));
    assert_eq!(entities.upstreams[0].client_certificate, Some(CertificateIndex(0)));
}

#[test]
fn authorities_are_unique_by_their_digests() {
    // The hash of the single byte of the certificate; the digest in the file is ignored.
    const DIGEST: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    let text =
        format!("ca_certificates: [{{id: {ID}, {CERT}, cert_digest: x}}, {{cert: \"{{vault://env/ca}}\"}}]");
    let entities = parse_text(&text).unwrap().entities;
    let digests: Vec<_> =
        entities.ca_certificates.iter().map(|authority| authority.cert_digest.as_deref()).collect();
    assert_eq!(digests, [Some(DIGEST), None]);
    assert_eq!(
        entities.ca_certificates[0].record.get("cert_digest").and_then(crate::document::Value::as_str),
        Some(DIGEST)
    );
    refused(
        &format!("ca_certificates: [{{id: {ID}, {CERT}}}, {{{CERT}}}]"),
        &format!(
            "ca_certificates[1].cert_digest: uniqueness violation: 'ca_certificates' entity with cert_digest set to \
             '{DIGEST}' already declared"
        ),
    );
}

#[test]
fn a_reference_to_a_missing_authority_is_a_warning() {
    let text = format!("services: [{{name: s, url: https://a.com, ca_certificates: [{ID}]}}]");
    let warnings = parse_text(&text).unwrap().warnings;
    assert_eq!(warnings[0].path.to_string(), "services[0].ca_certificates[0]");
}

#[test]
fn invalid_upstreams_and_certificates_are_refused() {
    refused(
        "upstreams: [{name: 1.2.3.4}]",
        "upstreams[0].name: Invalid name ('1.2.3.4'); no ip addresses allowed",
    );
    refused("upstreams: [{name: \"a:80\"}]", "upstreams[0].name: Invalid name ('a:80'); no port allowed");
    refused("upstreams: [{name: u, hash_on: header}]", "upstreams[0].hash_on_header: required field missing");
    refused("upstreams: [{name: u, hash_fallback: ip}]", "upstreams[0].hash_fallback: expected one of: none");
    refused(
        "upstreams: [{name: u, hash_on: header, hash_on_header: x, hash_fallback: header, hash_fallback_header: x}]",
        "upstreams[0]: values of these fields must be distinct: 'hash_on_header', 'hash_fallback_header'",
    );
    refused(
        "upstreams: [{name: u, healthchecks: {active: {healthy: {interval: -1}}}}]",
        "upstreams[0].healthchecks.active.healthy.interval: value should be between 0 and 65535",
    );
    refused(
        "upstreams: [{name: u, targets: [{target: b@d}]}]",
        "upstreams[0].targets[0].target: Invalid target ('b@d'); not a valid hostname or ip address",
    );
    refused(
        "upstreams: [{name: u, targets: [{target: \"a:80\"}, {target: \"a:80\"}]}]",
        "upstreams[0].targets[1]: uniqueness violation: 'targets' entity with primary key set to \
         'ee5a48d3-df8b-5f2e-83be-ec24f3a515ca' already declared",
    );
    refused("targets: [{target: a}]", "targets[0].upstream: required field missing");
    refused(
        &format!("certificates: [{{cert: x, {KEY}}}]"),
        "certificates[0].cert: invalid certificate: it is no PEM text",
    );
    refused(
        &format!("certificates: [{{{CERT}, key: x}}]"),
        "certificates[0].key: invalid key: it is no PEM text",
    );
    let text = format!("certificates: [{{{CERT}, {KEY}, cert_alt: \"{{vault://env/a}}\"}}]");
    refused(&text, "certificates[0]: all or none of these fields must be set: 'cert_alt', 'key_alt'");
    refused("services: [{name: s, host: h, tls_verify: true}]", "services[0].tls_verify: value must be null");
}
