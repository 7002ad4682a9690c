use holodrive_protocol::{ConversationId, MessageId, UserId, chat::ChatMessage};

use crate::storage::{Row, StorageError, Tx};

const COLUMNS: &str = "message, sender_id, sender_name, is_from_support, created_at, id, conversation_id, client_id";

/// A message that is to be stored.
pub(in crate::chat) struct NewMessage<'m> {
    pub(in crate::chat) conversation_id: ConversationId,
    pub(in crate::chat) sender_id: UserId,
    pub(in crate::chat) sender_name: String,
    pub(in crate::chat) is_from_support: bool,
    pub(in crate::chat) message: &'m str,
    pub(in crate::chat) client_id: Option<&'m str>,
}

/// Stores a message.
pub(in crate::chat) fn insert_message(tx: &mut Tx<'_>, new: NewMessage<'_>) -> Result<ChatMessage, StorageError> {
    let sql = "INSERT INTO holodrive_message
               (conversation_id, sender_id, sender_name, is_from_support, message, client_id, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let params = [
        new.conversation_id.into(),
        new.sender_id.into(),
        new.sender_name.as_str().into(),
        new.is_from_support.into(),
        new.message.into(),
        new.client_id.into(),
        tx.now().into(),
    ];
    Ok(ChatMessage {
        message_id: tx.insert(sql, &params)?,
        message: new.message.to_owned(),
        sender_id: new.sender_id,
        sender_name: new.sender_name,
        is_from_support: new.is_from_support,
        created_at: tx.now(),
        conversation_id: new.conversation_id,
        client_id: new.client_id.map(str::to_owned),
    })
}

/// The message that this sender gave this id in the conversation.
pub(in crate::chat) fn by_client_id(
    tx: &mut Tx<'_>,
    conversation_id: ConversationId,
    sender_id: UserId,
    client_id: &str,
) -> Result<Option<ChatMessage>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holodrive_message WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3"
    );
    tx.query_one(&sql, &[conversation_id.into(), sender_id.into(), client_id.into()])?.map(message).transpose()
}

/// Messages with a higher id, oldest first.
pub(in crate::chat) fn after(
    tx: &mut Tx<'_>,
    conversation_id: ConversationId,
    after: MessageId,
    limit: i64,
) -> Result<Vec<ChatMessage>, StorageError> {
    let sql =
        format!("SELECT {COLUMNS} FROM holodrive_message WHERE conversation_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    messages(tx.query(&sql, &[conversation_id.into(), after.into(), limit.into()])?)
}

/// Messages with an id between two others, newest first.
pub(in crate::chat) fn between(
    tx: &mut Tx<'_>,
    conversation_id: ConversationId,
    (after, before): (MessageId, MessageId),
    limit: i64,
) -> Result<Vec<ChatMessage>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holodrive_message WHERE conversation_id = $1 AND id > $2 AND id < $3
         ORDER BY id DESC LIMIT $4"
    );
    messages(tx.query(&sql, &[conversation_id.into(), after.into(), before.into(), limit.into()])?)
}

/// Messages by id, those that exist.
pub(super) fn by_ids(tx: &mut Tx<'_>, ids: &[MessageId]) -> Result<Vec<ChatMessage>, StorageError> {
    messages(tx.query_in(|list| format!("SELECT {COLUMNS} FROM holodrive_message WHERE id IN ({list})"), ids)?)
}

/// Whether staff has written in the conversation.
pub(in crate::chat) fn has_message_from_support(tx: &mut Tx<'_>, id: ConversationId) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM holodrive_message WHERE conversation_id = $1 AND is_from_support LIMIT 1";
    Ok(tx.query_one(sql, &[id.into()])?.is_some())
}

/// Whether the message is in the conversation.
pub(in crate::chat) fn exists(
    tx: &mut Tx<'_>,
    conversation_id: ConversationId,
    id: MessageId,
) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM holodrive_message WHERE id = $1 AND conversation_id = $2";
    Ok(tx.query_one(sql, &[id.into(), conversation_id.into()])?.is_some())
}

/// Stores that a user has read a message; false when he had already.
pub(in crate::chat) fn mark_read(tx: &mut Tx<'_>, id: MessageId, user_id: UserId) -> Result<bool, StorageError> {
    let sql = "INSERT INTO holodrive_message_read (message_id, user_id, read_at) VALUES ($1, $2, $3)
               ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, &[id.into(), user_id.into(), tx.now().into()])? > 0)
}

fn messages(rows: Vec<Row>) -> Result<Vec<ChatMessage>, StorageError> {
    rows.into_iter().map(message).collect()
}

fn message(row: Row) -> Result<ChatMessage, StorageError> {
    let mut columns = row.columns();
    Ok(ChatMessage {
        message: columns.take()?,
        sender_id: columns.take()?,
        sender_name: columns.take()?,
        is_from_support: columns.take()?,
        created_at: columns.take()?,
        message_id: columns.take()?,
        conversation_id: columns.take()?,
        client_id: columns.take()?,
    })
}
