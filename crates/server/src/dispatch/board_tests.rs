use std::time::Duration;

use holodrive_protocol::{Latitude, Longitude, OrderId, Timestamp, UserId, http::DriverStatus};
use proptest::prelude::*;

use super::{Board, Match, NEVER, Needs, OfferTimes, Point, Position, Radius, Rules, StrategyKind, Waiting};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub(super) fn north(km: f64) -> Point {
    Point { latitude: Latitude::from_degrees(km * 0.009).unwrap(), longitude: Longitude::from_degrees(0.0).unwrap() }
}

pub(super) fn rules() -> Rules {
    Rules {
        automatic: true,
        strategy: StrategyKind::Sequential,
        radius: Radius::fixed(10.0),
        age_weight_km: 0.1,
        stale_after: Duration::from_secs(60),
        offers_per_driver: 1,
    }
}

pub(super) fn board(offers_per_driver: u32) -> Board {
    Board::new(Rules { offers_per_driver, ..rules() })
}

pub(super) fn order(order_id: OrderId, km: f64) -> Waiting {
    Waiting {
        order_id,
        pickup: north(km),
        search_from: at(0),
        search_until: at(900),
        needs: Needs::default(),
        barred: Vec::new(),
        offered: Vec::new(),
    }
}

pub(super) fn add_driver(board: &mut Board, id: i64, km: f64) -> UserId {
    let id = UserId::Int(id);
    board.driver_moved(id, Position { point: north(km), at: at(0) });
    board.driver_status(id, Some(DriverStatus::Online), Some(at(0)));
    id
}

pub(super) fn pairs(matches: &[Match]) -> Vec<(OrderId, UserId)> {
    matches.iter().map(|found| (found.order_id, found.driver_id)).collect()
}

pub(super) fn times(found: &Match) -> OfferTimes {
    let Match { order_id, driver_id, .. } = *found;
    OfferTimes { order_id, driver_id, expires_at: at(300), unreachable_at: Some(at(20)) }
}

#[test]
fn nothing_to_do() {
    let mut board = board(1);
    add_driver(&mut board, 1, 1.0);
    let plan = board.plan(at(0));
    assert!(plan.matches.is_empty() && !plan.overdue);
    assert_eq!(plan.wake_at, None);
}

#[test]
fn in_one_plan_a_driver_is_asked_once_and_an_order_too() {
    let mut board = board(1);
    let (near, far) = (add_driver(&mut board, 1, 1.0), add_driver(&mut board, 2, 2.0));
    for id in 1..=3 {
        board.search(order(id, 0.0));
    }
    assert_eq!(pairs(&board.plan(at(0)).matches), [(1, near), (2, far)]);
    board.driver_seen(near, at(1));
    assert!(board.plan(at(1)).matches.is_empty(), "they count as asked until somebody reports");
}

#[test]
fn a_place_is_kept_while_the_offer_lives_and_freed_when_it_ends() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.offer_made(7, times(&found));
    board.search(order(2, 0.0));
    assert!(board.plan(at(0)).matches.is_empty());
    board.offer_ended(7);
    board.offer_ended(7);
    assert_eq!(pairs(&board.plan(at(0)).matches), [(2, driver)]);
    assert!(board.plan(at(0)).matches.is_empty());
}

#[test]
fn the_first_deadline_wakes_and_stays_until_it_is_dealt_with() {
    let mut board = board(1);
    add_driver(&mut board, 1, 1.0);
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.offer_made(7, times(&found));
    assert_eq!(board.plan(at(1)).wake_at, Some(at(20)));
    board.offer_delivered(7);
    assert_eq!(board.plan(at(25)).wake_at, Some(at(300)));
    assert!(!board.is_overdue(at(299)));
    assert!(board.plan(at(300)).overdue && board.plan(at(301)).overdue && board.is_overdue(at(300)));
    board.offer_ended(7);
    assert_eq!(board.plan(at(301)).wake_at, None);
}

