//! The certificate of a gateway that was given none.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use super::{CertificateFault, CertifiedIdentity};
use crate::base64_codec;

/// A certificate for `localhost` that nobody vouches for, with a key of its own (P-256), as Kong generates one.
///
/// # Errors
/// The system has no random numbers.
pub fn self_signed() -> Result<CertifiedIdentity, CertificateFault> {
    let (certificate, key) = generate().map_err(|error| CertificateFault::Certificate(error.to_string()))?;
    CertifiedIdentity::from_pem(&pem("CERTIFICATE", certificate.der()), &pem("PRIVATE KEY", &key))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64_codec::encode(der))
}

fn generate() -> Result<(rcgen::Certificate, Vec<u8>), rcgen::Error> {
    let mut asked = CertificateParams::new(["localhost".to_owned()])?;
    asked.distinguished_name = DistinguishedName::new();
    asked.distinguished_name.push(DnType::CommonName, "localhost");
    (asked.not_before, asked.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2050, 1, 1));
    let key = KeyPair::generate()?;
    Ok((asked.self_signed(&key)?, key.serialize_der()))
}

/// A certificate for these names and its key, both PEM.
#[cfg(test)]
pub(crate) fn signed_by_itself(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    (pem("CERTIFICATE", own.cert.der()), pem("PRIVATE KEY", &own.signing_key.serialize_der()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_has_a_certificate_of_its_own() {
        assert_ne!(self_signed().unwrap(), self_signed().unwrap());
    }
}
