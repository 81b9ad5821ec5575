-- The ledger only grows.
CREATE TRIGGER transfers_keep_rows BEFORE DELETE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are never deleted');
END;
CREATE TRIGGER transfers_keep_content BEFORE UPDATE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are never changed');
END;
CREATE TRIGGER accounts_keep_rows BEFORE DELETE ON accounts
BEGIN
    SELECT RAISE(ABORT, 'accounts are never deleted');
END;

-- Who was served without a balance so far goes on so, said explicitly.
UPDATE "tenants" SET doc = json_set(doc, '$.spending', 'postpaid', '$.unlimited_credit', json('true'), '$.durability', 'fast')
    WHERE json_extract(doc, '$.spending') IS NULL;
