-- Says how the request that claimed an Idempotency-Key ended; that of another request stays.
-- KEYS[1] the answer. ARGV: id of the request, "drop" or "done", status, content type, how long it is kept in milliseconds,
-- and the body where it is kept.
local was = redis.call('HMGET', KEYS[1], 'request', 'state')
if was[1] ~= ARGV[1] or was[2] ~= 'running' then
  return 0
end
if ARGV[2] == 'drop' then
  return redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'state', 'done', 'status', ARGV[3], 'head', ARGV[4])
if ARGV[6] then
  redis.call('HSET', KEYS[1], 'body', ARGV[6])
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
