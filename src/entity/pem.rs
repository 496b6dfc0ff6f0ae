//! Rules of texts that hold certificates and private keys. (RFC 7468.)

use crate::{base64_codec, document::Value, schema::is_vault_reference};

const BEGIN: &str = "-----BEGIN ";

/// The message for a certificate that is not PEM.
pub(crate) const NO_PEM: &str = "invalid certificate: it is no PEM text";

/// A certificate in PEM, or a reference to a vault.
pub(super) fn certificate(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let is_pem =
        ["CERTIFICATE-----", "X509 CERTIFICATE-----", "TRUSTED CERTIFICATE-----"].iter().any(|label| {
            text.contains(&format!("{BEGIN}{label}")) && text.contains(&format!("-----END {label}"))
        });
    if is_pem || is_vault_reference(text) { Ok(()) } else { Err(NO_PEM.to_owned()) }
}

/// A private key in PEM, or a reference to a vault.
pub(super) fn private_key(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let is_pem = text.split(BEGIN).skip(1).any(|rest| {
        let label = rest.split("-----").next().unwrap_or_default();
        label.ends_with("PRIVATE KEY") && rest.contains(&format!("-----END {label}-----"))
    });
    if is_pem || is_vault_reference(text) { Ok(()) } else { Err("invalid key: it is no PEM text".to_owned()) }
}

/// The bytes of the first certificate of a PEM text. (RFC 7468, section 3.)
pub(super) fn first_certificate(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    base64_codec::decode(body)
}
