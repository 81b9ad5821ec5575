-- Money that no request moves: top-ups, grants, redemptions, refunds, adjustments. A row is written before its transfer is
-- made, so that an id means one payment for ever; booked_at is 0 until the ledger has the transfer. owner is whose wallet it
-- is, as the wallet's account names it; request is '' but for refunds; number is the order of creation; doc is the payment
-- as JSON.
CREATE TABLE payments (
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    number     BIGINT NOT NULL UNIQUE,
    tenant     TEXT   NOT NULL,
    owner      TEXT   NOT NULL,
    request    TEXT   NOT NULL,
    transfer   TEXT   NOT NULL UNIQUE,
    amount     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    booked_at  BIGINT NOT NULL DEFAULT 0,
    doc        TEXT   NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX payments_owner ON payments (owner, number);
CREATE INDEX payments_open ON payments (number) WHERE booked_at = 0;
CREATE INDEX payments_request ON payments (request);

-- Redemption codes: batch is the number that the codes of one order share; hash is the SHA-256 of the code, which is shown
-- once. Who redeemed a code is in payments, by the kind redemption and the code's id.
CREATE TABLE redemption_codes (
    id         BIGINT NOT NULL PRIMARY KEY,
    batch      BIGINT NOT NULL,
    hash       TEXT   NOT NULL UNIQUE,
    prefix     TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    asset      TEXT   NOT NULL,
    note       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX redemption_codes_batch ON redemption_codes (batch, id);
