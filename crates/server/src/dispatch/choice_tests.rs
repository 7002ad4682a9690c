//! Whom the strategies choose, and what they say of it.

use std::time::Duration;

use holodrive_protocol::{
    OrderId, UserId,
    http::DriverStatus,
    order::{Considered, Obstacle},
};

use super::{
    Board, Match, Needs, Position, Radius, Rules, StrategyKind, Vehicle, Waiting,
    board_tests::{add_driver, at, board, north, order, pairs, rules, times},
};

const GROWING: Radius = Radius { start_km: 3.0, growth_km_per_minute: 1.0, limit_km: 10.0 };

fn aged(order_id: OrderId, km: f64, seconds: i64) -> Waiting {
    Waiting { search_from: at(-seconds), ..order(order_id, km) }
}

#[test]
fn a_free_driver_gets_the_nearest_order_unless_another_has_waited_for_much_longer() {
    for (age_weight_km, chosen) in [(0.0, 2), (0.1, 2), (0.5, 1), (1e6, 1)] {
        let mut board = Board::new(Rules { age_weight_km, ..rules() });
        board.search(aged(1, 3.0, 600));
        board.search(aged(2, 1.0, 60));
        assert!(board.plan(at(0)).matches.is_empty());
        let driver = add_driver(&mut board, 1, 0.0);
        let km_for_minutes = format!("{age_weight_km} km a minute");
        assert_eq!(pairs(&board.plan(at(0)).matches), [(chosen, driver)], "{km_for_minutes}");
    }
}

#[test]
fn an_older_order_that_is_far_away_is_found_behind_many_young_ones() {
    let mut board = Board::new(Rules { age_weight_km: 1.0, ..rules() });
    for id in 2..50 {
        board.search(aged(id, 0.1, 30));
    }
    board.search(aged(1, 9.0, 600));
    let driver = add_driver(&mut board, 1, 0.0);
    assert_eq!(pairs(&board.plan(at(0)).matches), [(1, driver)]);
}

#[test]
fn where_drivers_abound_the_whole_radius_counts_at_once() {
    let mut board = Board::new(Rules { radius: GROWING, ..rules() });
    let driver = add_driver(&mut board, 1, 9.0);
    board.search(order(1, 0.0));
    assert_eq!(pairs(&board.plan(at(0)).matches), [(1, driver)]);
}

#[test]
fn where_drivers_are_scarce_a_far_one_is_asked_when_the_radius_has_grown_to_him() {
    let mut board = Board::new(Rules { radius: GROWING, ..rules() });
    let driver = add_driver(&mut board, 1, 5.0);
    for id in 1..=3 {
        board.search(order(id, 0.0));
    }
    let plan = board.plan(at(0));
    assert!(plan.matches.is_empty());
    let wake_at = plan.wake_at.unwrap();
    assert!(at(119) < wake_at && wake_at < at(121), "two minutes for the two kilometres more: {wake_at}");
    board.driver_seen(driver, wake_at);
    assert_eq!(pairs(&board.plan(wake_at).matches), [(1, driver)]);
}

#[test]
fn once_drivers_are_scarce_no_more_the_whole_radius_counts_at_once() {
    for growth_km_per_minute in [1.0, 0.0] {
        for comes_later in [false, true] {
            let mut board = Board::new(Rules { radius: Radius { growth_km_per_minute, ..GROWING }, ..rules() });
            for id in 1..=3 {
                board.search(order(id, 0.0));
            }
            if comes_later {
                board.plan(at(0));
            }
            let driver = add_driver(&mut board, 1, 5.0);
            assert!(board.plan(at(0)).matches.is_empty());
            board.stop_search(2);
            assert!(board.plan(at(1)).matches.is_empty(), "two orders are still more than one driver");
            board.stop_search(3);
            assert_eq!(
                pairs(&board.plan(at(1)).matches),
                [(1, driver)],
                "growth {growth_km_per_minute}, {comes_later}"
            );
        }
    }
}

#[test]
fn drivers_who_have_their_hands_full_are_no_reason_to_send_others_far() {
    let mut board = Board::new(Rules { radius: GROWING, ..rules() });
    for id in 1..=5 {
        let busy = add_driver(&mut board, id, 50.0);
        let offer = super::OfferTimes { order_id: 70 + id, driver_id: busy, expires_at: at(300), unreachable_at: None };
        board.offer_made(id, offer);
        let unreachable = add_driver(&mut board, 10 + id, 50.0);
        board.driver_unreachable(unreachable);
    }
    add_driver(&mut board, 6, 5.0);
    for id in 1..=3 {
        board.search(order(id, 0.0));
    }
    assert!(board.plan(at(0)).matches.is_empty(), "three orders wait for one driver");
}

