//! A loop with sessions of the tests' own, over real sockets.

mod door;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::atomic::AtomicU32,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

use super::{
    super::{
        Connection, Frame,
        endpoint::Profile,
        terms::Terms,
        testing::{guest, quiet_terms},
    },
    *,
};
use crate::testing::Site;

/// After this long without what a test waits for, the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The name of an endpoint whose replay never ends.
const REPLAY: &str = "replay";

/// Tells the test what it is told, and answers as the text says.
struct Scripted {
    connection: Arc<Connection>,
    heard: mpsc::UnboundedSender<String>,
    go_on: Arc<Notify>,
    closed: Arc<AtomicU32>,
}

impl AnySession for Scripted {
    fn opened(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while self.connection.terms().endpoint == REPLAY && !self.connection.is_closing() {
                self.connection.send_when_room(Frame::json(&"x".repeat(60_000))).await;
            }
        })
    }

    fn text(self: Arc<Self>, text: String) -> Option<BoxFuture<'static, ()>> {
        let _ = self.heard.send(text.clone());
        match text.as_str() {
            "panic" => panic!("as the test asked"),
            "wait" => return Some(Box::pin(async move { self.go_on.notified().await })),
            "where" => self.connection.send(Frame::json(&format!("{:?}", std::thread::current().id()))),
            text => self.connection.send(Frame::json(text)),
        }
        None
    }

    fn binary(self: Arc<Self>, data: Bytes) -> Option<BoxFuture<'static, ()>> {
        self.connection.send(Frame::json(&"x".repeat(data.len())));
        None
    }

    fn received(self: Arc<Self>, receipts: Vec<i64>) -> BoxFuture<'static, ()> {
        let _ = self.heard.send(format!("{receipts:?}"));
        Box::pin(async {})
    }

    fn closed(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.closed.fetch_add(1, Ordering::Relaxed);
            let _ = self.heard.send("closed".into());
        })
    }
}

/// The strings of a session.
struct Script {
    connection: Arc<Connection>,
    heard: mpsc::UnboundedReceiver<String>,
    go_on: Arc<Notify>,
    closed: Arc<AtomicU32>,
    tracker: TaskTracker,
}

/// Somebody with a scripted session.
fn scripted(address: IpAddr, terms: &Arc<Terms>) -> (Role, Script) {
    let connection = Connection::new(guest(), Arc::clone(terms));
    let (sender, heard) = mpsc::unbounded_channel();
    let (go_on, closed, tracker) = (Arc::<Notify>::default(), Arc::<AtomicU32>::default(), TaskTracker::new());
    let session = Arc::new(Scripted {
        connection: Arc::clone(&connection),
        heard: sender,
        go_on: Arc::clone(&go_on),
        closed: Arc::clone(&closed),
    });
    let mut stay = Stay::begin(Arc::clone(&connection), address, tracker.token()).unwrap();
    stay.opened();
    (Role::Member(Member { session, stay }), Script { connection, heard, go_on, closed, tracker })
}

/// The peer of one connection, and the strings of its session.
struct Line {
    peer: TcpStream,
    connection: Arc<Connection>,
    heard: mpsc::UnboundedReceiver<String>,
    go_on: Arc<Notify>,
    closed: Arc<AtomicU32>,
    tracker: TaskTracker,
}

impl Line {
    fn open(engine: &Engine, terms: &Arc<Terms>, unread: &[u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let (stream, address) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (role, script) = scripted(address.ip(), terms);
        let (reservation, greeting) = (engine.reserve(None).unwrap(), Greeting::new(None, async { role }));
        engine.carry(Newcomer { reservation, stream, unread: Bytes::copy_from_slice(unread), greeting });
        Self::new(peer, script)
    }

    fn new(peer: TcpStream, script: Script) -> Self {
        let Script { connection, heard, go_on, closed, tracker } = script;
        Self { peer, connection, heard, go_on, closed, tracker }
    }

    fn say(&mut self, text: &str) {
        self.peer.write_all(&masked(0x81, text.as_bytes())).unwrap();
    }

    /// The next frame: its first byte and its payload.
    fn hear(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.peer.read_exact(&mut head).unwrap();
        let mut length = usize::from(head[1]);
        if head[1] >= 126 {
            let mut bytes = vec![0; if head[1] == 126 { 2 } else { 8 }];
            self.peer.read_exact(&mut bytes).unwrap();
            length = bytes.into_iter().fold(0, |length, byte| length << 8 | usize::from(byte));
        }
        let mut payload = vec![0; length];
        self.peer.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }

    fn hear_text(&mut self) -> String {
        let (first, payload) = self.hear();
        assert_eq!(first, 0x81);
        serde_json::from_slice(&payload).unwrap()
    }

    fn hear_close(&mut self) -> u16 {
        loop {
            let (first, payload) = self.hear();
            if first == 0x88 {
                return u16::from_be_bytes(*payload.first_chunk().unwrap());
            }
        }
    }

    async fn told(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap()
    }

    /// Waits for the end, of which the session has been told once.
    async fn ended(self) {
        drop(self.peer);
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.unwrap();
        assert_eq!(self.closed.load(Ordering::Relaxed), 1);
    }
}

/// A short frame as a client sends it; a mask of zeros leaves the payload as it is.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0], payload].concat()
}

