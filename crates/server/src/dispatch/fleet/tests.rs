#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    ops::ControlFlow::{Break, Continue},
    time::Duration,
};

use holodrive_protocol::{Latitude, Longitude, Timestamp, UserId, http::DriverStatus};
use proptest::prelude::*;

use super::{Driver, Fleet, Position};
use crate::dispatch::{
    geo::Point,
    grid::tests::{anywhere, radius},
};

const AWAY_AFTER: Duration = Duration::from_secs(120);
const OFFERS_PER_DRIVER: u32 = 2;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn point(latitude: f64, longitude: f64) -> Point {
    Point {
        latitude: Latitude::from_degrees(latitude).unwrap(),
        longitude: Longitude::from_degrees(longitude).unwrap(),
    }
}

fn walked(fleet: &Fleet, from: Point, radius_km: f64) -> Vec<(UserId, Option<f64>)> {
    let mut walked = Vec::new();
    fleet.walk(from, radius_km, |id, driver, km| {
        assert_eq!(driver.position.map(|position| position.point.distance_km(from)), km);
        walked.push((id, km));
        Continue(())
    });
    walked
}

/// Who is free: first those in the grid, then the others.
fn walked_free(fleet: &Fleet, from: Point, radius_km: f64) -> Vec<(UserId, Option<f64>)> {
    let mut walked = Vec::new();
    fleet.walk_free(from, radius_km, |id, _, km| {
        walked.push((id, Some(km)));
        Continue(())
    });
    walked.extend(fleet.free_unplaced().map(|(id, _)| (id, None)));
    walked
}

/// What a fleet should do, without an index.
#[derive(Default)]
struct Model(BTreeMap<UserId, Driver>);

impl Model {
    fn walked(&self, from: Point, radius_km: f64, now: i64) -> Vec<(UserId, Option<f64>)> {
        let here = self.0.iter().filter(|(_, driver)| driver.present_until(AWAY_AFTER) >= at(now));
        let here = here.map(|(id, driver)| (*id, driver.position.map(|position| position.point.distance_km(from))));
        let mut here: Vec<_> = here.filter(|(_, km)| km.is_none_or(|km| km <= radius_km)).collect();
        here.sort_by(|(id, km), (other_id, other)| {
            km.unwrap_or(f64::INFINITY).total_cmp(&other.unwrap_or(f64::INFINITY)).then(id.cmp(other_id))
        });
        here
    }

