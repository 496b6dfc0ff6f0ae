//! Files of the pages in memory: lookup by path, compression, and answers that a browser may keep.
//!
//! All files but the pages themselves stand below a folder that is named by the digest of all contents, so that a browser
//! keeps them for ever and another version of the gateway has other addresses.

use std::{
    io::{Read as _, Write as _},
    sync::{LazyLock, OnceLock},
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY},
};
use ring::digest;

use super::{asset_table::ASSETS, coding::AssetCoding};
use crate::{body::Body, reply};

/// Folder of the files in the text of the pages.
const FOLDER: &str = "assets/";

/// A file of the pages.
pub(super) struct Asset {
    /// Path below the folder of the files.
    pub(super) path: &'static str,
    pub(super) media_type: &'static str,
    pub(super) content: AssetContent,
}

/// Content of a file.
pub(super) enum AssetContent {
    /// A text of this repository, and its compressed form, which is made when it is first asked for.
    Text { text: &'static [u8], gzip: OnceLock<Bytes> },
    /// A text of a library, of which only the compressed forms are in the binary.
    Packed { gzip: &'static [u8], brotli: &'static [u8] },
    /// Data that is compressed already.
    Stored(&'static [u8]),
}

/// Name of the folder: the digest of all files.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut context = digest::Context::new(&digest::SHA256);
    for Asset { path, content, .. } in &*ASSETS {
        context.update(path.as_bytes());
        match content {
            AssetContent::Text { text, .. } => context.update(text),
            AssetContent::Packed { gzip, .. } => context.update(gzip),
            AssetContent::Stored(bytes) => context.update(bytes),
        }
    }
    context.finish().as_ref().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
});

/// A page: a document whose links lead into the folder of the files.
pub(super) struct PageDocument {
    text: &'static str,
    linked: OnceLock<(Bytes, Bytes)>,
}

impl PageDocument {
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, linked: OnceLock::new() }
    }

    /// Answers with the page, which a browser asks for again each time.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let (text, gzip) = self.linked.get_or_init(|| {
            let text = self.text.replace("=\"assets/", &format!("=\"{FOLDER}{}/", *DIGEST));
            let gzip = compress(text.as_bytes());
            (Bytes::from(text), gzip)
        });
        let (coding, body) = match AssetCoding::accepted(headers) {
            AssetCoding::Identity => (AssetCoding::Identity, text.clone()),
            _ => (AssetCoding::Gzip, gzip.clone()),
        };
        answer(headers, "text/html; charset=utf-8", "no-cache", coding, || Some(body))
    }
}

/// Answers with the file of a path such as `assets/DIGEST/js/shell.js`; `None` if there is none.
pub(super) fn answer_asset(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let path = path.strip_prefix(FOLDER)?.strip_prefix(&**DIGEST)?.strip_prefix('/')?;
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    let (coding, body) = asset.content.encode(AssetCoding::accepted(headers));
    Some(answer(headers, asset.media_type, "public, max-age=31536000, immutable", coding, || body.bytes()))
}

/// Bytes of an answer, or what they are made of.
enum EncodedContent {
    Ready(Bytes),
    Compressed(&'static [u8]),
}

impl EncodedContent {
    fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Ready(bytes) => Some(bytes),
            Self::Compressed(gzip) => {
                let mut text = Vec::with_capacity(gzip.len() * 4);
                GzDecoder::new(gzip).read_to_end(&mut text).ok()?;
                Some(text.into())
            }
        }
    }
}

impl AssetContent {
    /// The content in a coding, or in one that every client knows.
    fn encode(&self, coding: AssetCoding) -> (AssetCoding, EncodedContent) {
        use AssetCoding::{Brotli, Gzip, Identity};
        let (coding, bytes) = match (self, coding) {
            (Self::Text { text, .. }, Identity) => (Identity, Bytes::from_static(text)),
            (Self::Text { text, gzip }, _) => (Gzip, gzip.get_or_init(|| compress(text)).clone()),
            (Self::Packed { brotli, .. }, Brotli) => (Brotli, Bytes::from_static(brotli)),
            (Self::Packed { gzip, .. }, Gzip) => (Gzip, Bytes::from_static(gzip)),
            (Self::Packed { gzip, .. }, Identity) => return (Identity, EncodedContent::Compressed(gzip)),
            (Self::Stored(bytes), _) => (Identity, Bytes::from_static(bytes)),
        };
        (coding, EncodedContent::Ready(bytes))
    }
}

fn compress(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(9));
    // Writing into memory cannot fail.
    let written = encoder.write_all(text).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}