#[test]
fn an_order_for_later_is_in_nobodys_way_until_its_search_begins() {
    let mut board = Board::new(Rules { radius: GROWING, ..rules() });
    let driver = add_driver(&mut board, 1, 5.0);
    for id in 1..=3 {
        board.search(Waiting { search_from: at(50), ..order(id, 0.0) });
    }
    assert_eq!(board.plan(at(0)).wake_at, Some(at(50)));
    let moved =
        |board: &mut Board, seconds| board.driver_moved(driver, Position { point: north(5.0), at: at(seconds) });
    assert_eq!((moved(&mut board, 1), board.counts()), ((None, false), (0, 0)), "nobody plans because he moves");
    board.search(order(4, 0.0));
    let found = board.plan(at(1)).matches.remove(0);
    assert_eq!((found.order_id, found.driver_id), (4, driver), "they do not make drivers scarce");
    board.offer_made(7, times(&found));
    board.offer_ended(7);
    assert_eq!((board.plan(at(50)).matches.len(), board.counts()), (0, (0, 3)), "now they do");
    assert_eq!(moved(&mut board, 51), (None, true));
}

#[test]
fn of_several_who_become_free_together_each_gets_what_is_nearest_to_him() {
    let mut board = board(1);
    board.search(order(1, 0.0));
    board.search(order(2, 5.0));
    assert!(board.plan(at(0)).matches.is_empty());
    let (far, near) = (add_driver(&mut board, 1, -4.0), add_driver(&mut board, 2, 0.2));
    let matches = board.plan(at(0)).matches;
    assert_eq!(pairs(&matches), [(1, near), (2, far)], "whoever loses an order looks for another");
    assert_eq!(matches[0].considered, [Considered { driver_id: near, distance_km: Some(0.2), skipped: None }]);
}

#[test]
fn whoever_is_beyond_the_radius_of_this_moment_is_too_far() {
    let mut board = Board::new(Rules { radius: GROWING, ..rules() });
    let driver = add_driver(&mut board, 1, 5.0);
    for id in 1..=3 {
        board.search(order(id, 0.0));
    }
    board.plan(at(0));
    let skipped = |board: &Board, seconds| {
        let told = board.considered(1, at(seconds));
        assert_eq!(told, board.candidates(order(1, 0.0), at(seconds)));
        (told[0].driver_id == driver).then_some(told[0].skipped).unwrap()
    };
    assert_eq!(skipped(&board, 60), Some(Obstacle::TooFar));
    board.driver_seen(driver, at(121));
    assert_eq!(skipped(&board, 121), None, "the radius has grown to him");
    board.stop_search(2);
    board.stop_search(3);
    assert_eq!(skipped(&board, 60), None, "drivers abound");
}

#[test]
fn who_was_not_free_for_the_database_is_not_said_to_have_had_the_offer() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.offer_refused(&found, at(1));
    assert_eq!(board.considered(1, at(0))[0].skipped, Some(Obstacle::Busy));
    assert_eq!(board.plan(at(0)).wake_at, Some(at(1)));
    assert_eq!(pairs(&board.plan(at(1)).matches), [(1, driver)]);
}

#[test]
fn a_driver_who_comes_within_the_limit_sets_the_alarm_for_when_the_radius_reaches_him() {
    let mut board = Board::new(Rules { radius: GROWING, ..rules() });
    for id in 1..=3 {
        board.search(order(id, 0.0));
    }
    assert_eq!(board.plan(at(0)).wake_at, Some(at(900)), "there is nobody to wait for");
    let driver = add_driver(&mut board, 1, 4.0);
    let plan = board.plan(at(0));
    assert!(plan.matches.is_empty());
    let wake_at = plan.wake_at.unwrap();
    assert!(wake_at < at(61), "{wake_at}");
    board.driver_seen(driver, wake_at);
    assert_eq!(pairs(&board.plan(wake_at).matches).len(), 1);
}

#[test]
fn nobody_is_asked_for_a_scheduled_order_before_its_search_begins() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(Waiting { search_from: at(50), ..order(1, 0.0) });
    let plan = board.plan(at(0));
    assert_eq!((pairs(&plan.matches), plan.wake_at), (Vec::new(), Some(at(50))));
    board.search(order(2, 5.0));
    let second = board.plan(at(0)).matches.remove(0);
    assert_eq!(second.order_id, 2, "it does not stand in the way of others");
    board.offer_made(7, times(&second));
    board.offer_ended(7);
    assert_eq!(pairs(&board.plan(at(50)).matches), [(1, driver)]);
}

