//! Connections that are opened a number at a time, and authenticated: what a piece of work sends on.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    frame::{self, Opcode},
    handshake,
    net::{Net, Stage},
    text::find,
};
use crate::latencies::Latencies;

/// Failures of a thread that are told; all are counted.
const SHOWN: usize = 3;

/// Where a connection goes.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) path: Path,
    pub(crate) token: Arc<str>,
}

/// What it connects to.
#[derive(Clone, Copy)]
pub(crate) enum Path {
    Notifications,
    DriverOrders,
    /// A conversation, by its key.
    Chat(i64),
}

impl Door {
    fn request(&self) -> String {
        let token = &self.token;
        let path = match self.path {
            Path::Notifications => format!("/ws/notifications/?token={token}"),
            Path::DriverOrders => format!("/ws/driver/orders/?token={token}"),
            Path::Chat(key) => format!("/ws/chat/{key}/?token={token}"),
        };
        handshake::request(self.address, &path)
    }
}

/// What all threads have counted.
#[derive(Default)]
pub(crate) struct Count {
    /// Connections that were established, again and again included.
    pub(crate) opened: AtomicUsize,
    /// Connections that could not be established.
    pub(crate) refused: AtomicUsize,
    /// Established ones that the server or the network ended.
    pub(crate) lost: AtomicUsize,
}

/// What became of the bytes of one read.
pub(crate) enum Event<'a> {
    /// The connection is established.
    Opened,
    /// A message, after that.
    Text(&'a [u8]),
}

/// The connections of one thread, by the number of their door.
pub(crate) struct Lines {
    pub(crate) net: Net,
    doors: Vec<Door>,
    queue: VecDeque<usize>,
    under_way: usize,
    width: usize,
    count: Arc<Count>,
    /// From the first packet to `connection_established`.
    pub(crate) handshakes: Latencies,
    /// Failures that were told.
    shown: usize,
}

impl Lines {
    /// All doors are opened as soon as [`Lines::open_next`] is called, at most `width` at a time.
    pub(crate) fn new(doors: Vec<Door>, width: usize, count: Arc<Count>) -> anyhow::Result<Self> {
        let (net, queue, handshakes) = (Net::new(doors.len())?, (0..doors.len()).collect(), Latencies::new()?);
        Ok(Self { net, doors, queue, under_way: 0, width, count, handshakes, shown: 0 })
    }

    pub(crate) fn len(&self) -> usize {
        self.doors.len()
    }

    /// Opens this door once more, after those that wait already.
    pub(crate) fn open(&mut self, id: usize) {
        self.queue.push_back(id);
    }

    pub(crate) fn send(&mut self, id: usize, text: &[u8]) {
        self.net.send(id, text);
    }

    /// Whether every door was tried.
    pub(crate) fn settled(&self) -> bool {
        self.queue.is_empty() && self.under_way == 0
    }

    pub(crate) fn open_next(&mut self) {
        while self.under_way < self.width
            && let Some(id) = self.queue.pop_front()
        {
            let door = &self.doors[id];
            self.under_way += 1;
            if let Err(error) = self.net.open(id, door.address, door.request()) {
                self.fail(id, &error.to_string());
            }
        }
    }

    /// Ends a connection that did not get as far as it should.
    pub(crate) fn fail(&mut self, id: usize, why: &str) {
        let counter = if self.net.is_open(id) { &self.count.lost } else { &self.count.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        if !self.net.is_open(id) {
            self.under_way -= 1;
        }
        if self.shown < SHOWN {
            self.shown += 1;
            eprintln!("connection {id}: {why}");
        }
        self.net.cut(id);
    }

    /// Takes one step in what was read; tells the bytes that it took. No step: more must be read.
    pub(crate) fn step<'a>(
        &mut self,
        id: usize,
        bytes: &'a [u8],
    ) -> anyhow::Result<Option<(usize, Option<Event<'a>>)>> {
        match self.net.get(id).map(|socket| &mut socket.stage) {
            None => Ok(None),
            Some(stage @ Stage::Upgrading) => {
                let head = handshake::accepted(bytes)?;
                if head.is_some() {
                    *stage = Stage::Greeting;
                }
                Ok(head.map(|size| (size, None)))
            }
            Some(_) => self.frame(id, bytes),
        }
    }

    fn frame<'a>(&mut self, id: usize, bytes: &'a [u8]) -> anyhow::Result<Option<(usize, Option<Event<'a>>)>> {
        let Some(frame) = frame::first(bytes)? else { return Ok(None) };
        let event = match frame.opcode {
            Opcode::Text if self.net.is_open(id) => Some(Event::Text(frame.payload)),
            Opcode::Text => {
                self.greeted(id, frame.payload)?;
                Some(Event::Opened)
            }
            Opcode::Ping => {
                self.net.push(id, Opcode::Pong, frame.payload);
                None
            }
            Opcode::Pong => None,
            Opcode::Close => anyhow::bail!("the server closed the connection: {:?}", frame.payload),
        };
        Ok(Some((frame.size, event)))
    }

    fn greeted(&mut self, id: usize, text: &[u8]) -> anyhow::Result<()> {
        let welcome = find(text, b"connection_established").is_some();
        anyhow::ensure!(welcome, "not established: {}", String::from_utf8_lossy(text));
        if let Some(socket) = self.net.get(id) {
            socket.stage = Stage::Open;
            let took = socket.began.elapsed();
            self.handshakes.record(took)?;
        }
        self.under_way -= 1;
        self.count.opened.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
