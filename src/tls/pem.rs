//! Blocks of a PEM text, parsed as OpenSSL does: text between blocks is ignored. (RFC 7468; RFC 1421.)

use super::der;
use crate::base64_codec;

/// The reason why a PEM block is not a certificate.
pub(super) const NOT_X509: &str = "what it encodes is no X.509 certificate";

/// A block from BEGIN to END.
pub(super) struct PemBlock<'a> {
    /// The label after BEGIN.
    pub(super) label: &'a str,
    /// Whether its header declares encryption. (RFC 1421, section 4.6.1.1.)
    pub(super) encrypted: bool,
    /// The decoded bytes, or an error, which never contains a part of the block, as that may be a key.
    pub(super) bytes: Result<Vec<u8>, &'static str>,
}

/// The labels of certificates.
pub(super) const CERTIFICATE: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The blocks of a text, in its order.
pub(super) fn blocks(text: &str) -> Vec<PemBlock<'_>> {
    let mut blocks = Vec::new();
    // Lines may end with LF, CRLF or CR.
    let mut lines = text.trim_start_matches('\u{feff}').split(['\n', '\r']).map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix(BEGIN) else { continue };
        let Some((label, after)) = rest.split_once(DASHES) else { continue };
        let (mut body, mut encrypted, mut closed) = (String::new(), false, false);
        while let Some(line) = lines.next_if(|line| !line.starts_with(BEGIN)) {
            if let Some(end) = line.strip_prefix(END) {
                closed = end.strip_suffix(DASHES) == Some(label);
                break;
            }
            // Header lines contain a colon, which is not a character of base64.
            match line.split_once(':') {
                Some((name, value)) => encrypted |= name == "Proc-Type" && value.contains("ENCRYPTED"),
                None => body.push_str(line),
            }
        }
        let bytes = if !after.is_empty() {
            Err("its lines are joined to one: a text of YAML keeps its lines behind `|`, not behind `>`")
        } else if !closed {
            Err("its `-----END` is missing")
        } else if encrypted {
            Ok(Vec::new())
        } else {
            body.retain(|letter| !letter.is_ascii_whitespace());
            base64_codec::decode(body).ok_or("what stands between BEGIN and END is not base64")
        };
        blocks.push(PemBlock { label, encrypted, bytes });
    }
    blocks
}

/// The certificates of a text: the bytes of each, or an error.
pub(super) fn certificates(text: &str) -> Vec<Result<Vec<u8>, &'static str>> {
    let all = blocks(text).into_iter().filter(|block| CERTIFICATE.contains(&block.label));
    all.map(|block| {
        let bytes = block.bytes?;
        // A TRUSTED CERTIFICATE of OpenSSL has settings of trust after the certificate.
        der::first(&bytes).map(<[u8]>::to_vec).ok_or(NOT_X509)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the labels and the bytes of the blocks of a text.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, Result<&[u8], &str>)]) {
        let read = blocks(text);
        let read: Vec<_> =
            read.iter().map(|block| (block.label, block.bytes.as_deref().map_err(|error| *error))).collect();
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn blocks_are_parsed_as_openssl_does() {
        check("", &[]);
        check("x\n-----BEGIN A-----\nAQID\n-----END A-----\ny", &[("A", Ok(&[1, 2, 3]))]);
        check("-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----\r\n", &[("A", Ok(&[1, 2, 3]))]);
        check("\u{feff}-----BEGIN A-----\rAQID\r-----END A-----", &[("A", Ok(&[1, 2, 3]))]);
        check("-----BEGIN A-----\nName: x\n\nAQID\n-----END A-----", &[("A", Ok(&[1, 2, 3]))]);
        check("  -----BEGIN A-----  \n  AQID \n  -----END A----- ", &[("A", Ok(&[1, 2, 3]))]);
        let two =
            "-----BEGIN A-----\nAQ==\n-----END A-----\ngarbage\n-----BEGIN B-----\nAg==\n-----END B-----";
        check(two, &[("A", Ok(&[1])), ("B", Ok(&[2]))]);
    }

    #[test]
    fn malformed_blocks_are_errors() {
        let missing = Err("its `-----END` is missing");
        check("-----BEGIN A-----\nAQID\n", &[("A", missing)]);
        check("-----BEGIN A-----\nAQID\n-----END B-----", &[("A", missing)]);
        let second = "-----BEGIN A-----\nAQID\n-----BEGIN B-----\nAQID\n-----END B-----";
        check(second, &[("A", missing), ("B", Ok(&[1, 2, 3]))]);
        let no_base64 = Err("what stands between BEGIN and END is not base64");
        check("-----BEGIN A-----\nA!\n-----END A-----", &[("A", no_base64)]);
        let joined = blocks("-----BEGIN A----- AQID -----END A-----");
        assert!(joined[0].bytes.as_ref().unwrap_err().contains("`|`"));
    }
}
