//! The door, with a doorman of the tests' own: `room N` and a new line is a handshake, `visit` is something else.

use std::net::SocketAddr;

use super::*;

const ANSWER: &[u8] = b"come in";

struct Porter {
    terms: Arc<Terms>,
    scripts: Mutex<Vec<Script>>,
}

impl Doorman for Porter {
    fn ask(self: Arc<Self>, bytes: &[u8], peer: SocketAddr) -> Answer {
        if bytes.starts_with(b"visit") {
            return Answer::Visitor;
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Answer::Wait };
        let room = bytes[..end].strip_prefix(b"room ").map(|room| str::from_utf8(room).unwrap().parse().unwrap());
        let (role, script) = scripted(peer.ip(), &self.terms);
        self.scripts.lock().push(script);
        let greeting = Greeting::new(Some(Frame::bare(ANSWER)), async {
            tokio::task::yield_now().await;
            role
        });
        Answer::Welcome { greeting, room, length: end + 1 }
    }
}

/// A house with an open door.
struct House {
    engine: Engine,
    porter: Arc<Porter>,
    address: SocketAddr,
    visitors: Visitors,
}

impl House {
    fn open(loops: usize, patience: Option<Duration>) -> Self {
        let engine = Engine::start(loops, &Handle::current()).unwrap();
        let porter = Arc::new(Porter { terms: terms(&engine, |_| {}), scripts: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let doorman = Arc::downgrade(&(Arc::clone(&porter) as Arc<dyn Doorman>));
        let visitors = engine.listen(&listener, &doorman, patience).unwrap();
        Self { engine, porter, address: listener.local_addr().unwrap(), visitors }
    }

    fn knock(&self, words: &[u8]) -> TcpStream {
        let mut peer = TcpStream::connect(self.address).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.set_nodelay(true).unwrap();
        peer.write_all(words).unwrap();
        peer
    }

    /// Waits for the answer to a handshake.
    fn enter(&self, mut peer: TcpStream) -> Line {
        let mut answer = vec![0; ANSWER.len()];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(answer, ANSWER);
        Line::new(peer, self.porter.scripts.lock().pop().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_in_one_piece_is_answered_and_what_came_behind_it_is_heard() {
    let house = House::open(1, None);
    let words = [b"hello\n".to_vec(), masked(0x81, b"early")].concat();
    let mut line = house.enter(house.knock(&words));
    assert_eq!(line.hear_text(), "early");
    line.say("late");
    assert_eq!(line.hear_text(), "late");
    line.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_may_come_byte_by_byte() {
    let house = House::open(1, None);
    let mut peer = house.knock(b"");
    for byte in b"hello\n" {
        peer.write_all(&[*byte]).unwrap();
        tokio::task::yield_now().await;
    }
    house.enter(peer).ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_comes_out_with_everything_that_he_has_said() {
    let mut house = House::open(2, None);
    let mut peer = house.knock(b"visit me");
    let Visitor { mut stream, address, read } = house.visitors.next().await.unwrap();
    assert_eq!((address, &*read), (peer.local_addr().unwrap(), &b"visit me"[..]));
    stream.write_all(b"!").unwrap();
    drop(stream);
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"!", "no other table holds the socket open");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_room_share_a_loop() {
    let house = House::open(4, None);
    for room in ["room 1\n", "room 2\n", "room 3\n"] {
        let mut lines: Vec<_> = (0..8).map(|_| house.enter(house.knock(room.as_bytes()))).collect();
        let wheres: Vec<_> = lines
            .iter_mut()
            .map(|line| {
                line.say("where");
                line.hear_text()
            })
            .collect();
        assert!(wheres.iter().all(|other| *other == wheres[0]), "{wheres:?}");
        for line in lines {
            line.ended().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_not_waited_for() {
    let house = House::open(1, Some(Duration::from_millis(50)));
    let (mut silent, mut slow) = (house.knock(b""), house.knock(b"hel"));
    assert_eq!((silent.read(&mut [0]).unwrap(), slow.read(&mut [0]).unwrap()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_shut_door_only_those_stay_who_are_in() {
    let mut house = House::open(2, None);
    let mut inside = house.enter(house.knock(b"hello\n"));
    let mut waiting = house.knock(b"hel");
    house.engine.shut_door();
    assert!(house.visitors.next().await.is_none());
    assert!(matches!(waiting.read(&mut [0]), Ok(0) | Err(_)));
    inside.say("still here");
    assert_eq!(inside.hear_text(), "still here");
    inside.ended().await;
}
