//! Plays a schedule, and looks at everything after each step.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use holodrive_protocol::{OrderId, OrderStatus, Timestamp, http::DriverStatus};

use super::{
    super::{
        super::{OrderError, Orders, store},
        death::try_commit_and_die,
        deeds::{Cast, Deed},
        invariants::Look,
        replay::Replay,
        sabotage::Sabotage,
        town::{Town, dispatcher_failures},
    },
    connected::Connected,
    schedule::{Action, DRIVERS, Death, NODES, Schedule},
};
use crate::{
    dispatch::Match,
    storage::{Row, Tx},
};

pub(super) struct World {
    nodes: Vec<Node>,
    cast: Arc<Cast>,
    screens: Vec<Connected>,
    decided: VecDeque<(Deed, OrderId)>,
    sabotage: Option<Sabotage>,
    /// The latest moment that there was.
    latest: Timestamp,
    story: Vec<String>,
}

struct Node {
    town: Town,
    planned: VecDeque<Match>,
}

impl World {
    pub(super) async fn play(schedule: Schedule, sabotage: Option<Sabotage>) -> Vec<String> {
        let mut world = Self::new(&schedule, sabotage).await;
        for (node, action) in schedule.steps {
            let told = format!("{node} {action:?}");
            let outcome = world.act(node, action).await;
            world.story.push(format!("{told}: {outcome}"));
            world.look().await;
        }
        world.end().await;
        world.story
    }

