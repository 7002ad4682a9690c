//! Notifications of which a back end stores that they were read.

use serde_json::{Value, json};

use super::connect;
use crate::{
    hooks::testing::{Django, SECRET},
    testing::Site,
};

#[tokio::test]
async fn it_stores_what_was_read_and_all_of_the_user_hear_it() {
    let django = Django::start().await;
    let url = django.url();
    let site = Site::with(&[("HOOKS_URL", &url), ("HOOKS_SECRET", SECRET), ("HOOKS_RETRIES", "0")]);
    let ann = site.user("Ann", "Lee").await;
    let (mut one, mut two) = (connect(&site, &ann, None).await, connect(&site, &ann, None).await);
    let read = json!({"type": "mark_as_read", "notification_id": 12});
    for (status, code) in [(404, "not_found"), (500, "unavailable")] {
        django.always("mark_as_read", status, Value::Null);
        one.say(read.clone()).await;
        assert_eq!(one.hear_type("error").await["code"], code);
    }
    django.always("mark_as_read", 204, Value::Null);
    one.say(read).await;
    let told = json!({"type": "notification_read", "notification_id": 12});
    assert_eq!((one.hear().await, two.hear().await), (told.clone(), told));
    assert_eq!(django.asked("mark_as_read")[0].data(), json!({"notification_id": 12, "user_id": ann.id}));
}
