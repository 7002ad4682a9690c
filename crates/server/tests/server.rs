//! A server in this process, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use holodrive::{config::Config, server::Server};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn start(settings: &[(&str, &str)]) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::for_tests(folder.path(), &[&[("DRAIN_TIMEOUT", "0")], settings].concat()).unwrap();
    (Server::start(config).await.unwrap(), folder)
}

async fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn clients_are_told_the_port_that_was_given() {
    let (server, _folder) = start(&[]).await;
    assert_eq!(server.app().config.websocket_url, server.address().to_string());
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_path_is_404_in_json_and_counted_without_its_text() {
    let (server, _folder) = start(&[]).await;
    let answer = get(&server, "/made/up/by/a/client").await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("\"code\":\"not_found\""), "{answer}");
    let metrics = server.app().metrics.encode();
    assert!(metrics.contains("http_requests_total{method=\"GET\",route=\"other\",status=\"404\"} 1"), "{metrics}");
    assert!(!metrics.contains("made/up"), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_no_head_is_cut_off() {
    let (server, _folder) = start(&[("HANDSHAKE_TIMEOUT", "0.05")]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_up_the_end() {
    let (server, _folder) = start(&[("HANDSHAKE_TIMEOUT", "0")]).await;
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    // One answer proves that the connection was accepted and is kept alive.
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_ne!(idle.read(&mut [0; 1024]).await.unwrap(), 0);

    let app = std::sync::Arc::clone(server.app());
    tokio::time::timeout(Duration::from_mins(1), server.stop()).await.expect("it ends");
    assert!(app.draining.has_begun());
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
}

/// Reads one answer: its head, and a body as long as `content-length` says.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        text.push(char::from(stream.read_u8().await.unwrap()));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    text + &String::from_utf8(body).unwrap()
}

fn post_head(server: &Server, path: &str) -> String {
    let host = server.address();
    format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n")
}

#[tokio::test]
async fn a_refusal_whose_body_comes_late_leaves_the_connection_open() {
    let (server, _folder) = start(&[]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(post_head(&server, "/api/orders/").as_bytes()).await.unwrap();
    stream.write_all(b"{}").await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 401 "));
    let again = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(again.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_leaves_the_body_unread_says_that_the_connection_ends() {
    let (server, _folder) = start(&[]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(post_head(&server, "/api/nothing/").as_bytes()).await.unwrap();
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 404 ") && text.contains("connection: close\r\n"), "{text}");
    drop(stream);
    server.stop().await;
}
