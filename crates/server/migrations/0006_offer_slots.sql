-- An order that is broadcast has several live offers at once, each in a slot of its own; otherwise there is one, in slot 0.
ALTER TABLE holodrive_offer ADD COLUMN slot BIGINT NOT NULL DEFAULT 0;
DROP INDEX holodrive_offer_live;
CREATE UNIQUE INDEX holodrive_offer_live ON holodrive_offer (order_id, slot) WHERE state = 'live';
CREATE UNIQUE INDEX holodrive_offer_live_once ON holodrive_offer (order_id, driver_id) WHERE state = 'live';
