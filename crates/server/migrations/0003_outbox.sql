-- The servers that run on this database, and how far each has followed the outbox.
CREATE TABLE holodrive_node (
    node TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
-- What other nodes are still to hear of; a row is one transaction. A node that is alone writes none.
CREATE TABLE holodrive_outbox (
    id {{id}},
    events TEXT NOT NULL
);
