-- The price book only grows.
CREATE TRIGGER prices_keep_rows BEFORE DELETE ON prices
BEGIN
    SELECT RAISE(ABORT, 'prices are never deleted');
END;
CREATE TRIGGER prices_keep_content BEFORE UPDATE ON prices
BEGIN
    SELECT RAISE(ABORT, 'prices are never changed');
END;
