-- A day ahead: gateways name requests by their own clocks.
UPDATE ledger_owner SET former = CAST((extract(epoch FROM clock_timestamp()) + 86400) * 1000000 AS BIGINT);