    async fn new(schedule: &Schedule, sabotage: Option<Sabotage>) -> Self {
        let town = Town::new(&[
            ("DISPATCH_STRATEGY", schedule.strategy),
            ("DISPATCH_BROADCAST_OFFERS", "2"),
            ("ORDER_OFFERS_PER_DRIVER", &schedule.offers_per_driver.to_string()),
            ("ORDER_OFFER_TIMEOUT", "10"),
            ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "4"),
            ("ORDER_REOFFER_AFTER", "7"),
            ("ORDER_SEARCH_TIMEOUT", "60"),
            ("ORDER_SCHEDULE_LEAD", "20"),
            ("DRIVER_STALE_AFTER", "30"),
        ])
        .await;
        let mut drivers = Vec::new();
        for number in 0..DRIVERS {
            let driver = town.driver(&format!("driver{number}")).await;
            if number > 0 {
                town.set_status(&driver, DriverStatus::Online).await;
            }
            drivers.push(driver);
        }
        let mut cast = Cast::new(&town, drivers);
        cast.looks_before_accepting = sabotage == Some(Sabotage::CheckThenSave);
        let mut towns = vec![town];
        while towns.len() < NODES {
            towns.push(towns[0].node().await);
        }
        for town in &towns {
            commit_sabotage(sabotage, town).await;
        }
        let latest = towns[0].now();
        let nodes = towns.into_iter().map(|town| Node { town, planned: VecDeque::new() }).collect();
        let (screens, decided) = (Vec::new(), VecDeque::new());
        Self { nodes, cast: Arc::new(cast), screens, decided, sabotage, latest, story: Vec::new() }
    }

    /// Gives what came of it.
    async fn act(&mut self, node: usize, action: Action) -> String {
        let town = &self.nodes[node].town;
        match action {
            Action::Do(deed) => return self.do_at_once(node, deed).await,
            Action::Decide(deed) => {
                let id = self.aim(node, deed).await;
                self.decided.extend(id.map(|id| (deed, id)));
            }
            Action::DoAsDecided => {
                if let Some((deed, id)) = self.decided.pop_front() {
                    return self.perform(node, deed, id).await;
                }
            }
            Action::Connect(who) => {
                let screen = Connected::new(node, who, town, &self.cast.drivers[who]).await;
                self.screens.push(screen);
            }
            Action::HangUp(who) => self.hang_up(node, who).await,
            Action::Pong(who) => {
                for screen in self.screens.iter_mut().filter(|screen| (screen.node, screen.driver) == (node, who)) {
                    screen.peer.pong().await;
                }
            }
            Action::Plan => return self.plan(node),
            Action::PlanAll => {
                let mut told = String::new();
                for node in 0..NODES {
                    self.nodes[node].town.catch_up().await;
                    told.push_str(&self.plan(node));
                }
                return told;
            }
            Action::Interrupt(deed) => {
                self.plan(node);
                let told = self.do_at_once((node + 1) % NODES, deed).await;
                self.carry_out(node).await;
                return told;
            }
            Action::CarryOut => self.carry_out(node).await,
            Action::Settle => town.settle().await,
            Action::CatchUp => town.catch_up().await,
            Action::Pass(millis) => {
                town.clock.advance(Duration::from_millis(millis));
                self.latest = self.latest.max(town.now());
            }
            Action::SetBack(millis) => town.set_back(Duration::from_millis(millis)),
            Action::Restart => self.restart(node).await,
            Action::Die(deed, death) => return self.die(node, deed, death).await,
        }
        String::new()
    }

    async fn aim(&self, node: usize, deed: Deed) -> Option<OrderId> {
        let cast = Arc::clone(&self.cast);
        self.nodes[node].town.write(move |_, tx| Ok(deed.aim(&cast, tx)?)).await.unwrap()
    }

    async fn perform(&self, node: usize, deed: Deed, id: OrderId) -> String {
        let cast = Arc::clone(&self.cast);
        outcome(self.nodes[node].town.write(move |orders, tx| deed.act(id, &cast, orders, tx)).await)
    }

    async fn do_at_once(&self, node: usize, deed: Deed) -> String {
        match self.aim(node, deed).await {
            Some(id) => self.perform(node, deed, id).await,
            None => "nothing to do".to_owned(),
        }
    }

    /// Tells what the dispatcher has decided.
    fn plan(&mut self, node: usize) -> String {
        let Node { town, planned } = &mut self.nodes[node];
        let matches = town.orders.plan(town.now()).matches;
        let told = format!("{matches:?}");
        planned.extend(matches);
        told
    }

    async fn hang_up(&mut self, node: usize, who: usize) {
        let is_meant = |screen: &Connected| (screen.node, screen.driver) == (node, who);
        if let Some(index) = self.screens.iter().position(is_meant) {
            self.screens.swap_remove(index).peer.hang_up().await;
        }
    }

    async fn carry_out(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        for found in node.planned.drain(..) {
            Arc::clone(&node.town.orders).make_one_offer(found).await;
        }
    }

    async fn restart(&mut self, node: usize) {
        self.screens.retain(|screen| screen.node != node);
        let dead = &mut self.nodes[node];
        dead.planned.clear();
        dead.town.restart().await;
        commit_sabotage(self.sabotage, &dead.town).await;
    }

    async fn die(&mut self, node: usize, deed: Option<Deed>, death: Death) -> String {
        let told = match deed {
            Some(deed) => match self.aim(node, deed).await {
                Some(id) => {
                    let cast = Arc::clone(&self.cast);
                    self.die_doing(node, death, move |orders, tx| deed.act(id, &cast, orders, tx)).await
                }
                None => "nothing to do".to_owned(),
            },
            None => match self.nodes[node].planned.pop_front() {
                Some(found) => self.die_doing(node, death, move |orders, tx| orders.offer(tx, &found).map(drop)).await,
                None => "nothing to offer".to_owned(),
            },
        };
        self.restart(node).await;
        told
    }

    async fn die_doing(
        &self,
        node: usize,
        death: Death,
        job: impl FnOnce(&Arc<Orders>, &mut Tx<'_>) -> Result<(), OrderError> + Send + 'static,
    ) -> String {
        let town = &self.nodes[node].town;
        match death {
            Death::BeforeCommit => {
                let undone = move |orders: &Arc<Orders>, tx: &mut Tx<'_>| {
                    job(orders, tx)?;
                    Err::<(), _>(OrderError::NotFound)
                };
                outcome(town.write(undone).await)
            }
            Death::AfterCommit => outcome(try_commit_and_die(town, job).await.map(drop)),
        }
    }

    /// What must hold after every step.
    async fn look(&mut self) {
        self.nodes[0].town.check_invariants().await;
        for Node { town, .. } in &self.nodes {
            assert_eq!(dispatcher_failures(&town.orders), None);
        }
        for screen in &mut self.screens {
            self.story.extend(screen.look());
        }
    }

    /// Nobody answers any more: every order comes to an end or is a trip, and every offer that was shown was ended.
    async fn end(&mut self) {
        for node in 0..NODES {
            self.carry_out(node).await;
        }
        self.nodes[0].town.clock.set(self.latest);
        for round in 0..50 {
            self.nodes[round % NODES].town.pass(Duration::from_secs(4)).await;
            self.look().await;
        }
        self.end_of_orders().await;
        for Node { town, .. } in &self.nodes {
            town.catch_up().await;
            assert_eq!(town.orders.board.look(|board| board.counts()), (0, 0), "the board remembers what is over");
            assert_eq!(town.orders.plan(town.now()).wake_at, None);
        }
        self.look().await;
        let mut replay = Replay::new(Look::at(&self.nodes[0].town.orders));
        let replay = self.nodes[0].town.write(|_, tx| {
            replay.read_on(tx);
            Ok(replay)
        });
        let violations = replay.await.unwrap().violations;
        assert!(violations.is_empty(), "{violations:#?}");
        for Connected { driver, screen, .. } in &self.screens {
            assert!(screen.shown.is_empty(), "I9: driver {driver} was not told how {:?} ended", screen.shown);
        }
    }

    async fn end_of_orders(&mut self) {
        let orders = self.nodes[0].town.write(|_, tx| Ok(store::unfinished(tx)?)).await.unwrap();
        for order in orders {
            let is_trip = !matches!(order.status, OrderStatus::Searching | OrderStatus::Pending);
            assert!(is_trip, "I7: order {} is forgotten: {:?}", order.id, order.status);
        }
        let sql = "SELECT order_id, driver_id, state, reason, created_at, ended_at FROM holodrive_offer ORDER BY id";
        let offers: Vec<Row> = self.nodes[0].town.write(move |_, tx| Ok(tx.query(sql, &[])?)).await.unwrap();
        self.story.extend(offers.iter().map(|offer| format!("{offer:?}")));
    }
}

async fn commit_sabotage(sabotage: Option<Sabotage>, town: &Town) {
    if let Some(sabotage) = sabotage {
        sabotage.commit(town).await;
    }
}

/// It may be refused, but must not fail.
fn outcome(answer: Result<(), OrderError>) -> String {
    match answer {
        Ok(()) => "done".to_owned(),
        Err(OrderError::Storage(error)) => panic!("{error}"),
        Err(refused) => format!("{refused:?}"),
    }
}
