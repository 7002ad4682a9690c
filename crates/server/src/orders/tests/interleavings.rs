//! Orders are made, offered, answered, given back and ended on several threads at once, while screens of drivers and of
//! the rider come and go: what each is told is part of what was published, and in the end it shows what the database holds.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use tokio::{sync::watch, task::JoinSet};

use super::{
    super::{NewOrder, OrderError, OrderRecord, Orders, store},
    TripStep, driver_screens, rider_screens,
    scene::{DRIVERS, Scene, Seat, Visit, is_for_phone, sit},
};
use crate::{
    storage::Tx,
    testing::{Log, on_threads},
};

#[derive(Clone, Copy, Debug)]
enum Action {
    Create,
    /// A driver answers his oldest offer, but leaves some to his phone.
    Accept(usize),
    Decline(usize),
    Release(usize),
    Step(usize, TripStep),
    Poll(usize),
    /// The second number says which order; so with `Cancel`.
    Assign(usize, usize),
    Cancel(usize, bool),
    /// The dispatcher plans, and carries that out.
    Dispatch,
    /// Time passes, and what has run out is ended.
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    use Action::{Accept, Assign, Cancel, Create, Decline, Dispatch, Pass, Poll, Release, Step};
    let (driver, order) = (0..DRIVERS, 0..6_usize);
    let step = prop_oneof![Just(TripStep::Arrive), Just(TripStep::Start), Just(TripStep::Complete)];
    prop_oneof![
        5 => Just(Create),
        3 => driver.clone().prop_map(Accept),
        2 => driver.clone().prop_map(Decline),
        2 => driver.clone().prop_map(Release),
        5 => (driver.clone(), step).prop_map(|(driver, step)| Step(driver, step)),
        1 => driver.clone().prop_map(Poll),
        5 => (driver, order.clone()).prop_map(|(driver, order)| Assign(driver, order)),
        2 => (order, any::<bool>()).prop_map(|(order, staff)| Cancel(order, staff)),
        5 => Just(Dispatch),
        2 => (1..8_000_u64).prop_map(Pass),
    ]
}

