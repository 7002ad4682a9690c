//! Thousands of client sockets on one event loop. A quiet socket holds no buffer.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    os::fd::{AsFd, AsRawFd},
    time::{Duration, Instant},
};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token, net::TcpStream, unix::SourceFd};
use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use socket2::{Domain, Protocol, Type};

use super::frame::{self, Opcode};

/// The timer's token; sockets have their numbers.
pub(crate) const TIMER: Token = Token(usize::MAX);
/// Shorter is now.
const RESOLUTION: Duration = Duration::from_micros(1);

/// Values that a byte of a source address takes.
const HOSTS: usize = 250;
/// Addresses that the connections of a thread come from.
pub(crate) const SOURCE_ADDRESSES: usize = HOSTS * HOSTS;

/// One connection.
pub(crate) struct Socket {
    stream: TcpStream,
    /// Tells it from an earlier one of the same number.
    serial: u32,
    /// When it began to connect.
    pub(crate) began: Instant,
    pub(crate) stage: Stage,
    connected: bool,
    queued: bool,
    /// The beginning of a frame that is not whole yet.
    kept: Vec<u8>,
    /// What is to be written.
    out: Vec<u8>,
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for the answer to the handshake.
    Upgrading,
    /// Waits for `connection_established`.
    Greeting,
    /// Can be used.
    Open,
}

/// What a read brought.
pub(crate) enum Arrived {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The connection has ended.
    End(String),
}

/// The sockets of one thread, by number.
pub(crate) struct Net {
    poll: Poll,
    timer: TimerFd,
    armed: Option<Instant>,
    sockets: Vec<Option<Socket>>,
    /// Those that have something to write.
    waiting: Vec<usize>,
    serial: u32,
}

impl Net {
    /// Room for sockets numbered from 0 to `capacity - 1`.
    pub(crate) fn new(capacity: usize) -> anyhow::Result<Self> {
        let (poll, timer) = (Poll::new()?, TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?);
        let descriptor = timer.as_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&descriptor), TIMER, Interest::READABLE)?;
        let sockets = (0..capacity).map(|_| None).collect();
        Ok(Self { poll, timer, armed: None, sockets, waiting: Vec::new(), serial: 0 })
    }

    /// Begins to connect; what the connection with this number was before is dropped.
    pub(crate) fn open(&mut self, id: usize, address: SocketAddr, request: String) -> io::Result<()> {
        let mut stream = connect(source(id), address)?;
        self.poll.registry().register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        self.serial = self.serial.wrapping_add(1);
        let (serial, began, kept, out) = (self.serial, Instant::now(), Vec::new(), request.into_bytes());
        let (stage, connected, queued) = (Stage::Upgrading, false, false);
        self.sockets[id] = Some(Socket { stream, serial, began, stage, connected, queued, kept, out });
        Ok(())
    }

    /// Ends a connection without a word, as a lost network does.
    pub(crate) fn cut(&mut self, id: usize) {
        self.sockets[id] = None;
    }

    /// Queues a text message; it is written at the end of this round.
    pub(crate) fn send(&mut self, id: usize, text: &[u8]) {
        self.push(id, Opcode::Text, text);
    }

    pub(crate) fn push(&mut self, id: usize, opcode: Opcode, payload: &[u8]) {
        self.serial = self.serial.wrapping_add(0x9E37_79B9);
        let mask = self.serial.to_ne_bytes();
        if let Some(socket) = &mut self.sockets[id] {
            frame::push(&mut socket.out, opcode, payload, mask);
            self.queue(id);
        }
    }

    pub(crate) fn get(&mut self, id: usize) -> Option<&mut Socket> {
        self.sockets.get_mut(id)?.as_mut()
    }

    /// Names this connection; another one of the same number has another serial.
    pub(crate) fn serial(&self, id: usize) -> Option<u32> {
        self.sockets.get(id)?.as_ref().map(|socket| socket.serial)
    }

    pub(crate) fn is_open(&self, id: usize) -> bool {
        self.sockets[id].as_ref().is_some_and(|socket| socket.stage == Stage::Open)
    }

    /// The socket can be written to.
    pub(crate) fn writable(&mut self, id: usize) {
        if let Some(socket) = self.get(id) {
            socket.connected = true;
            if !socket.out.is_empty() {
                self.queue(id);
            }
        }
    }

    fn queue(&mut self, id: usize) {
        if let Some(socket) = &mut self.sockets[id]
            && !socket.queued
        {
            socket.queued = true;
            self.waiting.push(id);
        }
    }

    /// Writes what waits, once for each socket.
    pub(crate) fn flush(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            if let Some(socket) = self.sockets[id].as_mut() {
                socket.queued = false;
                socket.write();
            }
        }
    }

    /// Puts the kept beginning of a frame in front of `buffer`; tells its length.
    pub(crate) fn restore(&mut self, id: usize, buffer: &mut [u8]) -> usize {
        let Some(socket) = self.get(id) else { return 0 };
        let kept = std::mem::take(&mut socket.kept);
        buffer[..kept.len()].copy_from_slice(&kept);
        kept.len()
    }

    /// Keeps the beginning of a frame until the rest comes.
    pub(crate) fn keep(&mut self, id: usize, bytes: &[u8]) {
        if let Some(socket) = self.get(id).filter(|_| !bytes.is_empty()) {
            socket.kept = bytes.to_vec();
        }
    }

    pub(crate) fn read(&mut self, id: usize, buffer: &mut [u8]) -> Arrived {
        let Some(socket) = self.get(id) else { return Arrived::Nothing };
        match socket.stream.read(buffer) {
            Ok(0) => Arrived::End("the server ended the connection".to_owned()),
            Ok(count) => Arrived::Bytes(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Arrived::Nothing,
            Err(error) => Arrived::End(error.to_string()),
        }
    }

    /// Waits for events until `until`, to some microseconds: `epoll_wait` alone knows only milliseconds.
    pub(crate) fn wait(&mut self, events: &mut Events, until: Instant) -> anyhow::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        let patience = if left < RESOLUTION { Some(Duration::ZERO) } else { None };
        if patience.is_none() && self.armed != Some(until) {
            self.timer.set(Expiration::OneShot(TimeSpec::from_duration(left)), TimerSetTimeFlags::empty())?;
            self.armed = Some(until);
        }
        match self.poll.poll(events, patience) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error).context("cannot wait for sockets"),
            _ => Ok(()),
        }
    }
}

impl Socket {
    /// Whether and when the socket breaks, reading tells.
    fn write(&mut self) {
        if !self.connected || self.out.is_empty() {
            return;
        }
        match self.stream.write(&self.out) {
            Ok(written) if written == self.out.len() && self.stage == Stage::Open => self.out.clear(),
            Ok(written) if written == self.out.len() => self.out = Vec::new(),
            Ok(written) => drop(self.out.drain(..written)),
            Err(_) => {}
        }
    }
}

/// The address that a connection comes from: one address has not enough ports for all.
fn source(id: usize) -> Ipv4Addr {
    let low = |number: usize| u8::try_from(number % HOSTS).unwrap_or(0) + 1;
    Ipv4Addr::new(127, 77, low(id / HOSTS), low(id))
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    const EINPROGRESS: i32 = 115;
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
