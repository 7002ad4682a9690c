//! A socket that never blocks, with what it could not send yet.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};

use super::super::Frame;

/// How many frames one system call takes at the most.
const SLICES_MAX: usize = 64;
/// How many bytes of small frames are put side by side.
const SIDE_BY_SIDE_MAX: usize = 2_048;

/// The socket of a connection. It is asked to read and write only where the kernel said that this may work.
pub(super) struct Pipe {
    stream: TcpStream,
    /// Whether there may be something to read.
    readable: bool,
    /// Whether the peer has ended, so that the end is still to be read when no bytes are left.
    ending: bool,
    /// Whether the kernel takes bytes.
    writable: bool,
    /// What the kernel did not take; nothing but a pointer while there is nothing.
    unsent: Option<Box<Unsent>>,
}

struct Unsent {
    frames: Vec<Frame>,
    /// How many bytes of the first of them were sent.
    sent_of_first: usize,
}

/// How far a list of frames has got.
#[derive(Clone, Copy, Default)]
struct Sent {
    /// How many went out whole.
    frames: usize,
    /// How many bytes of the next one did.
    bytes: usize,
}

impl Pipe {
    pub(super) fn new(mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        // A first event tells what has come; that the socket can be written is sure.
        Ok(Self { stream, readable: false, ending: false, writable: true, unsent: None })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// The kernel tells nothing more of the socket.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.stream)
    }

    /// Takes over what the kernel tells of the socket.
    pub(super) fn note(&mut self, event: &Event) {
        let ending = event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || ending;
        self.ending |= ending;
        self.writable |= event.is_writable() || event.is_error();
    }

    /// Whether there may be something to read.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Reads once; `None` when nothing has come.
    ///
    /// # Errors
    /// When the peer has ended or the socket is broken.
    pub(super) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        if !self.readable {
            return Ok(None);
        }
        match self.stream.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                // Fewer bytes than asked for: the socket is empty, and the kernel will tell when more comes.
                self.readable = self.ending || count == buffer.len();
                Ok(Some(&buffer[..count]))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends frames behind what is not sent yet, as far as the kernel takes them.
    ///
    /// # Errors
    /// When the socket is broken.
    pub(super) fn send(&mut self, frames: &[Frame]) -> io::Result<()> {
        self.flush()?;
        let sent = if self.is_flushed() { self.write(frames, Sent::default())? } else { Sent::default() };
        if sent.frames < frames.len() {
            let unsent =
                self.unsent.get_or_insert_with(|| Box::new(Unsent { frames: Vec::new(), sent_of_first: sent.bytes }));
            unsent.frames.extend_from_slice(&frames[sent.frames..]);
        }
        Ok(())
    }

