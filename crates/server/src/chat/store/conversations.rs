use std::collections::HashMap;

use holodrive_protocol::{
    ConversationId, MessageId, OrderId, Timestamp, UserId,
    chat::{Conversation, ConversationKind},
};

use super::messages;
use crate::storage::{Row, StorageError, Tx, Value};

/// Users who join a conversation in one statement.
const ADDED_AT_ONCE: usize = 256;

/// Who takes part in a conversation of which kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) struct Roster {
    pub(in crate::chat) kind: ConversationKind,
    pub(in crate::chat) participants: Vec<UserId>,
}

/// Stores a conversation without participants.
pub(in crate::chat) fn insert_conversation(
    tx: &mut Tx<'_>,
    kind: ConversationKind,
    order_id: Option<OrderId>,
    created_by: Option<UserId>,
) -> Result<ConversationId, StorageError> {
    let sql = "INSERT INTO holodrive_conversation (kind, order_id, created_by, created_at)
               VALUES ($1, $2, $3, $4)";
    let params = [kind_text(kind).into(), order_id.into(), created_by.into(), tx.now().into()];
    tx.insert(sql, &params)
}

/// The user's open support conversation.
pub(in crate::chat) fn open_support(tx: &mut Tx<'_>, user_id: UserId) -> Result<Option<ConversationId>, StorageError> {
    let sql = "SELECT id FROM holodrive_conversation WHERE created_by = $1 AND kind = 'support' AND closed_at IS NULL";
    tx.query_one(sql, &[user_id.into()])?.map(Row::first).transpose()
}

/// Whether the user takes part in the conversation; `None` where there is no such conversation.
pub(in crate::chat) fn participates(
    tx: &mut Tx<'_>,
    id: ConversationId,
    user_id: UserId,
) -> Result<Option<bool>, StorageError> {
    let sql = "SELECT p.user_id IS NOT NULL FROM holodrive_conversation c
               LEFT JOIN holodrive_conversation_participant p ON p.conversation_id = c.id AND p.user_id = $2
               WHERE c.id = $1";
    tx.query_one(sql, &[id.into(), user_id.into()])?.map(Row::first).transpose()
}

/// Who takes part in the conversation, by key; `None` where there is no such conversation.
pub(in crate::chat) fn roster(tx: &mut Tx<'_>, id: ConversationId) -> Result<Option<Roster>, StorageError> {
    let sql = "SELECT p.user_id, c.kind FROM holodrive_conversation c
               LEFT JOIN holodrive_conversation_participant p ON p.conversation_id = c.id
               WHERE c.id = $1 ORDER BY p.user_id";
    let mut roster = None;
    for row in tx.query(sql, &[id.into()])? {
        let mut columns = row.columns();
        let participant: Option<UserId> = columns.take()?;
        let roster = match &mut roster {
            Some(roster) => roster,
            None => roster.insert(Roster { kind: kind(&columns.take::<String>()?)?, participants: Vec::new() }),
        };
        roster.participants.extend(participant);
    }
    Ok(roster)
}

/// Lets users take part; nothing changes for those who do already.
pub(in crate::chat) fn add_participants(
    tx: &mut Tx<'_>,
    id: ConversationId,
    users: &[UserId],
) -> Result<(), StorageError> {
    for some in users.chunks(ADDED_AT_ONCE) {
        let rows = (3..).take(some.len()).map(|user| format!("($1, ${user}, $2)")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO holodrive_conversation_participant (conversation_id, user_id, joined_at)
             VALUES {rows} ON CONFLICT DO NOTHING"
        );
        let shared = [Value::from(id), tx.now().into()];
        let params: Vec<Value> = shared.into_iter().chain(some.iter().copied().map(Value::from)).collect();
        tx.execute(&sql, &params)?;
    }
    Ok(())
}

/// Ends a user's part in a conversation.
pub(in crate::chat) fn remove_participant(
    tx: &mut Tx<'_>,
    id: ConversationId,
    user_id: UserId,
) -> Result<(), StorageError> {
    let sql = "DELETE FROM holodrive_conversation_participant WHERE conversation_id = $1 AND user_id = $2";
    tx.execute(sql, &[id.into(), user_id.into()]).map(drop)
}

