//! Random schedules: whatever people, time and crashes do in whatever order, the invariants hold after every step, every
//! connection hears of each offer once and of its end once, and in the end no order is forgotten.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Pending, Searching},
    http::DriverStatus,
};
use proptest::prelude::*;

use super::super::{OrderError, store};
use super::{TripStep, screen::Screen, town::Town};
use crate::{accounts::User, dispatch::Match, gateway::testing::Peer};

const DRIVERS: usize = 4;

#[derive(Clone, Debug)]
enum Action {
    Create,
    /// A driver's answer or step; the second number says which order he means.
    Accept(usize, usize),
    Decline(usize, usize),
    Release(usize, usize),
    Step(usize, usize, TripStep),
    Assign(usize, usize),
    Cancel(usize, bool),
    Poll(usize),
    Status(usize, bool),
    Locate(usize, u8),
    Connect(usize),
    HangUp(usize),
    Pong(usize),
    /// The dispatcher decides, and is interrupted before it carries that out.
    Plan,
    /// It carries out what it decided.
    CarryOut,
    Settle,
    Sweep,
    Pass(u64),
    SetBack(u64),
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    use Action::{
        Accept, Assign, Cancel, CarryOut, Connect, Create, Decline, HangUp, Locate, Pass, Plan, Poll, Pong, Release,
        Restart, SetBack, Settle, Status, Step, Sweep,
    };
    let (driver, order) = (0..DRIVERS, 0..12_usize);
    let step = prop_oneof![Just(TripStep::Arrive), Just(TripStep::Start), Just(TripStep::Complete)];
    let pair = (driver.clone(), order.clone());
    prop_oneof![
        6 => Just(Create),
        14 => pair.clone().prop_map(|(driver, order)| Accept(driver, order)),
        5 => pair.clone().prop_map(|(driver, order)| Decline(driver, order)),
        3 => pair.clone().prop_map(|(driver, order)| Release(driver, order)),
        10 => (driver.clone(), order.clone(), step).prop_map(|(driver, order, step)| Step(driver, order, step)),
        4 => pair.prop_map(|(driver, order)| Assign(driver, order)),
        3 => (order, any::<bool>()).prop_map(|(order, staff)| Cancel(order, staff)),
        2 => driver.clone().prop_map(Poll),
        2 => (driver.clone(), prop::bool::weighted(0.7)).prop_map(|(driver, online)| Status(driver, online)),
        3 => (driver.clone(), 0..14_u8).prop_map(|(driver, km)| Locate(driver, km)),
        3 => driver.clone().prop_map(Connect),
        2 => driver.clone().prop_map(HangUp),
        2 => driver.prop_map(Pong),
        3 => Just(Plan),
        3 => Just(CarryOut),
        10 => Just(Settle),
        2 => Just(Sweep),
        6 => prop_oneof![1..1_500_u64, 1_000..15_000_u64].prop_map(Pass),
        1 => (1..20_000_u64).prop_map(SetBack),
        1 => Just(Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(per_driver in 1..4_u8, actions in prop::collection::vec(action(), 1..160)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(per_driver, actions));
    }
}

async fn run(per_driver: u8, actions: Vec<Action>) {
    let mut world = World::new(per_driver).await;
    for action in actions {
        world.act(action).await;
        world.look().await;
    }
    world.end().await;
}

struct World {
    town: Town,
    drivers: Vec<Arc<User>>,
    orders: Vec<OrderId>,
    screens: Vec<Connected>,
    planned: Vec<Match>,
}

impl World {
    async fn new(per_driver: u8) -> Self {
        let town = Town::new(&[
            ("ORDER_OFFERS_PER_DRIVER", &per_driver.to_string()),
            ("ORDER_OFFER_TIMEOUT", "10"),
            ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "4"),
            ("ORDER_REOFFER_AFTER", "7"),
            ("ORDER_SEARCH_TIMEOUT", "60"),
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
        Self { town, drivers, orders: Vec::new(), screens: Vec::new(), planned: Vec::new() }
    }

    async fn act(&mut self, action: Action) {
        let town = &self.town;
        let order = |index: usize| self.orders.get(index % self.orders.len().max(1)).copied().unwrap_or(1);
        let driver = |index: usize| &self.drivers[index];
        match action {
            Action::Create => self.orders.push(self.town.create().await),
            Action::Accept(who, which) => {
                let id = self.meant(who, which, Meant::Offer).await;
                may_be_refused(town.accept(id, driver(who)).await.map(drop));
            }
            Action::Decline(who, which) => {
                let id = self.meant(who, which, Meant::Offer).await;
                may_be_refused(town.decline(id, driver(who)).await.map(drop));
            }
            Action::Release(who, which) => {
                let id = self.meant(who, which, Meant::Trip).await;
                may_be_refused(town.release(id, driver(who)).await.map(drop));
            }
            Action::Step(who, which, step) => {
                let id = self.meant(who, which, Meant::Trip).await;
                may_be_refused(town.step(id, driver(who), step).await.map(drop));
            }
            Action::Assign(who, which) => may_be_refused(town.assign(order(which), driver(who)).await.map(drop)),
            Action::Cancel(which, staff) => {
                let user = if staff { &town.staff } else { &town.rider };
                may_be_refused(town.cancel(order(which), user).await.map(drop));
            }
            Action::Poll(who) => drop(town.poll(driver(who)).await),
            Action::Status(who, online) => {
                town.set_status(driver(who), if online { DriverStatus::Online } else { DriverStatus::Offline }).await;
            }
            Action::Locate(who, km) => town.locate(driver(who), km.into()).await,
            Action::Connect(who) => self.screens.push(Connected::new(town, who, driver(who)).await),
            Action::HangUp(who) => self.hang_up(who).await,
            Action::Pong(who) => {
                for screen in self.screens.iter_mut().filter(|screen| screen.driver == who) {
                    screen.peer.pong().await;
                }
            }
            Action::Plan => self.planned.extend(town.orders.plan(town.now()).matches),
            Action::CarryOut => self.carry_out().await,
            Action::Settle => {
                town.settle().await;
                assert_eq!(town.late().await, [], "I6, I7");
            }
            Action::Sweep => drop(town.sweep().await),
            Action::Pass(millis) => town.clock.advance(Duration::from_millis(millis)),
            Action::SetBack(millis) => town.set_back(Duration::from_millis(millis)),
            Action::Restart => self.restart().await,
        }
    }

    /// The order that a driver means: most often his own, sometimes any.
    async fn meant(&self, who: usize, which: usize, meant: Meant) -> OrderId {
        let id = self.drivers[who].id;
        let own = self.town.write(move |_, tx| match meant {
            Meant::Offer => Ok(store::offered_to(tx, id)?.first().map(|order| order.id)),
            Meant::Trip => Ok(store::trip_of(tx, id)?.map(|order| order.id)),
        });
        let any = self.orders.get(which % self.orders.len().max(1)).copied().unwrap_or(1);
        if which.is_multiple_of(4) { any } else { own.await.unwrap().unwrap_or(any) }
    }

    async fn hang_up(&mut self, who: usize) {
        if let Some(index) = self.screens.iter().position(|screen| screen.driver == who) {
            self.screens.swap_remove(index).peer.hang_up().await;
        }
    }

    async fn carry_out(&mut self) {
        for found in std::mem::take(&mut self.planned) {
            Arc::clone(&self.town.orders).make_one_offer(found).await;
        }
    }

    async fn restart(&mut self) {
        self.planned.clear();
        self.screens.clear();
        self.town.restart().await;
    }

    /// What must hold after every step.
    async fn look(&mut self) {
        self.town.check_invariants().await;
        for screen in &mut self.screens {
            screen.look();
        }
    }

    /// Nobody answers any more: every order comes to an end or is a trip, and every offer that was shown was ended.
    async fn end(&mut self) {
        self.carry_out().await;
        for _ in 0..60 {
            self.town.pass(Duration::from_secs(2)).await;
            self.look().await;
        }
        for order in &self.orders {
            let status = self.town.status(*order).await;
            assert!(!matches!(status, Searching | Pending), "order {order} is forgotten: {status:?}");
        }
        for Connected { driver, screen, .. } in &self.screens {
            assert!(screen.shown.is_empty(), "I9: driver {driver} was not told how {:?} ended", screen.shown);
        }
        assert_eq!(self.town.orders.board.look(|board| board.counts()), (0, 0), "the board remembers what is over");
        assert_eq!(self.town.orders.plan(self.town.now()).wake_at, None);
    }
}

#[derive(Clone, Copy)]
enum Meant {
    Offer,
    Trip,
}

fn may_be_refused(answer: Result<(), OrderError>) {
    if let Err(OrderError::Storage(error)) = answer {
        panic!("{error}");
    }
}

/// One connection of a driver.
struct Connected {
    driver: usize,
    peer: Peer,
    screen: Screen,
}

impl Connected {
    async fn new(town: &Town, driver: usize, user: &Arc<User>) -> Self {
        Self { driver, peer: town.connect(user).await, screen: Screen::default() }
    }

    fn look(&mut self) {
        for message in self.peer.heard() {
            self.screen.take(&message);
        }
    }
}
