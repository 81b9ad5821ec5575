-- The price book only grows.
CREATE OR REPLACE FUNCTION prices_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'prices are never changed or deleted'; END $$;
CREATE TRIGGER prices_keep_rows BEFORE DELETE OR TRUNCATE ON prices
    FOR EACH STATEMENT EXECUTE FUNCTION prices_refuse();
CREATE TRIGGER prices_keep_content BEFORE UPDATE ON prices
    FOR EACH STATEMENT EXECUTE FUNCTION prices_refuse();
