//! `/files`: the files of a developer portal, as design tools send them. Here they are the OpenAPI documents in the folder of
//! specs. (Kong: Portal Files API.)

use std::{fs, sync::Arc};

use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use ring::digest::{SHA256, digest};
use serde_json::{Value as Json, json};

use super::{
    AdminApi, apis::is_same_file, input::RequestInput, node::unix_seconds, pagination::ListQuery,
    query::Query, refusal::AdminRefusal,
};
use crate::{
    body::Body,
    control::write::spec_files::{SpecFile, SpecFileError, SpecFileName},
    diag::{DiagnosticReport, SourceFile},
    document::{Mapping, Value},
    entity::{Entities, PluginEntity, entity_id},
    openapi::{LibraryLocation, lint_text},
    reply,
};

/// Largest text of a file, in bytes.
const MAX_CONTENTS: usize = 8 << 20;
/// Bytes of texts after which a page of the list ends, so that it is shorter than its `size`.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// The folder of documents in the paths of a portal.
const FOLDER: &str = "specs/";

impl AdminApi {
    /// Answers a request of the list of files.
    pub(super) async fn files(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let result = if head.method == Method::POST {
            match self.read_input(head.headers, body).await {
                Ok((input, _permit)) => {
                    let query = head.uri.query().unwrap_or_default();
                    self.write_file(Method::POST, None, input, query).await
                }
                Err(refusal) => Err(refusal),
            }
        } else {
            self.run_read(move |admin| {
                admin.list_files(head.uri.path(), head.uri.query().unwrap_or_default())
            })
            .await
            .and_then(|result| result)
        };
        result.unwrap_or_else(AdminRefusal::answer)
    }

    /// Answers a request of one file; `path` is the rest of the path after `/files/`.
    pub(super) async fn file_of_path(self: &Arc<Self>, path: &str, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let Ok(path) = percent_decode_str(path).decode_utf8().map(String::from) else {
            return AdminRefusal::not_found().answer();
        };
        let query = head.uri.query().unwrap_or_default().to_owned();
        let result = match head.method {
            Method::PUT | Method::PATCH => match self.read_input(head.headers, body).await {
                Ok((input, _permit)) => self.write_file(head.method, Some(path), input, &query).await,
                Err(refusal) => Err(refusal),
            },
            Method::DELETE => {
                self.run_write(move |admin| admin.delete_file(&path, &query)).await.and_then(|result| result)
            }
            _ => self.run_read(move |admin| admin.get_file(&path)).await.and_then(|result| result),
        };
        result.unwrap_or_else(AdminRefusal::answer)
    }

    fn list_files(&self, path: &str, query: &str) -> Result<Response<Body>, AdminRefusal> {
        let list_query = ListQuery::parse(query)?;
        let names = self.control.spec_files();
        let range = list_query.page_range(&names, SpecFileName::as_str);
        let (mut data, mut bytes, mut next) = (Vec::new(), 0, range.end);
        for (number, name) in names.iter().enumerate().take(range.end).skip(range.start) {
            if bytes >= MAX_PAGE_BYTES {
                next = number;
                break;
            }
            // A file that was removed meanwhile, or that is no document, is not one of the portal.
            let Ok(file) = self.control.read_spec_file(name) else { continue };
            bytes += file.text.len();
            data.push(file_entry(name, &file));
        }
        let mut answer = json!({ "data": data, "next": null });
        if let Some(next) = names.get(next) {
            let (next, offset) = list_query.next_page(next.as_str(), path, false);
            answer["next"] = next.into();
            answer["offset"] = offset.into();
        }
        Ok(reply::json(StatusCode::OK, answer.to_string()))
    }

    fn get_file(&self, path: &str) -> Result<Response<Body>, AdminRefusal> {
        // As in Kong, a file is also found by its id.
        let by_id = || self.control.spec_files().into_iter().find(|name| file_id(name) == path);
        let name = if super::entities::is_id(path) { by_id() } else { parse_path(path).ok() };
        let name = name.ok_or_else(AdminRefusal::not_found)?;
        let file = self.control.read_spec_file(&name).map_err(|error| refuse_file(error, &name, "read"))?;
        Ok(reply::json(StatusCode::OK, file_entry(&name, &file).to_string()))
    }