#[test]
fn the_vehicle_must_have_what_the_order_asks_for() {
    let asks = |class: Option<&str>, seats| Needs { vehicle_class: class.map(str::to_owned), seats };
    let van = || Some(Vehicle { classes: vec!["economy".to_owned(), "van".to_owned()], seats: 6 });
    for (needs, vehicle, obstacle) in [
        (asks(None, None), None, None),
        (asks(Some("van"), None), None, Some(Obstacle::WrongClass)),
        (asks(None, Some(1)), None, Some(Obstacle::TooFewSeats)),
        (asks(Some("van"), Some(6)), van(), None),
        (asks(Some("comfort"), Some(6)), van(), Some(Obstacle::WrongClass)),
        (asks(Some("van"), Some(7)), van(), Some(Obstacle::TooFewSeats)),
    ] {
        let mut board = board(1);
        let driver = add_driver(&mut board, 1, 1.0);
        board.driver_vehicle(driver, vehicle);
        board.search(Waiting { needs: needs.clone(), ..order(1, 0.0) });
        let considered = board.considered(1, at(0));
        assert_eq!(considered, [Considered { driver_id: driver, distance_km: Some(1.0), skipped: obstacle }]);
        assert_eq!(board.plan(at(0)).matches.is_empty(), obstacle.is_some(), "{needs:?}");
    }
}

#[test]
fn every_reason_why_somebody_nearer_was_not_asked_is_told() {
    let mut board = board(1);
    let ids: Vec<_> = (0..9).map(|id| add_driver(&mut board, id, 1.0 + f64::from(u8::try_from(id).unwrap()))).collect();
    board.driver_status(ids[0], Some(DriverStatus::Offline), None);
    board.trip_started(ids[1], 77);
    board.offer_made(
        5,
        super::OfferTimes { order_id: 78, driver_id: ids[2], expires_at: at(500), unreachable_at: None },
    );
    board.driver_unreachable(ids[3]);
    board.driver_moved(ids[8], Position { point: north(10.5), at: at(100) });
    for fresh in [4, 5, 6, 7] {
        board.driver_seen(ids[fresh], at(100));
    }
    board.driver_seen(ids[2], at(100));
    let stale = add_driver(&mut board, 20, 6.5);
    let barred = vec![(ids[4], at(200)), (ids[5], super::NEVER)];
    board.search(Waiting { barred, ..order(1, 0.0) });
    let found = board.plan(at(100)).matches.remove(0);
    assert_eq!(found.driver_id, ids[6], "{found:?}");
    let skipped = |considered: &[Considered]| -> Vec<_> {
        considered.iter().map(|considered| (considered.driver_id, considered.skipped)).collect()
    };
    let nearer = [
        (ids[1], Some(Obstacle::OnTrip)),
        (ids[2], Some(Obstacle::Busy)),
        (ids[3], Some(Obstacle::Unreachable)),
        (ids[4], Some(Obstacle::Cooling)),
        (ids[5], Some(Obstacle::GaveBack)),
        (stale, Some(Obstacle::Stale)),
        (ids[6], None),
    ];
    assert_eq!(skipped(&found.considered), nearer);
    let all = board.considered(1, at(100));
    assert_eq!(skipped(&all)[6..], [(ids[6], Some(Obstacle::Busy)), (ids[7], None), (ids[8], Some(Obstacle::TooFar))]);
}

#[test]
fn an_explanation_is_short_however_many_drivers_there_are() {
    let mut board = board(1);
    for id in 0..100 {
        let driver = add_driver(&mut board, id, 0.01);
        board.trip_started(driver, id);
    }
    add_driver(&mut board, 100, 1.0);
    board.search(order(1, 0.0));
    assert_eq!(board.plan(at(0)).matches[0].considered.len(), 12);
}

#[test]
fn who_was_not_reached_is_asked_again_once_he_is_heard_of() {
    let mut board = board(1);
    let driver = add_driver(&mut board, 1, 1.0);
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.offer_made(7, times(&found));
    board.offer_ended(7);
    board.driver_unreachable(driver);
    board.search(order(2, 0.0));
    assert!(board.plan(at(20)).matches.is_empty());
    board.driver_seen(driver, at(30));
    assert_eq!(pairs(&board.plan(at(30)).matches), [(2, driver)]);
}

fn broadcast(drivers: i64) -> (Board, Vec<UserId>) {
    let mut board = Board::new(Rules { strategy: StrategyKind::Broadcast(3), ..rules() });
    let ids = (1..=drivers).map(|id| add_driver(&mut board, id, f64::from(u8::try_from(id).unwrap()))).collect();
    (board, ids)
}

