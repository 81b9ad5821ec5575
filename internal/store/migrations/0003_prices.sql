-- The price book. Versions are never changed or deleted: what was charged by one can be explained for ever. tenant is ''
-- for everyone; from_at is the first moment at which the version holds; doc is the price as JSON.
CREATE TABLE prices (
    version    BIGINT NOT NULL PRIMARY KEY,
    model      TEXT   NOT NULL,
    tenant     TEXT   NOT NULL,
    from_at    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc        TEXT   NOT NULL,
    UNIQUE (model, tenant, from_at)
);
CREATE INDEX prices_tenant ON prices (tenant, version);

-- What a request cost, in nano-units; asset is '' where there is no cost.
ALTER TABLE records ADD COLUMN cost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN asset TEXT NOT NULL DEFAULT '';