    /// [`Pipe::send`], with nothing more to send.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(mut unsent) = self.unsent.take_if(|_| self.writable) else { return Ok(()) };
        let sent = self.write(&unsent.frames, Sent { frames: 0, bytes: unsent.sent_of_first })?;
        if sent.frames < unsent.frames.len() {
            unsent.frames.drain(..sent.frames);
            unsent.sent_of_first = sent.bytes;
            self.unsent = Some(unsent);
        }
        Ok(())
    }

    /// Writes until the kernel has taken all of the frames or takes no more.
    fn write(&mut self, frames: &[Frame], mut sent: Sent) -> io::Result<Sent> {
        while self.writable && sent.frames < frames.len() {
            match write_once(&mut self.stream, &frames[sent.frames..], sent.bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => sent.advance(frames, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Whether the kernel has taken everything.
    pub(super) fn is_flushed(&self) -> bool {
        self.unsent.is_none()
    }

    /// How many bytes the kernel did not take yet.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.as_ref().map_or(0, |unsent| unsent.bytes())
    }

    /// Forgets what no byte of was sent.
    pub(super) fn forget_unbegun(&mut self) {
        if let Some(unsent) = &mut self.unsent {
            unsent.frames.truncate(usize::from(unsent.sent_of_first > 0));
        }
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

impl Unsent {
    fn bytes(&self) -> usize {
        self.frames.iter().map(Frame::size).sum::<usize>() - self.sent_of_first
    }
}

impl Sent {
    fn advance(&mut self, frames: &[Frame], count: usize) {
        self.bytes += count;
        while let Some(size) = frames.get(self.frames).map(Frame::size).filter(|size| *size <= self.bytes) {
            self.bytes -= size;
            self.frames += 1;
        }
    }
}

/// Writes once, without the first `skip` bytes: as many frames as fit into one system call. The kernel takes one slice more
/// cheaply than a list of them, so small frames are put side by side first.
fn write_once(stream: &mut TcpStream, frames: &[Frame], skip: usize) -> io::Result<usize> {
    if let [frame] = frames {
        return stream.write(&frame.wire()[skip..]);
    }
    let mut side_by_side = [0; SIDE_BY_SIDE_MAX];
    if let Some(bytes) = copy_into(&mut side_by_side, frames, skip) {
        return stream.write(bytes);
    }
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    for (slice, bytes) in slices.iter_mut().zip(from(frames, skip)) {
        *slice = IoSlice::new(bytes);
    }
    stream.write_vectored(&slices[..frames.len().min(SLICES_MAX)])
}

/// Puts the frames side by side, where they fit.
fn copy_into<'b>(room: &'b mut [u8], frames: &[Frame], skip: usize) -> Option<&'b [u8]> {
    let mut end = 0;
    for bytes in from(frames, skip) {
        room.get_mut(end..end + bytes.len())?.copy_from_slice(bytes);
        end += bytes.len();
    }
    Some(&room[..end])
}

/// The bytes of the frames, without the first `skip`, which belong to the first frame.
fn from(frames: &[Frame], skip: usize) -> impl Iterator<Item = &[u8]> {
    frames.iter().enumerate().map(move |(place, frame)| if place == 0 { &frame.wire()[skip..] } else { frame.wire() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener},
        thread,
    };

    use super::*;

    #[test]
    fn frames_of_all_sizes_arrive_whole_and_in_order_at_a_slow_reader() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        stream.set_nonblocking(true).unwrap();
        let mut poll = mio::Poll::new().unwrap();
        let mut pipe = Pipe::new(TcpStream::from_std(stream), poll.registry(), Token(0)).unwrap();
        let sizes = (0..300).map(|number| [10, 200, 3_000, 150_000][number % 4] + number);
        let frames: Vec<Frame> = sizes.map(|size| Frame::json(&"x".repeat(size))).collect();
        let expected: Vec<u8> = frames.iter().flat_map(|frame| frame.wire().to_vec()).collect();
        for some in frames.chunks(37) {
            pipe.send(some).unwrap();
        }
        assert!(!pipe.is_flushed() && pipe.unsent() < expected.len());
        let heard = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut heard = vec![0; expected.len()];
                peer.read_exact(&mut heard).map(|()| heard)
            });
            let mut events = mio::Events::with_capacity(8);
            while !pipe.is_flushed() {
                poll.poll(&mut events, None).unwrap();
                events.iter().for_each(|event| pipe.note(event));
                pipe.flush().unwrap();
            }
            reader.join().unwrap().unwrap()
        });
        assert!(heard == expected);
        assert_eq!(pipe.unsent(), 0);
    }

    #[test]
    fn a_list_of_frames_gets_on_by_whole_frames_and_bytes_of_the_next() {
        let frames = [Frame::json(&1), Frame::json(&22), Frame::json(&333)];
        let mut sent = Sent::default();
        let progress = [2, 1, 4, 3, 2].map(|count| {
            sent.advance(&frames, count);
            (sent.frames, sent.bytes)
        });
        assert_eq!(progress, [(0, 2), (1, 0), (2, 0), (2, 3), (3, 0)]);
    }
}
