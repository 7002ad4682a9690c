use std::sync::Arc;

use serde::Serialize;

use super::engine::wire::{HEADER_MAX, Opcode, write_header};

/// Room for most messages: a buffer that grows once is as dear as the rest of a frame.
const USUAL_BYTES: usize = 512;

/// A message as it goes over the wire, made once and shared by all who get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

impl Frame {
    /// A text message: the JSON of `message`.
    ///
    /// The types of the protocol cannot fail to serialise; should one, the peer gets an empty object rather than a panic.
    pub fn json<T: Serialize + ?Sized>(message: &T) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.resize(HEADER_MAX, 0);
        if let Err(error) = serde_json::to_writer(&mut bytes, message) {
            tracing::error!(%error, "a message cannot be written as JSON");
            bytes.truncate(HEADER_MAX);
            bytes.extend_from_slice(b"{}");
        }
        Self::sealed(Opcode::Text, bytes)
    }

    /// A text message: this text.
    #[cfg(feature = "test-hooks")]
    pub(super) fn text(text: &str) -> Self {
        Self::new(Opcode::Text, text.as_bytes())
    }

    /// A binary message.
    #[cfg(feature = "test-hooks")]
    pub(super) fn binary(data: &[u8]) -> Self {
        Self::new(Opcode::Binary, data)
    }

    pub(super) fn ping(payload: &[u8]) -> Self {
        Self::new(Opcode::Ping, payload)
    }

    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::new(Opcode::Pong, payload)
    }

    /// A close frame; one without a code says nothing.
    pub(super) fn close(code: Option<u16>, reason: &str) -> Self {
        let code = code.map(u16::to_be_bytes);
        let payload = code.map_or_else(Vec::new, |code| [&code, reason.as_bytes()].concat());
        Self::new(Opcode::Close, &payload)
    }

    /// What goes before the first frame: the answer to a handshake.
    pub(super) fn bare(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }

    fn new(opcode: Opcode, payload: &[u8]) -> Self {
        Self::sealed(opcode, [&[0; HEADER_MAX], payload].concat())
    }

    /// Puts the header right before the payload, which begins at [`HEADER_MAX`].
    fn sealed(opcode: Opcode, mut bytes: Vec<u8>) -> Self {
        let length = bytes.len() - HEADER_MAX;
        let start = bytes.first_chunk_mut().map_or(0, |room| write_header(room, opcode, length));
        Self(Arc::from(&bytes[start..]))
    }

    /// The bytes of the wire, header included.
    pub(super) fn wire(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it takes on the wire.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// Whether it is a ping.
    pub(super) fn is_ping(&self) -> bool {
        self.opcode() == Some(Opcode::Ping)
    }

    /// What kind of frame it is.
    pub(super) fn opcode(&self) -> Option<Opcode> {
        self.0.first().copied().and_then(Opcode::of)
    }
}
