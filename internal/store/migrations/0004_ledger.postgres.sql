-- The ledger only grows.
CREATE OR REPLACE FUNCTION ledger_refuses() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER transfers_keep_rows BEFORE DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();
CREATE TRIGGER transfers_keep_content BEFORE UPDATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();
CREATE TRIGGER accounts_keep_rows BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();

-- Who was served without a balance so far goes on so, said explicitly.
UPDATE "tenants" SET doc = CAST(CAST(doc AS JSONB) || '{"spending": "postpaid", "unlimited_credit": true, "durability": "fast"}' AS TEXT)
    WHERE CAST(doc AS JSONB) ->> 'spending' IS NULL;
