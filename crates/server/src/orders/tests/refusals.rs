//! Every reason why a driver cannot accept any more.

use std::time::Duration;

use holodrive_protocol::socket::OfferExpiredReason::{self, Cancelled, Expired, NotOffered, Reassigned, Taken};

use super::super::{OrderError, answers::Accepted};
use super::town::Town;

fn reason<T>(answer: Result<T, OrderError>) -> OfferExpiredReason {
    match answer {
        Err(OrderError::OfferExpired(reason)) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it can be accepted"),
    }
}

#[tokio::test]
async fn never_offered() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    let order = town.offered_to(&driver).await;
    for id in [order, order + 1, 0, -1, i64::MAX] {
        assert_eq!(reason(town.accept(id, &other).await), NotOffered);
        assert_eq!(reason(town.decline(id, &other).await), NotOffered);
    }
    assert_eq!(town.asked(order).await, Some(driver.id));
}

#[tokio::test]
async fn too_late_whether_or_not_anybody_swept() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "10")]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    town.clock.advance(Duration::from_secs(10));
    assert_eq!(reason(town.accept(order, &driver).await), Expired);
    assert_eq!(reason(town.decline(order, &driver).await), Expired);
    town.sweep().await;
    assert_eq!(reason(town.accept(order, &driver).await), Expired);
    assert_eq!(reason(town.decline(order, &driver).await), Expired);
}

#[tokio::test]
async fn just_in_time() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "10")]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    town.clock.advance(Duration::from_micros(9_999_999));
    assert!(town.accept(order, &driver).await.is_ok());
}

#[tokio::test]
async fn after_his_own_decline() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    town.decline(order, &driver).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Expired);
    assert_eq!(reason(town.decline(order, &driver).await), Expired);
}

#[tokio::test]
async fn reassigned_then_taken_then_cancelled() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    let order = town.offered_to(&driver).await;
    town.assign(order, &other).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Reassigned);
    town.accept(order, &other).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Taken);
    town.cancel(order, &town.rider).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Cancelled);
    assert_eq!(reason(town.accept(order, &other).await), Cancelled);
}

#[tokio::test]
async fn cancelled_while_it_was_offered() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    town.cancel(order, &town.rider).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Cancelled);
    assert_eq!(reason(town.decline(order, &driver).await), Cancelled);
}

#[tokio::test]
async fn accepting_again_gives_the_same_answer_to_the_end_of_the_trip() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    let Accepted::Now(first) = town.accept(order, &driver).await.unwrap() else { panic!("accepted before") };
    let Accepted::Before(again) = town.accept(order, &driver).await.unwrap() else { panic!("accepted twice") };
    assert_eq!(first, again);
    for step in [super::TripStep::Arrive, super::TripStep::Start, super::TripStep::Complete] {
        town.step(order, &driver, step).await.unwrap();
        assert!(matches!(town.accept(order, &driver).await, Ok(Accepted::Before(_))));
    }
    assert_eq!(town.history(order).await.iter().filter(|kind| *kind == "accepted").count(), 1);
}

#[tokio::test]
async fn a_driver_on_a_trip_gets_a_reason_for_every_other_order() {
    let town = Town::new(&[("ORDER_OFFERS_PER_DRIVER", "2")]).await;
    let driver = town.driver("driver").await;
    let (first, second, third) = (town.offered_to(&driver).await, town.offered_to(&driver).await, town.create().await);
    town.accept(first, &driver).await.unwrap();
    assert_eq!(reason(town.accept(second, &driver).await), Expired);
    assert_eq!(reason(town.accept(third, &driver).await), NotOffered);
    town.check_invariants().await;
}

#[tokio::test]
async fn after_he_gave_it_back() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    let order = town.offered_to(&driver).await;
    town.accept(order, &driver).await.unwrap();
    town.release(order, &driver).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Expired);
    town.assign(order, &other).await.unwrap();
    town.accept(order, &other).await.unwrap();
    assert_eq!(reason(town.accept(order, &driver).await), Taken);
}
