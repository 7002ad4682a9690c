//! `GET /`: the console, embedded in the binary.
//!
//! For now a plain page on which anybody logs in and sees what is his; it uses the same API and sockets as every client.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::{api::ApiError, app::App};

/// Nothing from elsewhere, nothing inline, in nobody's frame. `'self'` covers the sockets of the same host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Kept, but asked for again each time: an upgraded server must not meet yesterday's page.
const CACHING: &str = "no-cache";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The page; the other assets are named below `/console/`.
const PAGE: &str = "index.html";

/// A file of the console.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
    etag: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        asset(PAGE, HTML, include_str!("index.html")),
        asset("style.css", STYLE, include_str!("style.css")),
        asset("icon.svg", "image/svg+xml", include_str!("icon.svg")),
        asset("app.js", SCRIPT, include_str!("app.js")),
        asset("dom.js", SCRIPT, include_str!("dom.js")),
        asset("api.js", SCRIPT, include_str!("api.js")),
        asset("socket.js", SCRIPT, include_str!("socket.js")),
        asset("order_card.js", SCRIPT, include_str!("order_card.js")),
        asset("staff.js", SCRIPT, include_str!("staff.js")),
        asset("explanation.js", SCRIPT, include_str!("explanation.js")),
        asset("rider.js", SCRIPT, include_str!("rider.js")),
        asset("driver.js", SCRIPT, include_str!("driver.js")),
        asset("pin.js", SCRIPT, include_str!("pin.js")),
        asset("notifications.js", SCRIPT, include_str!("notifications.js")),
        asset("chat.js", SCRIPT, include_str!("chat.js")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, content: &'static str) -> Asset {
    let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content)));
    Asset { name, content_type, content, etag }
}

/// The routes of the console.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async |headers: HeaderMap| serve(PAGE, &headers)))
        .route("/console/{name}", get(async |Path(name): Path<String>, headers: HeaderMap| serve(&name, &headers)))
}

fn serve(name: &str, headers: &HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) if is_known(headers, &asset.etag) => (StatusCode::NOT_MODIFIED, head(asset)).into_response(),
        Some(asset) => (head(asset), asset.content).into_response(),
        None => ApiError::not_found().into_response(),
    }
}

fn head(asset: &Asset) -> [(HeaderName, &str); 6] {
    [
        (header::CONTENT_TYPE, asset.content_type),
        (header::ETAG, &asset.etag),
        (header::CACHE_CONTROL, CACHING),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

/// Whether the browser has this very version.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn asked_with(etag: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(etag) = etag {
            headers.insert(header::IF_NONE_MATCH, etag.parse().unwrap());
        }
        serve(PAGE, &headers)
    }

    #[test]
    fn the_page_is_sent_once_for_each_version() {
        let first = asked_with(None);
        assert_eq!(first.status(), StatusCode::OK);
        let etag = first.headers()[header::ETAG].to_str().unwrap();
        assert_eq!(asked_with(Some(etag)).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked_with(Some(&format!("\"x\", W/{etag}"))).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked_with(Some("\"x\"")).status(), StatusCode::OK);
    }

    #[test]
    fn every_asset_that_is_referred_to_is_there_and_none_is_unused() {
        let text: String = ASSETS.iter().map(|asset| asset.content).collect();
        for asset in ASSETS.iter().filter(|asset| asset.name != PAGE) {
            let uses = [format!("\"/console/{}\"", asset.name), format!("'./{}'", asset.name)];
            assert!(uses.iter().any(|used| text.contains(used)), "{} is not used", asset.name);
        }
        for import in text.split(" from './").skip(1).map(|rest| rest.split('\'').next().unwrap()) {
            assert!(ASSETS.iter().any(|asset| asset.name == import), "{import} is not embedded");
        }
        assert_eq!(serve("../app.js", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn no_script_turns_text_into_markup_or_needs_a_looser_policy() {
        for asset in ASSETS.iter() {
            for dangerous in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "onclick=", "style=\""]
            {
                assert!(!asset.content.contains(dangerous), "{}: {dangerous}", asset.name);
            }
        }
    }
}
