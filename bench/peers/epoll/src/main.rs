//! The floor: one event loop with nothing that a real server needs besides (no limits, no heartbeat, no slow readers).
//! Frames go to each member's buffer, and each socket is written once at the end of a round.

mod connection;
mod frame;
mod handshake;
mod messages;
mod store;

use std::{collections::HashMap, env, io::ErrorKind};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token, net::TcpListener};
use slab::Slab;

use connection::Connection;
use messages::{Received, Said, Sent};
use store::Store;

const LISTENER: Token = Token(usize::MAX);
const LONGEST_REQUEST: usize = 8_192;

struct Server {
    poll: Poll,
    listener: TcpListener,
    secret: Vec<u8>,
    connections: Slab<Connection>,
    rooms: HashMap<i64, Vec<usize>>,
    /// Those with something to write.
    waiting: Vec<usize>,
    spare: Vec<Vec<u8>>,
    /// What was said in this round.
    said: Vec<Said>,
    store: Option<Store>,
    last_id: i64,
}

fn main() -> anyhow::Result<()> {
    let mut server = Server::new()?;
    let (mut events, mut buffer) = (Events::with_capacity(1_024), vec![0; 128 * 1_024]);
    loop {
        match server.poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept()?,
                Token(id) => {
                    // Whatever could not be written before is tried again.
                    server.waiting.push(id);
                    server.read(id, &mut buffer, event.is_read_closed());
                }
            }
        }
        server.publish_said()?;
        server.flush();
    }
}

