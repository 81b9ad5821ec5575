-- Says how the request that claimed an Idempotency-Key ended; that of another request stays.
-- KEYS[1] the answer, KEYS[2] what the caller has kept. ARGV: id of the request, "drop" or "done", status, content type, how
-- long it is kept in milliseconds, the hour, how many bytes a caller may have kept, and the body where it is kept.
local was = redis.call('HMGET', KEYS[1], 'request', 'state')
if was[1] ~= ARGV[1] or was[2] ~= 'running' then
  return 0
end
if ARGV[2] == 'drop' then
  local counted = 'k' .. (redis.call('HGET', KEYS[1], 'hour') or ARGV[6])
  if redis.call('HEXISTS', KEYS[2], counted) == 1 then -- else that hour counts no more
    redis.call('HINCRBY', KEYS[2], counted, -1)
  end
  return redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'state', 'done', 'status', ARGV[3], 'head', ARGV[4])
if ARGV[8] then
  local kept, counted = #ARGV[8], redis.call('HGETALL', KEYS[2])
  for i = 1, #counted, 2 do
    if string.sub(counted[i], 1, 1) == 'b' and tonumber(string.sub(counted[i], 2)) >= tonumber(ARGV[6]) - 24 then
      kept = kept + tonumber(counted[i + 1])
    end
  end
  if kept <= tonumber(ARGV[7]) then
    redis.call('HSET', KEYS[1], 'body', ARGV[8])
    redis.call('HINCRBY', KEYS[2], 'b' .. ARGV[6], #ARGV[8])
    redis.call('EXPIRE', KEYS[2], 25 * 3600)
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
