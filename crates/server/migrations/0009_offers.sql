-- Whether nobody else is asked as long as the offer lives: staff have chosen its driver.
ALTER TABLE holodrive_offer ADD COLUMN exclusive BOOLEAN NOT NULL DEFAULT FALSE;
-- Who could not be reached lately.
CREATE INDEX holodrive_offer_unreached ON holodrive_offer (ended_at) WHERE reason = 'unreachable';
