-- Claims an Idempotency-Key, unless another request did.
-- KEYS[1] the answer, KEYS[2] what the caller has kept. ARGV: hash of the request, its id, its deadline in microseconds, how
-- long it is kept in milliseconds, the hour, and how many keys a caller may use.
-- Returns nothing when the request may run, one value when the caller uses too many keys, else what is known of the other one.
local was = redis.call('HMGET', KEYS[1], 'hash', 'request', 'deadline', 'state', 'status', 'head', 'body')
if was[2] and not (was[2] == ARGV[2] and was[4] == 'running') then
  return was
end
local claimed = was[2] and redis.call('HGET', KEYS[1], 'hour') or ARGV[5] -- where a drop gives it back
if not was[2] then
  local used, counted, hour = 0, redis.call('HGETALL', KEYS[2]), tonumber(ARGV[5])
  for i = 1, #counted, 2 do
    if tonumber(string.sub(counted[i], 2)) < hour - 24 then
      redis.call('HDEL', KEYS[2], counted[i])
    elseif string.sub(counted[i], 1, 1) == 'k' then
      used = used + tonumber(counted[i + 1])
    end
  end
  if used >= tonumber(ARGV[6]) then
    return {'full'}
  end
  redis.call('HINCRBY', KEYS[2], 'k' .. ARGV[5], 1)
  redis.call('EXPIRE', KEYS[2], 25 * 3600)
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'hash', ARGV[1], 'request', ARGV[2], 'deadline', ARGV[3], 'state', 'running', 'hour', claimed)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {}
