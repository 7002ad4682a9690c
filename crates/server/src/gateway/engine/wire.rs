//! The layout of frames: RFC 6455, section 5.2.

/// The longest header of a frame that is not masked.
pub(in super::super) const HEADER_MAX: usize = 10;
/// The longest payload of a control frame.
pub(super) const CONTROL_MAX: u64 = 125;

/// In the first byte: the last frame of a message.
pub(super) const FIN: u8 = 0x80;
/// In the first byte: bits that only extensions may set.
pub(super) const RESERVED: u8 = 0x70;
/// In the second byte: the payload is masked.
pub(super) const MASKED: u8 = 0x80;
/// In the second byte: the length is in the next two, or eight, bytes.
pub(super) const LENGTH_16: u8 = 126;
pub(super) const LENGTH_64: u8 = 127;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in super::super) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    /// The opcode in a frame's first byte.
    pub(in super::super) fn of(first: u8) -> Option<Self> {
        Some(match first & 0x0F {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        self as u8 & 0x08 != 0
    }
}

/// Writes the header of a whole message, unmasked as servers send it, into the end of `room`; gives where it begins.
pub(in super::super) fn write_header(room: &mut [u8; HEADER_MAX], opcode: Opcode, length: usize) -> usize {
    let (marker, bytes) = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < LENGTH_16 => (short, 0),
        (_, Ok(_)) => (LENGTH_16, 2),
        _ => (LENGTH_64, 8),
    };
    let start = HEADER_MAX - 2 - bytes;
    room[start] = FIN | opcode as u8;
    room[start + 1] = marker;
    let length = (length as u64).to_be_bytes();
    room[start + 2..].copy_from_slice(&length[length.len() - bytes..]);
    start
}

/// Whether a peer may send this close code: RFC 6455, section 7.4, and the codes registered since.
pub(super) fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Takes the mask off (or puts it on) a payload, whose first byte is the `offset`th of its frame.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let mask = [0, 1, 2, 3].map(|place| mask[(offset + place) % 4]);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_in_the_fewest_bytes() {
        let header = |length| {
            let mut room = [0; HEADER_MAX];
            let start = write_header(&mut room, Opcode::Text, length);
            room[start..].to_vec()
        };
        assert_eq!(header(0), [0x81, 0]);
        assert_eq!(header(125), [0x81, 125]);
        assert_eq!(header(126), [0x81, 126, 0, 126]);
        assert_eq!(header(65_535), [0x81, 126, 0xFF, 0xFF]);
        assert_eq!(header(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn unmasking_in_pieces_is_unmasking_at_once() {
        let masked: Vec<u8> = (0..=255).collect();
        let mut whole = masked.clone();
        unmask(&mut whole, [1, 2, 4, 128], 0);
        for cut in 0..masked.len() {
            let mut pieces = masked.clone();
            let (head, tail) = pieces.split_at_mut(cut);
            unmask(head, [1, 2, 4, 128], 0);
            unmask(tail, [1, 2, 4, 128], cut);
            assert_eq!(pieces, whole);
        }
        assert_eq!(whole[6], 6 ^ 4);
    }
}
