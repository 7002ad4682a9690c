-- One index for both: a page of a user's notifications, and those of them that are unread, without looking at the rows.
-- Each index of its own is one more page to write and to sync for almost every notification.
DROP INDEX holodrive_notification_unread;
DROP INDEX holodrive_notification_user;
CREATE INDEX holodrive_notification_user ON holodrive_notification (user_id, id, read_at);
