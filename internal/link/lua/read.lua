-- Reads, at one moment, the revision and what changed since another.
-- KEYS: rev, manifest, changes, then the published hashes.
-- ARGV: base ('' to learn the revision alone), the most fields to return, prefix.
-- Returns {rev, manifest, known}, and when known is 1, for every field that was
-- touched: its hash, its name, 1 or 0 for whether it is there, its value.
local rev = redis.call('GET', KEYS[1])
if not rev or redis.call('EXISTS', KEYS[2]) == 0 then return {'', {}, 0} end
local manifest = redis.call('HGETALL', KEYS[2])
local out = {rev, manifest, 0}
if ARGV[1] == '' then return out end
local base, count, seen = tonumber(ARGV[1]), 0, {}
if not tonumber(rev) or base > tonumber(rev) then return out end
for _, e in ipairs(redis.call('XRANGE', KEYS[3], '(' .. ARGV[1] .. '-1', '+')) do
  local fields = {}
  for f = 1, #e[2], 2 do fields[e[2][f]] = e[2][f + 1] end
  if not fields.touched or tonumber(fields.base) > base then return out end
  base = tonumber(string.match(e[1], '^%d+'))
  for hash, list in pairs(cjson.decode(fields.touched)) do
    for _, field in ipairs(list) do
      local name = hash .. ' ' .. field
      if not seen[name] then
        seen[name] = {hash, field}
        count = count + 1
      end
    end
  end
  if count > tonumber(ARGV[2]) then return out end
end
if base ~= tonumber(rev) then return out end
for _, t in pairs(seen) do
  local value = redis.call('HGET', ARGV[3] .. t[1], t[2])
  out[#out + 1] = t[1]
  out[#out + 1] = t[2]
  out[#out + 1] = value and '1' or '0'
  out[#out + 1] = value or ''
end
out[3] = 1
return out
