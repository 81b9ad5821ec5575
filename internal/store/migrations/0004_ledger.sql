-- The ledger; internal/ledger is its memory. Amounts are nano-units of the account's asset. INTEGER is what SQLite keeps rows
-- by, and as wide as BIGINT everywhere. Balances change by transfers alone; floor is NULL where there is none.
CREATE TABLE accounts (
    number     INTEGER NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    asset      TEXT    NOT NULL,
    -- The wallet that a grant or a receivable belongs to, or ''.
    wallet     TEXT    NOT NULL,
    floor      BIGINT,
    expires_at BIGINT  NOT NULL,
    opened_at  BIGINT  NOT NULL,
    posted     BIGINT  NOT NULL DEFAULT 0,
    pending    BIGINT  NOT NULL DEFAULT 0 CHECK (pending >= 0),
    CHECK (posted - pending >= floor)
);
CREATE INDEX accounts_wallet ON accounts (wallet) WHERE wallet <> '';

-- Transfers are never changed or deleted. seq is the order in which they took effect, with gaps; debit and credit are numbers
-- of accounts; ids are 16 bytes, request those of its UUID.
CREATE TABLE transfers (
    seq           INTEGER NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    txn           BLOB    NOT NULL,
    debit         BIGINT  NOT NULL,
    credit        BIGINT  NOT NULL,
    amount        BIGINT  NOT NULL CHECK (amount > 0),
    kind          TEXT    NOT NULL,
    -- The pending transfer that a post or void resolves.
    pending       BLOB,
    code          TEXT    NOT NULL,
    request       BLOB,
    attempt       BIGINT  NOT NULL,
    price_version BIGINT  NOT NULL,
    gateway       TEXT    NOT NULL,
    journal_seq   BIGINT  NOT NULL,
    booked_at     BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL
);
CREATE INDEX transfers_debit ON transfers (debit, seq);
CREATE INDEX transfers_credit ON transfers (credit, seq) WHERE kind IN ('single', 'post');
CREATE INDEX transfers_request ON transfers (request) WHERE request IS NOT NULL;

-- Pending transfers that nothing has resolved: what a start has to read, however long the history is.
CREATE TABLE holds (
    id     BLOB   NOT NULL PRIMARY KEY,
    seq    BIGINT NOT NULL,
    debit  BIGINT NOT NULL,
    amount BIGINT NOT NULL
);

-- Up to where each journal is applied.
CREATE TABLE journals (
    id         TEXT   NOT NULL PRIMARY KEY,
    position   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Who may write the above. Every commit names the epoch of its owner; booked is the last seq that was given out.
CREATE TABLE ledger_owner (
    name       TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    epoch      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    booked     BIGINT NOT NULL
);

-- What operators and systems outside have to hear of, in order; id keeps what happens twice from being told twice.
CREATE TABLE events (
    seq     BIGINT NOT NULL PRIMARY KEY,
    id      TEXT   NOT NULL UNIQUE,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    doc     TEXT   NOT NULL
);

-- Answers to data-plane requests with an Idempotency-Key. state is running or done; body is NULL while it runs, and where
-- it was too large to keep.
CREATE TABLE answers (
    scope      TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    body_hash  TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    request    TEXT   NOT NULL,
    deadline   BIGINT NOT NULL,
    status     BIGINT NOT NULL,
    head       TEXT   NOT NULL,
    body       BLOB,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX answers_expiry ON answers (expires_at);
