-- The tables of all peers that store in SQLite.
CREATE TABLE participant (conversation_id INTEGER, user_id INTEGER, PRIMARY KEY (conversation_id, user_id));
CREATE TABLE message (
  id INTEGER PRIMARY KEY, conversation_id INTEGER NOT NULL, sender_id INTEGER NOT NULL,
  sender_name TEXT NOT NULL, message TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE INDEX message_conversation ON message (conversation_id, id);
CREATE TABLE notification (
  id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title TEXT NOT NULL, message TEXT NOT NULL,
  notification_type TEXT NOT NULL, related_object_type TEXT, related_object_id INTEGER,
  data TEXT NOT NULL, created_at TEXT NOT NULL, read_at TEXT);
CREATE INDEX notification_user ON notification (user_id, id);