#[test]
fn a_search_that_runs_out_is_overdue_and_matched_no_more() {
    let mut board = board(1);
    board.search(order(1, 0.0));
    assert_eq!(board.plan(at(0)).wake_at, Some(at(900)));
    add_driver(&mut board, 1, 1.0);
    board.driver_seen(UserId::Int(1), at(900));
    let plan = board.plan(at(900));
    assert!(plan.overdue && plan.matches.is_empty());
    board.stop_search(1);
    assert_eq!(board.plan(at(900)).wake_at, None);
}

#[test]
fn a_cool_down_wakes_at_its_end_and_leaves_with_its_order() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(Waiting { barred: vec![(driver, at(30))], ..order(1, 0.0) });
    let plan = board.plan(at(0));
    assert!(plan.matches.is_empty());
    assert_eq!(plan.wake_at, Some(at(30)));
    assert_eq!(pairs(&board.plan(at(30)).matches), [(1, driver)]);
    board.stop_search(1);
    board.search(Waiting { barred: vec![(driver, at(90))], ..order(2, 0.0) });
    assert_eq!(board.plan(at(30)).wake_at, Some(at(90)));
    board.stop_search(2);
    assert_eq!(board.plan(at(30)).wake_at, None, "nothing is left behind");
}

#[test]
fn of_several_bars_the_longest_counts() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(Waiting { barred: vec![(driver, NEVER), (driver, at(5))], ..order(1, 0.0) });
    assert_eq!(board.plan(at(0)).wake_at, Some(at(900)), "nothing to wait for but the end");
    board.driver_seen(driver, at(10));
    assert!(board.plan(at(10)).matches.is_empty());
}

#[test]
fn a_failed_attempt_pauses_the_order_and_blames_nobody() {
    let mut board = board(1);
    let (near, _) = (add_driver(&mut board, 1, 1.0), add_driver(&mut board, 2, 2.0));
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.offer_failed(&found, at(1));
    let plan = board.plan(at(0));
    assert!(plan.matches.is_empty(), "a failing database is not asked again at once");
    assert_eq!(plan.wake_at, Some(at(1)));
    board.driver_seen(near, at(0));
    assert!(board.plan(at(0)).matches.is_empty());
    assert_eq!(pairs(&board.plan(at(1)).matches), [(1, near)]);
}

#[test]
fn a_refused_offer_goes_to_the_next_driver() {
    let mut board = board(1);
    let (near, far) = (add_driver(&mut board, 1, 1.0), add_driver(&mut board, 2, 2.0));
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    assert_eq!(found.driver_id, near);
    board.offer_refused(&found, at(1));
    assert_eq!(pairs(&board.plan(at(0)).matches), [(1, far)]);
    board.search(order(2, 0.0));
    assert_eq!(pairs(&board.plan(at(0)).matches), [(2, near)], "other orders are for him");
}

#[test]
fn a_late_report_frees_nothing_that_is_free_already() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.stop_search(1);
    board.search(order(2, 0.0));
    let second = board.plan(at(0)).matches.remove(0);
    assert_eq!(second.driver_id, driver);
    board.offer_refused(&found, at(1));
    board.offer_failed(&found, at(1));
    board.search(order(3, 0.0));
    assert!(board.plan(at(0)).matches.is_empty(), "he is still being asked");
}

#[test]
fn however_many_are_to_be_matched_a_round_is_short_and_the_next_one_is_at_once() {
    let mut board = board(1);
    for id in 1..=300 {
        board.search(order(id, 0.0));
        add_driver(&mut board, id, f64::from(i32::try_from(id).unwrap()) / 100.0);
    }
    let mut asked = Vec::new();
    loop {
        let plan = board.plan(at(0));
        assert!(plan.matches.len() <= 256, "those whose orders and those who themselves have changed");
        if plan.matches.is_empty() {
            break;
        }
        asked.extend(pairs(&plan.matches));
        assert!(asked.len() == 300 || plan.wake_at == Some(at(0)));
    }
    let nearest_first: Vec<_> = (1..=300).map(|id| (id, UserId::Int(id))).collect();
    assert_eq!(asked, nearest_first);
}