    fn walked_free(&self, from: Point, radius_km: f64, now: i64) -> Vec<(UserId, Option<f64>)> {
        let is_free = |(id, _): &(UserId, Option<f64>)| self.0[id].is_free(OFFERS_PER_DRIVER);
        self.walked(from, radius_km, now).into_iter().filter(is_free).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Place(i64, Point),
    Status(i64, Option<DriverStatus>),
    Seen(i64),
    Socket(i64, bool),
    Offer(i64, bool),
    Trip(i64, bool),
    Unreachable(i64),
    Forget,
    Pass(i64),
    Expire,
    Walk(Point, f64),
}

fn step() -> impl Strategy<Value = Step> {
    let (id, yes) = (|| 0..12_i64, any::<bool>);
    let status = prop::sample::select(vec![None, Some(DriverStatus::Online), Some(DriverStatus::Offline)]);
    prop_oneof![
        6 => (id(), anywhere()).prop_map(|(id, to)| Step::Place(id, to)),
        1 => (id(), status).prop_map(|(id, status)| Step::Status(id, status)),
        2 => id().prop_map(Step::Seen),
        2 => (id(), yes()).prop_map(|(id, opens)| Step::Socket(id, opens)),
        2 => (id(), yes()).prop_map(|(id, begins)| Step::Offer(id, begins)),
        2 => (id(), yes()).prop_map(|(id, begins)| Step::Trip(id, begins)),
        1 => id().prop_map(Step::Unreachable),
        1 => Just(Step::Forget),
        3 => (0..150_i64).prop_map(Step::Pass),
        3 => Just(Step::Expire),
        6 => (anywhere(), radius()).prop_map(|(from, radius)| Step::Walk(from, radius)),
    ]
}

fn number(count: u32, up: bool) -> u32 {
    if up { count + 1 } else { count.saturating_sub(1) }
}

fn change(driver: &mut Driver, step: &Step, now: Timestamp) {
    match *step {
        Step::Place(_, point) => {
            driver.position = Some(Position { point, at: now });
            driver.heard_at(now);
        }
        Step::Status(_, status) => driver.status = status,
        Step::Seen(_) => driver.seen_at = Some(now),
        Step::Socket(_, opens) => {
            driver.sockets = number(driver.sockets, opens);
            driver.seen_at = Some(now);
        }
        Step::Offer(_, begins) => driver.offers = number(driver.offers, begins),
        Step::Trip(_, begins) => driver.trip = begins.then_some(1),
        Step::Unreachable(_) => driver.unreachable = true,
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_fleet_agrees_with_a_list_of_drivers(steps in prop::collection::vec(step(), 0..250)) {
        let mut fleet = Fleet::new(AWAY_AFTER).with_offers_per_driver(OFFERS_PER_DRIVER);
        let (mut model, mut now) = (Model::default(), 0);
        for step in &steps {
            match *step {
                Step::Place(id, point) => {
                    let id = UserId::Int(id);
                    fleet.place(id, Position { point, at: at(now) });
                    change(model.0.entry(id).or_default(), step, at(now));
                }
                Step::Status(id, _)
                | Step::Seen(id)
                | Step::Socket(id, _)
                | Step::Offer(id, _)
                | Step::Trip(id, _)
                | Step::Unreachable(id) => {
                    let id = UserId::Int(id);
                    fleet.update(id, |driver| change(driver, step, at(now)));
                    change(model.0.entry(id).or_default(), step, at(now));
                }
                Step::Forget => {
                    fleet.forget_orders();
                    model.0.values_mut().for_each(|driver| (driver.offers, driver.trip) = (0, None));
                }
                Step::Pass(seconds) => now += seconds,
                Step::Expire => fleet.expire(at(now)),
                Step::Walk(from, radius) => {
                    fleet.expire(at(now));
                    prop_assert_eq!(walked(&fleet, from, radius), model.walked(from, radius, now));
                    prop_assert_eq!(walked_free(&fleet, from, radius), model.walked_free(from, radius, now));
                    prop_assert_eq!(fleet.free(), model.walked_free(from, f64::INFINITY, now).len());
                }
            }
            for (id, driver) in &model.0 {
                let known = fleet.driver(*id);
                prop_assert!(known.is_some() || driver.is_forgettable(), "{driver:?} is lost");
                prop_assert!(known.is_none_or(|known| known.status == driver.status && known.position == driver.position));
            }
            // Whoever the fleet forgot comes back as if he had never been there.
            model.0.retain(|id, _| fleet.driver(*id).is_some());
        }
        fleet.expire(at(now + 1_000));
        let mut unplaced = fleet.sides.free.unplaced.union(&fleet.sides.others.unplaced);
        prop_assert!(unplaced.all(|known| fleet.records.get(*known).driver.sockets > 0));
        let silent = |driver: &&Driver| driver.sockets == 0 && driver.is_forgettable();
        prop_assert_eq!(model.0.keys().filter_map(|id| fleet.driver(*id)).filter(silent).count(), 0, "memory is kept");
    }
}

#[test]
fn who_is_silent_for_long_is_forgotten_unless_he_said_something() {
    let mut fleet = Fleet::new(AWAY_AFTER);
    let here = point(41.3, 69.2);
    for id in 0..10_000 {
        fleet.place(UserId::Int(id), Position { point: here, at: at(0) });
    }
    fleet.update(UserId::Int(7), |driver| driver.status = Some(DriverStatus::Offline));
    fleet.update(UserId::Int(8), |driver| driver.trip = Some(1));
    fleet.update(UserId::Int(9), |driver| driver.sockets = 1);
    assert_eq!(walked(&fleet, here, 1.0).len(), 10_000);
    fleet.expire(at(120));
    assert_eq!(fleet.len(), 10_000);
    fleet.expire(at(121));
    assert!((3..10_000).contains(&fleet.len()), "a call takes but a part of them");
    (0..5).for_each(|_| fleet.expire(at(121)));
    assert_eq!(walked(&fleet, here, 1.0), [(UserId::Int(9), Some(0.0))]);
    assert_eq!(fleet.len(), 3);
    assert_eq!(fleet.driver(UserId::Int(7)).unwrap().status, Some(DriverStatus::Offline));
    fleet.update(UserId::Int(8), |driver| driver.trip = None);
    assert_eq!(fleet.len(), 2, "nothing of him is needed when his trip is over");
}

#[test]
fn who_was_away_comes_back_to_where_he_was() {
    let mut fleet = Fleet::new(AWAY_AFTER);
    let (id, here) = (UserId::Int(1), point(41.3, 69.2));
    fleet.place(id, Position { point: here, at: at(0) });
    fleet.update(id, |driver| driver.status = Some(DriverStatus::Online));
    fleet.expire(at(1_000));
    fleet.update(id, |driver| driver.offers += 1);
    assert_eq!(walked(&fleet, here, 1.0), [], "an offer is no sign of life");
    fleet.update(id, |driver| driver.seen_at = Some(at(1_000)));
    assert_eq!(walked(&fleet, here, 1.0), [(id, Some(0.0))]);
    fleet.expire(at(1_121));
    assert_eq!(walked(&fleet, here, 1.0), []);
    assert_eq!(fleet.watch.due(at(10_000)), [0_u32; 0], "nobody is looked at who is away");
}

#[test]
fn a_driver_takes_little_memory() {
    assert_eq!((size_of::<super::records::Record>(), size_of::<super::Known>()), (112, 32));
}

#[test]
fn a_driver_who_jumps_is_where_he_says() {
    let mut fleet = Fleet::new(AWAY_AFTER);
    let (id, jumps) =
        (UserId::Int(1), [(41.3, 69.2), (-90.0, 0.0), (0.0, 180.0), (0.0, -180.0), (90.0, 17.0), (41.3, 69.2)]);
    for (second, (latitude, longitude)) in (0..).zip(jumps) {
        let to = point(latitude, longitude);
        fleet.place(id, Position { point: to, at: at(second) });
        assert_eq!(walked(&fleet, to, 0.1), [(id, Some(0.0))]);
        assert_eq!(walked(&fleet, to, f64::INFINITY).len(), 1, "he is in one place only");
    }
}

#[test]
fn a_walk_ends_where_it_is_broken_off() {
    let mut fleet = Fleet::new(AWAY_AFTER);
    let here = point(41.3, 69.2);
    for id in [3, 2, 1] {
        fleet.update(UserId::Int(id), |driver| driver.sockets = 1);
    }
    fleet.place(UserId::Int(2), Position { point: here, at: at(0) });
    for most in 1..=3 {
        let mut seen = Vec::new();
        fleet.walk(here, 1.0, |id, _, km| {
            seen.push((id, km));
            if seen.len() < most { Continue(()) } else { Break(()) }
        });
        let all = [(UserId::Int(2), Some(0.0)), (UserId::Int(1), None), (UserId::Int(3), None)];
        assert_eq!(seen, all[..most]);
    }
}
