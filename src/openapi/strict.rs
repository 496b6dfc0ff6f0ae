//! Strict reader of OpenAPI 3.0 documents: the crate `openapiv3`, which supports neither 2.0 nor 3.1.

use crate::document::Value;

/// Checks a document against the specification of OpenAPI 3.0 to the letter.
///
/// # Errors
/// The first fault, as that crate describes it; it has no position.
pub fn strict(value: &Value) -> Result<(), String> {
    parse(value).map(drop)
}

fn parse(value: &Value) -> Result<openapiv3::OpenAPI, String> {
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

    /// The documents of this repository, and those of the directory that `MYNAH_DOCUMENTS` names.
    fn documents() -> Vec<PathBuf> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut directories = vec![root.join("specs"), root.join("tests/documents")];
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

    /// The operations and responses that `openapiv3` reads, such as `GET /pets/{id} 200`.
    fn outline_of_crate(document: &openapiv3::OpenAPI) -> BTreeSet<String> {
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

    /// The operations and responses that [`lower`] reads, in the same form.
    fn outline_of_api(value: Value) -> BTreeSet<String> {
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
    fn documents_that_openapiv3_reads_have_the_same_operations() {
        let mut compared = 0;
        for file in documents() {
            let value = value(&file);
            let version = value.get("openapi").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !version.starts_with("3.0") {
                continue;
            }
            let Ok(document) = parse(&value) else { continue };
            assert_eq!(outline_of_api(value), outline_of_crate(&document), "{}", file.display());
            compared += 1;
        }
        assert!(compared >= 4, "only {compared} documents were compared");
    }

    #[test]
    fn documents_with_faults_are_refused() {
        let check = |text| strict(&read(text, Dialect::Specification).unwrap().value);
        assert_eq!(check("{openapi: 3.0.3, info: {title: t, version: '1'}, paths: {}}"), Ok(()));
        assert!(check("{openapi: 3.0.3, paths: {}}").is_err_and(|reason| reason.contains("info")));
        assert!(check("swagger: '2.0'").is_err());
        let numbers = "{openapi: 3.0.3, info: {title: t, version: '1'}, paths: {}, components: {schemas: {\
                       A: {type: integer, minimum: 1, maximum: 7}, B: {type: array, items: {type: number, \
                       multipleOf: 0.5}, minItems: 2}}}}";
        assert_eq!(check(numbers), Ok(()));
    }
}