fn engine() -> Engine {
    Engine::start(1, &Handle::current()).unwrap()
}

fn terms(engine: &Engine, change: impl FnOnce(&mut Terms)) -> Arc<Terms> {
    let profile =
        Profile { max_message_bytes: Some(1_000), outbound_bytes: Some(1 << 20), rate: None, pause_when_behind: false };
    let mut terms = quiet_terms("test", &Site::new().accounts, profile);
    terms.carriers = engine.carriers();
    change(&mut terms);
    Arc::new(terms)
}

#[tokio::test]
async fn a_session_hears_and_answers_also_what_came_behind_the_handshake() {
    let engine = engine();
    let terms = terms(&engine, |_| {});
    let mut line = Line::open(&engine, &terms, &masked(0x81, b"early"));
    assert_eq!(line.hear_text(), "early");
    line.say("late");
    assert_eq!(line.hear_text(), "late");
    line.peer.write_all(&masked(0x89, b"?")).unwrap();
    assert_eq!(line.hear(), (0x8A, b"?".to_vec()));
    line.peer.write_all(&masked(0x88, &[0x0F, 0xA0])).unwrap();
    assert_eq!(line.hear(), (0x88, vec![0x0F, 0xA0]), "its code comes back");
    assert_eq!(line.peer.read(&mut [0]).unwrap(), 0);
    line.ended().await;
}

#[tokio::test]
async fn while_a_session_waits_nothing_more_is_taken_and_nothing_is_lost() {
    let engine = engine();
    let terms = terms(&engine, |_| {});
    let mut line = Line::open(&engine, &terms, b"");
    let messages: Vec<u8> = ["wait", "a", "wait", "b"].iter().flat_map(|text| masked(0x81, text.as_bytes())).collect();
    line.peer.write_all(&messages).unwrap();
    assert_eq!(line.told().await, "wait");
    line.connection.send(Frame::json("from elsewhere"));
    assert_eq!(line.hear_text(), "from elsewhere");
    line.heard.try_recv().unwrap_err();
    line.go_on.notify_one();
    assert_eq!(line.hear_text(), "a");
    line.go_on.notify_one();
    assert_eq!(line.hear_text(), "b");
    line.ended().await;
}

#[tokio::test]
async fn what_a_session_does_is_finished_before_its_end() {
    let engine = engine();
    let terms = terms(&engine, |_| {});
    let mut line = Line::open(&engine, &terms, b"");
    line.say("wait");
    assert_eq!(line.told().await, "wait");
    line.connection.close(Close::forbidden("enough"));
    line.heard.try_recv().unwrap_err();
    line.go_on.notify_one();
    assert_eq!(line.hear_close(), 4403);
    assert_eq!(line.told().await, "closed");
    line.ended().await;
}

#[tokio::test]
async fn with_the_engine_everything_ends() {
    let engine = Engine::start(2, &Handle::current()).unwrap();
    let terms = terms(&engine, |_| {});
    let mut lines = [Line::open(&engine, &terms, b""), Line::open(&engine, &terms, b"")];
    for line in &mut lines {
        line.say("here");
        assert_eq!(line.hear_text(), "here");
    }
    drop(engine);
    for line in lines {
        let Line { mut peer, connection, tracker, .. } = line;
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        tracker.close();
        tokio::time::timeout(PATIENCE, tracker.wait()).await.unwrap();
        drop(connection);
    }
}

