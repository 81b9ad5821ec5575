-- Applies one change: all of it or nothing.
-- KEYS: rev, manifest, changes, then the published hashes, then the token hashes
--       that the operations name.
-- ARGV: base, rev, notify channel, stream length, touched fields (JSON),
--       number of manifest fields, name and value of each, then operations:
--       S <key> <field> <value>                    set a field
--       D <key> <field>                            delete a field
--       T <key> <status> <group> <weight> <balance> replace a token hash
--       X <key>                                    delete a token hash
--       R <key> <hash> <ms>                        say which key a hash belonged to
--                                                  before its rotation, until then
--       where <key> is an index into KEYS.
-- Returns {applied, revision}: 0 and what is there when that is not the base.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then
  return {0, current or ''}
end
-- A script is not rolled back: whatever could fail must fail before the first
-- write.
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  local want = (i == 1 and 'string') or (i == 3 and 'stream') or 'hash'
  if string.find(key, 'auth:retiring:', 1, true) then want = kind end -- SET takes any
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. key .. ' holds a ' .. kind)
  end
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if last and tonumber(string.match(last[1], '^%d+')) >= tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[3])
end
local at = 6 + 2 * tonumber(ARGV[6])
local i = at + 1
while i <= #ARGV do
  local kind, key = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
  if kind == 'S' then
    redis.call('HSET', key, ARGV[i + 2], ARGV[i + 3])
    i = i + 4
  elseif kind == 'D' then
    redis.call('HDEL', key, ARGV[i + 2])
    i = i + 3
  elseif kind == 'T' then
    redis.call('DEL', key)
    redis.call('HSET', key, 'status', ARGV[i + 2], 'group', ARGV[i + 3], 'weight', ARGV[i + 4], 'balance', ARGV[i + 5])
    i = i + 6
  elseif kind == 'R' then
    redis.call('SET', key, ARGV[i + 2])
    redis.call('PEXPIREAT', key, ARGV[i + 3])
    i = i + 4
  else
    redis.call('DEL', key)
    i = i + 2
  end
end
for m = 7, at, 2 do
  redis.call('HSET', KEYS[2], ARGV[m], ARGV[m + 1])
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[2], 'rev', ARGV[2], 'at', string.format('%d%03d', now[1], math.floor(now[2] / 1000)))
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], ARGV[2] .. '-1', 'base', ARGV[1], 'touched', ARGV[5])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return {1, ARGV[2]}
