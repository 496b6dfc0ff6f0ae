//! `/mynah/...`: what answers the paths that Kong does not have, for pages and tools.

use std::sync::Arc;

use http::{Method, Request, Response};

use super::{AdminApi, refusal::AdminRefusal};
use crate::body::Body;

/// What a path below `/mynah` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnPath {
    Apis,
    ApiDocument,
    ApiStatus,
    Changes,
    SingleChange,
    Check,
    Cors,
    Events,
    Exchanges,
    SingleExchange,
    File,
    Lint,
    Mock,
    Rows,
    Source,
    Traffic,
    Undo,
}

impl AdminApi {
    /// Answers a request of such a path.
    pub(super) async fn own_path(
        self: &Arc<Self>,
        path: OwnPath,
        segments: &[&str],
        request: Request<Body>,
    ) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let last = (*segments.last().unwrap_or(&"")).to_owned();
        let result = match path {
            OwnPath::Apis => self.run_read(move |admin| admin.apis(&query)).await,
            OwnPath::ApiDocument => self.run_read(move |admin| admin.api_document(&query)).await,
            OwnPath::ApiStatus => Ok(self.api_status()),
            OwnPath::Changes => self.run_read(Self::changes).await,
            OwnPath::SingleChange => self.run_read(move |admin| admin.change(&last)).await,
            OwnPath::Check => self.check(request).await,
            OwnPath::Cors => self.add_cors(request).await,
            OwnPath::Events => Ok(self.events(&query)),
            OwnPath::Exchanges => Ok(self.exchanges(&query)),
            OwnPath::SingleExchange => Ok(self.exchange(&last)),
            OwnPath::File if request.method() == Method::PUT => self.put_file(request).await,
            OwnPath::File => self.run_read(Self::file).await.and_then(|answer| answer),
            OwnPath::Lint => self.lint(request).await,
            OwnPath::Mock => self.mock_document(request).await,
            OwnPath::Rows => {
                let headers = request.headers().clone();
                self.run_read(move |admin| admin.rows(&last, &query, &headers))
                    .await
                    .and_then(|answer| answer)
            }
            OwnPath::Source => {
                let collection = (*segments.get(2).unwrap_or(&"")).to_owned();
                self.run_read(move |admin| admin.source(&collection, &last)).await.and_then(|answer| answer)
            }
            OwnPath::Traffic => Ok(self.traffic(&query)),
            OwnPath::Undo => self.undo(&query).await,
        };
        result.unwrap_or_else(AdminRefusal::answer)
    }
}