#[tokio::test]
async fn a_panic_ends_one_connection() {
    let engine = engine();
    let terms = terms(&engine, |_| {});
    let (mut bad, mut good) = (Line::open(&engine, &terms, b""), Line::open(&engine, &terms, b""));
    bad.say("panic");
    assert_eq!(bad.hear_close(), 1011);
    bad.ended().await;
    good.say("still here");
    assert_eq!(good.hear_text(), "still here");
    good.ended().await;
}

#[tokio::test]
async fn a_pong_proves_what_was_sent_before_its_ping() {
    let engine = engine();
    let terms = terms(&engine, |_| {});
    let mut line = Line::open(&engine, &terms, b"");
    line.connection.send_with_receipt(Frame::json("news"), 7);
    assert_eq!(line.hear_text(), "news");
    let (first, ping) = line.hear();
    assert_eq!(first, 0x89);
    line.peer.write_all(&masked(0x8A, &ping)).unwrap();
    assert_eq!(line.told().await, "[7]");
    line.ended().await;
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_told_why() {
    let engine = engine();
    let terms = terms(&engine, |_| {});
    let mut line = Line::open(&engine, &terms, b"");
    let frame = Frame::json(&"x".repeat(60_000));
    while !line.connection.is_closing() {
        line.connection.send(frame.clone());
        tokio::task::yield_now().await;
    }
    assert_eq!(line.hear_close(), Close::SLOW_CONSUMER);
    line.ended().await;
}

#[tokio::test]
async fn a_replay_of_any_length_waits_for_room() {
    const MESSAGES: usize = 200;
    let engine = engine();
    let terms = terms(&engine, |terms| terms.profile.outbound_bytes = Some(100_000));
    let mut line = Line::open(&engine, &terms, b"");
    let (connection, frame) = (Arc::clone(&line.connection), Frame::json(&"x".repeat(60_000)));
    let replay = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            connection.send_when_room(frame.clone()).await;
        }
    });
    let reading = tokio::task::spawn_blocking(move || {
        for _ in 0..MESSAGES {
            assert_eq!(line.hear_text().len(), 60_000);
        }
        line
    });
    replay.await.unwrap();
    reading.await.unwrap().ended().await;
}

#[tokio::test]
async fn a_peer_that_goes_away_in_a_replay_leaves_nothing_behind() {
    let engine = engine();
    let terms = terms(&engine, |terms| terms.endpoint = REPLAY);
    let mut line = Line::open(&engine, &terms, b"");
    let connection = Arc::downgrade(&line.connection);
    assert_eq!(line.hear_text().len(), 60_000);
    line.ended().await;
    assert!(connection.upgrade().is_none());
}

#[tokio::test]
async fn who_answers_no_ping_is_dropped_and_who_does_stays() {
    let (interval, timeout) = (Duration::from_millis(50), Duration::from_millis(2_000));
    let engine = engine();
    let heartbeat = |terms: &mut Terms| {
        (terms.heartbeat_interval, terms.heartbeat_timeout) = (Some(interval), Some(timeout));
    };
    let terms = terms(&engine, heartbeat);
    let (mut deaf, mut alive) = (Line::open(&engine, &terms, b""), Line::open(&engine, &terms, b""));
    let answering = tokio::task::spawn_blocking(move || {
        for _ in 0..60 {
            let (first, ping) = alive.hear();
            assert_eq!(first, 0x89);
            alive.peer.write_all(&masked(0x8A, &ping)).unwrap();
        }
        alive
    });
    let dropped = tokio::task::spawn_blocking(move || {
        assert_eq!(deaf.hear_close(), Close::IDLE_TIMEOUT);
        deaf
    });
    dropped.await.unwrap().ended().await;
    answering.await.unwrap().ended().await;
}

#[tokio::test]
async fn a_refusal_is_an_error_message_and_a_close_frame() {
    let (engine, seen) = (engine(), Mutex::new(Vec::new()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let role = Role::Refused { close: Close::forbidden("not you"), max_message_bytes: None };
    let (reservation, greeting) = (engine.reserve(None).unwrap(), Greeting::new(None, async { role }));
    engine.carry(Newcomer { reservation, stream, unread: Bytes::new(), greeting });
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(&masked(0x88, &[])).unwrap();
    peer.read_to_end(&mut seen.lock()).unwrap();
    let seen = seen.into_inner();
    assert!(seen.starts_with(&[0x81]) && seen.windows(4).any(|bytes| bytes == [0x88, 11, 0x11, 0x33]), "{seen:?}");
}
