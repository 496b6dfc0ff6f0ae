//! `/mynah/mock`: makes what a mock of a document needs, a Service, a Route, `cors` and `mocking`, in one write.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::{
    AdminApi,
    changes::{diff_entry, refuse_text},
    entities::visible_record,
    files::refuse_file,
    mock_draft::{MockDraft, MockWish},
    plan::ConfigView,
    query::Query,
    refusal::AdminRefusal,
    write_request::ReadOnlyReason,
};
use crate::{
    body::Body,
    control::{compare_sources, write::spec_files::SpecFileError},
    diag::SourceFile,
    document::Value,
    entity::{Entities, EntityRecord},
    openapi::lint_text,
    proxy::{ExplainRequest, Proxy},
    reply,
    snapshot::Snapshot,
};

/// Most operations that are tried on the new configuration.
const MAX_TRIED: usize = 200;

impl AdminApi {
    /// Mocks a document that nothing serves yet.
    pub(super) async fn mock_document(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let (head, body) = request.into_parts();
        let (input, _permit) = self.read_input(head.headers.clone(), body).await?;
        let wish = MockWish::parse(&input)?;
        let dry_run = Query::new(head.uri.query().unwrap_or_default()).dry_run()? || wish.dry_run;
        let draft = self.run_read(move |admin| admin.draft_mock(wish)).await??;
        let headers = head.headers;
        self.run_write_until_finished(move |admin| admin.write_mock(&draft, dry_run, &headers)).await
    }

    /// Reads the document, and derives the entities from it.
    fn draft_mock(&self, wish: MockWish) -> Result<MockDraft, AdminRefusal> {
        let name = wish.document.as_str();
        let file = self.control.read_spec_file(&wish.document).map_err(|error| match error {
            SpecFileError::Missing => {
                let message = format!("there is no document {name} in {}", self.control.specs().display());
                AdminRefusal::Plain(StatusCode::NOT_FOUND, message)
            }
            error => refuse_file(error, &wish.document, "read"),
        })?;
        let location = self.spec_location(&wish.document);
        let (report, api) = lint_text(&SourceFile::new(name, file.text), &location, false);
        let Some(api) = api else { return Err(AdminRefusal::InvalidText(Box::new(report))) };
        Ok(MockDraft::new(wish, api, &self.plugins()))
    }

    fn write_mock(
        &self,
        draft: &MockDraft,
        dry_run: bool,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, AdminRefusal> {
        if let Some(ReadOnlyReason(why)) = self.read_only_reason() {
            let message = "cannot create 'services' entities when not using a database".to_owned();
            return Err(AdminRefusal::WritesUnsupported { message, why });
        }
        let (plugins, checker) = (self.plugins(), self.control.checker());
        let plan = |entities: &Entities, document: &Value| {
            draft.plan(&ConfigView { entities, document, plugins: &plugins }, &plugins, checker)
        };
        let failed = |error| refuse_text(error, |refusal| refusal);
        if dry_run {
            let preview = self.control.preview(|step| match step.number {
                0 => plan(step.entities, step.document).map(Some),
                _ => Ok(None),
            });
            let preview = preview.map_err(failed)?;
            let live = self.control.live().current();
            let snapshot = preview.compiled.as_ref().map_or(&*live, |compiled| &compiled.snapshot);
            let mut answer = self.describe_mock(draft, snapshot, headers);
            answer.extend(diff_entry(&compare_sources(Some(&preview.old), preview.report.source())));
            answer.insert("diagnostics".to_owned(), preview.report.to_json());
            return Ok(reply::json(StatusCode::OK, Json::from(answer).to_string()));
        }
        let written = self.control.write(plan).map_err(failed)?;
        tracing::info!("the Admin API mocks the document {}", draft.document.as_str());
        let answer = self.describe_mock(draft, &written.snapshot, headers);
        Ok(reply::json(StatusCode::CREATED, Json::from(answer).to_string()))
    }

    /// What was made, and the request to try.
    fn describe_mock(
        &self,
        draft: &MockDraft,
        snapshot: &Snapshot,
        headers: &HeaderMap,
    ) -> serde_json::Map<String, Json> {
        let entities = &snapshot.entities;
        let service = entities.services.iter().find(|service| service.name.as_ref() == Some(&draft.name));
        let route = entities.routes.iter().find(|route| route.name.as_ref() == Some(&draft.name));
        let service = service.map(|service| service.id.to_string()).unwrap_or_default();
        let route = route.map(|route| route.id.to_string()).unwrap_or_default();
        let is_made = |record: &&EntityRecord| {
            let is_of_route = record.value.get("route").and_then(|route| route.get("id")?.as_str());
            record.id() == service || record.id() == route || is_of_route == Some(&route)
        };
        let mut made: Vec<(&str, Json)> = Vec::new();
        for record in entities.records.iter().filter(is_made) {
            made.push((record.collection(), Json::from(&visible_record(record, entities))));
        }
        let of = |collection: &str| -> Vec<&Json> {
            made.iter().filter(|(name, _)| *name == collection).map(|(_, entity)| entity).collect()
        };
        let first = draft.api.operations.iter().find(|operation| operation.method == Method::GET);
        let first = first.or(draft.api.operations.first()).map(|operation| {
            let path = draft.path_of(&operation.template);
            json!({
                "method": operation.method.as_str(),
                "path": path,
                "url": self.proxy_origin(headers).map(|origin| format!("{origin}{path}")),
            })
        });
        let answer = json!({
            "document": draft.document.as_str(),
            "service": of("services").first(),
            "routes": of("routes"),
            "plugins": of("plugins"),
            "try": first,
            "operations": draft.api.operations.len(),
            "taken": self.taken_operations(draft, snapshot),
        });
        match answer {
            Json::Object(answer) => answer,
            _ => serde_json::Map::new(),
        }
    }

    /// Operations whose requests reach another Route.
    fn taken_operations(&self, draft: &MockDraft, snapshot: &Snapshot) -> Vec<Json> {
        let proxy = Proxy::new(self.control.live().clone(), &self.settings);
        let mut taken = Vec::new();
        for operation in draft.api.operations.iter().take(MAX_TRIED) {
            let (method, path) = (operation.method.as_str(), draft.path_of(&operation.template));
            let Ok(request) = ExplainRequest::new(method, &path, std::iter::empty()) else { continue };
            let winner = proxy.explain(snapshot, request).routes.into_iter().next();
            if let Some(winner) = winner.filter(|winner| winner.name != draft.name) {
                taken.push(json!({ "method": method, "path": path, "route": winner.name }));
            }
        }
        taken
    }

    /// The origin by which the client of this request probably reaches the proxy.
    fn proxy_origin(&self, headers: &HeaderMap) -> Option<String> {
        let listener = self.settings.proxy_listen.iter().find(|listener| !listener.tls)?;
        let address = listener.address;
        if address.port() == 0 {
            return None;
        }
        if !address.ip().is_unspecified() {
            return Some(format!("http://{address}"));
        }
        let host = super::node::host_name(headers);
        Some(format!("http://{}:{}", host.as_deref().unwrap_or("127.0.0.1"), address.port()))
    }
}
