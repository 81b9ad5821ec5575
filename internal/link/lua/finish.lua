-- Settles or releases a request: corrects its token claims by what was really
-- used and frees its slots, once.
-- KEYS: the request, then the bucket of each token and concurrency claim.
-- ARGV: now in microseconds (0: the clock of Redis), how long to remember the
--       request (ms), request id, tokens used, then for each claim kind (t or
--       c), limit, window (microseconds), amount, its index among the claims.
-- Returns 1, or 0 when the request is not open.
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local id, tokens = ARGV[3], tonumber(ARGV[4])
local state = redis.call('GET', KEYS[1])
local open = state and string.sub(state, 1, 1) == 'o'
for i = 2, #KEYS do
  local a = 5 + (i - 2) * 5
  local key, kind, limit = KEYS[i], ARGV[a], tonumber(ARGV[a + 1])
  local window, amount, index = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), ARGV[a + 4]
  if kind == 'c' then
    for n = 1, amount do redis.call('ZREM', key, id .. ' ' .. index .. ' ' .. n) end
  elseif open and limit > 0 then
    local level, at = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
    level, at = tonumber(level) or 0, tonumber(at) or now
    level = math.max(0, level - math.max(0, now - at) * limit / window + tokens - amount)
    redis.call('SET', key, string.format('%.17g %.0f', level, math.max(now, at)), 'PX',
      string.format('%.0f', math.min(level * window / limit / 1000 + 1000, 2592000000)))
  end
end
if not open then return 0 end
redis.call('SET', KEYS[1], 'd' .. string.sub(state, 2), 'PX', tonumber(ARGV[2]))
return 1
