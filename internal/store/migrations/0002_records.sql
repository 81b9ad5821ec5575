-- Storing records is what a gateway's core spends most on beside its traffic. The key by time also serves the lists
-- that its own index served; model and provider are looked for within a tenant or a time.
CREATE TABLE new_records (
    id             TEXT   NOT NULL,
    time           BIGINT NOT NULL,
    tenant         TEXT   NOT NULL,
    user_name      TEXT   NOT NULL,
    key_name       TEXT   NOT NULL,
    model          TEXT   NOT NULL,
    provider       TEXT   NOT NULL,
    route          TEXT   NOT NULL,
    outcome        TEXT   NOT NULL,
    latency_ms     BIGINT NOT NULL,
    ttft_ms        BIGINT NOT NULL,
    input          BIGINT NOT NULL,
    cached_input   BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    output         BIGINT NOT NULL,
    reasoning      BIGINT NOT NULL,
    audio_input    BIGINT NOT NULL,
    audio_output   BIGINT NOT NULL,
    image          BIGINT NOT NULL,
    doc            TEXT   NOT NULL,
    PRIMARY KEY (time, id)
);
INSERT INTO new_records SELECT * FROM records;
DROP TABLE records;
ALTER TABLE new_records RENAME TO records;
CREATE INDEX records_tenant ON records (tenant, time);
CREATE INDEX records_user ON records (tenant, user_name, time) WHERE user_name <> '';
CREATE INDEX records_key ON records (tenant, key_name, time) WHERE key_name <> '';
