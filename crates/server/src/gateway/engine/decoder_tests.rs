use proptest::{collection::vec, prelude::*};

use super::*;

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(MASKED | u8::try_from(short).unwrap()),
        middle @ 126..65_536 => {
            bytes.push(MASKED | LENGTH_16);
            bytes.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(MASKED | LENGTH_64);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    let start = bytes.len();
    bytes.extend(payload);
    unmask(&mut bytes[start..], MASK, 0);
    bytes
}

/// Everything that comes of the bytes, read in these pieces.
fn decode<'a>(
    limit: Option<usize>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Result<bool, Violation>) {
    let (mut decoder, mut events) = (Decoder::new(limit), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => return (events, Err(violation)),
            }
        }
        assert!(piece.is_empty());
    }
    (events, Ok(decoder.is_idle()))
}

fn violation(bytes: &[u8]) -> u16 {
    let whole = decode(Some(1_000), [bytes]).1.unwrap_err();
    assert_eq!(decode(Some(1_000), bytes.chunks(1)).1.unwrap_err(), whole);
    whole.0
}

fn message() -> impl Strategy<Value = (Event, Vec<u8>)> {
    let control = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        (any::<String>(), vec(any::<prop::sample::Index>(), 0..3)).prop_map(|(text, cuts)| {
            let bytes = fragments(1, text.as_bytes(), &cuts);
            (Event::Text(text), bytes)
        }),
        vec(any::<u8>(), 0..70_000).prop_map(|data| (Event::Binary(data.clone()), frame(FIN | 2, &data))),
        control().prop_map(|data| (Event::Ping(data.clone()), frame(FIN | 9, &data))),
        control().prop_map(|data| (Event::Pong(data.clone()), frame(FIN | 0xA, &data))),
    ]
}

/// A message in several frames.
fn fragments(opcode: u8, payload: &[u8], cuts: &[prop::sample::Index]) -> Vec<u8> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut bytes, mut begin, mut opcode) = (Vec::new(), 0, opcode);
    for cut in cuts {
        bytes.extend(frame(opcode, &payload[begin..cut]));
        (begin, opcode) = (cut, 0);
    }
    bytes.extend(frame(FIN | opcode, &payload[begin..]));
    bytes
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_events(
        messages in vec(message(), 1..6),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut begin = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            pieces.push(&bytes[begin..cut]);
            begin = cut;
        }
        let (events, end) = decode(None, pieces);
        prop_assert_eq!(events, messages.into_iter().map(|(event, _)| event).collect::<Vec<_>>());
        prop_assert_eq!(end, Ok(true));
    }

    #[test]
    fn no_bytes_make_it_panic_or_keep_more_than_its_limit(bytes in vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::new(Some(20));
        let mut input = bytes.as_slice();
        while let Ok(Some(_)) = decoder.next(&mut input) {}
        prop_assert!(decoder.message.is_none_or(|message| message.bytes.len() <= 20));
    }
}

#[test]
fn control_frames_come_between_the_frames_of_a_message() {
    let bytes = [frame(1, "aé".as_bytes()), frame(FIN | 9, b"?"), frame(FIN, b"z"), frame(FIN | 8, b"")].concat();
    let events = [Event::Ping(b"?".to_vec()), Event::Text("aéz".into()), Event::Close(None)];
    assert_eq!(decode(None, bytes.chunks(1)), (events.to_vec(), Ok(true)));
    assert_eq!(decode(None, [bytes.as_slice()]), (events.to_vec(), Ok(true)));
}

#[test]
fn a_close_has_a_code_that_may_be_sent() {
    let close = |payload: &[u8]| decode(None, [frame(FIN | 8, payload).as_slice()]);
    assert_eq!(close(&[0x03, 0xE8, b'o', b'k']).0, [Event::Close(Some(1000))]);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert_eq!(close(&code.to_be_bytes()).1, Err(PROTOCOL_ERROR), "{code}");
    }
    assert_eq!(close(&[0x03]).1, Err(PROTOCOL_ERROR));
    assert_eq!(close(&[0x03, 0xE8, 0xFF]).1, Err(INVALID_TEXT));
}

#[test]
fn what_breaks_the_protocol_is_seen_at_the_first_byte_that_shows_it() {
    assert_eq!(violation(&[FIN | 0x40 | 1]), 1002, "reserved bit");
    assert_eq!(violation(&[FIN | 3]), 1002, "unknown opcode");
    assert_eq!(violation(&[FIN | 1, 5]), 1002, "not masked");
    assert_eq!(violation(&[9, MASKED]), 1002, "a ping in pieces");
    assert_eq!(violation(&[FIN | 9, MASKED | LENGTH_16]), 1002, "a long ping");
    assert_eq!(violation(&[FIN | 2, MASKED | LENGTH_16, 0, 125]), 1002, "a length in too many bytes");
    assert_eq!(violation(&[FIN | 2, MASKED | LENGTH_64, 0, 0, 0, 0, 0, 0, 255, 255]), 1002);
    assert_eq!(violation(&[FIN | 2, MASKED | LENGTH_64, 0x80, 0, 0, 0, 0, 0, 0, 0]), 1002, "the highest bit");
    assert_eq!(violation(&frame(FIN, b"x")), 1002, "nothing to continue");
    assert_eq!(violation(&[frame(1, b"x"), frame(FIN | 1, b"y")].concat()), 1002, "a message within a message");
}

#[test]
fn a_message_that_is_too_big_is_refused_before_it_comes() {
    assert_eq!(violation(&frame(FIN | 1, &[b'x'; 1_001])[..8]), 1009);
    assert_eq!(violation(&[frame(2, &[0; 900]), frame(FIN, &[0; 101])].concat()), 1009);
    let largest = frame(FIN | 2, &[7; 1_000]);
    assert_eq!(decode(Some(1_000), [largest.as_slice()]).0, [Event::Binary(vec![7; 1_000])]);
    let huge = [FIN | 2, MASKED | LENGTH_64, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(violation(&huge), 1009);
}

#[test]
fn text_that_cannot_become_valid_is_refused_at_once() {
    for (start, rest) in [(&b"\xE2\x82"[..], &b"\x28"[..]), (b"\xF4", b"\x90"), (b"", b"\xC0"), (b"\xED", b"\xA0")] {
        assert_eq!(violation(&[frame(1, start), frame(0, rest)].concat()), 1007);
    }
    assert_eq!(violation(&frame(FIN | 1, b"\xC3")), 1007, "half a character at the end");
    let long = frame(FIN | 1, &[b"\xFF".as_slice(), &[b'x'; 900]].concat());
    assert_eq!(violation(&long[..9]), 1007, "before the rest has come");
}