#[derive(Clone, Debug)]
enum Change {
    Search(OrderId),
    Driver(i64, f64),
    Report(bool),
    End,
    Pass(i64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (1..20_i64).prop_map(Change::Search),
        (1..8_i64, 0.0..12.0_f64).prop_map(|(id, km)| Change::Driver(id, km)),
        any::<bool>().prop_map(Change::Report),
        Just(Change::End),
        (0..40_i64).prop_map(Change::Pass),
    ]
}

fn strategy() -> impl Strategy<Value = StrategyKind> {
    prop_oneof![
        Just(StrategyKind::Sequential),
        Just(StrategyKind::Broadcast(2)),
        (1..30_u64).prop_map(|seconds| StrategyKind::Batch(Duration::from_secs(seconds))),
    ]
}

proptest! {
    #[test]
    fn nobody_is_asked_beyond_the_limit_and_the_plan_never_spins(
        limit in 1..3_u32, strategy in strategy(), is_growing: bool, changes in prop::collection::vec(change(), 0..150),
    ) {
        let growing = Radius { start_km: 2.0, growth_km_per_minute: 3.0, limit_km: 10.0 };
        let radius = if is_growing { growing } else { Radius::fixed(10.0) };
        let mut board = Board::new(Rules { strategy, radius, offers_per_driver: limit, ..rules() });
        let mut now = 0;
        // Who is asked or has an offer, by order; and the offers.
        let (mut asked, mut offers) = (Vec::<Match>::new(), Vec::<(i64, Match)>::new());
        for (number, change) in (0_i64..).zip(changes) {
            match change {
                Change::Search(id) => {
                    let busy = asked.iter().chain(offers.iter().map(|(_, found)| found)).any(|found| found.order_id == id);
                    if !busy {
                        board.search(Waiting { search_until: at(100_000), ..order(id, 0.0) });
                    }
                }
                Change::Driver(id, km) => {
                    board.driver_moved(UserId::Int(id), Position { point: north(km), at: at(now) });
                    board.driver_status(UserId::Int(id), Some(DriverStatus::Online), Some(at(now)));
                }
                Change::Report(made) => {
                    if let Some(found) = asked.pop() {
                        if made {
                            let late = at(100_000);
                            board.offer_made(number, OfferTimes { expires_at: late, unreachable_at: None, ..times(&found) });
                            offers.push((number, found));
                        } else {
                            board.offer_refused(&found, at(now + 10));
                        }
                    }
                }
                Change::End => {
                    if let Some((id, _)) = offers.pop() {
                        board.offer_ended(id);
                    }
                }
                Change::Pass(seconds) => now += seconds,
            }
            // A round that leaves some goes on at once, and only after it has got on.
            loop {
                let plan = board.plan(at(now));
                let goes_on = !plan.matches.is_empty();
                asked.extend(plan.matches);
                if !goes_on {
                    prop_assert!(plan.wake_at.is_none_or(|wake_at| wake_at > at(now)), "it would spin");
                    break;
                }
            }
            let holders = || asked.iter().chain(offers.iter().map(|(_, found)| found));
            for found in holders() {
                let held = holders().filter(|other| other.driver_id == found.driver_id).count();
                prop_assert!(held <= limit as usize, "driver {:?} has {held}", found.driver_id);
                let times = holders().filter(|other| other.order_id == found.order_id).count();
                prop_assert!(times <= strategy.offers_per_order(), "order {} is with {times} drivers", found.order_id);
            }
            prop_assert!(board.plan(at(now)).matches.is_empty(), "what wakes it not is done");
        }
    }
}
