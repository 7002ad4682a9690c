// Messages and notifications in SQLite (bun:sqlite): on the disk before anybody sees them.
import { readFileSync } from "node:fs";
import { Database } from "bun:sqlite";

const SCHEMA = readFileSync(new URL("schema.sql", import.meta.url), "utf8");

/** A store with the benchmark's conversations: the users in their order, `members` in each. */
export function open(file, conversations, members) {
  const db = new Database(file, { create: true, strict: true });
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA synchronous = FULL");
  db.exec(SCHEMA);

  const join = db.prepare("INSERT INTO participant VALUES (?, ?)");
  db.transaction(() => {
    for (let user = 0; user < conversations * members; user++) join.run(Math.floor(user / members) + 1, user + 1);
  })();

  const participants = db.prepare("SELECT user_id FROM participant WHERE conversation_id = ?");
  const insertMessage = db.prepare(
    "INSERT INTO message (conversation_id, sender_id, sender_name, message, created_at) VALUES (?, ?, ?, ?, ?)");
  const insertNotification = db.prepare(
    `INSERT INTO notification (user_id, title, message, notification_type, related_object_type, related_object_id, data,
     created_at) VALUES (?, ?, ?, 'chat_message', 'conversation', ?, ?, ?)`);

  const isMember = db.prepare("SELECT 1 FROM participant WHERE conversation_id = ? AND user_id = ?");

  const add = db.transaction((conversation, sender, name, text, at) => {
    const id = Number(insertMessage.run(conversation, sender, name, text, at).lastInsertRowid);
    const data = { conversation_id: conversation, message_id: id };
    const title = `New message from ${name}`;
    const body = `New message in conversation: ${text.slice(0, 50)}...`;
    const notifications = [];
    for (const { user_id } of participants.iterate(conversation)) {
      if (user_id === sender) continue;
      const row = insertNotification.run(user_id, title, body, conversation, JSON.stringify(data), at);
      notifications.push({
        user_id,
        notification: {
          id: Number(row.lastInsertRowid), title, message: body, notification_type: "chat_message",
          related_object_type: "conversation", related_object_id: conversation, data, created_at: at, status: "unread",
        },
      });
    }
    return { id, notifications };
  });

  return { add, isMember: (conversation, user) => isMember.get(conversation, user) !== null };
}
