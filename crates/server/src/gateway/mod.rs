//! Everything about sockets that no feature needs to know: handshake, credentials, limits, heartbeat, closing.
//!
//! A feature is an [`Endpoint`]. It is told of events on a [`Connection`] (opened, message, received, closed) and answers
//! by [`Connection::send`] and [`Connection::close`]. It never sees a socket, a loop or a task: those are the affair of
//! `engine`, which carries the bytes.

mod close;
mod common;
mod companion;
mod connection;
mod credentials;
mod doorman;
#[cfg(feature = "test-hooks")]
mod echo;
mod endpoint;
mod engine;
mod frame;
mod handshake;
mod heartbeat;
mod moment;
mod outbound;
mod path;
mod pings;
mod presence;
mod proxies;
mod rate;
mod recheck;
mod registry;
mod rejection;
mod stay;
mod switching;
mod terms;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
pub(crate) mod testing;
mod upgrade;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

pub use close::Close;
pub use companion::{Companion, Company};
pub use connection::{Connection, ConnectionId};
pub use endpoint::{BoxFuture, Endpoint, Opening, Session};
pub use engine::{Visitor, Visitors};
pub use frame::Frame;
pub use outbound::TransientKey;
pub use path::{PathPattern, is_socket_path};
pub use proxies::TrustedProxies;
pub use upgrade::TakeOver;

use crate::{
    accounts::{Accounts, AllowedOrigins},
    clock::SharedClock,
    config::Config,
    telemetry::{Metrics, Seldom},
};
use endpoint::AnyEndpoint;
use engine::{Doorman, Engine};
use path::PathMatch;
use registry::{ConnectionLimits, Registry};
use terms::Terms;

/// How many may wait to be let in, as far as `net.core.somaxconn` allows: a crowd that finds no room tries again after 1 s.
const BACKLOG: i32 = 65_535;
/// The pauses between those who are told that the server stops.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The door: paths, and who is connected.
pub struct Gateway {
    config: Arc<Config>,
    accounts: Arc<Accounts>,
    metrics: Arc<Metrics>,
    clock: SharedClock,
    origins: AllowedOrigins,
    trusted: TrustedProxies,
    routes: Vec<Arc<Route>>,
    registry: Arc<Registry>,
    engine: Engine,
    /// Go along with connections, in this order.
    companions: Vec<Arc<dyn Companion>>,
    /// Says that there is no room.
    full: Seldom,
    /// Waited for when the server ends: handshakes, connections, and what sessions do in the end.
    tasks: TaskTracker,
}

/// An endpoint behind a path.
struct Route {
    path: PathPattern,
    endpoint: Arc<dyn AnyEndpoint>,
    terms: Arc<Terms>,
}

impl Gateway {
    /// A gateway without paths, with its event loops. The runtime around the call is that of the sessions.
    ///
    /// # Errors
    /// When the loops cannot be started.
    pub fn new(
        config: Arc<Config>,
        accounts: Arc<Accounts>,
        metrics: Arc<Metrics>,
        clock: SharedClock,
        origins: AllowedOrigins,
    ) -> io::Result<Self> {
        let trusted = TrustedProxies::new(config.trusted_proxies.clone());
        let registry = Arc::new(Registry::new(ConnectionLimits::from(&*config)));
        let (tasks, routes) = (TaskTracker::new(), Vec::new());
        let engine = Engine::start(config.loops()?, &Handle::current())?;
        let full = Seldom::default();
        let gateway = Self {
            config,
            accounts,
            metrics,
            clock,
            origins,
            trusted,
            routes,
            registry,
            engine,
            companions: Vec::new(),
            full,
            tasks,
        };
        #[cfg(feature = "test-hooks")]
        let gateway = gateway.with_echo();
        Ok(gateway)
    }

    /// Has `companion` go along with connections, after those who do already.
    #[must_use]
    pub fn accompanied_by(mut self, companion: Option<impl Companion>) -> Self {
        self.companions.extend(companion.map(|companion| Arc::new(companion) as Arc<dyn Companion>));
        self
    }

    /// Serves `endpoint` under a path.
    #[must_use]
    pub fn endpoint<E: Endpoint>(self, path: PathPattern, endpoint: &Arc<E>) -> Self {
        self.any_endpoint(path, Arc::clone(endpoint) as Arc<dyn AnyEndpoint>)
    }

    fn any_endpoint(mut self, path: PathPattern, endpoint: Arc<dyn AnyEndpoint>) -> Self {
        let (accounts, metrics, clock) = (self.accounts.clone(), self.metrics.clone(), self.clock.clone());
        let terms =
            Terms::new(&*endpoint, &self.config, self.engine.carriers(), &self.registry, accounts, metrics, clock);
        self.routes.push(Arc::new(Route { path, endpoint, terms }));
        self
    }

    #[cfg(feature = "test-hooks")]
    fn with_echo(self) -> Self {
        self.any_endpoint(PathPattern::new("/__echo"), Arc::new(echo::Echo { limited: false }))
            .any_endpoint(PathPattern::new("/__echo_limited"), Arc::new(echo::Echo { limited: true }))
    }

    fn route(&self, path: &str) -> Option<(Arc<Route>, PathMatch)> {
        self.routes.iter().find_map(|route| Some((Arc::clone(route), route.path.matches(path)?)))
    }

    /// Lets everybody in who comes to `listener`; gives those who want no WebSocket, or are to be told why they get none.
    ///
    /// # Errors
    /// When the loops cannot listen.
    pub fn listen(self: &Arc<Self>, listener: &TcpListener) -> io::Result<Visitors> {
        // What is sent last goes out at once; sockets have it from their listener.
        rustix::net::sockopt::set_tcp_nodelay(listener, true)?;
        rustix::net::listen(listener, BACKLOG)?;
        let doorman: Weak<dyn Doorman> = Arc::downgrade(&(Arc::clone(self) as Arc<dyn Doorman>));
        self.engine.listen(listener, &doorman, self.config.handshake_timeout)
    }

    /// Lets nobody in any more.
    pub fn shut_door(&self) {
        self.engine.shut_door();
    }

    fn endpoints(&self) -> impl Iterator<Item = &Arc<dyn AnyEndpoint>> {
        self.routes.iter().map(|route| &route.endpoint)
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    /// Ends all connections; new ones are welcome.
    pub fn close_all(&self, close: impl Fn() -> Close) {
        for connection in self.registry.connections() {
            connection.close(close());
        }
    }

    /// Lets nobody in any more, and tells everybody to come back later, spread over `spread`; ends when all are gone.
    pub async fn drain(&self, spread: Duration) {
        let connections = self.registry.drain();
        // Timers count in milliseconds, so a crowd is told in groups; the second half is left for those who are slow.
        let steps = usize::try_from((spread / 2).as_millis() / SHORTEST_PAUSE.as_millis()).unwrap_or(usize::MAX);
        let group = connections.len().div_ceil(steps.max(1)).max(1);
        let groups = u32::try_from(connections.len().div_ceil(group)).unwrap_or(u32::MAX);
        let pause = (spread / 2 / groups.max(1)).min(LONGEST_PAUSE);
        for some in connections.chunks(group) {
            for connection in some {
                connection.close(Close::going_away(spread));
            }
            tokio::time::sleep(pause).await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}
