-- When the devices of an offer's driver are to be told of it, next or again, or that it is over; NULL: nothing is to be done. While a
-- node is about it, it keeps this ahead of the present, so that another one takes over should it die.
ALTER TABLE holodrive_offer ADD COLUMN push_at BIGINT;
-- When the first device, or the back end, was told of it.
ALTER TABLE holodrive_offer ADD COLUMN pushed_at BIGINT;
CREATE INDEX holodrive_offer_push ON holodrive_offer (push_at) WHERE push_at IS NOT NULL;

-- What reaches the phone of a user whose app sleeps.
CREATE TABLE holodrive_device (
    id {{id}},
    user_id {{user}} NOT NULL,
    platform TEXT NOT NULL CHECK (platform IN ('fcm', 'apns')),
    token TEXT NOT NULL,
    name TEXT,
    -- When its app last said so.
    registered_at BIGINT NOT NULL
);
-- A phone belongs to whoever used it last.
CREATE UNIQUE INDEX holodrive_device_token ON holodrive_device (platform, token);
CREATE INDEX holodrive_device_user ON holodrive_device (user_id, registered_at);
