use bytes::Bytes;
use serde::Serialize;

/// A text message, encoded once and shared by all who get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// The JSON of `message`.
    ///
    /// The types of the protocol cannot fail to serialise; should one, the peer gets an empty object rather than a panic.
    pub fn json<T: Serialize + ?Sized>(message: &T) -> Self {
        match serde_json::to_vec(message) {
            Ok(json) => Self(json.into()),
            Err(error) => {
                tracing::error!(%error, "a message cannot be written as JSON");
                Self(Bytes::from_static(b"{}"))
            }
        }
    }

    /// Text as it is.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self(text.into())
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}
