//! One connection. A quiet one holds no buffer.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Zero until the handshake is done.
    pub(crate) user: i64,
    pub(crate) conversation: Option<i64>,
    /// The beginning of what is not whole yet.
    pub(crate) kept: Vec<u8>,
    /// What is to be written at the end of the round.
    pub(crate) out: Vec<u8>,
    /// Written out, it is closed.
    pub(crate) closing: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, user: 0, conversation: None, kept: Vec::new(), out: Vec::new(), closing: false }
    }

    /// Reads behind what was kept; tells the end of the bytes, or none when there is nothing (0 is the end of the stream).
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let kept = std::mem::take(&mut self.kept);
        buffer[..kept.len()].copy_from_slice(&kept);
        match self.stream.read(&mut buffer[kept.len()..]) {
            Ok(0) => Ok(Some(0)),
            Ok(count) => Ok(Some(kept.len() + count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.kept = kept;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what waits; an empty buffer goes back to the others for the next one who needs it.
    pub(crate) fn flush(&mut self, spare: &mut Vec<Vec<u8>>) -> io::Result<()> {
        match self.stream.write(&self.out) {
            Ok(written) if written == self.out.len() => {
                let mut empty = std::mem::take(&mut self.out);
                empty.clear();
                spare.push(empty);
            }
            Ok(written) => drop(self.out.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