#[test]
fn a_broadcast_asks_several_at_once_and_fills_up_when_one_says_no() {
    let (mut board, ids) = broadcast(5);
    board.search(order(1, 0.0));
    let first = board.plan(at(0)).matches;
    assert_eq!(pairs(&first), [(1, ids[0]), (1, ids[1]), (1, ids[2])]);
    for (offer, found) in (0..).zip(&first) {
        board.offer_made(offer, times(found));
    }
    assert!(board.plan(at(1)).matches.is_empty());
    board.offer_ended(0);
    let offered = vec![ids[1], ids[2]];
    board.search(Waiting { barred: vec![(ids[0], at(500))], offered, ..order(1, 0.0) });
    assert_eq!(pairs(&board.plan(at(1)).matches), [(1, ids[3])]);
}

#[test]
fn a_broadcast_to_few_goes_on_when_more_come() {
    let (mut board, ids) = broadcast(1);
    board.search(order(1, 0.0));
    let found = board.plan(at(0)).matches.remove(0);
    board.offer_made(7, times(&found));
    assert_eq!(board.plan(at(0)).wake_at, Some(at(20)), "the search does not end before the offer");
    let second = add_driver(&mut board, 9, 1.0);
    let plan = board.plan(at(1));
    assert_eq!(pairs(&plan.matches), [(1, second)]);
    board.offer_refused(&plan.matches[0], at(2));
    assert!(board.plan(at(1)).matches.is_empty());
    board.stop_search(1);
    board.search(order(2, 0.0));
    assert_eq!(pairs(&board.plan(at(3)).matches), [(2, second)], "nobody is left as being asked");
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_batch_waits_for_its_time_and_then_takes_the_best_for_all() {
    let mut board = Board::new(Rules { strategy: StrategyKind::Batch(Duration::from_secs(2)), ..rules() });
    let (west, east) = (add_driver(&mut board, 1, 0.0), add_driver(&mut board, 2, 2.0));
    board.search(order(1, 1.1));
    let plan = board.plan(at(0));
    assert_eq!((pairs(&plan.matches), plan.wake_at), (Vec::new(), Some(at(2))));
    board.search(order(2, 3.0));
    assert_eq!(board.plan(at(1)).wake_at, Some(at(2)), "it counts from the first change");
    let matches: Vec<Match> = board.plan(at(2)).matches;
    assert_eq!(pairs(&matches), [(1, west), (2, east)], "one by one, the first would have got the east");
    let nearest = Considered { driver_id: east, distance_km: Some(0.9), skipped: Some(Obstacle::Busy) };
    assert_eq!(matches[0].considered[0], nearest, "he is not free, since the other order gets him");
    assert_eq!(board.plan(at(3)).wake_at, Some(at(900)));
}

#[test]
fn a_batch_lets_nobody_wait_whose_best_partners_are_taken() {
    let mut board = Board::new(Rules { strategy: StrategyKind::Batch(Duration::from_secs(2)), ..rules() });
    for id in 1..=30 {
        board.search(order(id, 0.0));
        add_driver(&mut board, id, f64::from(u8::try_from(id).unwrap()) / 10.0);
    }
    board.plan(at(0));
    let mut matched = Vec::new();
    loop {
        let plan = board.plan(at(2));
        if plan.matches.is_empty() {
            break;
        }
        matched.extend(pairs(&plan.matches));
        assert!(matched.len() == 30 || plan.wake_at == Some(at(2)), "they have waited long enough");
    }
    matched.sort_unstable();
    matched.dedup_by_key(|(order, _)| *order);
    assert_eq!(matched.len(), 30);
}

#[test]
fn a_batch_begins_anew_when_what_it_gathered_is_gone() {
    let mut board = Board::new(Rules { strategy: StrategyKind::Batch(Duration::from_secs(2)), ..rules() });
    add_driver(&mut board, 1, 0.0);
    board.search(order(1, 0.0));
    assert_eq!(board.plan(at(0)).wake_at, Some(at(2)));
    board.stop_search(1);
    assert_eq!(board.plan(at(1)).wake_at, None);
    board.search(order(2, 0.0));
    assert_eq!(board.plan(at(10)).wake_at, Some(at(12)));
}

#[test]
fn a_clock_that_is_set_back_does_not_hold_up_a_batch() {
    let mut board = Board::new(Rules { strategy: StrategyKind::Batch(Duration::from_secs(2)), ..rules() });
    add_driver(&mut board, 1, 0.0);
    board.search(Waiting { search_from: at(-5_000), ..order(1, 0.0) });
    board.plan(at(0));
    assert_eq!(board.plan(at(-3_600)).wake_at, Some(at(-3_598)));
    board.driver_seen(UserId::Int(1), at(-3_600));
    assert_eq!(board.plan(at(-3_598)).matches.len(), 1);
}
