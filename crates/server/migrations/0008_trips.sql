-- When the rider wants to be picked up; NULL: as soon as may be.
ALTER TABLE holodrive_order ADD COLUMN pickup_at BIGINT;
-- Nobody is offered the order before.
ALTER TABLE holodrive_order ADD COLUMN search_from BIGINT NOT NULL DEFAULT 0;
UPDATE holodrive_order SET search_from = created_at;
-- What a rider has open, however many orders he had before.
CREATE INDEX holodrive_order_open ON holodrive_order (rider_id, id) WHERE status NOT IN ('completed', 'cancelled', 'no_driver');
CREATE INDEX holodrive_order_search ON holodrive_order (search_until) WHERE status = 'searching';
-- What the order asks of a vehicle; NULL: nothing.
ALTER TABLE holodrive_order ADD COLUMN vehicle_class TEXT;
ALTER TABLE holodrive_order ADD COLUMN seats BIGINT;
-- What the driver must be told before the trip starts; NULL: nothing.
ALTER TABLE holodrive_order ADD COLUMN start_pin TEXT;

-- What the driver drives: a JSON list of classes, and seats for passengers; NULL: nobody said.
ALTER TABLE holodrive_driver ADD COLUMN vehicle_classes TEXT;
ALTER TABLE holodrive_driver ADD COLUMN vehicle_seats BIGINT;