/// Who takes part in these conversations.
pub(in crate::chat) fn participants(
    tx: &mut Tx<'_>,
    ids: &[ConversationId],
) -> Result<Vec<(ConversationId, UserId)>, StorageError> {
    let sql = |list: &str| {
        format!(
            "SELECT conversation_id, user_id FROM holodrive_conversation_participant
             WHERE conversation_id IN ({list}) ORDER BY conversation_id, user_id"
        )
    };
    let pair = |row: Row| {
        let mut columns = row.columns();
        Ok((columns.take()?, columns.take()?))
    };
    tx.query_in(sql, ids)?.into_iter().map(pair).collect()
}

/// The keys of the conversations below `before`, newest first: of one participant, or all.
pub(in crate::chat) fn conversation_ids(
    tx: &mut Tx<'_>,
    participant: Option<UserId>,
    before: ConversationId,
    limit: i64,
) -> Result<Vec<ConversationId>, StorageError> {
    let rows = match participant {
        None => {
            let sql = "SELECT id FROM holodrive_conversation WHERE id < $1 ORDER BY id DESC LIMIT $2";
            tx.query(sql, &[before.into(), limit.into()])?
        }
        Some(user_id) => {
            let sql = "SELECT conversation_id FROM holodrive_conversation_participant
                       WHERE user_id = $1 AND conversation_id < $2 ORDER BY conversation_id DESC LIMIT $3";
            tx.query(sql, &[user_id.into(), before.into(), limit.into()])?
        }
    };
    rows.into_iter().map(Row::first).collect()
}

/// The conversations with these keys, newest first, each with its participants and its newest message.
pub(in crate::chat) fn conversations(
    tx: &mut Tx<'_>,
    ids: &[ConversationId],
) -> Result<Vec<Conversation>, StorageError> {
    let sql = |list: &str| {
        format!(
            "SELECT c.id, c.kind, c.order_id, c.created_at,
             (SELECT MAX(m.id) FROM holodrive_message m WHERE m.conversation_id = c.id)
             FROM holodrive_conversation c WHERE c.id IN ({list})"
        )
    };
    let entries = tx.query_in(sql, ids)?.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let last_ids: Vec<_> = entries.iter().filter_map(|entry| entry.last_message_id).collect();
    let mut messages: HashMap<_, _> =
        messages::by_ids(tx, &last_ids)?.into_iter().map(|message| (message.conversation_id, message)).collect();
    let mut members: HashMap<ConversationId, Vec<UserId>> = HashMap::new();
    for (id, user_id) in participants(tx, ids)? {
        members.entry(id).or_default().push(user_id);
    }
    let mut conversations: Vec<_> = entries
        .into_iter()
        .map(|entry| Conversation {
            id: entry.id,
            kind: entry.kind,
            order_id: entry.order_id,
            participant_ids: members.remove(&entry.id).unwrap_or_default(),
            created_at: entry.created_at,
            last_message: messages.remove(&entry.id),
        })
        .collect();
    conversations.sort_unstable_by_key(|conversation| std::cmp::Reverse(conversation.id));
    Ok(conversations)
}

/// A row of the list of conversations.
struct Entry {
    id: ConversationId,
    kind: ConversationKind,
    order_id: Option<OrderId>,
    created_at: Timestamp,
    last_message_id: Option<MessageId>,
}

fn entry(row: Row) -> Result<Entry, StorageError> {
    let mut columns = row.columns();
    Ok(Entry {
        id: columns.take()?,
        kind: kind(&columns.take::<String>()?)?,
        order_id: columns.take()?,
        created_at: columns.take()?,
        last_message_id: columns.take()?,
    })
}

/// How the database spells a kind.
fn kind_text(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Support => "support",
        ConversationKind::Order => "order",
        ConversationKind::Direct => "direct",
    }
}

fn kind(text: &str) -> Result<ConversationKind, StorageError> {
    match text {
        "support" => Ok(ConversationKind::Support),
        "order" => Ok(ConversationKind::Order),
        "direct" => Ok(ConversationKind::Direct),
        other => Err(StorageError::Database(format!("a conversation has the unknown kind {other}"))),
    }
}
