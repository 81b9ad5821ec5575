-- Ids of a request's transfers begin with the first 8 bytes of the request's id, which is a UUIDv7: they are inserted where
-- those of the same minute lie, and the index by id finds a request's transfers. An index by request has only what that
-- does not find: transfers of before, refunds.
DROP INDEX transfers_request;
CREATE INDEX transfers_request ON transfers (request) WHERE request IS NOT NULL AND substr(id, 1, 8) <> substr(request, 1, 8);

-- Requests that began before former keep ids of the former kind, all of theirs: what was booked before the migration must
-- not be booked again under another id. A ledger that nobody has owned has none.
ALTER TABLE ledger_owner ADD COLUMN former BIGINT NOT NULL DEFAULT 0;
