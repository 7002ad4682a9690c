//! The API's own documents: they are true, and the copies in `docs/` are up to date.

use std::{collections::BTreeSet, fs, path::Path};

use holodrive::api::docs::{PublicAddress, asyncapi, openapi};
use reqwest::Method;
use serde_json::Value;

use crate::support::{Site, answer};

fn example() -> PublicAddress {
    PublicAddress { authority: "127.0.0.1:9000".into(), secure: false }
}

/// Compares a document with its copy, or writes the copy where `UPDATE_DOCS` is set.
fn compare(document: &Value, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let text = format!("{document:#}\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let copy = fs::read_to_string(&file).unwrap_or_default();
    assert!(copy == text, "docs/{name} is out of date: UPDATE_DOCS=1 cargo test -p holodrive --test api docs");
}

#[test]
fn the_copies_are_up_to_date() {
    compare(&openapi(&example()), "openapi.json");
    compare(&asyncapi(&example()), "asyncapi.json");
}

/// Every `$ref` in a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [openapi(&example()), asyncapi(&example())] {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[tokio::test]
async fn every_documented_call_is_there_and_no_other_method() {
    let site = Site::new(&[]).await;
    let document = openapi(&example());
    for (path, methods) in document["paths"].as_object().unwrap() {
        let url = site.url(&path.replace("{id}", "1"));
        let response = site.http.request(Method::PATCH, url).send().await.unwrap();
        assert_eq!(response.status(), 405, "{path}");
        let allowed = response.headers()["allow"].to_str().unwrap().to_lowercase();
        let allowed: BTreeSet<_> = allowed.split(',').filter(|method| *method != "head").collect();
        let documented: BTreeSet<_> = methods.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(allowed, documented, "{path}");
    }
}

#[tokio::test]
async fn every_documented_socket_is_there() {
    let site = Site::new(&[]).await;
    let document = asyncapi(&example());
    for channel in document["channels"].as_object().unwrap().values() {
        let path = channel["address"].as_str().unwrap().replace("{conversation_id}", "1").replace("{order_id}", "1");
        assert_eq!(answer(site.get(&path)).await.0, 426, "{path}");
    }
}

#[tokio::test]
async fn the_documents_name_the_public_address() {
    let site = Site::new(&[("WEBSOCKET_URL", "drive.example.com"), ("SECURE_COOKIES", "true")]).await;
    let (_, http) = answer(site.get("/api/openapi.json/")).await;
    assert_eq!(http["servers"][0]["url"], "https://drive.example.com");
    let (_, sockets) = answer(site.get("/api/asyncapi.json")).await;
    assert_eq!(sockets["servers"]["holodrive"]["host"], "drive.example.com");
    assert_eq!(sockets["servers"]["holodrive"]["protocol"], "wss");
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let site = Site::new(&[]).await;
    let response = site.get("/api/docs/").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = response.text().await.unwrap();
    assert!(page.contains("/api/openapi.json") && page.contains("/api/asyncapi.json"));
    assert!(!page.contains("http://") && !page.contains("https://"), "no address of anybody else");
}