    /// Creates or replaces a file. The document is linted first.
    async fn write_file(
        self: &Arc<Self>,
        method: Method,
        path: Option<String>,
        input: RequestInput,
        query: &str,
    ) -> Result<Response<Body>, AdminRefusal> {
        let is_forced = Query::new(query).flag("force")?;
        let write = FileWrite::parse(method, path.as_deref(), &input)?;
        if !self.settings.admin_writes {
            return Err(AdminRefusal::WritesUnsupported {
                message: unsupported_message(write.verb()),
                why: None,
            });
        }
        let write = Arc::new(write);
        let Some(contents) = write.contents.clone() else {
            // A change without a text changes nothing.
            return self.run_read(move |admin| admin.get_file(write.path().as_str())).await?;
        };
        let name = write.name.clone();
        let linted = self.run_read(move |admin| admin.lint_file(&name, contents)).await?;
        if !linted.is_readable && !is_forced {
            return Ok(reply::json(StatusCode::BAD_REQUEST, linted.refusal(&write.name).to_string()));
        }
        self.run_write(move |admin| {
            let status = admin.save_file(&write)?;
            tracing::info!("the Admin API saved the document {}", write.name.as_str());
            let failed = |error| refuse_file(error, &write.name, write.verb());
            let file = admin.control.read_spec_file(&write.name).map_err(failed)?;
            let mut answer = file_entry(&write.name, &file);
            answer["in_use"] = admin.control.uses_spec_file(&write.name).into();
            answer["lint"] = linted.findings();
            Ok(reply::json(status, answer.to_string()))
        })
        .await?
    }

    /// Saves a file; returns the status of the answer.
    fn save_file(&self, write: &FileWrite) -> Result<StatusCode, AdminRefusal> {
        let (control, name) = (&self.control, &write.name);
        let text = write.contents.as_deref().unwrap_or_default();
        let failed = |error| refuse_file(error, name, write.verb());
        match write.method {
            Method::POST => control.create_spec_file(name, text).map(|()| StatusCode::CREATED),
            Method::PATCH => control.replace_spec_file(name, text).map(|()| StatusCode::OK),
            _ if control.has_spec_file(name).map_err(failed)? => {
                control.replace_spec_file(name, text).map(|()| StatusCode::OK)
            }
            _ => control.create_spec_file(name, text).map(|()| StatusCode::OK),
        }
        .map_err(failed)
    }

    fn delete_file(&self, path: &str, query: &str) -> Result<Response<Body>, AdminRefusal> {
        let is_forced = Query::new(query).flag("force")?;
        let name = parse_path(path).map_err(|_| AdminRefusal::not_found())?;
        if !self.settings.admin_writes {
            return Err(AdminRefusal::WritesUnsupported {
                message: unsupported_message("remove"),
                why: None,
            });
        }
        if !is_forced && self.control.uses_spec_file(&name) {
            let users = users_of(&name, &self.control.live().current().entities);
            let message = format!(
                "{FOLDER}{} is in use{users}, and the configuration could not be loaded again without it; \
                 change kong.yaml first, or remove it with ?force=true",
                name.as_str()
            );
            return Err(AdminRefusal::Plain(StatusCode::CONFLICT, message));
        }
        match self.control.remove_spec_file(&name) {
            // As in Kong, what does not exist is removed.
            Ok(()) | Err(SpecFileError::Missing) => (),
            Err(error) => return Err(refuse_file(error, &name, "remove")),
        }
        tracing::info!("the Admin API removed the document {}", name.as_str());
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }

    /// The place from which the references of a document start.
    pub(super) fn spec_location(&self, name: &SpecFileName) -> LibraryLocation {
        let specs = self.control.specs();
        // The document may not be saved yet, so its own path cannot be made absolute.
        let specs = fs::canonicalize(specs).unwrap_or_else(|_| specs.to_owned());
        LibraryLocation::file(specs.join(name.as_str()), specs)
    }

    fn lint_file(&self, name: &SpecFileName, contents: String) -> LintedFile {
        let location = self.spec_location(name);
        let (report, api) = lint_text(&SourceFile::new(name.as_str(), contents), &location, false);
        LintedFile { report, is_readable: api.is_some() }
    }
}

/// A request to write a file.
struct FileWrite {
    method: Method,
    name: SpecFileName,
    contents: Option<String>,
}

impl FileWrite {
    /// Reads a request. `path` is that of the URL.
    fn parse(method: Method, path: Option<&str>, input: &RequestInput) -> Result<Self, AdminRefusal> {
        let mut faults = Mapping::default();
        let mut take = |field: &'static str| {
            let text = text_of(input, field);
            text.map_err(|fault| faults.insert(field, fault)).ok().flatten()
        };
        let (given, contents) = (take("path"), take("contents"));
        let name = match path.or(given.as_deref()) {
            Some(path) => parse_path(path).map_err(|fault| faults.insert("path", fault)).ok(),
            None => {
                if faults.get("path").is_none() {
                    faults.insert("path", "required field missing");
                }
                None
            }
        };
        if let Some((path, given)) = path.zip(given.as_deref())
            && path != given
        {
            let fault =
                format!("the URL names {path}; a file is not renamed: create one, and remove the other");
            faults.insert("path", fault);
        }
        match &contents {
            None if method != Method::PATCH && faults.get("contents").is_none() => {
                faults.insert("contents", "required field missing");
            }
            Some(text) if text.len() > MAX_CONTENTS => {
                let fault = format!("longer than {MAX_CONTENTS} bytes, the most that a document may have");
                faults.insert("contents", fault);
            }
            _ => (),
        }
        match name {
            Some(name) if faults.is_empty() => Ok(Self { method, name, contents }),
            _ => Err(AdminRefusal::Schema(faults)),
        }
    }

    fn path(&self) -> String {
        format!("{FOLDER}{}", self.name.as_str())
    }

    /// Kong's verb for the request.
    const fn verb(&self) -> &'static str {
        match self.method {
            Method::POST => "create",
            Method::PATCH => "update",
            _ => "create or update",
        }
    }
}

