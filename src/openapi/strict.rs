//! The strict reading of OpenAPI 3.0 documents by the crate `openapiv3`, which knows neither 2.0 nor 3.1.

use crate::document::Value;

/// Reads a document as strictly as its specification is written.
///
/// # Errors
/// What the first fault is, in the words of that crate; it has no places.
pub fn strict(value: &Value) -> Result<(), String> {
    document(value).map(drop)
}

fn document(value: &Value) -> Result<openapiv3::OpenAPI, String> {
    serde_json::from_value(serde_json::Value::from(value)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::PathBuf};

    use openapiv3::{ReferenceOr, StatusCode};

    use super::*;
    use crate::{
        document::{Dialect, read},
        openapi::{LibraryLocation, StatusKey, lower},
    };

    /// The documents of this repository, and those of a directory that `MYNAH_DOCUMENTS` names.
    fn documents() -> Vec<PathBuf> {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut directories = vec![here.join("specs"), here.join("tests/documents")];
        directories.extend(std::env::var_os("MYNAH_DOCUMENTS").map(PathBuf::from));
        let entries = directories
            .iter()
            .flat_map(|directory| fs::read_dir(directory).unwrap())
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|path| {
                path.extension().is_some_and(|extension| extension == "json" || extension == "yaml")
            })
            .collect();
        files.sort();
        files
    }

    fn value(file: &PathBuf) -> Value {
        read(&fs::read_to_string(file).unwrap(), Dialect::Specification).unwrap().value
    }

    /// `GET /pets/{id} 200` and so on, as `openapiv3` sees it.
    fn theirs(document: &openapiv3::OpenAPI) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (template, item) in &document.paths.paths {
            let ReferenceOr::Item(item) = item else { continue };
            for (method, operation) in item.iter() {
                let line = format!("{} {template}", method.to_uppercase());
                let codes = operation.responses.responses.keys().map(|code| match code {
                    StatusCode::Code(code) => code.to_string(),
                    StatusCode::Range(digit) => format!("{digit}XX"),
                });
                let default = operation.responses.default.iter().map(|_| String::from("default"));
                lines.extend(codes.chain(default).map(|code| format!("{line} {code}")));
                lines.insert(line);
            }
        }
        lines
    }

    /// The same as this crate sees it.
    fn ours(value: Value) -> BTreeSet<String> {
        let (api, _) = lower(value, &LibraryLocation::alone()).unwrap();
        let mut lines = BTreeSet::new();
        for operation in &api.operations {
            let line = format!("{} {}", operation.method, operation.template);
            lines.extend(operation.responses.iter().map(|response| match response.status {
                StatusKey::Code(code) => format!("{line} {code}"),
                StatusKey::Range(digit) => format!("{line} {digit}XX"),
                StatusKey::Default => format!("{line} default"),
            }));
            lines.insert(line);
        }
        lines
    }

    #[test]
    fn where_openapiv3_reads_a_document_we_see_the_same() {
        let mut compared = 0;
        for file in documents() {
            let value = value(&file);
            let version = value.get("openapi").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !version.starts_with("3.0") {
                continue;
            }
            let Ok(document) = document(&value) else { continue };
            assert_eq!(ours(value), theirs(&document), "{}", file.display());
            compared += 1;
        }
        assert!(compared >= 4, "only {compared} documents were compared");
    }

    #[test]
    fn faults_are_refused() {
        let read = |text| strict(&read(text, Dialect::Specification).unwrap().value);
        assert_eq!(read("{openapi: 3.0.3, info: {title: t, version: '1'}, paths: {}}"), Ok(()));
        assert!(read("{openapi: 3.0.3, paths: {}}").is_err_and(|reason| reason.contains("info")));
        assert!(read("swagger: '2.0'").is_err());
        let numbers = "{openapi: 3.0.3, info: {title: t, version: '1'}, paths: {}, components: {schemas: {\
                       A: {type: integer, minimum: 1, maximum: 7}, B: {type: array, items: {type: number, \
                       multipleOf: 0.5}, minItems: 2}}}}";
        assert_eq!(read(numbers), Ok(()));
    }
}