impl Server {
    fn new() -> anyhow::Result<Self> {
        let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(format!("127.0.0.1:{}", variable("PORT")?).parse()?)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let store = match env::var("DATABASE") {
            Ok(file) => Some(Store::create(&file, variable("CONVERSATIONS")?.parse()?, variable("MEMBERS")?.parse()?)?),
            Err(_) => None,
        };
        let (secret, connections, rooms) = (variable("SECRET")?.into_bytes(), Slab::new(), HashMap::new());
        let (waiting, spare, said) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { poll, listener, secret, connections, rooms, waiting, spare, said, store, last_id: 0 })
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nodelay(true)?;
                    let id = self.connections.insert(Connection::new(stream));
                    let (stream, both) = (&mut self.connections[id].stream, Interest::READABLE | Interest::WRITABLE);
                    self.poll.registry().register(stream, Token(id), both)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&mut self, id: usize, buffer: &mut [u8], to_end: bool) {
        while let Some(connection) = self.connections.get_mut(id) {
            match connection.read(buffer) {
                Ok(None) => return,
                Ok(Some(0)) | Err(_) => return self.close(id),
                Ok(Some(end)) => {
                    let used = self.consume(id, &mut buffer[..end]);
                    if let Some(connection) = self.connections.get_mut(id) {
                        connection.kept.extend(&buffer[used..end]);
                    }
                    if !to_end && end < buffer.len() {
                        return;
                    }
                }
            }
        }
    }

    /// Tells how many bytes were used.
    fn consume(&mut self, id: usize, bytes: &mut [u8]) -> usize {
        if self.connections[id].user == 0 {
            return self.open(id, bytes);
        }
        let mut used = 0;
        while let Some((opcode, begin, end)) = frame::first(&mut bytes[used..]) {
            let (begin, end) = (used + begin, used + end);
            used = end;
            match opcode {
                frame::TEXT => self.receive(id, &bytes[begin..end]),
                frame::PING => self.push(id, frame::PONG, &bytes[begin..end]),
                frame::CLOSE => {
                    self.push(id, frame::CLOSE, &bytes[begin..end]);
                    self.connections[id].closing = true;
                }
                _ => {}
            }
        }
        used
    }

    fn open(&mut self, id: usize, bytes: &[u8]) -> usize {
        if !bytes.ends_with(b"\r\n\r\n") && bytes.len() < LONGEST_REQUEST {
            return 0;
        }
        let opened = handshake::open(bytes, &self.secret).filter(|opened| match (&self.store, opened.conversation) {
            (Some(store), Some(conversation)) => store.is_member(conversation, opened.user).unwrap_or(false),
            _ => true,
        });
        let Some(opened) = opened else {
            self.queue(id, |out| out.extend(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));
            self.connections[id].closing = true;
            return bytes.len();
        };
        let connection = &mut self.connections[id];
        (connection.user, connection.conversation) = (opened.user, opened.conversation);
        if let Some(conversation) = opened.conversation {
            self.rooms.entry(conversation).or_default().push(id);
        }
        let user_id = opened.conversation.is_none().then(|| opened.user.to_string());
        let message = if user_id.is_some() { "Connected to notifications" } else { "Connected to chat" };
        let welcome = Sent::ConnectionEstablished { message, conversation_id: opened.conversation, user_id };
        self.queue(id, |out| {
            out.extend(opened.response.as_bytes());
            frame::push(out, frame::TEXT, &encode(&welcome));
        });
        bytes.len()
    }

    fn receive(&mut self, id: usize, text: &[u8]) {
        let Connection { user, conversation, .. } = self.connections[id];
        match (serde_json::from_slice(text), conversation) {
            (Ok(Received::Ping), _) => self.push(id, frame::TEXT, &encode(&Sent::Pong)),
            (Ok(Received::Typing { is_typing }), Some(conversation)) => {
                let sent = encode(&Sent::Typing { is_typing, user, user_name: &format!("user{user}") });
                self.publish(conversation, &sent, Some(id));
            }
            (Ok(Received::ChatMessage { message }), Some(conversation)) => self.said.push(Said {
                conversation,
                sender: user,
                sender_name: format!("user{user}"),
                text: message.into_owned(),
                created_at: jiff::Timestamp::now().to_string(),
            }),
            _ => {}
        }
    }

    /// Stores everything that was said in this round, and then sends it.
    fn publish_said(&mut self) -> anyhow::Result<()> {
        let said = std::mem::take(&mut self.said);
        if said.is_empty() {
            return Ok(());
        }
        let ids = match &mut self.store {
            Some(store) => store.add(&said)?,
            None => (1..).map(|n| self.last_id + n).take(said.len()).collect(),
        };
        self.last_id = ids.last().copied().unwrap_or_default();
        for (Said { conversation, sender, sender_name, text, created_at }, message_id) in said.iter().zip(ids) {
            let sent = encode(&Sent::ChatMessage {
                message: text,
                sender_id: *sender,
                sender_name,
                is_from_support: false,
                created_at,
                message_id,
                conversation_id: *conversation,
            });
            self.publish(*conversation, &sent, None);
        }
        Ok(())
    }

    fn publish(&mut self, conversation: i64, text: &[u8], except: Option<usize>) {
        let mut frame = Vec::with_capacity(text.len() + 4);
        frame::push(&mut frame, frame::TEXT, text);
        let members = std::mem::take(self.rooms.entry(conversation).or_default());
        for member in members.iter().copied().filter(|member| Some(*member) != except) {
            self.queue(member, |out| out.extend(&frame));
        }
        self.rooms.insert(conversation, members);
    }

    fn push(&mut self, id: usize, opcode: u8, payload: &[u8]) {
        self.queue(id, |out| frame::push(out, opcode, payload));
    }

    fn queue(&mut self, id: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let out = &mut self.connections[id].out;
        if out.is_empty() {
            self.waiting.push(id);
            *out = self.spare.pop().unwrap_or_default();
        }
        write(out);
    }

    fn flush(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            let Some(connection) = self.connections.get_mut(id).filter(|connection| !connection.out.is_empty()) else {
                continue;
            };
            let written = connection.flush(&mut self.spare);
            if written.is_err() || connection.closing {
                self.close(id);
            }
        }
    }

    fn close(&mut self, id: usize) {
        let Connection { conversation, .. } = self.connections.remove(id);
        if let Some(members) = conversation.and_then(|conversation| self.rooms.get_mut(&conversation)) {
            members.retain(|member| *member != id);
        }
    }
}

fn encode(message: &Sent<'_>) -> Vec<u8> {
    // These have nothing in them that JSON cannot hold.
    serde_json::to_vec(message).unwrap_or_default()
}
