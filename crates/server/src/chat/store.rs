//! The SQL of conversations and messages.

use holodrive_protocol::{ConversationId, OrderId, UserId, chat::ConversationKind};

use crate::storage::{Row, StorageError, Tx};

/// Stores a conversation without participants.
pub(super) fn insert_conversation(
    tx: &mut Tx<'_>,
    kind: ConversationKind,
    order_id: Option<OrderId>,
    created_by: Option<UserId>,
) -> Result<ConversationId, StorageError> {
    let sql = "INSERT INTO holodrive_conversation (kind, order_id, created_by, created_at)
               VALUES ($1, $2, $3, $4) RETURNING id";
    let params = [kind_text(kind).into(), order_id.into(), created_by.into(), tx.now().into()];
    tx.query_one(sql, &params)?.ok_or(StorageError::Unavailable)?.first()
}

/// The conversation of an order.
pub(super) fn of_order(tx: &mut Tx<'_>, order_id: OrderId) -> Result<Option<ConversationId>, StorageError> {
    let sql = "SELECT id FROM holodrive_conversation WHERE order_id = $1 ORDER BY id LIMIT 1";
    tx.query_one(sql, &[order_id.into()])?.map(Row::first).transpose()
}

/// Lets a user take part; nothing changes when he does already.
pub(super) fn add_participant(tx: &mut Tx<'_>, id: ConversationId, user_id: UserId) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_conversation_participant (conversation_id, user_id, joined_at)
               VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, &[id.into(), user_id.into(), tx.now().into()]).map(drop)
}

/// Ends a user's part in a conversation.
pub(super) fn remove_participant(tx: &mut Tx<'_>, id: ConversationId, user_id: UserId) -> Result<(), StorageError> {
    let sql = "DELETE FROM holodrive_conversation_participant WHERE conversation_id = $1 AND user_id = $2";
    tx.execute(sql, &[id.into(), user_id.into()]).map(drop)
}

/// How the database spells a kind.
fn kind_text(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Support => "support",
        ConversationKind::Order => "order",
        ConversationKind::Direct => "direct",
    }
}
