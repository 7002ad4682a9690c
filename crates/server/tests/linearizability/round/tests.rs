use holodrive_protocol::{OrderStatus, socket::OfferExpiredReason};

use super::{
    super::{
        checker::{Operation, is_linearizable},
        step::Answer::{self, Done, DriverBusy, InvalidTransition, NotFound, OfferExpired},
    },
    Act::{Accept, Arrive, Assign, Cancel, Complete, Decline, Release, Start},
    *,
};

const EXPIRED: Answer = OfferExpired(OfferExpiredReason::Expired);
const NOT_OFFERED: Answer = OfferExpired(OfferExpiredReason::NotOffered);
const TAKEN: Answer = OfferExpired(OfferExpiredReason::Taken);

fn explains(steps: &[Step]) -> bool {
    let history: Vec<_> = (0..)
        .zip(steps)
        .map(|(number, step)| Operation { called: 2 * number, answered: 2 * number + 1, step: *step })
        .collect();
    is_linearizable(&OnlyPeople, &history)
}

fn explains_acts(acts: &[(Which, Act, Answer)]) -> bool {
    explains(&acts.iter().map(|&(which, act, answer)| Step::Act(which, act, answer)).collect::<Vec<_>>())
}

#[test]
fn a_trip_and_its_refusals() {
    let steps = [
        Step::Act(0, Accept(0), NOT_OFFERED),
        Step::Act(0, Assign(0), Done),
        Step::Act(0, Assign(1), Done),
        Step::Act(0, Decline(0), OfferExpired(OfferExpiredReason::Reassigned)),
        Step::Poll { driver: 1, offered: [true, false, false], trip: None },
        Step::Act(0, Accept(1), Done),
        Step::Act(0, Accept(1), Done),
        Step::Act(0, Accept(0), TAKEN),
        Step::Act(0, Arrive(0), NotFound),
        Step::Look { order: 0, status: OrderStatus::Accepted, driver: Some(1) },
        Step::Act(0, Release(1), Done),
        Step::Act(0, Accept(1), EXPIRED),
        Step::Act(0, Cancel, Done),
    ];
    assert!(explains(&steps));
}

#[test]
fn what_must_never_be_is_not_explained() {
    let two_winners = [(0, Assign(0), Done), (0, Accept(0), Done), (0, Accept(1), Done)];
    let without_offer = [(0, Accept(0), Done)];
    let of_another_order = [(0, Assign(0), Done), (1, Accept(0), Done)];
    let resurrected = [(0, Assign(0), Done), (0, Cancel, Done), (0, Accept(0), Done)];
    let wrong_reason = [(0, Assign(0), Done), (0, Cancel, Done), (0, Accept(0), TAKEN)];
    for acts in [&two_winners[..], &without_offer, &of_another_order, &resurrected, &wrong_reason] {
        assert!(!explains_acts(acts), "{acts:?}");
    }
    let lost = Step::Look { order: 0, status: OrderStatus::Searching, driver: None };
    assert!(!explains(&[Step::Act(0, Assign(0), Done), Step::Act(0, Accept(0), Done), lost]));
}

/// Driver 0 has two offers, and takes the first.
const TAKES_ONE_OF_TWO: [(Which, Act, Answer); 3] = [(0, Assign(0), Done), (1, Assign(0), Done), (0, Accept(0), Done)];

#[test]
fn a_driver_drives_one_order_and_his_other_offers_end() {
    let after = |acts: &[_]| explains_acts(&[&TAKES_ONE_OF_TWO[..], acts].concat());
    assert!(after(&[(1, Accept(0), EXPIRED)]));
    assert!(!after(&[(1, Accept(0), Done)]), "two trips");
    assert!(!after(&[(1, Decline(0), Done)]), "the other offer is still there");
    let steps = TAKES_ONE_OF_TWO.map(|(which, act, answer)| Step::Act(which, act, answer));
    let polled = |offered, trip| explains(&[&steps[..], &[Step::Poll { driver: 0, offered, trip }]].concat());
    assert!(polled([false; ORDERS], Some(0)));
    assert!(!polled([false, true, false], Some(0)) && !polled([false; ORDERS], None));
}

#[test]
fn busy_is_who_drives_and_nobody_else() {
    let after = |acts: &[_]| explains_acts(&[&TAKES_ONE_OF_TWO[..], acts].concat());
    assert!(after(&[(1, Assign(0), DriverBusy)]));
    assert!(!after(&[(1, Assign(0), Done)]));
    assert!(!after(&[(1, Assign(1), DriverBusy)]), "he drives nothing");
    assert!(after(&[(0, Assign(0), InvalidTransition)]), "it is taken, whoever is busy");
    let trip = [(0, Arrive(0), Done), (0, Start(0), Done), (0, Complete(0), Done)];
    assert!(after(&[&trip[..], &[(1, Assign(0), Done)]].concat()));
    assert!(!after(&[&trip[..], &[(1, Assign(0), DriverBusy)]].concat()), "he is done with it");
    assert!(after(&[(0, Release(0), Done), (1, Assign(0), Done), (1, Accept(0), Done)]));
}
