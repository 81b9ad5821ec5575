-- Finds one key, and says at which revision.
-- KEYS: rev, manifest, config:keys, auth:token:<hash>, auth:retiring:<hash>.
-- ARGV: the hash, the prefix of token hashes.
-- Returns {revision, value of config:keys}; '' when there is none.
local rev = redis.call('GET', KEYS[1])
if not rev or redis.call('EXISTS', KEYS[2]) == 0 then return {'', ''} end
local value, token = redis.call('HGET', KEYS[3], ARGV[1]), KEYS[4]
if not value then
  local current = redis.call('GET', KEYS[5])
  if not current then return {rev, ''} end
  value, token = redis.call('HGET', KEYS[3], current), ARGV[2] .. current
end
-- A key without its token hash is revoked, unless a full sync has yet to write it.
if value and redis.call('EXISTS', token) == 0 and redis.call('HEXISTS', KEYS[2], 'writing') == 0 then value = false end
return {rev, value or ''}
