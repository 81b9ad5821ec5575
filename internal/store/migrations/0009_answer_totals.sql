-- How many answers to requests with an Idempotency-Key are kept for each scope, and how many bytes of them: one caller must
-- not fill the database, and counting them each time would cost more than the request.
CREATE TABLE answer_totals (
    scope TEXT   NOT NULL PRIMARY KEY,
    keys  BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);
INSERT INTO answer_totals (scope, keys, bytes) SELECT scope, COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM answers GROUP BY scope;
