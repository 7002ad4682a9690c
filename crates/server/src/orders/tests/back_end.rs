//! What drivers are shown of a back end.

use serde_json::{Value, json};

use super::town::Town;
use crate::hooks::testing::{Django, SECRET};

async fn town(django: &Django) -> Town {
    let url = django.url();
    Town::new(&[("HOOKS_URL", &url), ("HOOKS_SECRET", SECRET), ("HOOKS_RETRIES", "0")]).await
}

#[tokio::test]
async fn its_orders_come_first_and_ours_behind() {
    let django = Django::start().await;
    let theirs = json!({"id": "A-1", "order_code": "DJ", "extra": {"any": [1, null]}});
    django.always("driver_orders", 200, json!({"orders": [theirs]}));
    let town = town(&django).await;
    let driver = town.driver_at("driver", 2.5).await;
    let order = town.offered_to(&driver).await;
    let mut peer = town.connect(&driver).await;
    assert_eq!(peer.hear_type("connection_established").await["driver_id"], json!(driver.id));
    let initial = peer.hear_type("initial_orders").await;
    assert_eq!(initial["message"], "Current pending orders");
    assert_eq!(initial["orders"][0], theirs);
    assert_eq!((&initial["orders"][1]["id"], initial["orders"].as_array().unwrap().len()), (&json!(order), 2));
    assert_eq!(django.asked("driver_orders")[0].data(), json!({"driver_id": driver.id}));
    peer.say(json!({"type": "accept_order", "order_id": order})).await;
    peer.hear_type("order_accepted").await;
}

#[tokio::test]
async fn none_of_its_orders_leaves_ours() {
    let django = Django::start().await;
    django.always("driver_orders", 200, json!({"orders": []}));
    let town = town(&django).await;
    let mut peer = town.connect(&town.driver("driver").await).await;
    peer.hear_type("connection_established").await;
    assert_eq!(peer.hear_type("initial_orders").await["orders"], json!([]));
}

#[tokio::test]
async fn without_its_answer_the_driver_is_to_come_back() {
    let django = Django::start().await;
    let town = town(&django).await;
    let driver = town.driver("driver").await;
    for (status, code, reason) in [(500, 1011, "unavailable"), (404, 1011, "unavailable"), (403, 4403, "forbidden")] {
        django.always("driver_orders", status, Value::Null);
        let close = town.try_connect(&driver).await.err().unwrap();
        assert_eq!((close.code, close.reason()), (code, reason.to_owned()), "{status}");
    }
}

#[tokio::test]
async fn it_is_asked_for_drivers_only() {
    let django = Django::start().await;
    let town = town(&django).await;
    assert_eq!(town.try_connect(&town.rider).await.err().unwrap().code, 4403);
    assert!(django.all().is_empty());
}
