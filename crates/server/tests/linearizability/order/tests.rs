use super::super::checker::{Operation, is_linearizable};
use super::*;

fn explains(alone: Alone, steps: &[Step]) -> bool {
    let history: Vec<_> = (0..)
        .zip(steps)
        .map(|(number, step)| Operation { called: 2 * number, answered: 2 * number + 1, step: *step })
        .collect();
    is_linearizable(Order::new(alone), &history)
}

use Answer::{Done, NotFound, OfferExpired};
use Step::{Accept, Arrive, Assign, Cancel, Decline, Look, Poll, Release};

#[test]
fn a_trip_and_its_refusals() {
    let steps = [
        Accept(0, OfferExpired(OfferExpiredReason::NotOffered)),
        Assign(0, Done),
        Assign(1, Done),
        Decline(0, OfferExpired(OfferExpiredReason::Reassigned)),
        Poll(1, true, false),
        Accept(1, Done),
        Accept(1, Done),
        Accept(0, OfferExpired(OfferExpiredReason::Taken)),
        Arrive(0, NotFound),
        Look(OrderStatus::Accepted, Some(1)),
        Release(1, Done),
        Accept(1, OfferExpired(OfferExpiredReason::Expired)),
        Cancel(Done),
    ];
    assert!(explains(Alone::Nothing, &steps));
    assert!(explains(Alone::Anything, &steps));
}

#[test]
fn what_must_never_be_is_not_explained() {
    let two_winners = [Assign(0, Done), Accept(0, Done), Accept(1, Done)];
    let without_offer = [Accept(0, Done)];
    let lost = [Assign(0, Done), Accept(0, Done), Look(OrderStatus::Searching, None)];
    let resurrected = [Assign(0, Done), Cancel(Done), Accept(0, Done)];
    let wrong_reason = [Assign(0, Done), Cancel(Done), Accept(0, OfferExpired(OfferExpiredReason::Taken))];
    for steps in [&two_winners[..], &without_offer, &lost, &resurrected, &wrong_reason] {
        assert!(!explains(Alone::Nothing, steps), "{steps:?}");
    }
    for steps in [&two_winners[..], &lost, &resurrected, &wrong_reason] {
        assert!(!explains(Alone::Anything, steps), "{steps:?}");
    }
}

#[test]
fn the_dispatcher_and_deadlines_act_alone_where_they_may() {
    let found = [Accept(2, Done), Release(2, Done), Accept(1, Done)];
    let run_out =
        [Assign(0, Done), Accept(0, OfferExpired(OfferExpiredReason::Expired)), Look(OrderStatus::Pending, None)];
    for steps in [&found[..], &run_out] {
        assert!(explains(Alone::Anything, steps) && !explains(Alone::Nothing, steps), "{steps:?}");
    }
    assert!(!explains(Alone::Anything, &[Accept(2, Done), Release(2, Done), Accept(2, Done)]), "he gave it back");
}
