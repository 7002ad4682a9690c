//! The opening handshake (RFC 6455, section 4) as a client makes it.

use std::net::SocketAddr;

use super::text::find;

/// The example of the RFC: a key need not be secret, and with a fixed one the right answer is known beforehand.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const LONGEST_HEAD: usize = 4_096;
const END: &[u8] = b"\r\n\r\n";

/// The request that asks for a WebSocket at `path`.
pub(crate) fn request(address: SocketAddr, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// Bytes of the answer's head once it is whole; an answer that refuses is an error.
pub(crate) fn accepted(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = find(bytes, END) else {
        anyhow::ensure!(bytes.len() < LONGEST_HEAD, "the answer to the handshake does not end");
        return Ok(None);
    };
    let head = &bytes[..end + END.len()];
    let right = head.starts_with(b"HTTP/1.1 101 ") && find(head, ACCEPT).is_some();
    anyhow::ensure!(right, "the handshake was refused: {}", String::from_utf8_lossy(head).lines().next().unwrap_or(""));
    Ok(Some(head.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_the_right_answer_opens() {
        let good =
            b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\0";
        assert_eq!(accepted(good).unwrap(), Some(good.len() - 2));
        assert_eq!(accepted(&good[..40]).unwrap(), None);
        assert!(accepted(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
        assert!(accepted(b"HTTP/1.1 403 Forbidden\r\n\r\n").is_err());
        assert!(accepted(&[b'x'; LONGEST_HEAD]).is_err());
    }
}
