-- Puts a full sync in place of what is there: all of it at once.
-- KEYS: rev, manifest, changes, then the published hashes, then their successors
--       in the same order.
-- ARGV: rev, notify channel, stream length, force (1 or 0), prefix of the live
--       hashes, prefix of their successors (it names the sync), then name and
--       value of each manifest field.
-- Until lua/written.lua, manifest field writing names the sync whose token hashes
-- are not complete yet.
-- Changes that were published after rev win: the fields that they touched are
-- carried over, and revision and manifest stay theirs.
-- Returns {done, revision}: 1 replaced, 2 replaced below newer changes, 0 when
-- those are not known any more.
local n = (#KEYS - 3) / 2
local rev = ARGV[1]
local function kind(key) return redis.call('TYPE', key).ok end
if kind(KEYS[1]) ~= 'string' then redis.call('DEL', KEYS[1]) end
if kind(KEYS[3]) ~= 'stream' then redis.call('DEL', KEYS[3]) end
local current = redis.call('GET', KEYS[1])
if not (current and tonumber(current)) or kind(KEYS[2]) ~= 'hash' then current = false end
local newer = current and tonumber(current) > tonumber(rev)
if newer then
  local base, entries = tonumber(rev), redis.call('XRANGE', KEYS[3], '(' .. rev .. '-1', '+')
  local index = {}
  for _, e in ipairs(entries) do
    local fields = {}
    for f = 1, #e[2], 2 do fields[e[2][f]] = e[2][f + 1] end
    if not fields.touched or tonumber(fields.base) > base then return {0, current} end
    base = tonumber(string.match(e[1], '^%d+'))
    for name, list in pairs(cjson.decode(fields.touched)) do
      for _, field in ipairs(list) do
        local live, staged = ARGV[5] .. name, ARGV[6] .. name
        local value = redis.call('HGET', live, field)
        if value then redis.call('HSET', staged, field, value) else redis.call('HDEL', staged, field) end
      end
    end
  end
  if base ~= tonumber(current) then return {0, current} end
end
for h = 1, n do
  local live, staged = KEYS[3 + h], KEYS[3 + n + h]
  if redis.call('EXISTS', staged) == 1 then
    redis.call('RENAME', staged, live)
    redis.call('PERSIST', live)
  else
    redis.call('DEL', live)
  end
end
if newer then
  redis.call('HSET', KEYS[2], 'writing', ARGV[6])
  if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'forced', current) end
  return {2, current}
end
local forced = current and redis.call('HGET', KEYS[2], 'forced')
local moved = current ~= rev
if ARGV[4] == '1' then forced = rev end
redis.call('DEL', KEYS[2])
for m = 7, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[m], ARGV[m + 1])
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[2], 'rev', rev, 'at', string.format('%d%03d', now[1], math.floor(now[2] / 1000)))
redis.call('HSET', KEYS[2], 'writing', ARGV[6])
if forced then redis.call('HSET', KEYS[2], 'forced', forced) end
redis.call('SET', KEYS[1], rev)
-- Who follows changes must read everything after this one.
if moved then
  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  if last and tonumber(string.match(last[1], '^%d+')) >= tonumber(rev) then redis.call('DEL', KEYS[3]) end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], rev .. '-1', 'full', '1')
end
redis.call('PUBLISH', ARGV[2], rev)
return {1, rev}