/// How one case runs.
#[derive(Clone, Debug)]
struct Plan {
    /// What each actor does, and whether it is undone before the commit.
    actors: Vec<Vec<(Action, bool)>>,
    /// For each screen, how many messages it reads on each connection before it hangs up.
    driver_screens: Vec<Vec<usize>>,
    /// So too, each with the room in its queue.
    rider_screens: Vec<(usize, Vec<usize>)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    use prop::collection::vec;
    let actors = vec(vec((action(), prop::bool::weighted(0.1)), 10..60), 2..5);
    let (limits, room) = (vec(0..10_usize, 0..20), prop_oneof![1_000..6_000_usize, Just(1 << 20)]);
    let (driver_screens, rider_screens) = (vec(limits.clone(), 3..9), vec((room, limits), 1..4));
    (actors, driver_screens, rider_screens).prop_map(|(actors, driver_screens, rider_screens)| Plan {
        actors,
        driver_screens,
        rider_screens,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    fn every_screen_shows_what_the_database_holds(plan in plan()) {
        on_threads(run(plan));
    }
}

async fn run(plan: Plan) {
    let scene = Arc::new(Scene::new().await);
    let (town, orders) = (&scene.town, &scene.town.orders);
    let driver_logs: Vec<_> = scene.drivers.iter().map(|driver| Log::of(&orders.driver_hub, driver.id)).collect();
    let rider_log = Log::of(&orders.rider_hub, town.rider.id);
    let visits = play(&scene, plan).await;
    town.check_invariants().await;
    for (number, (driver, log)) in scene.drivers.iter().zip(driver_logs).enumerate() {
        let own = |seat: &Seat| matches!(seat, Seat::Driver { who, .. } if *who == number);
        let visits = visits.iter().filter(|(seat, _)| own(seat)).map(|(_, visit)| visit);
        driver_screens::check(town, driver.id, &log.events(), visits).await;
    }
    let visits = visits.iter().filter(|(seat, _)| matches!(seat, Seat::Rider { .. })).map(|(_, visit)| visit);
    rider_screens::check(town, &rider_log.events(), visits).await;
}

/// Everybody does at the same time what is planned; gives what all connections were told until nothing happened any more.
async fn play(scene: &Arc<Scene>, plan: Plan) -> Vec<(Seat, Visit)> {
    let (done, is_done) = watch::channel(false);
    let seats = (0..).map(|number| Seat::Driver { who: number % DRIVERS, has_phone: number < DRIVERS });
    let riders = plan.rider_screens.into_iter().map(|(room, limits)| (Seat::Rider { room }, limits));
    let screens = seats.zip(plan.driver_screens).chain(riders);
    let screens: JoinSet<_> =
        screens.map(|(seat, limits)| sit(Arc::clone(scene), seat, limits, is_done.clone())).collect();
    let actors: JoinSet<_> = plan.actors.into_iter().map(|actions| act(Arc::clone(scene), actions)).collect();
    actors.join_all().await;
    done.send(true).unwrap();
    let visits = screens.join_all().await.into_iter().flatten();
    visits.map(|(seat, visit)| (seat, visit.end())).collect()
}

async fn act(scene: Arc<Scene>, actions: Vec<(Action, bool)>) {
    let town = &scene.town;
    for (action, is_undone) in actions {
        match action {
            Action::Dispatch => {
                for found in town.orders.plan(town.now()).matches {
                    Arc::clone(&town.orders).make_one_offer(found).await;
                }
            }
            Action::Pass(millis) => {
                town.clock.advance(Duration::from_millis(millis));
                town.sweep().await;
            }
            action => {
                let (scene, request) = (Arc::clone(&scene), town.request());
                let done = town.write(move |orders, tx| {
                    action.perform(&scene, &request, orders, tx)?;
                    if is_undone { Err(OrderError::NotFound) } else { Ok(()) }
                });
                if let Err(OrderError::Storage(error)) = done.await {
                    panic!("{error}");
                }
            }
        }
    }
}

impl Action {
    fn perform(
        self,
        scene: &Scene,
        request: &NewOrder,
        orders: &Arc<Orders>,
        tx: &mut Tx<'_>,
    ) -> Result<(), OrderError> {
        let driver = |who: usize| &scene.drivers[who];
        let trip =
            |tx: &mut Tx<'_>, who| Ok::<_, OrderError>(store::trip_of(tx, driver(who).id)?.map_or(0, |it| it.id));
        let offer = |tx: &mut Tx<'_>, who| {
            let mut offered = store::offered_to(tx, driver(who).id)?.into_iter().map(|order| order.id);
            Ok::<_, OrderError>(offered.find(|id| !is_for_phone(*id)).unwrap_or(0))
        };
        let open = |tx: &mut Tx<'_>, which| {
            let open = store::unfinished(tx)?;
            Ok::<_, OrderError>(open.get(which % open.len().max(1)).map_or(0, |order: &OrderRecord| order.id))
        };
        match self {
            Self::Create => orders.create(tx, request).map(drop),
            Self::Accept(who) => offer(tx, who).and_then(|id| orders.accept(tx, id, driver(who), None)).map(drop),
            Self::Decline(who) => offer(tx, who).and_then(|id| orders.decline(tx, id, driver(who).id, None)).map(drop),
            Self::Release(who) => trip(tx, who).and_then(|id| orders.release(tx, id, driver(who).id)).map(drop),
            Self::Step(who, step) => trip(tx, who).and_then(|id| orders.step(tx, id, driver(who).id, step)).map(drop),
            Self::Poll(who) => orders.poll(tx, driver(who).id).map(drop),
            Self::Assign(who, which) => {
                let staff = Some(scene.town.staff.id);
                open(tx, which).and_then(|id| orders.assign(tx, id, driver(who).id, staff)).map(drop)
            }
            Self::Cancel(which, by_staff) => {
                let user = if by_staff { &scene.town.staff } else { &scene.town.rider };
                open(tx, which).and_then(|id| orders.cancel(tx, id, user)).map(drop)
            }
            Self::Dispatch | Self::Pass(_) => Ok(()),
        }
    }
}
