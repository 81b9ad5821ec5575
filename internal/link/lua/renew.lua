-- Keeps requests that still run: their memory, and the lease of their slots.
-- KEYS: requests, each followed by one set of slots that it has a member in, or
--       by itself when it holds none.
-- ARGV: now in microseconds (0: the clock of Redis), how long to remember a
--       request and to lease slots (ms), then the member for each pair of KEYS.
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
for i = 1, #KEYS, 2 do
  redis.call('PEXPIRE', KEYS[i], tonumber(ARGV[2]))
  if KEYS[i] ~= KEYS[i + 1] then
    redis.call('ZADD', KEYS[i + 1], 'XX', now / 1000 + tonumber(ARGV[3]), ARGV[3 + (i + 1) / 2])
    redis.call('PEXPIRE', KEYS[i + 1], 2 * tonumber(ARGV[3]))
  end
end
return #KEYS / 2
