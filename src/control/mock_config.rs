//! OpenAPI documents without a configuration: `mynah mock` makes the one that they stand for.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use serde_json::{Value as Json, json};

use crate::{diag::SourceFile, plugin::PrismSettings};

/// Documents to be mocked, with Prism's manners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockConfig {
    /// At least one.
    pub documents: Vec<MockedDocument>,
    /// The settings of the mock.
    pub settings: PrismSettings,
}

/// One document, and where it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockedDocument {
    /// Its file.
    pub file: PathBuf,
    /// What its paths begin with, without a slash at the end; empty for none.
    pub prefix: String,
}

impl MockedDocument {
    /// Reads `FILE` or `/PREFIX=FILE`. A file that is called so is meant if there is one.
    #[must_use]
    pub fn parse(text: &OsStr) -> Self {
        let whole = || Self { file: PathBuf::from(text), prefix: String::new() };
        let Some((prefix, file)) = text.to_str().and_then(|it| it.split_once('=')) else { return whole() };
        if !prefix.starts_with('/') || FilePath::new(text).exists() {
            return whole();
        }
        Self { file: PathBuf::from(file), prefix: prefix.trim_end_matches('/').to_owned() }
    }
}

impl MockConfig {
    /// The folder that all documents and what they refer to are in.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let here = PathBuf::from(".");
        if let [only] = self.documents.as_slice() {
            let folder = only.file.parent().map(PathBuf::from).unwrap_or_default();
            return if folder.as_os_str().is_empty() { here } else { folder };
        }
        let folders = self.documents.iter().filter_map(|it| {
            let file = std::path::absolute(&it.file).ok()?;
            file.parent().map(PathBuf::from)
        });
        folders.reduce(|one, other| common(&one, &other)).unwrap_or(here)
    }

    /// The configuration that serves them.
    #[must_use]
    pub fn configuration(&self) -> Arc<SourceFile> {
        let folder = self.folder();
        let routes: Vec<Json> =
            self.documents.iter().enumerate().map(|(n, it)| self.route(n, it, &folder)).collect();
        let text = json!({ "_format_version": "3.0", "routes": routes });
        SourceFile::new(self.to_string(), text.to_string())
    }

    fn route(&self, n: usize, document: &MockedDocument, folder: &FilePath) -> Json {
        let absolute = |path: &FilePath| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = absolute(&document.file);
        let name = file.strip_prefix(absolute(folder)).unwrap_or(&file).to_string_lossy().into_owned();
        let plugin = self.settings.entry(&name, &document.prefix);
        let path = if document.prefix.is_empty() { "/" } else { &document.prefix };
        let name = if n == 0 { "mock".to_owned() } else { format!("mock-{}", n + 1) };
        json!({ "name": name, "paths": [path], "plugins": [plugin] })
    }
}

/// The folder that both are in.
fn common(one: &FilePath, other: &FilePath) -> PathBuf {
    one.components()
        .zip(other.components())
        .take_while(|(one, other)| one == other)
        .map(|(it, _)| it)
        .collect()
}

impl fmt::Display for MockConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, document) in self.documents.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{}", document.file.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, file: &str, prefix: &str) {
        let expected = MockedDocument { file: file.into(), prefix: prefix.into() };
        assert_eq!(MockedDocument::parse(OsStr::new(text)), expected, "{text}");
    }

    #[test]
    fn a_document_may_have_a_prefix() {
        check("a.yaml", "a.yaml", "");
        check("/a/b.yaml", "/a/b.yaml", "");
        check("/v1=a.yaml", "a.yaml", "/v1");
        check("/v1/=x/a=b.yaml", "x/a=b.yaml", "/v1");
        check("a=b.yaml", "a=b.yaml", "");
    }

    #[test]
    fn the_folder_holds_every_document() {
        let document = |file: &str| MockedDocument { file: file.into(), prefix: String::new() };
        let mocked = |files: &[&str]| MockConfig {
            documents: files.iter().map(|it| document(it)).collect(),
            settings: PrismSettings {
                validate_requests: true,
                validate_security: true,
                dynamic: false,
                seed: None,
                report_errors: false,
                cors: true,
                include_base_path: false,
            },
        };
        assert_eq!(mocked(&["a.yaml"]).folder(), PathBuf::from("."));
        assert_eq!(mocked(&["x/a.yaml"]).folder(), PathBuf::from("x"));
        assert_eq!(mocked(&["/x/y/a.yaml", "/x/z/b.yaml"]).folder(), PathBuf::from("/x"));
        let text = &mocked(&["/x/y/a.yaml", "/x/z/b.yaml"]).configuration().text;
        assert!(text.contains("\"y/a.yaml\"") && text.contains("\"z/b.yaml\""), "{text}");
    }
}
