//! Minimal valid files of binary media types, the samples of bodies without an example.

use crate::openapi::media_type::OCTET_STREAM;

/// The file for a media type; `None` if the type is not one of a binary format.
pub(in crate::openapi) fn minimal_file(media_type: &str) -> Option<&'static [u8]> {
    Some(match media_type {
        "image/png" | "image/apng" => PNG,
        "image/jpeg" | "image/jpg" | "image/pjpeg" => JPEG,
        "image/gif" => GIF,
        "image/webp" => WEBP,
        "image/svg+xml" => SVG,
        "application/pdf" => PDF,
        "application/zip" | "application/x-zip-compressed" => ZIP,
        "application/gzip" | "application/x-gzip" => GZIP,
        "audio/wav" | "audio/x-wav" | "audio/wave" => WAV,
        OCTET_STREAM => BYTES,
        _ => return None,
    })
}

/// Whether the bytes begin with the signature of the media type; false for a type without a known signature.
pub(super) fn has_signature(media_type: &str, bytes: &[u8]) -> bool {
    let signature: &[u8] = match media_type {
        "image/png" | "image/apng" => b"\x89PNG\r\n\x1a\n",
        "image/jpeg" | "image/jpg" | "image/pjpeg" => b"\xff\xd8\xff",
        "image/gif" => b"GIF8",
        "image/webp" | "audio/wav" | "audio/x-wav" | "audio/wave" => b"RIFF",
        "application/pdf" => b"%PDF-",
        "application/zip" | "application/x-zip-compressed" => b"PK",
        "application/gzip" | "application/x-gzip" => b"\x1f\x8b",
        _ => return false,
    };
    bytes.starts_with(signature)
}

/// One grey pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\
    \xdach\0\0\0\x82\0\x81\xdaE\x08;\0\0\0\0IEND\xaeB`\x82";

/// One grey pixel, baseline.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0C\0\x01\x01\x01\x01\
    \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
    \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
    \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0\xff\xc4\0\x14\0\
    \x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xc4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xda\0\
    \x08\x01\x01\0\0?\0?\xff\xd9";

/// One grey pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\x80\x80\x80\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// One pixel, lossless.
const WEBP: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0/\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";

/// A grey square.
const SVG: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\">\
    <rect width=\"1\" height=\"1\" fill=\"gray\"/></svg>";

/// One empty page of one square inch.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kid\
    s[3 0 R]/Count 1>>\nendobj\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Resources<<>>>>\nen\
    dobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n0000000105 00000 n \nt\
    railer\n<</Size 4/Root 1 0 R>>\nstartxref\n182\n%%EOF\n";

/// An archive without files.
const ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// An empty file, compressed.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\x03\0\0\0\0\0\0\0\0\0";

/// One silent sample.
const WAV: &[u8] = b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0\x80>\0\0\x02\0\x10\0data\x02\0\0\
    \0\0\0";

/// Bytes that are not text.
const BYTES: &[u8] = b"\0\x01\x02\x03";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_begin_with_their_signature() {
        for media_type in [
            "image/png",
            "image/jpeg",
            "image/gif",
            "image/webp",
            "application/pdf",
            "application/zip",
            "application/gzip",
            "audio/wav",
        ] {
            assert!(has_signature(media_type, minimal_file(media_type).unwrap()), "{media_type}");
        }
        assert!(!has_signature("application/octet-stream", b"x") && minimal_file("text/plain").is_none());
    }

    #[test]
    fn the_cross_reference_table_of_the_pdf_is_correct() {
        let text = std::str::from_utf8(PDF).unwrap();
        let start: usize = text.split("startxref\n").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        assert!(text[start..].starts_with("xref\n"));
        for (n, line) in text[start..].lines().skip(3).take(3).enumerate() {
            let at: usize = line[..10].parse().unwrap();
            assert!(text[at..].starts_with(&format!("{} 0 obj", n + 1)));
        }
    }
}
