-- Where other processes on the database reach the one that keeps the ledger; '' when it does not say.
ALTER TABLE ledger_owner ADD COLUMN address TEXT NOT NULL DEFAULT '';
