//! Version of the specification that a document declares.

use std::fmt;

use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
};

use super::messages::{excerpt, with_article};

/// The specification that a document follows, as far as the versions differ in their meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecVersion {
    /// Swagger 2.0.
    Swagger2,
    /// OpenAPI 3.0.x.
    OpenApi30,
    /// OpenAPI 3.1.x; 3.2.x is read as this.
    OpenApi31,
}

impl SpecVersion {
    /// Reads `swagger` or `openapi` at the root of a document; if a document has both, `openapi` counts.
    ///
    /// # Errors
    /// The document has neither key, or the version is unknown.
    pub fn of(document: &Value) -> Result<Self, Diagnostic> {
        let root = NodePath::root();
        if document.as_mapping().is_none() {
            let message = format!(
                "this is not an OpenAPI document: it is {}, not a map",
                with_article(document.kind())
            );
            return Err(Diagnostic::error(root, message).help(EXPECTED));
        }
        if let Some(version) = document.get("openapi") {
            let text = scalar(version);
            return match major_minor(&text) {
                Some((3, 0)) => Ok(Self::OpenApi30),
                Some((3, 1 | 2)) => Ok(Self::OpenApi31),
                _ => Err(unknown_version("openapi", &text)),
            };
        }
        if let Some(version) = document.get("swagger") {
            let text = scalar(version);
            return match major_minor(&text) {
                Some((2, 0)) => Ok(Self::Swagger2),
                _ => Err(unknown_version("swagger", &text)),
            };
        }
        let found = match document.as_mapping().and_then(|mapping| mapping.keys().next()) {
            Some(key) => {
                format!("it has neither `openapi` nor `swagger`; its first key is `{}`", excerpt(key))
            }
            None => String::from("it is empty"),
        };
        Err(Diagnostic::error(root, format!("this is not an OpenAPI document: {found}")).help(EXPECTED))
    }

    /// Whether keywords next to a `$ref` in a schema apply (OpenAPI 3.1, "Reference Object" and JSON Schema
    /// 2020-12, section 8.2.3.1). Earlier versions ignore them.
    #[must_use]
    pub const fn allows_ref_siblings(self) -> bool {
        matches!(self, Self::OpenApi31)
    }
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Swagger2 => "Swagger 2.0",
            Self::OpenApi30 => "OpenAPI 3.0",
            Self::OpenApi31 => "OpenAPI 3.1",
        })
    }
}

/// Help for every refusal.
const EXPECTED: &str = "begin with `openapi: 3.1.0`, `openapi: 3.0.3` or `swagger: \"2.0\"`";

fn unknown_version(key: &str, found: &str) -> Diagnostic {
    let message =
        format!("this is not an OpenAPI document that can be read: found `{key}: {}`", excerpt(found));
    Diagnostic::error(NodePath::root().key(key), message)
        .help(format!("known are 2.0, 3.0.x and 3.1.x; {EXPECTED}"))
}

/// The text of a version. The specifications ask for a string, but YAML reads `2.0` and `3.1` as numbers.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.as_str().to_owned(),
        other => other.kind().to_owned(),
    }
}

/// The first two numbers of `3.0.3`, `3.1.0-rc1`, `2.0` or `2`.
fn major_minor(text: &str) -> Option<(u8, u8)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().map_or(Ok(0), |minor| minor.split('-').next().unwrap_or(minor).parse()).ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    #[track_caller]
    fn check(text: &str, expected: Result<SpecVersion, &str>) {
        let value = read(text, Dialect::Specification).unwrap().value;
        let found = SpecVersion::of(&value).map_err(|error| error.message);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn versions_are_recognised() {
        check("swagger: '2.0'", Ok(SpecVersion::Swagger2));
        check("swagger: 2.0", Ok(SpecVersion::Swagger2));
        check("swagger: 2", Ok(SpecVersion::Swagger2));
        check("openapi: 3.0.0", Ok(SpecVersion::OpenApi30));
        check("openapi: 3.0", Ok(SpecVersion::OpenApi30));
        check("openapi: '3.0.4-rc1'", Ok(SpecVersion::OpenApi30));
        check("openapi: 3.1.1", Ok(SpecVersion::OpenApi31));
        check("openapi: 3.1", Ok(SpecVersion::OpenApi31));
        check("openapi: 3.2.0", Ok(SpecVersion::OpenApi31));
        check("{swagger: '2.0', openapi: 3.0.3}", Ok(SpecVersion::OpenApi30));
    }

    #[test]
    fn unknown_versions_are_refused_with_the_text_that_was_found() {
        check("openapi: 9.9.9", Err("found `openapi: 9.9.9`"));
        check("openapi: [3]", Err("found `openapi: array`"));
        check("swagger: '1.2'", Err("found `swagger: 1.2`"));
        check("asyncapi: 2.0.0", Err("its first key is `asyncapi`"));
        check("{}", Err("it is empty"));
        check("- a", Err("it is an array, not a map"));
        check("~", Err("it is null"));
    }
}
