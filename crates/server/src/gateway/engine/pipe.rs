//! A socket that never blocks, with what it could not send yet.

use std::{
    collections::VecDeque,
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

#[derive(Default)]
struct Unsent {
    frames: VecDeque<Frame>,
    /// How many bytes of the first of them were sent.
    sent_of_first: usize,
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
    pub(super) fn send(&mut self, frames: Vec<Frame>) -> io::Result<()> {
        let mut unsent = self.unsent.take().map_or_else(Unsent::default, |unsent| *unsent);
        unsent.add(frames);
        while self.writable && !unsent.frames.is_empty() {
            match unsent.write_to(&mut self.stream) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if !unsent.frames.is_empty() {
            self.unsent = Some(Box::new(unsent));
        }
        Ok(())
    }

    /// [`Pipe::send`], with nothing more to send.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.writable && self.unsent.is_some() { self.send(Vec::new()) } else { Ok(()) }
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
    fn add(&mut self, frames: Vec<Frame>) {
        if self.frames.is_empty() {
            self.frames = frames.into();
        } else {
            self.frames.extend(frames);
        }
    }

    fn bytes(&self) -> usize {
        self.frames.iter().map(Frame::size).sum::<usize>() - self.sent_of_first
    }

    /// Writes once: as many frames as fit into one system call. The kernel takes one slice more cheaply than a list of them,
    /// so small frames are put side by side first.
    fn write_to(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        if let ([frame], []) = self.frames.as_slices() {
            let count = stream.write(&frame.wire()[self.sent_of_first..])?;
            return self.taken(count);
        }
        let mut side_by_side = [0; SIDE_BY_SIDE_MAX];
        if let Some(bytes) = self.copy_into(&mut side_by_side) {
            let count = stream.write(bytes)?;
            return self.taken(count);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut skip = self.sent_of_first;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(&frame.wire()[skip..]);
            skip = 0;
        }
        let count = stream.write_vectored(&slices[..self.frames.len().min(SLICES_MAX)])?;
        self.taken(count)
    }

    /// Puts the frames side by side, where they fit.
    fn copy_into<'b>(&self, room: &'b mut [u8]) -> Option<&'b [u8]> {
        let (mut end, mut skip) = (0, self.sent_of_first);
        for frame in &self.frames {
            let bytes = &frame.wire()[skip..];
            room.get_mut(end..end + bytes.len())?.copy_from_slice(bytes);
            end += bytes.len();
            skip = 0;
        }
        Some(&room[..end])
    }

    /// The kernel has taken so many bytes.
    fn taken(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        self.advance(count);
        Ok(())
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.frames.front() {
            let left = first.size() - self.sent_of_first;
            if count < left {
                self.sent_of_first += count;
                return;
            }
            count -= left;
            self.sent_of_first = 0;
            self.frames.pop_front();
        }
    }
}
