//! Certificates and keys that settings name: the path of a file, PEM itself, or PEM in base64. (Kong: `ssl_cert`.)

use std::fs;

use super::{CertificateFault, CertifiedIdentity};
use crate::base64_codec;

/// The PEM text that a setting gives.
///
/// # Errors
/// What it names is no file that can be read.
pub fn read(given: &str) -> Result<String, String> {
    if given.contains("-----BEGIN ") {
        return Ok(given.to_owned());
    }
    let decoded = base64_codec::decode(given).and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|text| text.contains("-----BEGIN ")) {
        Some(text) => Ok(text),
        None => fs::read_to_string(given).map_err(|error| format!("cannot read {given}: {error}")),
    }
}

/// The certificates that settings give, each with the key at the same place. Those that no handshake is made with are
/// left out, which the log tells.
///
/// # Errors
/// One cannot be read, or none can be shown.
pub fn identities(certificates: &[String], keys: &[String]) -> Result<Vec<CertifiedIdentity>, String> {
    let mut shown = Vec::new();
    let mut left_out = Vec::new();
    for (certificate, key) in certificates.iter().zip(keys) {
        // What is given may be the certificate itself.
        let name = if certificate.contains("-----BEGIN ") { "the certificate" } else { certificate };
        match CertifiedIdentity::from_pem(&read(certificate)?, &read(key)?) {
            Ok(identity) => {
                for remark in identity.remarks() {
                    tracing::warn!("{name}: {remark}");
                }
                shown.push(identity);
            }
            Err(CertificateFault::Unservable(_, why)) => {
                left_out.push(format!("{name} cannot be shown: {why}"));
            }
            Err(CertificateFault::Mismatch(Some(help))) => {
                return Err(format!("{}; {help}", CertificateFault::Mismatch(None)));
            }
            Err(fault) => return Err(fault.to_string()),
        }
    }
    if shown.is_empty() && !left_out.is_empty() {
        return Err(format!("{}; give one of those kinds, or several parted by commas", left_out.join("; ")));
    }
    for why in &left_out {
        tracing::warn!("{why}");
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::{super::generated::signed_by_itself, *};

    #[test]
    fn a_setting_gives_a_file_or_pem_or_base64() {
        let (certificate, key) = signed_by_itself(&["a.example"]);
        let expected = CertifiedIdentity::from_pem(&certificate, &key).unwrap();
        let folder = std::env::temp_dir().join(format!("mynah-given-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("cert.pem");
        fs::write(&file, &certificate).unwrap();
        let forms = [file.display().to_string(), base64_codec::encode(&certificate), certificate];
        for form in forms {
            assert_eq!(
                identities(&[form], std::slice::from_ref(&key)).as_deref(),
                Ok(&[expected.clone()][..])
            );
        }
        fs::remove_dir_all(&folder).unwrap();
        let wrong = identities(&["/nowhere/cert.pem".to_owned()], &[key]).unwrap_err();
        assert!(wrong.starts_with("cannot read /nowhere/cert.pem: "), "{wrong}");
    }
}