/// Answers with a body, or without one if the client has it.
fn answer(
    headers: &HeaderMap,
    media_type: &'static str,
    caching: &'static str,
    coding: AssetCoding,
    body: impl FnOnce() -> Option<Bytes>,
) -> Response<Body> {
    // Each coding is a representation of its own. (RFC 9110, section 8.8.3.3.)
    let tag = format!("\"{}-{}\"", *DIGEST, coding.name().unwrap_or("plain"));
    let is_known =
        headers.get_all(IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok()).any(|field| {
            field.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
        });
    let mut response = if is_known {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        match body() {
            Some(body) => Response::new(Body::full(body)),
            None => return reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
        }
    };
    let fields = response.headers_mut();
    // A digest in hexadecimal is a valid value.
    fields.extend(HeaderValue::try_from(tag).ok().map(|tag| (ETAG, tag)));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    fields.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !is_known {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        fields.extend(coding.name().map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use http::header::ACCEPT_ENCODING;

    use super::*;

    fn files_below(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_below(&path, names);
            } else {
                names.insert(path.strip_prefix("web").unwrap().display().to_string());
            }
        }
    }

    #[test]
    fn every_file_of_the_pages_is_in_the_table() {
        let mut names = BTreeSet::new();
        for folder in ["web/css", "web/js", "web/vendor"] {
            files_below(Path::new(folder), &mut names);
        }
        let expected: BTreeSet<_> = names
            .iter()
            .filter(|name| {
                let of_script = ["SHA256SUMS", "icons.txt", "package.json", "package-lock.json"];
                !of_script.iter().any(|file| **name == format!("vendor/{file}"))
            })
            .map(|name| name.trim_end_matches(".gz").trim_end_matches(".br"))
            .collect();
        let paths: BTreeSet<_> = ASSETS.iter().map(|asset| asset.path).collect();
        let missing: Vec<_> = expected.difference(&paths).collect();
        assert!(missing.is_empty(), "add rows to src/pages/asset_table.rs: {missing:?}");
        assert_eq!(paths.len(), ASSETS.len(), "a path is listed twice");
    }

    #[test]
    fn the_pages_and_all_modules_refer_to_files_that_exist() {
        for name in ["portal.html", "manager.html"] {
            let text = fs::read_to_string(format!("web/{name}")).unwrap();
            for link in text.split("=\"assets/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(ASSETS.iter().any(|asset| asset.path == link), "{name} refers to {link}");
            }
        }
        for asset in ASSETS.iter().filter(|asset| asset.path.starts_with("js/")) {
            let AssetContent::Text { text, .. } = asset.content else { panic!("{}", asset.path) };
            let text = std::str::from_utf8(text).unwrap();
            let quoted = text.split('"').skip(1).step_by(2);
            for link in quoted.filter(|link| {
                link.starts_with('.') && Path::new(link).extension().is_some_and(|end| end == "js")
            }) {
                let folder = Path::new("web").join(asset.path);
                let file = folder.parent().unwrap().join(link);
                let packed = format!("{}.gz", file.display());
                assert!(file.exists() || Path::new(&packed).exists(), "{} imports {link}", asset.path);
            }
        }
    }

    #[test]
    fn no_page_has_inline_scripts_or_styles() {
        for name in ["portal.html", "manager.html"] {
            let text = fs::read_to_string(format!("web/{name}")).unwrap();
            assert!(!text.contains("style=") && !text.contains("<style"), "{name}");
            assert!(!text.contains(" on"), "{name} has a handler");
            assert!(text.split("<script").skip(1).all(|script| script.contains("src=\"assets/")), "{name}");
        }
        for asset in ASSETS.iter().filter(|asset| asset.path.starts_with("js/")) {
            let AssetContent::Text { text, .. } = asset.content else { panic!("{}", asset.path) };
            let text = std::str::from_utf8(text).unwrap();
            for sink in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!text.contains(sink), "{} uses {sink}", asset.path);
            }
        }
    }

    #[test]
    fn every_coding_has_the_same_content() {
        for asset in &*ASSETS {
            let read = |coding: &'static str| {
                let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(coding))]);
                let path = format!("{FOLDER}{}/{}", *DIGEST, asset.path);
                let response = answer_asset(&path, &headers).unwrap();
                let coding =
                    response.headers().get(CONTENT_ENCODING).map(|name| name.to_str().unwrap().to_owned());
                let Body::Full(bytes) = response.into_body() else { panic!("{}", asset.path) };
                let mut text = Vec::new();
                match coding.as_deref() {
                    Some("gzip") => {
                        let _ = GzDecoder::new(&*bytes).read_to_end(&mut text).unwrap();
                    }
                    Some("br") => {
                        let mut decoder = brotli_decompressor::Decompressor::new(&*bytes, 4096);
                        let _ = decoder.read_to_end(&mut text).unwrap();
                    }
                    _ => text.extend_from_slice(&bytes),
                }
                text
            };
            let plain = read("identity");
            assert!(!plain.is_empty(), "{}", asset.path);
            assert!(read("gzip") == plain && read("br, gzip") == plain, "{}", asset.path);
        }
    }

    #[test]
    fn the_files_are_small() {
        let size = |asset: &Asset| match &asset.content {
            AssetContent::Text { text, .. } => text.len(),
            AssetContent::Packed { gzip, brotli } => gzip.len() + brotli.len(),
            AssetContent::Stored(bytes) => bytes.len(),
        };
        assert!(ASSETS.iter().map(size).sum::<usize>() < 3 << 20);
    }
}
