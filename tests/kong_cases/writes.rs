//! Writes through the Admin API, and the recorded responses of Kong with a database.
//!
//! Generated ids and keys differ in each run: an id in the file is mapped to the first actual id in its place.
//! Certificates are generated: `<a.crt>` stands for one of them, `<PEM>` for any.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use regex::{Captures, Regex};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{admin::scrub, cases::canonical, connection::Answer};

/// A file of sets.
#[derive(Deserialize)]
pub(crate) struct Writes {
    pub sets: Vec<Set>,
}

/// Requests in sequence, after loading a configuration.
#[derive(Deserialize)]
pub(crate) struct Set {
    pub name: String,
    pub config: Value,
    pub cases: Vec<Write>,
}

/// One request.
#[derive(Deserialize)]
pub(crate) struct Write {
    pub name: String,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    headers: Option<Map<String, Value>>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    json: Option<Value>,
    allow: Option<String>,
}

/// Mapping of ids in the file to actual ids.
pub(crate) struct Ids {
    mapping: BTreeMap<String, String>,
    form: Regex,
}

impl Ids {
    pub(crate) fn new() -> Self {
        let form = Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
        Self { mapping: BTreeMap::new(), form }
    }

    /// A text of the file with actual ids.
    fn substitute(&self, text: &str) -> String {
        let one =
            |found: &Captures<'_>| self.mapping.get(&found[0]).map_or(&found[0], String::as_str).to_owned();
        self.form.replace_all(text, one).into_owned()
    }

    fn is_id(&self, text: &str) -> bool {
        text.len() == 36 && self.form.is_match(text)
    }

    fn without(&self, value: &Value) -> String {
        self.form.replace_all(&canonical(value), "").into_owned()
    }

    /// Adds the differences between a recorded value and the actual one to `found`.
    fn compare(&mut self, at: &str, want: &Value, have: &Value, found: &mut Vec<String>) {
        match (want, have) {
            (Value::Object(want), Value::Object(have)) => {
                // Kong counts `ttl` down; mynah keeps the written value.
                for (key, value) in want.iter().filter(|(key, _)| *key != "ttl") {
                    match have.get(key) {
                        Some(have) => self.compare(&format!("{at}.{key}"), value, have, found),
                        None => found.push(format!("{at}.{key} is missing, expected {value}")),
                    }
                }
                let more = have.iter().filter(|(key, _)| *key != "ttl" && !want.contains_key(*key));
                found.extend(more.map(|(key, value)| format!("{at}.{key} is {value}, expected none")));
            }
            (Value::Array(want), Value::Array(have)) if want.len() == have.len() => {
                let (mut want, mut have) = (want.clone(), have.clone());
                if want.iter().all(Value::is_object) {
                    // Lists are in the order of ids, which differ.
                    want.sort_by_key(|item| self.without(item));
                    have.sort_by_key(|item| self.without(item));
                }
                for (n, (want, have)) in want.iter().zip(&have).enumerate() {
                    self.compare(&format!("{at}[{n}]"), want, have, found);
                }
            }
            (Value::String(want), Value::String(have)) if self.is_id(want) && self.is_id(have) => {
                let expected = self.mapping.entry(want.clone()).or_insert_with(|| have.clone());
                if expected != have {
                    found.push(format!("{at} {have}, expected {expected}"));
                }
            }
            (Value::String(want), Value::String(have)) if is_generated(want) && is_generated(have) => (),
            (Value::String(want), Value::String(have))
                if want == "<PEM>" && have.starts_with("-----BEGIN ") => {}
            (Value::String(want), Value::String(have)) if without_digests(want) == without_digests(have) => {}
            (Value::String(want), Value::String(have)) if self.substitute(want) == *have => (),
            (Value::Number(want), Value::Number(have)) if want.as_f64() == have.as_f64() => (),
            (want, have) if want == have => (),
            _ => found.push(format!("{at} {have}, expected {want}")),
        }
    }
}

/// A text without the digests of certificates.
fn without_digests(text: &str) -> String {
    let digests = Regex::new("[0-9a-f]{64}").unwrap();
    digests.replace_all(text, "<digest>").into_owned()
}

/// Certificates and keys by their names in bodies: `a` for a server, `ca` for an authority.
pub(crate) struct Pems(Vec<(&'static str, String)>);

impl Pems {
    pub(crate) fn new() -> Self {
        let of = |name: &str, is_ca: IsCa| {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.is_ca = is_ca;
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            (pem("CERTIFICATE", issuer.der()), pem("PRIVATE KEY", &issuer.key().serialize_der()))
        };
        let (certificate, key) = of("a.example", IsCa::NoCa);
        let (authority, authority_key) = of("ca.example", IsCa::Ca(BasicConstraints::Unconstrained));
        Self(vec![
            ("<a.crt>", certificate),
            ("<a.key>", key),
            ("<ca.crt>", authority),
            ("<ca.key>", authority_key),
        ])
    }

    /// A body with the certificates in place of their names.
    fn substitute(&self, mut body: String, is_form: bool) -> String {
        for (name, pem) in &self.0 {
            let escaped =
                |pem: &str| pem.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
            let text = if is_form { escaped(pem) } else { pem.clone() };
            body = body.replace(name, &text);
        }
        body
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

/// Whether a text is a generated key or secret.
fn is_generated(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Write {
    /// The request, one character per byte.
    pub(crate) fn raw(&self, host: &str, ids: &Ids, pems: &Pems) -> String {
        let Request { method, path, headers, body } = &self.request;
        let mut head = vec![
            format!("{method} {} HTTP/1.1", ids.substitute(path)),
            format!("Host: {host}"),
            "Connection: close".to_owned(),
        ];
        let fields = headers.iter().flatten();
        head.extend(fields.map(|(name, value)| format!("{name}: {}", value.as_str().unwrap())));
        let is_form = head.iter().any(|line| line.ends_with("x-www-form-urlencoded"));
        let body = pems.substitute(ids.substitute(body.as_deref().unwrap_or_default()), is_form);
        let text = format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len());
        text.bytes().map(char::from).collect()
    }

    /// The differences between a response and the recorded one.
    pub(crate) fn differences(&self, answer: &Answer, ids: &mut Ids) -> Vec<String> {
        let expected = &self.response;
        if answer.status != expected.status {
            return vec![format!("status {}, expected {}: {}", answer.status, expected.status, answer.body)];
        }
        let mut found = Vec::new();
        if let Some(allow) = &expected.allow
            && answer.values("allow") != [allow]
        {
            found.push(format!("allow {:?}, expected {allow}", answer.values("allow")));
        }
        if let Some(want) = &expected.json {
            let (mut want, mut have) = (want.clone(), serde_json::from_str(&answer.body).unwrap_or_default());
            scrub(&mut want);
            scrub(&mut have);
            ids.compare("", &want, &have, &mut found);
        }
        found
    }
}
