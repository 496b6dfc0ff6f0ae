//! Rules of texts that hold certificates and private keys. (RFC 7468.)

use crate::{base64_codec, document::Value};

const BEGIN: &str = "-----BEGIN ";

/// A certificate in PEM, or a reference to a vault.
pub(super) fn certificate(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let is_pem =
        ["CERTIFICATE-----", "X509 CERTIFICATE-----", "TRUSTED CERTIFICATE-----"].iter().any(|label| {
            text.contains(&format!("{BEGIN}{label}")) && text.contains(&format!("-----END {label}"))
        });
    if is_pem || is_reference(text) {
        Ok(())
    } else {
        Err("invalid certificate: it is no PEM text".to_owned())
    }
}

/// A private key in PEM, or a reference to a vault.
pub(super) fn private_key(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let is_pem = text.split(BEGIN).skip(1).any(|rest| {
        let label = rest.split("-----").next().unwrap_or_default();
        label.ends_with("PRIVATE KEY") && rest.contains(&format!("-----END {label}-----"))
    });
    if is_pem || is_reference(text) { Ok(()) } else { Err("invalid key: it is no PEM text".to_owned()) }
}

/// Whether a text refers to a vault, which is read when the value is needed.
fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

/// The bytes of the first certificate of a PEM text. (RFC 7468, section 3.)
pub(super) fn first_certificate(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    base64_codec::decode(body)
}