/// The findings in a document that is to be saved.
struct LintedFile {
    report: DiagnosticReport,
    /// Whether it is an OpenAPI document.
    is_readable: bool,
}

impl LintedFile {
    fn findings(&self) -> Json {
        let (errors, warnings) = self.report.count();
        json!({ "errors": errors, "warnings": warnings, "diagnostics": self.report.to_json() })
    }

    fn refusal(&self, name: &SpecFileName) -> Json {
        let message = format!(
            "{FOLDER}{} is not saved, since it cannot be read as an OpenAPI document: {}; correct it, or save it \
             as it is with ?force=true",
            name.as_str(),
            self.report.summary()
        );
        json!({ "message": message, "lint": self.findings() })
    }
}

/// A text field of a request; the error is a message for the field.
fn text_of(input: &RequestInput, field: &str) -> Result<Option<String>, &'static str> {
    match input {
        RequestInput::Json(record) => match record.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.to_string())),
            Some(_) => Err("expected a string"),
        },
        RequestInput::Form(pairs) => {
            Ok(pairs.iter().rev().find(|(name, _)| name == field).map(|(_, text)| text.clone()))
        }
    }
}

/// The document of a path in the portal; the error is a message for the path.
fn parse_path(path: &str) -> Result<SpecFileName, String> {
    let Some(name) = path.strip_prefix(FOLDER) else {
        return Err(format!(
            "'{path}' is not below {FOLDER}: this portal keeps OpenAPI documents only, and has pages, themes and \
             partials of its own"
        ));
    };
    SpecFileName::parse(name)
}

/// The document of a name in the folder, of a path in the portal, or of an id in `/mynah/apis`; the error is a message for
/// the name.
pub(super) fn parse_document(text: &str) -> Result<SpecFileName, String> {
    let name = text.strip_prefix(FOLDER).or_else(|| text.strip_prefix("file/")).unwrap_or(text);
    SpecFileName::parse(name)
}

fn file_id(name: &SpecFileName) -> String {
    entity_id("files", &format!("{FOLDER}{}", name.as_str())).to_string()
}

/// A file as clients see it.
fn file_entry(name: &SpecFileName, file: &SpecFile) -> Json {
    let checksum = digest(&SHA256, file.text.as_bytes());
    let checksum = checksum.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    json!({
        "id": file_id(name),
        "path": format!("{FOLDER}{}", name.as_str()),
        "contents": file.text,
        "checksum": checksum,
        "updated_at": file.saved_at.map(unix_seconds),
    })
}

fn unsupported_message(verb: &str) -> String {
    format!("cannot {verb} 'files' entities when not using a database")
}

/// The refusal for a document that could not be read or written.
pub(super) fn refuse_file(error: SpecFileError, name: &SpecFileName, verb: &str) -> AdminRefusal {
    match error {
        SpecFileError::Missing => AdminRefusal::not_found(),
        SpecFileError::Exists => {
            let path = format!("{FOLDER}{}", name.as_str());
            AdminRefusal::Unique([("path", Value::from(path))].into_iter().collect())
        }
        SpecFileError::NotADocument(why) => AdminRefusal::field("path", why),
        SpecFileError::Busy(why) => AdminRefusal::Plain(StatusCode::CONFLICT, why),
        SpecFileError::ReadOnly(why) => {
            AdminRefusal::WritesUnsupported { message: unsupported_message(verb), why: Some(why) }
        }
        SpecFileError::Failed(why) => {
            tracing::error!("{why}");
            AdminRefusal::Plain(StatusCode::INTERNAL_SERVER_ERROR, why)
        }
    }
}

/// The Routes and Services whose plugins name a document, as a part of a sentence; empty if none names it itself.
fn users_of(name: &SpecFileName, entities: &Entities) -> String {
    let names = |plugin: &&Arc<PluginEntity>| {
        let named = plugin.config.get("api_specification_filename").and_then(Value::as_str);
        named.is_some_and(|named| is_same_file(named, name.as_str()))
    };
    let Some(plugin) = entities.plugins.iter().find(names) else { return String::new() };
    let scope = &plugin.scope;
    let route = scope.route.and_then(|route| entities.routes.get(route.0));
    let service = scope.service.and_then(|service| entities.services.get(service.0));
    let of = match (route, service) {
        (Some(route), _) => {
            format!(" of the route {}", route.name.clone().unwrap_or_else(|| route.id.to_string()))
        }
        (None, Some(service)) => {
            format!(" of the service {}", service.name.clone().unwrap_or_else(|| service.id.to_string()))
        }
        (None, None) => String::new(),
    };
    format!(" by the plugin {}{of}", plugin.name)
}
