-- Written for SQLite and PostgreSQL alike; triggers are in the files beside it.
-- Times are microseconds since 1970 UTC; 0 is "never".

-- Numbers that are never given twice: ids per kind, revisions, audit entries.
CREATE TABLE sequences (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One table for each kind of managed object. doc is the object as JSON; the
-- other columns are what is looked up. search is the lower-case text that
-- ListQuery.Search looks in.
CREATE TABLE "tenants" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    status TEXT NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "roles" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "users" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    email         TEXT   NOT NULL UNIQUE,
    status        TEXT   NOT NULL,
    -- The PHC string, "" while the user cannot sign in. It is never read with the object.
    password_hash TEXT   NOT NULL DEFAULT '',
    last_login_at BIGINT NOT NULL DEFAULT 0,
    UNIQUE (tenant, name)
);
CREATE TABLE "groups" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "providers" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    group_name TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "models" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    status TEXT NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "upstreams" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    scheme TEXT NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "routes" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    surface    TEXT   NOT NULL,
    upstream   TEXT   NOT NULL,
    group_name TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE "keys" (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    search     TEXT   NOT NULL,
    doc        TEXT   NOT NULL,
    owner         TEXT   NOT NULL,
    group_name    TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    token_hash    TEXT   NOT NULL UNIQUE,
    -- "" when no rotation is under way.
    retiring_hash TEXT   NOT NULL DEFAULT '',
    last_used_at  BIGINT NOT NULL DEFAULT 0,
    UNIQUE (tenant, name)
);
CREATE INDEX keys_retiring ON "keys" (retiring_hash) WHERE retiring_hash <> '';
CREATE INDEX keys_owner ON "keys" (tenant, owner);

-- Which field of which object needs which object; it guards deletes.
CREATE TABLE reference (
    from_kind   TEXT   NOT NULL,
    from_id     BIGINT NOT NULL,
    from_tenant TEXT   NOT NULL,
    from_name   TEXT   NOT NULL,
    field       TEXT   NOT NULL,
    to_kind     TEXT   NOT NULL,
    to_id       BIGINT NOT NULL,
    PRIMARY KEY (from_kind, from_id, field)
);
CREATE INDEX reference_to ON reference (to_kind, to_id);

-- Which tenants besides its own may read an object; tenant '*' is all.
CREATE TABLE sharing (
    kind   TEXT   NOT NULL,
    id     BIGINT NOT NULL,
    tenant TEXT   NOT NULL,
    PRIMARY KEY (kind, id, tenant)
);

-- What the last revisions changed, so that a snapshot need not be read anew.
CREATE TABLE changes (
    revision BIGINT NOT NULL PRIMARY KEY,
    kind     TEXT   NOT NULL,
    id       BIGINT NOT NULL
);

CREATE TABLE refresh_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    family     TEXT   NOT NULL,
    user_id    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL DEFAULT 0,
    revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE sessions (
    hash       TEXT   NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL,
    csrf       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE setup_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE TABLE login_attempts (
    subject      TEXT   NOT NULL PRIMARY KEY,
    failures     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    locked_until BIGINT NOT NULL
);
CREATE INDEX login_attempts_last ON login_attempts (last_at);

CREATE TABLE idempotency (
    caller       TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    request_hash TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    object_id    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE audit (
    seq        BIGINT NOT NULL PRIMARY KEY,
    time       BIGINT NOT NULL,
    tenant     TEXT   NOT NULL,
    actor      TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    object     TEXT   NOT NULL,
    object_id  BIGINT NOT NULL,
    diff       TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    ip         TEXT   NOT NULL,
    prev_hash  TEXT   NOT NULL,
    hash       TEXT   NOT NULL
);
CREATE INDEX audit_tenant ON audit (tenant, seq);

CREATE TABLE records (
    id             TEXT   NOT NULL PRIMARY KEY,
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
    doc            TEXT   NOT NULL
);
CREATE INDEX records_time ON records (time, id);
CREATE INDEX records_tenant ON records (tenant, time, id);
CREATE INDEX records_user ON records (tenant, user_name, time);
CREATE INDEX records_key ON records (tenant, key_name, time);
CREATE INDEX records_model ON records (model, time);
CREATE INDEX records_provider ON records (provider, time);
