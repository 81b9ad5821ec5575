-- A day ahead: gateways name requests by their own clocks.
UPDATE ledger_owner SET former = CAST((unixepoch('subsec') + 86400) * 1000000 AS INTEGER);
