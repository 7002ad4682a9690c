-- Moments are microseconds since the epoch, coordinates millionths of a degree.
CREATE TABLE holodrive_notification (
    id {{id}},
    user_id {{user}} NOT NULL,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    notification_type TEXT NOT NULL,
    related_object_type TEXT,
    related_object_id BIGINT,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    read_at BIGINT
);
CREATE INDEX holodrive_notification_user ON holodrive_notification (user_id, id);
CREATE INDEX holodrive_notification_unread ON holodrive_notification (user_id, id) WHERE read_at IS NULL;

CREATE TABLE holodrive_conversation (
    id {{id}},
    kind TEXT NOT NULL CHECK (kind IN ('support', 'order', 'direct')),
    order_id BIGINT,
    created_by {{user}},
    created_at BIGINT NOT NULL,
    closed_at BIGINT
);
-- A user has one open support conversation.
CREATE UNIQUE INDEX holodrive_conversation_support ON holodrive_conversation (created_by)
    WHERE kind = 'support' AND closed_at IS NULL;
CREATE INDEX holodrive_conversation_order ON holodrive_conversation (order_id) WHERE order_id IS NOT NULL;
CREATE TABLE holodrive_conversation_participant (
    conversation_id BIGINT NOT NULL REFERENCES holodrive_conversation (id),
    user_id {{user}} NOT NULL,
    joined_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX holodrive_conversation_participant_user ON holodrive_conversation_participant (user_id, conversation_id);
CREATE TABLE holodrive_message (
    id {{id}},
    conversation_id BIGINT NOT NULL REFERENCES holodrive_conversation (id),
    sender_id {{user}} NOT NULL,
    sender_name TEXT NOT NULL,
    is_from_support BOOLEAN NOT NULL,
    message TEXT NOT NULL,
    client_id TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX holodrive_message_conversation ON holodrive_message (conversation_id, id);
CREATE UNIQUE INDEX holodrive_message_client ON holodrive_message (conversation_id, sender_id, client_id)
    WHERE client_id IS NOT NULL;
CREATE TABLE holodrive_message_read (
    message_id BIGINT NOT NULL REFERENCES holodrive_message (id),
    user_id {{user}} NOT NULL,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (message_id, user_id)
);

CREATE TABLE holodrive_driver (
    driver_id {{user}} NOT NULL PRIMARY KEY,
    -- NULL: never set; then the driver is online while he has a driver socket open.
    status TEXT CHECK (status IN ('online', 'offline')),
    latitude BIGINT,
    longitude BIGINT,
    position_at BIGINT,
    seen_at BIGINT
);

CREATE TABLE holodrive_order (
    id {{id}},
    rider_id {{user}} NOT NULL,
    driver_id {{user}},
    status TEXT NOT NULL CHECK (status IN
        ('searching', 'pending', 'accepted', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_driver')),
    order_type TEXT NOT NULL,
    address_from TEXT NOT NULL,
    address_to TEXT NOT NULL,
    latitude_from BIGINT NOT NULL,
    longitude_from BIGINT NOT NULL,
    latitude_to BIGINT NOT NULL,
    longitude_to BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When the search ends as no_driver; a release begins a new search.
    search_until BIGINT NOT NULL,
    conversation_id BIGINT REFERENCES holodrive_conversation (id),
    CHECK ((status IN ('accepted', 'arrived', 'in_progress', 'completed')) = (driver_id IS NOT NULL) OR status = 'cancelled')
);
CREATE INDEX holodrive_order_rider ON holodrive_order (rider_id, id);
CREATE INDEX holodrive_order_driver ON holodrive_order (driver_id, id) WHERE driver_id IS NOT NULL;
CREATE INDEX holodrive_order_waiting ON holodrive_order (id) WHERE status IN ('searching', 'pending');
CREATE INDEX holodrive_order_status ON holodrive_order (status, id);
-- A driver drives one order at a time.
CREATE UNIQUE INDEX holodrive_order_trip ON holodrive_order (driver_id)
    WHERE status IN ('accepted', 'arrived', 'in_progress');

CREATE TABLE holodrive_offer (
    id {{id}},
    order_id BIGINT NOT NULL REFERENCES holodrive_order (id),
    driver_id {{user}} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'accepted', 'declined', 'expired', 'revoked', 'released')),
    -- Why it was revoked: unreachable, reassigned, cancelled, busy.
    reason TEXT,
    distance_km DOUBLE PRECISION,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When an offer that was not delivered is withdrawn; NULL: never.
    unreachable_at BIGINT,
    delivered_at BIGINT,
    ended_at BIGINT
);
-- An order has at most one live offer, and one driver.
CREATE UNIQUE INDEX holodrive_offer_live ON holodrive_offer (order_id) WHERE state = 'live';
CREATE UNIQUE INDEX holodrive_offer_accepted ON holodrive_offer (order_id) WHERE state = 'accepted';
CREATE INDEX holodrive_offer_live_driver ON holodrive_offer (driver_id) WHERE state = 'live';
CREATE INDEX holodrive_offer_deadline ON holodrive_offer (expires_at) WHERE state = 'live';
CREATE INDEX holodrive_offer_unreachable ON holodrive_offer (unreachable_at) WHERE state = 'live' AND delivered_at IS NULL;
CREATE INDEX holodrive_offer_order ON holodrive_offer (order_id, driver_id, id);

CREATE TABLE holodrive_order_event (
    id {{id}},
    order_id BIGINT NOT NULL REFERENCES holodrive_order (id),
    at BIGINT NOT NULL,
    type TEXT NOT NULL,
    actor_id {{user}},
    details TEXT NOT NULL
);
CREATE INDEX holodrive_order_event_order ON holodrive_order_event (order_id, id);

-- The first answer to an unsafe request with an Idempotency-Key, kept for 24 hours.
CREATE TABLE holodrive_idempotency (
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX holodrive_idempotency_created ON holodrive_idempotency (created_at);
