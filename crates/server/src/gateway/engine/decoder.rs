//! From bytes to messages: RFC 6455 as a server reads it, without any I/O.

use super::wire::{CONTROL_MAX, FIN, LENGTH_16, LENGTH_64, MASKED, Opcode, RESERVED, is_close_code, unmask};

/// The longest header of a client's frame.
const HEADER_MAX: usize = 14;

/// What a client has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The close frame, with its code where it has one.
    Close(Option<u16>),
}

/// The client broke the protocol: the code to close with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) u16);

const PROTOCOL_ERROR: Violation = Violation(1002);
const INVALID_TEXT: Violation = Violation(1007);
const TOO_BIG: Violation = Violation(1009);

/// Puts messages together from bytes that come in any pieces.
///
/// It holds what has arrived of a message that is not complete: never more than its limit, and never room for what was
/// only announced.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The longest message; `None` is no limit.
    limit: Option<usize>,
    header: PartialHeader,
    frame: Option<Frame>,
    /// The data message whose frames are coming.
    message: Option<Message>,
    /// What has come of a control frame, which may stand between the frames of a message.
    control: Vec<u8>,
}

#[derive(Debug, Default)]
struct PartialHeader {
    bytes: [u8; HEADER_MAX],
    length: usize,
}

/// A frame whose payload is coming.
#[derive(Clone, Copy, Debug)]
struct Frame {
    fin: bool,
    opcode: Opcode,
    mask: [u8; 4],
    length: u64,
    /// How much of the payload has come.
    read: u64,
}

#[derive(Debug)]
struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    /// How many of the bytes are known to be whole characters.
    checked: usize,
}

impl Decoder {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self { limit, header: PartialHeader::default(), frame: None, message: None, control: Vec::new() }
    }

    /// Whether it holds nothing: the next byte begins a message.
    pub(super) fn is_idle(&self) -> bool {
        self.header.length == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// The next event, taking its bytes off `input`; `None` when all bytes are taken and an event is not complete.
    ///
    /// # Errors
    /// When the client broke the protocol, as early as that can be seen. The decoder is of no use afterwards.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        if input.is_empty() {
            return Ok(None);
        }
        if self.is_idle()
            && let Some(event) = self.whole_message(input)?
        {
            return Ok(Some(event));
        }
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.header.read(input)? {
                    Some(frame) => self.begin(frame)?,
                    None => return Ok(None),
                },
            };
            self.read_payload(&mut frame, input)?;
            if frame.read < frame.length {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(event) = self.end(frame)? {
                return Ok(Some(event));
            }
        }
    }

    /// A data message in one frame that is there to its end, as most are: nothing of it has to be kept.
    fn whole_message(&self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        let Some((frame, header)) = parse_header(input)? else { return Ok(None) };
        let is_text = frame.opcode == Opcode::Text;
        let fits = self.limit.is_none_or(|limit| frame.length <= limit as u64);
        let length = usize::try_from(frame.length).ok().filter(|_| fits && frame.fin);
        let is_data = is_text || frame.opcode == Opcode::Binary;
        let Some(payload) = length.filter(|_| is_data).and_then(|length| input[header..].get(..length)) else {
            return Ok(None);
        };
        let mut bytes = payload.to_vec();
        unmask(&mut bytes, frame.mask, 0);
        *input = &input[header + bytes.len()..];
        Message { is_text, bytes, checked: 0 }.end().map(Some)
    }

    /// Checks whether this frame may come now.
    fn begin(&mut self, frame: Frame) -> Result<Frame, Violation> {
        let is_first = match frame.opcode {
            Opcode::Text | Opcode::Binary => true,
            Opcode::Continuation => false,
            Opcode::Close | Opcode::Ping | Opcode::Pong => return Ok(frame),
        };
        if is_first == self.message.is_some() {
            return Err(PROTOCOL_ERROR);
        }
        let before = self.message.as_ref().map_or(0, |message| message.bytes.len() as u64);
        if self.limit.is_some_and(|limit| before.saturating_add(frame.length) > limit as u64) {
            return Err(TOO_BIG);
        }
        if is_first {
            self.message = Some(Message { is_text: frame.opcode == Opcode::Text, bytes: Vec::new(), checked: 0 });
        }
        Ok(frame)
    }

    fn read_payload(&mut self, frame: &mut Frame, input: &mut &[u8]) -> Result<(), Violation> {
        let left = usize::try_from(frame.length - frame.read).unwrap_or(usize::MAX);
        let (payload, rest) = input.split_at(left.min(input.len()));
        *input = rest;
        let target = match &mut self.message {
            Some(message) if !frame.opcode.is_control() => &mut message.bytes,
            _ => &mut self.control,
        };
        let start = target.len();
        target.extend_from_slice(payload);
        // The mask repeats every four bytes, so the low bits of the place are enough.
        unmask(&mut target[start..], frame.mask, (frame.read % 4) as usize);
        frame.read += payload.len() as u64;
        let is_complete = frame.fin && frame.read == frame.length;
        match &mut self.message {
            Some(message) if message.is_text && !is_complete => message.check(),
            _ => Ok(()),
        }
    }

    /// What a complete frame completes.
    fn end(&mut self, frame: Frame) -> Result<Option<Event>, Violation> {
        Ok(match frame.opcode {
            Opcode::Ping => Some(Event::Ping(std::mem::take(&mut self.control))),
            Opcode::Pong => Some(Event::Pong(std::mem::take(&mut self.control))),
            Opcode::Close => Some(Event::Close(close_code(&self.control)?)),
            Opcode::Continuation | Opcode::Text | Opcode::Binary if !frame.fin => None,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.message.take().map(Message::end).transpose()?
            }
        })
    }
}

