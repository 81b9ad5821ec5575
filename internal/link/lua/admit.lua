-- Decides on all claims of a request at once: all of them are taken or none.
-- KEYS: the request, then one bucket for each claim, then, when a key is to be
--       judged: auth:token:<hash>, auth:retiring:<hash>, config:rev,
--       config:manifest, config:keys.
-- ARGV: now in microseconds (0: the clock of Redis), how long to remember the
--       request and to lease slots (ms), request id, hash of the key or '', the
--       revision that knows the key, then for each claim kind (r, t or c), limit,
--       burst, window (microseconds), amount.
-- Returns {1, remaining, reset in microseconds, ...} for each claim, the same
-- again for a request that is known, {0, index, wait in microseconds}, or {-1}
-- for a key that is gone or disabled.
--
-- A rate's bucket is the leaky bucket of ITU-T I.371, which is GCRA by another
-- name: "<level> <time>", where level drains by limit per window. A level above
-- the burst is debt. A slot is a member of a sorted set that expires.
local known = redis.call('GET', KEYS[1])
if known then return cjson.decode(string.sub(known, 2)) end

local buckets, hash = #KEYS, ARGV[5]
if hash ~= '' then
  buckets = #KEYS - 5
  local token, retiring, revision, manifest, all = unpack(KEYS, buckets + 1)
  local rev = tonumber(redis.call('GET', revision) or '')
  -- What was flushed, or is behind the gateway, says nothing about its keys.
  if rev and rev >= tonumber(ARGV[6]) then
    local status = redis.call('HGET', token, 'status')
    if status then
      if status ~= 'active' then return {-1} end
    elseif redis.call('EXISTS', retiring) == 0 and
      -- A full sync writes the token hashes after the keys.
      (redis.call('HEXISTS', manifest, 'writing') == 0 or redis.call('HEXISTS', all, hash) == 0) then
      return {-1}
    end
  end
end

local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local remember, lease, id = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local levels, slots = {}, {}
for i = 2, buckets do
  local a = 7 + (i - 2) * 5
  local key, kind, limit = KEYS[i], ARGV[a], tonumber(ARGV[a + 1])
  local burst, window, amount = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  if kind == 'c' then
    if not slots[key] then
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now / 1000)
      slots[key] = redis.call('ZCARD', key)
    end
    if slots[key] + amount > limit then return {0, i - 2, '1000000'} end
    slots[key] = slots[key] + amount
  else
    if not levels[key] then
      local level, at = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
      level, at = tonumber(level) or 0, tonumber(at) or now
      levels[key] = math.max(0, level - math.max(0, now - at) * limit / window)
    end
    -- The tolerance outweighs rounding: a client at its exact rate is not refused.
    local over = levels[key] + amount - burst
    if amount > burst or limit <= 0 then return {0, i - 2, string.format('%.0f', window)} end
    if over > 1e-6 + 1e-12 * burst then
      return {0, i - 2, string.format('%.0f', math.ceil(over * window / limit))}
    end
    levels[key] = levels[key] + amount
  end
end

local out = {1}
for i = 2, buckets do
  local a = 7 + (i - 2) * 5
  local key, kind, limit = KEYS[i], ARGV[a], tonumber(ARGV[a + 1])
  local burst, window, amount = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  if kind == 'c' then
    for n = 1, amount do redis.call('ZADD', key, now / 1000 + lease, id .. ' ' .. i .. ' ' .. n) end
    redis.call('PEXPIRE', key, 2 * lease)
    out[#out + 1] = string.format('%.0f', math.max(0, limit - slots[key]))
    out[#out + 1] = '0'
  else
    local level = levels[key]
    local full = level * window / limit
    redis.call('SET', key, string.format('%.17g %.0f', level, now), 'PX', string.format('%.0f', math.min(full / 1000 + 1000, 2592000000)))
    out[#out + 1] = string.format('%.0f', math.max(0, math.floor(burst - level + 1e-6)))
    out[#out + 1] = string.format('%.0f', full)
  end
end
redis.call('SET', KEYS[1], 'o' .. cjson.encode(out), 'PX', remember)
return out
