//! WebSocket frames (RFC 6455, section 5) as a client writes and reads them. The servers that are measured here send
//! whole messages; a fragment is an error.

use anyhow::bail;

/// What a frame is for, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// A text message.
    Text = 0x1,
    /// The end of the connection.
    Close = 0x8,
    /// A question whether the peer is alive.
    Ping = 0x9,
    /// Its answer.
    Pong = 0xA,
}

/// A whole frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: Opcode,
    pub(crate) payload: &'a [u8],
    /// Bytes that it takes, head included.
    pub(crate) size: usize,
}

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;
/// Lengths that tell that the real one follows, in two or in eight bytes.
const IN_TWO: u8 = 0x7E;
const IN_EIGHT: u8 = 0x7F;

/// Appends a frame with its payload masked.
pub(crate) fn push(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    out.push(FINAL | opcode as u8);
    match payload.len() {
        len @ ..126 => out.push(MASKED | u8::try_from(len).unwrap_or(0)),
        len @ ..65_536 => {
            out.push(MASKED | IN_TWO);
            out.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
        }
        len => {
            out.push(MASKED | IN_EIGHT);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The first frame of `bytes`; none when more must be read.
pub(crate) fn first(bytes: &[u8]) -> anyhow::Result<Option<Frame<'_>>> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    anyhow::ensure!(first & FINAL != 0 && second & MASKED == 0, "the server sent a frame that is no whole message");
    let opcode = match first & 0x0F {
        0x1 => Opcode::Text,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        other => bail!("the server sent a frame of the kind {other:#x}"),
    };
    let Some((head, length)) = lengths(second, bytes)? else { return Ok(None) };
    let size = head + length;
    Ok(bytes.get(head..size).map(|payload| Frame { opcode, payload, size }))
}

/// Bytes of the head and of the payload.
fn lengths(second: u8, bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    Ok(match second & LENGTH {
        IN_TWO => bytes.get(2..4).map(|field| (4, field.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))),
        IN_EIGHT => match bytes.get(2..10).map(<[u8; 8]>::try_from).transpose()? {
            Some(field) => Some((10, usize::try_from(u64::from_be_bytes(field))?)),
            None => None,
        },
        short => Some((2, usize::from(short))),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_masked_frame_holds_its_payload_and_the_key() {
        let mut out = Vec::new();
        push(&mut out, Opcode::Text, b"abc", [1, 2, 3, 4]);
        assert_eq!(out, [0x81, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3]);
    }

    #[test]
    fn frames_of_each_length_are_read_back() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            push(&mut out, Opcode::Pong, &vec![7; length], [0; 4]);
            // As a server sends it: without the mask.
            let key_at = out.len() - length - 4;
            out.drain(key_at..key_at + 4);
            out[1] &= LENGTH;
            assert_eq!(first(&out[..out.len() - 1]).unwrap(), None);
            let size = out.len();
            out.push(0);
            let frame = first(&out).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload.len(), frame.size), (Opcode::Pong, length, size));
        }
    }

    #[test]
    fn fragments_and_masked_frames_are_errors() {
        assert!(first(&[0x01, 0]).is_err());
        assert!(first(&[0x81, 0x80]).is_err());
        assert!(first(&[0x83, 0]).is_err());
    }
}
