#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use holodrive::dispatch::Match;

use super::*;
use crate::simulate::{
    demand::point,
    moment::at,
    outcome::End,
    people::{Answer, tests::people},
    rules,
};

/// Trips that begin where their drivers are, all at once.
fn scenario(seed: u64, trips: usize) -> Scenario {
    let here = point(41.3, 69.2).unwrap();
    let trip = Trip { requested_at: at(0), from: here, to: here };
    Scenario::new(seed, vec![trip; trips], 2, Duration::ZERO).unwrap()
}

fn config(rule: &str) -> Config {
    rules::parse(rule).unwrap().remove(0).config().unwrap()
}

#[test]
fn an_offer_that_the_board_may_not_make_is_a_violation() {
    let (scenario, people) = (scenario(1, 3), people(&[]));
    let mut world = World::new(&scenario, &people, &config("nearest"), Mood::Ideal);
    let offer = |world: &mut World<'_>, order_id, driver| {
        world.make_offer(&Match { order_id, driver_id: id(driver), distance_km: None, considered: Vec::new() });
        std::mem::take(&mut world.observed.violations).first
    };
    let told = |order: u64, driver: u64, why: &str| {
        vec![format!("{}: the board offered order {order} to driver {driver}: {why}", at(0))]
    };
    (1..=3).for_each(|order_id| world.orders(order_id));
    assert_eq!(offer(&mut world, 1, 1), told(1, 1, "he is not at work"));
    (1..=2).for_each(|driver| world.comes_to_work(driver));
    assert_eq!(offer(&mut world, 1, 1), Vec::<String>::new());
    assert_eq!(offer(&mut world, 1, 2), told(1, 2, "it has as many offers as it may"));
    assert_eq!(offer(&mut world, 2, 1), told(2, 1, "he holds as many offers as he may"));
    world.accept(0);
    assert_eq!(offer(&mut world, 2, 1), told(2, 1, "he drives another order"));
    assert_eq!(offer(&mut world, 1, 2), told(1, 2, "nobody looks for a driver for it"));
    world.drivers.get_mut(&2).unwrap().at = point(42.3, 69.2).unwrap();
    assert_eq!(offer(&mut world, 2, 2), told(2, 2, "he is too far away"));
    world.goes_home(2);
    assert_eq!(offer(&mut world, 3, 2), told(3, 2, "he is not at work"));
}

#[test]
fn an_offer_that_did_not_get_to_the_phone_is_shown_once_the_phone_is_back() {
    let people = people(&["--outages-per-hour", "0", "--patience", "1000000", "--unreachable-for", "60"]);
    let answer = |seed, driver, time| people.answer(seed, driver, 1, time, Mood::Human);
    let is_lost_first = |seed: &u64| {
        (1..=2).all(|driver| {
            answer(*seed, driver, 1) == Answer::Unreachable && matches!(answer(*seed, driver, 2), Answer::Accept(_))
        })
    };
    let seed = (1..10_000).find(is_lost_first).unwrap();
    let outcome = run(&scenario(seed, 1), &people, &config("oldest-300"), Mood::Human);
    let End::Accepted { after, .. } = outcome.orders[0].end else { panic!("{:?}", outcome.orders) };
    assert!((60..120).contains(&after.as_secs()), "{after:?}");
    assert_eq!((outcome.orders[0].offers, outcome.violations.count), (1, 0));
}

#[test]
fn only_offers_of_orders_that_count_are_counted() {
    let here = point(41.3, 69.2).unwrap();
    let trip = |second| Trip { requested_at: at(second * crate::simulate::moment::SECOND), from: here, to: here };
    let warm_up = Duration::from_secs(1_000);
    let scenario = Scenario::new(1, vec![trip(0), trip(10), trip(2_000)], 5, warm_up).unwrap();
    let outcome = run(&scenario, &people(&[]), &config("nearest"), Mood::Ideal);
    assert_eq!((outcome.orders.len(), outcome.offers.all()), (1, 1));
}
