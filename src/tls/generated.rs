//! Self-signed certificate for listeners without a certificate.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use super::{CertificateFault, CertifiedIdentity};
use crate::base64_codec;

/// Generates a self-signed certificate for `localhost` with a new key (P-256), as Kong does.
///
/// # Errors
/// If the system has no random numbers.
pub fn self_signed() -> Result<CertifiedIdentity, CertificateFault> {
    let (certificate, key) = generate().map_err(|error| CertificateFault::Certificate(error.to_string()))?;
    CertifiedIdentity::from_pem(&pem("CERTIFICATE", certificate.der()), &pem("PRIVATE KEY", &key))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64_codec::encode(der))
}

fn generate() -> Result<(rcgen::Certificate, Vec<u8>), rcgen::Error> {
    let mut params = CertificateParams::new(["localhost".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2050, 1, 1));
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?, key.serialize_der()))
}

/// A self-signed certificate for these names and its key, both PEM.
#[cfg(test)]
pub(crate) fn self_signed_pem(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let generated = rcgen::generate_simple_self_signed(names).unwrap();
    (pem("CERTIFICATE", generated.cert.der()), pem("PRIVATE KEY", &generated.signing_key.serialize_der()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generated_certificate_has_a_new_key() {
        assert_ne!(self_signed().unwrap(), self_signed().unwrap());
    }
}
