//! Certificates and keys of settings: the path of a file, PEM, or PEM in base64. (Kong: `ssl_cert`.)

use std::fs;

use super::{CertificateFault, CertifiedIdentity};
use crate::base64_codec;

/// Reads the PEM text of a setting.
///
/// # Errors
/// If the setting is the path of a file that cannot be read.
pub fn read_source(setting: &str) -> Result<String, String> {
    if setting.contains("-----BEGIN ") {
        return Ok(setting.to_owned());
    }
    let decoded = base64_codec::decode(setting).and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|text| text.contains("-----BEGIN ")) {
        Some(text) => Ok(text),
        None => fs::read_to_string(setting).map_err(|error| format!("cannot read {setting}: {error}")),
    }
}

/// Reads the certificates of settings, each with the key at the same position. Certificates that are not supported in a
/// handshake are left out, with a line in the log.
///
/// # Errors
/// If one cannot be read, or none is supported.
pub fn identities(certificates: &[String], keys: &[String]) -> Result<Vec<CertifiedIdentity>, String> {
    let mut supported = Vec::new();
    let mut left_out = Vec::new();
    for (certificate, key) in certificates.iter().zip(keys) {
        // A setting may be the certificate itself, which is not for the log.
        let name = if certificate.contains("-----BEGIN ") { "the certificate" } else { certificate };
        match CertifiedIdentity::from_pem(&read_source(certificate)?, &read_source(key)?) {
            Ok(identity) => {
                for warning in identity.warnings() {
                    tracing::warn!("{name}: {warning}");
                }
                supported.push(identity);
            }
            Err(CertificateFault::Unsupported(_, why)) => {
                left_out.push(format!("{name} cannot be shown: {why}"));
            }
            Err(CertificateFault::Mismatch(Some(help))) => {
                return Err(format!("{}; {help}", CertificateFault::Mismatch(None)));
            }
            Err(fault) => return Err(fault.to_string()),
        }
    }
    if supported.is_empty() && !left_out.is_empty() {
        return Err(format!("{}; give one of those kinds, or several parted by commas", left_out.join("; ")));
    }
    for why in &left_out {
        tracing::warn!("{why}");
    }
    Ok(supported)
}

#[cfg(test)]
mod tests {
    use super::{super::generated::self_signed_pem, *};

    #[test]
    fn a_setting_is_a_path_or_pem_or_base64() {
        let (certificate, key) = self_signed_pem(&["a.example"]);
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
