-- Deletes token hashes whose key config:keys does not hold.
-- KEYS: config:keys, then token hashes. ARGV: the field of each.
local gone = 0
for i = 2, #KEYS do
  if redis.call('HEXISTS', KEYS[1], ARGV[i - 1]) == 0 then
    gone = gone + redis.call('DEL', KEYS[i])
  end
end
return gone
