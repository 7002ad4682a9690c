//! WebSocket frames (RFC 6455, section 5): whole ones of up to 64 KiB, which is all that clients send here.

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Appends a frame of the server.
pub(crate) fn push(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(payload);
}

/// Unmasks the first frame of `bytes` in place: its opcode, where its payload begins, and where it ends. None: more must be
/// read.
pub(crate) fn first(bytes: &mut [u8]) -> Option<(u8, usize, usize)> {
    let (opcode, short) = (*bytes.first()? & 0x0F, usize::from(*bytes.get(1)? & 0x7F));
    let (length, key_at) = match short {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        _ => (short, 2),
    };
    let key: [u8; 4] = bytes.get(key_at..key_at + 4)?.try_into().ok()?;
    let (begin, end) = (key_at + 4, key_at + 4 + length);
    for (byte, key) in bytes.get_mut(begin..end)?.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    Some((opcode, begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_frame_is_read_and_an_unfinished_one_is_not() {
        let mut bytes = vec![0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
        assert_eq!(first(&mut bytes[..7]), None);
        assert_eq!(first(&mut bytes), Some((TEXT, 6, 8)));
        assert_eq!(&bytes[6..], b"hi");
    }

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        for (length, head) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut out = Vec::new();
            push(&mut out, TEXT, &vec![0; length]);
            assert_eq!(out.len(), head + length);
        }
    }
}
