-- The first way of a notification to a device; no row: none that is known.
CREATE TABLE holodrive_notification_delivery (
    notification_id BIGINT NOT NULL PRIMARY KEY REFERENCES holodrive_notification (id) ON DELETE CASCADE,
    written_at BIGINT NOT NULL,
    -- NULL: its connection ended without the device having confirmed it.
    confirmed_at BIGINT
);
