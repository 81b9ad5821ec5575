-- Deletes token hashes and rotations whose key config:keys does not hold.
-- KEYS: config:keys, then auth:token:<hash> or auth:retiring:<hash>. ARGV: the
--       field of each token hash; '' for a rotation, which holds it.
local gone = 0
for i = 2, #KEYS do
  local key, field = KEYS[i], ARGV[i - 1]
  if field == '' and redis.call('TYPE', key).ok == 'string' then field = redis.call('GET', key) end
  if redis.call('HEXISTS', KEYS[1], field) == 0 then
    gone = gone + redis.call('DEL', key)
  end
end
return gone
