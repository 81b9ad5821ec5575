-- Claims an Idempotency-Key, unless another request did.
-- KEYS[1] the answer. ARGV: hash of the request, its id, its deadline in microseconds, how long it is kept in milliseconds.
-- Returns nothing when the request may run, else what is known of the other one.
local was = redis.call('HMGET', KEYS[1], 'hash', 'request', 'deadline', 'state', 'status', 'head', 'body')
if was[2] and not (was[2] == ARGV[2] and was[4] == 'running') then
  return was
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'hash', ARGV[1], 'request', ARGV[2], 'deadline', ARGV[3], 'state', 'running')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {}