impl PartialHeader {
    /// Reads a header; `None` when it is not complete.
    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        let before = self.length;
        let taken = input.len().min(HEADER_MAX - before);
        self.bytes[before..before + taken].copy_from_slice(&input[..taken]);
        self.length += taken;
        let found = parse_header(&self.bytes[..self.length])?;
        let used = found.map_or(self.length, |(_, length)| length) - before;
        *input = &input[used..];
        Ok(found.map(|(frame, _)| {
            self.length = 0;
            frame
        }))
    }
}

/// The header at the start of `bytes`, and its length; `None` when they are too few.
fn parse_header(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Violation> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let opcode = Opcode::of(first).filter(|_| first & RESERVED == 0).ok_or(PROTOCOL_ERROR)?;
    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    let (fin, marker) = (first & FIN != 0, second & !MASKED);
    if second & MASKED == 0 || opcode.is_control() && (!fin || u64::from(marker) > CONTROL_MAX) {
        return Err(PROTOCOL_ERROR);
    }
    let Some((length, rest)) = parse_length(marker, rest)? else { return Ok(None) };
    let Some(mask) = rest.first_chunk() else { return Ok(None) };
    let frame = Frame { fin, opcode, mask: *mask, length, read: 0 };
    Ok(Some((frame, bytes.len() - rest.len() + mask.len())))
}

/// The length of the payload, which must be written in the fewest bytes.
fn parse_length(marker: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (length, rest, least) = match marker {
        LENGTH_16 => match bytes.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, u64::from(LENGTH_16)),
            None => return Ok(None),
        },
        LENGTH_64 => match bytes.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 1 << 16),
            None => return Ok(None),
        },
        short => (u64::from(short), bytes, 0),
    };
    let most = i64::MAX.unsigned_abs();
    if (least..=most).contains(&length) { Ok(Some((length, rest))) } else { Err(PROTOCOL_ERROR) }
}

/// The code of a close frame.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(PROTOCOL_ERROR) };
    };
    let code = u16::from_be_bytes(*code);
    if !is_close_code(code) {
        return Err(PROTOCOL_ERROR);
    }
    str::from_utf8(reason).map_err(|_| INVALID_TEXT)?;
    Ok(Some(code))
}

impl Message {
    /// Fails as soon as the text can no longer become valid; the last character may be incomplete.
    fn check(&mut self) -> Result<(), Violation> {
        self.checked += match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(INVALID_TEXT),
        };
        Ok(())
    }

    fn end(self) -> Result<Event, Violation> {
        if self.is_text {
            String::from_utf8(self.bytes).map(Event::Text).map_err(|_| INVALID_TEXT)
        } else {
            Ok(Event::Binary(self.bytes))
        }
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
