use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;

use super::{connection::take_over, watched::WatchedBody};
use crate::{api::ApiError, app::App, gateway::is_socket_path};

/// The address of the client, behind trusted proxies; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Where every request goes first.
pub(super) struct Front {
    app: Arc<App>,
    routes: TowerToHyperService<Router>,
}

impl Front {
    pub(super) fn new(app: Arc<App>, routes: Router<Arc<App>>) -> Self {
        let routes = routes
            .fallback(|| async { ApiError::not_found() })
            .method_not_allowed_fallback(|| async { method_not_allowed() })
            .layer(from_fn_with_state(Arc::clone(&app), measure))
            .with_state(Arc::clone(&app));
        Self { app, routes: TowerToHyperService::new(routes) }
    }

    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Answers a request; one that makes the server panic gets 500, and nobody else notices.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response, Infallible> {
        let (head, body) = request.into_parts();
        let (body, was_read) = WatchedBody::new(body);
        let request = Request::from_parts(head, Body::new(body));
        let answer = AssertUnwindSafe(self.route(request, peer)).catch_unwind().await;
        let mut response = answer.unwrap_or_else(|_| {
            tracing::error!("a request made the server panic");
            ApiError::internal().into_response()
        });
        let headers = response.headers_mut();
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !was_read.get() {
            // The connection ends here, and the client is told, so that he does not send his next request into it.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    async fn route(&self, mut request: Request, peer: SocketAddr) -> Response {
        if is_socket_path(request.uri().path()) {
            let answer = self.app.gateway.upgrade(request, peer, take_over);
            return answer.unwrap_or_else(|| ApiError::not_found().into_response());
        }
        let address = self.app.proxies.client_address(peer.ip(), request.headers());
        request.extensions_mut().insert(ClientAddress(address));
        if let Some(uri) = without_last_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        let Ok(response) = self.routes.call(request).await;
        response
    }
}

/// The address without the slash at its end, where it has one and is not the root.
fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

/// Counts a request under its route's pattern.
async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = std::time::Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = matched.as_ref().map_or("other", MatchedPath::as_str);
    app.metrics.request_answered(&method, route, response.status(), began.elapsed());
    response
}

fn method_not_allowed() -> ApiError {
    let detail = "this method is not allowed here; the Allow header lists those that are";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_does_not_count() {
        let stripped = |text: &'static str| without_last_slash(&Uri::from_static(text)).map(|uri| uri.to_string());
        assert_eq!(stripped("/api/me/").as_deref(), Some("/api/me"));
        assert_eq!(stripped("/api/orders/?limit=2").as_deref(), Some("/api/orders?limit=2"));
        assert_eq!(stripped("http://a.example/api/me/").as_deref(), Some("http://a.example/api/me"));
        assert_eq!(stripped("/api/me//").as_deref(), Some("/api/me/"));
        assert_eq!((stripped("/"), stripped("/api/me")), (None, None));
    }
}
