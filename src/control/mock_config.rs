//! Configuration of `mynah mock`: OpenAPI documents, and the Kong configuration that mocks them.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use serde_json::{Value as Json, json};

use crate::{diag::SourceFile, plugin::PrismSettings};

/// OpenAPI documents to be mocked with the options of Prism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockConfig {
    /// The documents; at least one.
    pub documents: Vec<MockedDocument>,
    /// The settings of the mock.
    pub settings: PrismSettings,
}

/// One document, and the prefix of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockedDocument {
    /// Its file.
    pub file: PathBuf,
    /// Prefix of its paths, without a trailing slash; empty for none.
    pub prefix: String,
}

impl MockedDocument {
    /// Parses `FILE` or `/PREFIX=FILE`. The whole text is the name of a file if such a file exists.
    #[must_use]
    pub fn parse(text: &OsStr) -> Self {
        let whole = || Self { file: PathBuf::from(text), prefix: String::new() };
        let Some((prefix, file)) = text.to_str().and_then(|text| text.split_once('=')) else {
            return whole();
        };
        if !prefix.starts_with('/') || FilePath::new(text).exists() {
            return whole();
        }
        Self { file: PathBuf::from(file), prefix: prefix.trim_end_matches('/').to_owned() }
    }
}

impl MockConfig {
    /// The directory that contains all documents and the files that they refer to.
    #[must_use]
    pub fn common_directory(&self) -> PathBuf {
        let here = PathBuf::from(".");
        if let [only] = self.documents.as_slice() {
            let directory = only.file.parent().map(PathBuf::from).unwrap_or_default();
            return if directory.as_os_str().is_empty() { here } else { directory };
        }
        let directories = self.documents.iter().filter_map(|document| {
            let file = std::path::absolute(&document.file).ok()?;
            file.parent().map(PathBuf::from)
        });
        directories.reduce(|one, other| common_path(&one, &other)).unwrap_or(here)
    }

    /// The Kong configuration that serves the documents.
    #[must_use]
    pub fn to_configuration(&self) -> Arc<SourceFile> {
        let directory = self.common_directory();
        let routes: Vec<Json> = self
            .documents
            .iter()
            .enumerate()
            .map(|(n, document)| self.route_entry(n, document, &directory))
            .collect();
        let text = json!({ "_format_version": "3.0", "routes": routes });
        SourceFile::new(self.to_string(), text.to_string())
    }

    fn route_entry(&self, n: usize, document: &MockedDocument, directory: &FilePath) -> Json {
        let absolute = |path: &FilePath| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = absolute(&document.file);
        let name = file.strip_prefix(absolute(directory)).unwrap_or(&file).to_string_lossy().into_owned();
        let plugin = self.settings.entry(&name, &document.prefix);
        let path = if document.prefix.is_empty() { "/" } else { &document.prefix };
        let name = if n == 0 { "mock".to_owned() } else { format!("mock-{}", n + 1) };
        json!({ "name": name, "paths": [path], "plugins": [plugin] })
    }
}

/// The innermost directory that contains both.
fn common_path(one: &FilePath, other: &FilePath) -> PathBuf {
    one.components()
        .zip(other.components())
        .take_while(|(one, other)| one == other)
        .map(|(part, _)| part)
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
    fn the_common_directory_contains_every_document() {
        let document = |file: &str| MockedDocument { file: file.into(), prefix: String::new() };
        let mocked = |files: &[&str]| MockConfig {
            documents: files.iter().map(|file| document(file)).collect(),
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
        assert_eq!(mocked(&["a.yaml"]).common_directory(), PathBuf::from("."));
        assert_eq!(mocked(&["x/a.yaml"]).common_directory(), PathBuf::from("x"));
        assert_eq!(mocked(&["/x/y/a.yaml", "/x/z/b.yaml"]).common_directory(), PathBuf::from("/x"));
        let text = &mocked(&["/x/y/a.yaml", "/x/z/b.yaml"]).to_configuration().text;
        assert!(text.contains("\"y/a.yaml\"") && text.contains("\"z/b.yaml\""), "{text}");
    }
}
