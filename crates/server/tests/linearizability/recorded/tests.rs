use holodrive_protocol::{OrderStatus, socket::OfferExpiredReason};
use serde_json::json;

use super::{
    super::{
        checker::{Operation, is_linearizable},
        step::{
            Act::{Accept, Assign, Cancel, Decline},
            Answer::{Done, OfferExpired},
        },
    },
    By::{Dispatcher, Staff},
    Entry::{Accepted, Cancelled, Ended, Offered, Released},
    *,
};

/// How long an offer lasts, in milliseconds.
const OFFER: i64 = 50;
const LATE: super::super::step::Answer = OfferExpired(OfferExpiredReason::Expired);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1_000)
}

/// A history, with the milliseconds of its entries.
fn written(entries: &[(i64, Entry)]) -> Vec<Written> {
    let expires_at = |millis, entry| matches!(entry, Offered(..)).then(|| at(millis + OFFER));
    entries
        .iter()
        .map(|&(millis, entry)| Written { at: at(millis), entry, expires_at: expires_at(millis, entry) })
        .collect()
}

/// Whether steps one after another fit with the histories of the first two orders.
fn explains_two(histories: [&[(i64, Entry)]; 2], steps: &[Step]) -> bool {
    let record = Record([written(histories[0]), written(histories[1]), Vec::new()]);
    let history: Vec<_> = (0..)
        .zip(steps)
        .map(|(number, step)| Operation { called: 2 * number, answered: 2 * number + 1, step: *step })
        .collect();
    is_linearizable(&record, &history)
}

/// The same for the first order.
fn explains(entries: &[(i64, Entry)], steps: &[Step]) -> bool {
    explains_two([entries, &[]], steps)
}

const ACCEPT: Step = Step::Act(0, Accept(0), Done);
const TOO_LATE: Step = Step::Act(0, Accept(0), LATE);
const EXPIRED: Entry = Ended(0, End::Expired);

#[test]
fn the_dispatcher_offers_what_the_history_says_and_nothing_else() {
    assert!(explains(&[(0, Offered(0, Dispatcher)), (9, Accepted(0))], &[ACCEPT]));
    assert!(!explains(&[], &[ACCEPT]), "nobody offered it");
    assert!(!explains(&[(0, Offered(1, Dispatcher)), (9, Accepted(0))], &[ACCEPT]), "to another");
    assert!(!explains(&[(0, Offered(0, Dispatcher)), (1, Offered(1, Dispatcher)), (9, Accepted(0))], &[ACCEPT]));
    assert!(!explains(&[(0, Offered(0, Staff)), (9, Accepted(0))], &[ACCEPT]), "no staff have called");
    assert!(explains(&[(0, Offered(0, Staff)), (9, Accepted(0))], &[Step::Act(0, Assign(0), Done), ACCEPT]));
}

#[test]
fn what_is_written_was_answered_and_what_was_answered_is_written() {
    let offered = [(0, Offered(0, Dispatcher))];
    assert!(!explains(&offered, &[ACCEPT]), "a win that left nothing");
    assert!(!explains(&[(0, Offered(0, Dispatcher)), (9, Accepted(0))], &[]), "a win that nobody asked for");
    assert!(explains(&[(0, Offered(0, Dispatcher)), (9, Accepted(0))], &[ACCEPT, ACCEPT]), "the same answer again");
}

#[test]
fn the_deadline_divides_what_is_accepted_from_what_runs_out() {
    let accepted = |millis| explains(&[(0, Offered(0, Dispatcher)), (millis, Accepted(0))], &[ACCEPT]);
    assert!(accepted(OFFER - 1) && !accepted(OFFER));
    let ran_out = |millis| explains(&[(0, Offered(0, Dispatcher)), (millis, EXPIRED)], &[TOO_LATE]);
    assert!(!ran_out(OFFER - 1) && ran_out(OFFER));
    let declined = [Step::Act(0, Decline(0), Done)];
    let ended = |millis| explains(&[(0, Offered(0, Dispatcher)), (millis, Ended(0, End::Declined))], &declined);
    assert!(ended(OFFER - 1) && !ended(OFFER));
}

