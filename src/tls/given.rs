//! Certificates and keys that settings name: the path of a file, PEM itself, or PEM in base64. (Kong: `ssl_cert`.)

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::Identity;

/// The PEM text that a setting gives.
///
/// # Errors
/// What it names is no file that can be read.
pub fn read(given: &str) -> Result<String, String> {
    if given.contains("-----BEGIN ") {
        return Ok(given.to_owned());
    }
    let decoded = BASE64_STANDARD.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|text| text.contains("-----BEGIN ")) {
        Some(text) => Ok(text),
        None => fs::read_to_string(given).map_err(|error| format!("cannot read {given}: {error}")),
    }
}

/// The certificates that settings give, each with the key at the same place.
///
/// # Errors
/// One cannot be read or used.
pub fn identities(certificates: &[String], keys: &[String]) -> Result<Vec<Identity>, String> {
    let one = |(certificate, key): (&String, &String)| {
        Identity::from_pem(&read(certificate)?, &read(key)?).map_err(|fault| fault.to_string())
    };
    certificates.iter().zip(keys).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::generated::signed_by_itself, *};

    #[test]
    fn a_setting_gives_a_file_or_pem_or_base64() {
        let (certificate, key) = signed_by_itself(&["a.example"]);
        let expected = Identity::from_pem(&certificate, &key).unwrap();
        let folder = std::env::temp_dir().join(format!("mynah-given-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("cert.pem");
        fs::write(&file, &certificate).unwrap();
        let forms = [file.display().to_string(), BASE64_STANDARD.encode(&certificate), certificate];
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
