//! How each server is started for one measurement, with what it needs, and ended.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::peers::Peer;
use crate::{
    chat::open_room,
    load::{Observed, Target, Work},
    process::connections_at_most,
    server::{Place, Server},
    site::{Member, SECRET, Site},
};

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Far above what is reached: the limits are on, and count, but let the load through.
const RATE: &str = "1000000";

/// Where programs are found.
pub(crate) struct Ground {
    pub(crate) place: Place,
    /// What `cargo xtask bench` has installed.
    pub(crate) tools: PathBuf,
    /// `bench/peers` of the project.
    pub(crate) sources: PathBuf,
}

/// A server that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) target: Target,
    _own: Option<(Server, Site)>,
    _other: Vec<Other>,
    _folder: Option<Site>,
}

/// A process of another project; it ends with this handle, and its children with it.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // What they stored is thrown away.
        Observed::new(vec![self.0.id()]).kill();
        let _ = self.0.wait();
    }
}

impl Ground {
    /// Starts a server for this work: users and conversations are there, and clients can connect.
    pub(crate) async fn start(&self, peer: Peer, work: Work) -> anyhow::Result<Running> {
        let started = if peer.is_own() { self.start_own(peer, work).await } else { self.start_other(peer, work) };
        started.with_context(|| format!("{} does not start", peer.label()))
    }

    async fn start_own(&self, peer: Peer, work: Work) -> anyhow::Result<Running> {
        let group = matches!(work, Work::Positions { .. }).then_some("Driver");
        let mut settings = vec![("MESSAGE_RATE", RATE.to_owned()), ("MESSAGE_BURST", RATE.to_owned())];
        if peer == Peer::Holodrive {
            // One, as the others have; more only where one table of descriptors cannot hold all connections.
            settings.push(("EVENT_LOOPS", tables(work)?.to_string()));
        }
        let site = Site::prepare(&self.place, &settings)?;
        let members = site.add_members("user", work.users(), group).await?;
        let server = Server::start(&self.place, &site)?;
        let conversations = open_rooms(&server, &members, work).await?;
        let target = Target {
            addresses: vec![server.address().parse()?],
            observed: Observed::new(vec![server.id()]),
            tokens: members.into_iter().map(|member| member.token.into()).collect(),
            conversations,
        };
        Ok(Running { target, _own: Some((server, site)), _other: Vec::new(), _folder: None })
    }

    fn start_other(&self, peer: Peer, work: Work) -> anyhow::Result<Running> {
        let folder = Site::prepare(&self.place, &[])?;
        let (mut other, mut addresses, redis) = (Vec::new(), Vec::new(), free_address()?);
        if peer.is_slow() {
            other.push(start_redis(folder.folder(), redis)?);
            let seeded = self.command(peer, work, &folder, redis, self.python(["seed.py"])).status()?;
            anyhow::ensure!(seeded.success(), "its database cannot be prepared");
        }
        let processes = if peer.is_slow() { 1 } else { tables(work)? };
        for _ in 0..processes {
            let address = free_address()?;
            let mut command = self.command(peer, work, &folder, redis, self.program(peer, address)?);
            other.push(Other(command.env("PORT", address.port().to_string()).spawn()?));
            addresses.push(address);
        }
        addresses.iter().try_for_each(|address| wait_for(*address))?;
        let observed = Observed::new(other.iter().map(|child| child.0.id()).collect());
        let conversations = (1..=i64::try_from(work.conversations().0)?).collect();
        let target = Target { addresses, observed, tokens: folder.tokens(work.users())?, conversations };
        Ok(Running { target, _own: None, _other: other, _folder: Some(folder) })
    }

    /// Gives a command what all peers read from their environment.
    fn command(&self, peer: Peer, work: Work, folder: &Site, redis: SocketAddr, mut command: Command) -> Command {
        let (conversations, members) = work.conversations();
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("SECRET", SECRET);
        command.env("USERS", work.users().to_string()).env("REDIS_PORT", redis.port().to_string());
        command.env("CONVERSATIONS", conversations.to_string()).env("MEMBERS", members.to_string());
        if peer.stores() {
            command.env("DATABASE", folder.folder().join("peer.db"));
        }
        let log = File::options().create(true).append(true).open(self.tools.join(format!("{}.log", peer.name())));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.map_or_else(|_| Stdio::null(), Stdio::from));
        command
    }

    fn program(&self, peer: Peer, address: SocketAddr) -> anyhow::Result<Command> {
        let port = address.port().to_string();
        let javascript = self.tools.join("javascript");
        Ok(match peer {
            Peer::Bun | Peer::BunSqlite => with(&javascript.join("node_modules/.bin/bun"), [javascript.join("bun.js")]),
            Peer::Node => with(Path::new("node"), [javascript.join("node.js")]),
            Peer::Daphne => self.python(["-m", "daphne", "--verbosity", "0", "-p", &port, "asgi:application"]),
            Peer::Uvicorn => self.python([
                "-m",
                "uvicorn",
                "--workers",
                "2",
                "--loop",
                "uvloop",
                "--http",
                "httptools",
                "--no-access-log",
                "--log-level",
                "warning",
                "--port",
                &port,
                "asgi:application",
            ]),
            Peer::Holodrive | Peer::HolodriveCores | Peer::Epoll | Peer::EpollSqlite => {
                Command::new(std::env::current_exe()?.with_file_name("holodrive-bench-epoll"))
            }
        })
    }

    fn python<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut python = Command::new(self.tools.join("django/bin/python"));
        python.args(arguments).current_dir(self.sources.join("django"));
        python
    }
}

/// The users in their order, each in one conversation.
async fn open_rooms(server: &Server, members: &[Member], work: Work) -> anyhow::Result<Vec<i64>> {
    let (conversations, each) = work.conversations();
    let mut keys = Vec::with_capacity(conversations);
    for room in members.chunks(each.max(1)).take(conversations) {
        keys.push(open_room(server.address(), room).await?);
    }
    Ok(keys)
}

fn with<const N: usize>(program: &Path, arguments: [PathBuf; N]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Tables of descriptors that together hold all connections: processes, or event loops of HoloDrive.
fn tables(work: Work) -> anyhow::Result<usize> {
    Ok(work.users().div_ceil(connections_at_most()?))
}

fn start_redis(folder: &Path, address: SocketAddr) -> anyhow::Result<Other> {
    let port = address.port().to_string();
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
    redis.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    let running = Other(redis.spawn().context("redis-server does not start")?);
    wait_for(address)?;
    Ok(running)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn wait_for(address: SocketAddr) -> anyhow::Result<()> {
    let end = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        anyhow::ensure!(Instant::now() < end, "nothing listens at {address} after {START_TIMEOUT:?}");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