#[test]
fn who_is_late_is_refused_though_nobody_has_ended_the_offer() {
    let pending = Step::Look { order: 0, status: OrderStatus::Pending, driver: None };
    let cancelled = |millis| [(0, Offered(0, Dispatcher)), (millis, Ended(0, End::Cancelled)), (millis, Cancelled)];
    let steps = [TOO_LATE, pending, Step::Act(0, Cancel, Done)];
    assert!(explains(&cancelled(OFFER), &steps));
    assert!(!explains(&cancelled(OFFER - 1), &steps), "it was cancelled in time, so he was not late");
    let polled = Step::Poll { driver: 0, offered: [false; ORDERS], trip: None };
    assert!(!explains(&cancelled(OFFER), &[TOO_LATE, polled, pending, Step::Act(0, Cancel, Done)]), "polls end it");
}

#[test]
fn nobody_is_asked_again_too_soon_nor_after_he_gave_it_back() {
    let again =
        |millis| explains(&[(0, Offered(0, Dispatcher)), (OFFER, EXPIRED), (millis, Offered(0, Dispatcher))], &[]);
    let soonest = OFFER + i64::try_from(REOFFER_AFTER.as_millis()).unwrap();
    assert!(again(soonest) && !again(soonest - 1));
    let given_back = [ACCEPT, Step::Act(0, super::super::step::Act::Release(0), Done)];
    let after = |entry| [(0, Offered(0, Dispatcher)), (1, Accepted(0)), (2, Released(0)), (9_999, entry)];
    assert!(explains(&after(Offered(1, Dispatcher)), &given_back));
    assert!(!explains(&after(Offered(0, Dispatcher)), &given_back));
}

#[test]
fn who_takes_one_order_loses_the_offers_of_the_others() {
    let taken = [(0, Offered(0, Dispatcher)), (9, Accepted(0))];
    let ended = [(0, Offered(0, Dispatcher)), (9, Ended(0, End::Busy))];
    assert!(explains_two([&taken, &ended], &[ACCEPT]));
    assert!(!explains_two([&taken, &[(0, Offered(0, Dispatcher))]], &[ACCEPT]), "it never ended");
    assert!(!explains_two([&taken, &taken], &[ACCEPT, Step::Act(1, Accept(0), Done)]), "two trips");
    assert!(!explains_two([&taken, &[(5, Ended(0, End::Busy))]], &[ACCEPT]), "there was none");
}

#[test]
fn the_histories_of_all_orders_go_by_one_clock() {
    let steps = [ACCEPT, Step::Act(1, Accept(1), Done)];
    let first = [(0, Offered(0, Dispatcher)), (9, Accepted(0))];
    let second = |millis| [(0, Offered(1, Dispatcher)), (millis, Accepted(1))];
    assert!(explains_two([&first, &second(10)], &steps));
    assert!(!explains_two([&first, &second(8)], &steps), "he was answered before the other called");
}

#[test]
fn entries_are_read_as_the_server_writes_them() {
    let read = |event: Value| {
        let event = serde_json::from_value(event).unwrap();
        read(&event, |id| if id == UserId::Int(7) { 2 } else { panic!("{id}") }).map(|written| written.entry)
    };
    let event = |kind: &str, more: Value| {
        let mut event = json!({"at": "2026-01-01T00:00:00+00:00", "type": kind, "actor_id": null});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let offered = event("offered", json!({"driver_id": 7, "expires_at": "2026-01-01T00:00:50+00:00"}));
    assert_eq!(read(offered), Some(Offered(2, Dispatcher)));
    assert_eq!(read(event("accepted", json!({"actor_id": 7}))), Some(Accepted(2)));
    assert_eq!(read(event("offer_revoked", json!({"driver_id": 7, "reason": "busy"}))), Some(Ended(2, End::Busy)));
    assert_eq!(read(event("delivered", json!({"actor_id": 7}))), None);
}
