//! The PIN at the start of a trip (`ORDER_START_PIN`): a rider tells it in the chat, and his driver reads it there.

use holodrive_client::{Api, Error, PageOf};
use holodrive_protocol::{Order, http::SendMessage};

const WORDS: &str = "My PIN is ";

/// Tells the driver who is here, where the order has a PIN; telling it again changes nothing.
pub(super) async fn tell(api: Api, order: Order) {
    let (Some(conversation), Some(pin)) = (order.conversation_id, order.pin) else { return };
    let message = SendMessage { message: format!("{WORDS}{pin}"), client_id: Some(format!("pin-{}-{pin}", order.id)) };
    if let Err(error) = api.send_message(conversation, &message).await {
        tracing::debug!(%error, "demo: a PIN was not told");
    }
}

/// What the rider has told; `None` as long as he has not.
pub(super) async fn told(api: &Api, order: &Order) -> Result<Option<String>, Error> {
    let Some(conversation) = order.conversation_id else { return Ok(None) };
    let newest_first = api.messages(conversation, &PageOf::default()).await?.results;
    let mut by_rider = newest_first.iter().filter(|message| message.sender_id == order.rider_id);
    Ok(by_rider.find_map(|message| message.message.strip_prefix(WORDS)).map(str::to_owned))
}
